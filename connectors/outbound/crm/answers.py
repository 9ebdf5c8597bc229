"""What a CRM's answer means for each record of a request. Pure.

Sources: Salesforce REST API Developer Guide, "Status Codes and Error Responses", "Upsert Records Using sObject Collections".
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

LOCKED_CODE, LIMIT_CODE = "UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED"
PASSING_CODES = frozenset(
    {LIMIT_CODE, "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG", "TXN_SECURITY_METERING_ERROR"}
)
LONGEST_ERROR = 300  # characters kept


class Kind(StrEnum):
    """What becomes of a record."""

    APPLIED = "applied"
    ALONE = "alone"  # sent again by itself: a neighbour of its batch was in the way
    LATER = "later"  # the CRM did not look at it
    IN_DOUBT = "in_doubt"  # it may have been applied, now or a little later
    REFUSED = "refused"  # it will be refused again as long as it says the same
    RENEW = "renew"  # the token is over


class Answer(NamedTuple):
    """The verdict on one record, and the CRM's own words."""

    kind: Kind
    error: str = ""


class Pause(NamedTuple):
    """How long nothing should be sent, in seconds, and why; zero: go on."""

    seconds: float = 0.0
    why: str = ""


def judge(status: int, body: Any, records: int) -> list[Answer]:
    """One answer per record, in their order."""
    if status == 200 and isinstance(body, list) and len(body) == records and records and "success" in _first(body):
        return [_record(one) for one in body]
    if status in (200, 201, 204):
        # One record has no list; a batch without one is an answer nobody can read.
        return [Answer(Kind.APPLIED)] if records == 1 else [Answer(Kind.IN_DOUBT, f"{status} without results")] * records
    error = f"{status} {_words(body)}".strip()
    return [Answer(_kind(status, _code(body), records), error)] * records


def pause(status: int, body: Any, retry_after: str | None, failures: int) -> Pause:
    """How long the CRM wants no requests. `failures`: requests in a row that it did not take, this one included."""
    said = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
    if status == 403 and _code(body) == LIMIT_CODE:
        return Pause(max(said, min(3600.0, 60.0 * 2 ** (failures - 1))), "the CRM's limit of requests is reached")
    if status in (401, 403, 404):
        return Pause(
            min(900.0, 30.0 * 2 ** (failures - 1)), f"the CRM refuses the log-in, the object or the field: {_words(body)}"
        )
    if status == 429 or status >= 500:
        return Pause(max(said, min(300.0, float(2 ** (failures - 1)))), f"the CRM answers {status}")
    return Pause()


def unanswered(failures: int) -> Pause:
    """After a request without an answer."""
    return Pause(min(300.0, float(2 ** (failures - 1))), "the CRM does not answer")


def retry_seconds(attempts: int) -> float:
    """How long a record waits after so many attempts that its neighbours or a passing error spoiled."""
    return float(min(300, 2 ** min(attempts, 9) // 2))


def _record(result: Any) -> Answer:
    if isinstance(result, dict) and result.get("success") is True:
        return Answer(Kind.APPLIED)
    errors: Sequence[Any] = result.get("errors") or [] if isinstance(result, dict) else []
    code = str(errors[0].get("statusCode", "")) if errors else ""
    return Answer(_record_kind(code), _words([{"errorCode": code, **one} for one in errors]))


def _record_kind(code: str) -> Kind:
    if code == LOCKED_CODE:
        return Kind.ALONE
    return Kind.LATER if code in PASSING_CODES else Kind.REFUSED


def _kind(status: int, code: str, records: int) -> Kind:
    if status == 401:
        return Kind.RENEW
    if status >= 500:
        return Kind.IN_DOUBT
    if status in (403, 404, 429):
        return Kind.LATER  # the whole set-up, or the whole CRM: no record's own fault
    if records > 1:
        return Kind.ALONE
    return _record_kind(code)


def _first(body: list[Any]) -> Any:
    return body[0] if body else {}


def _code(body: Any) -> str:
    first = _first(body) if isinstance(body, list) else body
    return str(first.get("errorCode", "")) if isinstance(first, dict) else ""


def _words(body: Any) -> str:
    """The CRM's code and message, without the record: bodies may repeat values."""
    first = _first(body) if isinstance(body, list) else body
    if not isinstance(first, dict):
        return ""
    return f"{first.get('errorCode', '')} {first.get('message', '')}".strip()[:LONGEST_ERROR]
