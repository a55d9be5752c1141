"""What risk answers to cancels and transfers, how it bounds messages, and what leaves it unmoved."""

from typing import Any

import msgspec
import pytest

from services.risk.account import State
from tests.unit.desk import ANN, BTC, START_US, mark, request, rows, some_meta, submit, terms, transfer
from tests.unit.risk_desk import credited, desk, order_of, prepare, shown
from truetape import ids
from truetape import messages as m
from truetape.money import to_e8

# -- cancels -------------------------------------------------------------------------------------------------------


def cancel(order_id: str, account_id: str = ANN) -> m.CancelOrder:
    return m.CancelOrder("k", account_id, order_id, "key", START_US)


def cancel_all(instrument_id: str | None = None) -> m.CancelAllOrders:
    return m.CancelAllOrders(
        command_id="k", account_id=ANN, instrument_id=instrument_id, key_id="key", received_at_us=START_US
    )


@pytest.mark.parametrize(
    "given", ["", "halted ann", "halted *", "reducing *", "mark none", "limit max_messages_per_second 0", "late 99"]
)
def test_cancels_always_pass(given: str) -> None:
    opened = desk()
    order_id = opened.give(submit(order_of("BUY 1 60000"))).order.order_id
    prepare(given, opened)
    assert opened.give(cancel(order_id)).order_ids == (order_id,)
    assert opened.give(cancel_all()).order_ids == (order_id,)


def test_there_is_nothing_to_cancel() -> None:
    opened = desk()
    accepted = opened.give(submit(order_of("BUY 1 60000"))).order.order_id
    refused = opened.give(submit(order_of("BUY 0 60000", 2))).order.order_id
    opened.give(m.OrderCancelled(some_meta(), accepted, ANN, 0, "alpha", 0, "REQUESTED"))
    assert opened.give(cancel(accepted)).reason == "ORDER_CLOSED"
    assert opened.give(cancel(refused)).reason == "ORDER_CLOSED"
    assert opened.give(cancel("never seen")).reason == "ORDER_UNKNOWN"
    assert opened.give(cancel(accepted, "bob")).reason == "ORDER_UNKNOWN"
    assert opened.give(cancel_all()).order_ids == ()


def test_all_open_orders_are_cancelled_oldest_first_also_after_a_snapshot() -> None:
    opened = desk()
    eth = msgspec.structs.replace(BTC, instrument_id="ETH-USDT", base="ETH")
    opened.tables.reference.instruments["ETH-USDT"] = eth
    opened.tables.marks.newest["ETH-USDT"] = mark("60000", instrument_id="ETH-USDT")
    placed = [opened.give(submit(order_of("BUY 0.001 60000", number))).order.order_id for number in (5, 3, 9, 1)]
    other = opened.give(submit(terms("BUY", "0.001", "60000", "e", instrument_id="ETH-USDT"))).order.order_id
    opened.state = msgspec.msgpack.decode(msgspec.msgpack.encode(opened.state, order="deterministic"), type=State)
    assert opened.give(cancel_all()).order_ids == (*placed, other)
    assert opened.give(cancel_all("BTC-USDT")).order_ids == tuple(placed)
    assert opened.give(cancel_all("ETH-USDT")).order_ids == (other,)
    assert opened.give(cancel_all("XRP-USDT")).order_ids == ()


# -- message rate --------------------------------------------------------------------------------------------------

#   ms since start: the answers to one submission each, two a second allowed; "c" is a cancel, which counts
RATES = """
times                            | answers
0 100 200 999 1000 1100 1200     | ok ok RATE RATE ok ok RATE
0 500 999 1500 1600 1700         | ok ok RATE ok ok RATE
0 5000 5001 5002                 | ok ok ok RATE
c0 c1 c2 3 1000                  | pass pass pass RATE ok
0 c1 2                           | ok pass RATE
0 1 -3600000 -3599500 -3599000   | ok ok RATE RATE ok
0 1 -3600000 -3598999 0          | ok ok RATE ok ok
"""


@pytest.mark.parametrize(("times", "answers"), rows(RATES))
def test_messages_a_second_are_bounded_also_when_the_clock_goes_back(times: str, answers: str) -> None:
    opened = desk()
    opened.tables.reference.limits[ANN] = m.Limits(10**18, 1_000, 2, 10**7, 1 << 60)
    seen = []
    for number, at in enumerate(times.split()):
        opened.at_us = START_US + int(at.removeprefix("c")) * 1_000
        if at.startswith("c"):
            assert isinstance(opened.give(cancel("never seen")), m.CancelRefused)
            seen.append("pass")
            continue
        event = opened.give(submit(order_of("BUY 0.001 60000", number)))
        rate = isinstance(event, m.OrderRejected) and event.reason == "MESSAGE_RATE_EXCEEDED"
        assert rate or isinstance(event, m.OrderAccepted)
        seen.append("RATE" if rate else "ok")
    assert seen == answers.split()


# -- transfers -----------------------------------------------------------------------------------------------------

TRANSFERS = """
amount         | given           | answer
1000           |                 | approved
-100000        |                 | approved
-100000.00000001 |               | INSUFFICIENT_FUNDS needed_e8 10000000000001, available_e8 10000000000000, reserved_e8 0
-99500         | open 1          | INSUFFICIENT_FUNDS needed_e8 9950000000000, available_e8 9949875000000, reserved_e8 50125000000
0              |                 | QUANTITY_NOT_POSITIVE amount_e8 0
1000           | account unknown | ACCOUNT_UNKNOWN reference_offset 11
1000           | halted *        | approved
-1             | halted *        | TRADING_HALTED amount_e8 -100000000
-1             | reducing *      | approved
92233720368    |                 | NUMBER_TOO_LARGE amount_e8 9223372036800000000, held_e8 10000000000000
1 client:bob   |                 | TERMS_INCOMPATIBLE location_is_mirror 0
1 house:fees   |                 | TERMS_INCOMPATIBLE location_is_mirror 0
"""  # noqa: E501


@pytest.mark.parametrize(("amount", "given", "answer"), rows(TRANSFERS))
def test_a_transfer_is_answered(amount: str, given: str, answer: str) -> None:
    opened = desk()
    prepare(given, opened)
    value, *location = amount.split()
    event = opened.give(request(transfer(value, location=location[0] if location else "bank:settlement")))
    assert shown(event) == answer


def test_an_approved_transfer_is_not_answered_again_and_a_refused_withdrawal_stays_refused() -> None:
    """Whoever was told "refused" asks under another reference: what arrives late under the first must not pay too."""
    opened = desk("10 USDT")
    assert shown(opened.give(request(transfer("-20")))).startswith("INSUFFICIENT_FUNDS needed_e8")
    opened.give(credited("10"))
    assert shown(opened.give(request(transfer("-20")))) == "INSUFFICIENT_FUNDS refused_before 1"
    assert shown(opened.give(request(transfer("-5")))) == "INSUFFICIENT_FUNDS refused_before 1"
    assert isinstance(opened.give(request(transfer("-20", reference="3"))), m.TransferApproved)
    assert opened.give(request(transfer("-20", reference="3"))) is None
    assert isinstance(opened.give(request(transfer("5", reference="2"))), m.TransferApproved)
    assert opened.give(request(transfer("5", reference="2"))) is None


def test_a_withdrawal_holds_its_amount_until_it_is_booked() -> None:
    opened = desk("100 USDT")
    asked = transfer("-60")
    opened.give(request(asked))
    assert opened.state.accounts[ANN].reserved == {"USDT": to_e8("60")}
    assert opened.give(request(transfer("-41", reference="2"))).reason == "INSUFFICIENT_FUNDS"
    entry = msgspec.structs.replace(credited("-60"), kind="WITHDRAWAL", entry_id=asked.transfer_id)
    event = opened.give(entry)
    assert (event.released_asset, event.released_e8) == ("USDT", to_e8("60"))
    account = opened.state.accounts[ANN]
    assert (account.balances, account.reserved, account.withdrawals) == ({"USDT": to_e8("40")}, {}, {})


# -- halted ledgers ------------------------------------------------------------------------------------------------


def test_a_halted_ledger_stops_new_orders_and_withdrawals_until_its_last_input_is_resolved() -> None:
    opened = desk("100000 USDT")
    open_order = opened.give(submit(order_of("BUY 1 60000"))).order
    parked = m.InputParked(some_meta(offset=7), ANN, "AccountHalted", True)
    assert opened.give(parked).parked_event_id == parked.meta.event_id
    assert opened.give(msgspec.structs.replace(parked, meta=some_meta(offset=8))) is None, "it is halted already"
    for asked in (order_of("BUY 0.1 60000", 1), order_of("SELL 0.1 60000", 2)):
        refused = opened.give(submit(asked))
        assert (refused.reason, refused.numbers) == ("TRADING_HALTED", {"ledger_halted": 1})
    assert opened.give(request(transfer("-1"))).reason == "TRADING_HALTED"
    assert isinstance(opened.give(request(transfer("1", reference="2"))), m.TransferApproved)
    assert isinstance(opened.give(cancel(open_order.order_id)), m.CancelRequested)
    entry = msgspec.structs.replace(credited("1"), release=m.Release("c", parked.meta.event_id, "eve", 1))
    assert not opened.give(entry).reopens_account, "one is left"
    assert opened.give(submit(order_of("BUY 0.1 60000", 3))).reason == "TRADING_HALTED"
    last = msgspec.structs.replace(entry, entry_id="e2", release=m.Release("d", "x", "eve", 0))
    assert opened.give(last).reopens_account
    assert isinstance(opened.give(submit(order_of("BUY 0.1 60000", 4))), m.OrderAccepted)
    assert {opened.replayed(at) for at in range(len(opened.events) + 1)} == {opened.digest()}


def test_a_dismissal_reopens_the_account_only_when_it_was_the_last_and_the_account_was_halted() -> None:
    opened = desk("100000 USDT")
    last, one_left = (m.Release("c", "p", "eve", left) for left in (0, 1))
    assert opened.give(m.ParkedDismissed(some_meta(), ANN, "why", last)) is None, "risk never saw the halt"
    opened.give(m.InputParked(some_meta(), ANN, "EntryRepeated", True))
    assert opened.give(m.ParkedDismissed(some_meta(), ANN, "why", one_left)) is None
    assert isinstance(opened.give(m.ParkedDismissed(some_meta(), ANN, "why", last)), m.AccountReopened)
    assert isinstance(opened.give(submit(order_of("BUY 1 60000"))), m.OrderAccepted)


# -- what else arrives ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quiet",
    [
        m.Began(some_meta(), "0"),
        m.InputParked(some_meta(), ANN, "of the router", False),
        m.OrderAcknowledged(some_meta(), ids.order_id(ANN, "c0"), ANN, 0, "alpha", "v", 0),
        m.OutcomeUnknown(some_meta(), ids.order_id(ANN, "c0"), ANN, 0, "alpha", "timeout"),
        m.OrderCancelled(some_meta(), "never seen", ANN, 0, "alpha", 0, "REQUESTED"),
        m.OrderExpired(some_meta(), ids.order_id(ANN, "c0"), "bob", 0, "alpha", 0, "IOC"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_changes_no_credit_is_not_answered(quiet: Any) -> None:
    opened = desk()
    opened.give(submit(order_of("BUY 1 60000")))
    before = opened.digest()
    assert opened.give(quiet) is None
    assert opened.digest() == before


def test_a_parked_input_of_risk_itself_changes_nothing() -> None:
    opened = desk()
    before = opened.digest()
    opened.park(ANN, halts_account=False)
    assert opened.digest() == before
