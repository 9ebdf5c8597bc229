"""Signs of a damaged identity column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.imports.identity import Damage


def verdict(values: list[str]) -> str | None:
    damage = Damage("id")
    for line, value in enumerate(values, start=2):
        damage.see(value, line)
    return damage.verdict()


@pytest.mark.parametrize(
    ("values", "sign"),
    [
        (["5.70306E+17", "5.70301E+17"], "scientific notation"),
        ([f"{number}.0" for number in range(100, 130)], "data frame"),
        ([f"{number}000" for number in range(570306133677760, 570306133677790)], "15 digits"),
        (["n/a"] * 48 + ["1", "2"], "nearly all"),
        ([], "empty in every row"),
    ],
)
def test_damage_is_named(values: list[str], sign: str) -> None:
    """What a spreadsheet or a data frame does to identities is recognised and named."""
    assert sign in str(verdict(values))


@pytest.mark.parametrize("values", [["A1", "A1", "A2"], ["1E5X", "12E"], [str(10**17 + n) for n in range(1, 50)], ["7"] * 5])
def test_healthy_identities_pass(values: list[str]) -> None:
    """Repeated, odd-looking and long identities are no damage."""
    assert verdict(values) is None


@given(st.permutations(["same"] * 90 + [str(number) for number in range(10)]))
def test_nearly_all_the_same_is_seen_in_any_order(values: list[str]) -> None:
    """A value that fills nine tenths of the column is found wherever its rows stand."""
    assert "nearly all" in str(verdict(values))


@given(st.permutations(["same"] * 79 + [str(number) for number in range(21)]))
def test_a_frequent_value_is_not_yet_damage(values: list[str]) -> None:
    """A value below eight tenths of the column is never taken for damage."""
    assert verdict(values) is None
