"""What the session remembers of a venue order between its intent and its end."""

import asyncio
from dataclasses import dataclass, field

from services.router.core import Leg, Order
from truetape.messages import OrderRouted, RoutedLeg
from truetape.venue import reports as r


@dataclass(slots=True, eq=False)
class Tracked:
    """A leg, and what has been offered of it."""

    partition: int
    order_id: str
    symbol: str
    client_order_id: str
    send_before_us: int
    venue_order_id: str = ""
    """Empty until the venue showed that it has the order."""
    filled_e8: int = 0
    executions: dict[str, None] = field(default_factory=dict)
    cancel_command_id: str = ""
    """The cancel that is wanted."""
    sending: bool = False
    settling: bool = False
    cancelling: bool = False
    doubted: bool = False
    acknowledged: r.VenueAcknowledged | None = None
    """Held while the answer to the order is awaited: it says more."""
    ended: r.Ended | None = None
    """Held until the fills that it implies have come."""
    questions: int = 0
    quantity_e8: int = 0
    after_trade: int = 0
    """A trade id of the symbol that was known before the order was sent: its fills come after. 0 when none was."""
    timer: asyncio.TimerHandle | None = None


def of_intent(partition: int, event: OrderRouted, leg: RoutedLeg) -> Tracked:
    """A leg that is to be sent now."""
    return Tracked(partition, event.order.order_id, leg.symbol, leg.venue_client_order_id, leg.send_before_us,
                   quantity_e8=leg.quantity_e8)  # fmt: skip


def of_state(partition: int, order: Order, leg: Leg) -> Tracked:
    """A leg as the tape says it stands."""
    return Tracked(
        partition, order.order_id, leg.symbol, leg.client_order_id, leg.send_before_us,
        venue_order_id=leg.venue_order_id, filled_e8=leg.filled_e8, executions=dict(leg.executions),
        cancel_command_id=leg.cancel_command_id, doubted=leg.status == "UNKNOWN",
        quantity_e8=leg.quantity_e8, after_trade=leg.after_trade,
    )  # fmt: skip


def request_of(event: OrderRouted, leg: RoutedLeg) -> r.OrderRequest:
    """What is sent for a leg. A market order goes as a limit order that takes at once or expires."""
    terms = event.order
    time_in_force = "IOC" if terms.order_type == "MARKET" and terms.time_in_force == "GTC" else terms.time_in_force
    return r.OrderRequest(
        leg.symbol, leg.venue_client_order_id, terms.side, time_in_force, terms.post_only, leg.quantity_e8,
        leg.price_e8, leg.send_before_us,
    )  # fmt: skip
