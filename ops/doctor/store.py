"""The store: can it be captured, and is it captured as agreed? Pure functions over fetched facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ops.doctor.check import Check, bytes_in_words
from ops.reconcile.mapped import quoted
from ops.reconcile.relations import RELATIONS, Relation, is_lossless

PUBLICATION, SLOT, ROLE = "cx_enrichment", "cx_enrichment", "cx_capture"
OURS = ("enrichment.cdc_heartbeat", "enrichment.cdc_signal")  # in every store, whatever its tables are called
PUBLISHED = {*(relation.store for relation in RELATIONS.values()), *OURS}
MOST_RETAINED = 1024**3  # bytes of WAL that a slot may hold back before it is worth a look
HEARTBEAT_SECONDS = 60.0
DIFFERENCES_NAMED = {"f": "full", "d": "default", "n": "nothing", "i": "index"}


@dataclass(frozen=True)
class Slot:
    """The replication slot. `retained` is in bytes."""

    active: bool
    wal_status: str | None
    retained: int


@dataclass(frozen=True)
class StoreFacts:
    """What the store says of itself. `tables` are columns and types; a table that is not there is absent."""

    version: int  # server_version_num
    wal_level: str
    slots: tuple[int, int]  # used, most
    senders: tuple[int, int]
    slot: Slot | None
    published: frozenset[str] | None  # None: no such publication
    identities: Mapping[str, str]  # table: relreplident
    tables: Mapping[str, Mapping[str, str]]
    role_attributes: tuple[bool, bool] | None  # may log in, may replicate; None: no such role
    lacking_rights: tuple[str, ...] = ()
    heartbeat_age: float | None = None  # seconds
    revision: str | None = None
    extra_rights: tuple[str, ...] = ()
    refused_columns: Mapping[str, frozenset[str]] = field(default_factory=dict)  # what the drift policy does not let pass
    relations: Mapping[str, Relation] = field(default_factory=lambda: RELATIONS)  # what is captured, under the store's names

    @property
    def is_mapped(self) -> bool:
        return any(relation.own for relation in self.relations.values())

    @property
    def to_publish(self) -> set[str]:
        return {*(relation.store for relation in self.relations.values()), *OURS}


def checks(facts: StoreFacts, newest_revision: str) -> Iterator[Check]:
    """All checks of the store, in the order in which they would be mended."""
    yield _version(facts)
    yield _wal_level(facts)
    yield from _room(facts)
    if not facts.is_mapped:  # a store of somebody else's has their schema
        yield _revision(facts, newest_revision)
    for table, relation in facts.relations.items():
        yield _mapped_columns(relation, facts) if relation.own else _columns(table, facts)
    yield from (_replica_identity(relation.store, facts.identities.get(table)) for table, relation in facts.relations.items())
    yield _publication(facts)
    yield _role(facts)
    yield from _slot(facts)


def _version(facts: StoreFacts) -> Check:
    major = facts.version // 10000
    return Check("store: PostgreSQL version", major >= 14, str(major), "upgrade the store to PostgreSQL 14 or newer")


def _wal_level(facts: StoreFacts) -> Check:
    remedy = "alter system set wal_level = 'logical'; then restart the server"
    return Check("store: wal_level", facts.wal_level == "logical", facts.wal_level, remedy)


def _room(facts: StoreFacts) -> Iterator[Check]:
    """The connector needs one slot and one sender, and holds both once it runs."""
    needs = 0 if facts.slot else 1
    for name, (used, most), setting in (
        ("replication slots", facts.slots, "max_replication_slots"),
        ("WAL senders", facts.senders, "max_wal_senders"),
    ):
        needed = needs if name == "replication slots" else (0 if facts.slot and facts.slot.active else 1)
        remedy = f"alter system set {setting} = {most + 5}; then restart the server"
        yield Check(f"store: {name}", used + needed <= most, f"{used} of {most} used", remedy)


def _revision(facts: StoreFacts, newest: str) -> Check:
    found = facts.revision or "none"
    return Check("store: schema revision", facts.revision == newest, f"{found} of {newest}", "cx prepare")


def _columns(table: str, facts: StoreFacts) -> Check:
    """The contract against the store's actual columns."""
    name, relation, columns = f"store: columns of enrichment.{table}", RELATIONS[table], facts.tables.get(table)
    if columns is None:
        return Check(name, False, "no such table", "cx prepare")
    problems = [f"{column} is missing" for column in relation.columns if column not in columns]
    problems += [
        f"{column} is {columns[column]}, not {expected}"
        for column, expected in relation.columns.items()
        if column in columns and not is_lossless(expected, columns[column])
    ]
    unknown = sorted(set(columns) - set(relation.columns) - {"updated_at"})
    problems += [f"{column} is not in the contract" for column in unknown if column in facts.refused_columns.get(table, ())]
    tolerated = [column for column in unknown if column not in facts.refused_columns.get(table, ())]
    good = f"{len(columns)}, all that the contract needs" + (f"; beyond it {', '.join(tolerated)}" if tolerated else "")
    remedy = "undo the change of the store's table, or say in stream/drift_policy.yml what is to happen with it"
    return Check(name, not problems, "; ".join(problems) or good, remedy)


def _mapped_columns(relation: Relation, facts: StoreFacts) -> Check:
    """The mapping against the store's actual columns."""
    assert relation.own  # noqa: S101
    name, columns = f"store: mapped columns of {relation.store}", facts.tables.get(relation.table)
    remedy = "correct the file that CX_STORE_MAPPING names, or bring the column back; then `cx prepare`"
    if columns is None:
        return Check(name, False, "no such table", remedy)
    missing = [column for column in relation.own.columns if column not in columns]
    return Check(name, not missing, f"{', '.join(missing)} missing" if missing else f"all {len(relation.own.columns)}", remedy)


def _replica_identity(relation: str, identity: str | None) -> Check:
    found = DIFFERENCES_NAMED.get(identity or "", "no such table")
    remedy = f"alter table {relation} replica identity full"
    return Check(f"store: replica identity of {relation}", identity == "f", found, remedy)


def _publication(facts: StoreFacts) -> Check:
    name = f"store: publication {PUBLICATION}"
    if facts.published is None:
        tables = ", ".join(sorted(facts.to_publish))
        return Check(name, False, "not there", f"create publication {PUBLICATION} for table {tables}")
    missing, foreign = sorted(facts.to_publish - facts.published), sorted(facts.published - facts.to_publish)
    if missing:
        return Check(
            name, False, f"lacks {', '.join(missing)}", f"alter publication {PUBLICATION} add table {', '.join(missing)}"
        )
    if foreign:
        remedy = f"alter publication {PUBLICATION} drop table {', '.join(foreign)}"
        return Check(name, False, f"also holds {', '.join(foreign)}", remedy)
    return Check(name, True, f"{len(facts.published)} tables")


def _role(facts: StoreFacts) -> Check:
    name = f"store: role {ROLE}"
    if facts.role_attributes is None:
        return Check(name, False, "not there", "cx prepare")
    may_log_in, may_replicate = facts.role_attributes
    lacking = [] if may_log_in else ["log in"]
    lacking += [] if may_replicate else ["replicate"]
    lacking += facts.lacking_rights
    if lacking:
        return Check(name, False, f"may not {', '.join(lacking)}", "cx prepare")
    if facts.extra_rights:
        mend = "; ".join(_least_rights(relation) for relation in facts.relations.values())
        return Check(name, False, f"may also {', '.join(facts.extra_rights)}", mend)
    return Check(name, True, "may capture, and no more")


def _least_rights(relation: Relation) -> str:
    if relation.own is None:
        return f"revoke insert, update, delete, truncate on {relation.store} from {ROLE}"
    columns = ", ".join(map(quoted, relation.own.columns))
    return f"revoke all on {relation.store_sql} from {ROLE}; grant select ({columns}) on {relation.store_sql} to {ROLE}"


def _slot(facts: StoreFacts) -> Iterator[Check]:
    name = f"store: slot {SLOT}"
    if facts.slot is None:
        yield Check(
            name,
            False,
            "not there",
            "`cx up` or `cx prepare` registers the connector, which makes it; if it was lost: README, Backfill",
        )
        return
    yield Check(name, facts.slot.active, "read by the connector" if facts.slot.active else "nobody reads it", "cx up")
    status = facts.slot.wal_status or "unknown"
    lost = "the WAL the connector needs is gone: register a new slot, then `cx backfill --all` and `cx reconcile`"
    yield Check(f"{name}, wal_status", status in {"reserved", "extended"}, status, lost)
    yield Check(
        f"{name}, retained WAL", facts.slot.retained <= MOST_RETAINED, bytes_in_words(facts.slot.retained),
        "see why the connector is behind: `cx status`, logs/connect.log",
    )  # fmt: skip
    age = facts.heartbeat_age
    is_fresh = age is not None and age <= HEARTBEAT_SECONDS
    found = "never" if age is None else f"{age:.0f} s ago"
    yield Check("store: heartbeat", is_fresh, found, "the connector writes it every 10 s: `cx status`, logs/connect.log")
