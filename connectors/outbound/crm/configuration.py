"""The CRM file: which CRM, which object, which field takes what. Secrets are named, not held."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from connectors.outbound.crm.flags import FLAGS

LARGEST_BATCH = 200
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class CrmFileError(Exception):
    """The CRM file cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Token:
    """How to get in: a token of its own making, or a given one."""

    url: str = ""
    client_id: str = ""
    client_secret: str = ""
    given: str = ""


@dataclass(frozen=True)
class Crm:
    """One CRM. `fields` maps our flags to its field names."""

    url: str
    api_version: str
    object: str
    external_id: str
    fields: Mapping[str, str]
    token: Token
    batch: int
    timeout_seconds: float
    settle_seconds: float


def read(path: str, variable: Callable[[str], str]) -> Crm:
    """Read the file; `variable` gives the value of an environment variable. Raises CrmFileError."""
    try:
        return parse(yaml.safe_load(Path(path).read_text()), variable)
    except (OSError, yaml.YAMLError) as error:
        raise CrmFileError(f"{path} cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise CrmFileError(f"{path}: {error} is missing or not as in connectors/outbound/crm/example.yml") from error
    except (CrmFileError, ValueError) as error:
        raise CrmFileError(f"{path}: {error}") from None


def parse(document: Mapping[str, Any], variable: Callable[[str], str]) -> Crm:
    """A CRM from its document. Raises CrmFileError, KeyError, TypeError or ValueError."""
    fields = {str(ours): str(theirs) for ours, theirs in document["fields"].items()}
    if unknown := sorted(set(fields) - set(FLAGS)):
        raise CrmFileError(f"fields: {unknown[0]!r} is none of {', '.join(FLAGS)}")
    if not fields:
        raise CrmFileError("fields: name at least one")
    batch = int(document.get("batch", LARGEST_BATCH))
    if not 1 <= batch <= LARGEST_BATCH:
        raise CrmFileError(f"batch: {batch} is not between 1 and {LARGEST_BATCH}")
    return Crm(
        _address(document["url"]),
        str(document["api_version"]),
        str(document["object"]),
        str(document["external_id"]),
        fields,
        _token(document["token"], variable),
        batch,
        float(document.get("timeout_seconds", 30)),
        float(document.get("settle_seconds", 120)),
    )


def _token(entry: Mapping[str, Any], variable: Callable[[str], str]) -> Token:
    if "variable" in entry:
        return Token(given=_secret(str(entry["variable"]), variable))
    secrets = [_secret(str(entry[name]), variable) for name in ("client_id_variable", "client_secret_variable")]
    return Token(_address(entry["url"]), *secrets)


def _secret(name: str, variable: Callable[[str], str]) -> str:
    value = variable(name)
    if not value:
        raise CrmFileError(f"{name} is not set")
    return value


def _address(text: str) -> str:
    parts = urlsplit(str(text))
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise CrmFileError(f"{text!r} must begin with https://")
    return str(text).rstrip("/")
