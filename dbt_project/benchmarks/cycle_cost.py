"""How long a warm dbt cycle with 1,000 changes takes on a landing of a given size.

    .venv/bin/python dbt_project/benchmarks/cycle_cost.py --tickets 100000

Connects like dbt (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE) and fills the landing tables when they are empty:
use a database of its own, migrated to the newest revision.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner

HERE = Path(__file__).resolve().parent


def main() -> None:
    options = arguments()
    if query("select count(*) from landing.ticket_signals") == "0":
        psql("--file", str(HERE / "landing.sql"), n=options.tickets)
    psql("--command", "analyze")
    with tempfile.TemporaryDirectory() as scratch:
        dbt = Dbt(Path(scratch))
        if query("select to_regclass('build.cycle_window')") == "":
            say(f"first build       {dbt.run()[0]:6.2f} s")
            close_window()
        for number in range(1, options.cycles + 1):
            cycle(dbt, options.tickets, number)


def cycle(dbt: "Dbt", tickets: int, number: int) -> None:
    """1,000 changes, one run of the cycle, and the time of its slowest models."""
    psql("--file", str(HERE / "changes.sql"), n=tickets, round=int(time.time()))
    seconds, models = dbt.run("--selector", "cycle")
    close_window()
    slowest = ", ".join(f"{name} {took:.2f}" for name, took in sorted(models.items(), key=lambda item: -item[1])[:5])
    say(f"cycle {number:2}          {seconds:6.2f} s   {slowest}")


class Dbt:
    """dbt kept warm, as the publisher keeps it."""

    def __init__(self, scratch: Path) -> None:
        project = str(HERE.parent)
        self.options = ["--project-dir", project, "--profiles-dir", project, "--target", "prod", "--target-path", str(scratch)]
        self.options += ["--log-path", str(scratch), "--log-level", "none", "--no-write-json"]
        self.runner = dbtRunner
        self.manifest: Any = dbtRunner().invoke(["parse", *self.options]).result

    def run(self, *selection: str) -> tuple[float, dict[str, float]]:
        """Seconds of one run, and of each of its models."""
        started = time.perf_counter()
        result = self.runner(manifest=self.manifest).invoke(["run", *selection, *self.options])
        if not result.success:
            raise SystemExit(result.exception or [run.message for run in result.result])
        seconds = time.perf_counter() - started
        return seconds, {run.node.name: run.execution_time for run in result.result if run.node.resource_type == "model"}


def close_window() -> None:
    """What the publish transaction does last."""
    psql("--command", "update build.cycle_window set from_snapshot = to_snapshot")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def query(statement: str) -> str:
    return psql("--tuples-only", "--no-align", "--command", statement).strip()


def psql(*options: str, **variables: object) -> str:
    given = [part for name, value in variables.items() for part in ("--variable", f"{name}={value}")]
    command = ["psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", *given, *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=100_000, help="tickets in landing; 100000 unless given")
    parser.add_argument("--cycles", type=int, default=5, help="how many cycles to measure")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    main()
