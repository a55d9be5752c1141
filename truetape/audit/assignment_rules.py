"""What must hold for an assignment: as much is assigned as is exercised, by the rule and the seed that stood on the
tape before anybody had stated anything, and nobody ends more than he is short."""

from collections.abc import Callable

from truetape import messages as m
from truetape.assignment import LOT, PRO_RATA, Short, assign
from truetape.errors import ContractError

Expect = Callable[..., None]
KIND = "ASSIGNMENT"
EVENTS = ("ASSIGNMENT", "EXERCISE")


def judge(expect: Expect, where: str, event: m.RoundDecided, stated: list[m.RoundHolding]) -> None:
    """A decision, from what all partitions have stated."""
    terms, home = event.round, event.account_id
    if event.detail:
        expect(event.legs == (), "a refused exercise assigns nobody", where, home, "no legs", event.legs)
        return
    exercised_e8 = terms.numbers["exercised_e8"]
    held = {one.account_id: one.numbers["held_e8"] for one in stated}
    assigned: dict[str, int] = {}
    for leg in event.legs:
        if leg.event == "ASSIGNMENT":
            assigned[leg.account_id] = assigned.get(leg.account_id, 0) + leg.numbers["quantity_e8"]
    total_e8 = sum(assigned.values())
    expect(total_e8 == exercised_e8, "as much is assigned as exercised", where, home, exercised_e8, total_e8)
    for who, quantity_e8 in assigned.items():
        within = 0 < quantity_e8 <= -held.get(who, 0)
        expect(within, "nobody is assigned beyond his short", where, who, held.get(who, 0), quantity_e8)
    wanted = _drawn(event, held)
    expect(assigned == wanted, "the recorded seed draws who is assigned", where, home, wanted, assigned)
    given = {leg.account_id: -leg.numbers["quantity_e8"] for leg in event.legs if leg.event == "EXERCISE"}
    exerciser = terms.ids.get("exerciser", "")
    right = {exerciser: exercised_e8} if exerciser else {}
    long = not exerciser or held.get(exerciser, 0) >= exercised_e8
    expect(given == right and long, "who exercises is long", where, home, right, given)


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
