"""The rounds of a default: the waterfall, the haircut of gains, and what comes back. Who bears how much is
truetape/default/waterfall.py's business; here it is asked for, cut into legs, and booked.

Every leg has `house:default` on its other side, so each partition's books sum to zero; over all partitions its balance
is what nobody has borne yet. Ledger accounts: `fund:ACCOUNT` a member's share of the clearing fund,
`assessment:ACCOUNT` what a member was asked for (negative until paid), `house:capital` the house's own capital.
All these rounds have one home, so that no two of them promise the same share.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from services.clearing.across.kind import Decision, Kind, Stated
from services.clearing.booking import contracts, ledger, trades
from services.clearing.state import UNKNOWN, UNLISTED, State
from truetape import ids
from truetape.contracts import value
from truetape.default import waterfall
from truetape.default.waterfall import HOUSE, LAYERS, Layer, Member, Outcome, Resources, Step
from truetape.messages import (
    ContractEvent,
    ContractTerms,
    EntryBooked,
    Line,
    RoundHolding,
    RoundLeg,
    RoundTerms,
)
from truetape.money import ONE_E8, apportion, fits, portion
from truetape.service import Input
from truetape.topics import PARTITIONS

HOME: Final = "house:default"
"""Home of all rounds that draw on the fund, and the ledger account on the other side of their legs."""
CAPITAL: Final = "house:capital"
FUND: Final = "fund:"
ASSESSMENT: Final = "assessment:"
ASSESSMENT_RATE_E8: Final = ONE_E8
"""What a member can be asked for in a period, as a part of its share: as much again."""
ASSESSMENT_PERIOD_US: Final = 30 * 24 * 3_600_000_000
UNCOVERED: Final = "uncovered_e8"
GAIN: Final = "gain_e8"
"""Under which name a partition states what a contract has to pay a member."""
GUARANTOR: Final = "member_id"
"""Under which name a round says whose share of the fund answers for a client."""
EVENTS: Final[Mapping[Layer, ContractEvent]] = {
    "DEFAULTER_MARGIN": "DEFAULTER_MARGIN",
    "DEFAULTER_FUND": "DEFAULTER_FUND",
    "HOUSE_CAPITAL": "HOUSE_CAPITAL",
    "OTHERS_FUND": "MUTUAL_FUND",
    "ASSESSMENTS": "ASSESSMENT",
    "HAIRCUT": "VARIATION_MARGIN_HAIRCUT",
    "TEAR_UP": "TEAR_UP",
}
BOOKED: Final[tuple[ContractEvent, ...]] = (*EVENTS.values(), "CLOSE_OUT", "HOUSE_TRANSFER")


class MarkMissing(contracts.ContractRefused):
    """A gain cannot be stated without a fresh mark."""


def in_default(state: State, account_id: str) -> bool:
    """Whether a default of an account is not over."""
    known = state.defaults.get(account_id)
    return account_id in state.borne or (known is not None and known.state != "ENDED")


def in_progress(state: State, account_id: str) -> bool:
    """Whether a loss of an account is not borne yet, or is being paid back: no other default of it is declared. Once
    it is borne, what the account loses later, or in another asset, is a default of its own."""
    newest = state.defaults.get(account_id)
    known = [*state.borne.get(account_id, {}).values(), *([newest] if newest is not None else [])]
    return any(one.state in ("DECLARED", "LOSS_FIXED", "RECOVERING") for one in known)


def unpaid(state: State, account_id: str, asset: str, given: Input) -> Iterator[tuple[str, int]]:
    """Profit of an account's contracts that is realised and not paid in cash, by instrument: negative is a loss, and
    zero is said too."""
    account = state.accounts.get(account_id, UNKNOWN)
    for name, position in sorted(account.positions.items()):
        terms = terms_of(given, name)
        if terms is not None and terms.settlement_asset == asset and (kept := account.contracts.get(name)) is not None:
            yield name, position.realised_e8 - kept.settled_e8


def terms_of(given: Input, instrument_id: str) -> ContractTerms | None:
    """Terms of a contract; None for spot and what is not known."""
    instrument = given.tables.reference.instruments.get(instrument_id)
    return instrument.contract if instrument is not None else None


# -- what a partition has ---------------------------------------------------------------------------------------------


def _resources(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """Shares of members, the house's capital, and what the defaulter's own contracts have not paid. The share of
    another member in default is kept for his own loss, also that of a client's member."""
    defaulter, asset, found = terms.ids["account_id"], terms.asset, list[RoundHolding]()
    for name, amounts in sorted(state.balances.items()):
        amount_e8 = amounts.get(asset, 0)
        if name == CAPITAL and amount_e8 > 0:
            found.append(RoundHolding("", asset, {"capital_e8": amount_e8}))
        if not name.startswith(FUND) or amount_e8 <= 0:
            continue
        account_id = name.removeprefix(FUND)
        if account_id == defaulter:
            found.append(RoundHolding(account_id, asset, {"fund_e8": amount_e8}))
        elif not in_default(state, account_id):
            left_e8 = _assessment_left_e8(state, given, account_id, asset, amount_e8)
            found.append(RoundHolding(account_id, asset, {"fund_e8": amount_e8, "assessment_max_e8": left_e8}))
    if ids.partition_of(defaulter, PARTITIONS) == given.partition:
        left = unpaid(state, defaulter, asset, given)
        found += [RoundHolding(defaulter, name, {"unpaid_e8": left_e8}) for name, left_e8 in left if left_e8]
    return found


def _assessment_left_e8(state: State, given: Input, account_id: str, asset: str, share_e8: int) -> int:
    since_us = given.at_us - ASSESSMENT_PERIOD_US
    asked = state.assessed.get(f"{account_id}/{asset}", [])
    asked_e8 = sum(amount_e8 for at_us, amount_e8 in asked if at_us > since_us)
    return max(0, portion(share_e8, ASSESSMENT_RATE_E8, "down") - asked_e8)


def _gains(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """What members have to get for all their contracts of the asset together: of who gains on balance each contract
    that gains or loses.

    Raises MarkMissing: home waits for this partition, and nobody is cut by a price that is too old.
    """
    found = list[RoundHolding]()
    for account_id in sorted(state.accounts):
        if not in_default(state, account_id):
            own = list(_gains_of(state, given, account_id, terms.asset))
            found += own if sum(one.numbers[GAIN] for one in own) > 0 else ()
    return found


def _gains_of(state: State, given: Input, account_id: str, asset: str) -> Iterator[RoundHolding]:
    """Profit to the mark of each contract, less what was paid of it; negative is a loss. An option pays its premium at
    once, so nothing is to be got for it before it ends."""
    account = state.accounts[account_id]
    for name, position in sorted(account.positions.items()):
        of, kept = terms_of(given, name), account.contracts.get(name)
        if of is None or kept is None or of.settlement_asset != asset or of.kind == "OPTION":
            continue
        price_e8 = mark_e8_of(given, name, of) if position.quantity_e8 else 0
        worth_e8 = value(contracts.contract(of), position.quantity_e8, price_e8, "down") if price_e8 else 0
        if gain_e8 := position.realised_e8 + worth_e8 - position.cost_e8 - kept.settled_e8:
            yield RoundHolding(account_id, name, {GAIN: gain_e8, "price_e8": price_e8})


def mark_e8_of(given: Input, instrument_id: str, terms: ContractTerms) -> int:
    """A contract's mark. Raises MarkMissing where it is too old."""
    mark = given.tables.marks.newest.get(instrument_id)
    if mark is None or given.at_us - mark.observed_at_us > terms.mark_max_age_us:
        raise MarkMissing(f"{instrument_id} has no mark that is fresh enough: no gain is cut without one")
    return mark.price_e8


def _cash(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """What the defaulter has now."""
    account_id = terms.ids["account_id"]
    amount_e8 = state.balances.get(ledger.client(account_id), {}).get(terms.asset, 0)
    return [RoundHolding(account_id, terms.asset, {"cash_e8": amount_e8})] if amount_e8 > 0 else []


# -- what home decides ------------------------------------------------------------------------------------------------


def _waterfall(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """All layers up to the assessments."""
    defaulter, loss_e8 = terms.ids["account_id"], terms.numbers["loss_e8"]
    guarantor, guarantee_e8 = terms.ids.get(GUARANTOR, ""), 0
    members, fund_e8, capital_e8, legs = list[Member](), 0, 0, list[RoundLeg]()
    for partition, one in stated:
        if "unpaid_e8" in one.numbers:
            legs.append(leg_of(terms, "CLOSE_OUT", defaulter, one.asset, 0, partition))
        elif not one.account_id:
            capital_e8 += one.numbers["capital_e8"]
        elif one.account_id == defaulter:
            fund_e8 = one.numbers["fund_e8"]
        elif one.account_id == guarantor:
            guarantee_e8 = one.numbers["fund_e8"]
            members.append(Member(one.account_id, 0, one.numbers["assessment_max_e8"]))
        else:
            members.append(Member(one.account_id, one.numbers["fund_e8"], one.numbers["assessment_max_e8"]))
    resources = Resources(defaulter, terms.numbers["margin_e8"], fund_e8 + guarantee_e8, capital_e8, tuple(members))
    outcome = _guaranteed(waterfall.absorb(loss_e8, resources), fund_e8, guarantor)
    legs.append(leg_of(terms, EVENTS["DEFAULTER_MARGIN"], defaulter, terms.asset, terms.numbers["shortfall_e8"]))
    legs += [
        leg_of(terms, EVENTS[step.layer], step.payer_id, terms.asset, step.amount_e8)
        for step in outcome.steps
        if step.layer != "DEFAULTER_MARGIN"
    ]
    return Decision(legs, numbers_of(outcome))


def _guaranteed(outcome: Outcome, own_e8: int, guarantor: str) -> Outcome:
    """A client's own share pays before that of the member that answers for it."""
    steps = list[Step]()
    for step in outcome.steps:
        if step.layer != "DEFAULTER_FUND":
            steps.append(step)
            continue
        own = min(step.amount_e8, own_e8)
        paid = [(step.payer_id, own), (guarantor, step.amount_e8 - own)]
        steps += [Step(step.layer, payer_id, amount_e8) for payer_id, amount_e8 in paid if amount_e8]
    return Outcome(outcome.loss_e8, tuple(steps), outcome.uncovered_e8)


def _haircut(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """What the layers before have left, cut in proportion from what each member gains on balance."""
    by_member: dict[str, list[RoundHolding]] = {}
    for one in (found for _, found in stated):
        by_member.setdefault(one.account_id, []).append(one)
    nets = {who: max(0, sum(one.numbers[GAIN] for one in own)) for who, own in by_member.items()}
    gains = tuple(Member(who, 0, 0, net_e8) for who, net_e8 in nets.items())
    outcome = waterfall.absorb(terms.numbers["loss_e8"], Resources(terms.ids["account_id"], 0, 0, 0, gains))
    legs = [leg for step in outcome.steps for leg in _cut(terms, by_member[step.payer_id], step.amount_e8)]
    return Decision(legs, numbers_of(outcome))


def _cut(terms: RoundTerms, own: Sequence[RoundHolding], amount_e8: int) -> Iterator[RoundLeg]:
    """All contracts of a member are settled, those that lose too; what is cut is taken from those that gain."""
    parts = apportion(amount_e8, [max(0, one.numbers[GAIN]) for one in own])
    for one, part_e8 in zip(own, parts, strict=True):
        numbers = {"price_e8": one.numbers["price_e8"]}
        yield leg_of(terms, EVENTS["HAIRCUT"], one.account_id, one.asset, part_e8, numbers=numbers)


def _recovery(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """What came in goes to who bore the loss, the last layer first."""
    outcome = outcome_of(terms.numbers)
    guarantor = terms.ids.get(GUARANTOR, "")
    lost = [step.amount_e8 for step in outcome.steps if waterfall.is_lost(step.layer, step.payer_id, guarantor)]
    lost_e8 = outcome.uncovered_e8 + sum(lost)
    amount_e8 = min(lost_e8, sum(one.numbers["cash_e8"] for _, one in stated))
    repaid, rest_e8 = waterfall.recover(outcome, amount_e8, guarantor)
    assert rest_e8 == 0, "no more is taken than was lost"
    taken = amount_e8 - sum(step.amount_e8 for step in repaid)
    legs = [leg_of(terms, "HOUSE_TRANSFER", terms.ids["account_id"], terms.asset, amount_e8)] if amount_e8 else []
    legs += [leg_of(terms, EVENTS[step.layer], step.payer_id, terms.asset, -step.amount_e8) for step in repaid]
    return Decision(legs, numbers_of(Outcome(amount_e8, tuple(repaid), taken)))


def numbers_of(outcome: Outcome) -> dict[str, int]:
    """An outcome as a record holds it: LAYER/payer to amount, and what is uncovered."""
    found = {UNCOVERED: outcome.uncovered_e8}
    for step in outcome.steps:
        name = f"{step.layer}/{step.payer_id}"
        found[name] = found.get(name, 0) + step.amount_e8
    return found


def outcome_of(numbers: Mapping[str, int]) -> Outcome:
    """The same read back, in order of layers and payers."""
    steps = []
    for layer in LAYERS:
        for name, amount_e8 in sorted(numbers.items()):
            if name.startswith(f"{layer}/"):
                steps.append(Step(layer, name.removeprefix(f"{layer}/"), amount_e8))
    uncovered_e8 = numbers.get(UNCOVERED, 0)
    return Outcome(sum(step.amount_e8 for step in steps) + uncovered_e8, tuple(steps), uncovered_e8)


def leg_of(
    terms: RoundTerms, event: str, payer: str, asset: str, amount_e8: int, partition: int | None = None,
    numbers: dict[str, int] | None = None,
) -> RoundLeg:  # fmt: skip
    """A payment of a layer, in the partition of who pays."""
    house = payer == HOUSE
    key, account_id = (CAPITAL, "") if house else (payer, payer)
    where = ids.partition_of(key, PARTITIONS) if partition is None else partition
    leg_id = ids.leg_id(terms.round_id, f"{event}/{payer}/{asset}")
    return RoundLeg(leg_id, account_id, event, asset, amount_e8, numbers or {}, where)


# -- how a leg is booked ----------------------------------------------------------------------------------------------


def _entry(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    """Money between an account's side and `house:default`; a leg about a contract settles it first."""
    if leg.asset == terms.asset:
        return booked(given, terms, leg, tuple(_lines(state, terms.asset, leg)))
    return _settled(state, given, terms, leg)


def _lines(state: State, asset: str, leg: RoundLeg) -> Iterator[Line]:
    """Positive pays the house; the defaulter's margin is the other way: the house takes over what it cannot pay."""
    purpose, amount_e8 = leg.event.lower(), leg.amount_e8
    if leg.event == "DEFAULTER_MARGIN":
        amount_e8 = -amount_e8
    for name, part_e8 in _sides(state, asset, leg, amount_e8):
        if part_e8:
            yield Line(name, asset, -part_e8, purpose)
    if amount_e8:
        yield Line(HOME, asset, amount_e8, purpose)


def _sides(state: State, asset: str, leg: RoundLeg, amount_e8: int) -> Iterator[tuple[str, int]]:
    """Who pays. An assessment that comes back ends what is still owed of it first; the rest is the member's cash."""
    if leg.event == "ASSESSMENT" and amount_e8 < 0:
        owed_e8 = max(0, -state.balances.get(ASSESSMENT + leg.account_id, {}).get(asset, 0))
        back_e8 = min(owed_e8, -amount_e8)
        yield ASSESSMENT + leg.account_id, -back_e8
        yield ledger.client(leg.account_id), amount_e8 + back_e8
        return
    yield _PAYERS.get(leg.event, ledger.client)(leg.account_id), amount_e8


_PAYERS: Final[Mapping[str, Callable[[str], str]]] = {
    "DEFAULTER_FUND": lambda account_id: FUND + account_id,
    "MUTUAL_FUND": lambda account_id: FUND + account_id,
    "ASSESSMENT": lambda account_id: ASSESSMENT + account_id,
    "HOUSE_CAPITAL": lambda _: CAPITAL,
}


def booked(given: Input, terms: RoundTerms, leg: RoundLeg, lines: tuple[Line, ...]) -> EntryBooked:
    """The entry of a leg about money alone."""
    return contracts.money_entry(
        given.meta(terms.round_id), leg.leg_id, leg.account_id, _event(leg.event), terms.asset, HOME, lines,
        f"{terms.kind.lower()} of a default", given.at_us, numbers={"amount_e8": leg.amount_e8},
        ids={"round_id": terms.round_id, **terms.ids},
    )  # fmt: skip


def _settled(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    """What a contract has to pay is paid, and of it the haircut; of a contract that has ended only the haircut."""
    of, price_e8 = terms_of(given, leg.asset), leg.numbers.get("price_e8", 0)
    cut = [Line(ledger.client(leg.account_id), terms.asset, -leg.amount_e8, "haircut")] if leg.amount_e8 else []
    cut += [Line(HOME, terms.asset, leg.amount_e8, "haircut")] if leg.amount_e8 else []
    if of is None or state.contracts.get(leg.asset, UNLISTED).ended is not None:
        return booked(given, terms, leg, tuple(cut))
    made = trades.draft_of(state, leg.account_id, leg.asset, of, trades.index_of(state, leg.asset))
    if price_e8 or not made.position.quantity_e8:
        contracts.settle(made, price_e8 or ONE_E8)  # What no contract is held at is worth nothing at any price.
    made.lines += cut
    made.counterparty = HOME
    made.numbers["amount_e8"] = fits(leg.amount_e8)
    made.ids |= {"round_id": terms.round_id, **terms.ids}
    return contracts.entry(
        made, given.meta(terms.round_id), leg.leg_id, _event(leg.event), "TRANSFER",
        f"{terms.kind.lower()} of a default", given.at_us,
    )  # fmt: skip


def _event(name: str) -> ContractEvent:
    found = next((event for event in BOOKED if event == name), None)
    assert found is not None, f"{name} is no event of a default"
    return found


KINDS: Final[Mapping[str, Kind]] = {
    "WATERFALL": Kind(_resources, _waterfall, _entry),
    "HAIRCUT": Kind(_gains, _haircut, _entry),
    "RECOVERY": Kind(_cash, _recovery, _entry),
}
