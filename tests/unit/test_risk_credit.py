"""Reservations in rows: what an order holds after each thing that is heard, in any order between the two topics."""

from typing import Any

import msgspec
import pytest

from services.risk import credit, margin
from services.risk.account import State
from tests.unit.desk import ANN, START_US, Desk, rows, some_meta, submit
from tests.unit.risk_desk import credited, desk, order_of
from truetape import messages as m
from truetape.money import ONE_E8, from_e8, to_e8


def cleared(order: m.OrderTerms, quantity: str, price: str, number: int, fee: str = "0") -> m.EntryBooked:
    """Clearing's entry of a fill: principal and a fee in the quote asset."""
    sign = 1 if order.side == "BUY" else -1
    base_e8, price_e8 = sign * to_e8(quantity), to_e8(price)
    lines = (
        m.Line("client:" + ANN, "BTC", base_e8, "principal"),
        m.Line("client:" + ANN, "USDT", -base_e8 * price_e8 // 10**8, "principal"),
        m.Line("client:" + ANN, "USDT", -to_e8(fee), "house_fee"),
    )
    return m.EntryBooked(
        meta=some_meta(offset=number), entry_id=f"x{number}", account_id=ANN, kind="TRADE", rule="trade", lines=lines,
        realised_e8=0, filled_e8=to_e8(quantity), transacted_at_us=START_US, order_id=order.order_id,
        execution_id=f"x{number}",
    )  # fmt: skip


def heard(order: m.OrderTerms, text: str, number: int) -> Any:
    """One word of a row: "clear 0.4@59000" is an entry; the others are executions with the quantity filled in all."""
    name, _, rest = text.partition(" ")
    if name == "clear":
        quantity, _, price = rest.partition("@")
        return cleared(order, quantity, price or "60000", number)
    total = to_e8(rest or "0")
    place, ordered, whose = some_meta(offset=number), order.order_id, ANN
    match name:
        case "cancelled":
            return m.OrderCancelled(place, ordered, whose, 0, "alpha", total, "REQUESTED")
        case "expired":
            return m.OrderExpired(place, ordered, whose, 0, "alpha", total, "IOC")
        case "refused":
            return m.OrderRejectedByVenue(place, ordered, whose, 0, "alpha", total, "-2010", "no")
        case "unrouted":
            return m.OrderNotRouted(place, ordered, whose, "NO_BOOK", ())
        case "unknown":
            return m.OutcomeUnknown(place, ordered, whose, 0, "alpha", "timeout")
    status: m.OrderStatus = {"part": "PARTIALLY_FILLED", "filled": "FILLED", "late": "CANCELLED"}[name]  # type: ignore[assignment]
    return m.OrderFilled(
        place, ordered, whose, 0, "alpha", "BTC-USDT", "BTC", "USDT", order.side, f"x{number}", "v", 1, 1, 1, total, 0,
        "USDT", 0, "TAKER", status, START_US, "stream",
    )  # fmt: skip


# A buy of 1 BTC at 60 000 holds 60 150 USDT (fee rate 0.25 %), a sell holds its BTC. After each thing heard: what is
# held for the order ("-" is no event), and at the end what is available.
LIVES = """
order        | heard                                                    | held                        | available
BUY 1 60000  | cancelled                                                | 0                           | 100000
BUY 1 60000  | expired                                                  | 0                           | 100000
BUY 1 60000  | refused                                                  | 0                           | 100000
BUY 1 60000  | unrouted                                                 | 0                           | 100000
BUY 1 60000  | unknown, cancelled                                       | -, 0                        | 100000
BUY 1 60000  | filled 1, clear 1                                        | 60150, 0                    | 40000
BUY 1 60000  | clear 1, filled 1                                        | 0, -                        | 40000
BUY 1 60000  | clear 1@50000, filled 1                                  | 0, -                        | 50000
BUY 1 60000  | part 0.4, clear 0.4, filled 1, clear 0.6                 | -, 36090, 36090, 0          | 40000
BUY 1 60000  | clear 0.4, clear 0.6, part 0.4, filled 1                 | 36090, 0, -, -              | 40000
BUY 1 60000  | part 0.4, filled 1, clear 0.4, clear 0.6                 | -, 60150, 36090, 0          | 40000
BUY 1 60000  | clear 0.4@50000                                          | 36090                       | 43910
BUY 1 60000  | part 0.4, cancelled 0.4, clear 0.4                       | -, 24060, 0                 | 76000
BUY 1 60000  | part 0.4, clear 0.4, cancelled 0.4                       | -, 36090, 0                 | 76000
BUY 1 60000  | clear 0.4, part 0.4, expired 0.4                         | 36090, -, 0                 | 76000
BUY 1 60000  | part 0.1, part 0.4, clear 0.1, expired 0.4, clear 0.3    | -, -, 54135, 18045, 0       | 76000
BUY 1 60000  | cancelled, late 0.2, clear 0.2                           | 0, -, 0                     | 88000
BUY 1 60000  | part 0.4, cancelled 0.4, late 0.5, clear 0.4, clear 0.1  | -, 24060, -, 0, 0           | 70000
BUY 1 60000  | part 0.4, cancelled 0.4, clear 0.4, late 1, clear 0.6    | -, 24060, 0, -, 0           | 40000
BUY 1 60000  | cancelled, cancelled, expired                            | 0, -, -                     | 100000
BUY 1 60000  | filled 1, filled 1, clear 1, filled 1                    | 60150, -, 0, -              | 40000
BUY 1 60000  | filled 1.1, clear 1.1                                    | 60150, 0                    | 34000
SELL 2 60000 | cancelled                                                | 0                           | 2
SELL 2 60000 | part 0.5, clear 0.5, cancelled 0.5                       | -, 1.5, 0                   | 1.5
SELL 2 60000 | part 0.5, cancelled 0.5, clear 0.5@61000                 | -, 0.5, 0                   | 1.5
SELL 2 60000 | clear 2, filled 2                                        | 0, -                        | 0
"""


@pytest.mark.parametrize(("order", "heard_", "held", "available"), rows(LIVES))
def test_what_an_order_holds(order: str, heard_: str, held: str, available: str) -> None:
    opened = desk()
    terms = order_of(order)
    asset = opened.give(submit(terms)).reserved_asset
    seen = []
    for number, text in enumerate(heard_.split(", ")):
        event = opened.give(heard(terms, text, number))
        seen.append("-" if event is None else from_e8(holding(opened, terms, asset)))
    account = opened.state.accounts[ANN]
    free = account.balances[asset] - account.reserved.get(asset, 0)
    assert (", ".join(seen), from_e8(free)) == (held, available)
    assert account.open_orders == sum(not one.ended for one in account.reservations.values())
    assert opened.digest() == opened.replayed() == opened.replayed(through_snapshot_at=3)


def holding(opened: Desk[State], terms: m.OrderTerms, asset: str) -> int:
    """What is held for the order, which is all that the account holds."""
    account = opened.state.accounts[ANN]
    reservation = account.reservations.get(terms.order_id)
    assert account.reserved.get(asset, 0) == (0 if reservation is None else reservation.reserved_e8)
    return account.reserved.get(asset, 0)


def test_the_end_says_how_what_is_freed_and_what_stays() -> None:
    opened = desk()
    terms = order_of("BUY 1 60000")
    opened.give(submit(terms))
    event = opened.give(heard(terms, "cancelled 0.4", 1))
    assert event == m.ReservationReleased(
        event.meta, ANN, terms.order_id, "CANCELLED", "USDT", to_e8("36090"), to_e8("24060"), to_e8("0.4")
    )
    assert opened.state.accounts[ANN].open_orders == 0


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("filled 1", "FILLED"),
        ("cancelled", "CANCELLED"),
        ("expired 0.5", "EXPIRED"),
        ("refused", "REJECTED"),
        ("refused 0.5", "CANCELLED"),
        ("unrouted", "REJECTED"),
    ],
)
def test_the_end_names_the_state(end: str, status: str) -> None:
    opened = desk()
    terms = order_of("BUY 1 60000")
    opened.give(submit(terms))
    assert opened.give(heard(terms, end, 1)).status == status


def test_credit_follows_the_clients_own_lines_summed_per_asset() -> None:
    opened = desk()
    terms = order_of("BUY 1 60000")
    opened.give(submit(terms))
    entry = cleared(terms, "0.4", "60000", 1, fee="24")
    others = (m.Line("client:annabel", "USDT", 5, "x"), m.Line("house:fees", "USDT", to_e8("24"), "house_fee"))
    same = (m.Line("client:ann", "BNB", 7, "venue_fee"), m.Line("client:ann", "BNB", -7, "venue_fee"))
    event = opened.give(msgspec.structs.replace(entry, lines=(*entry.lines, *others, *same)))
    assert event.changes == (m.AssetChange("BTC", to_e8("0.4")), m.AssetChange("USDT", to_e8("-24024")))
    assert (event.released_asset, event.released_e8, event.filled_e8) == ("USDT", to_e8("24060"), to_e8("0.4"))
    assert opened.state.accounts[ANN].balances == {"USDT": to_e8("75976"), "BTC": to_e8("2.4")}


def test_a_correction_moves_the_balance_and_no_reservation() -> None:
    opened = desk()
    terms = order_of("BUY 1 60000")
    opened.give(submit(terms))
    entry = cleared(terms, "0.4", "60000", 1)
    opened.give(entry)
    back = tuple(msgspec.structs.replace(line, amount_e8=-line.amount_e8) for line in entry.lines)
    back_again = msgspec.structs.replace(entry, kind="CORRECTION", entry_id="correction:x1", corrects="x1", lines=back)
    event = opened.give(back_again)
    assert (event.released_e8, event.filled_e8) == (0, 0)
    account = opened.state.accounts[ANN]
    assert account.balances["USDT"] == to_e8("100000") and account.reserved == {"USDT": to_e8("36090")}


def test_an_order_that_waits_for_an_answer_counts_as_open_until_its_end_is_heard() -> None:
    opened = desk()
    placed = [order_of("BUY 0.01 50000", number) for number in range(5)]
    for terms in placed:
        opened.give(submit(terms))
    assert opened.give(submit(order_of("BUY 0.01 50000", 9))).reason == "TOO_MANY_OPEN_ORDERS"
    opened.give(heard(placed[0], "unknown", 1))
    assert opened.give(submit(order_of("BUY 0.01 50000", 10))).reason == "TOO_MANY_OPEN_ORDERS"
    opened.give(heard(placed[0], "refused", 2))
    opened.give(heard(placed[1], "clear 0.01@50000", 3))
    for number in (11, 12):
        assert isinstance(opened.give(submit(order_of("BUY 0.01 50000", number))), m.OrderAccepted)


def test_only_cash_that_is_there_may_leave_whatever_else_backs_the_account() -> None:
    """Equity of 100 of which 30 is the asset itself, the rest other assets; and the other way round."""
    assert margin.Standing(100, 0, 0, 0, 30).spendable_e8 == 30
    assert margin.Standing(100, 40, 20, 15, 90).spendable_e8 == 25, "less margin, orders and profit not yet paid"


def test_a_part_of_an_order_holds_at_least_what_it_costs() -> None:
    assert (credit.times_e8(1, 1), credit.times_e8(ONE_E8, 7), credit.times_e8(3, ONE_E8 // 2)) == (1, 7, 2)


def restricted(liquidation_id: str = "L1") -> m.LiquidationChanged:
    """Ann's liquidation begins."""
    return m.LiquidationChanged(
        meta=some_meta(), account_id=ANN, liquidation_id=liquidation_id, asset="USDT", state="CANCELLING", step=0,
        attempt=0, order=None, bankruptcy_price_e8=0, excess_e8=0, planned_e8=0, detail="", seen=None,
    )  # fmt: skip


def test_a_liquidation_waits_for_the_last_open_order() -> None:
    opened = desk()
    placed = [order_of("BUY 0.01 50000", number) for number in range(3)]
    for terms in placed:
        opened.give(submit(terms))
    begun = opened.give(restricted())
    assert (len(begun.order_ids), begun.quiet_for) == (3, "")
    assert opened.give(heard(placed[0], "cancelled", 1)).quiet_for == "", "two are open"
    assert opened.give(heard(placed[1], "clear 0.01@50000", 2)).quiet_for == "", "one is open"
    assert opened.give(heard(placed[2], "cancelled", 3)).quiet_for == "L1"


@pytest.mark.parametrize("by", ["parked", "default"])
@pytest.mark.parametrize("left", [0, 1])
def test_resolving_what_is_parked_reopens_nobody_who_is_in_default(by: str, left: int) -> None:
    opened = desk()
    opened.give(m.InputParked(some_meta(), ANN, "why", True))
    if by == "default":
        opened.give(
            m.DefaultChanged(
                some_meta(), "c", ANN, "D1", "USDT", "DECLARED", 0, 0, (), 0, 0, "", 0, "told", "desk"
            )
        )  # fmt: skip
    release, reopens = m.Release("r", "p", "desk", left), by == "parked" and left == 0
    entry = msgspec.structs.replace(credited("1"), entry_id="late", release=release)
    account = opened.state.accounts[ANN]
    if not reopens:
        assert opened.give(m.ParkedDismissed(some_meta(), ANN, "told twice", release)) is None
    assert (opened.give(entry).reopens_account, account.halted_by == "") == (reopens, reopens)


def test_profit_that_is_not_paid_is_kept_with_the_position() -> None:
    booking = m.ContractBooking("TRADE", "P", "USDT", "house:clearing", "", 1, 1, 2, "0", {}, {})
    entry = msgspec.structs.replace(credited("1"), contract=booking, position=m.Position("P", 0, 0, 5))
    opened = desk()
    assert opened.give(entry).contract == m.ContractHeld("P", 0, 0, 3, 0, 0, "0")
    held = opened.state.accounts[ANN].contracts["P"]
    assert (held.quantity_e8, held.unpaid_e8) == (0, 3), "nothing is held, and three are still due"
