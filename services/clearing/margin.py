"""Margin of accounts as clearing has them: one account exactly, all accounts at a glance.

The glance is one vectorised pass in floats by the flat schedule: who has more than the initial need by more than floats
can err needs no further look. The others are taken in one more pass by their models; who is short there, or has
something open, is assessed exactly with all evidence (truetape/margin/account.py), and only that counts.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from services.clearing import ledger, trades
from services.clearing.state import UNKNOWN, Account, State
from truetape import funding
from truetape.errors import TruetapeError
from truetape.margin import flat
from truetape.margin.account import Account as Margined
from truetape.margin.account import AssetMargin, Held, assess, assess_all
from truetape.margin.published import Published
from truetape.messages import CallTerms, MarginSeen, MarkSeen
from truetape.money import ONE_E8, divide, fits
from truetape.service import Input

ERROR_RATE: Final = 1e-9
"""How far a sum in floats is taken to be off, as a part of all that was added: far more than it can be."""
ERROR_E8: Final = 1_000.0


def seen_by(given: Input) -> Published:
    """What is published at the moment of a decision. Marks may be as old as each contract says."""
    return Published(given.tables.marks, given.tables.reference, given.at_us)


def held_by(state: State, account: Account) -> dict[str, Held]:
    """An account's contracts; funding up to now counts as not yet paid."""
    found: dict[str, Held] = {}
    for name, kept in account.contracts.items():
        position = account.positions[name]
        unpaid_e8 = position.realised_e8 - kept.settled_e8
        if position.quantity_e8:
            index_e18 = trades.index_of(state, name)
            unpaid_e8 += funding.payment(position.quantity_e8, int(kept.funding_index_e18), index_e18)
        if position.quantity_e8 or unpaid_e8:
            found[name] = Held(position.quantity_e8, position.cost_e8, unpaid_e8)
    return found


def margins_of(state: State, given: Input, account_id: str) -> dict[str, AssetMargin] | str:
    """Margin of an account by settlement asset, or why it is in doubt: nothing is called or sold on a doubtful mark."""
    if account_id in state.halted:
        return f"its ledger is halted by {state.halted[account_id][0].event_id}"
    held = held_by(state, state.accounts.get(account_id, UNKNOWN))
    try:
        found = assess(state.balances.get(ledger.client(account_id), {}), held, seen_by(given))
        for one in found.values():  # Records hold 64 bits.
            fits(max(abs(one.equity_e8), one.initial_e8, abs(one.gains_e8)))
    except TruetapeError as error:
        return _without_age(error)
    stale = sorted({used.instrument_id for one in found.values() for used in one.marks if used.stale})
    return f"stale marks of {', '.join(stale)}" if stale else found


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


# -- all accounts at a glance ------------------------------------------------------------------------------------------


class Unit(NamedTuple):
    """One contract of an instrument, in floats."""

    asset: str
    option: bool
    value: float
    """What one is worth at the mark."""
    need: float
    """Initial need of one (of an option: of one sold)."""
    index_e18: str


def doubtful(state: State, given: Input) -> tuple[int, list[str]]:
    """How many accounts hold contracts, and which of them need an exact look, in order."""
    seen, units = seen_by(given), dict[str, Unit | None]()
    names: list[str] = []
    unsure: set[int] = set()
    rows: dict[tuple[int, str], int] = {}
    row, column = list[int](), list[tuple[float, float, float, float]]()
    for account_id, account in state.accounts.items():
        number = len(names)
        for name, kept in account.contracts.items():
            position = account.positions[name]
            unpaid_e8 = position.realised_e8 - kept.settled_e8
            if not position.quantity_e8 and not unpaid_e8:
                continue
            if number == len(names):
                names.append(account_id)
            if name not in units:
                units[name] = _unit(state, name, seen)
            unit = units[name]
            if unit is None or kept.funding_index_e18 != unit.index_e18:
                unsure.add(number)
                continue
            row.append(rows.setdefault((number, unit.asset), len(rows)))
            column.append(_position(unit, position.quantity_e8, position.cost_e8, unpaid_e8))
    short = _short(state, names, rows, row, column)
    return len(names), sorted(names[number] for number in unsure | short)


def _position(unit: Unit, quantity_e8: int, cost_e8: int, unpaid_e8: int) -> tuple[float, float, float, float]:
    """Gains, need and how much was added to find them."""
    quantity = quantity_e8 / ONE_E8
    if unit.option and quantity >= 0:
        return 0.0, 0.0, float(unpaid_e8), abs(float(unpaid_e8))
    worth, need = quantity * unit.value, abs(quantity) * unit.need
    cost = 0 if unit.option else cost_e8
    return worth - cost, need, float(unpaid_e8), abs(worth) + abs(cost) + need + abs(unpaid_e8)


def _short(
    state: State, names: list[str], rows: dict[tuple[int, str], int], row: list[int],
    column: list[tuple[float, float, float, float]],
) -> set[int]:  # fmt: skip
    """Accounts whose equity may be below the initial need in some asset."""
    if not rows:
        return set()
    table = np.array(column, dtype=np.float64)
    places = np.array(row)
    gains, needs, unpaid, added = (np.bincount(places, table[:, at], len(rows)) for at in range(4))
    cash = np.array(
        [state.balances.get(ledger.client(names[number]), {}).get(asset, 0) for number, asset in rows], dtype=np.float64
    )
    spare = cash + gains + unpaid - needs
    sure = spare > ERROR_E8 + ERROR_RATE * (np.abs(cash) + added)
    return {number for (number, _), fine in zip(rows, sure.tolist(), strict=True) if not fine}


def _unit(state: State, name: str, seen: Published) -> Unit | None:
    """None: it has no fresh mark, or another model than the flat schedule."""
    terms = seen.terms_of(name)
    if terms is None or terms.margin_class != flat.NAME:
        return None
    try:
        need = flat.unit_e8(terms, name, terms.initial_rate_e8, seen)
        worth = flat.gain_e8(terms, name, -ONE_E8, 0, seen)
    except TruetapeError:
        return None
    index_e18 = str(trades.index_of(state, name))
    return Unit(terms.settlement_asset, terms.kind == "OPTION", -float(worth), float(need), index_e18)


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
    for call in watch.calls.values():
        yield call.account_id
