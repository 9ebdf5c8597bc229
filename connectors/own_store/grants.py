"""The SQL that a store's owner runs once: replica identity, publication, our schema with heartbeat and signals, least rights."""

from collections.abc import Mapping

from connectors.own_store.capture import CapturedTable

OURS = """
-- Ours: the heartbeat keeps the slot moving while the captured tables are idle; Debezium reads its signals in the other.
create schema if not exists enrichment;
create table if not exists enrichment.cdc_heartbeat (id integer primary key, beat_at timestamptz not null);
create table if not exists enrichment.cdc_signal (id text primary key, type text not null, data text);
"""

ROLE = """
-- Captures, and nothing else. On Amazon RDS: grant rds_replication to cx_capture instead of replication.
do $$ begin
    create role cx_capture login;
exception when duplicate_object then null;
end $$;
alter role cx_capture login replication password {password};
"""

OUR_RIGHTS = """grant usage on schema enrichment to cx_capture;
grant select, insert, update on enrichment.cdc_heartbeat to cx_capture;
grant select, insert, delete on enrichment.cdc_signal to cx_capture;
"""


def statements(tables: Mapping[str, CapturedTable], password: str) -> str:
    """One script for psql or any client. Running it again changes nothing.

    Args:
        tables: what is captured, by our names.
        password: an SQL literal, or psql's `:'cdc_password'`.
    """
    return "\n".join(
        [OURS.strip(), "", *_identities(tables), "", *_publication(tables), ROLE.format(password=password), _rights(tables)]
    )


def _identities(tables: Mapping[str, CapturedTable]) -> list[str]:
    lines = [f"alter table {quoted(table.relation)} replica identity full;" for table in tables.values()]
    return ["-- Unchanged large values and the rows of deletes arrive whole only so. It makes updates write more WAL.", *lines]


def _publication(tables: Mapping[str, CapturedTable]) -> list[str]:
    names = [*(quoted(table.relation) for table in tables.values()), "enrichment.cdc_heartbeat", "enrichment.cdc_signal"]
    return [
        "-- Before the slot, and exactly these tables.",
        "do $$ begin",
        "    create publication cx_enrichment;",
        "exception when duplicate_object then null;",
        "end $$;",
        f"alter publication cx_enrichment set table {', '.join(names)};",
    ]


def _rights(tables: Mapping[str, CapturedTable]) -> str:
    schemas = sorted({table.relation.partition(".")[0] for table in tables.values()})
    lines = [f"grant usage on schema {', '.join(map(quoted, schemas))} to cx_capture;"]
    for table in tables.values():
        columns = ", ".join(map(quoted, table.columns))
        lines.append(f"grant select ({columns}) on {quoted(table.relation)} to cx_capture;")
    return "\n".join(lines) + "\n" + OUR_RIGHTS


def quoted(name: str) -> str:
    """A relation or column as SQL writes it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
