"""The contract: schemas/*.avsc, their ids in schemas.lock, their released versions in history/, and the gate.

A root is a record that no other record refers to: what travels on a topic. Each version of a root has a
fixed id. `make schemas` writes messages.py, the lock and the history; the gate refuses what a released
reader or writer could not live with.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from truetape.errors import IncompatibleSchema

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
Schema = Any
"""A parsed JSON schema: a name, a list (union) or an object."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_SILENT = frozenset({"doc", "aliases", "order"})
_MEANING = ("logicalType", "scale", "precision", "size")


@dataclass(frozen=True, slots=True)
class Version:
    """One released version of a root: its fixed id and its self-contained schema."""

    id: int
    record: str
    version: int
    fingerprint: str
    schema: Schema


def load(folder: Path = SCHEMAS) -> dict[str, Schema]:
    """All named types by full name, in the order in which they are defined."""
    files = sorted(folder.glob("*.avsc"), key=lambda path: (path.stem != "common", path.stem))
    types = [named for path in files for named in json.loads(path.read_text())]
    return {full_name(named): named for named in types}


def full_name(named: Schema) -> str:
    """namespace.name of a named type."""
    return f"{named['namespace']}.{named['name']}"


def keyword_only(named: Schema) -> bool:
    """Whether the record's message takes its fields by name alone: a field with a default stands before one without."""
    defaults = ["default" in field for field in named["fields"]]
    return defaults != sorted(defaults)


def roots(types: dict[str, Schema]) -> list[str]:
    """Full names of the records that no other record refers to."""
    inner = {name for named in types.values() for name in references(named.get("fields", []))}
    return [name for name, named in types.items() if named["type"] == "record" and name not in inner]


def references(node: Schema) -> Iterator[str]:
    """Names of named types anywhere in a schema."""
    match node:
        case str() if node not in PRIMITIVES:
            yield node
        case list():
            for branch in node:
                yield from references(branch["type"] if "name" in branch and "type" in branch else branch)
        case {"type": "array", "items": items}:
            yield from references(items)
        case {"type": "map", "values": values}:
            yield from references(values)


def resolve(name: str, types: dict[str, Schema]) -> Schema:
    """A self-contained schema: each named type is written out where it is first used."""
    return _inline(types[name], types, set())


def _inline(node: Schema, types: dict[str, Schema], seen: set[str]) -> Schema:
    match node:
        case str() if node in types and node not in seen:
            return _inline(types[node], types, seen)
        case str():
            return node
        case list():
            return [_inline(branch, types, seen) for branch in node]
        case {"type": "record"}:
            seen.add(full_name(node))
            fields = [{**field, "type": _inline(field["type"], types, seen)} for field in node["fields"]]
            return {**node, "fields": fields}
        case {"type": "enum"}:
            seen.add(full_name(node))
            return node
        case {"type": "array"}:
            return {**node, "items": _inline(node["items"], types, seen)}
        case {"type": "map"}:
            return {**node, "values": _inline(node["values"], types, seen)}
        case _:
            return node


def bare(node: Schema, logical: bool = True) -> Schema:
    """The schema without documentation; with logical=False also without logical types, for plain integers."""
    if isinstance(node, list):
        return [bare(branch, logical) for branch in node]
    if not isinstance(node, dict):
        return node
    dropped = _SILENT if logical else _SILENT | {"logicalType", "scale", "precision"}
    return {
        key: value if key == "default" else bare(value, logical) for key, value in node.items() if key not in dropped
    }


def fingerprint(schema: Schema) -> str:
    """SHA-256 over everything but documentation."""
    return hashlib.sha256(json.dumps(bare(schema), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def history(folder: Path = SCHEMAS) -> list[Version]:
    """All released versions, by id."""
    entries = json.loads((folder / "schemas.lock").read_text())["schemas"]
    return [
        Version(schema=json.loads(_released(folder, entry["record"], entry["version"]).read_text()), **entry)
        for entry in entries
    ]


def _released(folder: Path, record: str, version: int) -> Path:
    return folder / "history" / f"{record}.v{version}.avsc"


@cache
def released() -> list[Version]:
    """The project's own history, read once."""
    return history()


def lock(folder: Path = SCHEMAS) -> list[str]:
    """Release every root that differs from its last version: check it, give it the next id, write its history.

    Returns the names released. Raises IncompatibleSchema, and writes nothing, when the gate refuses one.
    """
    types = load(folder)
    known = history(folder) if (folder / "schemas.lock").exists() else []
    gate(types, known)
    fresh: list[Version] = []
    for name in roots(types):
        schema = resolve(name, types)
        versions = [entry for entry in known if entry.record == name]
        if versions and versions[-1].fingerprint == fingerprint(schema):
            continue
        number = len(versions) + 1
        fresh.append(Version(len(known) + len(fresh) + 1, name, number, fingerprint(schema), schema))
    for entry in fresh:
        _released(folder, entry.record, entry.version).write_text(json.dumps(entry.schema, indent=2) + "\n")
    rows = [
        {"id": entry.id, "record": entry.record, "version": entry.version, "fingerprint": entry.fingerprint}
        for entry in [*known, *fresh]
    ]
    (folder / "schemas.lock").write_text(json.dumps({"schemas": rows}, indent=1) + "\n")
    return [f"{entry.record} v{entry.version} = id {entry.id}" for entry in fresh]


def gate(types: dict[str, Schema], known: list[Version]) -> None:
    """FULL_TRANSITIVE against every released version, and nothing changes its meaning.

    Raises IncompatibleSchema with every problem found.
    """
    problems = [
        f"{entry.record} against v{entry.version}: {problem}"
        for entry in known
        for problem in _removed(entry, types) or compare(entry.schema, resolve(entry.record, types))
    ]
    if problems:
        advice = "Give a changed record a new name (V2) and keep the old one readable."
        raise IncompatibleSchema("; ".join(problems) + ". " + advice)


def _removed(entry: Version, types: dict[str, Schema]) -> list[str]:
    return [] if entry.record in types else ["the record was removed, and the tape still holds it"]


def compare(old: Schema, new: Schema, path: str = "") -> list[str]:
    """Problems of reading old data with the new schema or new data with the old one; empty when there are none."""
    if isinstance(old, list) or isinstance(new, list):
        return _compare_unions(old, new, path)
    if isinstance(old, str) or isinstance(new, str):
        return [] if old == new else [f"{path}: type changed from {_kind(old)} to {_kind(new)}"]
    if old["type"] != new["type"]:
        return [f"{path}: type changed from {_kind(old)} to {_kind(new)}"]
    changed = [
        f"{path}: {key} changed from {old.get(key)} to {new.get(key)}"
        for key in _MEANING
        if old.get(key) != new.get(key)
    ]
    match old["type"]:
        case "record":
            return changed + _compare_records(old, new, path)
        case "enum":
            return changed + _compare_enums(old, new, path)
        case "array":
            return changed + compare(old["items"], new["items"], f"{path}[]")
        case "map":
            return changed + compare(old["values"], new["values"], f"{path}{{}}")
        case _:
            return changed


def _kind(node: Schema) -> str:
    return str(node.get("name", node["type"])) if isinstance(node, dict) else str(node)


def _compare_unions(old: Schema, new: Schema, path: str) -> list[str]:
    if not (isinstance(old, list) and isinstance(new, list) and len(old) == len(new)):
        return [f"{path}: branches of a union changed"]
    return [problem for before, after in zip(old, new, strict=True) for problem in compare(before, after, path)]


def _compare_enums(old: Schema, new: Schema, path: str) -> list[str]:
    removed = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
    if removed:
        return [f"{path}: enum symbols removed: {', '.join(removed)}"]
    if old["symbols"] != new["symbols"]:
        return [f"{path}: enum symbols changed"]
    return []


def _compare_records(old: Schema, new: Schema, path: str) -> list[str]:
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    named = [] if full_name(old) == full_name(new) else [f"{path}: record renamed"]
    added = [
        f"{path}.{name}: added without a default, so old data cannot be read"
        for name in after
        if name not in before and "default" not in after[name]
    ]
    dropped = [
        f"{path}.{name}: removed, and released readers have no default for it"
        for name in before
        if name not in after and "default" not in before[name]
    ]
    common = [name for name in before if name in after]
    changed = [p for name in common for p in compare(before[name]["type"], after[name]["type"], f"{path}.{name}")]
    defaults = [
        f"{path}.{name}: default changed"
        for name in common
        if before[name].get("default", ...) != after[name].get("default", ...)
    ]
    return named + added + dropped + changed + defaults
