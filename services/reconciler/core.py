"""The reconciler's pure core: which breaks open and close when the books were compared with a venue."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from truetape import ids
from truetape.messages import Break, BreakClass, BreakClosed, ReconciliationCompleted
from truetape.service import Input, Service
from truetape.topics import RECONCILIATION_BREAKS

PROOF_US: Final = 10_000_000
"""Without news, a completed comparison is written this often: the topic stays small, and proves that somebody looks."""
OWNERS: Final[Mapping[BreakClass, str]] = {
    "MISSING_AT_VENUE": "router",
    "MISSING_INTERNALLY": "router",
    "SIDE": "router",
    "QUANTITY": "router",
    "PRICE": "router",
    "FEE_ASSET": "router",
    "FEE_AMOUNT": "router",
    "DUPLICATE_INTERNAL": "router",
    "UNBOOKED_FILL": "clearing",
    "ORDER_STATE": "router",
    "ORPHAN_AT_VENUE": "operations",
    "BALANCE": "operations",
}
"""Who must explain each kind of break: the operators of that service, or those of the venue's account."""
REASONS: Final[Mapping[BreakClass, str]] = {
    "MISSING_AT_VENUE": "the venue lists the fill now",
    "MISSING_INTERNALLY": "the fill is on the tape now",
    "UNBOOKED_FILL": "the fill is booked now",
    "ORDER_STATE": "both sides have the same orders open now",
    "ORPHAN_AT_VENUE": "the order is no longer open at the venue",
    "BALANCE": "the balance is explained now",
}
GONE: Final = "both sides are equal now"


class Difference(Struct, frozen=True, gc=False):
    """Something on which the books and a venue do not agree."""

    break_class: BreakClass
    key: str
    """Execution id, venue client order id, or asset."""
    account_id: str
    ours_e8: int
    theirs_e8: int
    evidence: str
    """Both rows, as JSON."""


class Comparison(Struct, frozen=True, gc=False):
    """One comparison with one venue."""

    venue: str
    fills_matched: int
    """Since the beginning of the tape."""
    orders_compared: int
    balances_compared: int
    differences: dict[str, Difference]
    """By break id."""
    first_seen_us: dict[str, int]
    """When each difference was first seen."""
    grace_us: int
    untold: tuple[str, ...] = ()
    """Breaks of which this comparison can say nothing: they neither open nor close."""


class Told(Struct, array_like=True):
    """What was last written about a venue."""

    at_us: int
    fills_matched: int
    pending: int


class State(Struct):
    """What is open, and what was last told."""

    breaks: dict[str, Break] = field(default_factory=dict)
    """By break id."""
    told: dict[str, Told] = field(default_factory=dict)
    """By venue."""


def identify(venue: str, differences: list[Difference]) -> dict[str, Difference]:
    """Differences by break id: the same difference has the same id, whatever the order in which they were found."""
    found = {ids.break_id(venue, one.break_class, one.key): one for one in differences}
    return dict(sorted(found.items()))


def decide(state: State, given: Input) -> ReconciliationCompleted | None:
    """What a comparison says: breaks that outlasted the grace period open, those that are gone close.

    A break whose numbers changed is told again, under its id and with its age. None when there is nothing new.
    """
    seen = given.message
    if not isinstance(seen, Comparison):
        return None
    opened = tuple(
        _open(seen, break_id, one, state.breaks.get(break_id))
        for break_id, one in seen.differences.items()
        if _lasts(seen, break_id, given.at_us) and _news(state.breaks.get(break_id), one)
    )
    closed = tuple(
        BreakClosed(break_id, REASONS.get(known.break_class, GONE))
        for break_id, known in sorted(state.breaks.items())
        if known.venue == seen.venue and break_id not in seen.differences and break_id not in seen.untold
    )
    young = [one for one in seen.differences if one not in state.breaks and not _lasts(seen, one, given.at_us)]
    told = state.told.get(seen.venue)
    same = told is not None and (told.fills_matched, told.pending) == (seen.fills_matched, len(young))
    if same and not opened and not closed and told is not None and given.at_us - told.at_us < PROOF_US:
        return None
    return ReconciliationCompleted(
        given.meta(seen.venue), seen.venue, seen.fills_matched, seen.orders_compared, seen.balances_compared,
        len(young), opened, closed,
    )  # fmt: skip


def _lasts(seen: Comparison, break_id: str, at_us: int) -> bool:
    return at_us - seen.first_seen_us.get(break_id, at_us) >= seen.grace_us


def _news(known: Break | None, one: Difference) -> bool:
    return known is None or (known.ours_e8, known.theirs_e8) != (one.ours_e8, one.theirs_e8)


def _open(seen: Comparison, break_id: str, one: Difference, known: Break | None) -> Break:
    since_us = seen.first_seen_us[break_id] if known is None else known.first_seen_at_us
    return Break(
        break_id, one.break_class, seen.venue, one.key, one.account_id, one.ours_e8, one.theirs_e8, since_us,
        OWNERS[one.break_class], one.evidence, hashlib.sha256(one.evidence.encode()).hexdigest(),
    )  # fmt: skip


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses."""
    if isinstance(event, ReconciliationCompleted):
        for gone in event.closed:
            state.breaks.pop(gone.break_id, None)
        for fresh in event.opened:
            state.breaks[fresh.break_id] = fresh
        state.told[event.venue] = Told(event.meta.decided_at_us, event.fills_matched, event.pending)
    return state


def accounts(state: State) -> dict[str, Any]:
    """The open breaks by account; those of nobody under the empty name."""
    found: dict[str, Any] = {}
    for break_id, known in state.breaks.items():
        found.setdefault(known.account_id, {})[break_id] = msgspec.to_builtins(known)
    return found


SERVICE: Final[Service[State]] = Service(
    name="reconciler",
    owns=RECONCILIATION_BREAKS,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    patience_ms=250,
    tables=True,
    accounts=accounts,
)
