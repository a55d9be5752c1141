"""Money that goes out of the clearing fund, the house's capital or the insurance fund: decided by all partitions.

A loss anywhere may still need it, and only the partition of the account that lost knows of it. So each is asked what
stands against it, and the round has the home of the rounds of defaults: a withdrawal is decided before or after one of
them, never beside it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from services.clearing.across.kind import Decision, Kind, Stated
from services.clearing.defaults import fund, insurance
from services.clearing.defaults.fund import WITHDRAWAL
from services.clearing.defaults.waterfalls import CAPITAL
from services.clearing.state import State
from truetape import ids
from truetape.default.withdrawal import AGAINST, PAID, SHORT, refusal
from truetape.messages import EntryBooked, MoveFund, RoundHolding, RoundLeg, RoundTerms
from truetape.service import Input
from truetape.topics import PARTITIONS

OPEN: Final = ("DECLARED", "LOSS_FIXED")
"""States of a default whose loss nobody has borne yet."""


def losses(state: State) -> Iterator[str]:
    """Accounts of this partition with a loss that is not borne: in default, or liquidated below zero."""
    yield from (name for name, known in state.defaults.items() if known.state in OPEN)
    yield from (name for name, one in state.watch.handed_over.items() if one.outcome == "BANKRUPT")


def _answer(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """What stands against it here, and what there is of what is wanted."""
    found = [RoundHolding(name, terms.asset, {"against": 1}) for name in sorted({*losses(state)})]
    purpose, account_id = terms.ids["purpose"], terms.ids["account_id"]
    if purpose == "INSURANCE":
        return [*found, *insurance.parts(state, given, terms)]
    if ids.partition_of(account_id, PARTITIONS) == given.partition:
        have_e8 = state.balances.get(fund.account_of(purpose, account_id), {}).get(terms.asset, 0)
        holder = "" if account_id == CAPITAL else account_id
        found.append(RoundHolding(holder, terms.asset, {"have_e8": have_e8}))
    return found


def _decide(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """All of it, or nothing and why."""
    wanted_e8 = terms.numbers["amount_e8"]
    if against := {f"{AGAINST}{one.account_id}": 1 for _, one in stated if "against" in one.numbers}:
        return Decision((), against, refusal(against))
    if terms.ids["purpose"] == "INSURANCE":
        shares = [(partition, amount_e8) for partition, amount_e8 in insurance.shared(stated, wanted_e8) if amount_e8]
    else:
        shares = [(partition, wanted_e8) for partition, one in stated if one.numbers.get("have_e8", 0) >= wanted_e8]
    if (paid_e8 := sum(amount_e8 for _, amount_e8 in shares)) != wanted_e8:
        short = {SHORT: wanted_e8 - paid_e8}
        return Decision((), short, refusal(short))
    return Decision([_leg(terms, *share) for share in shares], {PAID: paid_e8})


def _leg(terms: RoundTerms, partition: int, amount_e8: int) -> RoundLeg:
    """It does not stand against the home: the money leaves the house."""
    holder = terms.ids["account_id"] if terms.ids["purpose"] == "FUND" else ""
    leg_id = ids.leg_id(terms.round_id, str(partition))
    event = fund.EVENTS[terms.ids["purpose"]]
    return RoundLeg(leg_id, holder, event, terms.asset, 0, {"amount_e8": -amount_e8}, partition)


def _entry(_: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    names = terms.ids
    command = MoveFund(
        names["command_id"], names["account_id"], terms.asset, leg.numbers["amount_e8"], names["location"],
        names["purpose"], terms.requested_by, names["reason"],
    )  # fmt: skip
    return fund.entry(given, command, leg.leg_id, terms.round_id)


KIND: Final = WITHDRAWAL
ROUND: Final = Kind(_answer, _decide, _entry)
