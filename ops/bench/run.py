"""One bench run: the scenarios in turn, what could not be measured and why, and the files it leaves."""

import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from connectors.register import RegistrationError
from ops.bench import growth, landing, latency, outbound, plots, scale, snapshot, start, tuning
from ops.bench.figures import Figure, Say, table
from ops.bench.sizes import Sizes
from ops.bench.stand import Skipped
from ops.settings import PROJECT_DIRECTORY
from ops.stack import postgres
from ops.stack.layout import StackError

Scenario = Callable[[Sizes, Say], Iterable[Figure]]
SCENARIOS: dict[str, Scenario] = {
    "landing": landing.run, "latency": latency.run, "outbound": outbound.run, "snapshot": snapshot.run,
    "start": start.run, "scale": scale.run, "tuning": tuning.run, "growth": growth.run,
}  # fmt: skip
TITLES = {
    "landing": "Landing rate: a backlog in Kafka → durable rows",
    "latency": "The whole way: commit in the store → row in landing, → row in marts",
    "outbound": "Systems of action: commit in the store → webhook subscriber",
    "snapshot": "Snapshot and catch-up: tickets that exist before capture begins → landed",
    "growth": "Growth: the same work on larger warehouses",
    "start": "Start",
    "scale": "Scale-out: one backlog, more workers",
    "scale-table": "What one needs, computed from the cost per event",
    "tuning": "What each connector and producer setting brings: one put back at a time",
}


@dataclass
class Results:
    """Everything one run found."""

    conditions: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def markdown(self) -> str:
        """A table per scenario, with the conditions and what was skipped."""
        lines = [f"Measured {self.conditions['at']} on {self.conditions['machine']}: {self.conditions['how']}."]
        for scenario, title in TITLES.items():
            found = [one for one in self.figures if one.scenario == scenario]
            if found or scenario in self.skipped:
                lines += ["", f"**{title}**", ""]
            lines += table(found) if found else []
            if scenario in self.skipped:
                lines += ["", f"Skipped: {self.skipped[scenario]}"]
        return "\n".join(lines) + "\n"


def run(names: Sequence[str], sizes: Sizes, say: Say, command: str, keep: Callable[[Results], object]) -> Results:
    """Measure these scenarios one after the other; `keep` is given what is known after each.

    A scenario that cannot be measured to its end is named with its reason, and keeps the figures it has.
    """
    results = Results(conditions(sizes, command))
    for name in names:
        began = time.monotonic()
        say(f"{name}: begins (load {os.getloadavg()[0]:.1f})")
        try:
            results.figures.extend(SCENARIOS[name](sizes, partial(_prefixed, say, name)))
        except (Skipped, StackError, RegistrationError, postgres.PostgresMissing) as error:
            results.skipped[name] = str(error)
        results.seconds[name] = round(time.monotonic() - began, 1)
        outcome = f"skipped: {results.skipped[name]}" if name in results.skipped else "done"
        say(f"{name}: {outcome} ({results.seconds[name]:.0f} s)")
        results.conditions["load_after"] = os.getloadavg()[0]
        keep(results)
    return results


def _prefixed(say: Say, name: str, text: str) -> None:
    say(f"{name}: {text}")


def write(results: Results, directory: Path) -> list[Path]:
    """Write results.json, results.md and the plots; what was written."""
    directory.mkdir(parents=True, exist_ok=True)
    written = {"results.json": json.dumps(asdict(results), indent=2, default=str), "results.md": results.markdown()}
    written |= plots.draw(results.figures)
    for name, text in written.items():
        (directory / name).write_text(text)
    return [directory / name for name in written]


def conditions(sizes: Sizes, command: str) -> dict[str, Any]:
    """Where and how this was measured, without names of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    server = subprocess.run([postgres.programs() / "postgres", "--version"], capture_output=True, text=True, check=True)
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "how": f"`{command}`, load average {os.getloadavg()[0]:.1f} before it began",
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GB of memory",
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        "postgres": server.stdout.strip(),
        "postgres_settings": {**postgres.SERVER_SETTINGS, "fsync": "on", "synchronous_commit": "on"},
        "free_disk_gb": round(shutil.disk_usage(PROJECT_DIRECTORY).free / 1e9),
        "load_before": os.getloadavg()[0],
        "sizes": asdict(sizes),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
