"""The reconciler's sessions: one per venue, with a read-only key, in an event loop in a thread of their own.

It asks and compares; it has no way to write but to offer a `Comparison` to the run loop.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from services.reconciler.books import Books, VenueBooks
from services.reconciler.core import Comparison, identify
from services.reconciler.matching import Cut, compare
from truetape.codec import Message
from truetape.errors import VenueError
from truetape.messages import Instrument
from truetape.venue.adapter import Venue
from truetape.venue.reports import VenueTrade
from truetape.venue.thread import Connect, VenueThread, Work

PARTITION: Final = 0
CUT_TRIES: Final = 8
RETRY_SECONDS: Final = 1.0
Offer = Callable[[int, str, str, Any], None]
_log = structlog.get_logger()


class Session:
    """Effects of the reconciler: compares with each venue every interval while the partition of breaks is owned."""

    def __init__(
        self,
        offer: Offer,
        connect: Connect,
        books: Callable[[], Books],
        instruments: Callable[[], Iterable[Instrument]],
        interval_seconds: float,
        grace_seconds: float,
    ) -> None:
        self._offer, self._open_books, self._instruments = offer, books, instruments
        self._interval_seconds, self._grace_us = interval_seconds, round(grace_seconds * 1e6)
        self._owning = False
        self._books: Books | None = None
        self._folding = asyncio.Lock()
        self._unmatched: dict[str, dict[str, VenueTrade]] = {}
        self._next_ids: dict[tuple[str, str], int] = {}
        self._first_seen_us: dict[str, dict[str, int]] = {}
        self._thread = VenueThread("reconciler", connect, self._works)

    # -- called by the run loop ------------------------------------------------------------------------------

    def start(self) -> "Session":
        """Start the thread; the venues are connected in the background."""
        self._thread.start()
        return self

    def act(self, partition: int, event: Message) -> None:
        """A comparison has no effect outside the tape."""

    def resume(self, partition: int, state: Any) -> None:
        """The partition of breaks is ours: compare."""
        self._owning = True

    def release(self, partition: int) -> None:
        """Somebody else compares."""
        self._owning = False

    def close(self) -> None:
        """End the thread and all connections."""
        self._thread.close()

    # -- in the session's thread -----------------------------------------------------------------------------

    def _works(self, venues: Mapping[str, Venue]) -> Iterable[Work]:
        for venue in venues.values():
            yield self._reconcile(venue)

    async def _reconcile(self, venue: Venue) -> None:
        while True:
            pause = self._interval_seconds
            if self._owning:
                try:
                    await self._once(venue)
                except VenueError as error:
                    _log.warning("venue does not answer the reconciler", venue=venue.name, error=str(error))
                    pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def _once(self, venue: Venue) -> None:
        """One comparison: the venue first, our books after, so that what the venue has had time to reach us."""
        cut = await self._cut(venue)
        if cut is None:
            return
        books = await self._our_side(venue.name)
        outcome = compare(books, cut)
        for key in outcome.matched:
            books.settle(key)
            self._unmatched[venue.name].pop(key, None)
        differences = identify(venue.name, outcome.differences)
        now_us = time.time_ns() // 1000
        known = self._first_seen_us.get(venue.name, {})
        self._first_seen_us[venue.name] = {break_id: known.get(break_id, now_us) for break_id in differences}
        comparison = Comparison(
            venue.name, len(books.matched), outcome.orders_compared, outcome.balances_compared, differences,
            dict(self._first_seen_us[venue.name]), self._grace_us,
        )  # fmt: skip
        self._offer(PARTITION, f"venue:{venue.name}", str(now_us), comparison)

    async def _our_side(self, venue: str) -> VenueBooks:
        async with self._folding:
            if self._books is None:
                self._books = await asyncio.to_thread(self._open_books)
            await asyncio.to_thread(self._books.catch_up)
            return self._books.venues[venue]

    async def _cut(self, venue: Venue) -> Cut | None:
        """Fills, balances and open orders of one moment: no fill came in between. None when trading never paused."""
        assets = {
            listing.symbol: (instrument.base, instrument.quote)
            for instrument in self._instruments()
            for listing in instrument.listings
            if listing.venue == venue.name
        }
        unmatched = self._unmatched.setdefault(venue.name, {})
        await self._fetch(venue, assets)
        for _ in range(CUT_TRIES):
            balances = await venue.balances()
            orders = [order for symbol in sorted(assets) for order in await venue.open_orders(symbol)]
            if not await self._fetch(venue, assets):
                return Cut(list(unmatched.values()), balances, orders, assets)
        _log.info("trading never paused: no comparison this time", venue=venue.name)
        return None

    async def _fetch(self, venue: Venue, symbols: Iterable[str]) -> int:
        """Add fills since the last one seen; how many came."""
        came = 0
        for symbol in symbols:
            fresh = await venue.trades(symbol, from_id=self._next_ids.get((venue.name, symbol), 0))
            for trade in fresh:
                self._unmatched[venue.name][trade.execution_id] = trade
                self._next_ids[venue.name, symbol] = trade.trade_id + 1
            came += len(fresh)
        return came
