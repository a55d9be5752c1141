"""What venues tell, normalised: the inputs of the router's decisions and the rows of the reconciler.

Units: *_e8 is 1e-8, *_us is microseconds UTC by the venue's clock. A report names its order by the client order id
that we gave it; a fill also carries the venue's execution id, the same however it reached us.
"""

from typing import Literal

from msgspec import Struct

from truetape.messages import Liquidity, Side, TimeInForce

FillSource = Literal["reply", "stream", "query"]
VenueOrderStatus = Literal["OPEN", "FILLED", "CANCELLED", "EXPIRED", "REJECTED"]


def execution_id(venue: str, symbol: str, trade_id: int | str, side: Side) -> str:
    """The name of one fill. The side is part of it: when two of our own clients trade with each other, the venue
    gives both fills one trade id."""
    return f"{venue}:{symbol}:{trade_id}:{side[0]}"


def trade_id_of(execution_id: str) -> int:
    """The venue's trade id in the name of a fill; 0 where it is no number. On one symbol it rises with time."""
    trade_id = execution_id.split(":")[-2] if ":" in execution_id else ""
    return int(trade_id) if trade_id.isdecimal() else 0


class OrderRequest(Struct, frozen=True, gc=False):
    """One order to send."""

    symbol: str
    client_order_id: str
    side: Side
    time_in_force: TimeInForce
    post_only: bool
    quantity_e8: int
    price_e8: int
    send_before_us: int
    """By the venue's clock; the venue must refuse it later."""


class VenueAcknowledged(Struct, frozen=True, gc=False):
    """The venue has the order."""

    venue: str
    client_order_id: str
    venue_order_id: str
    transacted_at_us: int


class VenueFilled(Struct, frozen=True, gc=False):
    """A fill."""

    venue: str
    symbol: str
    client_order_id: str
    venue_order_id: str
    execution_id: str
    side: Side
    quantity_e8: int
    price_e8: int
    quote_amount_e8: int
    fee_asset: str
    fee_e8: int
    liquidity: Liquidity
    transacted_at_us: int
    source: FillSource


class VenueCancelled(Struct, frozen=True, gc=False):
    """The order ended by a cancel; it had filled `cumulative_quantity_e8` in all."""

    venue: str
    client_order_id: str
    cumulative_quantity_e8: int
    reason: str


class VenueExpired(Struct, frozen=True, gc=False):
    """The order ended by its own terms or by the venue; it had filled `cumulative_quantity_e8` in all."""

    venue: str
    client_order_id: str
    cumulative_quantity_e8: int
    reason: str


class VenueRejected(Struct, frozen=True, gc=False):
    """The order surely never rested nor traded: refused by the venue, or not sent."""

    venue: str
    client_order_id: str
    code: str
    reason: str


class VenueUnknown(Struct, frozen=True, gc=False):
    """Whether the venue has the order is not known."""

    venue: str
    client_order_id: str
    reason: str


class VenueNotFound(Struct, frozen=True, gc=False):
    """The venue did not know the order when asked after `venue_time_us` by its own clock."""

    venue: str
    client_order_id: str
    venue_time_us: int


class VenueCancelRejected(Struct, frozen=True, gc=False):
    """The venue refused a cancel; what became of the order is told by other reports."""

    venue: str
    client_order_id: str
    code: str
    reason: str


Report = (
    VenueAcknowledged
    | VenueFilled
    | VenueCancelled
    | VenueExpired
    | VenueRejected
    | VenueUnknown
    | VenueNotFound
    | VenueCancelRejected
)
Ended = VenueCancelled | VenueExpired
UserEvent = VenueAcknowledged | VenueFilled | VenueCancelled | VenueExpired | VenueRejected


def report_id(report: Report) -> str:
    """The venue's own name of a report, for the cause of the event that it leads to: the same for the same fact."""
    if isinstance(report, VenueFilled):
        return report.execution_id
    return f"{report.client_order_id}:{type(report).__name__}"


class VenueOrder(Struct, frozen=True, gc=False):
    """An order as the venue shows it when asked."""

    venue: str
    symbol: str
    venue_order_id: str
    client_order_id: str
    side: Side
    status: VenueOrderStatus
    reason: str
    """The venue's own word for the status."""
    quantity_e8: int
    price_e8: int
    cumulative_quantity_e8: int
    cumulative_quote_e8: int
    created_at_us: int
    updated_at_us: int


class VenueTrade(Struct, frozen=True, gc=False):
    """A fill as the venue lists it; it knows the venue's order id only."""

    venue: str
    symbol: str
    trade_id: int
    execution_id: str
    venue_order_id: str
    side: Side
    quantity_e8: int
    price_e8: int
    quote_amount_e8: int
    fee_asset: str
    fee_e8: int
    liquidity: Liquidity
    transacted_at_us: int

    def filled(self, client_order_id: str) -> VenueFilled:
        """The fill of the order with this client order id."""
        return VenueFilled(
            self.venue, self.symbol, client_order_id, self.venue_order_id, self.execution_id, self.side,
            self.quantity_e8, self.price_e8, self.quote_amount_e8, self.fee_asset, self.fee_e8, self.liquidity,
            self.transacted_at_us, "query",
        )  # fmt: skip


class VenueBalance(Struct, frozen=True, gc=False):
    """What the venue holds for us of one asset."""

    asset: str
    free_e8: int
    locked_e8: int
