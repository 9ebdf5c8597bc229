"""Runs a suite with Great Expectations. The only importer of it: one context per process, made at the first use."""

import contextlib
import io
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from expectations.gate.failing_rows import with_batch
from expectations.gate.suites import Check, Suite
from expectations.publish.lock import SESSION_OPTIONS

RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}  # rows come from SQL, see failing_rows


@dataclass(frozen=True)
class Raw:
    """A check's result as Great Expectations gives it: `error` is the exception's text, or empty."""

    success: bool
    error: str
    affected: int


class Validator:
    """A context with one data source: the warehouse."""

    def __init__(self, warehouse_url: str) -> None:
        self._warehouse_url = warehouse_url
        self._context: Any = None
        self._source: Any = None
        self.results: dict[str, Any] = {}

    @property
    def context(self) -> Any:
        """The process's context, made when first asked for (the import takes seconds)."""
        if self._context is None:
            os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
            import great_expectations as gx  # noqa: PLC0415

            silence(logging.getLogger("great_expectations"))
            self._context = gx.get_context(mode="ephemeral")
            self._context.variables.progress_bars = {"globally": False}
            self._source = self._context.data_sources.add_postgres(
                "warehouse",
                connection_string=self._warehouse_url.replace("postgresql://", "postgresql+psycopg://", 1),
                kwargs={
                    "pool_pre_ping": True,
                    "pool_size": 1,
                    "connect_args": {"application_name": "cx publish: gate", "options": SESSION_OPTIONS},
                },
            )
        return self._context

    def run(self, suite: Suite) -> dict[str, Raw]:
        """Validate the suite's batch; one result per check name. The whole result is kept under `results` for Data Docs."""
        with contextlib.redirect_stdout(io.StringIO()):  # it prints advice about queries that do not name {batch}
            validated = self._validate(suite)
        self.results[suite.name] = validated
        return {result.expectation_config.meta["name"]: raw(result) for result in validated.results}

    def close(self) -> None:
        """Close the connections that the context keeps."""
        if self._source is not None:
            self._source.get_engine().dispose()
            self._source.get_execution_engine().close()

    def _validate(self, suite: Suite) -> Any:
        asset_name = f"{suite.name} window"
        context = self.context
        import great_expectations as gx  # noqa: PLC0415

        asset = self._source.add_query_asset(asset_name, query=suite.batch)
        try:
            batch = asset.add_batch_definition_whole_table("window").get_batch()
            expectations = [configuration(check, suite.batch) for check in suite.checks]
            return batch.validate(gx.ExpectationSuite(name=suite.name, expectations=expectations), result_format=RESULT_FORMAT)
        finally:
            context.data_sources.get("warehouse").delete_asset(asset_name)


def silence(logger: logging.Logger) -> None:
    """Keep a library's log to itself: what matters comes back as results, and its lines may quote rows."""
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def configuration(check: Check, batch: str) -> dict[str, Any]:
    """A check as Great Expectations reads it; in its queries braces are its own placeholders, so ours are doubled."""
    kwargs = dict(check.kwargs)
    if "unexpected_rows_query" in kwargs:
        kwargs["unexpected_rows_query"] = with_batch(kwargs["unexpected_rows_query"], batch).replace("{", "{{").replace("}", "}}")
    meta = {"name": check.name, "owner": check.owner, "remedy": check.remedy, "runbook": check.runbook}
    return {
        "type": check.type,
        "kwargs": kwargs,
        "severity": check.severity,
        "description": check.meaning,
        "meta": meta,
    }


def raw(result: Any) -> Raw:
    """Translate one result."""
    error = error_of(result.exception_info or {})
    measured = result.result or {}
    affected = measured.get("unexpected_count", measured.get("observed_value"))
    return Raw(bool(result.success), error, affected if isinstance(affected, int) else int(not result.success))


def error_of(info: Mapping[str, Any]) -> str:
    """The first exception's first line; a result carries either one exception or one per metric."""
    entries = [info] if "raised_exception" in info else [entry for entry in info.values() if isinstance(entry, Mapping)]
    messages = [str(entry.get("exception_message")) for entry in entries if entry.get("raised_exception")]
    return " ".join(messages[0].split())[:300] if messages else ""
