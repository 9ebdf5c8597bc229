"""Standard Webhooks 1.0.0: secrets and signatures. Pure.

The signed content is `{webhook-id}.{webhook-timestamp}.{body}`; a signature is `v1,` and the base64 of its HMAC-SHA256.
During a rotation every secret signs, and a subscriber accepts any (github.com/standard-webhooks/standard-webhooks).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


class BadSecret(ValueError):
    """A secret that cannot be used; the message says why and never quotes it."""


def decode_secret(text: str) -> bytes:
    """The key behind `whsec_…`. Raises BadSecret."""
    encoded = text.strip()
    if not encoded.startswith(PREFIX):
        raise BadSecret(f"a secret begins with {PREFIX}")
    try:
        key = base64.b64decode(encoded.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSecret(f"what follows {PREFIX} is not base64") from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise BadSecret(f"a secret has {LEAST_BYTES} to {MOST_BYTES} bytes, this one has {len(key)}")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One `v1,…` signature. `timestamp`: seconds since 1970, of the attempt."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of an attempt."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }
