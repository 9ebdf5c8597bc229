"""Kafka's settings: from the environment or files, checked before anything connects, the password never shown."""

from pathlib import Path

import pytest

from ops import kafka_access, settings
from ops.stack.kafka import connect_security
from stream.app import credentials
from stream.kafka import KafkaAccess

SECURED = {
    "CX_RUN_DIRECTORY": "/nowhere", "CX_KAFKA_BOOTSTRAP": "a:9093,b:9093", "CX_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "CX_KAFKA_USERNAME": "signals",
}  # fmt: skip


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """NAME_FILE gives the value without the line feed at its end; NAME itself comes first."""
    file = tmp_path / "password"
    file.write_text(" s3cret \n")
    given = {**SECURED, "CX_KAFKA_PASSWORD_FILE": str(file)}

    assert settings.load(given).kafka_password == " s3cret "
    assert settings.load({**given, "CX_KAFKA_PASSWORD": "other"}).kafka_password == "other"


def test_a_secrets_file_that_is_not_there_is_a_sentence() -> None:
    """The variable, the path and the reason."""
    with pytest.raises(settings.SettingsError, match="CX_KAFKA_PASSWORD_FILE /nowhere/at/all: No such file"):
        settings.load({**SECURED, "CX_KAFKA_PASSWORD_FILE": "/nowhere/at/all"})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"CX_KAFKA_SECURITY_PROTOCOL": "TLS"}, "CX_KAFKA_SECURITY_PROTOCOL: 'TLS' is none of PLAINTEXT"),
        ({"CX_KAFKA_SASL_MECHANISM": "GSSAPI"}, "CX_KAFKA_SASL_MECHANISM: 'GSSAPI' is none of SCRAM-SHA-512"),
        ({"CX_KAFKA_PASSWORD": ""}, "CX_KAFKA_PASSWORD not set"),
        ({"CX_KAFKA_CA_FILE": "/nowhere.pem"}, "CX_KAFKA_CA_FILE /nowhere.pem: No such file"),
        ({"CX_KAFKA_CA_FILE": "/dev/null"}, "CX_KAFKA_CA_FILE /dev/null: it holds no certificate in PEM"),
    ],
)
def test_a_mistake_is_a_sentence_before_anything_connects(changed: dict[str, str], sentence: str) -> None:
    """Each names the variable and what is allowed or missing."""
    with pytest.raises(settings.SettingsError, match=sentence):
        kafka_access.chosen(settings.load({**SECURED, "CX_KAFKA_PASSWORD": "x", **changed}))


def test_in_the_clear_nothing_of_it_is_needed() -> None:
    """The default is the broker on loopback: no certificate, no user."""
    access = kafka_access.chosen(settings.load({"CX_RUN_DIRECTORY": "/nowhere", "CX_KAFKA_BOOTSTRAP": "a:9092"}))

    assert access.client == {"bootstrap_servers": "a:9092", "security_protocol": "PLAINTEXT", "ssl_context": None}
    assert credentials(access) is None


def test_the_password_is_in_no_representation() -> None:
    """Neither the value's own, nor Faust's, nor the properties for Connect."""
    access = KafkaAccess("a:9093", "SASL_SSL", username="signals", password="s3cret")

    assert "s3cret" not in f"{access!r} {access} {credentials(access)!r} {connect_security(access)}"
