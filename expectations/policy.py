"""The policy file as frozen values: thresholds of the checks, what may be held, and the publisher's timing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEFAULT_POLICY = Path(__file__).parent / "policy.yml"


class PolicyError(Exception):
    """The policy or a suite file cannot be used; the message names the file and the entry."""


@dataclass(frozen=True)
class Quarantine:
    """Which failing rows may be held while the rest is published."""

    checks: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    group_share: float = 1.0
    group_min_tickets: int = 20
    most_held_share: float = 1.0
    most_held_min_tickets: int = 200
    retry_seconds: float = 600


@dataclass(frozen=True)
class Timing:
    """When the publisher works, in seconds unless said otherwise."""

    idle_seconds: float = 900
    held_retry_seconds: float = 60
    error_backoff_seconds: tuple[float, ...] = (2, 5, 15, 30, 60)
    repeat_alert_seconds: float = 300
    docs_every_cycles: int = 200
    docs_pages: int = 20
    cycles_kept_days: int = 14
    recycle_after_cycles: int = 500
    recycle_megabytes: int = 1200


@dataclass(frozen=True)
class Policy:
    """Everything an operator may tune."""

    thresholds: Mapping[str, float]
    quarantine: Quarantine
    timing: Timing


def load(path: Path = DEFAULT_POLICY) -> Policy:
    """Read the policy file.

    Raises:
        PolicyError: it is missing, not YAML, or has an entry that nothing reads.
    """
    try:
        values = yaml.safe_load(path.read_text()) or {}
        return parse(values)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise PolicyError(f"{path}: {' '.join(str(error).split())}") from error


def parse(values: Mapping[str, Any]) -> Policy:
    """Build the policy from plain values; unknown entries are refused (TypeError), they would do nothing."""
    unknown = set(values) - {"thresholds", "quarantine", "cycle"}
    if unknown:
        raise ValueError(f"unknown section {', '.join(sorted(unknown))}")
    thresholds = {name: float(number) for name, number in values.get("thresholds", {}).items()}
    return Policy(thresholds, Quarantine(**tupled(values.get("quarantine", {}))), Timing(**tupled(values.get("cycle", {}))))


def tupled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
