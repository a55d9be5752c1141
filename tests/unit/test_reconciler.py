"""Reconciliation as rows: what each side says, and which break it is; and proofs over any rows."""

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as change

from services.reconciler.books import Books, VenueBooks, add
from services.reconciler.core import Comparison, Difference, State, decide, evolve, identify
from services.reconciler.matched import Matched
from services.reconciler.matching import Cut, compare, effects
from truetape import messages as m
from truetape import snapshots
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import Input, Tables
from truetape.simbroker import SimBroker
from truetape.venue.reports import VenueBalance, VenueOrder, VenueTrade

ONE = 100_000_000
ASSETS = {"BTCUSDT": ("BTC", "USDT")}
META = m.Meta(1, 1, m.Cause("venue:alpha", 0, -1, "x"), 0, "e", "o")


def trade(number: int, side: m.Side = "BUY", quantity_e8: int = ONE, fee_e8: int = 1000) -> VenueTrade:
    """A fill as the venue lists it, at 60 000."""
    return VenueTrade(
        "alpha", "BTCUSDT", number, f"alpha:BTCUSDT:{number}:{side[0]}", str(number), side, quantity_e8, 60_000 * ONE,
        60_000 * quantity_e8, "USDT", fee_e8, "TAKER", 0,
    )  # fmt: skip


def fill(of: VenueTrade) -> m.OrderFilled:
    """The same fill as the tape has it."""
    return m.OrderFilled(
        META, f"order-{of.trade_id}", "acme", 0, "alpha", "BTC-USDT", "BTC", "USDT", of.side, of.execution_id,
        of.venue_order_id, of.quantity_e8, of.price_e8, of.quote_amount_e8, of.quantity_e8, 0, of.fee_asset, of.fee_e8,
        of.liquidity, "FILLED", 0, "stream",
    )  # fmt: skip


def books(*trades: VenueTrade, booked: bool = True, funds_e8: int = 1_000_000 * ONE) -> VenueBooks:
    """Our books with these fills, and a deposit of funds_e8 USDT at the venue."""
    ours = VenueBooks()
    ours.mirror_e8["USDT"] -= funds_e8
    ours.moved_e8["USDT"] += funds_e8
    for one in trades:
        ours.fills[one.execution_id] = fill(one)
        if booked:
            ours.booked[one.execution_id] = effects(one, ASSETS["BTCUSDT"])
            add(ours.mirror_e8, {asset: -amount_e8 for asset, amount_e8 in ours.booked[one.execution_id].items()})
    return ours


def cut(*trades: VenueTrade, funds_e8: int = 1_000_000 * ONE, orders: tuple[VenueOrder, ...] = ()) -> Cut:
    """What the venue says after these fills and the same deposit."""
    traded: dict[str, int] = {}
    for one in trades:
        add(traded, effects(one, ASSETS["BTCUSDT"]))
    return Cut(list(trades), traded, holding({"USDT": funds_e8}, *trades), orders, ASSETS)


def holding(funds_e8: dict[str, int], *trades: VenueTrade) -> list[VenueBalance]:
    """Balances after these funds and fills."""
    held = dict(funds_e8)
    for one in trades:
        add(held, effects(one, ASSETS["BTCUSDT"]))
    return [VenueBalance(asset, amount_e8, 0) for asset, amount_e8 in held.items() if amount_e8]


def classes(ours: VenueBooks, theirs: Cut) -> list[tuple[str, str]]:
    return sorted((one.break_class, one.key) for one in compare(ours, theirs).differences)


def order(name: str) -> VenueOrder:
    return VenueOrder("alpha", "BTCUSDT", "7", name, "BUY", "OPEN", "NEW", 2 * ONE, ONE, ONE, ONE, 0, 0)


def test_equal_sides_match() -> None:
    outcome = compare(books(trade(1), trade(2, "SELL")), cut(trade(2, "SELL"), trade(1)))
    assert (sorted(outcome.matched), outcome.differences) == (["alpha:BTCUSDT:1:B", "alpha:BTCUSDT:2:S"], [])
    assert outcome.balances_compared == 2


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (change(trade(1), quantity_e8=2 * ONE), "QUANTITY"),
        (change(trade(1), price_e8=1), "PRICE"),
        (change(trade(1), side="SELL"), "SIDE"),
        (change(trade(1), fee_e8=999), "FEE_AMOUNT"),
        (change(trade(1), fee_asset="BNB"), "FEE_ASSET"),
    ],
)
def test_a_field_that_differs_is_named(theirs: VenueTrade, expected: str) -> None:
    """And the balances, which follow the venue's row, are explained by it: no second break."""
    theirs = change(theirs, quote_amount_e8=theirs.quantity_e8 * theirs.price_e8 // ONE)
    found = compare(books(trade(1)), cut(theirs)).differences
    assert [one.break_class for one in found] == [expected]
    assert found[0].account_id == "acme"
    assert '"ours"' in found[0].evidence and '"theirs"' in found[0].evidence


def test_a_fill_that_only_the_venue_has_explains_its_balances() -> None:
    assert classes(books(), cut(trade(1))) == [("MISSING_INTERNALLY", "alpha:BTCUSDT:1:B")]


def test_a_fill_that_only_we_have_explains_its_balances() -> None:
    assert classes(books(trade(1)), cut()) == [("MISSING_AT_VENUE", "alpha:BTCUSDT:1:B")]


def test_a_fill_that_clearing_has_not_booked() -> None:
    assert classes(books(trade(1), booked=False), cut(trade(1))) == [("UNBOOKED_FILL", "alpha:BTCUSDT:1:B")]


def test_a_fill_that_the_tape_has_twice() -> None:
    ours = books(trade(1))
    ours.repeated["alpha:BTCUSDT:1:B"] = fill(trade(1))
    assert classes(ours, cut(trade(1))) == [("DUPLICATE_INTERNAL", "alpha:BTCUSDT:1:B")]


def test_money_that_moved_without_a_fill_is_a_balance_break_of_that_asset_alone() -> None:
    [found] = compare(books(trade(1)), cut(trade(1), funds_e8=1_000_000 * ONE - 5)).differences
    assert (found.break_class, found.key, found.theirs_e8 - found.ours_e8) == ("BALANCE", "USDT", -5)


def test_an_asset_that_our_books_never_saw() -> None:
    theirs = cut()
    theirs = change(theirs, balances=[*theirs.balances, VenueBalance("DOGE", 3, 0)])
    assert classes(books(), theirs) == [("BALANCE", "DOGE")]


def test_open_orders() -> None:
    ours = books()
    terms = m.OrderTerms("o1", "acme", "c1", "BTC-USDT", "BUY", "LIMIT", "GTC", False, 2 * ONE, ONE)
    ours.open_orders["TT001-a-00"] = terms
    assert classes(ours, cut(orders=(order("TT001-a-00"),))) == []
    assert classes(ours, cut(orders=(order("by-hand"),))) == [
        ("ORDER_STATE", "TT001-a-00"),
        ("ORPHAN_AT_VENUE", "by-hand"),
    ]


def test_settled_fills_are_remembered_by_id_alone() -> None:
    ours = books(trade(1))
    for key in compare(ours, cut(trade(1))).matched:
        ours.settle(key)
    later = change(cut(trade(1)), trades=[])
    assert (ours.fills, ours.booked, len(ours.matched)) == ({}, {}, 1)
    assert compare(ours, later).differences == []


@pytest.mark.parametrize(
    ("asset", "amount_e8", "expected"), [("BTC", 1, "QUANTITY"), ("USDT", -1, "PRICE"), ("BNB", 7, "FEE_AMOUNT")]
)
def test_what_clearing_booked_otherwise_is_named(asset: str, amount_e8: int, expected: str) -> None:
    ours = books(trade(1))
    add(ours.booked[trade(1).execution_id], {asset: amount_e8})
    add(ours.mirror_e8, {asset: -amount_e8})
    [found] = compare(ours, cut(trade(1))).differences
    assert (found.break_class, found.ours_e8 - found.theirs_e8) == (expected, amount_e8)


# -- a venue that trades while it is asked ---------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [0, 1, 2, 3])
def test_fills_that_come_during_the_cut_explain_the_balances_wherever_these_were_read(inside: int) -> None:
    before, during = [trade(1), trade(2, "SELL")], [trade(3), trade(4), trade(5, "SELL", 3)]
    calm = cut(*before)
    seen = change(
        calm, trades=[*before, *during], since=during,
        balances=holding({"USDT": 1_000_000 * ONE}, *before, *during[:inside]),
    )  # fmt: skip
    outcome = compare(books(*before, *during), seen)
    assert (outcome.differences, outcome.unsettled) == ([], [])


def test_what_no_moment_explains_is_left_open_for_assets_that_moved_and_is_a_break_for_others() -> None:
    before, during = [trade(1)], [trade(2)]
    balances = [*holding({"USDT": 1_000_000 * ONE + 7, "DOGE": 3}, *before)]
    seen = change(cut(*before), trades=[*before, *during], since=during, balances=balances)
    outcome = compare(books(*before, *during), seen)
    assert [(one.break_class, one.key) for one in outcome.differences] == [("BALANCE", "DOGE")]
    assert outcome.unsettled == ["USDT"]


TRADES = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["BUY", "SELL"]), st.integers(1, 5 * ONE), st.integers(-9, 9)),
    max_size=8,
    unique_by=lambda row: (row[0], row[1]),
)


@given(TRADES, st.data())
def test_every_difference_is_explained_to_the_last_unit(rows: list[Any], data: st.DataObject) -> None:
    """Whatever each side lacks or has otherwise: a balance is a break by exactly what was planted there, and per asset
    ours - venue's is the sum of what the fills' breaks say less that."""
    everything = [trade(*row) for row in rows]
    ours_has = [one for one in everything if data.draw(st.booleans())]
    venue_has = [
        change(one, quantity_e8=one.quantity_e8 + data.draw(st.integers(0, 2)))
        for one in everything
        if data.draw(st.booleans())
    ]
    moved_e8 = data.draw(st.integers(-3, 3))
    ours, theirs = books(*ours_has), cut(*venue_has, funds_e8=1_000_000 * ONE)
    theirs = change(theirs, balances=holding({"USDT": 1_000_000 * ONE + moved_e8}, *venue_has))
    outcome = compare(ours, theirs)
    residuals = {
        one.key: json.loads(one.evidence)["unexplained_e8"]
        for one in outcome.differences
        if one.break_class == "BALANCE"
    }
    assert residuals == ({"USDT": moved_e8} if moved_e8 else {})
    by_fills = _fill_effects([*outcome.differences], {one.execution_id: one for one in venue_has}, ours)
    held = {one.asset: one.free_e8 for one in theirs.balances}
    for asset in ("BTC", "USDT"):
        difference_e8 = -ours.mirror_e8.get(asset, 0) - held.get(asset, 0)
        assert difference_e8 == by_fills.get(asset, 0) - residuals.get(asset, 0)


def _fill_effects(found: list[Difference], theirs: dict[str, VenueTrade], ours: VenueBooks) -> dict[str, int]:
    """What the fills with a break say: ours less the venue's."""
    total: dict[str, int] = {}
    for key in {one.key for one in found if one.break_class not in ("BALANCE", "ORDER_STATE", "ORPHAN_AT_VENUE")}:
        add(total, ours.booked.get(key, {}))
        if key in theirs:
            add(total, {asset: -e8 for asset, e8 in effects(theirs[key], ASSETS["BTCUSDT"]).items()})
    return total


@given(TRADES, st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[Any], chance: random.Random) -> None:
    everything = [trade(*row) for row in rows]
    shuffled = list(everything)
    chance.shuffle(shuffled)
    ours = books(*everything[: len(everything) // 2])
    one = identify("alpha", compare(ours, cut(*everything)).differences)
    other = identify("alpha", compare(ours, cut(*shuffled)).differences)
    assert one == other


# -- the core ------------------------------------------------------------------------------------------------------

LOST = Difference("MISSING_INTERNALLY", "alpha:BTCUSDT:1:B", "", 0, ONE, "{}")
SHORT = Difference("BALANCE", "USDT", "", 10, 7, "{}")
SECOND = 1_000_000


def step(
    state: State, at_us: int, differences: list[Difference], first_us: int = 0, venue: str = "alpha", matched: int = 3,
    untold: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """One comparison with a grace of 5 s."""
    found = identify(venue, differences)
    message = Comparison(venue, matched, 2, 1, found, dict.fromkeys(found, first_us), 5 * SECOND, untold)
    tables = Tables(Reference(), Marks())
    event = decide(state, Input(message, m.Cause(f"venue:{venue}", 0, -1, str(at_us)), at_us, "t", 1, 1, tables))
    evolve(state, event)
    return event


def test_a_young_difference_is_timing() -> None:
    state = State()
    event = step(state, 5 * SECOND - 1, [LOST])
    assert (event.pending, event.opened, state.breaks) == (1, (), {})


def test_it_opens_once_when_it_lasts_and_closes_when_it_is_gone() -> None:
    state = State()
    [opened] = step(state, 5 * SECOND, [LOST]).opened
    assert (opened.break_class, opened.key, opened.first_seen_at_us, opened.owner) == (
        LOST.break_class, LOST.key, 0, "router",
    )  # fmt: skip
    assert opened.evidence_sha256 == hashlib.sha256(opened.evidence.encode()).hexdigest()
    assert step(state, 9 * SECOND, [LOST]) is None, "the same comparison again opens nothing twice"
    [closed] = step(state, 10 * SECOND, []).closed
    assert (closed.break_id, closed.reason) == (opened.break_id, "the fill is on the tape now")
    assert state.breaks == {}


def test_a_break_that_comes_back_has_its_id_again() -> None:
    state = State()
    [first] = step(state, 5 * SECOND, [LOST]).opened
    step(state, 6 * SECOND, [])
    [second] = step(state, 20 * SECOND, [LOST], 12 * SECOND).opened
    assert (second.break_id, second.first_seen_at_us) == (first.break_id, 12 * SECOND)


def test_another_venues_comparison_closes_nothing() -> None:
    state = State()
    step(state, 5 * SECOND, [LOST])
    assert step(state, 6 * SECOND, [], venue="beta").closed == ()
    assert len(state.breaks) == 1


def test_numbers_that_change_are_told_again_with_the_age_kept() -> None:
    state = State()
    step(state, 5 * SECOND, [SHORT])
    restarted = 3 * SECOND
    [again] = step(state, 9 * SECOND, [change(SHORT, theirs_e8=6, evidence="{} ")], restarted).opened
    assert (again.theirs_e8, again.first_seen_at_us) == (6, 0)
    assert [one.theirs_e8 for one in state.breaks.values()] == [6]


def test_a_balance_that_moves_while_it_is_compared_neither_opens_nor_closes() -> None:
    state = State()
    [opened] = step(state, 5 * SECOND, [SHORT]).opened
    assert step(state, 9 * SECOND, [], untold=(opened.break_id,)) is None
    assert len(state.breaks) == 1
    assert len(step(state, 12 * SECOND, []).closed) == 1


def test_a_comparison_without_news_is_written_now_and_then() -> None:
    state = State()
    written = [at for at in range(61) if step(state, at * SECOND, []) is not None]
    assert written == [0, 10, 20, 30, 40, 50, 60]
    assert step(state, 61 * SECOND, [], matched=4).fills_matched == 4, "new fills are news"


def test_fold_equals_replay() -> None:
    live, replayed = State(), State()
    for event in [
        step(live, 5 * SECOND, [LOST, SHORT]),
        step(live, 6 * SECOND, [LOST], venue="beta"),
        step(live, 7 * SECOND, [SHORT]),
    ]:
        evolve(replayed, event)
    assert snapshots.digest(live) == snapshots.digest(replayed)


# -- our side ------------------------------------------------------------------------------------------------------


def entry(of: VenueTrade, name: str = "e", kind: m.EntryKind = "TRADE") -> m.EntryBooked:
    """The entry that books a fill."""
    lines = [m.Line("venue:alpha", asset, -e8, "principal") for asset, e8 in effects(of, ASSETS["BTCUSDT"]).items()]
    lines += [m.Line("client:acme", line.asset, -line.amount_e8, "principal") for line in lines]
    return m.EntryBooked(
        meta=META, entry_id=name, account_id="acme", kind=kind, rule="r", lines=tuple(lines), realised_e8=0,
        filled_e8=of.quantity_e8, transacted_at_us=0, execution_id=of.execution_id if kind == "TRADE" else None,
    )  # fmt: skip


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("again", ["fill", "entry"])
def test_a_fill_or_entry_that_comes_twice_is_a_duplicate(settled: bool, again: str) -> None:
    folded = Books(SimBroker(1).log("reader"))
    for event in (fill(trade(1)), entry(trade(1))):
        folded.fold(event)
    if settled:
        folded.venues["alpha"].settle(trade(1).execution_id)
    folded.fold(fill(trade(1)) if again == "fill" else entry(trade(1), "other"))
    seen = change(cut(trade(1), funds_e8=0), trades=[] if settled else [trade(1)])
    assert classes(folded.venues["alpha"], seen) == [("DUPLICATE_INTERNAL", trade(1).execution_id)]


def test_an_entry_that_is_no_fill_moves_what_the_venue_should_hold() -> None:
    """A correction takes back what the venue still has: a break until the right entry is booked."""
    folded = Books(SimBroker(1).log("reader"))
    for event in (fill(trade(1)), entry(trade(1)), entry(trade(1, "SELL", fee_e8=-1000), "correction:e", "CORRECTION")):
        folded.fold(event)
    ours = folded.venues["alpha"]
    assert not any(ours.mirror_e8.values())
    assert classes(ours, cut(trade(1), funds_e8=0)) == [("BALANCE", "BTC"), ("BALANCE", "USDT")]


def test_only_what_has_not_ended_is_open() -> None:
    folded = Books(SimBroker(1).log("reader"))
    terms = m.OrderTerms("o1", "acme", "c1", "BTC-USDT", "BUY", "LIMIT", "GTC", False, ONE, ONE)
    legs = [m.RoutedLeg(leg, "alpha", "BTCUSDT", f"leg-{leg}", ONE, ONE, 0) for leg in range(4)]
    folded.fold(m.OrderRouted(META, terms, tuple(legs), ()))
    ours = folded.venues["alpha"]
    assert set(ours.open_orders) == {"leg-0", "leg-1", "leg-2", "leg-3"}
    folded.fold(change(fill(trade(1)), order_id="o1", leg=0, status="PARTIALLY_FILLED"))
    folded.fold(change(fill(trade(2)), order_id="o1", leg=1))
    folded.fold(m.OrderCancelled(META, "o1", "acme", 2, "alpha", 0, "asked"))
    folded.fold(m.OrderExpired(META, "o1", "acme", 3, "alpha", 0, "IOC"))
    assert set(ours.open_orders) == {"leg-0"}


# -- what is settled -----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["BTCUSDT", "ETHUSDT"]), st.integers(0, 10**18 - 1), st.sampled_from("BS"))))
def test_settled_ids_are_a_set(rows: list[tuple[str, int, str]]) -> None:
    ours, plain = Matched(), set[str]()
    for symbol, number, side in rows:
        name = f"alpha:{symbol}:{number}:{side}"
        assert (name in ours) == (name in plain)
        ours.add(name)
        plain.add(name)
    assert len(ours) == len(plain)
    assert all(name in ours for name in plain)


@pytest.mark.parametrize("odd", ["alpha:X:not-a-number:B", "alpha:X:007:B", f"alpha:X:{10**30}:B", "", "x", "a:²:B"])
def test_odd_ids_are_ids_too(odd: str) -> None:
    ours = Matched()
    assert odd not in ours
    ours.add(odd)
    ours.add(odd)
    assert odd in ours and "alpha:X:7:B" not in ours and len(ours) == 1
