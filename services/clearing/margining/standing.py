"""How an account stands now: what it has in contracts, what that is worth at the marks, what margin says of it.

Funding up to the index of the moment counts as if it had been paid: it is booked with the next entry.
"""

from collections.abc import Mapping

from msgspec import Struct

from services.clearing.booking import contracts, ledger, trades
from services.clearing.booking.contracts import Draft
from services.clearing.margining.margin import seen_by
from services.clearing.state import UNKNOWN, State
from truetape.contracts import value
from truetape.margin.account import AssetMargin, Held, assess
from truetape.margin.published import Published
from truetape.messages import ContractTerms
from truetape.service import Input


class Holding(Struct, frozen=True):
    """A position in a contract at its mark."""

    terms: ContractTerms
    lot_e8: int
    quantity_e8: int
    cost_e8: int
    mark_e8: int
    worth_e8: int
    """What it is worth beyond what it cost; of an option its premium."""


class Standing(Struct, frozen=True):
    """An account in the contracts of one settlement asset."""

    margin: AssetMargin
    holdings: Mapping[str, Holding]
    """By instrument, those that are not flat."""
    value_e8: int
    """Balance, profit not yet paid, and all positions at their marks, bought options too."""

    @property
    def maintenance_e8(self) -> int:
        """Maintenance excess; negative: below maintenance."""
        return self.margin.maintenance_excess_e8


def drafts(state: State, given: Input, account_id: str) -> dict[str, Draft]:
    """Every contract of an account with a position or profit not yet paid, its funding paid."""
    found = {}
    for name in sorted(state.accounts.get(account_id, UNKNOWN).contracts):
        instrument = given.tables.reference.instruments.get(name)
        if instrument is None or instrument.contract is None:
            raise contracts.ContractRefused(f"{name} is no contract of the reference data: define it again")
        made = trades.draft_of(state, account_id, name, instrument.contract, trades.index_of(state, name))
        if made.position.quantity_e8 or made.position.realised_e8 != made.settled_e8:
            found[name] = made
    return found


def balances(state: State, account_id: str, made: Mapping[str, Draft]) -> dict[str, int]:
    """An account's balances after these drafts."""
    client = ledger.client(account_id)
    found = dict(state.balances.get(client, {}))
    for draft in made.values():
        for line in draft.lines:
            if line.account == client:
                found[line.asset] = found.get(line.asset, 0) + line.amount_e8
    return found


def assessed(account_balances: Mapping[str, int], made: Mapping[str, Draft], seen: Published) -> dict[str, AssetMargin]:
    """Margin of an account with these drafts. Raises MarginError."""
    held = {
        name: Held(draft.position.quantity_e8, draft.position.cost_e8, draft.position.realised_e8 - draft.settled_e8)
        for name, draft in made.items()
    }
    return assess(account_balances, held, seen)


def standing(state: State, given: Input, account_id: str, asset: str) -> Standing | None:
    """How an account stands in an asset; None without contracts that settle in it. Raises MarginError."""
    made, seen = drafts(state, given, account_id), seen_by(given)
    cash = balances(state, account_id, made)
    margin = assessed(cash, made, seen).get(asset)
    if margin is None:
        return None
    holdings, value_e8 = {}, margin.balance_e8
    for name, draft in made.items():
        if draft.terms.settlement_asset != asset:
            continue
        value_e8 += draft.position.realised_e8 - draft.settled_e8
        if draft.position.quantity_e8:
            holdings[name] = _at_mark(draft, given.tables.reference.instruments[name].lot_e8, seen)
            value_e8 += holdings[name].worth_e8
    return Standing(margin, holdings, value_e8)


def _at_mark(draft: Draft, lot_e8: int, seen: Published) -> Holding:
    held, mark_e8 = draft.position, seen.mark_e8(draft.instrument_id, draft.terms)
    worth_e8 = value(contracts.contract(draft.terms), held.quantity_e8, mark_e8, "half_even")
    if draft.terms.kind != "OPTION":
        worth_e8 -= held.cost_e8
    return Holding(draft.terms, lot_e8, held.quantity_e8, held.cost_e8, mark_e8, worth_e8)


def evidence(stands: Standing) -> tuple[dict[str, int], dict[str, str]]:
    """Numbers and names that an event keeps of what it saw: needs, marks with their place on the tape, models."""
    margin = stands.margin
    numbers = {
        "value_e8": stands.value_e8, "equity_e8": margin.equity_e8, "initial_e8": margin.initial_e8,
        "need_e8": margin.maintenance_e8, "maintenance_excess_e8": margin.maintenance_excess_e8,
    }  # fmt: skip
    names = {"models": ",".join(margin.models), "worst": margin.worst}
    for mark in margin.marks:
        numbers[f"mark_e8:{mark.instrument_id}"] = mark.price_e8
        stale = " stale" if mark.stale else ""
        names[f"mark:{mark.instrument_id}"] = f"{mark.epoch}/{mark.sequence} at {mark.observed_at_us}{stale}"
    return numbers, names
