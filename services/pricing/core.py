"""The pure core of pricing: which mark, if any, follows from the best prices that were seen."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct, field

from truetape.messages import MarkPublished
from truetape.money import divide
from truetape.service import Input, Service
from truetape.topics import MARKET_MARKS

BOOK_MAX_AGE_US: Final = 3_000_000
"""No mark is taken from a book that was last known right longer ago."""


class Top(Struct, frozen=True, gc=False):
    """The best prices of one venue's live book."""

    venue: str
    bid_e8: int
    ask_e8: int
    sequence: int
    observed_at_us: int
    """When the book was last known right, by our clock."""


class TopsSeen(Struct, frozen=True, gc=False):
    """The best prices of an instrument at every venue with a live book."""

    instrument_id: str
    tops: tuple[Top, ...]
    interval_us: int
    """Shortest time between two marks."""


class State(Struct):
    """When each instrument was last marked."""

    marked_at_us: dict[str, int] = field(default_factory=dict)


def decide(state: State, given: Input) -> MarkPublished | None:
    """The mark that follows from the best prices; None when none is fresh, or the last mark is too recent."""
    seen = given.message
    if not isinstance(seen, TopsSeen):
        return None
    pause_us = given.at_us - state.marked_at_us.get(seen.instrument_id, 0)
    if 0 <= pause_us < seen.interval_us:  # Less than nothing: the clock was set back, and nobody waits for it.
        return None
    top = freshest(seen.tops)
    if top is None or given.at_us - top.observed_at_us > BOOK_MAX_AGE_US:
        return None
    return MarkPublished(
        given.meta(seen.instrument_id),
        seen.instrument_id,
        divide(top.bid_e8 + top.ask_e8, 2, "half_even")[0],
        top.bid_e8,
        top.ask_e8,
        top.venue,
        top.sequence,
        top.observed_at_us,
        max(given.at_us - top.observed_at_us, 0),
    )


def freshest(tops: Iterable[Top]) -> Top | None:
    """The uncrossed book that was known right last; of equals, the first by name."""
    uncrossed = [top for top in tops if 0 < top.bid_e8 < top.ask_e8]
    return min(uncrossed, key=lambda top: (-top.observed_at_us, top.venue), default=None)


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses."""
    if isinstance(event, MarkPublished):
        state.marked_at_us[event.instrument_id] = event.meta.decided_at_us
    return state


SERVICE: Final[Service[State]] = Service(
    name="pricing",
    owns=MARKET_MARKS,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    tables=True,
)
