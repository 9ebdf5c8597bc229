"""Signs that an identity column was damaged on its way (a spreadsheet, a data frame). Pure, constant memory."""

import re
from dataclasses import dataclass

SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?[eE][+-]?\d{2,}")
TRAILING_ZERO = re.compile(r"\d+\.0")
LONG_NUMBER = re.compile(r"\d{16,}")

DAMAGED_SHARE = 0.01  # of rows in scientific notation
SAME_SHARE = 0.8  # refused for certain from 0.9, never below 0.8; see Damage.surplus
FEW = 20  # rows below which a share says nothing


@dataclass
class Damage:
    """Counts over the values of one identity column."""

    column: str
    rows: int = 0
    scientific: int = 0
    trailing_zero: int = 0
    long_numbers: int = 0
    rounded: int = 0
    first_line: int = 0
    example: str = ""
    candidate: str = ""
    surplus: int = 0  # Boyer-Moore: when it ends at s of n rows, the candidate fills between s and (n+s)/2 of them

    def see(self, value: str, line: int) -> None:
        """Count one value."""
        self.rows += 1
        self._vote(value)
        if SCIENTIFIC.fullmatch(value):
            self.scientific += 1
            self._remember(value, line)
        elif TRAILING_ZERO.fullmatch(value):
            self.trailing_zero += 1
            self._remember(value, line)
        elif LONG_NUMBER.fullmatch(value):
            self.long_numbers += 1
            if value.endswith("0" * (len(value) - 15)):
                self.rounded += 1
                self._remember(value, line)

    def _vote(self, value: str) -> None:
        if self.surplus == 0:
            self.candidate = value
        self.surplus += 1 if value == self.candidate else -1

    def _remember(self, value: str, line: int) -> None:
        if not self.example:
            self.example, self.first_line = value, line

    def verdict(self) -> str | None:
        """Why the column cannot be an identity, or None."""
        if not self.rows:
            return f"column {self.column!r} is empty in every row"
        where = f"column {self.column!r}, first on line {self.first_line}: {self.example!r}"
        if self.scientific >= max(1, DAMAGED_SHARE * self.rows):
            return f"{where}: {self.scientific:,} of {self.rows:,} values are in scientific notation; a spreadsheet rounded them"
        if self.rows >= FEW and self.trailing_zero >= 0.9 * self.rows:
            return f"{where}: the values end in .0; a data frame read the column as decimal numbers"
        if self.long_numbers >= FEW and self.rounded >= 0.9 * self.long_numbers:
            return f"{where}: long numbers end in zeros; a spreadsheet kept only 15 digits of them"
        if self.rows >= FEW and self.surplus >= SAME_SHARE * self.rows:
            same = f"nearly all of {self.rows:,} values are {self.candidate!r}"
            return f"column {self.column!r}: {same}; it does not tell tickets apart"
        return None
