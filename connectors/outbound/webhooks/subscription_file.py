"""Reading a subscriptions file: every mistake is named with file, line, value and what to do."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from connectors.outbound.webhooks.addresses import Network
from connectors.outbound.webhooks.filter_meaning import Fields, check
from connectors.outbound.webhooks.filter_syntax import Filter, FilterError, parse
from connectors.outbound.webhooks.signing import BadSecret, decode_secret
from connectors.outbound.webhooks.subscriptions import CONCURRENCY, GIVE_UP_AFTER, TIMEOUT_SECONDS, Subscription

KEYS = (
    "url", "projection", "filter", "secrets", "allow_networks", "concurrency", "timeout_seconds", "give_up_after", "owner",
)  # fmt: skip
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Variable = Callable[[str], str]


class SubscriptionsError(Exception):
    """The file cannot be used; the message names file, line, value and remedy."""


def read(path: Path, projections: Mapping[str, Fields], variable: Variable) -> tuple[Subscription, ...]:
    """Every subscription of a file, in its order.

    Args:
        projections: what each projection holds, by its short name.
        variable: the value of an environment variable, empty when it is not set.

    Raises:
        SubscriptionsError: at the first mistake.
    """
    try:
        root = yaml.compose(path.read_text(), yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise SubscriptionsError(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SubscriptionsError(f"{path}:{line}: this is not YAML: {error.problem}") from error
    reader = _Reader(path, projections, variable)
    return reader.subscriptions(root)


class _Reader:
    """Walks the nodes, which know their lines."""

    def __init__(self, path: Path, projections: Mapping[str, Fields], variable: Variable) -> None:
        self._path, self._projections, self._variable = path, projections, variable

    def subscriptions(self, root: yaml.Node | None) -> tuple[Subscription, ...]:
        if root is None:
            return ()
        top = self._mapping(root, ("subscriptions",), "the file")
        items = self._mapping(top["subscriptions"][1], None, "subscriptions") if "subscriptions" in top else {}
        return tuple(self._subscription(name, key, value) for name, (key, value) in items.items())

    def _subscription(self, name: str, key: yaml.Node, node: yaml.Node) -> Subscription:
        if not NAME.fullmatch(name):
            raise self._wrong(key, f"{name!r} is no name: use small letters, digits and hyphens, at most 63")
        given = {item: pair[1] for item, pair in self._mapping(node, KEYS, name).items()}
        for needed in ("url", "projection", "secrets"):
            if needed not in given:
                raise self._wrong(key, f"{name} has no {needed}: add it")
        networks = tuple(self._network(item) for item in self._list(given.get("allow_networks"), "allow_networks"))
        projection = self._projection(given["projection"])
        fields = self._projections[projection]
        return Subscription(
            name=name,
            url=self._url(given["url"], networks),
            projection=projection,
            keys=tuple(self._secret(item) for item in self._list(given["secrets"], "secrets", 1)),
            filter=self._filter(given["filter"], fields) if "filter" in given else None,
            fields=fields,
            allow_networks=networks,
            concurrency=self._number(given.get("concurrency"), "concurrency", CONCURRENCY, 64),
            timeout_seconds=float(self._number(given.get("timeout_seconds"), "timeout_seconds", int(TIMEOUT_SECONDS), 60)),
            give_up_after=self._duration(given.get("give_up_after")),
            owner=self._text(given["owner"], "owner") if "owner" in given else Subscription.owner,
        )

    def _url(self, node: yaml.Node, networks: tuple[Network, ...]) -> str:
        text = self._text(node, "url")
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self._wrong(node, f"url {text!r} is not an address like https://example.com/hooks")
        if parts.username or parts.password:
            raise self._wrong(node, "url holds a password: messages are signed instead, leave it out")
        if parts.scheme == "http" and not networks:
            raise self._wrong(node, f"url {text!r} is not encrypted: use https, or name the private network in allow_networks")
        return text

    def _projection(self, node: yaml.Node) -> str:
        name = self._text(node, "projection")
        if name not in self._projections:
            raise self._wrong(node, f"projection {name!r} is not known; known are {', '.join(self._projections)}")
        return name

    def _filter(self, node: yaml.Node, fields: Fields) -> Filter:
        text = self._text(node, "filter")
        try:
            tree = parse(text)
            check(tree, fields)
        except FilterError as error:
            raise self._wrong(node, f"filter {text!r}, {error}") from error
        return tree

    def _secret(self, node: yaml.Node) -> bytes:
        given = self._mapping(
            node, ("env", "file"), "a secret is named, like {env: CX_WEBHOOK_SECRET} or {file: /run/secrets/hook};"
        )
        if len(given) != 1:
            raise self._wrong(node, "a secret has either env or file")
        [(kind, (_, value))] = given.items()
        where = self._text(value, kind)
        try:
            text = self._variable(where) if kind == "env" else Path(where).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise self._wrong(value, f"secret file {where} cannot be read: {getattr(error, 'strerror', error)}") from error
        if not text.strip():
            raise self._wrong(value, f"{where} is empty: put a secret there (`cx webhooks secret` makes one)")
        try:
            return decode_secret(text)
        except BadSecret as error:
            raise self._wrong(value, f"{where}: {error} (`cx webhooks secret` makes a good one)") from error

    def _network(self, node: yaml.Node) -> Network:
        text = self._text(node, "allow_networks")
        try:
            return ipaddress.ip_network(text)
        except ValueError as error:
            raise self._wrong(node, f"{text!r} is not a network like 10.1.2.0/24: {error}") from error

    def _number(self, node: yaml.Node | None, name: str, default: int, most: int) -> int:
        if node is None:
            return default
        text = self._text(node, name)
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise self._wrong(node, f"{name} {text!r} is not a whole number from 1 to {most}")
        return int(text)

    def _duration(self, node: yaml.Node | None) -> timedelta:
        if node is None:
            return GIVE_UP_AFTER
        text = self._text(node, "give_up_after")
        found = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
        length = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None
        if length is None or length > timedelta(days=7):
            raise self._wrong(node, f"give_up_after {text!r} is not a length of time like 30m, 24h or 3d, at most 7d")
        return length

    def _text(self, node: yaml.Node, name: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._wrong(node, f"{name} must be a text")
        return str(node.value)

    def _list(self, node: yaml.Node | None, name: str, least: int = 0) -> list[yaml.Node]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode) or len(node.value) < least:
            raise self._wrong(node, f"{name} must be a list" + (" with an entry" if least else ""))
        return list(node.value)

    def _mapping(
        self, node: yaml.Node, known: tuple[str, ...] | None, what: str
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:  # fmt: skip
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"{what} must be a mapping of names to values")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = str(key.value)
            if known is not None and name not in known:
                raise self._wrong(key, f"{name!r} is not known; known are {', '.join(known)}")
            if name in found:
                raise self._wrong(key, f"{name!r} stands here twice")
            found[name] = (key, value)
        return found

    def _wrong(self, node: yaml.Node, sentence: str) -> SubscriptionsError:
        return SubscriptionsError(f"{self._path}:{node.start_mark.line + 1}: {sentence}")
