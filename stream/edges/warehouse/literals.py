"""Arrays as PostgreSQL reads them in text."""

from collections.abc import Iterable

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


def array_literal(values: Iterable[str]) -> str:
    """A text array. Most hold nothing to escape, and one look at the whole says so."""
    texts = values if isinstance(values, list) else list(values)
    inner = '","'.join(texts)
    if "\\" in inner or inner.count('"') != 2 * max(len(texts) - 1, 0):
        inner = '","'.join([text.translate(_ESCAPES) for text in texts])
    return f'{{"{inner}"}}' if texts else "{}"


def numbers_literal(values: Iterable[int]) -> str:
    """An array of integers."""
    return "{" + ",".join(map(str, values)) + "}"
