"""The router's effects: an event loop in a thread of its own, with one desk per venue.

The run loop says what is on the tape (`act`, `resume`, `release`) and never waits; the desks answer by offering
reports. Books are kept here too, and read by decisions through `books`.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import structlog

from services.router import tracked
from services.router.core import State, ended_legs, open_legs
from services.router.desk import Desk, Offer
from truetape import ids
from truetape import messages as m
from truetape.codec import Message
from truetape.venue.adapter import Venue
from truetape.venue.book import BookView
from truetape.venue.reports import VenueRejected, report_id
from truetape.venue.thread import Connect, Threads, VenueThread, Work

_log = structlog.get_logger()
_ENDS: Final = (m.OrderCancelled, m.OrderExpired, m.OrderRejectedByVenue)
_EFFECTFUL: Final = frozenset({m.OrderRouted, m.CancelRouted, m.OrderFilled, *_ENDS})


class Owned:
    """A partition was taken over, with these legs open and these ended last; each with its venue."""

    __slots__ = ("ended", "legs", "partition")

    def __init__(self, partition: int, state: State) -> None:
        self.partition = partition
        self.legs = [(leg.venue, tracked.of_state(partition, order, leg)) for order, leg in open_legs(state)]
        self.ended = [(leg.venue, tracked.of_state(partition, order, leg)) for order, leg in ended_legs(state)]


class Released:
    """A partition is no longer ours."""

    __slots__ = ("partition",)

    def __init__(self, partition: int) -> None:
        self.partition = partition


class Session:
    """Effects of the router. `connect` makes the venues, inside the session's event loop."""

    def __init__(
        self,
        offer: Offer,
        connect: Connect,
        symbols: Callable[[str], Iterable[str]],
        counts: Counter[str],
        thread: Threads = VenueThread,
    ) -> None:
        self.books: dict[tuple[str, str], BookView] = {}
        """The newest book by venue and symbol: written here, read by decisions."""
        self._offer, self._symbols, self._counts = offer, symbols, counts
        self._inbox: deque[tuple[int, Message] | Owned | Released] = deque()
        self._woken = False
        self._desks: dict[str, Desk] = {}
        self._thread = thread("venues", connect, self._works)

    # -- called by the run loop ------------------------------------------------------------------------------

    def start(self) -> "Session":
        """Start the thread; the venues are connected in the background."""
        self._thread.start()
        return self

    def heeds(self, event: Message) -> bool:
        """What the venues must hear of."""
        return type(event) in _EFFECTFUL

    def act(self, partition: int, event: Message) -> None:
        """The event is on the tape, in place: send, cancel, or forget what has ended."""
        if self.heeds(event):
            self._tell((partition, event))

    def resume(self, partition: int, state: State) -> None:
        """Take up every leg without an end: none is sent again, all are asked for, and so are late fills."""
        self._tell(Owned(partition, state))

    def release(self, partition: int) -> None:
        """Do nothing more for a partition."""
        self._tell(Released(partition))

    def close(self) -> None:
        """End the thread and all connections."""
        self._thread.close()

    def _tell(self, item: tuple[int, Message] | Owned | Released) -> None:
        """One wake-up for many items: what it costs to wake the other thread is what there is to save."""
        self._inbox.append(item)
        if not self._woken:
            self._woken = True
            self._thread.call(self._drain)

    # -- in the session's thread -----------------------------------------------------------------------------

    def _works(self, venues: Mapping[str, Venue]) -> Iterable[Work]:
        for name, venue in venues.items():
            desk = self._desks[name] = Desk(venue, self._offer, self._counts)
            yield venue.user_stream(desk)
            yield venue.follow_books(partial(self._symbols, name), partial(self._see, venue))
            yield desk.work()

    def _see(self, venue: Venue, view: BookView) -> None:
        """A venue that takes no orders now has no book to choose it by."""
        if view.usable and not venue.accepts_orders():
            view = BookView(view.venue, view.symbol, view.sequence, view.observed_at_us, usable=False)
        self.books[view.venue, view.symbol] = view

    def _drain(self) -> None:
        self._woken = False
        inbox = self._inbox
        while inbox:
            item = inbox.popleft()
            if isinstance(item, tuple):
                self._follow(*item)
            elif isinstance(item, Owned):
                self._own(item)
            else:
                for desk in self._desks.values():
                    desk.disown(item.partition)

    def _own(self, owned: Owned) -> None:
        for name, desk in self._desks.items():
            legs, ended = ([leg for venue, leg in some if venue == name] for some in (owned.legs, owned.ended))
            desk.own(owned.partition, legs, ended)
        if orphans := [leg.client_order_id for venue, leg in owned.legs if venue not in self._desks]:
            _log.error("open orders at venues that are not configured", orders=orphans[:20], count=len(orphans))

    def _follow(self, partition: int, event: Message) -> None:
        if isinstance(event, m.OrderRouted):
            for leg in event.legs:
                self._send(partition, event, leg)
        elif isinstance(event, m.CancelRouted):
            for cancel in event.legs:
                if (desk := self._desks.get(cancel.venue)) is not None:
                    desk.cancel(cancel.venue_client_order_id, event.command_id)
        elif isinstance(event, _ENDS) or (isinstance(event, m.OrderFilled) and event.status == "FILLED"):
            client_order_id = ids.venue_client_order_id(partition, event.order_id, event.leg)
            if (desk := self._desks.get(event.venue)) is not None:
                desk.end(client_order_id)

    def _send(self, partition: int, event: m.OrderRouted, leg: m.RoutedLeg) -> None:
        desk = self._desks.get(leg.venue)
        if desk is not None:
            desk.send(tracked.of_intent(partition, event, leg), tracked.request_of(event, leg))
            return
        refusal = VenueRejected(
            leg.venue, leg.venue_client_order_id, "VENUE_NOT_CONFIGURED", "not sent: no connection to this venue"
        )
        self._offer(partition, f"venue:{leg.venue}", report_id(refusal), refusal)
