"""What a kind of round is: three pure functions, and one that says what its legs are worth keeping."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from services.clearing.state import State
from truetape.messages import CompressionChanged, EntryBooked, RoundHolding, RoundLeg, RoundTerms
from truetape.service import Input

Consent = Literal["PROPOSE", "WAIT", "DECIDE", "FALL"]
"""What a round does once all have answered: say what would be decided, wait for who has to accept it, decide it, or end
without any leg."""
Stated = Sequence[tuple[int, RoundHolding]]
"""What all partitions have, each holding with its partition, in order of partitions."""


def no_legs(_: State, __: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    """The entry of a leg, for rounds that decide without any."""
    raise AssertionError(f"round {terms.round_id} books nothing, and {leg.leg_id} is no leg of it")


class Decision(NamedTuple):
    """What a round comes to."""

    legs: Sequence[RoundLeg]
    outcome: dict[str, int]
    detail: str = ""
    """Why it books nothing, where it does not."""


class Kind(NamedTuple):
    """How a kind of round is answered, decided and booked. All may raise TruetapeError: an answer is then parked and
    home goes on waiting, a decision books nothing and says why, a leg is parked and halts its account."""

    answer: Callable[[State, Input, RoundTerms], Sequence[RoundHolding]]
    """What this partition has. It is held until the round is settled here."""
    decide: Callable[[Input, RoundTerms, Stated], Decision]
    """What home makes of what all partitions have, each holding with its partition, in order of partitions."""
    entry: Callable[[State, Input, RoundTerms, RoundLeg], EntryBooked]
    """The entry of one leg, in the partition that books it."""
    by_command: bool = False
    """Whether an operator may open it; else only clearing itself does."""
    silent: frozenset[str] = frozenset()
    """Events of legs without an entry: the record that settles the round says all of them (`RoundSettling`). They come
    before the others."""
    consent: Callable[[State, RoundTerms], Consent] | None = None
    """How it stands with those who have to accept it first; none where nobody has to."""
    propose: Callable[[State, Input, RoundTerms, Stated], CompressionChanged] | None = None
    """What they are asked to accept."""
