"""How claims of a compression are settled from what has come in: the arithmetic, from what all partitions state.
Clearing decides by it (services/clearing/otc/claims.py), and the audit decides again.

The clearing house stands for none of them: it pays participants who have a claim with what those have paid who owe, and
no unit more. A partition states for each account what is open of its claim and, where the account owes, what it can
pay; what has come in and gone out there; and legs that are set aside with a halted account.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from truetape.messages import RoundHolding
from truetape.money import apportion
from truetape.remainder import FOLLOW

OWED: Final = f"{FOLLOW}owed_e8"
"""What all participants with a claim get in the end: a round follows until they have it."""
CLAIM: Final = "claim_e8"
"""Open of an account's claim: positive it gets, negative it owes."""
FREE: Final = "free_e8"
"""What an account that owes can pay now."""
IN: Final = "in_e8"
OUT: Final = "out_e8"
"""Of a partition: what its accounts have paid, and got."""
PENDING: Final = "pending_e8"
"""What a leg that is set aside would move, signed as a claim."""


class Settlement(Struct):
    """What is settled now."""

    legs: dict[str, int]
    """By account, in order: positive it gets, negative it pays."""
    left_e8: int
    """What participants with a claim have not got, before these legs."""


def settlement(numbers: Mapping[str, int], stated: Iterable[RoundHolding]) -> Settlement:
    """Who owes pays what he can; who has a claim gets his part of what has come in, by largest remainder."""
    open_e8, free_e8, pending_e8 = dict[str, int](), dict[str, int](), dict[str, int]()
    come_e8 = gone_e8 = 0
    for one in stated:
        come_e8, gone_e8 = come_e8 + one.numbers.get(IN, 0), gone_e8 + one.numbers.get(OUT, 0)
        if (waits_e8 := one.numbers.get(PENDING, 0)) != 0:
            pending_e8[one.account_id] = pending_e8.get(one.account_id, 0) + waits_e8
        if CLAIM in one.numbers:
            open_e8[one.account_id], free_e8[one.account_id] = one.numbers[CLAIM], one.numbers.get(FREE, 0)
    left_e8 = {who: e8 - pending_e8.get(who, 0) for who, e8 in sorted(open_e8.items())}
    gets = {who: e8 for who, e8 in left_e8.items() if e8 > 0 and open_e8[who] > 0}
    here_e8 = come_e8 - gone_e8 - sum(e8 for e8 in pending_e8.values() if e8 > 0)
    shares = apportion(max(0, min(here_e8, sum(gets.values()))), list(gets.values()))
    legs = {who: -min(-e8, free_e8[who]) for who, e8 in left_e8.items() if e8 < 0 and open_e8[who] < 0}
    legs |= dict(zip(gets, shares, strict=True))
    return Settlement({who: legs[who] for who in sorted(legs) if legs[who]}, numbers[OWED] - gone_e8)
