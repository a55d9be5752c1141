"""Follow-on rounds: what a round that ends contracts has left with `house:clearing` goes to who is short, until it is
flat.

Who trades between his partition's answer and his leg has less than his leg says, and a leg never ends more than there
is. So the round (the root) books one side alone: who exercises, or whose bought options are torn up. When it is booked
everywhere its home opens ROOT/rest/1. Every partition then says what entries of the root and of all that followed it
have really given, and who is short now; home shares exactly the rest. So it goes on, until one finds no rest and ends
without legs, or says by name what nobody can take. At most one round of a root runs, so no leg of it is on its way
while the partitions count; a leg that was set aside with a halted account is stated as pending, and waited for.
The arithmetic is truetape/remainder.py's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.across.kind import Decision, Stated
from services.clearing.across.remainderbook import Following
from services.clearing.across.roundbook import Homed
from services.clearing.state import UNLISTED, State
from truetape.messages import EntryBooked, RoundHolding, RoundLeg, RoundOpened, RoundSettling, RoundTerms, RunRound
from truetape.remainder import (
    PRICE,
    REST,
    UNTAKEN,
    carried,
    named,
    number_of,
    remainder_of,
    seed_of,
    shared,
)
from truetape.service import DUE, Input

SUFFIX: Final = "_REST"
"""A kind's rounds that follow: ASSIGNMENT_REST."""
_DOUBLED_MAX: Final[Mapping[str, int]] = {"COMPRESSION_REST": 14}
"""How often the time until the next round doubles, where it waits for somebody's money: to 23 hours. Else as usual."""
IDLE: Final = "idle"
"""How many rounds running had nothing to book: the next one comes twice as late each time."""


# -- what a partition has ----------------------------------------------------------------------------------------------


def stated(state: State, terms: RoundTerms, later: Callable[[State, str], bool]) -> Sequence[RoundHolding]:
    """What was given here, what is set aside, what has ended, and who is short."""
    root, names = number_of(terms.round_id)[0], named(terms.numbers)
    ended = [name for name in names if state.contracts.get(name, UNLISTED).ended is not None]
    given = sorted(state.remainders.given.get(root, {}).items())
    found = [RoundHolding("", name, {"given_e8": e8}) for name, e8 in given if e8]
    found += [RoundHolding("", name, {"ended": 1}) for name in ended]
    for leg in set_aside(state, root):
        if not leg.numbers.get("quantity_e8"):
            continue
        found.append(RoundHolding(leg.account_id, leg.asset, {"pending_e8": leg.numbers["quantity_e8"]}))
    for account_id, account in sorted(state.accounts.items()):
        for name in names:
            held = account.positions.get(name)
            if held is not None and held.quantity_e8 < 0 and name not in ended:
                waits = {"later": 1} if later(state, account_id) else {}
                found.append(RoundHolding(account_id, name, {"held_e8": held.quantity_e8} | waits))
    return found


def set_aside(state: State, root: str) -> Iterator[RoundLeg]:
    """Legs of a root, and of what followed it, that wait with their halted account."""
    for _, queue in sorted(state.halted.items()):
        for one in queue:
            message = one.message() if one.source == DUE and one.input is not None else None
            if isinstance(message, RunRound) and number_of(message.round.round_id)[0] == root:
                yield from message.legs


# -- what home decides -------------------------------------------------------------------------------------------------


def decide(terms: RoundTerms, stated: Stated, leg: Callable[[str, str, int], RoundLeg]) -> Decision:
    """The rest of each contract to who is short; leg(account, contract, quantity) is what one of them books."""
    holdings, legs, waits = [one for _, one in stated], list[RoundLeg](), False
    outcome = dict[str, int]()
    seed = seed_of(terms.ids.get("seed", ""), number_of(terms.round_id)[1])
    for name in named(terms.numbers):
        found = remainder_of(terms.numbers, name, holdings)
        taken = shared(terms.numbers, name, found, seed)
        legs += [leg(who, name, quantity_e8) for who, quantity_e8 in taken.items()]
        waits |= found.waits
        outcome[f"rest_e8/{name}"] = found.rest_e8
        if found.rest_e8 > 0 and not (taken or found.ended or found.waits):
            outcome[f"{UNTAKEN}{name}"] = found.rest_e8
    return Decision(legs, outcome | (carried(terms.numbers) if legs or waits else {}))


def tick(state: State, given: Input) -> RoundOpened | None:
    """The next round of a root, one at a time: at once, or after a while when the one before had nothing to book."""
    for _, one in sorted(state.remainders.following.items()):
        idle, doubled_max = one.terms.numbers.get(IDLE, 0), _DOUBLED_MAX.get(one.terms.kind, pursuit.DOUBLED_MAX)
        if not idle or pursuit.overdue(one.since_us, idle - 1, given.at_us, doubled_max):
            return RoundOpened(given.meta(one.terms.round_id), one.terms.home_id, one.terms)
    return None


# -- evolve -----------------------------------------------------------------------------------------------------------


def opened(state: State, event: RoundOpened) -> None:
    """What had to follow does."""
    root, number = number_of(event.round.round_id)
    if number:
        state.remainders.following.pop(root, None)


def settling(state: State, event: RoundSettling) -> None:
    """What its entries give is counted, until the last one of a root says that nothing follows."""
    root, number = number_of(event.round.round_id)
    if carried(event.outcome):
        state.remainders.given.setdefault(root, {})
    elif number:
        state.remainders.given.pop(root, None)


def booked(state: State, entry: EntryBooked) -> None:
    """An entry of a root or of what follows it: contracts to the house, or from it."""
    contract = entry.contract
    if contract is None or not state.remainders.given:
        return
    known = state.remainders.given.get(number_of(contract.ids.get("round_id", ""))[0])
    if known is not None and contract.quantity_e8:
        name = contract.instrument_id
        known[name] = known.get(name, 0) - contract.quantity_e8


def confirmed(state: State, known: Homed, at_us: int) -> None:
    """A round is booked everywhere; another follows where it hands something on."""
    if not (numbers := carried(known.outcome)):
        return
    terms = known.terms
    root, number = number_of(terms.round_id)
    idle = terms.numbers.get(IDLE, 0) + 1 if number and not known.legs else 0
    following = replace(
        terms, round_id=f"{root}{REST}{number + 1}", kind=terms.kind.removesuffix(SUFFIX) + SUFFIX,
        numbers=terms.numbers | numbers | {IDLE: idle},
    )  # fmt: skip
    state.remainders.following[root] = Following(following, at_us)


def price_e8_of(terms: RoundTerms, name: str) -> int:
    """At what price the root has ended a contract."""
    return terms.numbers[f"{PRICE}{name}"]
