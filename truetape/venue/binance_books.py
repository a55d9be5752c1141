"""Binance's depth streams: one connection, one book per symbol, snapshots when they are needed."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import structlog

from truetape import clock
from truetape.errors import VenueError
from truetape.venue import binance_codec as codec
from truetape.venue.binance_rest import Rest
from truetape.venue.book import Book, BookView, aged
from truetape.venue.connection import Socket

SNAPSHOT_LIMIT: Final = 1_000
SNAPSHOT_RETRY_SECONDS: Final = (0.1, 5.0)
SUBSCRIBE_SECONDS: Final = 0.5
"""At least so long between two subscriptions."""
_log = structlog.get_logger()


class DepthStream:
    """Handler of the market connection. Publishes every new state of every book, and doubt as soon as there is any."""

    def __init__(
        self,
        venue: str,
        rest: Rest,
        symbols: Callable[[], Iterable[str]],
        publish: Callable[[BookView], None],
        look_seconds: float,
    ) -> None:
        self._venue, self._rest, self._look_seconds = venue, rest, look_seconds
        self._symbols, self._publish = symbols, publish
        self._books: dict[str, Book] = {}
        self._views: dict[str, BookView] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[int, list[str]] = {}
        self._requests = 0
        self._one_by_one = False
        self._subscribing: asyncio.Task[None] | None = None

    async def opened(self, socket: Socket) -> None:
        """Subscribe to what is wanted, now and later."""
        self._subscribing = asyncio.create_task(self._keep_subscribed(socket))

    def beat(self, answered_us: int) -> None:
        """What is live was right when the ping left."""
        for symbol, view in self._views.items():
            if view.usable and answered_us > view.observed_at_us:
                self._show(symbol, aged(view, answered_us))

    def received(self, data: bytes) -> None:
        """One difference, or the answer to a subscription."""
        found = codec.market_message(data)
        if isinstance(found, codec.Answer):
            self._answered(found)
            return
        symbol, diff = found
        book = self._books.get(symbol)
        if book is None:
            return
        was_live = book.live
        changed = book.diff(diff)
        if was_live and not book.live:
            _log.warning("book lost its sequence", venue=self._venue, symbol=symbol, expected=book.sequence + 1)
        if changed or was_live != book.live:
            self._show(symbol, book.view(self._venue, symbol, now_us()))
        if was_live and book.wants_snapshot():
            self._fetch(symbol, book)

    def _answered(self, answer: codec.Answer) -> None:
        """From a grant on every difference arrives, so that a snapshot taken now misses none."""
        symbols = self._asked.pop(answer.request, [])
        if not answer.error:
            for symbol in symbols:
                self._fetch(symbol, self._books[symbol])
            return
        _log.error("venue refused to stream books", venue=self._venue, symbols=symbols, reason=answer.error)
        if len(symbols) > 1:
            self._one_by_one = True  # One that the venue does not know must not keep the others from us.
            for symbol in symbols:
                del self._books[symbol]

    def closed(self) -> None:
        """Nothing is known any more."""
        for task in (*self._fetching.values(), self._subscribing):
            if task is not None:
                task.cancel()
        self._fetching.clear()
        self._books.clear()
        self._asked.clear()
        for symbol, view in list(self._views.items()):
            if view.usable:
                self._show(symbol, BookView(self._venue, symbol, view.sequence, now_us(), usable=False))

    async def _keep_subscribed(self, socket: Socket) -> None:
        """A new listing is followed at once; but not with more messages than the venue takes."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not socket.closed:
                if missing := sorted(set(self._symbols()) - self._books.keys()):
                    await self._subscribe(socket, missing[:1] if self._one_by_one else missing)
                    await asyncio.sleep(SUBSCRIBE_SECONDS)
                else:
                    await asyncio.sleep(self._look_seconds)

    async def _subscribe(self, socket: Socket, missing: list[str]) -> None:
        self._rest.example_symbol = missing[0]
        self._requests += 1
        streams = [f"{symbol.lower()}@depth@100ms" for symbol in missing]
        request = {"method": "SUBSCRIBE", "params": streams, "id": self._requests}
        for symbol in missing:
            self._books[symbol] = Book()
        self._asked[self._requests] = missing
        await socket.send_str(msgspec.json.encode(request).decode())

    def _fetch(self, symbol: str, book: Book) -> None:
        if symbol not in self._fetching:
            self._fetching[symbol] = asyncio.create_task(self._snapshot(symbol, book))

    async def _snapshot(self, symbol: str, book: Book) -> None:
        """Fetch snapshots until one continues into the differences."""
        wait, longest = SNAPSHOT_RETRY_SECONDS
        while book.wants_snapshot():
            try:
                body = await self._rest.public("/api/v3/depth", f"symbol={symbol}&limit={SNAPSHOT_LIMIT}")
                snapshot = codec.depth(body, SNAPSHOT_LIMIT)
            except VenueError as error:
                _log.warning("no book snapshot", venue=self._venue, symbol=symbol, reason=str(error))
            else:
                if book.snapshot(snapshot):
                    self._show(symbol, book.view(self._venue, symbol, now_us()))
                    break
            await asyncio.sleep(wait)
            wait = min(wait * 2, longest)
        del self._fetching[symbol]

    def _show(self, symbol: str, view: BookView) -> None:
        self._views[symbol] = view
        self._publish(view)


def now_us() -> int:
    """Our clock, microseconds UTC."""
    return clock.now_us()
