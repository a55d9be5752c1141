"""Compiled encoders write exactly the bytes that fastavro writes, for every record type and any values."""

from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from truetape import codec, messages, schema
from truetape.avro import write_long

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
    wire = codec.encode(message)
    assert wire[codec.HEADER.size :] == reference.getvalue()
    assert codec.decode(wire) == message


@given(LONGS)
def test_longs(value: int) -> None:
    reference = BytesIO()
    schemaless_writer(reference, parse_schema("long"), value)
    assert write_long(value) == reference.getvalue()


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**200])
def test_longs_beyond_64_bits(value: int) -> None:
    with pytest.raises(OverflowError):
        write_long(value)
