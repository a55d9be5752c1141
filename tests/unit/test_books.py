"""The second opinion: its rule, its arithmetic, its judgement; and on a copied tape, every lie is named."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clearing.booking import positions
from tests.unit.audit_stage import SERVICES, Stage, Tape, traded
from tests.unit.desk import ANN
from truetape import ids, tape
from truetape import messages as m
from truetape.books import BooksReport, audit_books, claims, judge
from truetape.books.judge import Holding
from truetape.books.rule import Rule
from truetape.books.sums import Positions
from truetape.books.trades import moves
from truetape.books.wide import is_ceiling, is_floor, is_half_even, product
from truetape.codec import decode, encode
from truetape.errors import MoneyError
from truetape.happenings import Part
from truetape.money import Rounding, divide
from truetape.schema import released
from truetape.topics import CLEARING_ENTRIES, ORDERS_EXECUTIONS, PARTITIONS

LONGS = st.one_of(st.integers(-(2**62), 2**62), st.integers(-50, 50))
PARTITION = ids.partition_of(ANN, PARTITIONS)
ENTRIES, EXECUTIONS = Part(CLEARING_ENTRIES.name, PARTITION), Part(ORDERS_EXECUTIONS.name, PARTITION)
STEPS = st.tuples(st.integers(1, 4), st.integers(0, 5), st.booleans())


def column(values: list[int]) -> Any:
    return np.array(values, np.int64)


# -- the reader's rule -------------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=14), st.integers(0, 14))
def test_the_rule_by_columns_is_the_rule_by_records(steps: list[tuple[int, int, bool]], cut: int) -> None:
    steps = [(epoch, 0 if began else max(sequence, 1), began) for epoch, sequence, began in steps]
    last, expected, gap = tape.START, [], False
    for epoch, sequence, began in steps:
        verdict = tape.judge(last, epoch, sequence, began)
        gap |= verdict is tape.Verdict.GAP
        expected.append(verdict is tape.Verdict.ACCEPT and not gap)
        if expected[-1]:
            last = tape.Place(epoch, 0 if began else sequence)
    rule, found = Rule(), list[bool]()
    for some in (steps[:cut], steps[cut:]):
        if some and not rule.gap:
            epochs, sequences, began_ = zip(*some, strict=True)
            found += rule.accept(column(list(epochs)), column(list(sequences)), np.array(began_)).tolist()
    assert found == expected[: len(found)] and not any(expected[len(found) :])
    assert bool(rule.gap) == gap
    assert (rule.epoch, rule.sequence) == last


# -- arithmetic --------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(LONGS, LONGS)
def test_products_lose_nothing(a: int, b: int) -> None:
    wide = product(column([a]), column([b]))
    assert (int(wide.high[0]) << 64) + int(wide.low[0]) == a * b


@settings(max_examples=400, deadline=None)
@given(LONGS, st.integers(0, 2**61), st.integers(1, 2**61), st.integers(-2, 2))
def test_a_quotient_is_right_exactly_when_division_gives_it(a: int, b: int, divisor: int, off: int) -> None:
    checks: list[tuple[Any, Rounding]] = [(is_floor, "down"), (is_ceiling, "up"), (is_half_even, "half_even")]
    for check, rounding in checks:
        right, _ = divide(a * b, divisor, rounding)
        claimed = right + off
        if abs(claimed) < 2**62:
            found = check(column([a]), column([b]), column([claimed]), column([divisor]))[0]
            assert found == (off == 0), rounding


AMOUNTS = st.one_of(st.integers(-(2**59), 2**59), st.integers(-20, 20))


@settings(max_examples=400, deadline=None)
@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS.filter(bool), AMOUNTS, st.tuples(*[st.integers(-1, 1)] * 3))
def test_positions_move_as_clearing_moves_them_and_not_otherwise(
    quantity: int, cost: int, realised: int, moved: int, paid: int, off: tuple[int, int, int]
) -> None:
    held = Holding(quantity, cost if quantity else 0, realised)
    try:
        theirs = positions.trade(m.Position("i", *held), moved, paid)
    except MoneyError:
        return
    ours = judge.after(held, moved, paid)
    assert ours == Holding(theirs.quantity_e8, theirs.cost_e8, theirs.realised_e8)
    said = [value + change for value, change in zip(ours, off, strict=True)]
    if all(abs(value) < 2**60 for value in said):
        found = moves(
            tuple(column([value]) for value in held), tuple(column([value]) for value in said), column([moved]),
            column([paid]),
        )  # fmt: skip
        assert bool(found[0]) == (off == (0, 0, 0))


@given(st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), max_size=6), max_size=6))
def test_positions_stand_by_their_keys_in_whatever_order_those_come(batches: list[list[tuple[int, int]]]) -> None:
    kept, known = Positions(), dict[int, Holding]()
    for batch in batches:
        for key, quantity in batch:
            kept.set(key, Holding(quantity, -quantity, 1))
            known[key] = Holding(quantity, -quantity, 1)
        several = column(sorted({key + shift for key, _ in batch for shift in (0, 1)}))
        places = kept._places(several).tolist()  # Several at once, some of them new.
        known |= {key: Holding(0, 0, 0) for key in several.tolist() if key not in known}
        assert dict(kept.items()) == known
        assert [list(kept.items())[place][0] for place in places] == several.tolist()
        assert all(kept.get(key) == held for key, held in known.items())


# -- whole tapes -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage() -> Stage:
    return traded()


@pytest.fixture
def copied(stage: Stage) -> Tape:
    return stage.copy()


def opinion(of: Tape, ask: Any = None) -> BooksReport:
    return audit_books(of.broker.log("books"), of.settings, SERVICES["clearing"], ask or of.ask, {})


def named(report: BooksReport, check: str = "invariant") -> list[tuple[str, str]]:
    return [(one.account_id, one.what) for one in report.differences if one.check == check]


def test_a_true_tape_is_equal_to_the_service_and_its_snapshots(stage: Stage) -> None:
    report = opinion(stage, stage.ask)
    assert (report.equal, report.compared, report.differences) == (True, {"live": "equal", "snapshot": "equal"}, [])
    fills = [one for p in range(PARTITIONS) for one in stage.messages(Part(ORDERS_EXECUTIONS.name, p))]
    assert report.fills == sum(isinstance(one, m.OrderFilled) for one in fills) > 5
    assert (report.judged, report.pending, report.positions) == (0, 0, 2)


def test_a_tape_of_two_versions_of_a_type_is_read_whole(copied: Tape) -> None:
    """Entries of the first version end before `release` and `contract`: half of the tape is as an older clearing wrote
    it."""
    older = next(v.id for v in released() if (v.record, v.version) == ("truetape.EntryBooked", 1))
    for part in (Part(CLEARING_ENTRIES.name, p) for p in range(PARTITIONS)):
        records: list[Any] = copied.broker.partition(part)._records
        for index in range(len(records) // 2):
            if isinstance(decode(records[index].value), m.EntryBooked):
                value = b"\0" + older.to_bytes(4, "big") + records[index].value[5:-2]
                assert decode(value) == decode(records[index].value)
                records[index] = records[index]._replace(value=value)
    report = opinion(copied)
    assert (report.equal, report.fills > 5) == (True, True), report.differences


def trade(event: Any) -> bool:
    return isinstance(event, m.EntryBooked) and event.kind == "TRADE"


def changed(of: Tape, change: Any, kind: type = m.EntryBooked, part: Part = ENTRIES, wanted: Any = trade) -> None:
    """Rewrite the last such record."""
    records: list[Any] = of.broker.partition(part)._records
    index = max(n for n, event in enumerate(of.messages(part)) if isinstance(event, kind) and wanted(event))
    event = of.messages(part)[index]
    records[index] = records[index]._replace(value=encode(change(event)))


def with_line(entry: m.EntryBooked, place: int, **changes: Any) -> m.EntryBooked:
    lines = list(entry.lines)
    lines[place] = msgspec.structs.replace(lines[place], **changes)
    return msgspec.structs.replace(entry, lines=tuple(lines))


def test_a_changed_fee_is_named_by_account_and_line(copied: Tape) -> None:
    def lie(entry: m.EntryBooked) -> m.EntryBooked:
        house = [n for n, line in enumerate(entry.lines) if line.purpose == "house_fee"]
        entry = with_line(entry, house[0], amount_e8=entry.lines[house[0]].amount_e8 - 7)
        return with_line(entry, house[1], amount_e8=entry.lines[house[1]].amount_e8 + 7)

    changed(copied, lie)
    report = opinion(copied)
    assert not report.equal and report.judged >= 1
    assert named(report) == [(ANN, f"line client:{ANN} USDT house_fee"), (ANN, "line house:fees USDT house_fee")]


def test_a_wrong_sign_is_named(copied: Tape) -> None:
    changed(copied, lambda entry: with_line(entry, 0, amount_e8=-entry.lines[0].amount_e8))
    assert (ANN, f"line client:{ANN} BTC principal") in named(opinion(copied))
    assert (ANN, "sum of BTC") in named(opinion(copied))


@pytest.mark.parametrize("field", ["quantity_e8", "cost_e8", "realised_e8"])
def test_a_changed_position_is_named_once(copied: Tape, field: str) -> None:
    def lie(entry: m.EntryBooked) -> m.EntryBooked:
        assert entry.position is not None
        position = msgspec.structs.replace(entry.position, **{field: getattr(entry.position, field) + 1})
        return msgspec.structs.replace(entry, position=position)

    changed(copied, lie)
    assert named(opinion(copied)) == [(ANN, f"position.{field}")]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"realised_e8": 5}, "realised_e8"), ({"filled_e8": 1}, "filled_e8"), ({"rule": "trade, kindly"}, "rule"),
        ({"rule": "trade, TAKER fee 999e-8 rounded up"}, "rule"), ({"execution_id": "x"}, "execution_id"),
        ({"entry_id": "x"}, "entry_id"), ({"account_id": "bob"}, "account_id"), ({"position": None}, "position"),
    ],
)  # fmt: skip
def test_any_other_changed_field_is_named(copied: Tape, changes: dict[str, Any], what: str) -> None:
    changed(copied, lambda entry: msgspec.structs.replace(entry, **changes))
    assert (ANN, what) in named(opinion(copied))


def test_a_changed_fill_is_named(copied: Tape) -> None:
    def lie(fill: m.OrderFilled) -> m.OrderFilled:
        return msgspec.structs.replace(fill, fee_e8=fill.fee_e8 + 1)

    changed(copied, lie, m.OrderFilled, EXECUTIONS, lambda fill: True)
    assert named(opinion(copied)) == [
        (ANN, f"line client:{ANN} USDT venue_fee"), (ANN, "line venue:alpha USDT venue_fee")
    ]  # fmt: skip


def test_a_fill_that_no_entry_books_is_named(copied: Tape) -> None:
    """The entry of an earlier fill becomes a deposit's twin: its fill is booked by nobody."""
    first = next(n for n, event in enumerate(copied.messages(ENTRIES)) if trade(event))
    event = copied.messages(ENTRIES)[first]
    meta = msgspec.structs.replace(event.meta, cause=m.Cause("orders.executions", PARTITION, 999_999, ""))
    records: list[Any] = copied.broker.partition(ENTRIES)._records
    records[first] = records[first]._replace(value=encode(msgspec.structs.replace(event, meta=meta)))
    found = opinion(copied)
    assert named(found) == [(ANN, "fill"), (ANN, "fill")]
    assert [one.other for one in found.differences] == [f"entry {event.entry_id}", "no entry books it"]


def again(of: Tape, part: Part) -> None:
    """The last fill, or the last trade, once more as its owner would write it."""
    found = [event for event in of.messages(part) if isinstance(event, m.OrderFilled) or trade(event)][-1]
    last = of.messages(part)[-1].meta
    meta = msgspec.structs.replace(found.meta, sequence=last.sequence + 1, epoch=last.epoch)
    of.broker.produce(part, b"", encode(msgspec.structs.replace(found, meta=meta)))


def test_a_doubled_fill_and_a_doubled_entry_are_named(copied: Tape) -> None:
    again(copied, EXECUTIONS)
    found = opinion(copied)
    assert (named(found), found.pending) == ([(ANN, "execution_id")], 1)
    again(copied, ENTRIES)
    found = opinion(copied)
    assert (ANN, "fill") in named(found) and any(one.other == "booked again" for one in found.differences)


def test_a_missing_record_is_a_gap(copied: Tape) -> None:
    records: list[Any] = copied.broker.partition(ENTRIES)._records
    event = copied.messages(ENTRIES)[3]
    meta = msgspec.structs.replace(event.meta, sequence=event.meta.sequence + 1)
    records[3] = records[3]._replace(value=encode(msgspec.structs.replace(event, meta=meta)))
    report = opinion(copied)
    assert not report.equal and len(report.gaps) == 1 and str(ENTRIES) in report.gaps[0]


def test_void_records_and_stray_bytes_are_counted_and_passed_over(copied: Tape) -> None:
    last = copied.messages(ENTRIES)[-1]
    stale = msgspec.structs.replace(last, meta=msgspec.structs.replace(last.meta, epoch=0))
    copied.broker.produce(ENTRIES, b"", encode(stale))
    copied.broker.produce(ENTRIES, b"", b"hello")
    copied.broker.produce(ENTRIES, b"", encode(last)[:-2])
    report = opinion(copied)
    assert (report.equal, report.voids, report.stray) == (True, 1, 2)


def test_a_snapshot_with_one_unit_more_is_named(stage: Stage, copied: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    true = claims.of_snapshot
    key = ("balance", f"client:{ANN}", "USDT")
    monkeypatch.setattr(
        "truetape.books.run.of_snapshot", lambda kept: {k: v + (k == key) for k, v in true(kept).items()}
    )
    report = opinion(copied)
    assert report.compared["snapshot"] == "differs"
    assert named(report, "snapshot") == [(ANN, f"balance client:{ANN} USDT")]


def test_numbers_too_large_for_columns_are_judged_one_by_one() -> None:
    fill = judge.Fill("ann", "alpha", "I", "B", "Q", 1, 2**62, 10**8, 2**62, "Q", 0, "TAKER")
    assert judge.principal_e8(fill) == -(2**62)
    held = judge.after(Holding(-(2**61), -(2**62), 7), 2**62, 2**62)
    theirs = positions.trade(m.Position("I", -(2**61), -(2**62), 7), 2**62, 2**62)
    assert held == Holding(theirs.quantity_e8, theirs.cost_e8, theirs.realised_e8)
