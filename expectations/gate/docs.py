"""Data Docs: a page per validation that is worth one, with an index, and old pages thrown away."""

import contextlib
import io
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SITE = "docs"


def build(context: Any, results: dict[str, Any], *, run_name: str, directory: Path, base_url: str, pages: int) -> dict[str, str]:
    """Write pages for the given validation results and answer their addresses by suite.

    Args:
        results: GX validation results by suite name.
        run_name: names the pages; sorts by time.
        base_url: where `directory` is served; empty answers file:// addresses.
        pages: runs kept, this one included.
    """
    from great_expectations.core.run_identifier import RunIdentifier  # noqa: PLC0415
    from great_expectations.data_context.types.resource_identifiers import (  # noqa: PLC0415
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    ensure_site(context, directory, pages)
    keys = {
        suite: ValidationResultIdentifier(ExpectationSuiteIdentifier(suite), RunIdentifier(run_name=run_name), suite)
        for suite in results
    }
    for suite, key in keys.items():
        context.validation_results_store.set(key, results[suite])
    prune(directory, keep=pages - 1)
    with contextlib.redirect_stdout(io.StringIO()):  # rendering prints advice about queries
        context.build_data_docs(site_names=[SITE], resource_identifiers=list(keys.values()))
    for key in keys.values():
        context.validation_results_store.remove_key(key)
    base = base_url.rstrip("/") or directory.resolve().as_uri()
    return {suite: f"{base}/{page}" for suite in keys if (page := page_of(directory, suite, run_name))}


def ensure_site(context: Any, directory: Path, pages: int) -> None:
    """Configure the one site of this process."""
    if SITE in context.get_site_names():
        return
    context.add_data_docs_site(
        SITE,
        {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "validation_results_limit": pages},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(directory)},
        },
    )


def page_of(directory: Path, suite: str, run_name: str) -> str:
    """The page's path below the site, as the store laid it out; empty when there is none."""
    found = sorted((directory / "validations" / suite / run_name).rglob("*.html"))
    return found[-1].relative_to(directory).as_posix() if found else ""


def prune(directory: Path, keep: int) -> None:
    """Throw away all but the newest runs' pages."""
    runs = [run for suite in children(directory / "validations") for run in children(suite)]
    newest = sorted({run.name for run in runs}, reverse=True)[: max(keep, 0)]
    for run in runs:
        if run.name not in newest:
            shutil.rmtree(run, ignore_errors=True)


def children(directory: Path) -> Iterable[Path]:
    return [child for child in directory.iterdir() if child.is_dir()] if directory.exists() else []
