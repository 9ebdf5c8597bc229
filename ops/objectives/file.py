"""Reading an objectives file: every mistake is named with the file, the objective and the key."""

import re
from collections.abc import Set
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from ops.objectives.rules import SEVERITIES, BurnAlert, Objective, Promises
from ops.settings import SettingsError

DEFAULT_FILE = Path(__file__).parent / "objectives.yml"
SOURCES = ("warehouse", "store", "kafka")
KAFKA_MEASURES = ("lag_records", "lag_seconds")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LENGTHS = {
    "sample_every": "every", "slice": "slice", "samples_kept": "samples_kept", "slices_kept": "slices_kept", "repeat": "repeat",
}  # fmt: skip
TEXTS = ("name", "title", "unit", "source", "query", "owner", "remedy")


class ObjectivesError(SettingsError):
    """The objectives file cannot be used; the message names the file and the key."""


def read(path: str = "") -> Promises:
    """Read the file at `path`, or the one that comes with the project.

    Raises:
        ObjectivesError: no such file, not YAML, a key that is missing or unknown, or a value that does not fit.
    """
    file = Path(path) if path else DEFAULT_FILE
    try:
        return parse(yaml.safe_load(file.read_text()))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ObjectivesError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    except ObjectivesError as error:
        raise ObjectivesError(f"{file}: {error}") from error


def parse(document: Any) -> Promises:
    """Build Promises from the parsed YAML."""
    top = _mapping(document, "the file", {*LENGTHS, "burn_alerts", "objectives"})
    lengths = {field: _length(top[key], key) for key, field in LENGTHS.items()}
    alerts = tuple(_burn_alert(item, f"burn_alerts[{place}]") for place, item in enumerate(_list(top, "burn_alerts")))
    objectives = tuple(_objective(item, f"objectives[{place}]") for place, item in enumerate(_list(top, "objectives")))
    names = [objective.name for objective in objectives]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ObjectivesError(f"objectives: {', '.join(sorted(doubled))} is there twice")
    promises = Promises(**lengths, burn_alerts=alerts, objectives=objectives)
    _check_lengths(promises)
    return promises


def _check_lengths(promises: Promises) -> None:
    """Windows must be covered by what is kept, and slices made of whole samples."""
    if promises.slice % promises.every:
        raise ObjectivesError("slice: must be a multiple of sample_every")
    if promises.windows and promises.windows[-1] > promises.samples_kept:
        raise ObjectivesError("samples_kept: must cover the longest window of burn_alerts")
    for objective in promises.objectives:
        if objective.window > promises.slices_kept:
            raise ObjectivesError(f"{objective.name}.window: is longer than slices_kept")


def _burn_alert(value: Any, key: str) -> BurnAlert:
    item = _mapping(value, key, {field.name for field in fields(BurnAlert)})
    if item["severity"] not in SEVERITIES:
        raise ObjectivesError(f"{key}.severity: {item['severity']!r} is not one of {', '.join(SEVERITIES)}")
    long, short = (_length(item[name], f"{key}.{name}") for name in ("long", "short"))
    return BurnAlert(item["severity"], long, short, _number(item["rate"], f"{key}.rate"))


def _objective(value: Any, key: str) -> Objective:
    item = _mapping(value, key, {field.name for field in fields(Objective)}, {"parameters"})
    key = f"objectives.{item['name']}"
    texts = {name: _text(item[name], f"{key}.{name}") for name in TEXTS}
    if not re.fullmatch(r"[a-z][a-z0-9_]*", texts["name"]):
        raise ObjectivesError(f"{key}: a name is made of small letters, digits and underscores")
    if texts["source"] not in SOURCES:
        raise ObjectivesError(f"{key}.source: {texts['source']!r} is not one of {', '.join(SOURCES)}")
    if texts["source"] == "kafka" and texts["query"] not in KAFKA_MEASURES:
        raise ObjectivesError(f"{key}.query: for kafka it is one of {', '.join(KAFKA_MEASURES)}")
    for name, number in item.get("parameters", {}).items():
        texts["query"] = texts["query"].replace(f"{{{name}}}", str(_number(number, f"{key}.parameters.{name}")))
    goal = _number(item["goal"], f"{key}.goal")
    if not 0 < goal < 1:
        raise ObjectivesError(f"{key}.goal: must lie between 0 and 1: a goal of 1 leaves no error budget")
    return Objective(
        **texts, target=_number(item["target"], f"{key}.target"), goal=goal, window=_length(item["window"], f"{key}.window")
    )


def _mapping(value: Any, key: str, needed: set[str], optional: Set[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ObjectivesError(f"{key}: must be a mapping of names to values")
    for name in sorted(needed - set(value)):
        raise ObjectivesError(f"{key}: {name} is missing")
    for name in sorted(set(map(str, value)) - needed - optional):
        raise ObjectivesError(f"{key}: {name!r} is not known")
    return value


def _list(top: dict[str, Any], key: str) -> list[Any]:
    if not isinstance(top[key], list):
        raise ObjectivesError(f"{key}: must be a list")
    return list(top[key])


def _length(value: Any, key: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", str(value))
    if not found:
        raise ObjectivesError(f"{key}: {value!r} is not a length of time like 15s, 5m, 6h or 28d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _number(value: Any, key: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ObjectivesError(f"{key}: {value!r} is not a number")


def _text(value: Any, key: str) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ObjectivesError(f"{key}: must be a text")
