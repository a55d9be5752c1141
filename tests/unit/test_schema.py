"""The contract: documentation, freshness, and a gate that refuses what a released reader could not live with."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from truetape import avro, codegen, schema
from truetape.errors import IncompatibleSchema

ROOTS = [version for version in schema.released() if version.record == "truetape.OrderFilled"]


@pytest.fixture
def filled() -> Any:
    """A released schema, to be changed by a test."""
    return copy.deepcopy(ROOTS[-1].schema)


def field(record: Any, name: str) -> Any:
    return next(f for f in record["fields"] if f["name"] == name)


def test_every_field_and_type_is_documented() -> None:
    for name, named in schema.load().items():
        assert named.get("doc"), f"{name} has no doc"
        for entry in named.get("fields", []):
            assert entry.get("doc"), f"{name}.{entry['name']} has no doc"


def test_messages_are_fresh() -> None:
    types = schema.load()
    assert codegen.MESSAGES.read_text() == codegen.formatted(codegen.render(types)), "run `make schemas`"
    records = avro.render(schema.history(), types)
    assert codegen.RECORDS.read_text() == codegen.formatted(records), "run `make schemas`"


def test_every_root_is_released_as_it_stands() -> None:
    types = schema.load()
    newest = {version.record: version for version in schema.released()}
    for name in schema.roots(types):
        assert newest[name].fingerprint == schema.fingerprint(schema.resolve(name, types)), (
            f"{name}: run `make schemas`"
        )


def test_ids_are_fixed_and_unique() -> None:
    ids = [version.id for version in schema.released()]
    assert ids == list(range(1, len(ids) + 1))


def test_history_is_what_the_lock_says() -> None:
    for version in schema.released():
        assert schema.fingerprint(version.schema) == version.fingerprint, version.record


def test_no_released_schema_breaks_another() -> None:
    schema.gate(schema.load(), schema.released())


def test_refuses_a_changed_scale(filled: Any) -> None:
    field(filled, "price_e8")["type"]["scale"] = 4
    assert schema.compare(ROOTS[-1].schema, filled) == [".price_e8: scale changed from 8 to 4"]


def test_refuses_a_changed_logical_type(filled: Any) -> None:
    field(filled, "transacted_at_us")["type"]["logicalType"] = "timestamp-millis"
    assert "logicalType changed" in schema.compare(ROOTS[-1].schema, filled)[0]


def test_refuses_a_removed_enum_symbol(filled: Any) -> None:
    field(filled, "liquidity")["type"]["symbols"].remove("TAKER")
    assert schema.compare(ROOTS[-1].schema, filled) == [".liquidity: enum symbols removed: TAKER"]


def test_refuses_an_added_or_reordered_enum_symbol(filled: Any) -> None:
    field(filled, "side")["type"]["symbols"].reverse()
    assert schema.compare(ROOTS[-1].schema, filled) == [".side: enum symbols changed"]


def test_refuses_a_field_without_default(filled: Any) -> None:
    filled["fields"].append({"name": "desk", "type": "string", "doc": "Desk"})
    assert "added without a default" in schema.compare(ROOTS[-1].schema, filled)[0]


def test_refuses_a_removed_field_without_default(filled: Any) -> None:
    filled["fields"].remove(field(filled, "fee_e8"))
    assert "no default for it" in schema.compare(ROOTS[-1].schema, filled)[0]


def test_refuses_a_widened_type(filled: Any) -> None:
    field(filled, "leg")["type"] = "long"
    assert schema.compare(ROOTS[-1].schema, filled) == [".leg: type changed from int to long"]


def test_refuses_a_new_branch_of_a_union() -> None:
    old: Any = {"type": "record", "namespace": "t", "name": "R", "fields": [{"name": "a", "type": ["null", "long"]}]}
    new = copy.deepcopy(old)
    new["fields"][0]["type"].append("string")
    assert schema.compare(old, new) == [".a: branches of a union changed"]


def test_takes_a_field_with_default_and_a_new_doc(filled: Any) -> None:
    filled["fields"].append({"name": "desk", "type": ["null", "string"], "default": None, "doc": "Desk"})
    filled["doc"] = "Said better"
    assert schema.compare(ROOTS[-1].schema, filled) == []


def test_lock_releases_a_compatible_change_under_the_next_id(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    shutil.copytree(schema.SCHEMAS, folder)
    _edit(folder, "orders.executions", "OrderFilled", lambda record: record["fields"].append(
        {"name": "desk", "type": ["null", "string"], "default": None, "doc": "Desk"}))  # fmt: skip
    before = len(schema.history(folder))
    assert schema.lock(folder) == [f"truetape.OrderFilled v3 = id {before + 1}"]
    assert schema.lock(folder) == []


def test_lock_writes_nothing_when_the_gate_refuses(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    shutil.copytree(schema.SCHEMAS, folder)
    _edit(folder, "orders.executions", "OrderFilled", lambda record: record["fields"].pop(-2))
    before = (folder / "schemas.lock").read_text()
    with pytest.raises(IncompatibleSchema, match="new name"):
        schema.lock(folder)
    assert (folder / "schemas.lock").read_text() == before


def test_lock_refuses_a_removed_record(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"
    shutil.copytree(schema.SCHEMAS, folder)
    path = folder / "market.marks.avsc"
    path.write_text("[]")
    with pytest.raises(IncompatibleSchema, match="MarkPublished"):
        schema.lock(folder)


def _edit(folder: Path, stem: str, name: str, change: Any) -> None:
    path = folder / f"{stem}.avsc"
    types = json.loads(path.read_text())
    change(next(t for t in types if t["name"] == name))
    path.write_text(json.dumps(types))
