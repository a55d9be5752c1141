"""What is generated reads and writes exactly the bytes that fastavro does, for every record type and any values."""

import importlib
import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from truetape import avro, codec, messages, schema
from truetape.wire import compiled, primitives, records

TYPES = schema.load()
LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-200, 20_000))
TEXTS = st.one_of(st.sampled_from(["", "USDT", "client:acc-1"]), st.text(max_size=80))


def values(node: Any) -> st.SearchStrategy[Any]:
    """Any value of a schema, as plain Python."""
    node = TYPES.get(node, node) if isinstance(node, str) else node
    match node["type"] if isinstance(node, dict) else node:
        case ["null", branch]:
            return st.one_of(st.none(), values(branch))
        case "record":
            return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in node["fields"]})
        case "enum":
            return st.sampled_from(node["symbols"])
        case "array":
            return st.lists(values(node["items"]), max_size=3)
        case "map":
            return st.dictionaries(TEXTS, values(node["values"]), max_size=3)
        case "int":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return LONGS
        case "boolean":
            return st.booleans()
        case "bytes":
            return st.binary(max_size=50)
        case "string":
            return TEXTS
        case other:
            raise AssertionError(other)


META = messages.Meta(1, 2, messages.Cause("x", 0, 1, ""), 3, "e", "c")
COPIES = [records] + ([compiled.load()] if compiled.load() is not records else [])
"""The plain modules and, where there is a C compiler, the compiled ones: both are held to the same."""


@pytest.mark.parametrize("root", messages.ROOTS, ids=lambda root: root.__name__)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_same_bytes_as_fastavro(root: type[msgspec.Struct], data: st.DataObject) -> None:
    name = f"truetape.{root.__name__}"
    fields = data.draw(values(name))
    message = msgspec.convert(fields, root)
    reference = BytesIO()
    parsed = parse_schema(schema.bare(schema.resolve(name, TYPES), logical=False), named_schemas={})
    schemaless_writer(reference, parsed, fields)
    for copy in COPIES:
        wire = copy.ENCODERS[root](message)
        assert wire[codec.HEADER.size :] == reference.getvalue()
        assert copy.DECODERS[codec.schema_id(root)](wire) == message


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(schema.released()), st.binary(max_size=120))
def test_any_bytes_are_read_as_fastavro_reads_them(version: schema.Version, body: bytes) -> None:
    parsed = parse_schema(schema.bare(version.schema, logical=False), named_schemas={})
    source = BytesIO(body)
    try:
        fields = schemaless_reader(source, parsed, None)
    except Exception:  # fastavro raises a dozen kinds
        fields = None
    for copy in COPIES:
        try:
            found = copy.DECODERS[version.id](b"\0\0\0\0\0" + body)
        except (ValueError, IndexError):
            continue
        assert fields is not None and source.tell() == len(body)
        assert found == msgspec.convert(fields, type(found))
        assert all(other.DECODERS[version.id](b"\0\0\0\0\0" + body) == found for other in COPIES)


def test_a_short_string_is_known_again_unless_it_is_mere_digits() -> None:
    for text, known in (
        ("bench-0", True),
        ("alpha:BTCUSDT:7:B", True),
        ("1764230400000000123", False),
        ("x" * 25, False),
    ):
        primitives.STRINGS.pop(text, None)
        for _ in range(2):
            out: list[bytes] = []
            primitives.write_string(out, text)
            assert b"".join(out) == bytes((2 * len(text),)) + text.encode()
        assert (text in primitives.STRINGS) is known


@pytest.mark.parametrize("copy", [sys.modules[f"{records.__package__}.primitives"] for records in COPIES])
@given(value=LONGS)
def test_longs(copy: Any, value: int) -> None:
    reference, out = BytesIO(), list[bytes]()
    schemaless_writer(reference, parse_schema("long"), value)
    copy.write_long(out, value)
    assert b"".join(out) == reference.getvalue()
    assert copy.read_long(b"".join(out), 0) == (value, len(reference.getvalue()))


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**200, None, "1", 1.5])
def test_values_that_do_not_fit_are_refused(copy: Any, value: Any) -> None:
    began = messages.Began(messages.Meta(1, 0, messages.Cause("group", 0, -1, ""), value, "e", ""), "i")
    with pytest.raises((OverflowError, ValueError, TypeError)):
        copy.ENCODERS[messages.Began](began)


def test_an_older_version_is_read_as_todays_message() -> None:
    older = json.loads(json.dumps(schema.resolve("truetape.EntryBooked", TYPES)))
    older["fields"] = [field for field in older["fields"] if field["name"] != "external_reference"]
    older["fields"].insert(2, {"name": "gone", "type": ["null", "string"], "default": None})
    scope: dict[str, Any] = {"__name__": "truetape.wire.older", "__package__": "truetape.wire"}
    exec(avro.render([schema.Version(7, "truetape.EntryBooked", 1, "", older)], TYPES), scope)
    entry = messages.EntryBooked(
        meta=messages.Meta(1, 2, messages.Cause("orders.executions", 0, 5, ""), 9, "e", "c"), entry_id="entry",
        account_id="acc", kind="TRADE", rule="rule", lines=(messages.Line("client:acc", "BTC", 5, "principal"),),
        realised_e8=0, filled_e8=5, transacted_at_us=7, order_id="o",
    )  # fmt: skip
    fields = {**msgspec.to_builtins(entry), "gone": "once"}
    out = BytesIO()
    schemaless_writer(out, parse_schema(schema.bare(older, logical=False), named_schemas={}), fields)
    assert scope["DECODERS"][7](b"\0\0\0\0\7" + out.getvalue()) == entry


@pytest.mark.parametrize("copy", COPIES)
def test_names_are_one_object_and_a_bounded_number_of_them_is_remembered(copy: Any) -> None:
    """An asset is read once and then found; a flood of new names only costs the memory of them."""
    reads = importlib.import_module(f"{copy.__name__.rpartition('.')[0]}.primitives")

    def read(text: str) -> str:
        data = b"??" + copy.ENCODERS[messages.Began](messages.Began(META, text))[-len(text.encode()) - 1 :] + b"!"
        found: tuple[str, int] = reads.read_name(data, 2)
        assert found == (text, len(data) - 1)
        return found[0]

    assert read("a contract of 2026") is read("a contract of 2026") and read("") == ""
    assert read("é" * 20) is read("é" * 20)
    for number in range(10_000):
        read(f"flood-{number}")
    assert read("a contract of 2026") is read("a contract of 2026")
    assert len(reads.NAMES) <= 8_192
    for wrong in (b"\x06ab", b"\x05ab", b"", b"\x02\xff"):
        with pytest.raises((ValueError, IndexError)):
            reads.read_name(wrong, 0)


def test_what_cannot_be_compiled_stays_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert not compiled.build(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert not compiled.build(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_compiled_copy_counts_only_when_it_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its modules share is a file beside the package: a copied environment has lacked it."""
    monkeypatch.setenv("PATH", "")  # Nothing is compiled here.
    package = tmp_path / compiled.name()
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "records.py").write_text("import shared_by_truetape_wire")
    assert not compiled.build(tmp_path)
    (tmp_path / "shared_by_truetape_wire.py").touch()
    assert compiled.build(tmp_path)
