"""A subscription as a value, and the messages it gets. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connectors.outbound.webhooks.addresses import Network
from connectors.outbound.webhooks.filter_meaning import Fields, holds
from connectors.outbound.webhooks.filter_syntax import Filter

GIVE_UP_AFTER = timedelta(hours=24)
CONCURRENCY = 8
TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True)
class Subscription:
    """Who hears what, and where.

    Attributes:
        projection: the topic's short name, `signals`, `crm` or `ops`.
        keys: the signing keys; several while a secret is being rotated.
        fields: what the projection holds, for the filter.
        allow_networks: networks that are not public but may be called.
        give_up_after: age of a delivery at which it becomes a dead letter.
        owner: who hears of its alerts.
    """

    name: str
    url: str
    projection: str
    keys: tuple[bytes, ...] = field(repr=False)
    filter: Filter | None = None
    fields: Fields = field(default_factory=dict, repr=False)
    allow_networks: tuple[Network, ...] = ()
    concurrency: int = CONCURRENCY
    timeout_seconds: float = TIMEOUT_SECONDS
    give_up_after: timedelta = GIVE_UP_AFTER
    owner: str = "data-platform"

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Whether the event passes the filter."""
        return self.filter is None or holds(self.filter, event, self.fields)
