"""The default waterfall: who bears a loss, in which order, to the last unit.

1. the defaulter's margin, 2. the defaulter's share of the clearing fund, 3. the house's own capital, 4. the others'
shares of the fund, pro rata, 5. assessments, pro rata up to each member's cap, 6. haircuts of the gains that members
have to get on balance, 7. tear-up: contracts that end without their value being paid. (EU 648/2012 Art. 45, 153/2013
Art. 35-36, PFMI principles 4 and 13.) Another member's initial margin is in no layer, and there is no field to hold it.

A layer pays in proportion to what each has in it (`money.apportion`), so a larger loss never leaves a layer with more;
one member's part of the odd units may be one less than for a loss one unit smaller.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, Literal, get_args

from msgspec import Struct

from truetape.money import apportion

Layer = Literal[
    "DEFAULTER_MARGIN",
    "DEFAULTER_FUND",
    "HOUSE_CAPITAL",
    "OTHERS_FUND",
    "ASSESSMENTS",
    "HAIRCUT",
    "TEAR_UP",
]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
HOUSE: Final = "house"


class Member(Struct, frozen=True):
    """A member who did not default: what of his can be reached, in the settlement asset."""

    member_id: str
    fund_e8: int
    """His share of the clearing fund, paid in."""
    assessment_max_e8: int = 0
    """What he can be asked for on top, after what he was asked for in this period already."""
    gain_e8: int = 0
    """Variation margin that he has to get and that is not paid yet: of all his contracts together."""
    claim_e8: int = 0
    """Value to him of the contracts that would be torn up."""


class Resources(Struct, frozen=True):
    """All that stands against a loss."""

    defaulter_id: str
    margin_e8: int
    """The defaulter's own initial margin and collateral, after its positions are closed or sold."""
    fund_e8: int
    """The defaulter's share of the clearing fund."""
    capital_e8: int
    """The house's own capital set aside for this layer."""
    members: tuple[Member, ...] = ()


class Step(Struct, frozen=True):
    """One payment of a layer."""

    layer: Layer
    payer_id: str
    """The defaulter, "house" or a member."""
    amount_e8: int


class Outcome(Struct, frozen=True):
    """Who bore what. The steps and what is uncovered sum to the loss."""

    loss_e8: int
    steps: tuple[Step, ...]
    uncovered_e8: int
    """What no layer could bear: the house cannot pay it. Never hidden, never spread further."""

    def borne_e8(self, layer: Layer) -> int:
        """What a layer paid."""
        return sum(step.amount_e8 for step in self.steps if step.layer == layer)

    def by_payer(self) -> dict[str, int]:
        """What each payer bears in all layers together; their sum is what is covered."""
        found: dict[str, int] = {}
        for step in self.steps:
            found[step.payer_id] = found.get(step.payer_id, 0) + step.amount_e8
        return found


def available(resources: Resources, layer: Layer) -> list[tuple[str, int]]:
    """Who can pay how much in a layer, in the order in which odd units are given out: by member id."""
    if layer == "DEFAULTER_MARGIN":
        return [(resources.defaulter_id, resources.margin_e8)]
    if layer == "DEFAULTER_FUND":
        return [(resources.defaulter_id, resources.fund_e8)]
    if layer == "HOUSE_CAPITAL":
        return [(HOUSE, resources.capital_e8)]
    return [
        (member.member_id, _OF_MEMBER[layer](member)) for member in sorted(resources.members, key=lambda m: m.member_id)
    ]


_OF_MEMBER: Final[Mapping[Layer, Callable[[Member], int]]] = {
    "OTHERS_FUND": lambda member: member.fund_e8,
    "ASSESSMENTS": lambda member: member.assessment_max_e8,
    "HAIRCUT": lambda member: member.gain_e8,
    "TEAR_UP": lambda member: member.claim_e8,
}


def absorb(loss_e8: int, resources: Resources) -> Outcome:
    """Let the layers bear a loss, each whole before the next begins."""
    assert loss_e8 >= 0, "a profit needs no waterfall"
    require_sound(resources)
    steps: list[Step] = []
    left_e8 = loss_e8
    for layer in LAYERS:
        paid = _layer(layer, left_e8, available(resources, layer))
        steps += paid
        left_e8 -= sum(step.amount_e8 for step in paid)
    assert left_e8 >= 0 and left_e8 + sum(step.amount_e8 for step in steps) == loss_e8, "the loss is borne once"
    return Outcome(loss_e8, tuple(steps), left_e8)


def require_sound(resources: Resources) -> None:
    """Assert that nobody brings less than nothing, twice, or to his own default."""
    names = [member.member_id for member in resources.members]
    assert len(set(names)) == len(names), "a member stands in the waterfall once"
    assert resources.defaulter_id not in names and HOUSE not in names, "who defaulted is no survivor"
    for layer in LAYERS:
        assert all(amount_e8 >= 0 for _, amount_e8 in available(resources, layer)), f"{layer} holds less than nothing"


def _layer(layer: Layer, loss_e8: int, holders: Sequence[tuple[str, int]]) -> list[Step]:
    holds = [amount_e8 for _, amount_e8 in holders]
    shares = apportion(min(loss_e8, sum(holds)), holds)
    assert all(share <= hold for share, hold in zip(shares, holds, strict=True)), "nobody pays more than he has there"
    return [Step(layer, who, share) for (who, _), share in zip(holders, shares, strict=True) if share]


def left(resources: Resources, outcome: Outcome) -> dict[Layer, int]:
    """What each layer still holds after the loss."""
    return {
        layer: sum(amount_e8 for _, amount_e8 in available(resources, layer)) - outcome.borne_e8(layer)
        for layer in LAYERS
    }


def is_lost(layer: Layer, payer_id: str, guarantor_id: str = "") -> bool:
    """Whether a payment comes back from what comes in later: not the defaulter's own, but its guarantor's does."""
    return layer in LAYERS[2:] or (layer == "DEFAULTER_FUND" and payer_id == guarantor_id)


def recover(outcome: Outcome, amount_e8: int, guarantor_id: str = "") -> tuple[list[Step], int]:
    """Pay back what comes in later from the defaulter (a payment that was in flight, the end of its estate): the layer
    that lost last first, pro rata to what each lost there. Returns the repayments and what is left over, which is the
    defaulter's.

    What is uncovered comes before all: it is owed to those who had to get it. Last comes the share of a clearing
    member that answered for its client (`guarantor_id`).
    """
    assert amount_e8 >= 0, "what comes in is no loss"
    left_e8 = amount_e8 - min(amount_e8, outcome.uncovered_e8)
    repaid: list[Step] = []
    for layer in reversed(LAYERS[1:]):
        steps_of = [step for step in outcome.steps if step.layer == layer]
        lost = [(one.payer_id, one.amount_e8) for one in steps_of if is_lost(layer, one.payer_id, guarantor_id)]
        steps = _layer(layer, left_e8, lost)
        repaid += steps
        left_e8 -= sum(step.amount_e8 for step in steps)
    return repaid, left_e8


def boundaries(resources: Resources) -> list[int]:
    """The losses at which each layer is exhausted, one per layer: where the next one begins."""
    return list(accumulate(sum(_amounts(available(resources, layer))) for layer in LAYERS))


def _amounts(holders: Iterable[tuple[str, int]]) -> Iterable[int]:
    return (amount_e8 for _, amount_e8 in holders)


def without(resources: Resources, member_id: str, outcome: Outcome, margin_e8: int) -> Resources:
    """The resources when a second member defaults after the first loss was borne: its own margin and fund share come
    first for its own loss, and everybody brings what the first loss has left him.

    `margin_e8` is the second defaulter's own margin, which no earlier loss could touch.
    """
    spent = {(step.layer, step.payer_id): step.amount_e8 for step in outcome.steps}
    after = {member.member_id: _spent(member, spent) for member in resources.members}
    second = after.pop(member_id)
    capital_e8 = resources.capital_e8 - spent.get(("HOUSE_CAPITAL", HOUSE), 0)
    return Resources(member_id, margin_e8, second.fund_e8, capital_e8, tuple(after.values()))


def _spent(member: Member, spent: Mapping[tuple[Layer, str], int]) -> Member:
    def taken(layer: Layer) -> int:
        return spent.get((layer, member.member_id), 0)

    return Member(
        member.member_id, member.fund_e8 - taken("OTHERS_FUND"), member.assessment_max_e8 - taken("ASSESSMENTS"),
        member.gain_e8 - taken("HAIRCUT"), member.claim_e8 - taken("TEAR_UP"),
    )  # fmt: skip
