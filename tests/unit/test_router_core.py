"""The router's core: one row per rule, and that no interleaving of reports can make the tape say something false."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router import core
from truetape import ids, marks, orders, reference, snapshots
from truetape import messages as m
from truetape.errors import VenueError
from truetape.money import ONE_E8, to_e8
from truetape.service import Input, Tables
from truetape.venue import reports as r
from truetape.venue.book import BookView
from truetape.venue.errors import UnknownVenueOrder

PARTITION = 5
NOW_US = 1_000_000_000
DEADLINE_US = NOW_US + 2_000_000
ORDER_ID = "0123456789abcdef" * 2
LEG = ids.venue_client_order_id(PARTITION, ORDER_ID, 0)
LOT = to_e8("0.00001")
LISTING = m.Listing("alpha", "BTCUSDT", to_e8("0.1"), LOT, LOT, 5 * ONE_E8, 100_000, 100_000)
INSTRUMENT = m.Instrument(
    "BTC-USDT", "BTC", "USDT", to_e8("0.01"), LOT, LOT, 100 * ONE_E8, 5 * ONE_E8, 10**7 * ONE_E8, True, (LISTING,)
)
BOOK = BookView("alpha", "BTCUSDT", 7, NOW_US, ((to_e8("59999"), ONE_E8),), ((to_e8("60001"), ONE_E8),))


class Tape:
    """A core and the records that it wrote."""

    def __init__(self, *events: Any) -> None:
        self.state = core.State()
        self.events: list[Any] = []
        self.tables = Tables(reference.Reference({"BTC-USDT": INSTRUMENT}), marks.Marks())
        self.tables.views = {("alpha", "BTCUSDT"): BOOK}
        for event in events:
            self.state = core.evolve(self.state, event)

    def take(self, message: Any, at_us: int = NOW_US) -> Any:
        """Decide one input; writes and returns its record."""
        cause = m.Cause("test", PARTITION, len(self.events), "")
        event = core.decide(
            self.state,
            Input(message, cause, at_us, "orders.executions", 1, len(self.events) + 1, self.tables, PARTITION),
        )
        if event is not None:
            self.state = core.evolve(self.state, event)
            self.events.append(event)
        return event

    @property
    def leg(self) -> core.Leg:
        return self.state.orders[ORDER_ID].legs[0]


def terms(order_id: str = ORDER_ID, **changed: Any) -> m.OrderTerms:
    plain = m.OrderTerms(order_id, "acct", "mine", "BTC-USDT", "BUY", "LIMIT", "GTC", False, ONE_E8, to_e8("60000.07"))
    return msgspec.structs.replace(plain, **changed)


def accepted(order: m.OrderTerms, send_before_us: int = DEADLINE_US) -> m.OrderAccepted:
    meta = m.Meta(1, 1, m.Cause("orders.commands", PARTITION, 0, ""), NOW_US, "", order.order_id)
    return m.OrderAccepted(
        meta=meta, order=order, limit_price_e8=to_e8("60000.07"), reserved_asset="USDT", reserved_e8=1, fee_rate_e8=0,
        reference_offset=0, send_before_us=send_before_us,
    )  # fmt: skip


def cancel_requested(*order_ids: str) -> m.CancelRequested:
    meta = m.Meta(1, 1, m.Cause("orders.commands", PARTITION, 0, ""), NOW_US, "", "")
    return m.CancelRequested(meta, "cancel-1", "acct", order_ids)


def sent() -> Tape:
    """An order whose intent is on the tape."""
    tape = Tape()
    assert isinstance(tape.take(accepted(terms())), m.OrderRouted)
    return tape


def fill(trade: int, quantity: str, leg: str = LEG, **changed: Any) -> r.VenueFilled:
    quantity_e8 = to_e8(quantity)
    plain = r.VenueFilled(
        "alpha", "BTCUSDT", leg, "28", f"alpha:BTCUSDT:{trade}:B", "BUY", quantity_e8, to_e8("60000"),
        60_000 * quantity_e8, "BTC", 100, "MAKER", NOW_US, "stream",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changed)


ACK = r.VenueAcknowledged("alpha", LEG, "28", NOW_US)
UNKNOWN = r.VenueUnknown("alpha", LEG, "timeout")
REJECTED = r.VenueRejected("alpha", LEG, "-2010", "no funds")
CANCEL_REJECTED = r.VenueCancelRejected("alpha", LEG, "-2011", "unknown order")


def expired(quantity: str) -> r.VenueExpired:
    return r.VenueExpired("alpha", LEG, to_e8(quantity), "EXPIRED")


def cancelled(quantity: str) -> r.VenueCancelled:
    return r.VenueCancelled("alpha", LEG, to_e8(quantity), "CANCELED")


def not_found(after_deadline_us: int) -> r.VenueNotFound:
    return r.VenueNotFound("alpha", LEG, DEADLINE_US + after_deadline_us)


# ---- routing


def test_an_accepted_order_is_an_intent_with_what_was_seen() -> None:
    tape = Tape()
    event = tape.take(accepted(terms()))
    assert event.legs == (m.RoutedLeg(0, "alpha", "BTCUSDT", LEG, ONE_E8, to_e8("60000"), DEADLINE_US),), (
        "the price is on the venue's tick, no worse for the client"
    )
    assert [(seen.venue, seen.sequence, seen.fillable_e8) for seen in event.seen] == [("alpha", 7, 0)]
    assert ids.partition_of_venue_order(LEG) == PARTITION
    assert event.meta.correlation_id == ORDER_ID


def test_an_order_that_comes_again_is_not_sent_again() -> None:
    tape = sent()
    assert tape.take(accepted(terms())) is None
    tape.take(fill(1, "1"))
    assert tape.take(accepted(terms())) is None
    tape.take(accepted(terms("b" * 32), send_before_us=NOW_US))
    assert tape.take(accepted(terms("b" * 32))) is None


@pytest.mark.parametrize(
    ("order", "send_before_us", "reason"),
    [
        (terms(), NOW_US, "SEND_DEADLINE_PASSED"),
        (terms(instrument_id="X-Y"), DEADLINE_US, "NOT_LISTED"),
        (terms(quantity_e8=LOT), DEADLINE_US, "BELOW_VENUE_MINIMUM"),
    ],
)
def test_an_order_that_goes_nowhere_ends_with_a_reason(order: m.OrderTerms, send_before_us: int, reason: str) -> None:
    tape = Tape()
    event = tape.take(accepted(order, send_before_us))
    assert isinstance(event, m.OrderNotRouted)
    assert event.reason == reason
    assert orders.advance("ACCEPTED", event) == "REJECTED"


def test_without_books_nothing_is_routed() -> None:
    tape = Tape()
    tape.tables.views = None
    assert tape.take(accepted(terms())).reason == "NO_FRESH_BOOK"


# ---- reports


@pytest.mark.parametrize(
    ("told", "records"),
    [
        #  what the venue tells, in this order              what the tape says
        ([ACK, ACK], ["OrderAcknowledged"]),
        ([fill(1, "0.4"), ACK], ["OrderFilled"]),
        ([ACK, fill(1, "0.4"), fill(1, "0.4")], ["OrderAcknowledged", "OrderFilled"]),
        ([fill(1, "0.4"), fill(2, "0.6")], ["OrderFilled", "OrderFilled"]),
        ([fill(1, "1"), expired("1"), cancelled("1")], ["OrderFilled"]),
        ([expired("0"), expired("0"), cancelled("0")], ["OrderExpired"]),
        ([expired("0.4")], []),  # Held: its fills have not come.
        ([expired("0.4"), fill(1, "0.4"), expired("0.4")], ["OrderFilled", "OrderExpired"]),
        ([fill(1, "0.4"), expired("0")], ["OrderFilled"]),  # Older than the fill.
        ([ACK, cancelled("0"), ACK, UNKNOWN, REJECTED], ["OrderAcknowledged", "OrderCancelled"]),
        ([cancelled("0"), fill(1, "0.4")], ["OrderCancelled", "OrderFilled"]),  # Late, and booked.
        ([UNKNOWN, UNKNOWN, ACK], ["OutcomeUnknown", "OrderAcknowledged"]),
        ([UNKNOWN, fill(1, "1")], ["OutcomeUnknown", "OrderFilled"]),
        ([UNKNOWN, expired("0")], ["OutcomeUnknown", "OrderExpired"]),
        ([UNKNOWN, REJECTED], ["OutcomeUnknown", "OrderRejectedByVenue"]),
        ([ACK, UNKNOWN], ["OrderAcknowledged"]),  # There is evidence already.
        ([fill(1, "0.4"), UNKNOWN], ["OrderFilled"]),
        ([REJECTED, ACK], ["OrderRejectedByVenue"]),
        ([REJECTED, fill(1, "0.4")], ["OrderRejectedByVenue", "OrderFilled"]),  # A fact, whatever was said before.
        ([ACK, REJECTED], ["OrderAcknowledged"]),  # Contradicts the acknowledgement.
        ([fill(1, "0.4"), REJECTED], ["OrderFilled"]),
        ([UNKNOWN, not_found(0)], ["OutcomeUnknown"]),
        ([UNKNOWN, not_found(core.EVIDENCE_MARGIN_US)], ["OutcomeUnknown"]),
        ([UNKNOWN, not_found(core.EVIDENCE_MARGIN_US + 1)], ["OutcomeUnknown", "OrderRejectedByVenue"]),
        ([not_found(core.EVIDENCE_MARGIN_US + 1)], ["OrderRejectedByVenue"]),
        ([ACK, not_found(10**9)], ["OrderAcknowledged"]),  # It was there.
        ([fill(1, "0.4"), not_found(10**9)], ["OrderFilled"]),
        ([CANCEL_REJECTED], []),  # Nobody asked.
    ],
)
def test_reports_become_records_once_and_in_order(told: Sequence[r.Report], records: list[str]) -> None:
    tape = sent()
    for report in told:
        tape.take(report)
    assert [type(event).__name__ for event in tape.events[1:]] == records


def test_a_fill_says_everything_that_clearing_needs() -> None:
    tape = sent()
    tape.take(fill(1, "0.4"))
    event = tape.take(fill(2, "0.6", fee_asset="BNB", fee_e8=-5))
    assert (event.base, event.quote, event.side, event.instrument_id) == ("BTC", "USDT", "BUY", "BTC-USDT")
    assert (event.cumulative_quantity_e8, event.leaves_quantity_e8, event.status) == (ONE_E8, 0, "FILLED")
    assert (event.fee_asset, event.fee_e8, event.quote_amount_e8) == ("BNB", -5, 36_000 * ONE_E8)
    assert tape.events[1].status == "PARTIALLY_FILLED"


def test_a_late_fill_leaves_the_end_as_it_was() -> None:
    tape = sent()
    tape.take(cancelled("0"))
    event = tape.take(fill(1, "1"))
    assert (event.status, event.leaves_quantity_e8, event.cumulative_quantity_e8) == ("CANCELLED", 0, ONE_E8)
    assert orders.advance("CANCELLED", event, True) == "CANCELLED"


@pytest.mark.parametrize(
    "wrong",
    [
        fill(1, "1.1"),
        fill(1, "0"),
        fill(1, "1", venue="beta"),
        fill(1, "1", symbol="ETHUSDT"),
        fill(1, "1", side="SELL"),
    ],
)
def test_a_fill_that_contradicts_its_order_is_set_aside(wrong: r.VenueFilled) -> None:
    tape = sent()
    with pytest.raises(VenueError):
        tape.take(wrong)
    assert tape.leg.filled_e8 == 0


def test_reports_of_orders_that_are_not_on_the_tape() -> None:
    tape = Tape()
    for report in (ACK, UNKNOWN, REJECTED, expired("0"), not_found(10**9), CANCEL_REJECTED):
        assert tape.take(report) is None
    with pytest.raises(UnknownVenueOrder):
        tape.take(fill(1, "1"))


def test_a_new_owner_knows_which_ended_orders_may_have_fills_and_since_when() -> None:
    """A leg's fills come after the trade that was on the tape when it was routed; one that is filled has no more."""
    tape = sent()
    tape.take(fill(41, "0.4"))
    tape.take(cancelled("0.4"))
    assert [(leg.client_order_id, leg.after_trade) for _, leg in core.ended_legs(tape.state)] == [(LEG, 0)]
    assert tape.state.newest_trades == {"alpha:BTCUSDT": 41}
    tape.take(fill(40, "0.6"))
    assert list(core.ended_legs(tape.state)) == []
    assert tape.state.newest_trades == {"alpha:BTCUSDT": 41}


# ---- cancels


def test_a_cancel_goes_to_every_open_leg_once_asked() -> None:
    tape = sent()
    event = tape.take(cancel_requested(ORDER_ID, "f" * 32))
    assert event.legs == (m.CancelLeg(ORDER_ID, 0, "alpha", "BTCUSDT", LEG),)
    assert (event.command_id, tape.leg.cancel_command_id) == ("cancel-1", "cancel-1")
    assert tape.take(cancelled("0")).reason == "REQUESTED"
    assert tape.take(cancel_requested(ORDER_ID)) is None


def test_a_refused_cancel_leaves_the_order_open() -> None:
    tape = sent()
    tape.take(cancel_requested(ORDER_ID))
    assert isinstance(tape.take(CANCEL_REJECTED), m.CancelRejectedByVenue)
    assert tape.take(CANCEL_REJECTED) is None
    assert tape.leg.status == "SENT"
    assert tape.take(cancelled("0")).reason == "BY_VENUE"


def test_what_a_new_owner_finds_open() -> None:
    tape = sent()
    assert [leg.client_order_id for _, leg in core.open_legs(tape.state)] == [LEG]
    assert core.accounts(tape.state).keys() == {"acct"}
    tape.take(expired("0"))
    assert list(core.open_legs(tape.state)) == []
    assert core.accounts(tape.state) == {}


# ---- bounds


def test_ended_orders_are_kept_for_a_while_and_forgotten_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "RETAINED_ORDERS", 3)
    tape = Tape()
    names = [f"{number:032x}" for number in range(5, 0, -1)]
    for name in names:
        tape.take(accepted(terms(name[::-1])))
    open_order = names[0][::-1]
    for name in names[1:]:
        leg = ids.venue_client_order_id(PARTITION, name[::-1], 0)
        tape.take(r.VenueExpired("alpha", leg, 0, "EXPIRED"))
    assert list(tape.state.ended) == [name[::-1] for name in names[2:]]
    packed = snapshots.pack(tape.state)
    tape.state = msgspec.msgpack.decode(packed, type=core.State)  # Sorts the keys; the order of ends must survive.
    assert set(tape.state.orders) == {open_order, *(name[::-1] for name in names[2:])}
    assert len(tape.state.legs) == 4
    tape.take(accepted(terms("c" * 32), send_before_us=NOW_US))
    assert "c" * 32 in tape.state.ended
    assert set(tape.state.orders) == {open_order, *(name[::-1] for name in names[3:])}


def test_the_state_survives_a_snapshot() -> None:
    tape = sent()
    tape.take(fill(1, "0.4"))
    tape.take(accepted(terms("b" * 32), send_before_us=NOW_US))
    kept = msgspec.msgpack.encode(tape.state)
    again = msgspec.msgpack.decode(kept, type=core.State)
    assert again == tape.state
    assert msgspec.msgpack.encode(again) == kept


# ---- every interleaving

SIZES = ("0.1", "0.2", "0.3")


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[r.VenueFilled], list[Any]]:
    """What happened at the venue, and everything it tells about it, repeated, reordered and mixed with noise."""
    fills = [fill(number, draw(st.sampled_from(SIZES))) for number in range(draw(st.integers(0, 3)))]
    total_e8 = sum(one.quantity_e8 for one in fills)
    end = draw(st.sampled_from(["open", "cancelled", "expired"]))
    truth: list[Any] = [ACK, *fills]
    if end != "open":
        kind = r.VenueCancelled if end == "cancelled" else r.VenueExpired
        truth += [kind("alpha", LEG, total_e8, end.upper())] * 2
    noise = [UNKNOWN, not_found(-1), not_found(10**9), CANCEL_REJECTED, expired("0.05"), cancel_requested(ORDER_ID)]
    told = draw(st.lists(st.sampled_from([*truth, *noise]), max_size=25))
    # At last the session has asked, and offers in the right order what the venue says.
    return fills, [*told, *truth]


@settings(max_examples=500)
@given(stories())
def test_no_order_of_reports_makes_the_tape_say_something_false(
    story: tuple[list[r.VenueFilled], list[Any]],
) -> None:
    fills, told = story
    tape = sent()
    for report in told:
        before = msgspec.msgpack.encode(tape.state)
        event = tape.take(report)
        assert event is not None or msgspec.msgpack.encode(tape.state) == before, "no record, no change"
    booked = [event for event in tape.events if isinstance(event, m.OrderFilled)]
    absent = next((n for n, e in enumerate(tape.events) if getattr(e, "code", "") == core.NOT_RECEIVED), None)
    assert sorted(e.execution_id for e in booked) == sorted(one.execution_id for one in fills)
    assert [e.cumulative_quantity_e8 for e in booked] == _sums([e.quantity_e8 for e in booked])
    ends = [e for e in tape.events if isinstance(e, m.OrderCancelled | m.OrderExpired | m.OrderRejectedByVenue)]
    assert len(ends) <= 1
    for end in ends:
        if absent is None:
            assert end.cumulative_quantity_e8 == sum(one.quantity_e8 for one in fills)
    _check_fold(tape)


def _sums(values: list[int]) -> list[int]:
    return [sum(values[: count + 1]) for count in range(len(values))]


def _check_fold(tape: Tape) -> None:
    """The state is the fold of the records, and every record is a legal step of the order."""
    assert Tape(*tape.events).state == tape.state
    status: m.OrderStatus = "ACCEPTED"
    filled = False
    for event in tape.events:
        stepped = orders.advance(status, event, filled)
        if isinstance(event, m.OrderFilled):
            filled = True
            assert event.status == stepped
        status = stepped
    ours = {"SENT": "ACCEPTED"}.get(tape.leg.status, tape.leg.status)
    assert status == ("PARTIALLY_FILLED" if ours == "WORKING" and filled else ours)
