"""The clearing fund: how large it must be, and whose it is.

Size: the most that the two members with the largest stressed losses beyond their margin lose together in one scenario
(cover two, PFMI principle 4); never less than EU 648/2012 Art. 42(3) wants, the largest one or the second and third
together. Shares: in proportion to initial margin, none below a floor.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from truetape.money import apportion

COVERED: Final = 2


class Stressed(Struct, frozen=True):
    """What one scenario does to each member."""

    scenario: str
    losses_e8: Mapping[str, int]
    """Loss by member, before its margin; a profit is negative."""


class Sizing(Struct, frozen=True):
    """The fund's size, and why."""

    size_e8: int
    scenario: str
    """The scenario that decides; empty when nobody loses more than its margin."""
    covered: tuple[tuple[str, int], ...]
    """The members that decide, with what they lose beyond their margin; the largest first."""
    uncovered: Mapping[str, tuple[tuple[str, int], ...]]
    """By scenario, all members that lose more than their margin, the largest first: what the house watches."""


def size(scenarios: Sequence[Stressed], margins_e8: Mapping[str, int], covered: int = COVERED) -> Sizing:
    """Size the fund under stress. Every member of a scenario has a margin: zero must be said, not left out."""
    beyond = {one.scenario: _beyond(one, margins_e8) for one in scenarios}
    assert len(beyond) == len(scenarios), "each scenario has a name of its own"
    best = Sizing(0, "", (), beyond)
    for scenario, members in sorted(beyond.items()):
        for chosen in (members[:covered], members[1:3]):
            if (amount_e8 := sum(loss_e8 for _, loss_e8 in chosen)) > best.size_e8:
                best = Sizing(amount_e8, scenario, chosen, beyond)
    return best


def _beyond(stressed: Stressed, margins_e8: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    losses = ((member, loss_e8 - margins_e8[member]) for member, loss_e8 in stressed.losses_e8.items())
    return tuple(sorted((pair for pair in losses if pair[1] > 0), key=lambda pair: (-pair[1], pair[0])))


def shares(size_e8: int, margins_e8: Mapping[str, int], floor_e8: int) -> dict[str, int]:
    """Each member's share: in proportion to its initial margin, at least the floor; the rest is cut among those above.

    The shares sum to the size, or to all floors where these are more. No members, no shares.
    """
    assert size_e8 >= 0 and floor_e8 >= 0, "a fund holds something"
    above, at_floor = sorted(margins_e8), set[str]()
    while above:
        weights = [margins_e8[name] for name in above]
        left_e8 = max(0, size_e8 - floor_e8 * len(at_floor))
        cut = apportion(left_e8, weights if any(weights) else [1] * len(weights))
        below = {name for name, share in zip(above, cut, strict=True) if share < floor_e8}
        if not below:
            return dict.fromkeys(sorted(margins_e8), floor_e8) | dict(zip(above, cut, strict=True))
        at_floor |= below
        above = [name for name in above if name not in below]
    return dict.fromkeys(sorted(margins_e8), floor_e8)
