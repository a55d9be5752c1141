"""The adapter interface: what services ask of any venue. One dialect today: binance.py.

Every method may raise VenueError's kinds (errors.py) but `submit` and `cancel`, whose outcomes are reports:
a doubtful outcome is a report too (VenueUnknown), and nothing is ever sent twice.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from truetape.venue.book import BookView
from truetape.venue.reports import OrderRequest, Report, UserEvent, VenueBalance, VenueExpired, VenueOrder, VenueTrade


class Listener(Protocol):
    """Takes what the account's stream says. Called in the adapter's event loop; must not block."""

    def connected(self, venue: str) -> None:
        """The stream delivers from now on; what happened before must be asked for."""

    def told(self, event: UserEvent) -> None:
        """One report."""

    def lost(self, venue: str) -> None:
        """The stream no longer delivers."""


class Venue(Protocol):
    """One venue, reached with one key. Used by one event loop."""

    name: str

    def accepts_orders(self) -> bool:
        """Whether an order would be sent now: the clock is known and no rate limit is in the way."""

    async def submit(self, order: OrderRequest) -> Sequence[Report]:
        """Send an order once. Returns what its answer says, in the order in which it happened: an acknowledgement,
        or fills and perhaps an end, or VenueRejected, or VenueUnknown. Late orders are not sent but rejected."""

    async def cancel(self, symbol: str, client_order_id: str) -> Sequence[Report]:
        """Ask to cancel. Returns VenueCancelled, VenueCancelRejected, or VenueUnknown when the answer is lost."""

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | VenueExpired | None:
        """The order with this client order id; VenueExpired when the venue remembers only that it ended without a
        fill; None when it says that there is none."""

    async def open_orders(self, symbol: str) -> Sequence[VenueOrder]:
        """Every order of the account that is open on the symbol."""

    async def trades(self, symbol: str, *, venue_order_id: str | None = None, from_id: int = 0) -> list[VenueTrade]:
        """Every fill of the account on the symbol, oldest first: of one order, or from a trade id on."""

    async def balances(self) -> Sequence[VenueBalance]:
        """The account's balances that are not zero."""

    async def server_time_us(self) -> int:
        """The venue's clock, read after this call began."""

    def venue_now_us(self) -> int:
        """The venue's clock by our last measurement."""

    async def follow_books(self, symbols: Callable[[], Iterable[str]], publish: Callable[[BookView], None]) -> None:
        """Follow the books of the symbols that are wanted at each moment, for ever: publishes each new state, and an
        unusable one as soon as it is doubtful. Reconnects by itself."""

    async def user_stream(self, listener: Listener) -> None:
        """Deliver the account's events for ever. Reconnects by itself."""

    async def close(self) -> None:
        """Close all connections."""
