"""The reconciler's pure core: which breaks open and close when the books were compared with a venue."""

import hashlib
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from truetape import ids
from truetape.messages import Break, BreakClass, BreakClosed, ReconciliationCompleted
from truetape.service import Input, Service
from truetape.topics import RECONCILIATION_BREAKS

OWNER: Final = "operations"
GONE: Final = "no longer different"


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
    """One comparison with one venue, from a consistent cut."""

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


class State(Struct):
    """What is open."""

    breaks: dict[str, Break] = field(default_factory=dict)
    """By break id."""


def identify(venue: str, differences: list[Difference]) -> dict[str, Difference]:
    """Differences by break id: the same difference has the same id, whatever the order in which they were found."""
    found = {ids.break_id(venue, one.break_class, one.key): one for one in differences}
    return dict(sorted(found.items()))


def decide(state: State, given: Input) -> ReconciliationCompleted | None:
    """What a comparison says: breaks that outlasted the grace period open, those that are gone close."""
    seen = given.message
    if not isinstance(seen, Comparison):
        return None
    lasting = {
        break_id: one
        for break_id, one in seen.differences.items()
        if given.at_us - seen.first_seen_us.get(break_id, given.at_us) >= seen.grace_us
    }
    opened = tuple(_open(seen, break_id, one) for break_id, one in lasting.items() if break_id not in state.breaks)
    closed = tuple(
        BreakClosed(break_id, GONE)
        for break_id, known in state.breaks.items()
        if known.venue == seen.venue and break_id not in seen.differences
    )
    pending = sum(1 for break_id in seen.differences if break_id not in lasting and break_id not in state.breaks)
    return ReconciliationCompleted(
        given.meta(seen.venue), seen.venue, seen.fills_matched, seen.orders_compared, seen.balances_compared, pending,
        opened, closed,
    )  # fmt: skip


def _open(seen: Comparison, break_id: str, one: Difference) -> Break:
    return Break(
        break_id, one.break_class, seen.venue, one.key, one.account_id, one.ours_e8, one.theirs_e8,
        seen.first_seen_us[break_id], OWNER, one.evidence, hashlib.sha256(one.evidence.encode()).hexdigest(),
    )  # fmt: skip


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses."""
    if isinstance(event, ReconciliationCompleted):
        for gone in event.closed:
            state.breaks.pop(gone.break_id, None)
        for fresh in event.opened:
            state.breaks[fresh.break_id] = fresh
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
    tables=True,
    accounts=accounts,
)
