"""One line of the doctor's answer, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it is good, what was found, and (when not good) the command or the act that mends it."""

    name: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'good' if self.ok else 'NOT GOOD':<9} {self.name}: {self.found}"
        return line if self.ok else f"{line}\n          mend: {self.remedy}"


def bytes_in_words(number: int) -> str:
    """1536 is `1.5 KiB`."""
    value = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
