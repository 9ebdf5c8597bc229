"""What the warehouse knows of some tickets besides their latest version: history and dead letters."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import psycopg

from ops.reconcile.letters import Letter
from ops.reconcile.queries import row_hash
from ops.reconcile.relations import Expressions, Relation, history
from ops.reconcile.side import Identity, columns_of, decoded
from ops.reconcile.verdicts import Version
from stream.core.changes import UNREADABLE, metrics_of
from stream.core.content import row_hash as contract_row_hash
from stream.core.content import signal_hash
from stream.core.contract.rows import ROW_TYPES, TicketSignal
from stream.core.diagnose import key_identity
from stream.core.letters import SIGNALS_TABLE

CONTENT = "(to_jsonb(row) || jsonb_build_object('custom_metrics', row.custom_metrics::text))::text"  # of a relation `row`
ASKED = "(source_system, ticket_id) in (select * from unnest(%s::text[], %s::text[]))"
LETTER = """
dead_letter_id, reason, case status when 'replayed' then 'edited' else status end, version, content_hash,
    coalesce((select max(position) from unnest(source_positions) as position), -1), payload
from landing.dead_letters
where table_name = %s and (
    status in ('open', 'discarded')
    or status = 'replayed' and exists (
        select from ops.dead_letter_actions as action
        where action.dead_letter_id = dead_letters.dead_letter_id and action.edits <> '[]'
    )
)
"""
TICKET_LETTERS = f"select array[source_system, ticket_id], {LETTER} and {ASKED} order by dead_letter_id desc"
SMALL_LETTERS = f"select record_key, {LETTER} order by dead_letter_id desc limit 10000"


def versions_of(
    connection: psycopg.Connection[Any], latest: Expressions, identities: Sequence[Identity]
) -> dict[Identity, tuple[Version, ...]]:
    """The landing history of these tickets."""
    versions = history(latest)
    text = f"""
        select array[source_system, ticket_id], version, {row_hash(versions)}, content_hash, {CONTENT}
        from {versions.relation} as row
        where {ASKED}
    """
    found: defaultdict[Identity, list[Version]] = defaultdict(list)
    for identity, version, hashed, landed_as, content in connection.execute(text.encode(), columns_of(identities)):
        found[tuple(identity)].append(Version(version, hashed, landed_as != content_hash(SIGNALS_TABLE, decoded(content))))
    return {identity: tuple(versions) for identity, versions in found.items()}


def letters_of(
    connection: psycopg.Connection[Any], relation: Relation, identities: Sequence[Identity]
) -> dict[Identity, tuple[Letter, ...]]:
    """The dead letters of these rows that nobody resolved, or that were replayed with an edit, newest first."""
    found: defaultdict[Identity, list[Letter]] = defaultdict(list)
    if relation.table == SIGNALS_TABLE:
        for identity, *fields in connection.execute(TICKET_LETTERS, [relation.table, *columns_of(identities)]):
            found[tuple(identity)].append(Letter(*fields))
    else:
        for key, *fields in connection.execute(SMALL_LETTERS, [relation.table]):
            found[key_identity(key, relation.table) or ()].append(Letter(*fields))
    return {identity: tuple(letters) for identity, letters in found.items()}


def content_hash(table: str, values: Mapping[str, Any]) -> bytes | None:
    """The hash that the stream gives this content; None when the content breaks the contract."""
    row_type = ROW_TYPES[table]
    fields = {name: values.get(name) for name in row_type.__struct_fields__ if name != "updated_at"} | {"updated_at": None}
    if fields.get("sentiment_score") is not None:
        fields["sentiment_score"] = str(fields["sentiment_score"])
    try:
        row = msgspec.convert(fields, row_type, strict=False)
        if not isinstance(row, TicketSignal):
            return contract_row_hash(row)
        metrics = metrics_of(row.custom_metrics)
        return None if metrics is None else signal_hash(row, metrics)
    except UNREADABLE:
        return None
