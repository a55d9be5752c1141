"""The router's pure core: which record answers an accepted order, a cancel, or a venue's report."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct, field

from services.router.choice import choose
from truetape import ids
from truetape import messages as m
from truetape.codec import Message
from truetape.errors import VenueError
from truetape.recent import Recent
from truetape.service import Input, Service
from truetape.topics import ORDERS_DECISIONS, ORDERS_EXECUTIONS, REFERENCE_EVENTS
from truetape.venue import reports as r
from truetape.venue.errors import UnknownVenueOrder

RETAINED_ORDERS: Final = 8_192
"""Ended orders kept per partition for late fills and repeated reports; the one that ended first goes first."""
RECHECKED_ORDERS: Final = 256
"""Orders of a partition that ended last, whose late fills are asked for at a takeover."""
EVIDENCE_MARGIN_US: Final = 1_000_000
"""How long after an order's deadline, by the venue's clock, its "no such order" counts as proof."""
NOT_RECEIVED: Final = "NOT_RECEIVED_BY_DEADLINE"

LegStatus = Literal["SENT", "WORKING", "UNKNOWN", "FILLED", "CANCELLED", "EXPIRED", "REJECTED"]
OPEN: Final = frozenset({"SENT", "WORKING", "UNKNOWN"})
DOUBTFUL: Final = frozenset({"SENT", "UNKNOWN"})
"""Nothing has come from the venue yet."""


class Leg(Struct, array_like=True):
    """One venue order."""

    leg: int
    venue: str
    symbol: str
    client_order_id: str
    quantity_e8: int
    price_e8: int
    send_before_us: int
    status: LegStatus = "SENT"
    venue_order_id: str = ""
    filled_e8: int = 0
    executions: dict[str, None] = field(default_factory=dict)
    """Execution ids booked."""
    cancel_command_id: str = ""
    """The cancel that was routed last and is not yet answered."""
    after_trade: int = 0
    """The highest trade id of the symbol that was on this tape before the intent: its fills come after. 0 for none."""


class Order(Struct, array_like=True):
    """One order that was routed, and its legs."""

    order_id: str
    account_id: str
    instrument_id: str
    side: m.Side
    quantity_e8: int
    legs: list[Leg]
    position_effect: str = ""

    def filled_e8(self) -> int:
        """Filled in all, over all legs."""
        return sum(leg.filled_e8 for leg in self.legs)

    def is_open(self) -> bool:
        """Whether a leg has not ended."""
        return any(leg.status in OPEN for leg in self.legs)


class State(Struct):
    """Orders of one partition: the open ones and those that ended last."""

    orders: dict[str, Order] = field(default_factory=dict)
    legs: dict[str, str] = field(default_factory=dict)
    """Order id by client order id at the venue."""
    ended: dict[str, None] = field(default_factory=dict)
    """Ids of the orders that ended last or were not routed."""
    recent: Recent = field(default_factory=Recent)
    """The same ids in the order in which that happened: snapshots sort the keys of dicts."""
    newest_trades: dict[str, int] = field(default_factory=dict)
    """Highest trade id of a fill, by "venue:symbol"."""


def open_legs(state: State) -> Iterator[tuple[Order, Leg]]:
    """Every leg without an end."""
    for order in state.orders.values():
        for leg in order.legs:
            if leg.status in OPEN:
                yield order, leg


def ended_legs(state: State) -> Iterator[tuple[Order, Leg]]:
    """The legs that ended last without being filled whole, oldest first: the venue may have fills of them that came
    while nobody listened. One that the venue refused has none."""
    ring, added = state.recent.ring, state.recent.added
    for number in range(max(0, added - len(ring), added - RECHECKED_ORDERS), added):
        order = state.orders.get(ring[number % RETAINED_ORDERS])
        if order is None:  # It was never routed.
            continue
        for leg in order.legs:
            if leg.status in ("CANCELLED", "EXPIRED") and leg.filled_e8 < leg.quantity_e8:
                yield order, leg


def accounts(state: State) -> dict[str, Any]:
    """The open orders by account, for the audit to say what differs."""
    found: dict[str, Any] = {}
    for order in state.orders.values():
        if order.is_open():
            found.setdefault(order.account_id, {})[order.order_id] = order
    return found


# -- decide ------------------------------------------------------------------------------------------------------


def decide(state: State, given: Input) -> Message | None:
    """The record that answers an input; None when it changes nothing.

    Raises UnknownVenueOrder for a fill of an order that is not known, VenueError for one that contradicts its order.
    """
    rule = _RULES.get(type(given.message))
    return rule(state, given, given.message) if rule is not None else None


def _route(state: State, given: Input, accepted: m.OrderAccepted) -> Message | None:
    terms = accepted.order
    if terms.order_id in state.orders or terms.order_id in state.ended:
        return None
    meta = given.meta(terms.order_id)
    if given.at_us >= accepted.send_before_us:
        return m.OrderNotRouted(meta, terms.order_id, terms.account_id, "SEND_DEADLINE_PASSED", ())
    instrument = given.tables.reference.instruments.get(terms.instrument_id)
    choice = choose(terms, accepted.limit_price_e8, instrument, given.tables.views or {}, given.at_us)
    if choice.chosen is None:
        return m.OrderNotRouted(meta, terms.order_id, terms.account_id, choice.reason, choice.seen)
    listing = choice.chosen.listing
    leg = m.RoutedLeg(
        leg=0,
        venue=listing.venue,
        symbol=listing.symbol,
        venue_client_order_id=ids.venue_client_order_id(given.partition, terms.order_id, 0),
        quantity_e8=terms.quantity_e8,
        price_e8=choice.chosen.price_e8,
        send_before_us=accepted.send_before_us,
    )
    return m.OrderRouted(meta, terms, (leg,), choice.seen)


def _cancel(state: State, given: Input, request: m.CancelRequested) -> Message | None:
    asked = [state.orders[order_id] for order_id in request.order_ids if order_id in state.orders]
    legs = tuple(
        m.CancelLeg(order.order_id, leg.leg, leg.venue, leg.symbol, leg.client_order_id)
        for order in asked
        for leg in order.legs
        if leg.status in OPEN
    )
    if not legs:
        return None
    about = legs[0].order_id if len(request.order_ids) == 1 else request.command_id
    return m.CancelRouted(given.meta(about), request.command_id, request.account_id, legs)


def _acknowledge(state: State, given: Input, report: r.VenueAcknowledged) -> Message | None:
    found = _find(state, report.client_order_id)
    if found is None or found[1].status not in DOUBTFUL:
        return None
    order, leg = found
    return m.OrderAcknowledged(
        given.meta(order.order_id), order.order_id, order.account_id, leg.leg, leg.venue, report.venue_order_id,
        report.transacted_at_us,
    )  # fmt: skip


def _fill(state: State, given: Input, fill: r.VenueFilled) -> Message | None:
    found = _find(state, fill.client_order_id)
    if found is None:
        raise UnknownVenueOrder(f"fill {fill.execution_id} of {fill.client_order_id}, which is not on the tape")
    order, leg = found
    if fill.execution_id in leg.executions:
        return None
    _check(order, leg, fill)
    instrument = given.tables.reference.instruments[order.instrument_id]
    cumulative_e8 = order.filled_e8() + fill.quantity_e8
    leaves_e8 = order.quantity_e8 - cumulative_e8 if order.is_open() else 0
    return m.OrderFilled(
        given.meta(order.order_id), order.order_id, order.account_id, leg.leg, leg.venue, order.instrument_id,
        instrument.base, instrument.quote, order.side, fill.execution_id, fill.venue_order_id, fill.quantity_e8,
        fill.price_e8, fill.quote_amount_e8, cumulative_e8, leaves_e8, fill.fee_asset, fill.fee_e8, fill.liquidity,
        _status_after_fill(order, leg, leaves_e8), fill.transacted_at_us, fill.source, order.position_effect,
    )  # fmt: skip


def _check(order: Order, leg: Leg, fill: r.VenueFilled) -> None:
    if (fill.venue, fill.symbol, fill.side) != (leg.venue, leg.symbol, order.side):
        raise VenueError(
            f"fill {fill.execution_id} ({fill.venue} {fill.symbol} {fill.side}) contradicts its order "
            f"{order.order_id} ({leg.venue} {leg.symbol} {order.side}); ask the venue"
        )
    if fill.quantity_e8 <= 0 or leg.filled_e8 + fill.quantity_e8 > leg.quantity_e8:
        raise VenueError(
            f"fill {fill.execution_id} of {fill.quantity_e8} would bring {order.order_id} from {leg.filled_e8} "
            f"beyond its quantity {leg.quantity_e8}; ask the venue"
        )


def _status_after_fill(order: Order, leg: Leg, leaves_e8: int) -> m.OrderStatus:
    """An order that has ended stays so, also when a late fill completes it."""
    if not order.is_open():
        ended = leg.status
        assert ended != "SENT" and ended != "WORKING"
        return ended
    return "FILLED" if leaves_e8 == 0 else "PARTIALLY_FILLED"


def _end(state: State, given: Input, report: r.Ended) -> Message | None:
    """An end is held until the fills that its cumulative quantity implies are booked: it will be offered again."""
    found = _find(state, report.client_order_id)
    if found is None or found[1].status not in OPEN or report.cumulative_quantity_e8 != found[1].filled_e8:
        return None
    order, leg = found
    meta, total_e8 = given.meta(order.order_id), order.filled_e8()
    if isinstance(report, r.VenueExpired):
        return m.OrderExpired(meta, order.order_id, order.account_id, leg.leg, leg.venue, total_e8, report.reason)
    reason = "REQUESTED" if leg.cancel_command_id else "BY_VENUE"
    return m.OrderCancelled(meta, order.order_id, order.account_id, leg.leg, leg.venue, total_e8, reason)


def _reject(state: State, given: Input, report: r.VenueRejected) -> Message | None:
    return _rejected(state, given, report.client_order_id, report.code, report.reason)


def _not_found(state: State, given: Input, report: r.VenueNotFound) -> Message | None:
    """ "No such order" is proof only when the venue said so after it had to refuse the order for its deadline."""
    found = _find(state, report.client_order_id)
    if found is None or report.venue_time_us <= found[1].send_before_us + EVIDENCE_MARGIN_US:
        return None
    late_ms = (report.venue_time_us - found[1].send_before_us) // 1_000
    reason = f"the venue did not know the order {late_ms} ms after its deadline"
    return _rejected(state, given, report.client_order_id, NOT_RECEIVED, reason)


def _rejected(state: State, given: Input, client_order_id: str, code: str, reason: str) -> Message | None:
    """Only where nothing has come from the venue; else the refusal contradicts it, and the session asks again."""
    found = _find(state, client_order_id)
    if found is None or found[1].status not in DOUBTFUL:
        return None
    order, leg = found
    return m.OrderRejectedByVenue(
        given.meta(order.order_id), order.order_id, order.account_id, leg.leg, leg.venue, order.filled_e8(), code,
        reason,
    )  # fmt: skip


def _doubt(state: State, given: Input, report: r.VenueUnknown) -> Message | None:
    found = _find(state, report.client_order_id)
    if found is None or found[1].status != "SENT":
        return None
    order, leg = found
    meta = given.meta(order.order_id)
    return m.OutcomeUnknown(meta, order.order_id, order.account_id, leg.leg, leg.venue, report.reason)


def _cancel_refused(state: State, given: Input, report: r.VenueCancelRejected) -> Message | None:
    found = _find(state, report.client_order_id)
    if found is None or found[1].status not in OPEN or not found[1].cancel_command_id:
        return None
    order, leg = found
    return m.CancelRejectedByVenue(
        given.meta(order.order_id), order.order_id, order.account_id, leg.leg, leg.venue, report.code, report.reason
    )


def _find(state: State, client_order_id: str) -> tuple[Order, Leg] | None:
    order_id = state.legs.get(client_order_id)
    if order_id is None:
        return None
    order = state.orders[order_id]
    for leg in order.legs:
        if leg.client_order_id == client_order_id:
            return order, leg
    raise AssertionError(f"{client_order_id} is indexed but no leg of {order_id}")


_RULES: Final[dict[type, Callable[[State, Input, Any], Message | None]]] = {
    m.OrderAccepted: _route,
    m.CancelRequested: _cancel,
    r.VenueAcknowledged: _acknowledge,
    r.VenueFilled: _fill,
    r.VenueCancelled: _end,
    r.VenueExpired: _end,
    r.VenueRejected: _reject,
    r.VenueNotFound: _not_found,
    r.VenueUnknown: _doubt,
    r.VenueCancelRejected: _cancel_refused,
}


# -- evolve ------------------------------------------------------------------------------------------------------


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses."""
    change = _CHANGES.get(type(event))
    if change is not None:
        change(state, event)
    return state


def _routed(state: State, event: m.OrderRouted) -> None:
    legs = [
        Leg(
            one.leg, one.venue, one.symbol, one.venue_client_order_id, one.quantity_e8, one.price_e8,
            one.send_before_us, after_trade=state.newest_trades.get(f"{one.venue}:{one.symbol}", 0),
        )
        for one in event.legs
    ]  # fmt: skip
    terms = event.order
    state.orders[terms.order_id] = Order(
        terms.order_id, terms.account_id, terms.instrument_id, terms.side, terms.quantity_e8, legs,
        terms.position_effect,
    )  # fmt: skip
    for leg in legs:
        state.legs[leg.client_order_id] = terms.order_id


def _not_routed(state: State, event: m.OrderNotRouted) -> None:
    _retain(state, event.order_id)


def _acknowledged(state: State, event: m.OrderAcknowledged) -> None:
    leg = state.orders[event.order_id].legs[event.leg]
    leg.status, leg.venue_order_id = "WORKING", event.venue_order_id


def _filled(state: State, event: m.OrderFilled) -> None:
    leg = state.orders[event.order_id].legs[event.leg]
    leg.filled_e8 += event.quantity_e8
    leg.executions[event.execution_id] = None
    market = f"{leg.venue}:{leg.symbol}"
    trade_id = r.trade_id_of(event.execution_id)
    state.newest_trades[market] = max(trade_id, state.newest_trades.get(market, 0))
    leg.venue_order_id = event.venue_order_id
    if leg.status in OPEN:
        leg.status = "WORKING"
        if leg.filled_e8 == leg.quantity_e8:
            _ended(state, event.order_id, leg, "FILLED")


def _cancelled(state: State, event: m.OrderCancelled) -> None:
    _ended(state, event.order_id, state.orders[event.order_id].legs[event.leg], "CANCELLED")


def _expired(state: State, event: m.OrderExpired) -> None:
    _ended(state, event.order_id, state.orders[event.order_id].legs[event.leg], "EXPIRED")


def _rejected_by_venue(state: State, event: m.OrderRejectedByVenue) -> None:
    _ended(state, event.order_id, state.orders[event.order_id].legs[event.leg], "REJECTED")


def _unknown(state: State, event: m.OutcomeUnknown) -> None:
    state.orders[event.order_id].legs[event.leg].status = "UNKNOWN"


def _cancel_routed(state: State, event: m.CancelRouted) -> None:
    for leg in event.legs:
        state.orders[leg.order_id].legs[leg.leg].cancel_command_id = event.command_id


def _cancel_rejected(state: State, event: m.CancelRejectedByVenue) -> None:
    state.orders[event.order_id].legs[event.leg].cancel_command_id = ""


def _ended(state: State, order_id: str, leg: Leg, status: LegStatus) -> None:
    leg.status, leg.cancel_command_id = status, ""
    if not state.orders[order_id].is_open():
        _retain(state, order_id)


def _retain(state: State, order_id: str) -> None:
    if order_id in state.ended:
        return
    state.ended[order_id] = None
    if (oldest := state.recent.add(order_id, RETAINED_ORDERS)) is not None:
        del state.ended[oldest]
        if (order := state.orders.pop(oldest, None)) is not None:
            for leg in order.legs:
                del state.legs[leg.client_order_id]


_CHANGES: Final[dict[type, Callable[[State, Any], None]]] = {
    m.OrderRouted: _routed,
    m.OrderNotRouted: _not_routed,
    m.OrderAcknowledged: _acknowledged,
    m.OrderFilled: _filled,
    m.OrderCancelled: _cancelled,
    m.OrderExpired: _expired,
    m.OrderRejectedByVenue: _rejected_by_venue,
    m.OutcomeUnknown: _unknown,
    m.CancelRouted: _cancel_routed,
    m.CancelRejectedByVenue: _cancel_rejected,
}

SERVICE: Final[Service[State]] = Service(
    name="router",
    owns=ORDERS_EXECUTIONS,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    inputs=(ORDERS_DECISIONS,),
    patience_ms=250,
    urgent=(ORDERS_DECISIONS, REFERENCE_EVENTS),
    tables=True,
    accounts=accounts,
)
