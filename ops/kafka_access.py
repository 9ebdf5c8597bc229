"""Kafka as the settings describe it: checked here, so that a mistake is a sentence before anything connects."""

import ssl

from ops.settings import Settings, SettingsError
from stream.kafka import MECHANISMS, PROTOCOLS, KafkaAccess


def chosen(settings: Settings) -> KafkaAccess:
    """How this installation reaches Kafka. Raises SettingsError."""
    access = KafkaAccess(
        settings.kafka_bootstrap,
        settings.kafka_security_protocol,
        settings.kafka_sasl_mechanism,
        settings.kafka_username,
        settings.kafka_password,
        settings.kafka_ca_file,
    )
    _check_choice("CX_KAFKA_SECURITY_PROTOCOL", access.protocol, PROTOCOLS)
    if access.logs_in:
        _check_choice("CX_KAFKA_SASL_MECHANISM", access.mechanism, MECHANISMS)
        settings.require("kafka_username", "kafka_password")
    try:
        _ = access.tls
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if not isinstance(error, ssl.SSLError) and error.strerror else "it holds no certificate in PEM"
        raise SettingsError(f"CX_KAFKA_CA_FILE {access.ca_file}: {reason}") from error
    return access


def _check_choice(variable: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{variable}: {value!r} is none of {', '.join(allowed)}")
