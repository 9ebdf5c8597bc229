"""SQL for the rows behind a failed check, with ticket, field, value and evidence. No I/O.

Great Expectations keeps at most 200 of them and no evidence; the database has them all.
"""

from collections.abc import Mapping
from typing import Any

from expectations.gate.suites import Check

COLUMNS = ("source_system", "ticket_id", "field", "value", "evidence_url", "account_id")


def failing_rows_query(check: Check, batch: str) -> str:
    """A query that lists failing rows; columns it does not know are absent. Empty for a check that has no rows.

    Args:
        batch: the batch's query.
    """
    if check.type == "unexpected_rows_expectation":
        return with_batch(str(check.kwargs["unexpected_rows_query"]), batch)
    column = check.kwargs.get("column")
    if column is None:
        return ""
    value = f"batch_rows.{column}"
    return (
        "select batch_rows.source_system, batch_rows.ticket_id, batch_rows.account_id,"
        f" '{column}' as field, {value}::text as value, batch_rows.evidence_url"
        f" from ({batch}) as batch_rows where {violation(check.type, value, check.kwargs)}"
    )


def with_batch(query: str, batch: str) -> str:
    """A suite's query over its batch: `{batch}` becomes a derived table that is called batch_rows."""
    return query.replace("{batch}", f"({batch}) as batch_rows")


def violation(expectation_type: str, value: str, kwargs: Mapping[str, Any]) -> str:
    """The condition that a value breaks a column expectation; nulls break only `not_be_null`."""
    if expectation_type == "expect_column_values_to_not_be_null":
        return f"{value} is null"
    if expectation_type == "expect_column_values_to_be_in_set":
        return f"{value} not in ({', '.join(map(literal, kwargs['value_set']))})"
    if expectation_type == "expect_column_values_to_match_regex":
        return f"{value} !~ {literal(kwargs['regex'])}"
    if expectation_type == "expect_column_values_to_be_between":
        bounds = (("<", kwargs.get("min_value")), (">", kwargs.get("max_value")))
        return f"({' or '.join(f'{value} {sign} {literal(bound)}' for sign, bound in bounds if bound is not None)})"
    raise ValueError(f"no query is known for the failing rows of {expectation_type}: write it as unexpected_rows_expectation")


def literal(value: str | float) -> str:
    return str(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"
