"""Reconciliation as rows: what each side says, and which break it is; and proofs over any rows."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as change

from services.reconciler import core
from services.reconciler.books import VenueBooks
from services.reconciler.core import Comparison, Difference, State, decide, evolve, identify
from services.reconciler.matching import Cut, compare, effects, explain
from truetape import messages as m
from truetape import snapshots
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import Input, Tables
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
    for one in trades:
        ours.fills[one.execution_id] = fill(one)
        if booked:
            ours.booked[one.execution_id] = None
            for asset, amount_e8 in effects(one, ("BTC", "USDT")):
                ours.mirror_e8[asset] -= amount_e8
    return ours


def cut(*trades: VenueTrade, funds_e8: int = 1_000_000 * ONE, orders: tuple[VenueOrder, ...] = ()) -> Cut:
    """What the venue says after these fills and the same deposit."""
    held = {"USDT": funds_e8}
    for one in trades:
        for asset, amount_e8 in effects(one, ("BTC", "USDT")):
            held[asset] = held.get(asset, 0) + amount_e8
    balances = [VenueBalance(asset, amount_e8, 0) for asset, amount_e8 in held.items() if amount_e8]
    return Cut(list(trades), balances, orders, ASSETS)


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
    found = compare(books(trade(1)), replace_trades(cut(trade(1)), theirs)).differences
    assert [one.break_class for one in found] == [expected]
    assert found[0].account_id == "acme"
    assert '"ours"' in found[0].evidence and '"theirs"' in found[0].evidence


def replace_trades(given_cut: Cut, *trades: VenueTrade) -> Cut:
    return change(given_cut, trades=list(trades))


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


def test_matched_fills_are_remembered_by_id_alone() -> None:
    ours = books(trade(1))
    for key in compare(ours, cut(trade(1))).matched:
        ours.settle(key)
    assert ours.fills == {} and compare(ours, replace_trades(cut(trade(1)))).differences == []


TRADES = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["BUY", "SELL"]), st.integers(1, 5 * ONE), st.integers(-9, 9)),
    max_size=8,
    unique_by=lambda row: (row[0], row[1]),
)


@given(TRADES, st.data())
def test_fills_explain_every_balance_and_the_rest_is_the_break(rows: list[Any], data: st.DataObject) -> None:
    """Whatever each side lacks: venue - ours = explained by fills + residual; only a planted residual is a break."""
    everything = [trade(*row) for row in rows]
    ours_has = [one for one in everything if data.draw(st.booleans())]
    venue_has = [one for one in everything if data.draw(st.booleans())]
    moved_e8 = data.draw(st.integers(-3, 3))
    ours, theirs = books(*ours_has), cut(*venue_has, funds_e8=1_000_000 * ONE + moved_e8)
    balances = [one for one in compare(ours, theirs).differences if one.break_class == "BALANCE"]
    assert [(one.key, one.theirs_e8 - one.ours_e8 - _explained(ours, theirs)) for one in balances] == (
        [("USDT", moved_e8)] if moved_e8 else []
    )


def _explained(ours: VenueBooks, theirs: Cut) -> int:
    return explain(ours, {one.execution_id: one for one in theirs.trades}, ASSETS).get("USDT", 0)


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


def step(state: State, at_us: int, differences: list[Difference], first_us: int, venue: str = "alpha") -> Any:
    found = identify(venue, differences)
    message = Comparison(venue, 3, 2, 1, found, dict.fromkeys(found, first_us), 5_000_000)
    tables = Tables(Reference(), Marks())
    given_input = Input(message, m.Cause(f"venue:{venue}", 0, -1, str(at_us)), at_us, "t", 1, 1, tables)
    event = decide(state, given_input)
    evolve(state, event)
    return event


def test_a_young_difference_is_timing() -> None:
    state = State()
    event = step(state, 4_999_999, [LOST], 0)
    assert (event.pending, event.opened, state.breaks) == (1, (), {})


def test_it_opens_once_when_it_lasts_and_closes_when_it_is_gone() -> None:
    state = State()
    opened = step(state, 5_000_000, [LOST], 0).opened
    assert [(one.break_class, one.key, one.first_seen_at_us) for one in opened] == [(LOST.break_class, LOST.key, 0)]
    again = step(state, 9_000_000, [LOST], 0)
    assert (again.opened, again.closed, again.pending) == ((), (), 0)
    closed = step(state, 9_500_000, [], 0).closed
    assert [(one.break_id, one.reason) for one in closed] == [(opened[0].break_id, core.GONE)]
    assert state.breaks == {}


def test_another_venues_comparison_closes_nothing() -> None:
    state = State()
    step(state, 5_000_000, [LOST], 0)
    assert step(state, 6_000_000, [], 0, venue="beta").closed == ()
    assert len(state.breaks) == 1


def test_fold_equals_replay() -> None:
    live, replayed = State(), State()
    events = [step(live, 5_000_000, [LOST], 0), step(live, 6_000_000, [LOST], 0, "beta"), step(live, 7_000_000, [], 0)]
    for event in events:
        evolve(replayed, event)
    assert snapshots.digest(live) == snapshots.digest(replayed)
