"""Tear-up, layer 7 of the waterfall: options end without their value being paid, when nothing else bears a loss.

A future's claim is its gain, and the haircut has taken that; what is left to claim is the value of bought options. The
layer is cut from all of them in proportion. Of each as many contracts end as are worth what is not paid for them, and
as many sold ones, in proportion too, at the same mark: so nobody is left with contracts that have no other side. The
bought ones end first; rounds of kind TEAR_UP_REST end as many sold ones as they have really given (remainders.py).
Options whose other side is at a venue do not end here, as the venue still pays for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import gcd
from typing import Final

from services.clearing.across import remainders
from services.clearing.across.kind import Decision, Kind, Stated
from services.clearing.booking import contracts, ledger, positions, trades
from services.clearing.defaults.waterfalls import HOME, booked, in_default, leg_of, mark_e8_of, numbers_of, terms_of
from services.clearing.state import UNLISTED, State
from truetape.contracts import value
from truetape.default import waterfall
from truetape.default.waterfall import Member, Outcome, Resources, Step
from truetape.messages import ContractTerms, EntryBooked, Line, RoundHolding, RoundLeg, RoundTerms
from truetape.money import ONE_E8, apportion, fits
from truetape.remainder import PRICE, UNIT
from truetape.service import Input

KIND: Final = "TEAR_UP"
PURPOSE: Final = "tear_up"


def _options(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """Bought and sold options of the asset, at their marks. Raises MarkMissing: home waits for this partition."""
    found = []
    for account_id, account in sorted(state.accounts.items()):
        if in_default(state, account_id):
            continue
        for name, held in sorted(account.positions.items()):
            of = terms_of(given, name)
            if of is None or of.kind != "OPTION" or of.settlement_asset != terms.asset or not held.quantity_e8:
                continue
            if state.contracts.get(name, UNLISTED).ended is None:
                lot_e8 = given.tables.reference.instruments[name].lot_e8
                numbers = {"held_e8": held.quantity_e8, "price_e8": mark_e8_of(given, name, of), "lot_e8": lot_e8}
                found.append(RoundHolding(account_id, name, numbers))
    return found


# -- what home decides -------------------------------------------------------------------------------------------------


class _Listed:
    """All positions in one option, at one mark: that of the first partition that has some."""

    def __init__(self, name: str, of: ContractTerms, stated: Sequence[RoundHolding]) -> None:
        self.name, self._of = name, contracts.contract(of)
        self.price_e8 = stated[0].numbers["price_e8"]
        self.longs = {one.account_id: one.numbers["held_e8"] for one in stated if one.numbers["held_e8"] > 0}
        self.shorts = {one.account_id: -one.numbers["held_e8"] for one in stated if one.numbers["held_e8"] < 0}
        holds = [*self.longs.values(), *self.shorts.values()]
        self.unit_e8 = gcd(stated[0].numbers["lot_e8"], *holds)
        self.ending = self.shares(self.longs, min(sum(self.longs.values()), sum(self.shorts.values())))
        """By holder, contracts that can end: those that have another side here."""

    def shares(self, holds: Mapping[str, int], quantity_e8: int) -> dict[str, int]:
        """A quantity in proportion to what each holds."""
        weights = [held_e8 // self.unit_e8 for held_e8 in holds.values()]
        shares = apportion(quantity_e8 // self.unit_e8, weights)
        return {name: share * self.unit_e8 for name, share in zip(holds, shares, strict=True)}

    def claim_e8(self, account_id: str) -> int:
        """What a holder would have to get for what can end."""
        return max(0, value(self._of, self.ending[account_id], self.price_e8, "down"))

    def least_e8(self, amount_e8: int) -> int:
        """The fewest contracts that are worth an amount."""
        per_unit = self.unit_e8 * self._of.multiplier_e8 * self.price_e8
        return -(-amount_e8 * ONE_E8**2 // per_unit) * self.unit_e8


def _torn(given: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """What the layers before have left, cut from all claims in proportion."""
    loss_e8, listed = terms.numbers["loss_e8"], list(_listed(given, stated))
    claims = {f"{who}/{one.name}": (one, who) for one in listed for who in one.ending}
    members = tuple(Member(name, 0, 0, 0, one.claim_e8(who)) for name, (one, who) in claims.items())
    outcome = waterfall.absorb(loss_e8, Resources(terms.ids["account_id"], 0, 0, 0, members))
    legs, ended = list[RoundLeg](), dict.fromkeys((one.name for one in listed), 0)
    for step in outcome.steps:
        one, who = claims[step.payer_id]
        quantity_e8 = one.least_e8(step.amount_e8)
        ended[one.name] += quantity_e8
        legs.append(_leg(terms, one, who, -quantity_e8, step.amount_e8))
    torn = [one for one in listed if ended[one.name]]
    follow = {f"{PRICE}{one.name}": one.price_e8 for one in torn} | {f"{UNIT}{one.name}": one.unit_e8 for one in torn}
    borne = tuple(Step("TEAR_UP", claims[step.payer_id][1], step.amount_e8) for step in outcome.steps)
    return Decision(legs, numbers_of(Outcome(loss_e8, borne, outcome.uncovered_e8)) | follow)


def _rest_stated(state: State, _: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """What was given, and who is short; who is in default when its positions have been closed."""
    return remainders.stated(state, terms, in_default)


def _rest(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """Sold ones end, at the mark at which the bought ones have ended."""

    def leg(who: str, name: str, quantity_e8: int) -> RoundLeg:
        numbers = {"price_e8": remainders.price_e8_of(terms, name), "quantity_e8": quantity_e8}
        return leg_of(terms, KIND, who, name, 0, numbers=numbers)

    return remainders.decide(terms, stated, leg)


def _listed(given: Input, stated: Iterable[tuple[int, RoundHolding]]) -> Iterable[_Listed]:
    found: dict[str, list[RoundHolding]] = {}
    for _, one in stated:
        found.setdefault(one.asset, []).append(one)
    for name, holdings in sorted(found.items()):
        if (of := terms_of(given, name)) is None:
            raise contracts.ContractRefused(f"{name} is no contract of the reference data any more")
        yield _Listed(name, of, holdings)


def _leg(terms: RoundTerms, one: _Listed, who: str, quantity_e8: int, amount_e8: int) -> RoundLeg:
    numbers = {"price_e8": one.price_e8, "quantity_e8": quantity_e8}
    return leg_of(terms, KIND, who, one.name, amount_e8, numbers=numbers)


# -- how a leg is booked -----------------------------------------------------------------------------------------------


def _entry(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    """Contracts end at the mark, and of what they are worth the amount goes to the house instead. No more end than the
    account still has; the amount is due all the same, since who has sold meanwhile was paid for them."""
    of, client = terms_of(given, leg.asset), ledger.client(leg.account_id)
    cut = []
    if leg.amount_e8:
        cut = [Line(client, terms.asset, -leg.amount_e8, PURPOSE), Line(HOME, terms.asset, leg.amount_e8, PURPOSE)]
    if of is None or state.contracts.get(leg.asset, UNLISTED).ended is not None:
        return booked(given, terms, leg, tuple(cut))
    made = trades.draft_of(state, leg.account_id, leg.asset, of, trades.index_of(state, leg.asset))
    if quantity_e8 := positions.reducing_e8(made.position.quantity_e8, leg.numbers["quantity_e8"]):
        contracts.trade(made, quantity_e8, leg.numbers["price_e8"], contracts.HOUSE)
    made.lines += cut
    made.numbers |= {"amount_e8": fits(leg.amount_e8), "asked_e8": leg.numbers["quantity_e8"]}
    made.ids |= {"round_id": terms.round_id, **terms.ids}
    return contracts.entry(
        made, given.meta(terms.round_id), leg.leg_id, "TEAR_UP", "TRANSFER", "torn up for want of money to pay it",
        given.at_us,
    )  # fmt: skip


KINDS: Final[Mapping[str, Kind]] = {
    KIND: Kind(_options, _torn, _entry),
    f"{KIND}{remainders.SUFFIX}": Kind(_rest_stated, _rest, _entry),
}
