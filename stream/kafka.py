"""How Kafka is reached: addresses, protection and log-in as one value, clients made from it, and refusals as sentences."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
LOOK_MS = 5_000
LOG_IN_REFUSED = (AuthenticationFailedError, SaslAuthenticationFailed, IllegalSaslStateError, UnsupportedSaslMechanismError)
# SCRAM's own checks on the server's answers end in these.
LOG_IN_BROKEN = (ValueError, KeyError)


class KafkaUnreachable(Exception):
    """Kafka does not answer, or refuses us; the message is a sentence that says which."""


@dataclass(frozen=True)
class KafkaAccess:
    """Where Kafka is and how one gets in. `ca_file` is a PEM file; empty: the authorities that this machine trusts."""

    bootstrap: str  # host:port[,host:port]
    protocol: str = "PLAINTEXT"
    mechanism: str = MECHANISMS[0]
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""

    def __str__(self) -> str:
        return self.bootstrap

    @property
    def logs_in(self) -> bool:
        return self.protocol.startswith("SASL_")

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What verifies the brokers' certificates and names; None in the clear."""
        return ssl.create_default_context(cafile=self.ca_file or None) if self.protocol.endswith("SSL") else None

    @property
    def protection(self) -> dict[str, Any]:
        """aiokafka's words for how a connection is protected."""
        log_in = {
            "sasl_mechanism": self.mechanism, "sasl_plain_username": self.username, "sasl_plain_password": self.password,
        }  # fmt: skip
        return {"security_protocol": self.protocol, "ssl_context": self.tls, **(log_in if self.logs_in else {})}

    @property
    def client(self) -> dict[str, Any]:
        """The options that every client of aiokafka takes."""
        return {"bootstrap_servers": self.bootstrap, **self.protection}


@asynccontextmanager
async def consuming(kafka: KafkaAccess, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer. Raises KafkaUnreachable, for what happens inside too."""
    consumer = AIOKafkaConsumer(*topics, **kafka.client, **options)
    async with translated(kafka):
        try:
            await consumer.start()
            yield consumer
        finally:
            await consumer.stop()


@asynccontextmanager
async def administering(kafka: KafkaAccess, **options: Any) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client. Raises KafkaUnreachable, for what happens inside too."""
    admin = AIOKafkaAdminClient(**kafka.client, **options)
    async with translated(kafka):
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


@asynccontextmanager
async def translated(kafka: KafkaAccess) -> AsyncIterator[None]:
    """Turn what the client raises into KafkaUnreachable, once, at the border."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise KafkaUnreachable(await refusal(kafka) or f"Kafka at {kafka}: {error or type(error).__name__}") from error


async def refusal(kafka: KafkaAccess) -> str | None:
    """Why a broker that answers does not let us in, so that no retry helps; None: it does, or none answers.

    aiokafka's clients log the reason and raise one error for all of them; hence this look of our own, made only when
    something has failed.
    """
    for host, port, _ in collect_hosts(kafka.bootstrap):
        try:
            connection = await create_conn(host, port, request_timeout_ms=LOOK_MS, **kafka.protection)
        except (KafkaError, OSError, *LOG_IN_BROKEN) as error:
            sentence = meaning_of(kafka, error)
            if sentence:
                return sentence
        else:
            connection.close()
            return None
    return None


def meaning_of(kafka: KafkaAccess, error: BaseException) -> str | None:
    """The sentence for an error that only a change of settings mends; None for any other. Pure."""
    at = f"Kafka at {kafka}"
    if isinstance(error, ssl.SSLCertVerificationError):
        trusted = f"CX_KAFKA_CA_FILE ({kafka.ca_file})" if kafka.ca_file else "this machine (CX_KAFKA_CA_FILE is not set)"
        return f"{at} shows a certificate that is not trusted by {trusted}: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"{at} does not speak TLS: check CX_KAFKA_BOOTSTRAP and CX_KAFKA_SECURITY_PROTOCOL ({kafka.protocol})"
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"{at} does not take CX_KAFKA_SASL_MECHANISM {kafka.mechanism}"
    if kafka.logs_in and isinstance(error, (*LOG_IN_REFUSED, *LOG_IN_BROKEN)):
        return f"{at} refuses the log-in of {kafka.username}: check CX_KAFKA_USERNAME, CX_KAFKA_PASSWORD, CX_KAFKA_SASL_MECHANISM"
    return None
