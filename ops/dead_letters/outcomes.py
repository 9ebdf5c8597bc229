"""What came of a command, in numbers. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ops.dead_letters.audit import Done


def is_good(done: Sequence[Done]) -> bool:
    """Whether every letter is closed now."""
    return all(one.status for one in done)


def counted(done: Sequence[Done]) -> str:
    """`3 letters: 2 applied, 1 rejected`."""
    if not done:
        return "no such letters"
    outcomes = ", ".join(f"{number:,} {outcome}" for outcome, number in Counter(one.outcome for one in done).most_common())
    return f"{len(done):,} {'letter' if len(done) == 1 else 'letters'}: {outcomes}"


def document(done: Sequence[Done]) -> dict[str, Any]:
    """The same for programs, letter by letter."""
    letters = [
        {
            "dead_letter_id": one.dead_letter_id,
            "outcome": one.outcome,
            "detail": one.detail,
            "closed": one.status is not None,
            "edits": [edit._asdict() for edit in one.edits],
        }
        for one in done
    ]
    return {"total": len(done), "outcomes": dict(Counter(one.outcome for one in done)), "letters": letters}
