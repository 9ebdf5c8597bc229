"""dbt, kept warm in this process: parsed once, run every cycle, parsed again when a file of the project changes.

The only importer of dbt. Never two invocations at a time: dbt's own limit per process.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from expectations.publish.shape import Mart

NO_JIT = "-c jit=off"  # compiling costs a short query more than running it
WATCHED_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".py"}
UNWATCHED_DIRECTORIES = {"target", "logs", "dbt_packages"}


class TransformError(Exception):
    """dbt could not parse or run; the message names the model and what dbt said."""


@dataclass(frozen=True)
class Project:
    """Where the dbt project is, where its artefacts go, the warehouse, whose days count, and who builds."""

    directory: Path
    scratch: Path
    warehouse_url: str
    timezone: str = "UTC"
    builder_url: str = ""  # the same warehouse as the role that builds; empty: warehouse_url


class Transformer:
    """A resident dbt."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._manifest: Any = None
        self._files: frozenset[tuple[str, int, int]] = frozenset()
        self._has_views = False  # views change only when the project does: selector `cycle` leaves them out

    def files_changed(self) -> bool:
        """Whether a model, macro, seed or setting was edited since it was parsed."""
        return project_files(self.project.directory) != self._files

    def marts(self) -> list[Mart]:
        """The models that are published, as the manifest says. Parses when needed.

        Raises:
            TransformError: the project cannot be parsed, or a mart does not say how it is published.
        """
        self._parse_if_changed()
        return marts_of(self._manifest.nodes.values())

    def run(self) -> None:
        """Build the candidates.

        Raises:
            TransformError: a model failed; candidates may be incomplete and must not be published.
        """
        self._parse_if_changed()
        selector, self._has_views = "cycle" if self._has_views else "all", False  # a view that is gone makes a run fail
        result = self._invoke(["run", "--selector", selector])
        if result.exception:
            raise TransformError(f"dbt: {first_line(result.exception)}")
        failures = [failure_of(run) for run in result.result or () if str(run.status) in ("error", "fail", "runtime error")]
        if failures or not result.success:
            raise TransformError("; ".join(failures) or "dbt did not succeed and did not say why")
        self._has_views = True

    def _parse_if_changed(self) -> None:
        files = project_files(self.project.directory)
        if self._manifest is not None and files == self._files:
            return
        self._manifest = None
        result = self._invoke(["parse"])
        if not result.success:
            raise TransformError(f"the dbt project cannot be read: {first_line(result.exception)}")
        self._manifest, self._files, self._has_views = result.result, files, False

    def _invoke(self, command: Sequence[str]) -> Any:
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 - three seconds that only a cycle should pay

        arguments = [
            *command,
            *("--vars", json.dumps({"timezone": self.project.timezone})),
            *("--project-dir", str(self.project.directory), "--profiles-dir", str(self.project.directory), "--target", "prod"),
            *("--target-path", str(self.project.scratch / "target"), "--log-path", str(self.project.scratch / "logs")),
        ]
        with process_environment(libpq_environment(self.project.builder_url or self.project.warehouse_url)):
            return dbtRunner(manifest=self._manifest).invoke(
                ["--no-send-anonymous-usage-stats", "--no-use-colors", "--log-level", "none", "--no-write-json", *arguments]
            )


def project_files(directory: Path) -> frozenset[tuple[str, int, int]]:
    """Path, modification time and size of every file that dbt reads."""
    found = []
    for path, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name not in UNWATCHED_DIRECTORIES and not name.startswith(".")]
        for name in names:
            if Path(name).suffix in WATCHED_SUFFIXES and not name.startswith("."):
                file = Path(path) / name
                with suppress(FileNotFoundError):  # an editor's own file, gone again
                    status = file.stat()
                    found.append((str(file), status.st_mtime_ns, status.st_size))
    return frozenset(found)


def marts_of(nodes: Any) -> list[Mart]:
    """The published models among a manifest's nodes, by name."""
    published = {node.name: node.config.meta["publish"] for node in nodes if "publish" in (node.config.meta or {})}
    return [mart_of(name, published[name]) for name in sorted(published)]


def mart_of(name: str, publish: Mapping[str, Any]) -> Mart:
    """A model's `meta.publish` as a Mart."""
    key = publish.get("key")
    if not isinstance(key, list) or not key:
        raise TransformError(f"model {name}: config.meta.publish needs key, a list of columns")
    return Mart(name, tuple(map(str, key)), publish.get("touched"))


def failure_of(run: Any) -> str:
    return f"dbt model {run.node.name}: {' '.join(str(run.message).split())[:600]}"


def first_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())[:600]


def libpq_environment(url: str) -> dict[str, str]:
    """A postgresql:// address as the PG* variables that the project's profile reads, and libpq itself for TLS."""
    parts = urlsplit(url)
    secured = {f"PG{name.upper()}": value for name, value in parse_qsl(parts.query) if name.startswith("ssl")}
    return {
        **secured,
        "PGHOST": parts.hostname or "127.0.0.1",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "PGOPTIONS": NO_JIT,
    }


@contextmanager
def process_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the time of a dbt call, and the working directory back after it: dbt changes it."""
    directory, before = Path.cwd(), {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        os.chdir(directory)
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
