"""What must hold for a haircut of gains: nobody gives more than he gains on balance over all contracts of the asset,
and each gives in proportion to that."""

from collections import Counter
from collections.abc import Callable

from truetape import messages as m

Expect = Callable[..., None]
KIND = "HAIRCUT"


def judge(expect: Expect, where: str, event: m.RoundDecided, stated: list[m.RoundHolding]) -> None:
    """A decision, from what all partitions have stated. A unit for each contract may be rounding: earlier versions cut
    contract by contract."""
    nets, contracts, cuts = Counter[str](), Counter[str](), Counter[str]()
    for one in stated:
        nets[one.account_id] += one.numbers["gain_e8"]
        contracts[one.account_id] += 1
    for leg in event.legs:
        cuts[leg.account_id] += leg.amount_e8
    gains = {who: max(0, net_e8) for who, net_e8 in nets.items()}
    all_e8 = sum(gains.values())
    wanted_e8 = min(event.round.numbers["loss_e8"], all_e8)
    says = sum(cuts.values())
    expect(says == wanted_e8, "gains bear what they can", where, event.account_id, wanted_e8, says)
    for who, cut_e8 in sorted(cuts.items()):
        net_e8 = gains.get(who, 0)
        exact_e8 = wanted_e8 * net_e8 // max(all_e8, 1)
        right = 0 <= cut_e8 <= net_e8 and abs(cut_e8 - exact_e8) <= contracts[who]
        expect(right, "a haircut is in proportion to net gains", where, who, (exact_e8, net_e8), cut_e8)
