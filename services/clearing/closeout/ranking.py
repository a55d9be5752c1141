"""The rounds of a deleveraging: who holds the other side of a position that nobody buys, and who of them gives it up.

Each partition states its best candidates, home puts all in one order and decides how much of each is closed. The round
books nothing: positions may change after the answer, so each part is asked for as a parcel that takes no more than is
there (deleveraging.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from math import gcd
from typing import Final, NamedTuple

from services.clearing.across.kind import Decision, Kind, Stated, no_legs
from services.clearing.booking import contracts, ledger
from services.clearing.defaults.waterfalls import terms_of
from services.clearing.margining import margin
from services.clearing.state import UNLISTED, Account, State
from truetape.contracts import notional, value
from truetape.deleveraging import Candidate, Part, close_at, queue, rank
from truetape.margin.account import Account as Margined
from truetape.margin.account import AssetMargin, assess_all
from truetape.messages import ContractTerms, Position, RoundHolding, RoundTerms
from truetape.money import MAX_E8, ONE_E8, apportion
from truetape.service import Input

RANKED: Final = "DELEVERAGING"
"""Holders in profit, by rank, at the bankruptcy price."""
PRO_RATA: Final = "PARTIAL_TEAR_UP"
"""All holders of the other side in proportion, at the mark."""
CANDIDATES_MAX: Final = 100
"""Holders that one partition states; more are asked for by another round."""
LEFT: Final = "left_e8"
"""What of the position nobody takes, in a round's outcome."""


# -- what a partition states -------------------------------------------------------------------------------------------


def busy(state: State, account_id: str) -> str:
    """Why nobody may close an account's position from outside now: it is being closed already; empty when one may."""
    if account_id in state.deleveragings.running:
        return "its own positions are being deleveraged"
    if account_id in state.watch.liquidations:
        return "it is being liquidated"
    if any(sold.account_id == account_id for sold in state.auctions.values()):
        return "it is being auctioned"
    return ""


def _opposite(state: State, terms: RoundTerms) -> Iterator[tuple[str, Account, Position]]:
    """Accounts whose position would close the one that nobody buys, in order."""
    name, against_e8 = terms.ids["instrument_id"], terms.numbers["quantity_e8"]
    if state.contracts.get(name, UNLISTED).ended is not None:
        return
    for account_id, account in sorted(state.accounts.items()):
        held = account.positions.get(name)
        if held is None or held.quantity_e8 * against_e8 >= 0 or account_id == terms.ids["account_id"]:
            continue
        if account_id not in state.halted and not busy(state, account_id):
            yield account_id, account, held


def _in_profit(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """The holders who come first: in profit at the mark, and without a loss at the price, since they give up a gain and
    never their own money. Who cannot be margined cannot be ranked, and is not asked."""
    of = _terms(given, terms)
    winners = [one for one in _opposite(state, terms) if _gains(of, terms, one[2])]
    accounts = {
        name: Margined(state.balances.get(ledger.client(name), {}), margin.held_by(state, account))
        for name, account, _ in winners
    }
    margins = assess_all(accounts, margin.seen_by(given)) if accounts else {}
    found = []
    for name, _, held in winners:
        if isinstance(known := margins[name], Mapping) and terms.asset in known:
            found.append(_candidate(of, terms, name, held, known[terms.asset]))
    ranked = queue(terms.numbers["quantity_e8"], found)[:CANDIDATES_MAX]
    return [RoundHolding(one.account_id, terms.ids["instrument_id"], _numbers(one)) for one in ranked]


def _gains(of: ContractTerms, terms: RoundTerms, held: Position) -> bool:
    mark_e8, price_e8 = terms.numbers["mark_e8"], terms.numbers["price_e8"]
    return _gain_e8(of, held, mark_e8) > 0 and _gain_e8(of, held, price_e8) >= 0


def _gain_e8(of: ContractTerms, held: Position, price_e8: int) -> int:
    return value(contracts.contract(of), held.quantity_e8, price_e8, "down") - held.cost_e8


def _candidate(of: ContractTerms, terms: RoundTerms, name: str, held: Position, known: AssetMargin) -> Candidate:
    mark_e8 = terms.numbers["mark_e8"]
    return Candidate(
        name, held.quantity_e8, _gain_e8(of, held, mark_e8), abs(held.cost_e8),
        notional(contracts.contract(of), held.quantity_e8, mark_e8), known.equity_e8,
    )  # fmt: skip


def _numbers(one: Candidate) -> dict[str, int]:
    return {
        "held_e8": one.quantity_e8, "profit_e8": one.profit_e8, "cost_e8": one.cost_e8,
        "notional_e8": one.notional_e8, "equity_e8": one.equity_e8, "rate_e8": min(int(rank(one) * ONE_E8), MAX_E8),
    }  # fmt: skip


def _holders(state: State, given: Input, terms: RoundTerms) -> Sequence[RoundHolding]:
    """All holders of the other side, the largest first."""
    found = sorted(_opposite(state, terms), key=lambda one: (-abs(one[2].quantity_e8), one[0]))[:CANDIDATES_MAX]
    name = terms.ids["instrument_id"]
    return [RoundHolding(account_id, name, {"held_e8": held.quantity_e8}) for account_id, _, held in found]


def _terms(given: Input, terms: RoundTerms) -> ContractTerms:
    if (of := terms_of(given, terms.ids["instrument_id"])) is None:
        raise contracts.ContractRefused(f"{terms.ids['instrument_id']} is no contract of the reference data any more")
    return of


# -- what home decides -------------------------------------------------------------------------------------------------


def _ranked(given: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """Who gives up how much, in one order over all partitions."""
    name, quantity_e8, price_e8 = terms.ids["instrument_id"], terms.numbers["quantity_e8"], terms.numbers["price_e8"]
    of = contracts.contract(_terms(given, terms))
    known = {one.account_id: one for _, one in stated}
    report = close_at(name, terms.ids["account_id"], quantity_e8, price_e8, _comparable(quantity_e8, stated), of)
    return _decision(report.parts, known, report.left_e8)


def _comparable(quantity_e8: int, stated: Stated) -> list[Candidate]:
    """Candidates down to the last one of a partition that may have more: whom it has not stated would come next."""
    order = queue(quantity_e8, [_read(one) for _, one in stated])
    places = {one.account_id: place for place, one in enumerate(order)}
    last: dict[int, list[int]] = {}
    for partition, one in stated:
        last.setdefault(partition, []).append(places[one.account_id])
    full = [max(found) for found in last.values() if len(found) == CANDIDATES_MAX]
    return order[: min(full) + 1] if full else order


def _read(one: RoundHolding) -> Candidate:
    said = one.numbers
    return Candidate(
        one.account_id, said["held_e8"], said["profit_e8"], said["cost_e8"], said["notional_e8"], said["equity_e8"]
    )


def _pro_rata(given: Input, terms: RoundTerms, stated: Stated) -> Decision:
    """Everybody's part is in proportion to what he holds, in the largest step that fits all."""
    quantity_e8, price_e8 = terms.numbers["quantity_e8"], terms.numbers["price_e8"]
    of = contracts.contract(_terms(given, terms))
    known = {one.account_id: one for _, one in stated}
    names = sorted(known)
    holds = [abs(known[name].numbers["held_e8"]) for name in names]
    taken_e8 = min(abs(quantity_e8), sum(holds))
    unit_e8 = gcd(terms.numbers["lot_e8"], taken_e8, *holds)
    shares = apportion(taken_e8 // unit_e8, [held_e8 // unit_e8 for held_e8 in holds])
    sign = 1 if quantity_e8 > 0 else -1
    parts = [
        Part(name, place, share * unit_e8 * sign, -value(of, share * unit_e8 * sign, price_e8, "half_even"))
        for place, (name, share) in enumerate(
            ((name, share) for name, share in zip(names, shares, strict=True) if share), 1
        )
    ]
    return _decision(parts, known, quantity_e8 - sign * taken_e8)


def _decision(parts: Sequence[Part], known: Mapping[str, RoundHolding], left_e8: int) -> Decision:
    outcome = {LEFT: left_e8}
    for part in parts:
        told = known[part.account_id].numbers | {"quantity_e8": part.quantity_e8, "paid_e8": part.paid_e8}
        outcome |= {f"{part.rank}/{part.account_id}/{name}": number for name, number in told.items()}
    return Decision((), outcome)


class Chosen(NamedTuple):
    """A holder's part as a round's outcome says it."""

    rank: int
    account_id: str
    numbers: dict[str, int]


def chosen(outcome: Mapping[str, int]) -> list[Chosen]:
    """The parts of an outcome, the first rank first."""
    found: dict[tuple[int, str], dict[str, int]] = {}
    for key, number in outcome.items():
        if key != LEFT:
            place, rest = key.split("/", 1)
            account_id, name = rest.rsplit("/", 1)
            found.setdefault((int(place), account_id), {})[name] = number
    return [Chosen(place, account_id, numbers) for (place, account_id), numbers in sorted(found.items())]


KINDS: Final[Mapping[str, Kind]] = {
    RANKED: Kind(_in_profit, _ranked, no_legs),
    PRO_RATA: Kind(_holders, _pro_rata, no_legs),
}
