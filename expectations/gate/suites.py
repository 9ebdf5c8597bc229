"""Suite files as values. A suite is plain JSON; `[[name]]` in its SQL stands for a threshold of the policy or for the window.

A long query may be a list of lines. Placeholders take numbers and texts of our own, never a value from a row.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from expectations.policy import PolicyError

Severity = Literal["critical", "warning", "info"]
PLACEHOLDER = re.compile(r"\[\[([\w.]+)\]\]")
REQUIRED_META = ("name", "owner", "meaning", "remedy", "runbook", "empty")
SUITES = Path(__file__).parent.parent / "suites"


@dataclass(frozen=True)
class Check:
    """One expectation, ready to run.

    Attributes:
        type, kwargs: as Great Expectations names them.
        empty: whether an empty batch is `fine` or `fails` the check.
        applies: SQL that answers one boolean; false passes the check with the reason `otherwise`. Empty: always.
    """

    suite: str
    name: str
    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    owner: str
    meaning: str
    remedy: str
    runbook: str
    empty: Literal["fine", "fails"] = "fine"
    applies: str = ""
    otherwise: str = ""

    @property
    def id(self) -> str:
        """`suite:name`, as the policy, the alerts and the publications call it."""
        return f"{self.suite}:{self.name}"


@dataclass(frozen=True)
class Suite:
    """A named list of checks over one batch, which is a query."""

    name: str
    batch: str
    checks: tuple[Check, ...]


def load(path: Path, values: Mapping[str, float | str]) -> Suite:
    """Read a suite file and put the values in place of its placeholders.

    Raises:
        PolicyError: the file cannot be read, a check lacks a part of its meta, or a placeholder has no value.
    """
    try:
        return parse(json.loads(path.read_text()), values)
    except (OSError, json.JSONDecodeError) as error:
        raise PolicyError(f"{path}: {error}") from error
    except KeyError as error:
        raise PolicyError(f"{path}: {error.args[0]}") from error


def parse(document: Mapping[str, Any], values: Mapping[str, float | str]) -> Suite:
    """Build a suite; KeyError says what is missing."""
    rendered = render(document, values)
    name = str(rendered["name"])
    return Suite(name, str(rendered["batch"]), tuple(check(name, item) for item in rendered["expectations"]))


def check(suite: str, item: Mapping[str, Any]) -> Check:
    """Build one check of a rendered suite."""
    meta = item.get("meta", {})
    missing = [key for key in REQUIRED_META if not meta.get(key)]
    if missing or item.get("severity") not in ("critical", "warning", "info"):
        raise KeyError(f"check {meta.get('name', item.get('type'))!r} lacks {', '.join(missing) or 'a severity'}")
    described = {key: meta[key] for key in (*REQUIRED_META, "applies", "otherwise") if key in meta}
    return Check(suite=suite, type=item["type"], kwargs=item["kwargs"], severity=item["severity"], **described)


def render(part: Any, values: Mapping[str, float | str]) -> Any:
    """Join lists of lines under query keys and fill placeholders, at any depth."""
    if isinstance(part, str):
        return PLACEHOLDER.sub(lambda match: number_or_text(values, match[1]), part)
    if isinstance(part, list):
        return [render(item, values) for item in part]
    if isinstance(part, dict):
        return {key: render("\n".join(item) if is_lines(key, item) else item, values) for key, item in part.items()}
    return part


def is_lines(key: str, item: Any) -> bool:
    return key in ("batch", "unexpected_rows_query", "applies") and isinstance(item, list)


def number_or_text(values: Mapping[str, float | str], name: str) -> str:
    if name not in values:
        raise KeyError(f"nothing is known under [[{name}]]: add it to the policy's thresholds, or correct the suite")
    value = values[name]
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
