"""The projection's rows: the same whatever the batches and the interleaving of topics."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.gateway.projection.rows import Batch, OrderRow, columns, encode, orders_needed
from truetape import ids
from truetape import messages as m
from truetape.log import Record
from truetape.messages import OrderTerms
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, RECONCILIATION_BREAKS

ONE = 10**8
TERMS = OrderTerms(
    ids.order_id("acme", "c"), "acme", "c", "BTC-USDT", "BUY", "LIMIT", "GTC", False, 3 * ONE, 60_000 * ONE
)
ORDER = TERMS.order_id


def meta(topic: str, sequence: int) -> m.Meta:
    return m.Meta(1, sequence, m.Cause("x", 0, sequence, ""), 1_000 * sequence, f"{topic}-{sequence}", ORDER)


def fill(sequence: int, cumulative_e8: int, status: Any) -> m.OrderFilled:
    return m.OrderFilled(
        meta("executions", sequence), ORDER, "acme", 0, "alpha", "BTC-USDT", "BTC", "USDT", "BUY", f"f{sequence}", "1",
        ONE, 60_000 * ONE, 60_000 * ONE, cumulative_e8, 3 * ONE - cumulative_e8, "USDT", 60 * ONE, "TAKER", status, 1,
        "stream",
    )  # fmt: skip


def entry(sequence: int) -> m.EntryBooked:
    lines = (m.Line("client:acme", "BTC", ONE, "principal"), m.Line("venue:alpha", "BTC", -ONE, "principal"))
    position = m.Position("BTC-USDT", sequence * ONE, 60_000 * ONE, 0)
    return m.EntryBooked(
        meta=meta("entries", sequence), entry_id=f"e{sequence}", account_id="acme", kind="TRADE", rule="spot",
        lines=lines, realised_e8=0, filled_e8=ONE, transacted_at_us=1, order_id=ORDER, position=position,
    )  # fmt: skip


def credit(sequence: int) -> m.CreditUpdated:
    return m.CreditUpdated(
        meta=meta("decisions", sequence), account_id="acme", entry_id=f"e{sequence}",
        changes=(m.AssetChange("BTC", ONE),), released_asset="USDT", released_e8=50_000 * ONE, filled_e8=ONE,
        order_id=ORDER,
    )  # fmt: skip


ACCEPTED = m.OrderAccepted(
    meta=meta("decisions", 1), order=TERMS, limit_price_e8=60_000 * ONE, reserved_asset="USDT",
    reserved_e8=180_000 * ONE, fee_rate_e8=0, reference_offset=1, send_before_us=1,
)  # fmt: skip
RELEASED = m.ReservationReleased(
    meta("decisions", 4), "acme", ORDER, "CANCELLED", "USDT", 80_000 * ONE, 0, 2 * ONE
)  # fmt: skip
LIFE: dict[str, list[Any]] = {
    ORDERS_DECISIONS.name: [ACCEPTED, credit(2), credit(3), RELEASED],
    ORDERS_EXECUTIONS.name: [
        m.OrderRouted(meta("executions", 1), TERMS, (), ()),
        m.OrderAcknowledged(meta("executions", 2), ORDER, "acme", 0, "alpha", "1", 1),
        fill(3, ONE, "PARTIALLY_FILLED"),
        m.OutcomeUnknown(meta("executions", 4), ORDER, "acme", 0, "alpha", "timeout"),
        fill(5, 2 * ONE, "PARTIALLY_FILLED"),
        m.OrderCancelled(meta("executions", 6), ORDER, "acme", 0, "alpha", 2 * ONE, "asked"),
    ],
    CLEARING_ENTRIES.name: [entry(1), entry(2)],
}


class Tables:
    """What the database would hold: batches applied as store.py applies them."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.folded: dict[str, OrderRow] = {}
        self.sums: dict[Any, Any] = {}
        self.positions: dict[Any, Any] = {}
        self.rows: list[Any] = []

    def apply(self, batch: Batch) -> None:
        for order_id, row in batch.orders.items():
            known = {name: value for name, value in columns(row).items() if value is not None}
            self.orders[order_id] = self.orders.get(order_id, {}) | known
            self.folded[order_id] = replace_decision(row)
        for key, change in batch.balances.items():
            self.sums[key] = self.sums.get(key, 0) + change
        for account, (balance, reserved) in batch.credit.items():
            old = self.sums.get(account, (0, 0))
            self.sums[account] = (old[0] + balance, old[1] + reserved)
        self.positions |= batch.positions
        self.rows += [*batch.fills, *batch.entries, *batch.lines, *batch.events]

    def everything(self) -> Any:
        return json.loads(
            encode([self.orders, sorted(map(encode, ([row] for row in self.rows)))])
        ), self.sums, self.positions  # fmt: skip


def replace_decision(row: OrderRow) -> OrderRow:
    return replace(row, decision={})


def project(records: list[tuple[str, int, Any]], cuts: list[int]) -> Any:
    tables = Tables()
    for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        part = records[start:end]
        batch = Batch(known={key: replace_decision(row) for key, row in tables.folded.items()})
        assert set(orders_needed(event for _, _, event in part)) <= {ORDER}
        for topic, offset, event in part:
            batch.add(Record(topic, 3, offset, b"acme", None, None), event)
        tables.apply(batch)
    return tables.everything()


@settings(max_examples=150)
@given(st.data())
def test_rows_do_not_depend_on_batches_or_on_which_topic_is_ahead(data: st.DataObject) -> None:
    lanes = {topic: list(enumerate(events)) for topic, events in LIFE.items()}
    records = []
    while any(lanes.values()):
        topic = data.draw(st.sampled_from(sorted(topic for topic in lanes if lanes[topic])))
        offset, event = lanes[topic].pop(0)
        records.append((topic, offset, event))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(records)), max_size=5)))
    straight = [(topic, offset, event) for topic, events in LIFE.items() for offset, event in enumerate(events)]
    assert project(records, cuts) == project(straight, [])


def test_an_order_ends_up_as_its_records_say() -> None:
    records = [(topic, offset, event) for topic, events in LIFE.items() for offset, event in enumerate(events)]
    (orders, _), sums, positions = project(records, [])
    row = orders[ORDER]
    assert (row["status"], row["filled_e8"], row["quote_filled_e8"]) == ("CANCELLED", 2 * ONE, str(120_000 * ONE))
    assert (row["decision_offset"], row["reserved_e8"], row["ended_reason"]) == (0, 180_000 * ONE, "asked")
    assert sums["acme", "USDT"] == (0, 0), "180 000 reserved, 100 000 used by fills, 80 000 released"
    assert sums["acme", "BTC"] == (2 * ONE, 0)
    assert sums["client:acme", "BTC", 3] == 2 * ONE
    assert positions["acme", "BTC-USDT"]["quantity_e8"] == 2 * ONE


def test_a_withdrawal_reserves_until_it_is_booked_and_a_refusal_may_be_asked_again() -> None:
    terms = m.TransferTerms("t", "acme", "USDT", -5 * ONE, "venue:alpha", "w")
    refused = m.TransferRejected(meta("decisions", 1), terms, "INSUFFICIENT_FUNDS", {"available_e8": 1})
    approved = m.TransferApproved(meta("decisions", 2), terms)
    batch = Batch()
    for offset, event in enumerate((refused, approved)):
        batch.add(Record(ORDERS_DECISIONS.name, 3, offset, b"acme", None, None), event)
    assert batch.credit == {("acme", "USDT"): [0, 5 * ONE]}
    assert batch.transfers["t"]["accepted"] is True
    assert batch.transfers["t"]["reason"] is None


def test_an_event_about_several_orders_is_indexed_under_each() -> None:
    batch = Batch()
    event = m.CancelRequested(meta("decisions", 1), "c", "acme", ("o1", "o2", "o1"))
    batch.add(Record(ORDERS_DECISIONS.name, 3, 9, b"acme", None, None), event)
    assert [row["order_id"] for row in batch.order_events] == ["o1", "o2"]
    assert batch.events[0]["order_id"] is None
    single = m.CancelRequested(meta("decisions", 2), "c", "acme", ("o1",))
    batch.add(Record(ORDERS_DECISIONS.name, 3, 10, b"acme", None, None), single)
    assert batch.events[1]["order_id"] == "o1"
    assert len(batch.order_events) == 2


def test_a_break_may_open_close_and_open_again_in_one_batch() -> None:
    found = m.Break("b", "BALANCE", "alpha", "USDT", "", 1, 2, 3, "ops", "{}", "sha")

    def reconciled(sequence: int, opened: tuple[Any, ...], closed: tuple[Any, ...]) -> m.ReconciliationCompleted:
        return m.ReconciliationCompleted(meta("breaks", sequence), "alpha", 0, 0, 0, 0, opened, closed)

    def after(*events: Any) -> Batch:
        batch = Batch()
        for offset, event in enumerate(events):
            batch.add(Record(RECONCILIATION_BREAKS.name, 0, offset, None, None, None), event)
        return batch

    opened, closed = reconciled(1, (found,), ()), reconciled(2, (), (m.BreakClosed("b", "gone"),))
    assert after(opened).breaks["b"]["closed_at_us"] is None
    assert after(opened, closed).breaks["b"]["closed_reason"] == "gone"
    assert after(closed).breaks_closed["b"]["closed_at_us"] == 2_000
    again = after(closed, reconciled(3, (found,), ()))
    assert again.breaks["b"]["closed_at_us"] is None
    assert not again.breaks_closed


def test_text_that_postgresql_cannot_hold_is_replaced() -> None:
    assert json.loads(encode([{"a": "x\u0000y", "b": "\\u0000"}])) == [{"a": "x\ufffdy", "b": "\\u0000"}]
