"""Commands of rounds: what follows from their records, to whom; and what an operator sees of a round.

Effects are made from the record that is in place: the state may be ahead of it.
"""

from collections.abc import Iterator
from typing import Any

from services.clearing.across.roundbook import Homed
from services.clearing.state import State
from truetape import ids
from truetape.messages import (
    AskRound,
    ConfirmRound,
    RoundAnswered,
    RoundAskedAgain,
    RoundConfirmed,
    RoundDecided,
    RoundHolding,
    RoundLeg,
    RoundOpened,
    RoundRepeated,
    RoundSettled,
    RoundTerms,
    SettleRound,
    TellRound,
)
from truetape.topics import PARTITIONS

Command = AskRound | TellRound | SettleRound | ConfirmRound


def commands_after(state: State, event: Any) -> Iterator[tuple[int, Command]]:
    """The commands that a record in place leads to, each with the partition that it goes to.

    The state may be ahead of the record: nothing is said from it but what that record, or one before it, has decided.
    """
    match event:
        case RoundOpened():
            yield from _asks(state.rounds.homed.get(event.round.round_id), "GATHERING")
        case RoundAskedAgain():
            yield from _asks(state.rounds.homed.get(event.round_id), event.phase)
        case RoundAnswered():
            yield _told(event.round, event.partition, event.holdings)
        case RoundDecided():
            for partition in range(PARTITIONS):
                yield _settle(event.round, partition, event.legs, event.outcome)
        case RoundSettled():
            yield _confirmed(event.home_id, event.round_id, event.partition)
        case RoundRepeated(settled=True):
            yield _confirmed(event.home_id, event.round_id, event.partition)
        case RoundRepeated():
            if (here := state.rounds.here.get(event.round_id)) is not None:
                yield _told(here.terms, event.partition, here.holdings)
        case RoundConfirmed(left=0):
            for name in state.rounds.queue:
                yield from _asks(state.rounds.homed[name], "GATHERING")
        case _:
            pass


def commands_left(state: State) -> Iterator[tuple[int, Command]]:
    """What the rounds of a partition that was taken over still wait for; all of its state is in place."""
    for name in state.rounds.queue:
        yield from _asks(state.rounds.homed[name], state.rounds.homed[name].phase)


def _asks(known: Homed | None, phase: str) -> Iterator[tuple[int, Command]]:
    if known is None or known.phase != phase:
        return
    for partition in known.waiting:
        if phase == "GATHERING":
            yield partition, AskRound(known.terms, partition)
        else:
            yield _settle(known.terms, partition, known.legs, known.outcome)


def _settle(
    terms: RoundTerms, partition: int, legs: tuple[RoundLeg, ...], outcome: dict[str, int]
) -> tuple[int, SettleRound]:
    mine = tuple(leg for leg in legs if leg.partition == partition)
    return partition, SettleRound(terms, partition, mine, outcome)


def _told(terms: RoundTerms, partition: int, holdings: tuple[RoundHolding, ...]) -> tuple[int, TellRound]:
    name = f"tell:{terms.round_id}:{partition}"
    command = TellRound(name, terms.home_id, terms.round_id, partition, holdings)
    return ids.partition_of(terms.home_id, PARTITIONS), command


def _confirmed(home_id: str, round_id: str, partition: int) -> tuple[int, ConfirmRound]:
    name = f"confirm:{round_id}:{partition}"
    return ids.partition_of(home_id, PARTITIONS), ConfirmRound(name, home_id, round_id, partition)


def shown(known: Homed) -> dict[str, object]:
    """What an operator sees of a round."""
    terms = known.terms
    return {
        "round_id": terms.round_id, "kind": terms.kind, "asset": terms.asset, "phase": known.phase,
        "waiting": list(known.waiting), "attempts": known.attempts, "legs": len(known.legs),
    }  # fmt: skip
