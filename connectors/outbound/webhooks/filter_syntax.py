"""The filter language: text to tree and back. Pure.

    churn_risk in (medium, high) and driver = 'Billing' and not (canonical_tag is null or raw_tags contains vip)

expression  := conjunction { "or" conjunction }
conjunction := term { "and" term }
term        := "not" term | "(" expression ")" | condition
condition   := field ( operator value | ["not"] "in" "(" value { "," value } ")" | "is" ["not"] "null" | "contains" value )
operator    := "=" | "!=" | "<" | "<=" | ">" | ">="
value       := 'text' | "text" | number | word        a quote inside a text is written twice

Keywords in any case. Fields with a dot name an entry of an object: custom_metrics.handle_time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

MOST_DEEP = 30
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "null", "contains"})
OPERATORS = ("=", "!=", "<=", ">=", "<", ">")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![\w.]))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)|(?P<sign>!=|<=|>=|[=<>(),])"
)

Value = str | Decimal


class FilterError(ValueError):
    """A filter that cannot be used: what was expected where. `position` counts characters from 1."""

    def __init__(self, position: int, sentence: str) -> None:
        super().__init__(f"at character {position}: {sentence}")
        self.position = position


@dataclass(frozen=True)
class Compare:
    """`field operator value`."""

    field: str
    operator: str
    value: Value
    position: int = 0


@dataclass(frozen=True)
class OneOf:
    """`field in (values)`."""

    field: str
    values: tuple[Value, ...]
    position: int = 0


@dataclass(frozen=True)
class IsNull:
    """`field is null`."""

    field: str
    position: int = 0


@dataclass(frozen=True)
class Contains:
    """`field contains value`, for lists."""

    field: str
    value: Value
    position: int = 0


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: "Filter"


@dataclass(frozen=True)
class All:
    """Every part holds; at least two."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True)
class AnyOf:
    """One of the parts holds; at least two."""

    parts: tuple["Filter", ...]


Condition = Compare | OneOf | IsNull | Contains
Filter = Condition | Not | All | AnyOf


@dataclass(frozen=True)
class _Token:
    kind: str  # text, number, word, sign, end
    text: str
    position: int

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind == "word" and self.text.lower() in KEYWORDS else ""

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text)


def parse(text: str) -> Filter:
    """The tree of a filter. Raises FilterError."""
    parser = _Parser(list(_tokens(text)))
    tree = parser.expression(0)
    parser.expect_end()
    return tree


def conditions(tree: Filter) -> Iterator[Condition]:
    """Every condition of a tree, from left to right."""
    if isinstance(tree, Not):
        yield from conditions(tree.part)
    elif isinstance(tree, All | AnyOf):
        for part in tree.parts:
            yield from conditions(part)
    else:
        yield tree


def render(tree: Filter) -> str:
    """The text of a tree; parsing it gives the tree again, positions aside."""
    match tree:
        case Not(part):
            return f"not {_inner(part)}"
        case All(parts):
            return " and ".join(map(_inner, parts))
        case AnyOf(parts):
            return " or ".join(map(_inner, parts))
        case _:
            return _condition(tree)


def _condition(condition: Condition) -> str:
    match condition:
        case Compare(field, operator, value):
            return f"{field} {operator} {_literal(value)}"
        case OneOf(field, values):
            return f"{field} in ({', '.join(map(_literal, values))})"
        case IsNull(field):
            return f"{field} is null"
        case Contains(field, value):
            return f"{field} contains {_literal(value)}"


def _inner(tree: Filter) -> str:
    return f"({render(tree)})" if isinstance(tree, All | AnyOf) else render(tree)


def _literal(value: Value) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else "'" + value.replace("'", "''") + "'"


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            unclosed = text[place] in "'\""
            raise FilterError(place + 1, "this text has no closing quote" if unclosed else f"{text[place]!r} has no meaning here")
        kind = str(found.lastgroup)
        if kind != "space":
            yield _Token(kind, found[0], place + 1)
        place = found.end()
    yield _Token("end", "", len(text) + 1)


class _Parser:
    """One pass over the tokens, one method per line of the grammar."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens, self._place = tokens, 0

    def expression(self, depth: int) -> Filter:
        parts = [self._conjunction(depth)]
        while self._takes("or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def expect_end(self) -> None:
        if self._next.kind != "end":
            raise self._expected("'and', 'or' or the end")

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _conjunction(self, depth: int) -> Filter:
        parts = [self._term(depth)]
        while self._takes("and"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _term(self, depth: int) -> Filter:
        if depth > MOST_DEEP:
            raise FilterError(self._next.position, f"nested deeper than {MOST_DEEP}")
        if self._takes("not"):
            return Not(self._term(depth + 1))
        if self._takes("("):
            tree = self.expression(depth + 1)
            self._demand(")")
            return tree
        return self._condition()

    def _condition(self) -> Filter:
        name = self._next
        if name.kind != "word" or name.keyword:
            raise self._expected("a field, 'not' or '('")
        self._place += 1
        sign = self._next
        if sign.text in OPERATORS:
            self._place += 1
            return Compare(name.text, sign.text, self._value(), name.position)
        if self._takes("contains"):
            return Contains(name.text, self._value(), name.position)
        if self._takes("is"):
            negated = self._takes("not")
            self._demand("null")
            return self._unless(negated, IsNull(name.text, name.position))
        negated = self._takes("not")
        if not self._takes("in"):
            raise self._expected("'in'" if negated else f"one of {' '.join(OPERATORS)} in, not in, is, contains")
        return self._unless(negated, OneOf(name.text, self._values(), name.position))

    @staticmethod
    def _unless(negated: bool, tree: Filter) -> Filter:
        return Not(tree) if negated else tree

    def _values(self) -> tuple[Value, ...]:
        self._demand("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._demand(")")
        return tuple(values)

    def _value(self) -> Value:
        token = self._next
        if token.kind not in ("text", "number", "word") or token.keyword or (token.kind == "word" and "." in token.text):
            raise self._expected("a value: 'text', a number, or a word without a dot")
        self._place += 1
        if token.kind == "number":
            return Decimal(token.text)
        return token.text[1:-1].replace(token.text[0] * 2, token.text[0]) if token.kind == "text" else token.text

    def _takes(self, what: str) -> bool:
        token = self._next
        if what not in (token.keyword, token.text if token.kind == "sign" else None):
            return False
        self._place += 1
        return True

    def _demand(self, what: str) -> None:
        if not self._takes(what):
            raise self._expected(f"'{what}'")

    def _expected(self, what: str) -> FilterError:
        return FilterError(self._next.position, f"expected {what}, found {self._next}")
