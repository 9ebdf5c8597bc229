"""What the webhooks service is told: the topics of the projections, what their fields hold, the subscriptions file."""

import typing
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import UnionType

from connectors.outbound.contract import projection
from connectors.outbound.contract.projection import Projection
from connectors.outbound.webhooks import subscription_file
from connectors.outbound.webhooks.filter_meaning import LIST, NUMBER, OBJECT, TEXT, WORDS, Field, Fields
from connectors.outbound.webhooks.service import Setup
from connectors.outbound.webhooks.subscriptions import Subscription
from ops import kafka_access
from ops.outbound.failpoints import failing
from ops.settings import Settings, variable
from stream.core.contract.rows import TicketSignal

ORDERED = frozenset({"churn_risk", "effort"})  # their words go from least to most
OBJECTS = frozenset({"custom_metrics"})  # JSON text in the contract's row, an object on the topics


def setup(settings: Settings, warehouse_url: str) -> Setup:
    """The service's setup; the file is read by the service, again whenever it changes."""
    path = Path(settings.webhooks)
    return Setup(
        warehouse_url,
        kafka_access.chosen(settings).client,
        {short_name(one): one.topic for one in projection.shipped()},
        reader(path),
        lambda: fingerprint(path),
        failing(settings.failpoint, "webhooks"),
    )


def reader(path: Path) -> Callable[[], Sequence[Subscription]]:
    """Reads the file; it raises SubscriptionsError."""
    return lambda: subscription_file.read(path, known_fields(), variable)


def fingerprint(path: Path) -> str:
    """Another text when the file may have changed."""
    try:
        seen = path.stat()
    except OSError:
        return "no such file"
    return f"{seen.st_mtime_ns}:{seen.st_size}:{seen.st_ino}"


def known_fields() -> Mapping[str, Fields]:
    """What a filter may ask of each projection, by its short name."""
    kinds = {name: _field(name, kind) for name, kind in typing.get_type_hints(TicketSignal, include_extras=False).items()}
    return {short_name(one): {name: kinds[name] for name in one.fields} for one in projection.shipped()}


def short_name(one: Projection) -> str:
    """signals, crm or ops: the last word of the topic before its version."""
    return one.topic.split(".")[-2]


def _field(name: str, kind: object) -> Field:
    """What a field of the contract holds, from its type."""
    if name in OBJECTS:
        return Field(OBJECT)
    options = typing.get_args(kind) if typing.get_origin(kind) in (UnionType, typing.Union) else (kind,)
    [option] = [one for one in options if one is not type(None)]
    if typing.get_origin(option) is typing.Literal:
        return Field(WORDS, typing.get_args(option), name in ORDERED)
    if typing.get_origin(option) is list:
        return Field(LIST)
    return Field(NUMBER if option in (int, Decimal) else TEXT)
