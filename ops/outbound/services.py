"""What runs in `cx outbound`. A service is a name and a coroutine that works until its event is set."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from connectors.outbound.contract import projection
from connectors.outbound.crm import configuration
from connectors.outbound.crm.metrics import Metrics as CrmMetrics
from connectors.outbound.crm.service import CrmService
from connectors.outbound.relay.metrics import Metrics
from connectors.outbound.relay.relay import Relay
from connectors.outbound.relay.topics import Topics
from connectors.outbound.webhooks import service as webhook_service
from connectors.outbound.webhooks.metrics import Metrics as WebhookMetrics
from ops import kafka_access
from ops.outbound import webhooks
from ops.outbound.failpoints import failing
from ops.settings import Settings, SettingsError, variable


class Service(NamedTuple):
    """One of the services; `run` returns when the event is set, and raises only what a restart may mend."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]


def services(settings: Settings, registry: CollectorRegistry) -> list[Service]:
    """Every service that this installation needs; those without a configuration are left out."""
    return [_relay(settings, registry), *_crm(settings, registry), *_webhooks(settings, registry)]


def _relay(settings: Settings, registry: CollectorRegistry) -> Service:
    topics = Topics(kafka_access.chosen(settings).client)
    relay = Relay(warehouse_url(settings), topics, projection.shipped(), Metrics(registry), failing(settings.failpoint, "relay"))
    return Service("relay", relay.run)


def _crm(settings: Settings, registry: CollectorRegistry) -> list[Service]:
    """Nothing without a CRM file: then neither Kafka nor the warehouse is asked anything."""
    if not settings.crm:
        return []
    try:
        crm = configuration.read(settings.crm, variable)
    except configuration.CrmFileError as error:
        raise SettingsError(f"CX_CRM: {error}") from error
    reached = failing(settings.failpoint, "crm")
    kafka = kafka_access.chosen(settings).client
    service = CrmService(warehouse_url(settings), kafka, crm, CrmMetrics(registry), reached)
    return [Service("crm", service.run)]


def _webhooks(settings: Settings, registry: CollectorRegistry) -> list[Service]:
    """Nothing without a subscriptions file."""
    if not settings.webhooks:
        return []
    setup, metrics = webhooks.setup(settings, warehouse_url(settings)), WebhookMetrics(registry)
    return [Service("webhooks", lambda stop: webhook_service.run(setup, metrics, stop))]


def warehouse_url(settings: Settings) -> str:
    """The warehouse, as the role of this process when there is one."""
    return settings.outbound_url or settings.warehouse_url
