"""What processes cost: CPU seconds and memory, from /proc, children included."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One line of the process table. `cpu` is in ticks, ended children included."""

    parent: int
    cpu: int
    resident_bytes: int


def table() -> dict[int, Process]:
    """Every process of the machine (proc(5), `stat`: fields 4, 14 to 17 and 24)."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        found[int(directory.name)] = Process(int(fields[1]), sum(map(int, fields[11:15])), int(fields[21]) * PAGE_BYTES)
    return found


def family(root: int, processes: dict[int, Process]) -> set[int]:
    """A process and all its descendants."""
    members = {root} & processes.keys()
    while True:
        children = {pid for pid, process in processes.items() if process.parent in members} - members
        if not children:
            return members
        members |= children


def cpu_seconds(roots: dict[str, int]) -> dict[str, float]:
    """CPU seconds that each family used since it began, by the name of its root."""
    processes = table()
    return {name: sum(processes[pid].cpu for pid in family(root, processes)) / TICKS_PER_SECOND for name, root in roots.items()}


def resident_megabytes(root: int) -> float:
    """Memory that a family holds now; pages shared between its processes count once for each."""
    processes = table()
    return sum(processes[pid].resident_bytes for pid in family(root, processes)) / 1e6


class Meter:
    """CPU seconds of some families: of those it began with since then, of those that joined since their birth."""

    def __init__(self, roots: dict[str, int]) -> None:
        self.roots = dict(roots)
        self._before = cpu_seconds(roots)

    def join(self, roots: dict[str, int]) -> None:
        """Count these processes too, what they used to start included."""
        self.roots |= roots

    def read(self) -> dict[str, float]:
        now = cpu_seconds(self.roots)
        return {name: round(now[name] - self._before.get(name, 0.0), 2) for name in self.roots}
