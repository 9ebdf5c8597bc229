"""May this schema follow that one under the same major version? Pure.

Topics are compacted, so records of every minor version stay: old records must be valid under the new schema, and new records
must be no surprise to consumers of the old one. What is left are new optional knowledge and words: fields that old consumers
ignore, descriptions, deprecations.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
WORDS = frozenset({"description", "title", "deprecated", "$id", "$schema", "$comment", "examples"})


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What in `new` breaks consumers or records of `old`, one sentence each; empty: it may follow."""
    return list(_object_changes("", old, new))


def _object_changes(path: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required, now_required = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        place = f"{path}{name}"
        if name not in after:
            yield f"{place} is removed"
            continue
        if name in required and name not in now_required:
            yield f"{place} is no longer required: consumers rely on it"
        yield from _value_changes(place, before[name], after[name])
    for name in sorted(now_required - required):
        yield f"{path}{name} is newly required: records that are there do not have it"
    if old.get("additionalProperties", True) is not new.get("additionalProperties", True):
        yield f"{path or 'the record '}additionalProperties changes"


def _value_changes(place: str, old: Schema, new: Schema) -> Iterator[str]:
    if "properties" in old and "properties" in new:
        yield from _object_changes(f"{place}.", old, new)
    before, after = _rules(old), _rules(new)
    for rule in sorted(set(before) | set(after)):
        if rule == "enum":
            yield from _enum_changes(place, before.get(rule), after.get(rule))
        elif before.get(rule) != after.get(rule):
            yield f"{place}: {rule} was {before.get(rule, 'open')}, is {after.get(rule, 'open')}"


def _enum_changes(place: str, old: list[Any] | None, new: list[Any] | None) -> Iterator[str]:
    if old is None or new is None:
        if old is not new:
            yield f"{place}: enum was {old or 'open'}, is {new or 'open'}"
        return
    for value in old:
        if value not in new:
            yield f"{place}: enum value {value!r} is removed"
    for value in new:
        if value not in old:
            yield f"{place}: enum value {value!r} is new to consumers"


def _rules(schema: Schema) -> dict[str, Any]:
    """What a schema demands, without words; alternatives in an order of their own, a type as a sorted list."""
    rules = {name: value for name, value in schema.items() if name not in WORDS and name not in {"properties", "required"}}
    if "type" in rules:
        rules["type"] = sorted([rules["type"]] if isinstance(rules["type"], str) else rules["type"])
    for name in ("anyOf", "oneOf"):
        if name in rules:
            rules[name] = sorted((_rules(one) for one in rules[name]), key=repr)
    if "items" in rules:
        rules["items"] = _rules(rules["items"])
    return rules
