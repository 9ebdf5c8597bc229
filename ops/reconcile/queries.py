"""The SQL of the comparison, the same text for both servers. Pure: text is built here and run elsewhere.

Values are hashed by their types, not by their spelling: 0.50 is 0.5, an instant is the same in every zone, the keys of
jsonb have no order.
"""

from ops.reconcile.relations import Expressions

PROBE = """
select hash_record_extended(
    row('a'::text collate "C", 1.50::numeric, '{"b": [1, 2.0]}'::jsonb, '2026-01-02 03:04:05+06'::timestamptz,
        array['c', null], 7::bigint, '00000000-0000-4000-8000-000000000001'::uuid, null::text), 0)
"""

COLUMN_TYPES = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""


def identity_text(side: Expressions) -> str:
    """One text per identity; chr(31) separates."""
    return " || chr(31) || ".join(f'{column}::text collate "C"' for column in side.identity)


def bucket(side: Expressions, buckets: int) -> str:
    """The bucket of a row, 0 to buckets - 1; `buckets` is a power of two."""
    return f"(hashtextextended({identity_text(side)}, 0) & {buckets - 1})"


def row_hash(side: Expressions) -> str:
    """One bigint over all content columns."""
    return f"hash_record_extended(row({', '.join(side.columns.values())}), 0)"


def bucket_hashes(side: Expressions, buckets: int) -> str:
    """Grain: one row per bucket: bucket, rows, hash over the set of rows."""
    return f"""
with hashed as (
    select {bucket(side, buckets)} as bucket, {row_hash(side)} as row_hash
    from {side.relation}
    where {side.alive}
)
select bucket, count(*), bit_xor(row_hash)
from hashed
group by bucket
"""


def bucket_rows(side: Expressions, buckets: int) -> str:
    """Grain: one row per row of the buckets in the parameter: identity, hash."""
    return f"""
select {_identity(side)}, {row_hash(side)}
from {side.relation}
where {side.alive} and {bucket(side, buckets)} = any(%s::bigint[])
"""


def tokens(side: Expressions) -> str:
    """Grain: one row per identity asked for that exists: identity, row hash, the transaction that wrote the row version."""
    return f"""
select {_identity(side)}, {row_hash(side)}, {side.transaction}
from {side.relation}
where {side.alive} and {_asked(side)}
"""


def rows(side: Expressions) -> str:
    """Grain: as `tokens`, with the hash of each column and all values as a JSON object."""
    hashes = ", ".join(f"hash_record_extended(row({expression}), 0)" for expression in side.columns.values())
    values = ", ".join(f"'{column}', {_json_value(column, expression)}" for column, expression in side.columns.items())
    return f"""
select {_identity(side)}, {row_hash(side)}, {side.transaction}, array[{hashes}], jsonb_build_object({values})::text
from {side.relation}
where {side.alive} and {_asked(side)}
"""


def landed_rows(side: Expressions, positions: str) -> str:
    """As `rows`, with the newest source position; `positions` is the column or expression that holds it."""
    return rows(side).replace("::text\nfrom", f"::text, {positions}\nfrom", 1)


def _json_value(column: str, expression: str) -> str:
    """custom_metrics stay text, so that no number in them is read and written again."""
    return f"({expression})::text" if column == "custom_metrics" else expression


def _identity(side: Expressions) -> str:
    return f"array[{', '.join(f'{column}::text' for column in side.identity)}]"


def _asked(side: Expressions) -> str:
    """Condition on the identity; one text[] parameter per identity column, all of one length."""
    columns = ", ".join(side.identity)
    arrays = ", ".join(["%s::text[]"] * len(side.identity))
    return f"({columns}) in (select * from unnest({arrays}))"
