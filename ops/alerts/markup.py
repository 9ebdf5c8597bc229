"""Foreign text inside Slack's markup: it cannot ping, link, format or overflow. Pure.

Slack reads `&`, `<`, `>` as control characters and decodes their three entities (docs.slack.dev, formatting message text).
Limits count characters; a character outside the basic plane counts double here, as JavaScript and Java count it.
"""

import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

BREAK = "\u200b"  # zero-width space: keeps a sign from acting as markup, invisible to the reader
_INVISIBLE = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_FORMATTING = re.compile(r"[*~]|(?<!\w)_|_(?!\w)|@|^>")  # an underscore inside a name formats nothing


def length(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def clip(text: str, limit: int) -> str:
    """Shorten unescaped text to at most `limit` units, with an ellipsis when something is missing."""
    return _escaped(text, limit, str)


def one_line(text: object) -> str:
    """Any value as one line: no control or direction characters, white space folded."""
    return " ".join(_INVISIBLE.sub(" ", str(text)).split())


def prose(text: object, limit: int) -> str:
    """Foreign text for a mrkdwn sentence, at most `limit` units after escaping; nothing becomes a dash."""
    inert = _FORMATTING.sub(lambda found: BREAK + found[0] + BREAK, one_line(text).replace("`", "'"))
    return _escaped(inert, limit, _entity) or "-"


def code(text: object, limit: int) -> str:
    """Foreign text in a code span, at most `limit` units in all; a backtick becomes an apostrophe, nothing becomes a dash."""
    inner = _escaped(one_line(text).replace("`", "'"), limit - 2, _entity)
    return f"`{inner or '-'}`"


def plain(text: object, limit: int) -> str:
    """Foreign text for a plain_text object."""
    return clip(one_line(text), limit) or "-"


def link(url: object, label: str, limit: int = 1000) -> str | None:
    """A labelled link, or None when the address is not http(s) or longer than `limit`. The label is our own words."""
    address = one_line(url)
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return None
    safe = quote(address, safe=":/?#[]@!$&'()*+,;=%~-._").replace("&", "&amp;")
    return f"<{safe}|{label}>" if length(safe) <= limit else None


def _entity(character: str) -> str:
    return _ENTITIES.get(character, character)


def _escaped(text: str, limit: int, escape: Callable[[str], str]) -> str:
    """Escape sign by sign, so that no entity is ever cut in two."""
    parts = [escape(character) for character in text]
    if sum(map(length, parts)) <= limit:
        return "".join(parts)
    kept: list[str] = []
    used = 1
    for part in parts:
        used += length(part)
        if used > limit:
            break
        kept.append(part)
    return "".join(kept).rstrip() + "…"
