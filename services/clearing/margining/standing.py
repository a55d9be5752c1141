"""How an account stands now in one asset, for those who sell or take over what it holds: each contract at its mark,
what all of it is worth, and margin as `margin.py` says it.
"""

from collections.abc import Mapping

from msgspec import Struct

from services.clearing.booking import contracts
from services.clearing.margining import margin
from services.clearing.state import UNKNOWN, State
from truetape.contracts import value
from truetape.margin.account import AssetMargin, Held, terms_of
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


def standing(state: State, given: Input, account_id: str, asset: str) -> Standing | None:
    """How an account stands in an asset; None without contracts that settle in it. Raises MarginError, MoneyError."""
    found = margin.assessed(state, given, account_id).get(asset)
    if found is None:
        return None
    seen, holdings, value_e8 = margin.seen_by(given), dict[str, Holding](), found.balance_e8
    for name, held in margin.held_by(state, state.accounts.get(account_id, UNKNOWN)).items():
        terms = terms_of(name, seen)
        if terms.settlement_asset != asset:
            continue
        value_e8 += held.unpaid_e8
        if held.quantity_e8:
            holdings[name] = _at_mark(name, held, terms, seen)
            value_e8 += holdings[name].worth_e8
    return Standing(found, holdings, value_e8)


def _at_mark(name: str, held: Held, terms: ContractTerms, seen: Published) -> Holding:
    mark_e8, lot_e8 = seen.mark_e8(name, terms), seen.reference.instruments[name].lot_e8
    worth_e8 = value(contracts.contract(terms), held.quantity_e8, mark_e8, "half_even")
    if terms.kind != "OPTION":
        worth_e8 -= held.cost_e8
    return Holding(terms, lot_e8, held.quantity_e8, held.cost_e8, mark_e8, worth_e8)


def evidence(stands: Standing) -> tuple[dict[str, int], dict[str, str]]:
    """Numbers and names that an event keeps of what it saw: needs, marks with their place on the tape, models."""
    found = stands.margin
    numbers = {
        "value_e8": stands.value_e8, "equity_e8": found.equity_e8, "initial_e8": found.initial_e8,
        "need_e8": found.maintenance_e8, "maintenance_excess_e8": found.maintenance_excess_e8,
    }  # fmt: skip
    names = {"models": ",".join(found.models), "worst": found.worst}
    for mark in found.marks:
        numbers[f"mark_e8:{mark.instrument_id}"] = mark.price_e8
        stale = " stale" if mark.stale else ""
        names[f"mark:{mark.instrument_id}"] = f"{mark.epoch}/{mark.sequence} at {mark.observed_at_us}{stale}"
    return numbers, names
