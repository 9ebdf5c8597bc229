"""Signed links and the suggestions that flags lead to."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.alerts.flag_links import LIFETIME, BadLink, check, make
from ops.alerts.flags import Precision, suggestions

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAMES = ("incident", "expires", "nonce", "signature")


def parts(link: str) -> dict[str, str]:
    return dict(zip(NAMES, urlsplit(link).path.split("/")[2:], strict=True))


def test_a_link_opens_its_incident_until_it_expires() -> None:
    """A link is good for its lifetime and says so afterwards."""
    link = parts(make("http://127.0.0.1:8090/", "secret", 12, "nonce", NOON))
    assert check("secret", link, NOON + LIFETIME).incident_id == 12
    with pytest.raises(BadLink, match="expired"):
        check("secret", link, NOON + LIFETIME + timedelta(seconds=1))


@given(st.sampled_from(NAMES), st.text("0123456789abcdefé", max_size=20))
def test_a_changed_link_is_refused(name: str, value: str) -> None:
    """Changing the incident, the expiry, the nonce or the signature breaks the link."""
    link = parts(make("http://a", "secret", 12, "nonce", NOON))
    if link[name] == value:
        return
    with pytest.raises(BadLink, match="damaged"):
        check("secret", link | {name: value}, NOON)


def test_without_a_secret_no_link_is_good() -> None:
    """An empty secret signs nothing: otherwise anyone could make links."""
    with pytest.raises(BadLink):
        check("", parts(make("http://a", "", 12, "nonce", NOON)), NOON)


def test_a_check_whose_flags_pile_up_is_named_with_its_reasons() -> None:
    """Three flags in five incidents make a suggestion; two flags, or three in a hundred, do not."""
    rows = [
        Precision("gate:a", 5, 3, ("holiday", "test data")),
        Precision("gate:b", 2, 2, ("x",)),
        Precision("gate:c", 100, 3, ("y",)),
    ]
    [sentence] = suggestions(rows)
    assert sentence.startswith("gate:a: 3 of 5 incidents were flagged as not a problem (holiday; test data).")
