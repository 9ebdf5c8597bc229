"""The published contract: made from the contract of the stream and the projections, kept in files, compared with what is out."""

import json
from pathlib import Path
from typing import Any

from connectors.outbound.contract import asyncapi, projection, schemas
from connectors.outbound.contract.compatibility import breaking_changes
from ops.stack.topics import OUTBOUND, TOPICS
from stream.core.contract.schema import json_schema

FOLDER = projection.DIRECTORY
PUBLISHED = FOLDER / "published"


def documents() -> dict[Path, str]:
    """Every generated file and its text."""
    contract, shipped = json_schema(), projection.shipped()
    partitions = next(topic.partitions for topic in TOPICS if topic.name == OUTBOUND[0])
    made: dict[Path, dict[str, Any]] = {
        FOLDER / "schemas" / f"{one.title}.v{one.major}.schema.json": schemas.value_schema(contract, one) for one in shipped
    }
    made[FOLDER / "schemas" / "key.v1.schema.json"] = schemas.key_schema(contract)
    made[FOLDER / "schemas" / "headers.v1.schema.json"] = schemas.headers_schema()
    made[FOLDER / "asyncapi.json"] = asyncapi.document(contract, shipped, partitions)
    return {path: text(document) for path, document in made.items()}


def text(document: dict[str, Any]) -> str:
    """A document as its file holds it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def problems(published: Path = PUBLISHED) -> list[str]:
    """Why what is made now may not be published: files behind, broken consumers, a change under a version that is out."""
    found = [f"{path.name} is not what the contract makes now" for path, made in documents().items() if _read(path) != made]
    log = (FOLDER / "CHANGELOG.md").read_text()
    contract = json_schema()
    for one in projection.shipped():
        new = schemas.value_schema(contract, one)
        found += [f"{one.title}: {sentence}" for sentence in against_published(new, one.title, one.major, published)]
        if f"{one.title} {one.version}" not in log:
            found.append(f"CHANGELOG.md says nothing of {one.title} {one.version}")
    return found


def against_published(new: dict[str, Any], title: str, major: int, published: Path) -> list[str]:
    """What in a schema breaks a published one of the same major version, or rewrites it."""
    found = []
    for path in sorted(published.glob(f"{title}.{major}.*.schema.json")):
        old = json.loads(path.read_text())
        found += [
            f"{sentence} (published in {old['$id']}); that needs a new major version" for sentence in breaking_changes(old, new)
        ]
        if old["$id"] == new["$id"] and old != new:
            found.append(f"{old['$id']} is published and cannot change: raise the version in the projection file")
    return found


def write() -> list[Path]:
    """Bring every generated file up to date, and publish the schemas of versions that are not out yet; the files written."""
    made = documents()
    contract = json_schema()
    for one in projection.shipped():
        path = PUBLISHED / f"{one.title}.{one.version}.schema.json"
        if not path.exists():
            made[path] = text(schemas.value_schema(contract, one))
    changed = [path for path, content in made.items() if _read(path) != content]
    for path in changed:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[path])
    return changed


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
