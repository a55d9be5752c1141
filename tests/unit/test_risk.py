"""What risk answers, in rows a trader can read."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from services.risk import checks
from services.risk.account import CLOSED_ORDERS_KEPT
from services.risk.core import ORDER_LIFETIME_US
from tests.unit.desk import ANN, BTC, LIMITS, START_US, rows, submit
from tests.unit.risk_desk import credited, desk, order_of, prepare, shown
from truetape import messages as m
from truetape.money import to_e8

DOCS = Path(__file__).resolve().parents[2] / "docs" / "risk.md"


E8 = "00000000"
# House 0.1 % and the dearest venue 0.15 % make the fee rate of a reservation 0.25 %.
SUBMISSIONS = """
order                        | given                        | answer
BUY 1 60000                  |                              | accepted at 60000, 60150 USDT reserved
BUY 0.0001 100000.01         | limit collar_rate_e8 1       | accepted at 100000.01, 10.02500101 USDT reserved
SELL 2 60000                 |                              | accepted at 60000, 2 BTC reserved
BUY 1 MARKET                 |                              | accepted at 66000, 66165 USDT reserved
BUY 1 MARKET FOK             |                              | accepted at 66000, 66165 USDT reserved
SELL 1 MARKET                |                              | accepted at 54000, 1 BTC reserved
BUY 1 MARKET                 | mark 60000.07                | accepted at 66000.07, 66165.070175 USDT reserved
SELL 1 MARKET                | mark 60000.07                | accepted at 54000.07, 1 BTC reserved
SELL 1 MARKET                | limit collar_rate_e8 1.5     | NOTIONAL_BELOW_MINIMUM notional_e8 1000000, minimum_e8 10{E8}
BUY 1 60000 IOC              |                              | accepted at 60000, 60150 USDT reserved
BUY 1 60000 FOK              |                              | accepted at 60000, 60150 USDT reserved
BUY 1 60000 POST_ONLY        |                              | accepted at 60000, 60150 USDT reserved
BUY 1 60000                  | account unknown              | ACCOUNT_UNKNOWN reference_offset 11
BUY 1 60000                  | instrument unknown           | INSTRUMENT_UNKNOWN reference_offset 11
BUY 1 60000                  | late 30                      | accepted at 60000, 60150 USDT reserved
BUY 1 60000                  | late 30.000001               | COMMAND_EXPIRED age_us 30000001, lifetime_us 30000000
BUY 1 60000                  | limit max_messages_per_second 0 | MESSAGE_RATE_EXCEEDED messages 0, limit 0
BUY 1 60000                  | halted ann                   | TRADING_HALTED account_halted 1, everybody_halted 0
SELL 1 60000                 | halted *                     | TRADING_HALTED account_halted 0, everybody_halted 1
SELL 1 60000                 | reducing ann and halted *    | TRADING_HALTED account_halted 0, everybody_halted 1
SELL 1 60000                 | active ann                   | accepted at 60000, 1 BTC reserved
BUY 1 60000                  | reducing ann                 | TRADING_REDUCING sells 0, quantity_e8 1{E8}, held_e8 2{E8}
SELL 2 60000                 | reducing *                   | accepted at 60000, 2 BTC reserved
SELL 2.0001 60000            | reducing *                   | TRADING_REDUCING sells 1, quantity_e8 200010000, held_e8 2{E8}
SELL 0.5 60000               | reducing ann and 1.5 offered | accepted at 60000, 0.5 BTC reserved
SELL 1 60000                 | reducing ann and 1.5 offered | TRADING_REDUCING sells 1, quantity_e8 1{E8}, held_e8 50000000
BUY 1 60000                  | instrument tradable False    | INSTRUMENT_NOT_TRADABLE tradable 0, tick_e8 1000000, lot_e8 10000
BUY 1 60000                  | instrument tick_e8 0         | INSTRUMENT_NOT_TRADABLE tradable 1, tick_e8 0, lot_e8 10000
BUY 1 60000                  | instrument lot_e8 0          | INSTRUMENT_NOT_TRADABLE tradable 1, tick_e8 1000000, lot_e8 0
BUY 1 60000 price=none       |                              | PRICE_MISSING price_given 0
BUY 1 MARKET price=60000     |                              | PRICE_NOT_ALLOWED price_e8 60000{E8}
BUY 1 60000 IOC POST_ONLY    |                              | TERMS_INCOMPATIBLE market 0, good_till_cancelled 0, post_only 1
BUY 1 60000 FOK POST_ONLY    |                              | TERMS_INCOMPATIBLE market 0, good_till_cancelled 0, post_only 1
BUY 1 MARKET POST_ONLY       |                              | TERMS_INCOMPATIBLE market 1, good_till_cancelled 0, post_only 1
BUY 1 MARKET GTC             |                              | TERMS_INCOMPATIBLE market 1, good_till_cancelled 1, post_only 0
BUY 0 60000                  |                              | QUANTITY_NOT_POSITIVE quantity_e8 0
SELL -1 60000                |                              | QUANTITY_NOT_POSITIVE quantity_e8 -1{E8}
BUY 1 0                      |                              | PRICE_NOT_POSITIVE price_e8 0
SELL 1 -60000                |                              | PRICE_NOT_POSITIVE price_e8 -60000{E8}
SELL 90000000000 90000000000 |                              | NUMBER_TOO_LARGE price_e8 9000000000000000000, quantity_e8 9000000000000000000
BUY 1 60000.005              |                              | PRICE_OFF_TICK price_e8 6000000500000, tick_e8 1000000
BUY 0.00015 60000            |                              | QUANTITY_OFF_LOT quantity_e8 15000, lot_e8 10000
BUY 0.0001 60000             | instrument min_quantity_e8 0.0002 | QUANTITY_BELOW_MINIMUM quantity_e8 10000, minimum_e8 20000
BUY 100.0001 1               |                              | QUANTITY_ABOVE_MAXIMUM quantity_e8 10000010000, maximum_e8 100{E8}
BUY 1 1                      | open 5                       | TOO_MANY_OPEN_ORDERS open_orders 5, limit 5
BUY 1 60000                  | mark none                    | MARK_MISSING marks 0
BUY 1 MARKET                 | mark none                    | MARK_MISSING marks 0
SELL 1 60000                 | mark aged 5                  | accepted at 60000, 1 BTC reserved
SELL 1 60000                 | mark aged 5.000001           | MARK_STALE age_us 5000001, max_age_us 5000000
SELL 1 60000                 | mark aged -5.000001          | MARK_STALE age_us -5000001, max_age_us 5000000
BUY 1 66000                  |                              | accepted at 66000, 66165 USDT reserved
BUY 1 66000.01               |                              | PRICE_OUTSIDE_COLLAR price_e8 6600001000000, edge_e8 66000{E8}, mark_e8 60000{E8}
BUY 10 1                     |                              | accepted at 1, 10.025 USDT reserved
SELL 1 54000                 |                              | accepted at 54000, 1 BTC reserved
SELL 1 53999.99              |                              | PRICE_OUTSIDE_COLLAR price_e8 5399999000000, edge_e8 54000{E8}, mark_e8 60000{E8}
SELL 1 900000                |                              | accepted at 900000, 1 BTC reserved
BUY 1 MARKET                 | mark 0.001                   | PRICE_OUTSIDE_COLLAR price_e8 1000000, edge_e8 110000, mark_e8 100000
BUY 100 MARKET               | mark 90000000000             | NUMBER_TOO_LARGE quantity_e8 100{E8}, mark_e8 9000000000000000000, fee_rate_e8 250000
BUY 100 MARKET               | mark 837000000               | NUMBER_TOO_LARGE quantity_e8 100{E8}, mark_e8 83700000000000000, fee_rate_e8 250000
SELL 1 60000                 | funds 92233720368 USDT       | NUMBER_TOO_LARGE held_e8 9223372036800000000, gained_e8 60000{E8}
BUY 0.0001 60000             |                              | NOTIONAL_BELOW_MINIMUM notional_e8 6{E8}, minimum_e8 10{E8}
SELL 50 60000                |                              | NOTIONAL_ABOVE_MAXIMUM notional_e8 3000000{E8}, maximum_e8 2000000{E8}
SELL 20 60000                |                              | NOTIONAL_ABOVE_LIMIT notional_e8 1200000{E8}, limit_e8 1000000{E8}
BUY 2 60000                  |                              | INSUFFICIENT_FUNDS needed_e8 120300{E8}, available_e8 100000{E8}, reserved_e8 0
BUY 1 60000                  | funds 60150 USDT             | accepted at 60000, 60150 USDT reserved
BUY 1 60000                  | funds 60149.99999999 USDT    | INSUFFICIENT_FUNDS needed_e8 60150{E8}, available_e8 6014999999999, reserved_e8 0
SELL 2.0001 60000            |                              | INSUFFICIENT_FUNDS needed_e8 200010000, available_e8 2{E8}, reserved_e8 0
BUY 1.66 60000               | open 1                       | INSUFFICIENT_FUNDS needed_e8 99849{E8}, available_e8 9949875000000, reserved_e8 50125000000
"""  # noqa: E501


@pytest.mark.parametrize(("order", "given", "answer"), rows(SUBMISSIONS))
def test_a_submission_is_answered(order: str, given: str, answer: str) -> None:
    opened = desk()
    prepare(given, opened)
    before = dict(opened.state.accounts[ANN].reserved) if ANN in opened.state.accounts else {}
    event = opened.give(submit(order_of(order)))
    assert shown(event) == answer.replace("{E8}", E8)
    account = opened.state.accounts[ANN]
    if isinstance(event, m.OrderRejected):
        assert event.numbers and account.reserved == before and event.reference_offset == 11
    else:
        added = account.reserved[event.reserved_asset] - before.get(event.reserved_asset, 0)
        assert added == event.reserved_e8 == account.reservations[event.order.order_id].reserved_e8


def test_every_reason_has_a_row() -> None:
    answers = {answer.split()[0] for _, _, answer in rows(SUBMISSIONS)}
    assert answers - {"accepted"} == set(get_args(m.RejectReason))


# Several things are wrong at once: the first check of the order of precedence gives the reason.
PRECEDENCE = """
order                        | given                          | answer
BUY 0 0 IOC POST_ONLY        | account unknown                | ACCOUNT_UNKNOWN
BUY 0 0 IOC POST_ONLY        | instrument unknown             | INSTRUMENT_UNKNOWN
BUY 0 0 IOC POST_ONLY        | halted *                       | TRADING_HALTED
BUY 0 0 IOC POST_ONLY        | reducing *                     | TRADING_REDUCING
BUY 0 0 IOC POST_ONLY        | instrument tradable False      | INSTRUMENT_NOT_TRADABLE
BUY 0 0 IOC POST_ONLY        | mark none                      | TERMS_INCOMPATIBLE
BUY 0 0                      | mark none                      | QUANTITY_NOT_POSITIVE
BUY 0.00001 0.001            | mark none                      | PRICE_OFF_TICK
BUY 0.00001 70000            | mark none                      | QUANTITY_OFF_LOT
BUY 100.0001 70000           | open 5                         | QUANTITY_ABOVE_MAXIMUM
BUY 100 70000                | open 5                         | TOO_MANY_OPEN_ORDERS
BUY 100 70000                | mark none                      | MARK_MISSING
BUY 100 70000                | mark aged 9                    | MARK_STALE
BUY 100 70000                |                                | PRICE_OUTSIDE_COLLAR
BUY 100 60000                |                                | NOTIONAL_ABOVE_MAXIMUM
BUY 30 60000                 |                                | NOTIONAL_ABOVE_LIMIT
"""


@pytest.mark.parametrize(("order", "given", "answer"), rows(PRECEDENCE))
def test_the_first_reason_counts(order: str, given: str, answer: str) -> None:
    opened = desk()
    prepare(given, opened)
    assert opened.give(submit(order_of(order))).reason == answer


def test_a_decision_records_what_it_saw() -> None:
    opened = desk()
    opened.at_us += 1_000_000
    event = opened.give(submit(order_of("BUY 1 60000")))
    assert event.mark == m.MarkSeen(to_e8("60000"), 1, 1, START_US)
    assert (event.reference_offset, event.fee_rate_e8) == (11, 250_000)
    assert event.send_before_us == opened.at_us + ORDER_LIFETIME_US
    assert event.meta.correlation_id == event.order.order_id
    refused = opened.give(submit(order_of("BUY 2 60000", 2)))
    assert refused.reason == "INSUFFICIENT_FUNDS" and refused.mark == event.mark
    assert opened.give(submit(order_of("BUY 0 60000", 3))).mark is None


def test_fees_of_the_account_and_rebates_make_the_rate() -> None:
    opened = desk()
    for fees, rate in ((m.Fees(0, 0), 150_000), (m.Fees(500_000, 100), 650_000), (m.Fees(-500_000, -100), 150_000)):
        opened.tables.reference.fees[ANN] = fees
        assert opened.give(submit(order_of("BUY 0.01 60000", fees.maker_rate_e8))).fee_rate_e8 == rate
    quiet = msgspec.structs.replace(BTC, listings=())
    opened.tables.reference.instruments["BTC-USDT"] = quiet
    assert opened.give(submit(order_of("BUY 0.01 60000", 9))).fee_rate_e8 == 0


# -- repeated submissions ------------------------------------------------------------------------------------------


def test_a_repeated_submission_gets_the_decision_already_made() -> None:
    opened = desk()
    first = opened.give(submit(order_of("BUY 1 60000")))
    reserved = dict(opened.state.accounts[ANN].reserved)
    opened.at_us += 60_000_000  # By now the mark is stale and the command expired: it would be refused.
    again = opened.give(submit(order_of("BUY 1 60000")))
    assert isinstance(again, m.DecisionRepeated) and again.accepted and again.reason is None
    assert (again.decision_event_id, again.decided_at_us) == (first.meta.event_id, first.meta.decided_at_us)
    assert again.differs == () and again.numbers == {}
    assert opened.state.accounts[ANN].reserved == reserved


def test_a_refusal_is_repeated_with_its_numbers_though_it_would_pass_now() -> None:
    opened = desk("1 USDT")
    first = opened.give(submit(order_of("BUY 1 60000")))
    opened.give(credited("100000"))
    again = opened.give(submit(order_of("BUY 1 60000")))
    assert isinstance(again, m.DecisionRepeated) and not again.accepted
    assert (again.reason, again.numbers) == (first.reason, first.numbers)
    assert isinstance(opened.give(submit(order_of("BUY 1 60000", 2))), m.OrderAccepted)


@pytest.mark.parametrize(
    ("again", "differs"),
    [
        ("BUY 1 60000", ()),
        ("SELL 1 60000", ("side",)),
        ("BUY 2 60000.01 IOC", ("time_in_force", "quantity_e8", "price_e8")),
        ("BUY 1 MARKET", ("order_type", "time_in_force", "price_e8")),
        ("BUY 1 60000 POST_ONLY", ("post_only",)),
    ],
)
def test_a_repeated_submission_says_what_differs(again: str, differs: tuple[str, ...]) -> None:
    opened = desk()
    opened.give(submit(order_of("BUY 1 60000")))
    assert opened.give(submit(order_of(again))).differs == differs


def test_the_memory_of_closed_orders_is_bounded_and_open_ones_stay() -> None:
    opened = desk()
    opened.tables.reference.limits["*"] = msgspec.structs.replace(LIMITS, max_messages_per_second=1 << 40)
    opened.give(submit(order_of("BUY 1 60000", 1)))
    for number in range(CLOSED_ORDERS_KEPT + 3):
        opened.give(submit(order_of("BUY 0 1", 10 + number)))
    account = opened.state.accounts[ANN]
    assert len(account.orders) == CLOSED_ORDERS_KEPT + 1
    for number, known in ((1, True), (10, False), (12, False), (13, True)):
        assert (order_of("BUY 0 1", number).order_id in account.orders) is known
    assert opened.digest() == opened.replayed(through_snapshot_at=CLOSED_ORDERS_KEPT + 3)


def test_the_page_lists_the_checks_in_their_order() -> None:
    assert checks.markdown() in DOCS.read_text(), "docs/risk.md: paste checks.markdown() there"
