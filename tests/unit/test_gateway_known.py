"""Retries are answered with the decision already made; the filter never forgets an order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.gateway.known import COMPARED, RECENT_MAX, Decided, Filter, Known, decided, differences, repeated
from services.gateway.tail import REMEMBERED
from services.risk.account import CLOSED_ORDERS_KEPT, TRANSFERS_KEPT
from truetape import ids
from truetape import messages as m
from truetape.messages import OrderTerms

TERMS = OrderTerms(
    ids.order_id("acme", "c1"), "acme", "c1", "BTC-USDT", "BUY", "LIMIT", "GTC", False, 10**6, 60_000 * 10**8
)
META = m.Meta(2, 9, m.Cause("orders.commands", 3, 41, ""), 1_700_000_000_000_000, "decision", TERMS.order_id)


def accepted(order: OrderTerms) -> m.OrderAccepted:
    return m.OrderAccepted(
        meta=META, order=order, limit_price_e8=1, reserved_asset="USDT", reserved_e8=1, fee_rate_e8=0,
        reference_offset=1, send_before_us=1,
    )  # fmt: skip


def rejected(order: OrderTerms) -> m.OrderRejected:
    return m.OrderRejected(meta=META, order=order, reason="PRICE_OFF_TICK", numbers={"tick_e8": 5}, reference_offset=1)


def repetition(event: Any) -> m.DecisionRepeated:
    """What risk answers when the order is submitted again."""
    return m.DecisionRepeated(
        meta=replace(META, sequence=10, decided_at_us=META.decided_at_us + 5, event_id="later"),
        order_id=TERMS.order_id, account_id="acme", accepted=isinstance(event, m.OrderAccepted),
        numbers=getattr(event, "numbers", {}),
        decision_event_id=event.meta.event_id, decided_at_us=event.meta.decided_at_us, differs=(),
        reason=getattr(event, "reason", None),
    )  # fmt: skip


def without_offset(decision: Decided) -> Decided:
    return replace(decision, offset=0, numbers=decision.numbers or None)


def test_a_repeated_decision_says_what_the_first_one_said() -> None:
    for event in (accepted(TERMS), rejected(TERMS)):
        first, again = decided(event, 77), repeated(repetition(event), TERMS, 99)
        assert without_offset(first) == without_offset(again)
        assert (first.offset, again.offset) == (77, 99)


def test_each_field_that_differs_is_named() -> None:
    changed = replace(
        TERMS, instrument_id="ETH-USDT", side="SELL", order_type="MARKET", time_in_force="IOC", post_only=True,
        quantity_e8=1, price_e8=None, position_effect="CLOSE",
    )  # fmt: skip
    assert differences(TERMS, changed) == list(COMPARED)
    assert differences(TERMS, TERMS) == []
    assert differences(TERMS, replace(TERMS, price_e8=1)) == ["price"]
    compared, identity = set(COMPARED.values()), {"order_id", "account_id", "client_order_id"}
    assert compared | identity == set(OrderTerms.__struct_fields__), "a new field of the terms must be compared"


@given(st.sets(st.binary(min_size=16, max_size=16), max_size=200), st.binary(min_size=16, max_size=16))
def test_the_filter_never_denies_what_it_has(added: set[bytes], other: bytes) -> None:
    found = Filter(bits=12)
    for one in added:
        found.add(one.hex())
    assert all(one.hex() in found for one in added)
    if not added:
        assert other.hex() not in found


def test_the_filter_is_mostly_right_about_new_orders() -> None:
    found = Filter(bits=16)
    for number in range(2_000):
        found.add(ids.order_id("a", str(number)))
    wrong = sum(ids.order_id("b", str(number)) in found for number in range(2_000))
    assert wrong < 10


def test_an_id_is_looked_up_until_the_filter_is_complete_and_when_it_may_be_old() -> None:
    known = Known(Filter(bits=16))
    old, new = ids.order_id("acme", "old"), ids.order_id("acme", "new")
    assert known.must_look_up(new)
    known.load([old])
    known.complete = True
    assert known.must_look_up(old)
    assert not known.must_look_up(new)
    known.note(accepted(replace(TERMS, order_id=new)), 5)
    assert known.must_look_up(new), "the tape's end tells of new orders"
    assert known.recent[new].offset == 5


def test_risk_remembers_what_the_views_may_lack() -> None:
    """Twice as much: the tail's own lag, and what risk decides meanwhile, come on top."""
    assert min(CLOSED_ORDERS_KEPT, TRANSFERS_KEPT) >= 2 * REMEMBERED


def test_other_events_are_no_decisions() -> None:
    known = Known(Filter(bits=10))
    known.note(m.CancelRequested(META, "c", "acme", ()), 1)
    assert not known.recent


def test_the_newest_decisions_are_kept_and_the_oldest_go() -> None:
    known = Known(Filter(bits=16))
    for number in range(RECENT_MAX + 3):
        known.keep(decided(accepted(replace(TERMS, order_id=f"{number:032x}")), number))
    assert len(known.recent) == RECENT_MAX
    assert f"{2:032x}" not in known.recent
    assert f"{3:032x}" in known.recent
