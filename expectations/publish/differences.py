"""The text of the one statement that makes a mart equal to its candidates, row by row. No I/O.

Plain delete, update and insert: readers of the mart neither wait for it nor see half of it (measured; swaps do both).
"""

from expectations.publish.shape import Column, Mart, quoted


def change_statement(mart: Mart, columns: tuple[Column, ...], touched_columns: tuple[str, ...] = ()) -> str:
    """Build the statement; it answers one row (inserted, updated, deleted).

    Args:
        columns: the candidate's columns, key included.
        touched_columns: the key columns that `build.<mart.touched>` lists; empty compares the whole table.
    """
    ctes = [
        *touched_cte(mart, touched_columns),
        f"deleted as (\n{delete(mart, touched_columns)}\n    returning 1\n)",
        *update_cte(mart, columns, touched_columns),
        f"inserted as (\n{insert(mart, columns, touched_columns)}\n    returning 1\n)",
    ]
    has_update = any(cte.startswith("updated") for cte in ctes)
    counts = [
        "(select count(*) from inserted)",
        "(select count(*) from updated)" if has_update else "0",
        "(select count(*) from deleted)",
    ]
    return "with\n" + ",\n".join(ctes) + "\nselect\n    " + ",\n    ".join(counts)


def touched_cte(mart: Mart, touched_columns: tuple[str, ...]) -> list[str]:
    """The keys that may differ, read once."""
    if not touched_columns:
        return []
    names = ", ".join(map(quoted, touched_columns))
    return [f"touched as materialized (\n    select distinct {names}\n    from {quoted('build', str(mart.touched))}\n)"]


def delete(mart: Mart, touched_columns: tuple[str, ...]) -> str:
    """Rows that have no candidate any more."""
    using = "\n    using touched" if touched_columns else ""
    touched = f"{same('published', 'touched', touched_columns)}\n        and " if touched_columns else ""
    return (
        f"    delete from {quoted('marts', mart.name)} as published{using}\n"
        f"    where {touched}not exists (\n"
        f"        select from {quoted('build', mart.name)} as candidate\n"
        f"        where {same('candidate', 'published', mart.key)}\n"
        "    )"
    )


def update_cte(mart: Mart, columns: tuple[Column, ...], touched_columns: tuple[str, ...]) -> list[str]:
    """Rows whose candidate has other values; none when every column belongs to the key."""
    values = [column for column in columns if column.name not in mart.key]
    if not values:
        return []
    assignments = ",\n        ".join(f"{quoted(column.name)} = candidate.{quoted(column.name)}" for column in values)
    published, candidate = (", ".join(comparable(alias, column) for column in values) for alias in ("published", "candidate"))
    return [
        "updated as (\n"
        f"    update {quoted('marts', mart.name)} as published\n"
        f"    set {assignments}\n"
        f"    from {candidates(mart, touched_columns)}\n"
        f"    where {same('published', 'candidate', mart.key)}\n"
        f"        and row({published})\n"
        f"            is distinct from row({candidate})\n"
        "    returning 1\n)"
    ]


def insert(mart: Mart, columns: tuple[Column, ...], touched_columns: tuple[str, ...]) -> str:
    """Candidates whose key is not published."""
    names = ", ".join(quoted(column.name) for column in columns)
    selected = ", ".join(f"candidate.{quoted(column.name)}" for column in columns)
    return (
        f"    insert into {quoted('marts', mart.name)} ({names})\n"
        f"    select {selected}\n"
        f"    from {candidates(mart, touched_columns)}\n"
        "    where not exists (\n"
        f"        select from {quoted('marts', mart.name)} as published\n"
        f"        where {same('published', 'candidate', mart.key)}\n"
        "    )"
    )


def candidates(mart: Mart, touched_columns: tuple[str, ...]) -> str:
    """The candidates to look at."""
    relation = f"{quoted('build', mart.name)} as candidate"
    if not touched_columns:
        return relation
    return f"{relation}\n    inner join touched on {same('candidate', 'touched', touched_columns)}"


def same(left: str, right: str, names: tuple[str, ...]) -> str:
    """Equality of the named columns of two aliases."""
    return " and ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in names)


def comparable(alias: str, column: Column) -> str:
    """A value that `is distinct from` accepts."""
    return f"{alias}.{quoted(column.name)}" + ("" if column.has_equality else "::text")
