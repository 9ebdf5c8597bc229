"""ops.dead_letter_actions and the letters' status: what was done is written in the transaction that does it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, text

from ops.dead_letters.edits import Edit

# The edits of a letter whose ticket is gone by now would bring back what was erased.
ACT = text("""
insert into ops.dead_letter_actions (dead_letter_id, action, by, why, edits, outcome, detail)
select
    dead_letter_id, :action, :by, :why,
    case when status = 'erased' then '[]' else cast(:edits as jsonb) end,
    :outcome,
    case when status = 'erased' then '' else :detail end
from landing.dead_letters
where dead_letter_id = :dead_letter_id
""")

CLOSE = text("""
update landing.dead_letters set
    status = :status, status_reason = :reason, status_at = clock_timestamp(),
    source_system = coalesce(source_system, :source_system),
    ticket_id = coalesce(ticket_id, :ticket_id),
    source_positions = coalesce(source_positions, array_remove(array[cast(:position as numeric)], null))
where dead_letter_id = :dead_letter_id and status <> 'erased'
""")

# What the stream raised per reason is over when no letter of the reason is open any more.
OVER = text("""
insert into ops.alert_outbox (fingerprint, state, severity, owner, summary, details)
select
    case
        when reason = 'conflict' then 'stream:conflict'
        when reason = 'truncate' then 'stream:truncate'
        else 'stream:rejected:' || reason
    end,
    'ok', 'warning', 'data-platform', 'No dead letter of reason ' || reason || ' is open any more', '{}'
from unnest(cast(:reasons as text[])) as reason
where not exists (select from landing.dead_letters as letter where letter.reason = reason.reason and letter.status = 'open')
""")


@dataclass(frozen=True)
class Who:
    """Who acts, and why."""

    by: str
    why: str = ""


@dataclass(frozen=True)
class Done:
    """One letter after an action. `status` is what it became, None when it stays as it was."""

    dead_letter_id: int
    reason: str
    outcome: str
    detail: str = ""
    edits: Sequence[Edit] = ()
    status: str | None = None
    ticket: tuple[str, str] | tuple[None, None] = field(default=(None, None))
    position: int | None = None


def write(connection: Connection, action: str, who: Who, done: Iterable[Done]) -> None:
    """One row per letter acted upon, the new status of each that has one, and the end of alerts whose last letter closed."""
    closed = set()
    for one in done:
        connection.execute(ACT, {
            "dead_letter_id": one.dead_letter_id, "action": action, "by": who.by, "why": who.why,
            "edits": _edits(one.edits), "outcome": one.outcome, "detail": one.detail,
        })  # fmt: skip
        if one.status:
            closed.add(one.reason)
            connection.execute(CLOSE, {
                "dead_letter_id": one.dead_letter_id, "status": one.status, "reason": who.why or one.outcome,
                "source_system": one.ticket[0], "ticket_id": one.ticket[1], "position": one.position,
            })  # fmt: skip
    if closed:
        connection.execute(OVER, {"reasons": sorted(closed)})


def _edits(edits: Iterable[Edit]) -> str:
    return msgspec.json.encode([edit._asdict() for edit in edits]).decode()
