"""Every metric that the dashboard and the alert rules use is served by a running stack."""

import re

import httpx
import psycopg

from tests.conftest import wait_until
from tests.monitoring import expressions, metric_names
from tests.stack_fixture import RunningStack

TICKET = """
insert into enrichment.ticket_signals (event_id, occurred_at, source_system, ticket_id, account_id, sentiment, churn_risk, effort,
    raw_tags, canonical_tag, driver, custom_metrics, evidence_url, idempotency_key, version)
values (gen_random_uuid(), now(), 'monitoring', %s, 'a', 'neutral', 'low', 'low', '{}', 'tag', 'driver', '{}', 'https://e.example/1',
    'monitoring:' || %s, 1)
"""
POINTS = (
    "CX_WORKER_METRICS_PORT",
    "CX_PUBLISHER_METRICS_PORT",
    "CX_SUPERVISOR_METRICS_PORT",
    "CX_OUTBOUND_METRICS_PORT",
    "CX_FLAG_URL",
)


def served(stack: RunningStack) -> dict[str, str]:
    """The text of each endpoint by the variable that names it."""
    addresses = {name: stack.environment[name] for name in POINTS}
    urls = {name: value if "//" in value else f"http://127.0.0.1:{value}" for name, value in addresses.items()}
    return {name: httpx.get(f"{url}/metrics").raise_for_status().text for name, url in urls.items()}


def names(text: str) -> set[str]:
    """The names of the samples in an exposition."""
    return set(re.findall(r"^([a-z]\w+)(?:\{| )", text, flags=re.MULTILINE))


def test_every_metric_of_dashboard_and_rules_is_served(stack: RunningStack) -> None:
    """After one ticket went through, the five processes together serve each name with a sample; `up` is Prometheus' own.

    Posts to Slack and the retries that no fault caused have a sample only when they happen.
    """
    wanted = set().union(*map(metric_names, expressions())) - {"up"}
    number = "monitoring-metrics"
    with psycopg.connect(stack.store_url) as store:
        store.execute(TICKET, [number, number])

    def missing() -> set[str]:
        return wanted - set().union(*map(names, served(stack).values())) - {"cx_alerts_deliveries_total"}

    wait_until(lambda: not missing(), 90, what=f"every metric being served; missing {sorted(missing())}")
    types = "".join(served(stack).values())
    assert "# TYPE cx_alerts_deliveries_total counter" in types


def test_the_outside_of_the_pipeline_is_measured(stack: RunningStack) -> None:
    """Lag per partition of the group, the slot's bytes, the heartbeat and the connector have plausible values."""

    def notifier() -> str:
        return served(stack)["CX_FLAG_URL"]

    wait_until(lambda: 'cx_connector_is_running{connector="enrichment"} 1.0' in notifier(), what="the connector being seen")
    text = notifier()
    assert len(re.findall(r'^cx_consumer_group_lag_records\{consumer_group="cx-signals"', text, flags=re.MULTILINE)) == 14
    assert re.search(r'^cx_heartbeat_age_seconds\{slot="cx_enrichment"\} \d', text, flags=re.MULTILINE)
    assert re.search(r'^cx_replication_slot_retained_bytes\{slot="cx_enrichment"\} \d', text, flags=re.MULTILINE)
    assert all(
        f'cx_part_is_up{{part="{part}"}} 1.0' in served(stack)["CX_SUPERVISOR_METRICS_PORT"] for part in ("kafka", "worker")
    )
