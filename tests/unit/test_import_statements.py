"""How a batch is cut so that an upsert never touches a ticket twice."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.imports.writing import waves_of

IDENTITIES = st.lists(st.tuples(st.just("desk"), st.sampled_from("abc")))


@given(IDENTITIES)
def test_no_ticket_twice_in_a_wave_and_order_is_kept(identities: list[tuple[str, str]]) -> None:
    """Within a wave every ticket is unique, and a ticket's rows fall into waves 0, 1, 2 … in the order of the file."""
    waves = waves_of(identities)
    for identity in set(identities):
        own = [wave for wave, other in zip(waves, identities, strict=True) if other == identity]
        assert own == list(range(len(own)))
