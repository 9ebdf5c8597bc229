"""Text from strangers as it may go to a terminal: whatever would act instead of show is written out. Pure."""

import unicodedata

_ACTS = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # controls, direction marks, surrogates, private use, line separators


def visible(text: str, keep: str = "") -> str:
    """The text with every character that has no shape of its own as an escape; those in `keep` stay."""
    return "".join(one if one in keep or unicodedata.category(one) not in _ACTS else _escaped(one) for one in text)


def visible_bytes(data: bytes) -> str:
    """Bytes that should be text: what is not UTF-8 as \\xNN."""
    return visible(data.decode("utf-8", "backslashreplace"))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
