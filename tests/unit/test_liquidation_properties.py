"""Liquidation through clearing's real decide and evolve, with books, marks and fills drawn at random: no order makes
margin worse, none sells more than is held, every id is used once, and the replay is the state."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.clearing.booking.ledger import trial_balance
from services.clearing.core import SERVICE
from services.clearing.margining import margin
from services.clearing.state import State
from tests.unit.contract_desk import E8, START_US, instrument, option, terms
from tests.unit.desk import LAW, LIMITS, some_meta
from truetape import ids
from truetape import messages as m
from truetape.codec import decode, encode
from truetape.margin.account import AssetMargin
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import DUE, Input, Tables, Tick

BTC, ETH, CALL = "BTC-USDT-PERP", "ETH-USDT-PERP", "BTC-USDT-20261225-60000-C"
KNOWN = (
    instrument(BTC, terms(liquidation_fee_rate_e8=E8 // 100, mark_max_age_us=10**15)),
    instrument(ETH, terms(multiplier_e8=E8 // 10, initial_rate_e8=E8 // 5, mark_max_age_us=10**15)),
    instrument(CALL, option("CALL", 60_000, mark_max_age_us=10**15)),
)
PRICES = {BTC: 60_000, ETH: 3_000, CALL: 2_000, "BTC-USDT": 60_000}


class Room:
    """A clearing partition with one account; risk, router and venue are the test's."""

    def __init__(self) -> None:
        self.reference = Reference(accounts={"ann": "Ann", "bob": "May bid"}, limits={"*": LIMITS})
        self.reference.instruments = {one.instrument_id: one for one in KNOWN}
        self.marks = Marks()
        self.state, self.events, self.now_us = State(), list[Any](), START_US
        self._numbers = 0
        for name, price in PRICES.items():
            self.mark(name, price * E8)

    def mark(self, name: str, price_e8: int) -> None:
        self.marks.newest[name] = m.MarkPublished(
            some_meta(self.now_us), name, price_e8, price_e8, price_e8, "alpha", 1, self.now_us, 0
        )

    def give(self, message: Any, source: str) -> Any:
        """One input and all that it makes due; the answer to the input itself."""
        self._numbers += 1
        self.now_us += 1_000_000
        answer = self._decide(message, m.Cause(source, 0, self._numbers, ""))
        while (asked := SERVICE.due(self.state)) is not None:
            assert self._decide(asked[1], m.Cause(DUE, 0, -1, asked[0])) is not None
        return answer

    def _decide(self, message: Any, cause: m.Cause) -> Any:
        tables = Tables(self.reference, self.marks)
        event = SERVICE.decide(
            self.state, Input(message, cause, self.now_us, "clearing.entries", 1, len(self.events) + 1, tables)
        )
        if event is not None:
            assert decode(encode(event)) == event
            self.state = SERVICE.evolve(self.state, event)
            self.events.append(event)
        return event

    def tick(self) -> Any:
        return self.give(Tick(self.now_us), "timer")

    def found(self) -> AssetMargin | None:
        """Margin as it is."""
        given_ = Input(None, m.Cause("", 0, -1, ""), self.now_us, "", 1, 1, Tables(self.reference, self.marks))
        found = margin.margins_of(self.state, given_, "ann")
        assert not isinstance(found, str), found
        return found.get("USDT")

    def excess(self) -> int:
        """Equity over the level to be restored."""
        found = self.found()
        if found is None:
            return self.state.balances["client:ann"].get("USDT", 0)
        return found.equity_e8 - margin.level_e8(found, self.reference.call_terms_of("ann"))

    def quiet(self, liquidation_id: str) -> None:
        """Risk says that nothing is open."""
        self.give(m.CancelRequested(some_meta(), "c", "ann", (), "", liquidation_id), "orders.decisions")

    def nobody_pays(self) -> None:
        """All parts of the insurance fund have answered: none has anything."""
        [asked] = self.state.requests.values()
        outcome = {"missing_e8": asked.terms.numbers["missing_e8"], "paid_e8": 0}
        self.give(m.AskRound(asked.terms, 0), "clearing.commands")
        self.give(m.SettleRound(asked.terms, 0, (), outcome), "clearing.commands")

    def fill(self, order: m.OrderTerms, quantity_e8: int, price_e8: int) -> None:
        """A venue's fill of a liquidation's order."""
        self._numbers += 1
        name = order.instrument_id
        base, quote = name.split("-")[:2]
        filled = m.OrderFilled(
            leaves_quantity_e8=0, meta=some_meta(), order_id=order.order_id, account_id="ann", leg=0, venue="alpha",
            venue_order_id="v", execution_id=f"alpha:{self._numbers}", instrument_id=name, base=base, quote=quote,
            side=order.side, quantity_e8=quantity_e8, price_e8=price_e8, quote_amount_e8=0,
            cumulative_quantity_e8=quantity_e8, fee_asset="USDT", fee_e8=0, liquidity="TAKER", status="FILLED",
            transacted_at_us=self.now_us, source="stream",
        )  # fmt: skip
        self.give(filled, "orders.executions")


def opened(room: Room, held: dict[str, int], moves: tuple[int, int, int], rate: int) -> None:
    """Positions, marks that have moved by some per cent since, and money for so many per cent of the maintenance need,
    or more where the positions have gained it."""
    for name, contracts in held.items():
        if contracts:
            side: m.Side = "BUY" if contracts > 0 else "SELL"
            trade = m.BookTrade(name, "ann", name, name, side, abs(contracts) * E8, PRICES[name] * E8, "TAKER",
                                room.now_us, "t", "")  # fmt: skip
            assert isinstance(room.give(trade, "clearing.commands"), m.EntryBooked)
    for name, move in zip((BTC, ETH, CALL), moves, strict=True):
        room.mark(name, PRICES[name] * E8 * (100 + move) // 100)
    found = room.found()
    amount_e8 = max(found.maintenance_e8 * rate // 100 - found.equity_e8 if found is not None else 0, E8)
    asked = m.TransferTerms(ids.transfer_id("ann", "1"), "ann", "USDT", amount_e8, "bank:settlement", "1")
    room.give(m.TransferApproved(some_meta(), asked), "orders.decisions")


@settings(LAW, max_examples=100)
@given(
    btc=st.integers(-30, 30), eth=st.integers(-30, 30), calls=st.integers(-20, 0), rate=st.integers(10, 110),
    moves=st.tuples(st.integers(-9, 9), st.integers(-19, 19), st.integers(-14, 14)),
    fills=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6),
)  # fmt: skip
def test_no_order_makes_margin_worse_and_the_replay_is_the_state(
    btc: int, eth: int, calls: int, rate: int, moves: tuple[int, int, int], fills: list[tuple[int, int]]
) -> None:
    room = Room()
    opened(room, {BTC: btc, ETH: eth, CALL: calls}, moves, rate)
    sent: list[str] = []
    for number in range(60):
        room.tick()
        running = room.state.watch.liquidations.get("ann")
        if running is None or room.state.deleveragings.running or room.state.requests:
            break
        if running.state == "CANCELLING":
            room.quiet(running.liquidation_id)
        elif running.state == "SELLING":
            assert running.order is not None
            sent.append(running.order.order_id)
            one_order(room, running.order, *fills[number % len(fills)])
            room.quiet(running.liquidation_id)
    asked = bool(room.state.deleveragings.running) or bool(room.state.requests)
    assert asked or "ann" not in room.state.watch.liquidations, "it ends, or asks the other partitions"
    assert len(set(sent)) == len(sent)
    assert not any(trial_balance(room.state.balances).values())
    assert room.state.balances.get("house:insurance", {}).get("USDT", 0) >= 0
    found = room.found()
    if "ann" not in room.state.watch.handed_over and not asked:
        assert found is None or found.maintenance_excess_e8 >= 0
    replayed = State()
    for event in room.events:
        replayed = SERVICE.evolve(replayed, decode(encode(event)))
    assert replayed == room.state


def one_order(room: Room, order: m.OrderTerms, quarters: int, better: int) -> None:
    """The venue fills some quarters of it, at its limit or better; margin is no worse, the fee included."""
    price_e8, held_e8 = order.price_e8 or 0, room.state.accounts["ann"].positions[order.instrument_id].quantity_e8
    assert (held_e8 > 0) == (order.side == "SELL") and order.quantity_e8 <= abs(held_e8)
    mark_e8 = room.marks.newest[order.instrument_id].price_e8
    at_e8 = price_e8 + (mark_e8 - price_e8) * better // 4
    quantity_e8 = order.quantity_e8 * quarters // 4 // E8 * E8
    before_e8 = room.excess()
    if quantity_e8:
        room.fill(order, quantity_e8, at_e8)
        room.quiet(room.state.watch.liquidations["ann"].liquidation_id)
        assert room.excess() >= before_e8 - 2, "a unit of rounding for each of the two entries"
