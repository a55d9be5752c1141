"""The pure core of pricing: which mark follows from the best prices that were seen, and which facts about contracts
follow from the marks."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct, field

from services.pricing import fixings, schedule
from services.pricing.schedule import Followed
from truetape.codec import Message
from truetape.fixing import Observation
from truetape.messages import (
    ContractFact,
    ContractFixed,
    FactSent,
    FixingDue,
    FixingsDue,
    MarkPublished,
)
from truetape.money import divide
from truetape.service import DUE, Input, Service, Tick
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


class FactDelivered(Struct, frozen=True):
    """Every partition of clearing's commands holds the fact, by its delivery reports."""

    instrument_id: str
    fact_id: str


class State(Struct):
    """When each instrument was last marked, what was seen of late, and how far each contract's facts have been made."""

    marked_at_us: dict[str, int] = field(default_factory=dict)
    seen: dict[str, list[Observation]] = field(default_factory=dict)
    """Recorded prices of the last hour by instrument, at most one a second."""
    contracts: dict[str, Followed] = field(default_factory=dict)
    pending: list[FixingDue] = field(default_factory=list)
    """Facts that are due, in order: each is answered before anything else."""
    unsent: dict[str, ContractFact] = field(default_factory=dict)
    """Facts on the tape that some partition of clearing's commands may not hold yet."""


SEEN_EVERY_US: Final = 1_000_000
SEEN_FOR_US: Final = 3_660_000_000
"""What is remembered of prices: longer than any fixing window or funding step (services/gateway/contracts.py)."""
SEEN_MAX: Final = 3_800
"""More than one price a second for so long: a clock that is set back again and again fills no memory."""
FORGET: Final = 64
"""So many are forgotten at a time."""


def decide(state: State, given: Input) -> Message | None:
    """A mark from the best prices; what contracts owe by now; and one by one the facts that are due."""
    match given.message:
        case TopsSeen():
            return _mark(state, given, given.message)
        case Tick():
            return _look(state, given)
        case FixingDue() as asked if given.cause.source == DUE:
            instrument = given.tables.reference.instruments.get(asked.instrument_id)
            return fixings.make(given.meta(asked.instrument_id), asked, instrument, state.seen)
        case FactDelivered(instrument_id, fact_id) if fact_id in state.unsent:
            return FactSent(given.meta(instrument_id), instrument_id, fact_id)
        case _:
            return None


def _look(state: State, given: Input) -> FixingsDue | None:
    instruments = given.tables.reference.instruments
    followed = schedule.unfollowed(instruments.values(), state.contracts)
    found = schedule.due(instruments, state.contracts, given.at_us)
    return FixingsDue(given.meta("schedule"), given.at_us, followed, found) if followed or found else None


def due(state: State) -> tuple[str, FixingDue] | None:
    """The next fact that has to be made, under its own id."""
    if not state.pending:
        return None
    asked = state.pending[0]
    return f"{fixings.fact_id(asked)}/{asked.effective_at_us}", asked


def _mark(state: State, given: Input, seen: TopsSeen) -> MarkPublished | None:
    """The mark that follows from the best prices; None when none is fresh, or the last mark is too recent."""
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
    match event:
        case MarkPublished():
            state.marked_at_us[event.instrument_id] = event.meta.decided_at_us
            _remember(state.seen.setdefault(event.instrument_id, []), event)
        case FixingsDue():
            for name in event.followed:
                state.contracts[name] = Followed(event.looked_at_us, event.looked_at_us)
            state.pending.extend(event.due)
        case ContractFixed():
            state.unsent[event.fact.fact_id] = event.fact
        case FactSent():
            state.unsent.pop(event.fact_id, None)
        case _:
            pass
    if event.meta.cause.source == DUE:
        _answered(state.contracts, state.pending.pop(0))
    return state


def _remember(seen: list[Observation], mark: MarkPublished) -> None:
    if not seen or abs(mark.observed_at_us - seen[-1].at_us) >= SEEN_EVERY_US:
        seen.append(Observation(mark.observed_at_us, mark.price_e8))
    if len(seen) > SEEN_MAX or (len(seen) > FORGET and seen[FORGET].at_us < mark.observed_at_us - SEEN_FOR_US):
        del seen[:FORGET]


def _answered(contracts: dict[str, Followed], asked: FixingDue) -> None:
    """Made or missing: it is not asked for again."""
    followed = contracts[asked.instrument_id]
    match asked.kind:
        case "FUNDING":
            followed.funded_at_us = asked.effective_at_us
        case "EXPIRY":
            followed.expired = True
        case _:
            followed.settled_at_us = asked.effective_at_us


SERVICE: Final[Service[State]] = Service(
    name="pricing",
    owns=MARKET_MARKS,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    tables=True,
    tick_seconds=1.0,
    due=due,
)
