"""The book sessions of pricing: an event loop in a thread of its own that offers the best prices it sees."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from services.pricing.facts import MARKS_PARTITION, FactSender, Offer
from services.pricing.tops import Top, TopsSeen
from truetape import clock
from truetape.codec import Message
from truetape.messages import ContractFixed, Listing, MarkPublished, MarkWithheld
from truetape.venue.adapter import Venue
from truetape.venue.book import BookView
from truetape.venue.thread import Connect, Threads, VenueThread, Work

_log = structlog.get_logger()
REPUBLISH_SECONDS: Final = 0.8
"""Unchanged best prices are offered again after this, so that there is a mark every second."""
LOOKS_PER_INTERVAL: Final = 5
PACE: Final = 1.1
"""Offers are this many intervals apart, so that none comes too early for the decision, which counts exactly."""

Tops = tuple[tuple[Top, ...], tuple[str, ...]]
"""Best prices of live books, and the venues without one."""


class Session:
    """Effects of pricing: follows books from its start, offers while the partition of marks is owned."""

    def __init__(
        self,
        offer: Offer,
        facts: FactSender,
        connect: Connect,
        listings: Callable[[], Iterable[tuple[str, Listing]]],
        interval_ms: int,
        thread: Threads = VenueThread,
    ) -> None:
        self._offer, self._listings, self._interval_seconds = offer, listings, interval_ms / 1_000
        self._facts = facts
        self._views: dict[tuple[str, str], BookView] = {}
        self._told: dict[str, tuple[float, tuple[tuple[int, int], ...]]] = {}
        self._numbers = itertools.count(clock.now_us() * 1_000)
        self._owning = False
        self._withheld: set[str] = set()
        """Instruments that have no mark now."""
        self._thread = thread("books", connect, self._works)

    # -- called by the run loop ------------------------------------------------------------------------------

    def start(self) -> "Session":
        """Start the thread; the venues are connected in the background."""
        self._thread.start()
        return self

    def act(self, partition: int, event: Message) -> None:
        """The ledger is told what was fixed; and somebody has to look where there is no mark, once, until there is."""
        match event:
            case ContractFixed():
                self._facts.send(event.fact)
            case MarkWithheld() if event.instrument_id not in self._withheld:
                self._withheld.add(event.instrument_id)
                seen = {one.venue: one.status for one in event.sources}
                _log.error("mark withheld", instrument_id=event.instrument_id, reason=event.reason, venues=seen)
            case MarkPublished() if event.instrument_id in self._withheld:
                self._withheld.discard(event.instrument_id)
                _log.info("marked again", instrument_id=event.instrument_id)
            case _:
                pass

    def resume(self, partition: int, state: Any) -> None:
        """The partition of marks is ours: offer, and send what may not have been sent."""
        self._owning, self._withheld = True, set(state.withheld)
        for fact in state.unsent.values():
            self._facts.send(fact)

    def release(self, partition: int) -> None:
        """Somebody else marks."""
        self._owning, self._withheld = False, set()
        self._facts.forget()

    def gauges(self) -> dict[str, float]:
        """How many instruments have no mark, since too few venues' books count."""
        return {"marks_withheld": len(self._withheld)}

    def close(self) -> None:
        """End the thread and all connections."""
        self._thread.close()

    # -- in the session's thread -----------------------------------------------------------------------------

    def _works(self, venues: Mapping[str, Venue]) -> Iterable[Work]:
        for name, venue in venues.items():
            yield venue.follow_books(self._symbols(name), self._see)
        yield self._mark()

    def _symbols(self, venue: str) -> Callable[[], Iterable[str]]:
        return lambda: {listing.symbol for _, listing in self._listings() if listing.venue == venue}

    def _see(self, view: BookView) -> None:
        self._views[view.venue, view.symbol] = view

    async def _mark(self) -> None:
        """Offer what changed, and what is due again."""
        while True:
            await asyncio.sleep(self._pause())
            if self._owning:
                for instrument_id, (tops, without) in self._tops().items():
                    self._tell(instrument_id, tops, without)
            else:
                self._told.clear()

    def _pause(self) -> float:
        """Seconds until some instrument may be offered again; where one waits for a change or was never offered, a
        fraction of the interval."""
        soon = self._interval_seconds / LOOKS_PER_INTERVAL
        if not self._told:
            return soon
        told_at = min(told_at for told_at, _ in self._told.values())
        return max(soon, told_at + self._interval_seconds * PACE - clock.monotonic())

    def _tops(self) -> dict[str, Tops]:
        """Best prices by instrument, of the venues whose book is live and has both sides, and the other venues; an
        instrument whose books were never there is left out."""
        found: dict[str, Tops] = {}
        for instrument_id, listing in self._listings():
            view = self._views.get((listing.venue, listing.symbol))
            tops, without = found.get(instrument_id, ((), ()))
            if view is not None and view.usable and view.bids and view.asks:
                top = Top(view.venue, view.bids[0][0], view.asks[0][0], view.sequence, view.observed_at_us)
                found[instrument_id] = (*tops, top), without
            else:
                found[instrument_id] = tops, (*without, listing.venue)
        return {name: seen for name, seen in found.items() if seen[0] or name in self._told}

    def _tell(self, instrument_id: str, tops: tuple[Top, ...], without: tuple[str, ...]) -> None:
        now, prices = clock.monotonic(), tuple((top.bid_e8, top.ask_e8) for top in tops)
        told_at, told = self._told.get(instrument_id, (0.0, ()))
        pause = self._interval_seconds * PACE if prices != told else REPUBLISH_SECONDS
        if now - told_at < max(pause, self._interval_seconds * PACE):
            return
        self._told[instrument_id] = (now, prices)
        interval_us = round(self._interval_seconds * 1_000_000)
        seen = TopsSeen(instrument_id, tops, interval_us, without)
        self._offer(MARKS_PARTITION, "books", str(next(self._numbers)), seen)
