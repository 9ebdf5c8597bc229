"""Which failing tickets are held while the rest is published, and which held ones return. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from expectations.gate.verdict import CheckResult, FailingRow
from expectations.policy import Quarantine

Ticket = tuple[str, str]  # (source_system, ticket_id)


@dataclass(frozen=True)
class BatchTicket:
    """A ticket of the batch, the groups it belongs to, and the scope of its standing hold (None: it is new)."""

    source_system: str
    ticket_id: str
    account_id: str | None = None
    held_scope: str | None = None

    @property
    def ticket(self) -> Ticket:
        return self.source_system, self.ticket_id


@dataclass(frozen=True)
class Hold:
    """A ticket to be kept out of the marts, and why. `scope` is ticket, source_system or account_id."""

    source_system: str
    ticket_id: str
    check_name: str
    suite: str
    reason: str
    scope: str = "ticket"
    field: str | None = None
    value: str | None = None
    evidence_url: str | None = None

    @property
    def ticket(self) -> Ticket:
        return self.source_system, self.ticket_id


@dataclass(frozen=True)
class Held:
    """A row of ops.held_tickets that is not released, with what landing says of the ticket since."""

    source_system: str
    ticket_id: str
    suite: str
    tried_at: datetime
    changed_at: datetime | None  # when its landing row last landed; None: the ticket is gone


@dataclass(frozen=True)
class Holding:
    """What to hold, and the results as they count for the verdict once that is held."""

    holds: tuple[Hold, ...]
    results: tuple[CheckResult, ...]


def hold(results: Sequence[CheckResult], batch: Sequence[BatchTicket], policy: Quarantine) -> Holding:
    """Hold the failing tickets of the checks that the policy lists, whole groups when most of a group fails.

    Too large a part of the batch is not held: then the results stay critical, and the publish is held instead.
    """
    holdable = [result for result in results if may_hold(result, policy)]
    single = {hold.ticket: hold for result in reversed(holdable) for hold in holds_of(result)}
    holds = {**single, **group_holds(single, batch, policy)}
    too_many = len(batch) >= policy.most_held_min_tickets and len(holds) > policy.most_held_share * len(batch)
    if not holds or too_many:
        return Holding((), tuple(results))
    return Holding(tuple(holds.values()), tuple(mitigated(result) if result in holdable else result for result in results))


def may_hold(result: CheckResult, policy: Quarantine) -> bool:
    """Whether all rows behind a failed critical check are known by ticket and the policy allows holding them."""
    known = bool(result.rows) and all(row.source_system and row.ticket_id for row in result.rows)
    complete = len(result.rows) >= result.affected
    return (
        result.outcome == "failed"
        and result.check.severity == "critical"
        and result.check.id in policy.checks
        and known
        and complete
    )


def holds_of(result: CheckResult) -> list[Hold]:
    """One hold per failing row."""
    return [hold_of(result, row) for row in result.rows]


def hold_of(result: CheckResult, row: FailingRow) -> Hold:
    return Hold(
        source_system=str(row.source_system),
        ticket_id=str(row.ticket_id),
        check_name=result.check.name,
        suite=result.check.suite,
        reason=result.check.meaning,
        field=row.field,
        value=row.value,
        evidence_url=row.evidence_url,
    )


def group_holds(single: Mapping[Ticket, Hold], batch: Sequence[BatchTicket], policy: Quarantine) -> dict[Ticket, Hold]:
    """Holds for every ticket of a group (source system, account) of which too large a share fails.

    Tickets held with their source system say nothing about their accounts any more: one fault, one kind of group.
    """
    found: dict[Ticket, Hold] = {}
    for field in policy.group_by:
        rest = [row for row in batch if row.ticket not in found]
        for group, rows in grouped(rest, field).items():
            failing, counted = shares(rows, field, single)
            if len(counted) >= policy.group_min_tickets and len(failing) >= policy.group_share * len(counted):
                first = single[failing[0].ticket]
                reason = f"{len(failing)} of {len(counted)} tickets of {field} {group} fail: {first.reason}"
                whole = replace(first, reason=reason, scope=field, field=None, value=None, evidence_url=None)
                found |= {row.ticket: in_group(row, single.get(row.ticket), whole) for row in rows}
    return found


def shares(rows: Sequence[BatchTicket], field: str, single: Mapping[Ticket, Hold]) -> tuple[list[BatchTicket], list[BatchTicket]]:
    """The failing tickets of a group, and those that they are a share of.

    Published tickets leave the batch, held ones stay and would soon outweigh what is new: they count only while all are held.
    """
    is_held = any(row.held_scope == field for row in rows)
    counted = [row for row in rows if is_held or row.held_scope is None]
    return [row for row in counted if row.ticket in single], counted


def in_group(row: BatchTicket, own: Hold | None, whole: Hold) -> Hold:
    """A ticket's hold with its group: a failing one still shows its own value and evidence."""
    return replace(own, scope=whole.scope) if own else replace(whole, source_system=row.source_system, ticket_id=row.ticket_id)


def grouped(batch: Iterable[BatchTicket], field: str) -> dict[str, list[BatchTicket]]:
    """The batch's tickets by source system or account; those without are in no group."""
    groups: dict[str, list[BatchTicket]] = {}
    for row in batch:
        value = getattr(row, field)
        if value is not None:
            groups.setdefault(value, []).append(row)
    return groups


def mitigated(result: CheckResult) -> CheckResult:
    """A critical failure whose tickets are held: publishing is safe, people are told."""
    note = f"{len({(row.source_system, row.ticket_id) for row in result.rows})} tickets held, the rest is published"
    return replace(result, check=replace(result.check, severity="warning"), note=note)


def with_standing(results: Sequence[CheckResult], standing: Mapping[str, Sequence[FailingRow]]) -> tuple[CheckResult, ...]:
    """Results of a suite that no longer sees its held tickets: a check with tickets still held has not passed.

    Args:
        standing: rows held and not released, by check name.
    """
    return tuple(
        still_held(result, standing[result.check.name])
        if result.outcome == "passed" and result.check.name in standing
        else result
        for result in results
    )


def still_held(result: CheckResult, rows: Sequence[FailingRow]) -> CheckResult:
    return mitigated(replace(result, outcome="failed", affected=len(rows), rows=tuple(rows)))


def released_from_landing(held: Iterable[Held], holds: Iterable[Hold]) -> list[Ticket]:
    """Tickets held by the landing suite that pass it now, or are gone: every cycle checks them again."""
    still = {hold.ticket for hold in holds}
    return [ticket_of(row) for row in held if row.suite == "landing" and ticket_of(row) not in still]


def due_for_retry(held: Iterable[Held], now: datetime, policy: Quarantine) -> list[Ticket]:
    """Tickets held by the candidates suite that are to be built again: changed since, gone, or tried long ago."""
    wait = timedelta(seconds=policy.retry_seconds)
    return [
        ticket_of(row)
        for row in held
        if row.suite == "candidates" and (row.changed_at is None or row.changed_at > row.tried_at or now - row.tried_at >= wait)
    ]


def ticket_of(row: Held) -> Ticket:
    return row.source_system, row.ticket_id
