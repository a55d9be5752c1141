"""The books of a partition cut by account, as the audit and `truetape books` see them."""

from typing import Any

from msgspec import to_builtins

from services.clearing.across import roundcommands
from services.clearing.booking import ledger
from services.clearing.closeout import auction, deleveraging
from services.clearing.defaults import default, porting
from services.clearing.margining import marginrun
from services.clearing.otc import bilateral, legs, moves, multilateral, uncleared
from services.clearing.state import UNKNOWN, State


def accounts(state: State) -> dict[str, Any]:
    """The books cut by account: clients with balances, positions, what is parked of them, trades that they are the
    home of and what is watched of their margin, then the others."""
    found: dict[str, Any] = {
        account_id: {
            "balances": state.balances.get(ledger.client(account_id), {}),
            "positions": state.accounts.get(account_id, UNKNOWN).positions,
            "parked": [one.shown() for one in state.halted.get(account_id, ())],
        }
        for account_id in sorted(state.accounts.keys() | state.halted.keys())
    }
    for one in state.trades.values():
        found.setdefault(one.home_id, {}).setdefault("trades", []).append(bilateral.shown(one))
    for move in state.moves.values():
        found.setdefault(move.home_id, {}).setdefault("trades", []).append(moves.shown_move(move))
    for leg_id, leg in sorted(state.legs.asked.items()):
        found.setdefault(leg.account_id, {}).setdefault("asked", {})[leg_id] = legs.shown(leg)
    for account_id, opened in state.legs.open.items():
        found.setdefault(account_id, {})["legs"] = opened
    for account_id, name, content in marginrun.shown(state):
        found.setdefault(account_id, {}).setdefault(name, []).append(to_builtins(content))
    for account_id, owed in state.payments.items():
        found.setdefault(account_id, {})["payments"] = owed
    for known in state.rounds.homed.values():
        found.setdefault(known.terms.home_id, {}).setdefault("rounds", []).append(roundcommands.shown(known))
    for account_id, declared in state.defaults.items():
        found.setdefault(account_id, {})["default"] = default.shown(declared)
        if borne := state.borne.get(account_id):
            found[account_id]["borne"] = [default.shown(one) for one in borne.values()]
    for account_id, name, told in porting.shown(state):
        found.setdefault(account_id, {})[name] = told
    for sold in state.auctions.values():
        found.setdefault(sold.account_id, {}).setdefault("auctions", []).append(auction.shown(sold))
    for closed in state.deleveragings.running.values():
        found.setdefault(closed.account_id, {}).setdefault("deleveragings", []).append(deleveraging.shown(closed))
    for home_id, kept in uncleared.shown(state):
        found.setdefault(home_id, {}).setdefault("bilateral", []).append(kept)
    for run in state.compressions.open.values():
        found.setdefault(run.account_id, {}).setdefault("compressions", []).append(multilateral.shown(run))
    others = {name: assets for name, assets in state.balances.items() if not name.startswith("client:")}
    for name, assets in others.items():
        found.setdefault(name, {})["balances"] = assets
    return found
