"""What a mart's table must become to hold its candidates: create, add, relax, or a difference that people must settle."""

from dataclasses import dataclass, field

from psycopg import sql

TYPES_WITHOUT_EQUALITY = ("json", "xml", "point", "box", "polygon")


@dataclass(frozen=True)
class Column:
    """A column as the catalog describes it; `type` is format_type()'s text."""

    name: str
    type: str
    not_null: bool = False
    comment: str | None = None

    @property
    def has_equality(self) -> bool:
        return self.type not in TYPES_WITHOUT_EQUALITY


@dataclass(frozen=True)
class Shape:
    """A relation's columns and comment, and whether it has a primary key (which its copy then has too)."""

    columns: tuple[Column, ...]
    comment: str | None = None
    has_primary_key: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Mart:
    """A published table: `build.name` becomes `marts.name`.

    Attributes:
        key: columns that name one row.
        touched: relation in schema build that lists the keys (or a prefix of them) of every row that may differ;
            None compares the whole table.
    """

    name: str
    key: tuple[str, ...]
    touched: str | None = None


@dataclass(frozen=True)
class Alteration:
    """What to run before the publish (short locks), within it, and whether every row must be compared."""

    before: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    compare_whole: bool = False
    problems: tuple[str, ...] = field(default=())


def quoted(*names: str) -> str:
    """A possibly qualified SQL identifier."""
    return sql.Identifier(*names).as_string()


def alteration(mart: Mart, candidate: Shape, published: Shape | None) -> Alteration:
    """Compare the candidate's shape with the published table's (None: there is none yet)."""
    missing = [name for name in mart.key if name not in candidate.names]
    if missing or not mart.key:
        return Alteration(
            problems=(f"{mart.name}: meta.publish.key names {missing or 'no column'}, build.{mart.name} has no such",)
        )
    if published is None:
        return Alteration(within=(*creation(mart, candidate), *comments(mart, candidate, None)), compare_whole=True)
    problems = incompatibilities(mart, candidate, published)
    if problems:
        return Alteration(problems=problems)
    added = [column for column in candidate.columns if column.name not in published.names]
    before = tuple(f"alter table {quoted('marts', mart.name)} add column {quoted(column.name)} {column.type}" for column in added)
    return Alteration(
        before=(*before, *relaxations(mart, candidate, published)),
        within=comments(mart, candidate, published),
        compare_whole=bool(added),
    )


def creation(mart: Mart, candidate: Shape) -> tuple[str, ...]:
    """Statements that make the table of a new mart; nobody can see it before the commit."""
    table = quoted("marts", mart.name)
    key = f"alter table {table} add primary key ({', '.join(map(quoted, mart.key))})"
    return (
        f"create table {table} (like {quoted('build', mart.name)} including indexes)",
        *(() if candidate.has_primary_key else (key,)),
        f"grant select on {table} to bi_reader",
    )


def incompatibilities(mart: Mart, candidate: Shape, published: Shape) -> tuple[str, ...]:
    """Differences that would take something away from those who read the mart, one sentence each."""
    offered = {column.name: column for column in candidate.columns}
    gone = [
        f"{mart.name}.{column.name} is published but no longer built: bring it back, or drop the column in marts by hand"
        for column in published.columns
        if column.name not in offered
    ]
    retyped = [
        f"{mart.name}.{column.name} is {column.type} in marts and {offered[column.name].type} in build: "
        "cast it in the model, or alter the published column by hand"
        for column in published.columns
        if column.name in offered and column.type != offered[column.name].type
    ]
    return (*gone, *retyped)


def relaxations(mart: Mart, candidate: Shape, published: Shape) -> tuple[str, ...]:
    """Columns that may now be null, outside the key."""
    nullable = {column.name for column in candidate.columns if not column.not_null and column.name not in mart.key}
    return tuple(
        f"alter table {quoted('marts', mart.name)} alter column {quoted(column.name)} drop not null"
        for column in published.columns
        if column.not_null and column.name in nullable
    )


def comments(mart: Mart, candidate: Shape, published: Shape | None) -> tuple[str, ...]:
    """Statements that bring the published comments to the candidate's; readers do not wait for them."""
    table = quoted("marts", mart.name)
    known = {column.name: column.comment for column in published.columns} if published else {}
    statements = []
    if candidate.comment != (published.comment if published else None):
        statements.append(f"comment on table {table} is {literal(candidate.comment)}")
    statements += [
        f"comment on column {table}.{quoted(column.name)} is {literal(column.comment)}"
        for column in candidate.columns
        if column.comment != known.get(column.name)
    ]
    return tuple(statements)


def literal(text: str | None) -> str:
    """A SQL string literal, or null."""
    return "null" if text is None else "'" + text.replace("'", "''") + "'"
