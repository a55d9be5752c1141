"""Exercise before expiry, and who is assigned: a round over all partitions, by the contract's rule of reference data.

An account exercises contracts that it is long, or a venue assigns contracts of the firm's account there. A round of
kind ASSIGNMENT asks every partition who is short; home assigns by `ContractTerms.assignment`: in proportion (PRO_RATA),
or by lot (LOT) from the seed that the round's terms recorded before anybody had stated anything. So the same record
always gives the same assignment (truetape/assignment.py). Each leg is one entry: the contracts end, and their payoff in
cash moves between the account and the other side: the clearing house, or the venue's mirror.

Who has traded since it stated its position ends at most what it still has. So who exercises is booked first, and
rounds of kind ASSIGNMENT_REST assign what that has really given, until the clearing house has nothing left of it
(remainders.py).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from services.clearing.across import remainders
from services.clearing.across.kind import Decision, Kind, Stated
from services.clearing.booking import contracts, positions, trades
from services.clearing.booking.contracts import HOUSE
from services.clearing.state import UNLISTED, State
from truetape import ids
from truetape.assignment import LOT, RULES, Short, assign
from truetape.messages import ContractTerms, EntryBooked, RoundHolding, RoundLeg, RoundTerms
from truetape.money import from_e8
from truetape.remainder import BY_LOT, PRICE, UNIT, VENUE
from truetape.service import Input
from truetape.topics import PARTITIONS

HOME: Final = "house:assignment"
KIND: Final = "ASSIGNMENT"
EXERCISED: Final = "exercised_e8"


class ExerciseRefused(contracts.ContractRefused):
    """An exercise that cannot be: its round assigns nobody, and says why."""


def _stated(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """Who is short, and what the account that exercises is long; of a contract that has ended nobody."""
    if state.contracts.get(terms.asset, UNLISTED).ended is not None:
        return []
    found, exerciser = list[RoundHolding](), terms.ids.get("exerciser", "")
    for account_id, account in sorted(state.accounts.items()):
        held = account.positions.get(terms.asset)
        if held is not None and (held.quantity_e8 < 0 or (account_id == exerciser and held.quantity_e8)):
            found.append(RoundHolding(account_id, terms.asset, {"held_e8": held.quantity_e8}))
    return found


def _decide(given: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """What is exercised, when enough are short. Raises ExerciseRefused and ContractError."""
    of, lot_e8 = _terms(given, terms.asset)
    exercised_e8, exerciser = terms.numbers[EXERCISED], terms.ids.get("exerciser", "")
    held = {one.account_id: one.numbers["held_e8"] for _, one in stated}
    _require(of, terms, held.get(exerciser, 0) if exerciser else exercised_e8, lot_e8)
    if of.expires_at_us is not None and given.at_us >= of.expires_at_us:
        raise ExerciseRefused(f"{terms.asset} has expired")
    shorts = [Short(who, -held_e8 // lot_e8) for who, held_e8 in held.items() if held_e8 <= -lot_e8]
    assign(of.assignment, exercised_e8 // lot_e8, shorts, terms.ids["seed"].encode())  # It refuses more than are short.
    legs = [_leg(terms, "EXERCISE", exerciser, -exercised_e8)] if exerciser else []
    short_e8 = sum(one.contracts for one in shorts) * lot_e8
    numbers = {EXERCISED: exercised_e8, "short_e8": short_e8}
    follow = {
        f"{PRICE}{terms.asset}": terms.numbers["price_e8"], f"{UNIT}{terms.asset}": lot_e8,
        f"{VENUE}{terms.asset}": 0 if exerciser else exercised_e8, BY_LOT: int(of.assignment == LOT),
    }  # fmt: skip
    return Decision(legs, numbers | follow)


def _rest_stated(state: State, _: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """What was given, and who is short."""
    return remainders.stated(state, terms, lambda _, __: False)


def _rest(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """Who is assigned how much."""
    return remainders.decide(terms, stated, lambda who, _, quantity_e8: _leg(terms, "ASSIGNMENT", who, quantity_e8))


def _require(of: ContractTerms, terms: RoundTerms, held_e8: int, lot_e8: int) -> None:
    exercised_e8, price_e8 = terms.numbers[EXERCISED], terms.numbers["price_e8"]
    if of.kind != "OPTION" or of.exercise != "AMERICAN" or of.delivery != "CASH":
        raise ExerciseRefused(f"{terms.asset} is no AMERICAN option that is settled in cash: it is exercised at expiry")
    if of.assignment not in RULES:
        raise ExerciseRefused(f"{terms.asset}: assignment is {of.assignment!r}, not one of {', '.join(RULES)}")
    if not contracts.in_the_money(of, price_e8):
        raise ExerciseRefused(f"at {from_e8(price_e8)} {terms.asset} is worth nothing")
    if exercised_e8 <= 0 or exercised_e8 % lot_e8:
        quantity, lot = from_e8(exercised_e8), from_e8(lot_e8)
        raise ExerciseRefused(f"{quantity} contracts are no multiple of the lot {lot}")
    if exercised_e8 > held_e8:
        held, quantity = from_e8(held_e8), from_e8(exercised_e8)
        raise ExerciseRefused(f"the account is long {held} and cannot exercise {quantity}")


def _terms(given: Input, instrument_id: str) -> tuple[ContractTerms, int]:
    instrument = given.tables.reference.instruments.get(instrument_id)
    if instrument is None or instrument.contract is None:
        raise ExerciseRefused(f"{instrument_id} is no contract of the reference data")
    return instrument.contract, instrument.lot_e8


def _leg(terms: RoundTerms, event: str, account_id: str, quantity_e8: int) -> RoundLeg:
    numbers = {"quantity_e8": quantity_e8, "price_e8": terms.numbers["price_e8"]}
    where = ids.partition_of(account_id, PARTITIONS)
    return RoundLeg(
        ids.leg_id(terms.round_id, f"{event}/{account_id}"), account_id, event, terms.asset, 0, numbers, where
    )


def _entry(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    """Contracts end for their payoff; no more of them than the account still has."""
    of, _ = _terms(given, leg.asset)
    over = state.contracts.get(leg.asset, UNLISTED).ended is not None
    made = trades.draft_of(state, leg.account_id, leg.asset, of, trades.index_of(state, leg.asset))
    quantity_e8 = positions.reducing_e8(made.position.quantity_e8, leg.numbers["quantity_e8"])
    if quantity_e8 and not over:
        contracts.exercise_part(made, quantity_e8, leg.numbers["price_e8"], terms.ids.get("counterparty", HOUSE))
    made.numbers["asked_e8"] = leg.numbers["quantity_e8"]
    made.ids |= {"round_id": terms.round_id, "seed": terms.ids["seed"], "assignment": of.assignment}
    return contracts.entry(
        made, given.meta(terms.round_id), leg.leg_id, "EXERCISE" if leg.event == "EXERCISE" else "ASSIGNMENT",
        "TRANSFER", f"exercised before expiry, assigned {of.assignment}", given.at_us,
    )  # fmt: skip


KINDS: Final[Mapping[str, Kind]] = {
    KIND: Kind(_stated, _decide, _entry, by_command=True),
    f"{KIND}{remainders.SUFFIX}": Kind(_rest_stated, _rest, _entry),
}
