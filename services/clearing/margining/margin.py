"""Margin of accounts as clearing has them, exactly.

Who has enough at a glance (services/clearing/margining/glance.py) needs no further look. The others are taken in one
more pass by their models; who is short there, or has something open, is assessed with all evidence
(truetape/margin/account.py), and only that counts.
"""

from collections.abc import Iterator

from services.clearing.booking import ledger, trades
from services.clearing.defaults import waterfalls
from services.clearing.state import UNKNOWN, Account, State
from truetape import funding
from truetape.errors import TruetapeError
from truetape.margin.account import Account as Margined
from truetape.margin.account import AssetMargin, Held, assess, assess_all
from truetape.margin.published import Published
from truetape.messages import CallTerms, EntryBooked, MarginSeen, MarkSeen
from truetape.money import ONE_E8, divide, fits
from truetape.service import Input


def seen_by(given: Input) -> Published:
    """What is published at the moment of a decision. Marks may be as old as each contract says."""
    return Published(given.tables.marks, given.tables.reference, given.at_us)


def held_by(state: State, account: Account) -> dict[str, Held]:
    """An account's contracts; funding up to now counts as not yet paid."""
    found: dict[str, Held] = {}
    for name, kept in account.contracts.items():
        position = account.positions[name]
        unpaid_e8 = funding.unpaid(
            position.quantity_e8, position.realised_e8 - kept.settled_e8, int(kept.funding_index_e18),
            trades.index_of(state, name),
        )  # fmt: skip
        if position.quantity_e8 or unpaid_e8:
            found[name] = Held(position.quantity_e8, position.cost_e8, unpaid_e8)
    return found


def assessed(state: State, given: Input, account_id: str) -> dict[str, AssetMargin]:
    """Margin of an account by settlement asset, as it is. Raises MarginError and MoneyError."""
    held = held_by(state, state.accounts.get(account_id, UNKNOWN))
    return assess(state.balances.get(ledger.client(account_id), {}), held, seen_by(given))


def margins_of(state: State, given: Input, account_id: str) -> dict[str, AssetMargin] | str:
    """Margin of an account by settlement asset, or why it is in doubt: nothing is called or sold on a doubtful mark."""
    if account_id in state.halted:
        return f"its ledger is halted by {state.halted[account_id][0].event_id}"
    try:
        found = assessed(state, given, account_id)
        for one in found.values():  # Records hold 64 bits.
            fits(max(abs(one.equity_e8), one.initial_e8, abs(one.gains_e8)))
    except TruetapeError as error:
        return _without_age(error)
    stale = sorted({used.instrument_id for one in found.values() for used in one.marks if used.stale})
    return f"stale marks of {', '.join(stale)}" if stale else {**_debts(state, account_id), **found}


def _debts(state: State, account_id: str) -> dict[str, AssetMargin]:
    """What an account owes that its contracts have left behind: it is below its need without any of them. In a default
    that is the default's own business, until its loss is borne."""
    if waterfalls.in_progress(state, account_id):
        return {}
    balances = state.balances.get(ledger.client(account_id), {})
    return {
        asset: AssetMargin(asset, balances.get(asset, 0), 0, 0, 0, "", (), {}, ())
        for asset in state.watch.owing.get(account_id, {})
    }


def booked(state: State, entry: EntryBooked) -> None:
    """Whether the account has less than nothing of an asset now: only contracts, and what comes in, change that."""
    account_id, owing = entry.account_id, state.watch.owing
    assets = dict(owing.get(account_id, {}))
    if entry.contract is not None:
        assets[entry.contract.settlement_asset] = None
    if assets:
        balances = state.balances.get(ledger.client(account_id), {})
        if owed := {asset: None for asset in assets if balances.get(asset, 0) < 0}:
            owing[account_id] = owed
        else:
            owing.pop(account_id, None)


def _without_age(error: TruetapeError) -> str:
    """What is in doubt, in the same words every second: a mark's age is left out."""
    name = getattr(error, "instrument_id", None)
    return f"no fresh mark of {name}" if name else f"{type(error).__name__}: {error}"[:200]


def level_e8(found: AssetMargin, terms: CallTerms) -> int:
    """Equity below which an account is called, and which a liquidation restores: between the two needs, rounded up."""
    between_e8 = found.initial_e8 - found.maintenance_e8
    return found.maintenance_e8 + divide(between_e8 * terms.level_rate_e8, ONE_E8, "up")[0]


def evidence(found: AssetMargin) -> MarginSeen:
    """An assessment as an event holds it."""
    marks = {
        used.instrument_id: MarkSeen(used.price_e8, used.sequence, used.epoch, used.observed_at_us)
        for used in found.marks
    }
    return MarginSeen(
        found.asset, found.balance_e8, found.gains_e8, found.initial_e8, found.maintenance_e8, found.worst,
        found.models, found.contributions, marks,
    )  # fmt: skip


# -- all accounts ------------------------------------------------------------------------------------------------------


def narrowed(state: State, given: Input, names: list[str]) -> list[str]:
    """Those of the doubtful accounts that are short of the initial need, or cannot be margined: the models take all of
    them in one pass."""
    accounts = {
        name: Margined(state.balances.get(ledger.client(name), {}), held_by(state, state.accounts[name]))
        for name in names
    }
    found = assess_all(accounts, seen_by(given)) if accounts else {}
    return [name for name in names if not _sound(found[name])]


def _sound(found: dict[str, AssetMargin] | TruetapeError) -> bool:
    return isinstance(found, dict) and all(one.initial_excess_e8 >= 0 for one in found.values())


def needs_look(state: State) -> Iterator[str]:
    """Accounts that are looked at in every run, whatever they have: something about them is open."""
    watch = state.watch
    yield from (name for name, known in state.defaults.items() if known.state == "DECLARED")
    yield from (name for name, known in state.portings.open.items() if known.state == "EXPIRED")
    yield from watch.doubts
    yield from watch.liquidations
    yield from watch.handed_over
    yield from (account_id for account_id in watch.owing if not waterfalls.in_progress(state, account_id))
    for call in watch.calls.values():
        yield call.account_id
