"""Order states: one table for the code, the tests and the docs."""

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape import messages as m
from truetape.messages import Cause, Meta, OrderStatus
from truetape.orders import LEGAL, STATUSES, STEPS, TERMINAL, advance, markdown
from truetape.topics import ORDERS_DECISIONS, ORDERS_EXECUTIONS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "order-states.md"
META = Meta(1, 1, Cause("x", 0, 0, ""), 0, "", "")
TERMS = m.OrderTerms("o", "a", "c", "BTC-USDT", "BUY", "LIMIT", "GTC", False, 10, 1)


def filled(status: OrderStatus, cumulative: int = 4) -> m.OrderFilled:
    return m.OrderFilled(
        META, "o", "a", 0, "alpha", "BTC-USDT", "BTC", "USDT", "BUY", "x", "v", 1, 1, 1, cumulative, 10 - cumulative,
        "USDT", 0, "TAKER", status, 0, "stream",
    )  # fmt: skip


def refused(cumulative: int) -> m.OrderRejectedByVenue:
    return m.OrderRejectedByVenue(META, "o", "a", 0, "alpha", cumulative, "-2010", "no")


EVENTS: dict[str, Any] = {
    "accepted": m.OrderAccepted(
        meta=META, order=TERMS, limit_price_e8=1, reserved_asset="USDT", reserved_e8=1, fee_rate_e8=0,
        reference_offset=0, send_before_us=0,
    ),
    "rejected": m.OrderRejected(meta=META, order=TERMS, reason="MARK_STALE", numbers={}, reference_offset=0),
    "routed": m.OrderRouted(META, TERMS, (), ()),
    "not routed": m.OrderNotRouted(META, "o", "a", "NO_BOOK", ()),
    "acknowledged": m.OrderAcknowledged(META, "o", "a", 0, "alpha", "v", 0),
    "part filled": filled("PARTIALLY_FILLED"),
    "filled": filled("FILLED", 10),
    "late fill": filled("CANCELLED", 10),
    "cancelled": m.OrderCancelled(META, "o", "a", 0, "alpha", 4, "REQUESTED"),
    "expired": m.OrderExpired(META, "o", "a", 0, "alpha", 4, "IOC"),
    "refused": refused(0),
    "refused with fills": refused(4),
    "unknown": m.OutcomeUnknown(META, "o", "a", 0, "alpha", "timeout"),
    "cancel requested": m.CancelRequested(META, "k", "a", ("o",)),
    "cancel refused": m.CancelRefused(META, "k", "a", "o", "ORDER_CLOSED"),
    "cancel routed": m.CancelRouted(META, "k", "a", ()),
    "cancel rejected by venue": m.CancelRejectedByVenue(META, "o", "a", 0, "alpha", "-2011", "unknown order"),
}  # fmt: skip

LIVES = """
accepted, routed, acknowledged, part filled, filled     | ACCEPTED ACCEPTED WORKING PARTIALLY_FILLED FILLED
accepted, routed, filled, acknowledged                  | ACCEPTED ACCEPTED FILLED FILLED
accepted, part filled, acknowledged                     | ACCEPTED PARTIALLY_FILLED PARTIALLY_FILLED
rejected, cancel requested                              | REJECTED REJECTED
accepted, not routed                                    | ACCEPTED REJECTED
accepted, refused                                       | ACCEPTED REJECTED
accepted, part filled, refused                          | ACCEPTED PARTIALLY_FILLED CANCELLED
accepted, refused with fills                            | ACCEPTED CANCELLED
accepted, unknown, acknowledged                         | ACCEPTED UNKNOWN WORKING
accepted, unknown, part filled, expired                 | ACCEPTED UNKNOWN PARTIALLY_FILLED EXPIRED
accepted, part filled, unknown, refused                 | ACCEPTED PARTIALLY_FILLED UNKNOWN CANCELLED
accepted, part filled, unknown, acknowledged            | ACCEPTED PARTIALLY_FILLED UNKNOWN PARTIALLY_FILLED
accepted, unknown, refused                              | ACCEPTED UNKNOWN REJECTED
accepted, acknowledged, cancel routed, cancelled        | ACCEPTED WORKING WORKING CANCELLED
accepted, acknowledged, cancel rejected by venue        | ACCEPTED WORKING WORKING
accepted, cancelled, late fill                          | ACCEPTED CANCELLED CANCELLED
accepted, cancelled, filled                             | ACCEPTED CANCELLED CANCELLED
accepted, filled, cancelled, unknown                    | ACCEPTED FILLED FILLED FILLED
part filled, accepted                                   | PARTIALLY_FILLED PARTIALLY_FILLED
routed, accepted, acknowledged                          | ACCEPTED ACCEPTED WORKING
"""


@pytest.mark.parametrize("row", LIVES.strip().splitlines(), ids=lambda row: row.split("|")[0].strip())
def test_lives_of_orders(row: str) -> None:
    happened, expected = row.split("|")
    status: OrderStatus = "PENDING"
    has_fills = False
    seen = []
    for name in happened.strip().split(", "):
        event = EVENTS[name]
        status = advance(status, event, has_fills)
        has_fills = has_fills or isinstance(event, m.OrderFilled)
        seen.append(status)
    assert seen == expected.split()


statuses = st.sampled_from(STATUSES)
events = st.sampled_from(list(EVENTS.values()))


@given(st.lists(st.tuples(events, st.booleans()), max_size=12))
def test_every_step_is_legal_and_an_end_is_final(happened: list[tuple[Any, bool]]) -> None:
    status: OrderStatus = "PENDING"
    for event, has_fills in happened:
        after = advance(status, event, has_fills)
        through_accepted = status == "PENDING" and after in (*LEGAL["ACCEPTED"], "ACCEPTED")
        assert after == status or after in LEGAL[status] or through_accepted
        assert status not in TERMINAL or after == status
        status = after


@given(statuses.filter(lambda status: status not in TERMINAL), st.sampled_from(["cancelled", "expired", "filled"]))
def test_an_end_ends_from_every_open_state(status: OrderStatus, name: str) -> None:
    assert advance(status, EVENTS[name]) == name.upper()


@given(statuses.filter(lambda status: status not in TERMINAL), st.booleans(), st.sampled_from([0, 4]))
def test_a_venues_refusal_ends_every_open_order(status: OrderStatus, has_fills: bool, cumulative: int) -> None:
    after = advance(status, refused(cumulative), has_fills)
    assert after == ("CANCELLED" if has_fills or cumulative or status == "PARTIALLY_FILLED" else "REJECTED")


def test_only_evidence_leaves_unknown() -> None:
    kept = {name for name, event in EVENTS.items() if advance("UNKNOWN", event) == "UNKNOWN"}
    assert kept == {
        "accepted", "rejected", "routed", "not routed", "unknown", "cancel requested", "cancel refused",
        "cancel routed", "cancel rejected by venue",
    }  # fmt: skip


def test_the_table_names_events_and_states_that_exist() -> None:
    kinds = {kind.__name__ for kind in (*ORDERS_DECISIONS.types, *ORDERS_EXECUTIONS.types)}
    assert {name.split(" ")[0] for name in STEPS} <= kinds
    assert {status for row in STEPS.values() for pair in row.items() for status in pair} == set(get_args(OrderStatus))
    assert {"REJECTED", "FILLED", "CANCELLED", "EXPIRED"} == TERMINAL


def test_the_page_is_fresh() -> None:
    assert DOCS.read_text() == markdown(), "run `python -m truetape.orders > docs/order-states.md`"
