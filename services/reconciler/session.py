"""The reconciler's sessions: one per venue, with a read-only key, in an event loop in a thread of their own.

It asks and compares; it has no way to write but to offer a `Comparison` to the run loop.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from services.reconciler.books import Amounts, Books, VenueBooks, add
from services.reconciler.core import Comparison, identify
from services.reconciler.matching import Cut, Outcome, compare, effects, moved_by
from truetape import clock, ids
from truetape.codec import Message
from truetape.errors import BrokerUnavailable, RestoreTimedOut, TapeGap, TopicMissing, VenueError
from truetape.messages import Instrument
from truetape.venue.adapter import Venue
from truetape.venue.reports import VenueTrade
from truetape.venue.thread import Connect, Threads, VenueThread, Work

PARTITION: Final = 0
CUT_TRIES: Final = 4
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
        end: Callable[[], None] | None = None,
        thread: Threads = VenueThread,
    ) -> None:
        self._end = end or end_process
        self._offer, self._open_books, self._instruments = offer, books, instruments
        self._interval_seconds, self._grace_us = interval_seconds, round(grace_seconds * 1e6)
        self._owning = False
        self._books: Books | None = None
        self._folding = asyncio.Lock()
        self._unmatched: dict[str, dict[str, VenueTrade]] = {}
        self._next_ids: dict[tuple[str, str], int] = {}
        self._traded_e8: dict[str, Amounts] = {}
        """What all fills ever listed did to the account, by venue and asset."""
        self._assets: dict[str, dict[str, tuple[str, str]]] = {}
        """Base and quote of every symbol that was ever listed, by venue."""
        self._first_seen_us: dict[str, dict[str, int]] = {}
        self._thread = thread("reconciler", connect, self._works)

    # -- called by the run loop ------------------------------------------------------------------------------

    def start(self) -> "Session":
        """Start the thread; the venues are connected in the background."""
        self._thread.start()
        return self

    def act(self, partition: int, event: Message) -> None:
        """A comparison has no effect outside the tape."""

    def resume(self, partition: int, state: Any) -> None:
        """The partition of breaks is ours: compare; what an earlier owner saw first, it has told."""
        self._first_seen_us = {}
        self._owning = True

    def release(self, partition: int) -> None:
        """Somebody else compares."""
        self._owning = False

    def close(self) -> None:
        """End the thread and all connections."""
        self._thread.close()
        if self._books is not None:
            self._books.close()

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
                except TapeGap as gap:
                    # Nothing true can be said any more; the process ends as every reader of this tape does.
                    _log.error("ended", error=type(gap).__name__, detail=str(gap))
                    self._end()
                    return
                except (VenueError, BrokerUnavailable, RestoreTimedOut, TopicMissing) as error:
                    _log.warning("not compared", venue=venue.name, error=type(error).__name__, detail=str(error))
                    pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def _once(self, venue: Venue) -> None:
        """One comparison: the venue first, our books after, so that what the venue has had time to reach us."""
        cut = await self._cut(venue)
        async with self._folding:  # Nobody folds while somebody compares.
            books = await self._our_side(venue.name)
            outcome = compare(books, cut)
            for key in outcome.matched:
                books.settle(key)
                self._unmatched[venue.name].pop(key, None)
        self._tell(venue.name, len(books.matched), outcome)

    async def _our_side(self, venue: str) -> VenueBooks:
        if self._books is None:
            self._books = await asyncio.to_thread(self._open_books)
        await asyncio.to_thread(self._books.catch_up)
        return self._books.venues[venue]

    def _tell(self, venue: str, fills_matched: int, outcome: Outcome) -> None:
        """Offer the comparison, with the time at which each difference was first seen."""
        differences = identify(venue, outcome.differences)
        untold = tuple(ids.break_id(venue, "BALANCE", asset) for asset in outcome.unsettled)
        now_us = clock.now_us()
        known = self._first_seen_us.get(venue, {})
        seen = {break_id: known.get(break_id, now_us) for break_id in differences}
        seen |= {break_id: known[break_id] for break_id in untold if break_id in known}
        self._first_seen_us[venue] = seen
        comparison = Comparison(
            venue, fills_matched, outcome.orders_compared, outcome.balances_compared, differences, dict(seen),
            self._grace_us, untold,
        )  # fmt: skip
        self._offer(PARTITION, f"venue:{venue}", str(now_us), comparison)

    async def _cut(self, venue: Venue) -> Cut:
        """Fills and balances of one moment, and open orders: nothing came in between, or what came is named."""
        assets = self._assets.setdefault(venue.name, {})
        for instrument in self._instruments():
            for listing in instrument.listings:
                if listing.venue == venue.name:
                    assets[listing.symbol] = moved_by(instrument)
        await self._fetch(venue, assets)
        for _ in range(CUT_TRIES):
            traded = dict(self._traded_e8.get(venue.name, {}))
            balances = await venue.balances()
            since = await self._fetch(venue, assets)
            if not since:
                break
        orders = [order for symbol in sorted(assets) for order in await venue.open_orders(symbol)]
        return Cut(list(self._unmatched[venue.name].values()), traded, balances, orders, assets, since)

    async def _fetch(self, venue: Venue, assets: Mapping[str, tuple[str, str]]) -> list[VenueTrade]:
        """Fills since the last one seen, in the order in which the venue made them."""
        came: list[VenueTrade] = []
        for symbol in sorted(assets):
            came += await venue.trades(symbol, from_id=self._next_ids.get((venue.name, symbol), 0))
        traded = self._traded_e8.setdefault(venue.name, {})
        unmatched = self._unmatched.setdefault(venue.name, {})
        for trade in came:
            unmatched[trade.execution_id] = trade
            add(traded, effects(trade, assets[trade.symbol]))
            self._next_ids[venue.name, trade.symbol] = trade.trade_id + 1
        return sorted(came, key=lambda trade: (trade.transacted_at_us, trade.trade_id))


def end_process() -> None:
    """As the watchdog does: there is no one to hand an exception to."""
    os._exit(1)
