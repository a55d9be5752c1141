"""What must hold for an assignment: as much is assigned as is exercised, by the rule and the seed that stood on the
tape before anybody had stated anything, and nobody ends more than he is short."""

from collections.abc import Callable, Mapping, Sequence

from truetape import messages as m
from truetape.assignment import LOT, PRO_RATA, Short, assign
from truetape.errors import ContractError
from truetape.remainder import carried

Expect = Callable[..., None]
KIND = "ASSIGNMENT"
EVENTS = ("ASSIGNMENT", "EXERCISE")


def judge(expect: Expect, where: str, event: m.RoundDecided, stated: list[m.RoundHolding]) -> None:
    """A decision, from what all partitions have stated."""
    terms, home = event.round, event.account_id
    if event.detail:
        expect(event.legs == (), "a refused exercise assigns nobody", where, home, "no legs", event.legs)
        return
    exercised_e8, legs = terms.numbers["exercised_e8"], list(event.legs)
    held = {one.account_id: one.numbers["held_e8"] for one in stated}
    if not carried(event.outcome):  # Of a version that assigned in the same round.
        legs, assigned = [one for one in legs if one.event == "EXERCISE"], [one for one in legs if one.event == KIND]
        short = {who: -held_e8 for who, held_e8 in held.items()}
        shares(expect, where, home, assigned, short, _drawn(event, held), exercised_e8)
    given = {leg.account_id: -leg.numbers["quantity_e8"] for leg in legs}
    exerciser = terms.ids.get("exerciser", "")
    right = {exerciser: exercised_e8} if exerciser else {}
    long = not exerciser or held.get(exerciser, 0) >= exercised_e8
    expect(given == right and long, "who exercises is long", where, home, right, given)


def shares(
    expect: Expect, where: str, home: str, legs: Sequence[m.RoundLeg], short: Mapping[str, int],
    wanted: Mapping[str, int], total_e8: int,
) -> None:  # fmt: skip
    """Legs of who is short in one contract, and what they have to be."""
    assigned: dict[str, int] = {}
    for leg in legs:
        assigned[leg.account_id] = assigned.get(leg.account_id, 0) + leg.numbers["quantity_e8"]
    sum_e8 = sum(assigned.values())
    expect(sum_e8 == total_e8, "as much is assigned as exercised", where, home, total_e8, sum_e8)
    for who, quantity_e8 in assigned.items():
        within = 0 < quantity_e8 <= short.get(who, 0)
        expect(within, "nobody is assigned beyond his short", where, who, short.get(who, 0), quantity_e8)
    expect(assigned == wanted, "the recorded seed draws who is assigned", where, home, wanted, assigned)


def _drawn(event: m.RoundDecided, held: dict[str, int]) -> dict[str, int]:
    """The same assignment once more; nothing where the numbers cannot be."""
    lot_e8 = event.outcome.get("lot_e8", 0)
    if lot_e8 <= 0:
        return {}
    shorts = [Short(who, -held_e8 // lot_e8) for who, held_e8 in held.items() if held_e8 <= -lot_e8]
    rule = LOT if event.outcome.get("by_lot") else PRO_RATA
    try:
        found = assign(rule, event.round.numbers["exercised_e8"] // lot_e8, shorts, event.round.ids["seed"].encode())
    except ContractError:
        return {}
    return {one.account_id: one.contracts * lot_e8 for one in found}


def booked(expect: Expect, where: str, entry: m.EntryBooked) -> None:
    """An entry of an assignment or early exercise ends contracts, and turns no position."""
    contract, after = entry.contract, entry.position
    if contract is None or contract.event not in EVENTS or "asked_e8" not in contract.numbers or after is None:
        return
    moved_e8, asked_e8 = contract.quantity_e8, contract.numbers["asked_e8"]
    part = abs(moved_e8) <= abs(asked_e8) and moved_e8 * asked_e8 >= 0
    turned = after.quantity_e8 * moved_e8 > 0
    expect(part and not turned, "an assignment only ends contracts", where, entry.account_id, asked_e8, moved_e8)
