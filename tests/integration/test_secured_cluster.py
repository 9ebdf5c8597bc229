"""TLS and log-ins everywhere, by settings alone: the whole way over them, and a sentence for whoever is not let in."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest

from connectors import register
from ops.backfill.offsets import partition_ends
from ops.doctor import pipeline_facts
from ops.stack import probes, topics
from stream.kafka import KafkaAccess, KafkaUnreachable, refusal
from tests.conftest import free_port, wait_until
from tests.integration.test_secrets import command_lines, holders
from tests.secured_cluster import CX, Cluster, new_authority, one_value, secured_cluster
from tests.stack_fixture import tmp_directory

TICKET = """
insert into enrichment.ticket_signals
    (source_system, ticket_id, event_id, idempotency_key, version, occurred_at, account_id, sentiment, churn_risk, effort,
     raw_tags, custom_metrics, evidence_url, updated_at)
values ('zendesk', '1', gen_random_uuid(), 'k1', 1, now(), 'acme', 'negative', 'high', 'low', '{refund}', '{}',
        'https://desk.example.com/1', now())
"""
UNPROTECTED = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) where client_addr is not null and not ssl"
OURS = {"worker": ["worker"], "publisher": ["publish", "--watch"], "notifier": ["alerts", "serve"], "outbound": ["outbound"]}
WORKS = (["doctor"], ["prepare", "--before-connect"],
         ["reconcile"], ["backfill", "--all", "--table", "ticket_signals"], ["dead-letters", "list"],
         ["alerts", "list"], ["publish", "list"])  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The secured cluster, prepared by `cx prepare`."""
    with tmp_directory() as directory, secured_cluster(directory) as running:
        prepared = running.cx("prepare")
        assert prepared.returncode == 0, prepared.stderr
        assert "roles cx_worker, cx_builder, cx_publisher, cx_notifier and cx_outbound are there" in prepared.stdout
        yield running


@pytest.fixture(scope="module")
def other(cluster: Cluster) -> Path:
    """Somebody else's authority."""
    return new_authority(cluster.directory, "other")


@pytest.fixture(scope="module")
def published(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with worker, publisher and notifier, and one ticket that has come all the way."""
    with ExitStack() as running:
        for name, words in OURS.items():
            running.enter_context(cluster.process(name, [*CX, *words], cluster.environment))
        with psycopg.connect(cluster.url("store"), autocommit=True) as store:
            store.execute(TICKET)
        marts = cluster.url("warehouse", "bi_reader", cluster.stack.bi_password)
        wait_until(lambda: _is_published(marts), 240, what="the ticket in the marts")
        wait_until(lambda: _records(cluster, "cx.signals.v1"), 60, what="the ticket on the outbound topic")
        yield cluster


def _is_published(marts: str) -> bool:
    try:
        return one_value(marts, "select count(*) from marts.fct_ticket_signals where ticket_id = '1'") == 1
    except psycopg.errors.UndefinedTable:
        return False


def _records(cluster: Cluster, topic: str) -> int:
    return sum(end - first for first, end in partition_ends(cluster.access, [topic]).values())


def test_a_ticket_comes_from_the_store_to_the_marts(published: Cluster) -> None:
    """Store, Connect, Kafka, worker, dbt, gate and marts speak TLS alone, the processes as their own roles."""
    users = "select string_agg(distinct usename, ' ' order by usename) from pg_stat_activity where usename like 'cx%'"

    assert one_value(published.url("warehouse"), UNPROTECTED) == 0
    assert {"cx_capture", "cx_worker", "cx_publisher", "cx_notifier"} <= set(
        str(one_value(published.url("warehouse"), users)).split()
    )


@pytest.mark.parametrize("words", WORKS, ids=" ".join)
def test_every_command_gets_in(words: list[str], published: Cluster) -> None:
    """Each command that talks to Kafka or PostgreSQL does so with the same settings."""
    done = published.cx(*words)

    assert done.returncode == 0, done.stdout + done.stderr


def test_status_reads_the_lag(published: Cluster) -> None:
    """What status says of Kafka it has read from Kafka."""
    assert "0 records, 0 s behind" in published.cx("status").stdout


def test_connect_is_told_references_only(published: Cluster) -> None:
    """The worker's properties and the connector's configuration name the variables that hold the secrets."""
    name = f"{published.stack.connect_url}/connectors/{register.CONNECTOR_NAME}"
    answers = {path: httpx.get(name + path, timeout=10).text for path in ("", "/config", "/status", "/tasks-config")}
    properties = (published.directory / "connect.properties").read_text()

    assert 'password="${env:CX_KAFKA_PASSWORD}"' in properties
    assert "${env:CX_CDC_SSLROOTCERT}" in answers["/config"]
    assert holders({**answers, "properties": properties}, published.secrets) == []


def test_no_log_and_no_process_shows_a_secret(published: Cluster) -> None:
    """Nor do the files that the parts write beside their logs."""
    files = {path.name: path.read_text(errors="replace") for path in published.directory.glob("*.log")}
    run = {str(path): path.read_text(errors="replace") for path in (published.directory / "run").rglob("*") if path.is_file()}

    assert {"worker.log", "publisher.log", "notifier.log", "connect.log", "kafka.log", "postgres.log"} <= set(files)
    assert holders({**files, **run, **command_lines()}, published.secrets) == []


WRONG: dict[str, tuple[Callable[[KafkaAccess, Path], KafkaAccess], str]] = {
    "password": (lambda kafka, other: replace(kafka, password="wrong"), "refuses the log-in of signals"),
    "user": (lambda kafka, other: replace(kafka, username="nobody"), "refuses the log-in of nobody"),
    "mechanism": (lambda kafka, other: replace(kafka, mechanism="PLAIN"), "does not take CX_KAFKA_SASL_MECHANISM PLAIN"),
    "authority": (lambda kafka, other: replace(kafka, ca_file=str(other)), "shows a certificate that is not trusted"),
    "this machine's authorities": (lambda kafka, other: replace(kafka, ca_file=""), "CX_KAFKA_CA_FILE is not set"),
    "name": (lambda kafka, other: replace(kafka, bootstrap=f"localhost:{kafka.bootstrap[10:]}"), "is not valid for"),
}  # fmt: skip
ASKS = {
    "topics": topics.ensure,
    "offsets": lambda kafka: partition_ends(kafka, topics.CAPTURED),
    "doctor": lambda kafka: pipeline_facts.topic_facts(kafka, topics.CAPTURED),
    "lag": lambda kafka: probes.lag(kafka, "cx-signals", topics.CAPTURED),
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("wrong", WRONG)
def test_kafka_refuses_with_a_sentence(wrong: str, ask: str, cluster: Cluster, other: Path) -> None:
    """Whoever asks Kafka in a way that no retry mends hears at once which setting to look at."""
    change, sentence = WRONG[wrong]
    kafka = change(cluster.access, other)

    with pytest.raises((topics.TopicError, pipeline_facts.NoAnswer, KafkaUnreachable), match=sentence) as refused:
        ASKS[ask](kafka)
    assert cluster.kafka_password not in str(refused.value)


def test_a_broker_that_is_away_refuses_nobody(cluster: Cluster) -> None:
    """No answer is not a refusal: it is waited for."""
    away = replace(cluster.access, bootstrap=f"127.0.0.1:{free_port()}")

    assert asyncio.run(refusal(away)) is None
    assert asyncio.run(refusal(cluster.access)) is None


def _refused(cluster: Cluster, other: Path) -> dict[str, tuple[dict[str, str], str]]:
    """What somebody got wrong, and what the worker says."""
    warehouse = cluster.url("warehouse", "cx_worker", "wrong")
    unknown = cluster.url("warehouse", "cx_worker", cluster.stack.role_password("cx_worker"), authority=other)
    return {
        "Kafka's password": ({"CX_KAFKA_PASSWORD": "wrong"}, "refuses the log-in of signals"),
        "Kafka's authority": ({"CX_KAFKA_CA_FILE": str(other)}, "is not trusted by CX_KAFKA_CA_FILE"),
        "the warehouse's password": ({"CX_WORKER_URL": warehouse}, 'password authentication failed for user "cx_worker"'),
        "the warehouse's authority": ({"CX_WORKER_URL": unknown}, "certificate verify failed"),
    }


def test_a_worker_that_is_refused_ends_with_a_sentence(cluster: Cluster, other: Path) -> None:
    """Exit code 2, the reason in one sentence, no trace, at once: Kafka and the warehouse, passwords and authorities alike."""
    started = {
        name: subprocess.Popen(
            [*CX, "worker"], env={**cluster.environment, **changed}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for name, (changed, _) in _refused(cluster, other).items()
    }
    for name, (_, sentence) in _refused(cluster, other).items():
        text = started[name].communicate(timeout=180)[0]
        assert started[name].returncode == 2, text
        assert text.count(sentence) == 1, text
        assert "Traceback" not in text
        assert holders({name: text}, cluster.secrets) == []


@pytest.mark.parametrize("words", [["backfill", "--all"], ["prepare", "--skip-store"]], ids=" ".join)
def test_a_command_that_is_refused_says_one_sentence(words: list[str], cluster: Cluster) -> None:
    """One line that names the setting, exit code 2, nothing of the client's own noise."""
    done = cluster.cx(*words, CX_KAFKA_PASSWORD="wrong")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "refuses the log-in of signals" in done.stderr


@pytest.mark.parametrize(("key", "sentence"), [("password", "password authentication failed"), ("sslrootcert", "PKIX path|SSL")])
def test_a_connector_that_the_store_refuses_is_not_registered(key: str, sentence: str, cluster: Cluster, other: Path) -> None:
    """Connect's validation asks the store: a wrong password and an unknown authority are a sentence of `cx prepare`."""
    configuration = {**register.load_configuration(), f"database.{key}": str(other)}  # a wrong password is any text

    with pytest.raises(register.RegistrationError, match=sentence) as refused:
        register.register(cluster.stack.connect_url, configuration)
    assert len(str(refused.value).splitlines()) == 1


def test_a_worker_in_a_taken_metrics_port_says_so(cluster: Cluster) -> None:
    """The port that another process listens on is named, and the variable to change."""
    done = cluster.cx("worker", CX_WORKER_METRICS_PORT=str(cluster.stack.kafka_port))

    assert done.returncode == 2
    assert f"No /metrics on port {cluster.stack.kafka_port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
