"""Rounds that this partition needs: each is said by a record, and its home is asked for it until it is settled here.

A round is known by its id, so one that is asked for twice, or by a process that died in between, is one round.
"""

from collections.abc import Iterator

from services.clearing.across import pursuit
from services.clearing.across.roundbook import Request
from services.clearing.state import FACTS_KEPT, State
from truetape.messages import OpenRound, RoundRequested, RoundSettled, RoundTerms
from truetape.service import Input


def request(given: Input, account_id: str, terms: RoundTerms, command_id: str = "") -> RoundRequested:
    """The record that says what is needed."""
    return RoundRequested(given.meta(terms.round_id), command_id, account_id, terms, 0)


def waits(state: State, round_id: str) -> bool:
    """Whether a round that was asked for is not settled here."""
    return round_id in state.requests


def tick(state: State, given: Input) -> RoundRequested | None:
    """Ask once more for what nobody has settled here, one at a time."""
    for name, known in sorted(state.requests.items()):
        if pursuit.overdue(known.at_us, known.attempts, given.at_us):
            return RoundRequested(given.meta(name), "", known.account_id, known.terms, known.attempts + 1)
    return None


def requested(state: State, event: RoundRequested) -> None:
    """It is waited for."""
    at_us = event.meta.decided_at_us
    state.requests[event.round.round_id] = Request(event.account_id, event.round, at_us, event.attempt)
    if event.command_id:
        state.facts.add(event.command_id, FACTS_KEPT)


def settled(state: State, event: RoundSettled) -> None:
    """Nobody waits for it here any more."""
    state.requests.pop(event.round_id, None)


def command_after(event: RoundRequested) -> OpenRound:
    """What its home is told."""
    return OpenRound(event.round.home_id, event.round)


def commands_left(state: State) -> Iterator[OpenRound]:
    """What a partition that was taken over still waits for."""
    for _, known in sorted(state.requests.items()):
        yield OpenRound(known.terms.home_id, known.terms)
