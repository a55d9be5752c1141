"""What a partition keeps of rounds: those that it is the home of, and those that it has answered."""

from typing import Literal

from msgspec import Struct

from truetape.messages import RoundHolding, RoundLeg, RoundTerms

Phase = Literal["OPEN", "GATHERING", "DECIDED"]
"""OPEN waits for the round of its home that is before it; BOOKED is the end, and then it is forgotten."""


class Homed(Struct):
    """A round at its home."""

    terms: RoundTerms
    phase: Phase = "OPEN"
    waiting: list[int] = []
    """Partitions that have not answered, or once it is decided have not confirmed."""
    holdings: list[tuple[int, tuple[RoundHolding, ...]]] = []
    """By partition, in the order in which they were heard."""
    legs: tuple[RoundLeg, ...] = ()
    outcome: dict[str, int] = {}
    asked_at_us: int = 0
    attempts: int = 0


class Here(Struct):
    """A round that this partition has answered and not settled: what it stated is held for it."""

    terms: RoundTerms
    holdings: tuple[RoundHolding, ...]
    legs: tuple[RoundLeg, ...] = ()
    done: int = 0
    set_aside: int = 0


class Request(Struct):
    """A round that this partition needs and that is not settled here."""

    account_id: str
    """Whose need it is."""
    terms: RoundTerms
    at_us: int
    """When its home was asked last."""
    attempts: int = 0


class Rounds(Struct):
    """Rounds of one partition."""

    homed: dict[str, Homed] = {}
    """By round id."""
    queue: list[str] = []
    """The same, oldest first: of those with one home the first runs, the others wait."""
    ready: list[str] = []
    """Rounds whose answers are all there: they are decided next."""
    here: dict[str, Here] = {}
    """By round id."""
    settling: str = ""
    """The round whose legs are booked next, before any other input."""

    def holding(self, account_id: str) -> str:
        """The round for which something of an account is held; empty for none."""
        for name, here in sorted(self.here.items()):
            if any(account_id == one.account_id for one in here.holdings):
                return name
        return ""
