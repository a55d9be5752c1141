"""The pure core of pricing: which mark follows from the best prices that were seen, and which facts about contracts
follow from the marks."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct, field

from services.pricing import fixings, schedule
from services.pricing.consensus import Consensus, agree, median, mid_e8, usual
from services.pricing.recorded import Recorded
from services.pricing.schedule import Followed
from services.pricing.tops import TopsSeen
from truetape.codec import Message
from truetape.messages import (
    ContractFact,
    ContractFixed,
    FactSent,
    FixingDue,
    FixingsDue,
    MarkPublished,
    MarkSource,
    MarkTerms,
    MarkWithheld,
)
from truetape.service import DUE, Input, Service, Tick
from truetape.topics import MARKET_MARKS, REFERENCE_EVENTS


class FactDelivered(Struct, frozen=True):
    """Every partition of clearing's commands holds the fact, by its delivery reports."""

    instrument_id: str
    fact_id: str


class Withheld(Struct):
    """What was said last of an instrument without a mark."""

    why: str
    """The reason, and each venue's status."""
    at_us: int


class State(Struct):
    """When each instrument was last marked, what was seen of late, and how far each contract's facts have been made."""

    marked_at_us: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, Withheld] = field(default_factory=dict)
    """Instruments whose last word was that there is no mark."""
    seen: dict[str, Recorded] = field(default_factory=dict)
    """Prices by instrument."""
    contracts: dict[str, Followed] = field(default_factory=dict)
    pending: list[FixingDue] = field(default_factory=list)
    """Facts that are due, in order: each is answered before anything else."""
    unsent: dict[str, ContractFact] = field(default_factory=dict)
    """Facts on the tape that some partition of clearing's commands may not hold yet."""


CHANGED_EVERY_US: Final = 1_000_000
WITHHELD_EVERY_US: Final = 60_000_000
"""How often an instrument without a mark is said to have none: while what is wrong changes, and while it does not."""


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


def _mark(state: State, given: Input, seen: TopsSeen) -> MarkPublished | MarkWithheld | None:
    """The mark that follows from the best prices, or that there is none; None when the last mark is too recent, or
    nothing new is to be said."""
    pause_us = given.at_us - state.marked_at_us.get(seen.instrument_id, 0)
    if 0 <= pause_us < seen.interval_us:  # Less than nothing: the clock was set back, and nobody waits for it.
        return None
    instrument = given.tables.reference.instruments.get(seen.instrument_id)
    venues = len(seen.tops) + len(seen.without)
    terms = (instrument.marking if instrument is not None else None) or usual(venues)
    found = agree(seen.tops, seen.without, terms, given.at_us)
    if found.reason is not None:
        return _withheld(state, given, seen.instrument_id, terms, found)
    oldest = min(found.counted, key=lambda top: (top.observed_at_us, top.venue))
    return MarkPublished(
        given.meta(seen.instrument_id),
        seen.instrument_id,
        median([mid_e8(top) for top in found.counted]),
        median([top.bid_e8 for top in found.counted]),
        median([top.ask_e8 for top in found.counted]),
        "+".join(top.venue for top in found.counted),
        oldest.sequence,
        oldest.observed_at_us,
        max(given.at_us - oldest.observed_at_us, 0),
        found.sources if len(found.sources) > 1 else (),
    )


def _withheld(
    state: State, given: Input, instrument_id: str, terms: MarkTerms, found: Consensus
) -> MarkWithheld | None:
    """Said when it begins, when what is wrong changes, and once a minute."""
    assert found.reason is not None, "there is a mark"
    told, at_us = state.withheld.get(instrument_id), given.at_us
    if told is not None:
        pause_us = WITHHELD_EVERY_US if told.why == _why(found.reason, found.sources) else CHANGED_EVERY_US
        if 0 <= at_us - told.at_us < pause_us:
            return None
    return MarkWithheld(
        given.meta(instrument_id), instrument_id, found.reason, terms.venues_least, terms.outlier_rate_e8, found.sources
    )


def _why(reason: str, sources: Iterable[MarkSource]) -> str:
    return " ".join([reason, *(f"{one.venue}={one.status}" for one in sources)])


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses."""
    match event:
        case MarkPublished():
            state.marked_at_us[event.instrument_id] = event.meta.decided_at_us
            state.withheld.pop(event.instrument_id, None)
            _recorded(state, event.instrument_id).record(event.observed_at_us, event.price_e8)
        case MarkWithheld():
            why = _why(event.reason, event.sources)
            state.withheld[event.instrument_id] = Withheld(why, event.meta.decided_at_us)
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


def _recorded(state: State, instrument_id: str) -> Recorded:
    if instrument_id not in state.seen:
        state.seen[instrument_id] = Recorded()
    return state.seen[instrument_id]


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
    patience_ms=250,
    urgent=(REFERENCE_EVENTS,),
    tables=True,
    tick_seconds=1.0,
    due=due,
)
