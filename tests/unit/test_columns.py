"""Columns say what the codec says, for every message that can be; and what is no record is refused by name."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.desk import some_meta
from truetape import messages as m
from truetape.codec import encode
from truetape.columns import NULL, Names, Text, Wire, decode, fingerprints
from truetape.errors import UndecodableRecord
from truetape.schema import released

LONGS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-300, 300), st.integers(0, 2**56).map(lambda n: n - 1))
TEXTS = st.text(max_size=40)
SCHEMAS = {version.record: version.schema for version in released()}
FIELDS = frozenset(
    """
    meta.epoch meta.cause.offset meta.correlation_id entry_id kind execution_id corrects lines.account
    lines.asset lines.amount_e8 position position.instrument_id position.cost_e8 realised_e8 transacted_at_us release
    contract contract.event contract.quantity_e8
    """.split()  # noqa: SIM905
)
CAUSES = st.builds(m.Cause, TEXTS, st.integers(0, 9), LONGS, TEXTS)
METAS = st.builds(m.Meta, LONGS, LONGS, CAUSES, LONGS, TEXTS, TEXTS)
CONTRACTS = st.builds(
    m.ContractBooking, event=st.sampled_from(["TRADE", "FUNDING"]), instrument_id=TEXTS, settlement_asset=TEXTS,
    counterparty=TEXTS, fact_id=TEXTS, quantity_e8=LONGS, paid_e8=LONGS, settled_e8=LONGS, funding_index_e18=TEXTS,
    numbers=st.dictionaries(TEXTS, LONGS, max_size=4), ids=st.dictionaries(TEXTS, TEXTS, max_size=4),
)  # fmt: skip
ENTRIES = st.builds(
    m.EntryBooked, meta=METAS, entry_id=TEXTS, account_id=TEXTS, kind=st.sampled_from(["TRADE", "DEPOSIT"]),
    rule=TEXTS, lines=st.lists(st.builds(m.Line, TEXTS, TEXTS, LONGS, TEXTS), max_size=9).map(tuple), realised_e8=LONGS,
    filled_e8=LONGS, transacted_at_us=LONGS, execution_id=st.none() | TEXTS, corrects=st.none() | TEXTS,
    position=st.none() | st.builds(m.Position, TEXTS, LONGS, LONGS, LONGS), contract=st.none() | CONTRACTS,
)  # fmt: skip


def columns(values: list[bytes]) -> tuple[Wire, Any, Any]:
    wire = Wire(values)
    found, behind = decode(wire, wire.starts + 5, SCHEMAS["truetape.EntryBooked"], FIELDS)
    return wire, found, behind


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=6))
def test_columns_hold_what_was_written(entries: list[m.EntryBooked]) -> None:
    wire, found, behind = columns([encode(entry) for entry in entries])
    assert behind.tolist() == wire.ends.tolist()
    for row, entry in enumerate(entries):
        assert found.number("meta.epoch")[row] == entry.meta.epoch
        assert found.number("meta.cause.offset")[row] == entry.meta.cause.offset
        assert found.number("realised_e8")[row] == entry.realised_e8
        assert found.number("transacted_at_us")[row] == entry.transacted_at_us
        assert found.text("meta.correlation_id").read(wire, row) == entry.meta.correlation_id
        assert (found.text("corrects").lengths[row] == NULL) == (entry.corrects is None)
        assert found.text("execution_id").read(wire, row) == (entry.execution_id or "")
        assert found.counts["lines"][row] == len(entry.lines)
        for place, line in enumerate(entry.lines):
            assert found.number("lines.amount_e8")[place, row] == line.amount_e8
            accounts = found.text("lines.account")
            assert Text(accounts.starts[place], accounts.lengths[place]).read(wire, row) == line.account
        assert (found.text("position.instrument_id").lengths[row] == NULL) == (entry.position is None)
        if entry.position is not None:
            assert found.number("position.cost_e8")[row] == entry.position.cost_e8
        if entry.contract is not None:
            assert found.number("contract.quantity_e8")[row] == entry.contract.quantity_e8


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=90), min_size=1, max_size=30))
def test_equal_strings_have_equal_numbers_and_others_others(texts: list[str]) -> None:
    raw = [text.encode() for text in texts]
    wire = Wire(raw)
    column = Text(wire.starts, wire.ends - wire.starts)
    names = Names()
    numbers = names.numbers(wire, column).tolist()
    assert [names.texts[number] for number in numbers] == texts
    assert names.numbers(wire, column).tolist() == numbers
    for which in (0, 1):
        hashes = fingerprints(wire, column, which).tolist()
        assert len(set(hashes)) == len(set(texts))
        assert len(set(zip(hashes, texts, strict=True))) == len(set(texts))


def whole(**changes: Any) -> bytes:
    meta = m.Meta(1, 2, m.Cause("orders.executions", 0, 5, ""), 3, "event", "order")
    entry: dict[str, Any] = {
        "entry_id": "e", "account_id": "ann", "kind": "TRADE", "rule": "r", "lines": (m.Line("a", "b", 1, "c"),),
        "realised_e8": 0, "filled_e8": 0, "transacted_at_us": 0,
    }  # fmt: skip
    return encode(m.EntryBooked(meta=meta, **(entry | changes)))


@pytest.mark.parametrize("cut", [1, 3, 10, 20])
def test_a_record_that_is_cut_off_does_not_end_where_it_should(cut: int) -> None:
    try:
        wire, _, behind = columns([whole()[:-cut]])
    except UndecodableRecord:
        return
    assert behind.tolist() != wire.ends.tolist()


def test_what_is_no_avro_is_refused_by_name() -> None:
    with pytest.raises(UndecodableRecord, match="longer than 64 bits"):
        columns([b"\0\0\0\0\3" + b"\xff" * 40])
    with pytest.raises(UndecodableRecord, match="impossible length"):
        columns([b"\0\0\0\0\3\2\4\1" + b"x" * 40])
    good = whole()
    at = good.index(b"e\x06ann") + 5
    with pytest.raises(UndecodableRecord, match="stands for nothing"):
        columns([good[:at] + b"\x7e" + good[at + 1 :]])


def test_numbers_of_every_length_come_back() -> None:
    amounts = [sign * (1 << bits) + step for bits in range(63) for sign in (1, -1) for step in (-1, 0, 1)]
    amounts += [2**63 - 1, -(2**63)]
    _, found, _ = columns([whole(realised_e8=amount) for amount in amounts])
    assert found.number("realised_e8").tolist() == amounts
    assert found.number("realised_e8").dtype == np.int64


def test_a_record_is_read_to_its_end_though_its_last_field_is_not_wanted() -> None:
    """A field that a newer version adds behind those that somebody reads."""
    entry = m.ClearingRefused(some_meta(), "c", "ann", "BookTrade", "desk", "STATE_WRONG", "why", {"a": 1})
    wire = Wire([encode(entry)])
    schema = SCHEMAS["truetape.ClearingRefused"]
    _, behind = decode(wire, wire.starts + 5, schema, frozenset({"account_id"}), whole=True)
    assert behind.tolist() == wire.ends.tolist()
    _, behind = decode(wire, wire.starts + 5, schema, frozenset({"account_id"}))
    assert behind.tolist() < wire.ends.tolist()
