"""What a round says of money that is to go out of the clearing fund, the house's capital or the insurance fund."""

from collections.abc import Mapping
from typing import Final

from truetape.money import from_e8

PAID: Final = "paid_e8"
SHORT: Final = "short_e8"
"""How much of it is not there."""
AGAINST: Final = "against/"
"""How the names of accounts begin whose losses stand against it."""


def refusal(outcome: Mapping[str, int]) -> str:
    """Why nothing went out; empty when all of it did."""
    if PAID in outcome:
        return ""
    against = sorted(name.removeprefix(AGAINST) for name in outcome if name.startswith(AGAINST))
    if against:
        return f"losses of {', '.join(against)} are not borne yet: nothing goes out until they are"
    if SHORT in outcome:
        return f"{from_e8(outcome[SHORT])} of it is not there, or is promised to an auction"
    return "the round could not be decided: ask again"
