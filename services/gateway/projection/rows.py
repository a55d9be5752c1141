"""Which rows follow from which record. A batch collects them by table; store.py writes it in one transaction.

Orders are folded from two topics whose records may come in either order: an execution is enough to know that an order
was accepted (truetape/orders.py), so the rows end up the same whichever topic is read ahead.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import asdict

from services.gateway.projection import legs
from truetape import messages as m
from truetape.causes import Row as Row
from truetape.causes import event_row, orders_of
from truetape.log import Record
from truetape.messages import OrderStatus, OrderTerms
from truetape.orders import advance


class OrderRow(Struct):
    """What of view.orders is folded; fields that only the decision knows come with it, once."""

    order_id: str
    status: OrderStatus = "PENDING"
    filled_e8: int = 0
    quote_filled_e8: int = 0
    ended_reason: str | None = None
    updated_at_us: int = 0
    decision: Row = field(default_factory=dict)


class Batch(Struct):
    """Rows of some records, by table; where one key comes twice, the newest row or the sum."""

    partition: int = 0
    offset: int = 0
    known: dict[str, OrderRow] = field(default_factory=dict)
    """Orders of this batch as the database has them."""
    orders: dict[str, OrderRow] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    order_events: list[Row] = field(default_factory=list)
    fills: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    transfers: dict[str, Row] = field(default_factory=dict)
    reconciliations: list[Row] = field(default_factory=list)
    breaks: dict[str, Row] = field(default_factory=dict)
    breaks_closed: dict[str, Row] = field(default_factory=dict)
    marks: dict[str, Row] = field(default_factory=dict)
    instruments: dict[str, Row] = field(default_factory=dict)
    accounts: dict[str, Row] = field(default_factory=dict)
    positions: dict[tuple[str, str], Row] = field(default_factory=dict)
    balances: dict[tuple[str, str, int], int] = field(default_factory=dict)
    trades: dict[str, Row] = field(default_factory=dict)
    trade_parties: dict[tuple[str, str], Row] = field(default_factory=dict)
    legs: dict[str, Row] = field(default_factory=dict)
    bilateral: dict[str, Row] = field(default_factory=dict)
    instructions: list[Row] = field(default_factory=list)
    sides: list[Row] = field(default_factory=list)
    restrictions: dict[tuple[str, str], str] = field(default_factory=dict)
    """By account and name, what it is for; empty when it has ended."""
    credit: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """(account, asset) -> change of [balance, reserved]."""

    def add(self, record: Record, message: Any) -> None:
        """Collect the rows of one accepted record."""
        self.partition, self.offset = record.partition, record.offset
        if (rows := ROWS.get(type(message))) is not None:
            rows(self, message)
        if type(message) in INDEXED:
            self._index(record, message)

    def order(self, order_id: str, event: Any) -> OrderRow:
        """The order's row after one more event of it."""
        row = self.orders.get(order_id)
        if row is None:
            row = self.orders[order_id] = self.known.get(order_id) or OrderRow(order_id)
        row.status = advance(row.status, event, row.filled_e8 > 0)
        row.updated_at_us = max(row.updated_at_us, event.meta.decided_at_us)
        return row

    def credited(self, account_id: str, asset: str, balance_e8: int, reserved_e8: int) -> None:
        """Change what risk counts with."""
        change = self.credit.setdefault((account_id, asset), [0, 0])
        change[0] += balance_e8
        change[1] += reserved_e8

    def _index(self, record: Record, message: Any) -> None:
        """Put the record into the index of events, under each order that it is about."""
        self.events.append(event_row(record.topic, record.partition, record.offset, message))
        orders = orders_of(message)
        if len(orders) > 1:
            self.order_events.extend(
                {"order_id": order_id, "topic": record.topic, "partition": record.partition, "offset": record.offset}
                for order_id in orders
            )


# -- orders.decisions ----------------------------------------------------------------------------------------


def _decided(batch: Batch, event: m.OrderAccepted | m.OrderRejected) -> OrderRow:
    terms: OrderTerms = event.order
    row = batch.order(terms.order_id, event)
    row.decision = {
        **asdict(terms),
        "partition": batch.partition,
        "accepted": isinstance(event, m.OrderAccepted),
        "decision_offset": batch.offset,
        "decision_event_id": event.meta.event_id,
        "decided_at_us": event.meta.decided_at_us,
    }
    return row


def _accepted(batch: Batch, event: m.OrderAccepted) -> None:
    row = _decided(batch, event)
    row.decision["limit_price_e8"] = event.limit_price_e8
    row.decision["reserved_asset"] = event.reserved_asset
    row.decision["reserved_e8"] = event.reserved_e8
    batch.credited(event.order.account_id, event.reserved_asset, 0, event.reserved_e8)


def _rejected(batch: Batch, event: m.OrderRejected) -> None:
    row = _decided(batch, event)
    row.decision["reason"] = event.reason
    row.decision["numbers"] = event.numbers


def _restricted(batch: Batch, event: m.CancelRequested | m.RestrictionEnded) -> None:
    """A liquidation, or a member's default, begins or ends to restrict what risk takes of the account."""
    begins = isinstance(event, m.CancelRequested)
    if event.liquidation_id:
        batch.restrictions[event.account_id, "liquidation_id"] = event.liquidation_id if begins else ""
    elif event.porting_id:
        batch.restrictions[event.account_id, "porting_id"] = event.porting_id if begins else ""


def _halted(batch: Batch, event: m.AccountHalted | m.AccountReopened) -> None:
    because = event.parked_event_id if isinstance(event, m.AccountHalted) else ""
    batch.restrictions[event.account_id, "halted_by"] = because


def _credited(batch: Batch, event: m.CreditUpdated) -> None:
    if event.reopens_account:
        batch.restrictions[event.account_id, "halted_by"] = ""
    for change in event.changes:
        batch.credited(event.account_id, change.asset, change.amount_e8, 0)
    if event.released_e8:
        batch.credited(event.account_id, event.released_asset, 0, -event.released_e8)


def _leg_assessed(batch: Batch, event: m.LegAssessed) -> None:
    if event.reserved_e8:
        batch.credited(event.account_id, event.reserved_asset, 0, event.reserved_e8)


def _released(batch: Batch, event: m.ReservationReleased | m.LegReleased) -> None:
    if event.released_e8:
        batch.credited(event.account_id, event.asset, 0, -event.released_e8)


def _transfer(batch: Batch, event: m.TransferApproved | m.TransferRejected) -> None:
    refusal = event if isinstance(event, m.TransferRejected) else None
    batch.transfers[event.transfer.transfer_id] = {  # A refused one may be asked for again; the newest word counts.
        **asdict(event.transfer),
        "partition": batch.partition,
        "accepted": refusal is None,
        "reason": refusal.reason if refusal else None,
        "numbers": refusal.numbers if refusal else None,
        "decision_offset": batch.offset,
        "decision_event_id": event.meta.event_id,
        "decided_at_us": event.meta.decided_at_us,
    }
    if refusal is None and event.transfer.amount_e8 < 0:
        batch.credited(event.transfer.account_id, event.transfer.asset, 0, -event.transfer.amount_e8)


# -- orders.executions ---------------------------------------------------------------------------------------


def _executed(batch: Batch, event: Any) -> None:
    batch.order(event.order_id, event)


def _ended(batch: Batch, event: Any) -> None:
    before = batch.order(event.order_id, event)
    before.ended_reason = before.ended_reason or event.reason


def _routed(batch: Batch, event: m.OrderRouted) -> None:
    batch.order(event.order.order_id, event)


def _filled(batch: Batch, event: m.OrderFilled) -> None:
    row = batch.order(event.order_id, event)
    row.filled_e8 = event.cumulative_quantity_e8
    row.quote_filled_e8 += event.quote_amount_e8
    batch.fills.append(
        {
            "execution_id": event.execution_id, "order_id": event.order_id, "account_id": event.account_id,
            "partition": batch.partition, "offset": batch.offset, "instrument_id": event.instrument_id,
            "side": event.side, "venue": event.venue, "venue_order_id": event.venue_order_id,
            "quantity_e8": event.quantity_e8, "price_e8": event.price_e8, "quote_amount_e8": event.quote_amount_e8,
            "fee_asset": event.fee_asset, "fee_e8": event.fee_e8, "liquidity": event.liquidity,
            "transacted_at_us": event.transacted_at_us,
        }
    )  # fmt: skip


# -- clearing.entries ----------------------------------------------------------------------------------------


def _booked(batch: Batch, event: m.EntryBooked) -> None:
    batch.entries.append(
        {
            "entry_id": event.entry_id, "account_id": event.account_id, "partition": batch.partition,
            "offset": batch.offset, "kind": event.kind, "rule": event.rule, "order_id": event.order_id,
            "execution_id": event.execution_id, "external_reference": event.external_reference,
            "corrects": event.corrects, "realised_e8": event.realised_e8, "filled_e8": event.filled_e8,
            "transacted_at_us": event.transacted_at_us, "booked_at_us": event.meta.decided_at_us,
        }
    )  # fmt: skip
    legs.booked(batch, event)
    for number, line in enumerate(event.lines):
        batch.lines.append(
            {
                "entry_id": event.entry_id, "partition": batch.partition, "offset": batch.offset, "line": number,
                **asdict(line),
            }
        )  # fmt: skip
        key = (line.account, line.asset, batch.partition)
        batch.balances[key] = batch.balances.get(key, 0) + line.amount_e8
    if (position := event.position) is not None:
        batch.positions[event.account_id, position.instrument_id] = {
            **asdict(position),
            "account_id": event.account_id,
            "settled_e8": event.contract.settled_e8 if event.contract is not None else None,
            "funding_index_e18": event.contract.funding_index_e18 if event.contract is not None else None,
            "updated_at_us": event.meta.decided_at_us,
        }
        legs.cut(batch, event)


# -- topics with one partition -------------------------------------------------------------------------------


def _instrument(batch: Batch, event: m.InstrumentSet) -> None:
    new = event.instrument
    batch.instruments[new.instrument_id] = {
        "instrument_id": new.instrument_id, "tradable": new.tradable, "body": new,
    }  # fmt: skip


def _account(batch: Batch, account_id: str, **columns: Any) -> None:
    batch.accounts.setdefault(account_id, {"account_id": account_id}).update(columns)


def _mark(batch: Batch, event: m.MarkPublished) -> None:
    row = asdict(event)
    meta: m.Meta = row.pop("meta")
    del row["sources"]  # They stand on the tape, and of the newest in the answers.
    row |= {"marked_at_us": meta.decided_at_us, "epoch": meta.epoch, "sequence": meta.sequence}
    batch.marks[event.instrument_id] = row


def _reconciled(batch: Batch, event: m.ReconciliationCompleted) -> None:
    at_us = event.meta.decided_at_us
    batch.reconciliations.append(
        {
            "offset": batch.offset, "venue": event.venue, "completed_at_us": at_us,
            "fills_matched": event.fills_matched, "orders_compared": event.orders_compared,
            "balances_compared": event.balances_compared, "pending": event.pending,
            "opened": len(event.opened), "closed": len(event.closed),
        }
    )  # fmt: skip
    for found in event.opened:
        batch.breaks_closed.pop(found.break_id, None)
        batch.breaks[found.break_id] = {**asdict(found), "closed_at_us": None, "closed_reason": None}
    for gone in event.closed:
        end = {"closed_at_us": at_us, "closed_reason": gone.reason}
        if gone.break_id in batch.breaks:
            batch.breaks[gone.break_id] |= end
        else:
            batch.breaks_closed[gone.break_id] = {"break_id": gone.break_id, **end}


ROWS: Final[dict[type, Callable[[Batch, Any], None]]] = {
    m.OrderAccepted: _accepted,
    m.OrderRejected: _rejected,
    m.CreditUpdated: _credited,
    m.CancelRequested: _restricted,
    m.RestrictionEnded: _restricted,
    m.AccountHalted: _halted,
    m.AccountReopened: _halted,
    m.ReservationReleased: _released,
    m.LegAssessed: _leg_assessed,
    m.LegReleased: _released,
    m.TradeChanged: legs.trade_changed,
    m.MoveChanged: legs.move_changed,
    m.LegChanged: legs.leg_changed,
    m.LegsCompressed: legs.compressed,
    m.BilateralChanged: legs.bilateral_changed,
    m.CompressionChanged: legs.compression_changed,
    m.PaymentsNetted: legs.netted,
    m.SidesClosedOut: legs.closed_out,
    m.TransferApproved: _transfer,
    m.TransferRejected: _transfer,
    m.OrderRouted: _routed,
    m.OrderAcknowledged: _executed,
    m.OutcomeUnknown: _executed,
    m.OrderNotRouted: _ended,
    m.OrderCancelled: _ended,
    m.OrderExpired: _ended,
    m.OrderRejectedByVenue: _ended,
    m.OrderFilled: _filled,
    m.EntryBooked: _booked,
    m.InstrumentSet: _instrument,
    m.AccountOpened: lambda batch, event: _account(batch, event.account_id, name=event.name),
    m.LimitsSet: lambda batch, event: _account(batch, event.account_id, limits=event.limits),
    m.FeesSet: lambda batch, event: _account(batch, event.account_id, fees=event.fees),
    m.TradingStateSet: lambda batch, event: _account(batch, event.account_id, trading_state=event.state),
    m.MarkPublished: _mark,
    m.ReconciliationCompleted: _reconciled,
}
"""Rows of each type of record; a type that is not here has no row of its own."""

INDEXED: Final = frozenset(
    {
        m.SubmitOrder, m.CancelOrder, m.CancelAllOrders, m.RequestTransfer, m.OrderAccepted, m.OrderRejected,
        m.DecisionRepeated, m.CancelRequested, m.CancelRefused, m.CreditUpdated, m.ReservationReleased,
        m.TransferApproved, m.TransferRejected, m.OrderRouted, m.OrderNotRouted, m.OrderAcknowledged, m.OrderFilled,
        m.OrderCancelled, m.OrderExpired, m.OrderRejectedByVenue, m.OutcomeUnknown, m.CancelRouted,
        m.TradeChanged, m.MoveChanged, m.LegChanged, m.LegAnswered, m.LegConfirmed, m.CancelRejectedByVenue,
        m.EntryBooked, m.ContractFactTaken, m.FixingMissing,
        m.MarginCallChanged, m.LiquidationChanged, m.LiquidationEnded, m.AuctionChanged, m.SidesClosedOut,
        m.DeleveragingChanged,
        m.DefaultChanged, m.RoundOpened, m.RoundGathered, m.RoundDecided, m.RoundConfirmed,
        m.CompressionChanged, m.PortingChanged,
    }
)  # fmt: skip
"""Types that an account's stream, an order's history, a contract's facts and margin calls show."""

_ORDER_ROWS: Final = (_accepted, _rejected, _routed, _executed, _ended, _filled)
ORDER_STATES: Final = frozenset(kind for kind, rows in ROWS.items() if rows in _ORDER_ROWS)
"""Types that move an order: its row is needed before they are folded."""


def orders_needed(messages: Iterable[Any]) -> list[str]:
    """Ids of the orders whose rows these records change."""
    return sorted({order_id for found in messages if type(found) in ORDER_STATES for order_id in orders_of(found)})


def columns(order: OrderRow) -> Row:
    """An order's row for the database; what its decision says only when that is in this batch."""
    return {
        "order_id": order.order_id, "status": order.status, "filled_e8": order.filled_e8,
        "quote_filled_e8": str(order.quote_filled_e8), "ended_reason": order.ended_reason,
        "updated_at_us": order.updated_at_us, **order.decision,
    }  # fmt: skip


def encode(rows: Iterable[Any]) -> str:
    """Rows as one JSON array, for json_populate_recordset. PostgreSQL has no NUL in text: it becomes U+FFFD."""
    text = msgspec.json.encode(list(rows)).decode()
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
