"""What a round that ends contracts has left with the clearing house, and who takes it: the arithmetic, from what all
partitions state. Clearing decides by it (services/clearing/across/remainders.py), and the audit decides again.

A follow-on round knows by its numbers what to share: at what price each contract ended, its lot, and what a venue has
given. A partition states for each contract what the root round's entries have given to the house there, what legs are
set aside with a halted account, whether the contract has ended, and who is short.
"""

from collections.abc import Iterable, Mapping
from math import gcd
from typing import Final

from msgspec import Struct

from truetape.assignment import LOT, PRO_RATA, Short, assign
from truetape.messages import RoundHolding

FOLLOW: Final = "follow:"
"""How the numbers begin that a round hands on to the one that follows it; without any it is the last."""
PRICE: Final = f"{FOLLOW}price_e8/"
UNIT: Final = f"{FOLLOW}lot_e8/"
VENUE: Final = f"{FOLLOW}venue_e8/"
"""By contract, what a venue has given: it is served without any entry."""
BY_LOT: Final = f"{FOLLOW}by_lot"
UNTAKEN: Final = "untaken_e8/"
"""By contract, what nobody can take, since nobody is short any more."""
REST: Final = "/rest/"
"""Between a root round's id and the number of the round that follows it."""


class Remainder(Struct):
    """How it stands with one contract."""

    rest_e8: int = 0
    """With the house, or from the venue, and not on its way to anybody."""
    pending: bool = False
    """A leg is set aside: what it will give or take is not known."""
    ended: bool = False
    """The contract is over somewhere: its end makes the house flat."""
    later: bool = False
    """Somebody is short whose position is being closed: it will be another's."""
    takers: dict[str, int] = {}
    """By account, what it is short beyond legs that are set aside."""

    @property
    def waits(self) -> bool:
        """Whether there is something that only time can tell."""
        return not self.ended and (self.pending or (self.rest_e8 > 0 and not self.takers and self.later))


def number_of(round_id: str) -> tuple[str, int]:
    """The root round, and how many rounds after it this one is."""
    root, _, number = round_id.partition(REST)
    return root, int(number or 0)


def carried(numbers: Mapping[str, int]) -> dict[str, int]:
    """What is handed on."""
    return {name: number for name, number in numbers.items() if name.startswith(FOLLOW)}


def named(numbers: Mapping[str, int]) -> list[str]:
    """The contracts that a follow-on round is about."""
    return sorted(name.removeprefix(PRICE) for name in numbers if name.startswith(PRICE))


def remainder_of(numbers: Mapping[str, int], name: str, stated: Iterable[RoundHolding]) -> Remainder:
    """How it stands with a contract."""
    found, held, taking = Remainder(numbers.get(f"{VENUE}{name}", 0)), dict[str, int](), dict[str, int]()
    for one in stated:
        if one.asset != name:
            continue
        found.rest_e8 += one.numbers.get("given_e8", 0)
        found.ended |= "ended" in one.numbers
        found.later |= "later" in one.numbers
        if (pending_e8 := one.numbers.get("pending_e8", 0)) != 0:
            found.pending = True
            taking[one.account_id] = taking.get(one.account_id, 0) + max(0, pending_e8)
        if "held_e8" in one.numbers and "later" not in one.numbers:
            held[one.account_id] = -one.numbers["held_e8"]
    found.rest_e8 -= sum(taking.values())
    found.takers = {who: e8 - taking.get(who, 0) for who, e8 in sorted(held.items()) if e8 > taking.get(who, 0)}
    return found


def shared(numbers: Mapping[str, int], name: str, of: Remainder, seed: str) -> dict[str, int]:
    """Who takes how much of the rest, at most all that he is short: in proportion, or by lot. Whole lots come first;
    what is less than a lot is shared in the largest unit that divides all."""
    if of.ended or of.rest_e8 <= 0 or not of.takers:
        return {}
    unit_e8 = numbers[f"{UNIT}{name}"]
    if of.rest_e8 < unit_e8 or max(of.takers.values()) < unit_e8:
        unit_e8 = gcd(unit_e8, of.rest_e8, *of.takers.values())
    shorts = [Short(who, e8 // unit_e8) for who, e8 in of.takers.items() if e8 >= unit_e8]
    count = min(of.rest_e8 // unit_e8, sum(one.contracts for one in shorts))
    rule = LOT if numbers.get(BY_LOT) else PRO_RATA
    return {one.account_id: one.contracts * unit_e8 for one in assign(rule, count, shorts, seed.encode())}


def seed_of(seed: str, number: int) -> str:
    """The recorded seed, and of a later round the same continued."""
    return seed if number <= 1 else f"{seed}{REST}{number}"
