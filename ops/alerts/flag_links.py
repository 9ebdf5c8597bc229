"""Signed "not a problem" links. Pure: the time and the nonce are arguments.

A link names its incident, when it expires, and a nonce that lets it count once; HMAC-SHA256 with CX_FLAG_SECRET covers all three.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

LIFETIME = timedelta(days=30)


@dataclass(frozen=True)
class FlagLink:
    """What a valid link says."""

    incident_id: int
    nonce: str


class BadLink(Exception):
    """The link is forged, damaged or expired; the message is for the reader of the page."""


def make(base_url: str, secret: str, incident_id: int, nonce: str, now: datetime) -> str:
    """The link for one incident: <base_url>/flag/<incident>/<expiry>/<nonce>/<signature>."""
    expires = int((now + LIFETIME).timestamp())
    return f"{base_url.rstrip('/')}/flag/{incident_id}/{expires}/{nonce}/{_sign(secret, str(incident_id), str(expires), nonce)}"


def check(secret: str, parts: Mapping[str, str], now: datetime) -> FlagLink:
    """Verify a link's parts `incident`, `expires`, `nonce` and `signature`; the signature first, in constant time.

    Raises:
        BadLink: forged or damaged, or expired.
    """
    expected = _sign(secret, parts["incident"], parts["expires"], parts["nonce"])
    if not secret or not hmac.compare_digest(expected.encode(), parts["signature"].encode("utf-8", "replace")):
        raise BadLink("This link is damaged or was not made by this installation.")
    if now.timestamp() > int(parts["expires"]):
        raise BadLink(f"This link has expired: links work for {LIFETIME.days} days.")
    return FlagLink(int(parts["incident"]), parts["nonce"])


def _sign(secret: str, *parts: str) -> str:
    text = "\n".join(("cx-flag-1", *parts))
    return hmac.new(secret.encode(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
