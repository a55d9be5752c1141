"""Risk beside the real ledger and a market that does what venues do, heard in every interleaving.

The two topics that risk hears, executions and entries, are queues of their own; hypothesis chooses which one moves
next, what repeats, and when a snapshot is restored. An independent model says what must be held for every order.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from services.clearing.core import SERVICE as CLEARING
from services.risk.account import Account, State
from services.risk.core import SERVICE as RISK
from tests.unit.desk import ANN, BTC, START_US, Desk, mark, request, some_meta, submit, tables, terms, transfer
from truetape import messages as m
from truetape import snapshots
from truetape.money import ONE_E8

FREE = msgspec.structs.replace(
    BTC, tick_e8=1, lot_e8=1, min_quantity_e8=1, max_quantity_e8=10**17, min_notional_e8=0, max_notional_e8=10**17
)
"""No ticks and lots: every price and quantity is an odd number, so that everything rounds."""
MARK_E8 = 300_000_007
FEE_RATE_E8 = 100_000 + 150_000
quantities = st.one_of(st.integers(1, 40), st.integers(1, 10**10))


def ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


@dataclass
class Order:
    """What the market and the model know of an order."""

    terms: m.OrderTerms
    limit_e8: int
    filled_e8: int = 0
    ended: bool = False
    heard_end_e8: int | None = None
    heard_cleared_e8: int = 0
    heard_complete: bool = False
    executions: list[str] = field(default_factory=list)

    def left_e8(self) -> int:
        return self.terms.quantity_e8 - self.filled_e8

    def holds_e8(self) -> int:
        """What must be reserved, from what risk has heard."""
        if self.heard_complete:
            return 0
        may_e8 = self.terms.quantity_e8 if self.heard_end_e8 is None else self.heard_end_e8
        rest_e8 = max(0, may_e8 - self.heard_cleared_e8)
        if self.terms.side == "SELL":
            return rest_e8
        notional_e8 = ceil(self.limit_e8 * rest_e8, ONE_E8)
        return notional_e8 + ceil(notional_e8 * FEE_RATE_E8, ONE_E8)


class Trading(RuleBasedStateMachine):
    """Rules are what can happen; invariants are what must hold after each."""

    placed = Bundle("placed")
    cancellable = Bundle("cancellable")

    def __init__(self) -> None:
        super().__init__()
        using = tables(FREE)
        using.reference.limits["*"] = m.Limits(10**17, 10**6, 10**6, 10**8, 5_000_000)
        using.marks.newest["BTC-USDT"] = msgspec.structs.replace(mark("3"), price_e8=MARK_E8)
        self.risk: Desk[State] = Desk(RISK, using)
        self.ledger = Desk(CLEARING, using)
        self.orders: dict[str, Order] = {}
        self.executions: list[Any] = []
        self.entries: list[m.EntryBooked] = []
        self.heard_executions = self.heard_entries = 0
        self.quiet: list[Any] = []
        self.number = self.fills = 0
        self.forced = False
        """Whether a fact came that no reservation could foresee."""

    # -- what clients do -------------------------------------------------------------------------------------------

    @rule(asset=st.sampled_from(["BTC", "USDT"]), amount=st.integers(1, 10**12))
    def deposit(self, asset: str, amount: int) -> None:
        self._transfer(asset, amount)

    @rule(asset=st.sampled_from(["BTC", "USDT"]), amount=st.integers(1, 10**11))
    def withdraw(self, asset: str, amount: int) -> None:
        self._transfer(asset, -amount)

    def _transfer(self, asset: str, amount_e8: int) -> None:
        self.number += 1
        asked = msgspec.structs.replace(transfer("1", asset, f"t{self.number}"), amount_e8=amount_e8)
        free_e8 = self.free_e8(asset)
        event = self.risk.give(request(asked))
        assert isinstance(event, m.TransferApproved) == (amount_e8 > 0 or -amount_e8 <= free_e8)
        if isinstance(event, m.TransferApproved):
            self.entries.append(self.ledger.give(event))
            assert self.risk.give(request(asked)) is None

    @rule(
        target=placed,
        side=st.sampled_from(["BUY", "SELL"]),
        quantity_e8=quantities,
        away_e8=st.integers(-(2 * 10**8), 2 * 10**8),
        market=st.booleans(),
    )
    def place(self, side: m.Side, quantity_e8: int, away_e8: int, market: bool) -> Any:
        self.number += 1
        order = terms(side, "1", None if market else "1", f"o{self.number}", quantity_e8=quantity_e8)
        if not market:
            order = msgspec.structs.replace(order, price_e8=max(1, MARK_E8 + away_e8))
        free = {asset: self.free_e8(asset) for asset in ("BTC", "USDT")}
        event = self.risk.give(submit(order))
        if isinstance(event, m.OrderRejected):
            assert event.reason == "INSUFFICIENT_FUNDS"
            assert event.numbers["needed_e8"] > event.numbers["available_e8"]
            return multiple()
        assert event.reserved_e8 <= free[event.reserved_asset]
        self.orders[order.order_id] = Order(order, event.limit_price_e8)
        return order.order_id

    @rule(order_id=placed)
    def place_again(self, order_id: str) -> None:
        """A client's retry never makes a second order."""
        event = self.risk.give(submit(self.orders[order_id].terms))
        assert isinstance(event, m.DecisionRepeated) and event.accepted and not event.differs

    @rule(order_id=placed)
    def cancel(self, order_id: str) -> None:
        order = self.orders[order_id]
        event = self.risk.give(m.CancelOrder("k", ANN, order_id, "key", START_US))
        is_open = order.heard_end_e8 is None and not order.heard_complete
        assert isinstance(event, m.CancelRequested if is_open else m.CancelRefused)

    # -- what venues do --------------------------------------------------------------------------------------------

    @rule(
        order_id=placed,
        part=st.integers(1, 10**4),
        better_e8=st.one_of(st.just(0), st.integers(0, 10**8)),
        rate_e8=st.integers(-10_000, 150_000),
        in_base=st.booleans(),
        maker=st.booleans(),
    )
    def fill(self, order_id: str, part: int, better_e8: int, rate_e8: int, in_base: bool, maker: bool) -> None:
        """A fill within the limit, its venue fee in the asset received or, for a buy, in the quote asset."""
        order = self.orders[order_id]
        if not order.left_e8():
            return
        if order.ended:
            self.forced = True  # A late fill: nothing is reserved for it any more.
        quantity_e8 = max(1, order.left_e8() * part // 10**4)
        buys = order.terms.side == "BUY"
        price_e8 = max(1, order.limit_e8 - better_e8) if buys else order.limit_e8 + better_e8
        quote_e8 = price_e8 * quantity_e8 // ONE_E8
        fee_asset, paid_e8 = ("BTC", quantity_e8) if buys and in_base else ("USDT", quote_e8)
        order.filled_e8 += quantity_e8
        self.fills += 1
        complete = order.left_e8() == 0 and not order.ended
        status: m.OrderStatus = "FILLED" if complete else "CANCELLED" if order.ended else "PARTIALLY_FILLED"
        order.ended = order.ended or complete
        event = m.OrderFilled(
            some_meta(), order_id, ANN, 0, "alpha", "BTC-USDT", "BTC", "USDT", order.terms.side, f"x{self.fills}", "v",
            quantity_e8, price_e8, quote_e8, order.filled_e8, 0 if order.ended else order.left_e8(), fee_asset,
            paid_e8 * rate_e8 // ONE_E8, "MAKER" if maker else "TAKER", status, START_US, "stream",
        )  # fmt: skip
        self.executions.append(event)
        self.entries.append(self.ledger.give(event))

    @rule(order_id=placed, kind=st.sampled_from(["cancelled", "expired", "refused", "unrouted", "unknown"]))
    def end(self, order_id: str, kind: str) -> None:
        order = self.orders[order_id]
        if order.ended:
            return
        total_e8 = order.filled_e8
        order.ended = kind != "unknown"
        self.executions.append(
            {
                "cancelled": m.OrderCancelled(some_meta(), order_id, ANN, 0, "alpha", total_e8, "REQUESTED"),
                "expired": m.OrderExpired(some_meta(), order_id, ANN, 0, "alpha", total_e8, "IOC"),
                "refused": m.OrderRejectedByVenue(some_meta(), order_id, ANN, 0, "alpha", total_e8, "-2010", "no"),
                "unrouted": m.OrderNotRouted(some_meta(), order_id, ANN, "NO_BOOK", ())
                if total_e8 == 0
                else m.OrderExpired(some_meta(), order_id, ANN, 0, "alpha", total_e8, "IOC"),
                "unknown": m.OutcomeUnknown(some_meta(), order_id, ANN, 0, "alpha", "timeout"),
            }[kind]
        )

    # -- what risk hears -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.heard_executions < len(self.executions))
    @rule()
    def hear_an_execution(self) -> None:
        event = self.executions[self.heard_executions]
        self.heard_executions += 1
        answer = self.risk.give(event)
        order = self.orders[event.order_id]
        ends = not isinstance(event, m.OutcomeUnknown | m.OrderFilled) or getattr(event, "status", "") == "FILLED"
        news = ends and order.heard_end_e8 is None and not order.heard_complete
        assert (answer is not None) == news
        if news:
            order.heard_end_e8 = getattr(event, "cumulative_quantity_e8", 0)
            order.heard_complete = order.heard_cleared_e8 >= order.heard_end_e8
        if answer is None:
            self.quiet.append(event)

    @precondition(lambda self: self.heard_entries < len(self.entries))
    @rule()
    def hear_an_entry(self) -> None:
        entry = self.entries[self.heard_entries]
        self.heard_entries += 1
        assert isinstance(self.risk.give(entry), m.CreditUpdated)
        if entry.order_id is not None:
            order = self.orders[entry.order_id]
            order.heard_cleared_e8 += entry.filled_e8
            may_e8 = order.terms.quantity_e8 if order.heard_end_e8 is None else order.heard_end_e8
            order.heard_complete = order.heard_complete or order.heard_cleared_e8 >= may_e8

    @precondition(lambda self: self.quiet)
    @rule(data=st.data())
    def hear_again_what_changed_nothing(self, data: st.DataObject) -> None:
        """After a restart, inputs that led to no event may come again."""
        assert self.risk.give(data.draw(st.sampled_from(self.quiet))) is None

    @rule()
    def restart_from_a_snapshot(self) -> None:
        self.risk.state = msgspec.msgpack.decode(snapshots.pack(self.risk.state), type=State)

    # -- what must hold --------------------------------------------------------------------------------------------

    def account(self) -> Account:
        return self.risk.state.accounts.get(ANN, Account())

    def free_e8(self, asset: str) -> int:
        return self.account().balances.get(asset, 0) - self.account().reserved.get(asset, 0)

    @invariant()
    def reserved_is_the_sum_of_what_is_open(self) -> None:
        account = self.account()
        sums: dict[str, int] = {}
        held = [(one.asset, one.reserved_e8) for one in account.reservations.values()]
        held += [(one.asset, one.reserved_e8) for one in account.withdrawals.values()]
        for asset, held_e8 in held:
            assert held_e8 >= 0
            sums[asset] = sums.get(asset, 0) + held_e8
        assert {asset: held_e8 for asset, held_e8 in sums.items() if held_e8} == account.reserved

    @invariant()
    def every_order_holds_what_its_rest_can_cost(self) -> None:
        held = {order_id: one.reserved_e8 for order_id, one in self.account().reservations.items()}
        expected = {order_id: order.holds_e8() for order_id, order in self.orders.items()}
        assert held == {order_id: held_e8 for order_id, held_e8 in expected.items() if held_e8}
        still_open = [one for one in self.orders.values() if one.heard_end_e8 is None and not one.heard_complete]
        assert self.account().open_orders == len(still_open)

    @invariant()
    def balances_are_what_was_heard_of_the_ledger(self) -> None:
        sums: dict[str, int] = {}
        for entry in self.entries[: self.heard_entries]:
            for line in entry.lines:
                if line.account == "client:" + ANN:
                    sums[line.asset] = sums.get(line.asset, 0) + line.amount_e8
        found = self.account().balances
        assert {a: v for a, v in found.items() if v} == {a: v for a, v in sums.items() if v}

    @invariant()
    def nothing_is_spent_twice(self) -> None:
        """Rounding of single fills aside, what is free is never negative unless a late fill forces it."""
        if not self.forced:
            assert self.free_e8("USDT") >= -3 * self.fills
            assert self.free_e8("BTC") >= 0

    def teardown(self) -> None:
        """When all has ended and all is heard, nothing is reserved, and risk and the ledger agree."""
        for order_id in self.orders:
            self.end(order_id, "cancelled")
        while self.heard_executions < len(self.executions):
            self.hear_an_execution()
        while self.heard_entries < len(self.entries):
            self.hear_an_entry()
        account = self.account()
        assert (account.reserved, account.reservations, account.withdrawals, account.open_orders) == ({}, {}, {}, 0)
        theirs = self.ledger.state.balances.get("client:" + ANN, {})
        assert {a: v for a, v in account.balances.items() if v} == {a: v for a, v in theirs.items() if v}
        assert self.risk.digest() == self.risk.replayed() == self.risk.replayed(len(self.risk.events) // 2)
        assert self.ledger.digest() == self.ledger.replayed()


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
