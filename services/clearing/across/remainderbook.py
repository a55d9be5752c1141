"""What a partition keeps of remainders: what the entries of a root round have given, and which rounds follow."""

from msgspec import Struct

from truetape.messages import RoundTerms


class Following(Struct):
    """A round that has to follow, at its home."""

    terms: RoundTerms
    since_us: int
    """When the one before it was booked everywhere."""


class Remainders(Struct):
    """Remainders of one partition."""

    given: dict[str, dict[str, int]] = {}
    """By root round and contract, what its entries here have given to the house, less what they have taken; until the
    last round that follows it is settled here."""
    following: dict[str, Following] = {}
    """By root round, what its home opens next."""
