"""An account as it would be once entries that are only drafted are booked: what a parcel asks margin of.

Drafts pay the funding that is due, as the entries will; so equity is what `margin.assessed` says of the account without
them, and tests/unit/test_risk_contracts.py holds it to that.
"""

from collections.abc import Mapping

from services.clearing.booking import contracts, ledger, trades
from services.clearing.booking.contracts import Draft
from services.clearing.state import UNKNOWN, State
from truetape.margin.account import AssetMargin, Held, assess
from truetape.margin.published import Published
from truetape.service import Input


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
