"""The insurance fund: one fund, kept in parts by the partitions. A loss that its own partition's part cannot pay is
paid by the others' parts, in a round, before any default.

What a part may pay is free: no round holds it, and no insolvent auction keeps it for takers or waits for it. What an
auction may cost beyond that is asked of all parts too. All rounds that draw on the fund have the home of the clearing
fund's, so they run one after another and no unit is promised twice.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from services.clearing.across import requests
from services.clearing.across.kind import Decision, Kind, Stated
from services.clearing.across.parcels import INSURANCE
from services.clearing.booking import contracts, ledger
from services.clearing.defaults.waterfalls import HOME, unpaid
from services.clearing.state import INSURED_KEPT, State
from truetape import ids
from truetape.messages import (
    AuctionChanged,
    EntryBooked,
    Line,
    RoundHolding,
    RoundLeg,
    RoundRequested,
    RoundTerms,
)
from truetape.money import apportion
from truetape.service import Input
from truetape.topics import PARTITIONS

KIND: Final = "INSURANCE"
PURPOSE: Final = "insurance"
FREE: Final = "free_e8"
"""Under which name a part states what it may pay."""
Payee = Literal["ACCOUNT", "FUND"]
"""Who gets what the other parts pay: the account what it lacks, or its partition's part, for an auction."""


def free_e8(state: State, asset: str) -> int:
    """What this partition's part may pay now."""
    promised_e8 = sum(one.insurance_e8 + one.insurance_wanted_e8 for one in _insolvent(state, asset))
    return max(0, _unheld_e8(state, asset) - promised_e8)


def backing(state: State, asset: str, kind: str, lowest_e8: int, most_e8: int | None) -> tuple[int, int]:
    """What this partition's part keeps for the takers of an auction, and what the others are asked for besides: of the
    most that the house allows, or all that it may cost, no more than that. Of a solvent one it is what would be allowed
    if it turned."""
    allowed_e8 = -lowest_e8 if most_e8 is None else most_e8
    if kind == "solvent":
        return allowed_e8, 0
    kept_e8 = min(allowed_e8, free_e8(state, asset))
    return kept_e8, max(0, min(allowed_e8, -lowest_e8) - kept_e8)


def arrived_e8(state: State, known: AuctionChanged) -> int:
    """How much of what an auction waits for this partition's part has: what is kept for takers is not in it."""
    kept_e8 = sum(one.insurance_e8 for one in _insolvent(state, known.asset))
    return min(known.insurance_wanted_e8, max(0, _unheld_e8(state, known.asset) - kept_e8))


def _insolvent(state: State, asset: str) -> Iterator[AuctionChanged]:
    return (one for one in state.auctions.values() if one.kind == "insolvent" and one.asset == asset)


def _unheld_e8(state: State, asset: str) -> int:
    """What this partition's part has and no round holds."""
    held = (one for here in state.rounds.here.values() for one in here.holdings)
    held_e8 = sum(one.numbers[FREE] for one in held if one.account_id == INSURANCE and one.asset == asset)
    return state.balances.get(INSURANCE, {}).get(asset, 0) - held_e8


def ask(
    state: State, given: Input, subject_id: str, account_id: str, asset: str, missing_e8: int, payee: Payee
) -> RoundRequested | None:
    """Ask all parts to pay for a loss; nothing when they were asked for it before: each loss asks once."""
    assert missing_e8 > 0, "nothing is missing"
    if subject_id in state.insured.ids:
        return None
    terms = RoundTerms(
        round_of(subject_id), KIND, HOME, asset, {"missing_e8": missing_e8},
        {"account_id": account_id, "subject_id": subject_id, "payee": payee}, "clearing",
    )  # fmt: skip
    return requests.request(given, account_id, terms)


def waits(state: State, subject_id: str) -> bool:
    """Whether a liquidation or auction waits for the other parts."""
    return requests.waits(state, round_of(subject_id))


def round_of(subject_id: str) -> str:
    """The round of a loss."""
    return f"{subject_id}/{KIND}"


def requested(state: State, event: RoundRequested) -> None:
    """All parts are asked for this loss, once."""
    if event.round.kind == KIND:
        state.insured.add(event.round.ids["subject_id"], INSURED_KEPT)


def lacking_e8(state: State, given: Input, account_id: str, asset: str) -> int:
    """What an account that holds no contract any more lacks to zero."""
    cash_e8 = state.balances.get(ledger.client(account_id), {}).get(asset, 0)
    return max(0, -cash_e8 - sum(amount_e8 for _, amount_e8 in unpaid(state, account_id, asset, given)))


# -- the round ---------------------------------------------------------------------------------------------------------


def parts(state: State, _: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """What this partition's part may pay, held until the round is settled here."""
    amount_e8 = free_e8(state, terms.asset)
    return [RoundHolding(INSURANCE, terms.asset, {FREE: amount_e8})] if amount_e8 else []


def _decide(_: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """Every part pays in proportion to what it has."""
    shares = shared(stated, terms.numbers["missing_e8"])
    paid_e8 = sum(amount_e8 for _, amount_e8 in shares)
    legs = [_leg(terms, "", amount_e8, partition) for partition, amount_e8 in shares if amount_e8]
    if paid_e8:
        account_id = terms.ids["account_id"]
        legs.append(_leg(terms, account_id, -paid_e8, ids.partition_of(account_id, PARTITIONS)))
    return Decision(legs, {"missing_e8": terms.numbers["missing_e8"], "paid_e8": paid_e8})


def shared(stated: Stated, wanted_e8: int) -> list[tuple[int, int]]:
    """By partition, how much of an amount its part pays: as much as there is, in proportion to what each has."""
    found = [(partition, one.numbers[FREE]) for partition, one in stated if one.account_id == INSURANCE]
    have = [amount_e8 for _, amount_e8 in found]
    shares = apportion(min(wanted_e8, sum(have)), have)
    return [(partition, share_e8) for (partition, _), share_e8 in zip(found, shares, strict=True)]


def _leg(terms: RoundTerms, account_id: str, amount_e8: int, partition: int) -> RoundLeg:
    """What goes to a part of the fund waits for no account, also when that of the auction is halted."""
    leg_id = ids.leg_id(terms.round_id, f"{account_id}/{partition}")
    who = account_id if terms.ids["payee"] == "ACCOUNT" else ""
    return RoundLeg(leg_id, who, "INSURANCE_FUND", terms.asset, amount_e8, {}, partition)


def _entry(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> EntryBooked:
    """Between the parts and the account stands the home of the round, so each partition's books sum to zero."""
    lines = tuple(one for one in _lines(state, given, terms, leg) if one.amount_e8)
    names = {"round_id": terms.round_id, "loss_id": terms.ids["subject_id"]}
    return contracts.money_entry(
        given.meta(terms.round_id), leg.leg_id, leg.account_id, "INSURANCE_FUND", terms.asset, HOME, lines,
        "loss beyond the account's money", given.at_us, numbers={"amount_e8": leg.amount_e8}, ids=names,
    )  # fmt: skip


def _lines(state: State, given: Input, terms: RoundTerms, leg: RoundLeg) -> Iterator[Line]:
    """What the account no longer lacks, since money came in meanwhile, stays in the fund, in its partition's part."""
    paid_e8, asset = -leg.amount_e8, terms.asset
    if paid_e8 > 0:
        account_id, to_account = leg.account_id, terms.ids["payee"] == "ACCOUNT"
        gets_e8 = min(paid_e8, lacking_e8(state, given, account_id, asset)) if to_account else 0
        yield Line(ledger.client(account_id), asset, gets_e8, PURPOSE)
        yield Line(INSURANCE, asset, paid_e8 - gets_e8, PURPOSE)
    else:
        yield Line(INSURANCE, asset, paid_e8, PURPOSE)
    yield Line(HOME, asset, -paid_e8, PURPOSE)


ROUND: Final = Kind(parts, _decide, _entry)
