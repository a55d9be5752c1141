"""Rounds: whatever needs all partitions at once. OPEN, GATHERING, DECIDED, BOOKED.

The home of a round is the partition of its home_id. Its record opens the round; then every partition is asked by
command, answers by a record of its own and tells home. When all have answered, home decides in one record with all
legs, every partition books its own ones before any other input, and tells home. What nobody has answered is asked for
again, so a command that is lost, comes twice or comes late harms nobody, and a crash at any record resumes. A partition
that does not answer keeps the round waiting: nothing is ever decided on a part of the answers.

Rounds of one home_id run one after another, so what must not be promised twice (the clearing fund) has one home_id.
What a round is about is its kind's business (kind.py): KINDS lists them.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.clearing.across import pursuit, remainders, requests
from services.clearing.across.kind import Consent, Kind
from services.clearing.across.roundbook import Here, Homed
from services.clearing.booking import assigning, trades
from services.clearing.booking.ledger import AccountHalted, LedgerError
from services.clearing.closeout import ranking
from services.clearing.defaults import insurance, portingrounds, tearing, waterfalls, withdrawals
from services.clearing.otc import claims, multilateral
from services.clearing.state import ROUNDS_KEPT, State
from truetape import ids
from truetape.errors import TruetapeError
from truetape.messages import (
    AskRound,
    ClearingRefused,
    CompressionChanged,
    ConfirmRound,
    EntryBooked,
    InputParked,
    OpenRound,
    RoundAnswered,
    RoundAskedAgain,
    RoundConfirmed,
    RoundDecided,
    RoundGathered,
    RoundHolding,
    RoundOpened,
    RoundRepeated,
    RoundSettled,
    RoundSettling,
    RoundTerms,
    RunRound,
    SettleRound,
    TellRound,
)
from truetape.remainder import carried, number_of
from truetape.service import DUE, Input
from truetape.topics import PARTITIONS

KINDS: Final[Mapping[str, Kind]] = {
    **waterfalls.KINDS,
    **tearing.KINDS,
    **ranking.KINDS,
    **multilateral.KINDS,
    **assigning.KINDS,
    **portingrounds.KINDS,
    insurance.KIND: insurance.ROUND,
    withdrawals.KIND: withdrawals.ROUND,
}
DUE_PREFIX: Final = "round/"
"""How the ids begin of what a round makes due."""
ROUNDS_MAX: Final = 256
"""Rounds that may wait at one partition's homes."""
LEGS_MAX: Final = 3_000
"""Legs of one round, and holdings of one answer: what one record can hold."""
DETAIL_MAX: Final = 1_000


Made = RoundOpened | RoundDecided | RoundSettled | EntryBooked | CompressionChanged
"""What comes of what a round has made due."""


class RoundTooLarge(LedgerError):
    """More holdings or legs than a record can hold."""


# -- at home ----------------------------------------------------------------------------------------------------------


def open_round(state: State, given: Input, command: OpenRound) -> RoundOpened | ClearingRefused | None:
    """A round takes its place; nothing when it is known already."""
    terms = command.round

    def no(detail: str) -> ClearingRefused:
        return trades.refused(given, terms.round_id, command.account_id, command, "STATE_WRONG", detail)

    if terms.round_id in state.rounds.homed or terms.round_id in state.rounds_ended.ids:
        return None
    if terms.kind not in KINDS:
        return no(f"there is no round of kind {terms.kind}")
    if terms.home_id != command.account_id or ids.partition_of(terms.home_id, PARTITIONS) != given.partition:
        return no(f"send it to the partition of its home, under {terms.home_id}")
    if len(state.rounds.queue) >= ROUNDS_MAX:
        return no(f"{ROUNDS_MAX} rounds wait here already: see `truetape rounds`")
    return RoundOpened(given.meta(terms.round_id), terms.home_id, terms)


def gather(state: State, given: Input, command: TellRound) -> RoundGathered | None:
    """A partition's answer; nothing when home has it already."""
    known = state.rounds.homed.get(command.round_id)
    if known is None or known.phase != "GATHERING" or command.partition not in known.waiting:
        return None
    left = len(known.waiting) - 1
    return RoundGathered(
        given.meta(command.round_id), command.account_id, command.round_id, command.partition, command.holdings, left
    )


def _stated(state: State, terms: RoundTerms) -> list[tuple[int, RoundHolding]]:
    """What all partitions have, each holding with its partition."""
    known = state.rounds.homed[terms.round_id]
    assert known.phase == "GATHERING" and not known.waiting, "nothing is decided on a part of the answers"
    return [(partition, one) for partition, found in sorted(known.holdings) for one in found]


def _consent(state: State, terms: RoundTerms) -> Consent:
    """Whether a round whose answers are all there may be decided, and how."""
    asked = KINDS[terms.kind].consent
    return asked(state, terms) if asked is not None else "DECIDE"


def _propose(state: State, given: Input, terms: RoundTerms) -> CompressionChanged:
    """What would be decided, for those who have to accept it."""
    propose = KINDS[terms.kind].propose
    assert propose is not None, "a kind that asks for consent proposes"
    return propose(state, given, terms, _stated(state, terms))


def _decide(state: State, given: Input, asked: RunRound) -> RoundDecided:
    """All have answered: one record with all legs. What its kind cannot decide books nothing, and says why."""
    terms = asked.round
    holdings = _stated(state, terms)
    if _consent(state, terms) == "FALL":
        return RoundDecided(given.meta(terms.round_id), terms.home_id, terms, (), {}, "not everybody has accepted")
    try:
        legs, outcome, detail = KINDS[terms.kind].decide(given, terms, holdings)
        _bounded("legs", len(legs))
    except TruetapeError as error:
        # What a round before it has handed on is not dropped: it is tried again, later each time.
        legs, outcome, detail = (), carried(terms.numbers), f"{type(error).__name__}: {error}"[:DETAIL_MAX]
    assert len({leg.leg_id for leg in legs}) == len(legs), "each leg has an id of its own"
    return RoundDecided(given.meta(terms.round_id), terms.home_id, terms, tuple(legs), outcome, detail)


def confirm(state: State, given: Input, command: ConfirmRound) -> RoundConfirmed | None:
    """A partition has booked its legs; nothing when that is known."""
    known = state.rounds.homed.get(command.round_id)
    if known is None or known.phase != "DECIDED" or command.partition not in known.waiting:
        return None
    left = len(known.waiting) - 1
    meta = given.meta(command.round_id)
    return RoundConfirmed(meta, command.account_id, command.round_id, command.partition, left)


def tick(state: State, given: Input) -> RoundAskedAgain | RoundOpened | CompressionChanged | None:
    """Ask once more whoever has not answered, one round at a time; open what has to follow a round; and what nobody
    accepted in time falls."""
    for name in state.rounds.queue:
        known = state.rounds.homed[name]
        if known.waiting and pursuit.overdue(known.asked_at_us, known.attempts, given.at_us):
            home = known.terms.home_id
            return RoundAskedAgain(given.meta(name), home, name, known.phase, known.attempts + 1)
    if len(state.rounds.queue) < ROUNDS_MAX and (following := remainders.tick(state, given)) is not None:
        return following
    return multilateral.tick(state, given)


# -- in every partition -----------------------------------------------------------------------------------------------


def answer(state: State, given: Input, command: AskRound) -> RoundAnswered | RoundRepeated | ClearingRefused | None:
    """What this partition has, held from here on. Asked again it tells again; asked after the end it says nothing."""
    terms = command.round
    if (wrong := _misled(given, terms, command)) is not None:
        return wrong
    if terms.round_id in state.rounds_settled.ids:
        return None
    if terms.round_id in state.rounds.here:
        return RoundRepeated(given.meta(terms.round_id), terms.home_id, terms.round_id, given.partition, False)
    holdings = tuple(KINDS[terms.kind].answer(state, given, terms))
    _bounded("holdings", len(holdings))
    return RoundAnswered(given.meta(terms.round_id), terms, given.partition, holdings)


def settle(state: State, given: Input, command: SettleRound) -> RoundSettling | RoundRepeated | ClearingRefused:
    """The legs of this partition are booked next. Asked again it tells again."""
    terms = command.round
    if (wrong := _misled(given, terms, command)) is not None:
        return wrong
    if terms.round_id in state.rounds_settled.ids:
        return RoundRepeated(given.meta(terms.round_id), terms.home_id, terms.round_id, given.partition, True)
    if terms.round_id not in state.rounds.here:
        detail = "this partition was not asked, so nothing may be decided"
        return trades.refused(given, terms.round_id, "", command, "STATE_WRONG", detail)
    return RoundSettling(given.meta(terms.round_id), terms, given.partition, command.legs, command.outcome)


def run(state: State, given: Input, asked: RunRound) -> Made | ClearingRefused:
    """What a round has made due."""
    if given.cause.source != DUE:
        detail = "clearing runs rounds by itself: send OpenRound"
        return trades.refused(given, asked.round.round_id, asked.account_id, asked, "UNSUPPORTED", detail)
    if asked.step == "OPEN":
        return RoundOpened(given.meta(asked.round.round_id), asked.round.home_id, asked.round)
    if asked.step == "PROPOSE":
        return _propose(state, given, asked.round)
    if asked.step == "DECIDE":
        return _decide(state, given, asked)
    if asked.step == "CLOSE":
        here = state.rounds.here[asked.round.round_id]
        return RoundSettled(
            given.meta(asked.round.round_id), asked.round.home_id, asked.round.round_id, given.partition,
            here.done - here.set_aside, here.set_aside,
        )  # fmt: skip
    if asked.account_id in state.halted:
        raise AccountHalted(
            f"account {asked.account_id} is halted: resolve what is parked of it first (docs/ledger.md)"
        )
    return book(state, given, asked)


def book(state: State, given: Input, asked: RunRound) -> EntryBooked:
    """The entry of one leg. Raises LedgerError or MoneyError: then it is parked."""
    (leg,) = asked.legs
    entry = KINDS[asked.round.kind].entry(state, given, asked.round, leg)
    assert (entry.entry_id, entry.account_id) == (leg.leg_id, leg.account_id), "a leg has one entry, and its id"
    return trades.checked(state, entry)


def _misled(given: Input, terms: RoundTerms, command: AskRound | SettleRound) -> ClearingRefused | None:
    if command.partition == given.partition and terms.kind in KINDS:
        return None
    detail = f"this is partition {given.partition}, and a round of kind {terms.kind} of partition {command.partition}"
    return trades.refused(given, terms.round_id, "", command, "NUMBERS_WRONG", detail)


def _bounded(what: str, count: int) -> None:
    if count > LEGS_MAX:
        raise RoundTooLarge(f"{count} {what}, but a record holds {LEGS_MAX}: cut the round by instrument or asset")


# -- what the state asks for ------------------------------------------------------------------------------------------


def due(state: State) -> tuple[str, RunRound] | None:
    """The next leg, the end of the legs, a round that opens, or a proposal or decision."""
    rounds = state.rounds
    if rounds.settling:
        here = rounds.here[rounds.settling]
        name, terms = f"{DUE_PREFIX}{rounds.settling}", here.terms
        if here.done == len(here.legs):
            return f"{name}/close", RunRound(terms.home_id, terms, "CLOSE", ())
        leg = here.legs[here.done]
        return f"{name}/{leg.leg_id}", RunRound(leg.account_id, terms, "BOOK", (leg,))
    if (begun := multilateral.unopened(state)) is not None:
        return f"{DUE_PREFIX}{begun.round_id}/open", RunRound(begun.home_id, begun, "OPEN", ())
    for name in rounds.ready:
        terms = rounds.homed[name].terms
        if (consent := _consent(state, terms)) != "WAIT":
            step = "PROPOSE" if consent == "PROPOSE" else "DECIDE"
            return f"{DUE_PREFIX}{name}/{step.lower()}", RunRound(terms.home_id, terms, step, ())
    return None


# -- evolve -----------------------------------------------------------------------------------------------------------


def opened(state: State, event: RoundOpened) -> None:
    """It runs at once, or waits for those of its home that are before it."""
    terms, rounds = event.round, state.rounds
    free = all(_lane(rounds.homed[name].terms) != _lane(terms) for name in rounds.queue)
    rounds.homed[terms.round_id] = Homed(terms)
    rounds.queue.append(terms.round_id)
    remainders.opened(state, event)
    if free:
        _begin(rounds.homed[terms.round_id], event.meta.decided_at_us)


def _begin(known: Homed, at_us: int) -> None:
    known.phase, known.waiting, known.asked_at_us, known.attempts = "GATHERING", list(range(PARTITIONS)), at_us, 0


def answered(state: State, event: RoundAnswered) -> None:
    """What was stated is held."""
    state.rounds.here[event.round.round_id] = Here(event.round, event.holdings)
    multilateral.stated(state, event)


def gathered(state: State, event: RoundGathered) -> None:
    """One answer more; with the last one the round is ready."""
    known = state.rounds.homed[event.round_id]
    known.waiting.remove(event.partition)
    assert len(known.waiting) == event.left, "each partition answers once"
    known.holdings.append((event.partition, event.holdings))
    if not known.waiting:
        state.rounds.ready.append(event.round_id)


def decided(state: State, event: RoundDecided) -> None:
    """Every partition has to book its legs, also one that has none: it holds what it stated."""
    known = state.rounds.homed[event.round.round_id]
    state.rounds.ready.remove(event.round.round_id)
    _begin(known, event.meta.decided_at_us)
    known.phase, known.holdings, known.legs, known.outcome = "DECIDED", [], event.legs, event.outcome
    multilateral.decided(state, event)


def settling(state: State, event: RoundSettling) -> None:
    """The legs are due; those of a kind that books no entries are what this record says."""
    assert not state.rounds.settling, "one round is settled before the next"
    state.rounds.settling = event.round.round_id
    here = state.rounds.here[event.round.round_id]
    here.legs = event.legs
    here.done = sum(leg.event in KINDS[event.round.kind].silent for leg in event.legs)
    multilateral.settling(state, event)
    claims.settling(state, event)
    remainders.settling(state, event)


def applied(state: State, event: Any) -> None:
    """What was due is done: a leg is booked, or set aside with its account.

    A decision or proposal that was set aside broke an invariant: its round waits, and is shown, but is not tried for
    ever.
    """
    name, _, step = event.meta.cause.id.removeprefix(DUE_PREFIX).rpartition("/")
    if isinstance(event, InputParked) and step in ("decide", "propose"):
        state.rounds.ready.remove(name)
    elif isinstance(event, EntryBooked | InputParked):
        here = state.rounds.here[state.rounds.settling]
        here.done += 1
        here.set_aside += isinstance(event, InputParked)


def settled(state: State, event: RoundSettled) -> None:
    """Nothing is held for it any more."""
    del state.rounds.here[event.round_id]
    state.rounds.settling = ""
    state.rounds_settled.add(event.round_id, ROUNDS_KEPT)
    requests.settled(state, event)


def confirmed(state: State, event: RoundConfirmed) -> None:
    """One partition less; without any the round is booked, and the next one of its home begins."""
    rounds = state.rounds
    known = rounds.homed[event.round_id]
    known.waiting.remove(event.partition)
    assert len(known.waiting) == event.left, "each partition confirms once"
    if known.waiting:
        return
    del rounds.homed[event.round_id]
    rounds.queue.remove(event.round_id)
    state.rounds_ended.add(event.round_id, ROUNDS_KEPT)
    remainders.confirmed(state, known, event.meta.decided_at_us)
    if (following := next_of(state, known.terms)) is not None:
        _begin(following, event.meta.decided_at_us)


def asked_again(state: State, event: RoundAskedAgain) -> None:
    """When it was asked last, and how often."""
    known = state.rounds.homed[event.round_id]
    known.asked_at_us, known.attempts = event.meta.decided_at_us, event.attempt


def next_of(state: State, terms: RoundTerms) -> Homed | None:
    """The round that runs, or is next, of those that run one after another with this one."""
    homed = (state.rounds.homed[name] for name in state.rounds.queue)
    return next((one for one in homed if _lane(one.terms) == _lane(terms)), None)


def _lane(terms: RoundTerms) -> str:
    """Rounds of one home run one after another; but payments of one compression do not wait for another's participants,
    who may take days to answer."""
    return terms.home_id if terms.kind != multilateral.PAYING else number_of(terms.round_id)[0]


RULES: Final[dict[type, Any]] = {
    OpenRound: open_round,
    AskRound: answer,
    TellRound: gather,
    SettleRound: settle,
    ConfirmRound: confirm,
    RunRound: run,
    **multilateral.RULES,
}
FOLDS: Final[dict[type, Any]] = {
    RoundOpened: opened,
    RoundAnswered: answered,
    RoundGathered: gathered,
    RoundDecided: decided,
    RoundSettling: settling,
    RoundSettled: settled,
    RoundConfirmed: confirmed,
    RoundAskedAgain: asked_again,
    **multilateral.FOLDS,
}
