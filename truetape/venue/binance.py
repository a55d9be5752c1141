"""Binance spot as a venue: REST orders and queries, depth and user data streams. The contract is in adapter.py."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import aiohttp
import msgspec
import structlog
from pydantic import SecretStr

from truetape.settings import VenueSettings
from truetape.venue import binance_codec as codec
from truetape.venue import reports as r
from truetape.venue.adapter import Listener
from truetape.venue.binance_books import DepthStream
from truetape.venue.binance_rest import Rest, open_http
from truetape.venue.book import BookView
from truetape.venue.connection import Socket, keep_connected
from truetape.venue.errors import VenueDoubtful, VenueMalformed, VenueRefused

TRADES_PAGE: Final = 1_000
TRADES_PAGES_MAX: Final = 1_000
_NO_SUCH_ORDER: Final = "-2013"
_ARCHIVED: Final = "-2026"
"""The order ended without any fill more than 90 days ago."""
_log = structlog.get_logger()


class Binance:
    """One Binance spot account, used by one event loop. Create it inside that loop; `close` it there."""

    def __init__(
        self,
        name: str,
        settings: VenueSettings,
        key: SecretStr,
        secret: SecretStr,
        http: Callable[[], aiohttp.ClientSession] = open_http,
    ) -> None:
        self.name = name
        self._key = key
        self._settings = settings
        self._stream_url = settings.stream_url.rstrip("/")
        self._http = http()
        self.rest = Rest(self._http, settings.rest_url, key, secret)
        self._clock = asyncio.create_task(self.rest.keep_clock())

    async def close(self) -> None:
        """Close all connections."""
        self._clock.cancel()
        await self._http.close()

    def accepts_orders(self) -> bool:
        """Whether an order would be sent now; see adapter.Venue.accepts_orders."""
        return self.rest.accepts_orders()

    async def submit(self, order: r.OrderRequest) -> Sequence[r.Report]:
        """Send an order once; see adapter.Venue.submit."""
        self.rest.example_symbol = order.symbol
        try:
            body = await self.rest.post_order(codec.new_order_query(order), order.send_before_us)
        except VenueRefused as refused:
            return (r.VenueRejected(self.name, order.client_order_id, refused.code, refused.reason),)
        except VenueDoubtful as doubt:
            return (r.VenueUnknown(self.name, order.client_order_id, str(doubt)),)
        try:
            return codec.order_reply(self.name, body)
        except VenueMalformed as error:
            _log.error("order reply not understood", venue=self.name, reason=str(error))
            return (r.VenueUnknown(self.name, order.client_order_id, f"answer not understood: {error}"),)

    async def cancel(self, symbol: str, client_order_id: str) -> Sequence[r.Report]:
        """Ask to cancel; see adapter.Venue.cancel."""
        try:
            query = f"symbol={symbol}&origClientOrderId={client_order_id}"
            return codec.cancel_reply(self.name, await self.rest.delete("/api/v3/order", query))
        except VenueRefused as refused:
            return (r.VenueCancelRejected(self.name, client_order_id, refused.code, refused.reason),)
        except (VenueDoubtful, VenueMalformed) as doubt:
            return (r.VenueUnknown(self.name, client_order_id, str(doubt)),)

    async def order(self, symbol: str, client_order_id: str) -> r.VenueOrder | r.VenueExpired | None:
        """The order with this client order id; see adapter.Venue.order."""
        try:
            body = await self.rest.query("/api/v3/order", f"symbol={symbol}&origClientOrderId={client_order_id}")
        except VenueRefused as refused:
            if refused.code == _NO_SUCH_ORDER:
                return None
            if refused.code == _ARCHIVED:
                return r.VenueExpired(self.name, client_order_id, 0, "ARCHIVED")
            raise
        return codec.order(self.name, body)

    async def open_orders(self, symbol: str) -> Sequence[r.VenueOrder]:
        """Every open order of the account on the symbol."""
        self.rest.example_symbol = symbol
        return codec.orders(self.name, await self.rest.query("/api/v3/openOrders", f"symbol={symbol}"))

    async def trades(self, symbol: str, *, venue_order_id: str | None = None, from_id: int = 0) -> list[r.VenueTrade]:
        """Every fill on the symbol, oldest first: of one order, or from a trade id on; read page by page."""
        found: list[r.VenueTrade] = []
        of_order = "" if venue_order_id is None else f"&orderId={venue_order_id}"
        for _ in range(TRADES_PAGES_MAX):
            query = f"symbol={symbol}{of_order}&fromId={from_id}&limit={TRADES_PAGE}"
            page = codec.trades(self.name, await self.rest.query("/api/v3/myTrades", query))
            found += page
            if len(page) < TRADES_PAGE:
                return found
            from_id = page[-1].trade_id + 1
        raise VenueMalformed(f"{symbol}: more than {TRADES_PAGES_MAX} pages of trades; read from a later trade id")

    async def balances(self) -> Sequence[r.VenueBalance]:
        """The account's balances that are not zero."""
        return codec.balances(await self.rest.query("/api/v3/account", "omitZeroBalances=true"))

    async def server_time_us(self) -> int:
        """The venue's clock, read after this call began."""
        return await self.rest.measure_clock()

    def venue_now_us(self) -> int:
        """The venue's clock by our last measurement."""
        return self.rest.venue_now_us()

    async def follow_books(self, symbols: Callable[[], Iterable[str]], publish: Callable[[BookView], None]) -> None:
        """Follow books for ever; see adapter.Venue.follow_books."""
        handler = DepthStream(self.name, self.rest, symbols, publish, self._settings.look_seconds)
        ping = self._settings.ping_seconds
        await keep_connected(self._http, f"{self._stream_url}/stream", f"{self.name} books", handler, ping)

    async def user_stream(self, listener: Listener) -> None:
        """Deliver the account's events for ever; see adapter.Venue.user_stream."""
        handler = UserStream(self.name, self.rest, self._key, listener)
        ping = self._settings.ping_seconds
        await keep_connected(self._http, f"{self._stream_url}/ws-api/v3", f"{self.name} user stream", handler, ping)


class UserStream:
    """Handler of the websocket API connection with the account's event subscription."""

    def __init__(self, venue: str, rest: Rest, key: SecretStr, listener: Listener) -> None:
        self._venue, self._rest, self._key, self._listener = venue, rest, key, listener
        self._requests = 0
        self._subscribed = False

    async def opened(self, socket: Socket) -> None:
        """Subscribe with a signature; the answer says when it counts."""
        if not self._rest.clock.measured:
            await self._rest.measure_clock()
        self._requests += 1
        key, at_ms = self._key.get_secret_value(), self._rest.venue_now_us() // 1_000
        signature = self._rest.sign(f"apiKey={key}&timestamp={at_ms}")
        request = {
            "id": self._requests,
            "method": "userDataStream.subscribe.signature",
            "params": {"apiKey": key, "timestamp": at_ms, "signature": signature},
        }
        await socket.send_str(msgspec.json.encode(request).decode())

    def beat(self, answered_us: int) -> None:
        """Nothing: the connection's own pulse watches it."""

    def received(self, data: bytes) -> None:
        """One event, or the answer to the subscription."""
        message = codec.user_message(data)
        if message.event is None:
            self._answered(message.status, message.error)
        elif message.event.e == "eventStreamTerminated":
            raise VenueDoubtful("the venue ended the event subscription")
        elif (event := self._report(message.event)) is not None:
            self._listener.told(event)

    def closed(self) -> None:
        """Events may be missed from now on."""
        if self._subscribed:
            self._subscribed = False
            self._listener.lost(self._venue)

    def _report(self, event: codec.Execution) -> r.UserEvent | None:
        """A malformed event is loud but ends nothing: the order and its fills will be asked for."""
        try:
            return codec.user_event(self._venue, event)
        except VenueMalformed as error:
            _log.error("user event not understood", venue=self._venue, reason=str(error))
            return None

    def _answered(self, status: int | None, error: codec.ErrorBody | None) -> None:
        if status != 200 or error is not None:
            reason = f"{error.code}: {error.msg}" if error is not None else f"status {status}"
            raise VenueRefused("SUBSCRIPTION_REFUSED", f"{reason}; check the API key and its permissions")
        if not self._subscribed:
            self._subscribed = True
            self._listener.connected(self._venue)
