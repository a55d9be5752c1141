"""Claims: what a compression makes participants pay each other, from the moment of the compression on the books.

    CLAIMED   with the record that ends the trades each participant's claim is booked, in its partition:
              `claim:ACCOUNT` against `house:compression`; over all partitions they sum to zero
    PAID      rounds that follow (COMPRESSION_REST) settle them: who owes pays from what is free, who has a claim gets
              what has come in, until all is settled (truetape/claims.py)

The house is between participants and stands for none of them, since these trades were never cleared: nobody is paid
with another one's money. What cannot be paid yet stays a claim, and is tried again, later each time. An account pays no
more than it could withdraw: what its contracts need stays, and who is in default pays nothing. What is paid moves cash
in the ledger, falls due on a value date and is netted with all else of it (services/clearing/booking/payments.py).
"""

from collections.abc import Iterator, Sequence
from typing import Final

from services.clearing.across import remainders
from services.clearing.across.kind import Decision, Stated
from services.clearing.booking import contracts, ledger, payments
from services.clearing.defaults import waterfalls
from services.clearing.margining import margin
from services.clearing.otc.bilateralbook import Claims
from services.clearing.state import UNKNOWN, State
from truetape import claims, ids
from truetape.margin.account import assess
from truetape.messages import ContractEvent, EntryBooked, Line, RoundHolding, RoundLeg, RoundSettling, RoundTerms
from truetape.remainder import carried, number_of
from truetape.service import Input
from truetape.topics import PARTITIONS

HOUSE: Final = "house:compression"
CLAIM: Final = "claim:"
CLAIMED: Final[ContractEvent] = "COMPRESSION"
PAID: Final[ContractEvent] = "SETTLEMENT_PAYMENT"
PAID_IN: Final = "settlement_asset"
"""Among a round's names, the asset of its claims."""


# -- the legs of a compression -----------------------------------------------------------------------------------------


def claimed(terms: RoundTerms, asset: str, account_id: str, amount_e8: int) -> RoundLeg:
    """A participant's claim, positive when it gets something."""
    return _leg(terms, CLAIMED, asset, account_id, amount_e8)


def _leg(terms: RoundTerms, event: str, asset: str, account_id: str, amount_e8: int) -> RoundLeg:
    name, where = ids.leg_id(terms.round_id, f"{event}/{account_id}"), ids.partition_of(account_id, PARTITIONS)
    return RoundLeg(name, account_id, event, asset, amount_e8, {}, where)


def entry(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    """A claim that arises, or what of one is paid now: no more than is open of it, and than the account can pay."""
    arises = leg.event == CLAIMED
    moved_e8 = leg.amount_e8 if arises else -_payable_e8(state, given, terms, leg)
    sides = ((CLAIM + leg.account_id, moved_e8), (HOUSE if arises else ledger.client(leg.account_id), -moved_e8))
    lines = tuple(Line(name, leg.asset, e8, payments.COMPRESSION) for name, e8 in sides if e8)
    return contracts.money_entry(
        given.meta(terms.round_id), leg.leg_id, leg.account_id, CLAIMED if arises else PAID, leg.asset, HOUSE, lines,
        "claim of a compression" if arises else "claim of a compression, paid", given.at_us,
        numbers={"asked_e8": leg.amount_e8}, ids={"round_id": terms.round_id, payments.TRADED: terms.asset},
    )  # fmt: skip


def _payable_e8(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> int:
    """Signed as the leg."""
    open_e8 = state.claims.get(number_of(terms.round_id)[0], Claims()).open.get(leg.account_id, 0)
    if leg.amount_e8 > 0:
        return max(0, min(leg.amount_e8, open_e8))
    return -max(0, min(-leg.amount_e8, -open_e8, free_e8(state, given, leg.account_id, leg.asset)))


def free_e8(state: State, given: Input, account_id: str, asset: str) -> int:
    """What an account can pay of an asset and still have its initial margin in all of them: as it could withdraw, but
    for open orders, which are risk's. Nothing in default, in debt, or on doubtful marks."""
    balances = state.balances.get(ledger.client(account_id), {})
    if waterfalls.in_default(state, account_id) or balances.get(asset, 0) <= 0:
        return 0
    needs = margin.margins_of(state, given, account_id)
    if isinstance(needs, str) or any(one.initial_excess_e8 < 0 for one in needs.values()):
        return 0
    free = balances[asset]
    if (own := needs.get(asset)) is not None:
        free = min(free, own.initial_excess_e8 - max(own.gains_e8, 0))
    if free <= 0 or not needs:
        return max(free, 0)
    held = margin.held_by(state, state.accounts.get(account_id, UNKNOWN))
    after = assess(balances | {asset: balances[asset] - free}, held, margin.seen_by(given))
    return free if all(one.initial_excess_e8 >= 0 for one in after.values()) else 0


# -- the rounds that follow --------------------------------------------------------------------------------------------


def stated(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """What is open here of a run's claims, what has come in and gone out, and what is set aside."""
    root, asset = number_of(terms.round_id)[0], terms.ids[PAID_IN]
    return list(_stated(state, given, root, asset))


def _stated(state: State, given: Input, root: str, asset: str) -> Iterator[RoundHolding]:
    known = state.claims.get(root)
    if known is None:
        return
    yield RoundHolding("", asset, {claims.IN: known.in_e8, claims.OUT: known.out_e8})
    for leg in remainders.set_aside(state, root):
        if leg.event == PAID:
            yield RoundHolding(leg.account_id, asset, {claims.PENDING: leg.amount_e8})
    for account_id, open_e8 in sorted(known.open.items()):
        if account_id not in state.halted:
            free = {claims.FREE: free_e8(state, given, account_id, asset)} if open_e8 < 0 else {}
            yield RoundHolding(account_id, asset, {claims.CLAIM: open_e8} | free)


def decide(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """Who pays and gets how much; another round follows until all who have a claim have got it."""
    asset, found = terms.ids[PAID_IN], claims.settlement(terms.numbers, [one for _, one in stated])
    legs = [_leg(terms, PAID, asset, who, amount_e8) for who, amount_e8 in found.legs.items()]
    return Decision(legs, {"left_e8": found.left_e8} | (carried(terms.numbers) if found.left_e8 else {}))


# -- evolve ------------------------------------------------------------------------------------------------------------


def booked(state: State, event: EntryBooked) -> None:
    """A claim has arisen, or something of one is paid."""
    if event.contract is None or event.contract.counterparty != HOUSE:
        return
    root = number_of(event.contract.ids["round_id"])[0]
    known = state.claims.setdefault(root, Claims())
    moved_e8 = sum(line.amount_e8 for line in event.lines if line.account.startswith(CLAIM))
    known.open[event.account_id] = known.open.get(event.account_id, 0) + moved_e8
    if not known.open[event.account_id]:
        del known.open[event.account_id]
    if event.contract.event == PAID:
        known.in_e8 += max(moved_e8, 0)
        known.out_e8 += max(-moved_e8, 0)


def settling(state: State, event: RoundSettling) -> None:
    """The last round of a run has nothing left to settle."""
    root, number = number_of(event.round.round_id)
    if number and not carried(event.outcome):
        state.claims.pop(root, None)
