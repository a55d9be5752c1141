"""The wire format: what goes out comes back; what is not ours is refused by name."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truetape import codec, messages, schema
from truetape.errors import UndecodableRecord, Unencodable, UnknownSchema

META = messages.Meta(3, 7, messages.Cause("orders.commands", 1, 42, ""), 1_700_000_000_000_000, "e", "o")
LONG = st.integers(-(2**63), 2**63 - 1)


def ack(text: str = "v", at_us: int = 0) -> messages.OrderAcknowledged:
    return messages.OrderAcknowledged(META, "o", "acc", 0, "alpha", text, at_us)


@settings(deadline=None)
@given(st.text(max_size=40), LONG, LONG, LONG)
def test_round_trip(text: str, price_e8: int, amount_e8: int, at_us: int) -> None:
    seen = messages.BookSeen(
        venue=text, sequence=1, age_us=2, best_bid_e8=price_e8, best_ask_e8=None, fillable_e8=amount_e8
    )
    event = messages.OrderNotRouted(META, text, "acc", "NO_VENUE", (seen,))
    assert codec.decode(codec.encode(event)) == event
    assert codec.decode(codec.encode(ack(text, at_us))) == ack(text, at_us)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=10), LONG, max_size=5), st.binary(max_size=100))
def test_round_trip_of_maps_and_bytes(positions: dict[str, int], state: bytes) -> None:
    snapshot = messages.Snapshot("risk", 0, 1, 2, 3, "v", "d", 0, 1, positions, state)
    assert codec.decode(codec.encode(snapshot)) == snapshot


def test_header_is_confluents() -> None:
    wire = codec.encode(ack())
    assert wire[0] == 0
    assert int.from_bytes(wire[1:5], "big") == codec.schema_id(messages.OrderAcknowledged)


def test_every_root_has_an_id() -> None:
    assert {codec.schema_id(root) for root in messages.ROOTS} <= {version.id for version in schema.released()}


@pytest.mark.parametrize("wire", [b"", b"\x00", b"\x00\x00\x00\x00", b"{}      ", b"\x01\x00\x00\x00\x01abc"])
def test_refuses_what_is_not_the_wire_format(wire: bytes) -> None:
    with pytest.raises(UndecodableRecord, match="not the Confluent wire format"):
        codec.decode(wire)


def test_refuses_an_unknown_schema_id() -> None:
    with pytest.raises(UnknownSchema, match="999999"):
        codec.decode(codec.HEADER.pack(0, 999_999) + b"abc")


def test_refuses_bytes_left_over() -> None:
    with pytest.raises(UndecodableRecord, match="left over"):
        codec.decode(codec.encode(ack()) + b"\x00")


@settings(deadline=None)
@given(st.integers(5, 80))
def test_refuses_every_truncation(length: int) -> None:
    wire = codec.encode(ack())
    if length < len(wire):
        with pytest.raises(UndecodableRecord):
            codec.decode(wire[:length])


@settings(deadline=None)
@given(st.sampled_from([version.id for version in schema.released()]), st.binary(max_size=200))
def test_any_bytes_give_a_message_or_a_named_error(schema_id: int, body: bytes) -> None:
    try:
        message: Any = codec.decode(codec.HEADER.pack(0, schema_id) + body)
    except UndecodableRecord:
        return
    assert codec.decode(codec.encode(message)) == message


def test_refuses_a_number_beyond_64_bits() -> None:
    with pytest.raises(Unencodable, match="OrderAcknowledged"):
        codec.encode(ack(at_us=2**63))
