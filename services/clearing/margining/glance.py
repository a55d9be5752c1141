"""All accounts at a glance: one vectorised pass in floats, by the flat schedule and by the portfolio models.

Who has more than the initial need by more than floats can err needs no further look. Who has not, or holds something
that this pass cannot judge (no fresh mark, another model, collateral that a model would shock), is looked at exactly.
"""

from typing import Final, NamedTuple

import numpy as np

from services.clearing.booking import ledger, trades
from services.clearing.state import State
from truetape.errors import TruetapeError
from truetape.funding import ONE_E18
from truetape.margin import flat
from truetape.margin.account import class_of
from truetape.margin.black76 import Bools, Floats, Ints
from truetape.margin.classed import NOISE, SCANNED, Rows
from truetape.margin.published import Published
from truetape.margin.quoted import quoted
from truetape.margin.shelf import book_of
from truetape.messages import ContractTerms
from truetape.money import ONE_E8

ERROR_RATE: Final = 1e-9
"""How far a sum in floats is taken to be off, as a part of all that was added: far more than it can be."""
ERROR_E8: Final = 1_000.0


class Unit(NamedTuple):
    """A contract, in floats."""

    asset: str
    named: str
    """The margin class of a portfolio model; empty for the flat schedule."""
    value: float
    """What 1e-8 of one is worth at the mark, in 1e-8."""
    need: float
    """Flat: its initial need (of an option: of one sold)."""
    option: bool
    model: bool
    """Whether a portfolio model margins it."""


NOTHING: Final = Unit("", "", 0.0, 0.0, False, False)


class Places(dict[str, int]):
    """A number for each name, in order of appearance."""

    def __missing__(self, name: str) -> int:
        self[name] = place = len(self)
        return place


class Indices(dict[str, tuple[str, int]]):
    """Funding index of each contract now, in 1e-18: as accounts keep it, and as a number."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state

    def __missing__(self, name: str) -> tuple[str, int]:
        index_e18 = trades.index_of(self._state, name)
        self[name] = found = str(index_e18), index_e18
        return found


class Positions:
    """All positions in contracts as columns, account by account."""

    def __init__(self, state: State) -> None:
        self.places, self.account_ids = Places(), list[str]()
        counts, columns, quantities, costs, unpaid, funded = (list[int]() for _ in range(6))
        index = Indices(state)
        for account_id, account in state.accounts.items():
            if not (contracts := account.contracts):
                continue
            held = [account.positions[name] for name in contracts]
            self.account_ids.append(account_id)
            counts.append(len(held))
            columns += [self.places[name] for name in contracts]
            quantities += [one.quantity_e8 for one in held]
            costs += [one.cost_e8 for one in held]
            unpaid += [one.realised_e8 - kept.settled_e8 for one, kept in zip(held, contracts.values(), strict=True)]
            funded += [
                0 if kept.funding_index_e18 == index[name][0] else index[name][1] - int(kept.funding_index_e18)
                for name, kept in contracts.items()
            ]
        self.accounts = np.repeat(np.arange(len(counts)), counts)
        self.columns: Ints = np.array(columns, dtype=np.int64)
        self.quantities: Floats = np.array(quantities, dtype=np.float64)
        """1e-8 contracts."""
        self.costs: Floats = np.array(costs, dtype=np.float64)
        settled: Floats = np.array(unpaid, dtype=np.float64)
        self.live: Bools = (self.quantities != 0) | (settled != 0)
        self.unpaid = settled - self.quantities * (np.array(funded, dtype=np.float64) / ONE_E18)
        """Profit not yet paid, funding up to now counted."""


def doubtful(state: State, seen: Published) -> tuple[int, list[str]]:
    """How many accounts hold contracts, and which of them need an exact look, in order."""
    if not any(account.contracts for account in state.accounts.values()):
        return 0, []
    held = Positions(state)
    living = np.unique(held.accounts[held.live])
    if not len(living):
        return 0, []
    sums = Sums(held, seen)
    for asset, named in sorted(sums.classes):
        sums.scan(state, asset, named)
    short = sums.short(state)
    return len(living), sorted(held.account_ids[number] for number in sums.unsure | short)


class Sums:
    """What each account has and needs in each asset."""

    def __init__(self, held: Positions, seen: Published) -> None:
        self._held, self._seen = held, seen
        used = set(np.unique(held.columns[held.live]).tolist())
        units = [_unit(name, seen) if place in used else None for name, place in held.places.items()]
        judged = np.array([unit is not None for unit in units])[held.columns]
        self.unsure = set(held.accounts[held.live & ~judged].tolist())
        """Accounts that the pass cannot judge."""
        self._units = [unit or NOTHING for unit in units]
        self.classes = {(unit.asset, unit.named) for unit in self._units if unit.named}
        assets = Places()
        places = np.array([assets[unit.asset] for unit in self._units], dtype=np.int64)[held.columns]
        self._chosen = held.live & judged
        keys = held.accounts * len(assets) + places
        self._keys, self._rows = np.unique(keys[self._chosen], return_inverse=True)
        self._assets = list(assets)
        self._add()

    def _add(self) -> None:
        """Gains and flat needs, with how much was added to find them."""
        held, chosen = self._held, self._chosen
        columns, quantities, unpaid = held.columns[chosen], held.quantities[chosen], held.unpaid[chosen]
        values, needs, options, models = (
            np.array(each)[columns] for each in zip(*(unit[2:] for unit in self._units), strict=True)
        )
        worth = np.where(options & ~models & (quantities > 0), 0.0, quantities * values)
        cost = np.where(options, 0.0, held.costs[chosen])
        need = np.where(options, np.maximum(-quantities, 0.0), np.abs(quantities)) * needs
        self._spare = self._by_row(worth - cost + unpaid - need)
        self._added = self._by_row(np.abs(worth) + np.abs(cost) + np.abs(unpaid) + need)
        self._marked = np.where(options & models, worth, 0.0)

    def _by_row(self, numbers: Floats) -> Floats:
        return np.bincount(self._rows, numbers, len(self._keys)).astype(np.float64)

    def scan(self, state: State, asset: str, named: str) -> None:
        """Take what a portfolio model needs of what its contracts are worth, of all accounts at once."""
        held, seen = self._held, self._seen
        names = [name for name, unit in zip(held.places, self._units, strict=True) if unit[:2] == (asset, named)]
        inside = np.array([unit[:2] == (asset, named) for unit in self._units])[held.columns[self._chosen]]
        rows, accounts = np.unique(self._rows[inside], return_inverse=True)
        numbers = held.accounts[self._chosen][inside]
        shocked = [name for name, one in seen.reference.collateral.items() if one.cancels_risk]
        for number in np.unique(numbers).tolist() if shocked else ():
            balances = state.balances.get(ledger.client(held.account_ids[number]), {})
            if any(balances.get(name, 0) > 0 for name in shocked):
                self.unsure.add(number)
        try:
            book = book_of(seen.reference.margin_classes[named], sorted(names), seen)
            columns = np.array([book.place.get(name, -1) for name in held.places])[held.columns[self._chosen][inside]]
            contracts = held.quantities[self._chosen][inside] / ONE_E8
            of_rows = Rows(book, accounts, columns, contracts, [()] * len(rows))
            (equity, need, _), _ = book.sweep(of_rows)
        except TruetapeError:
            self.unsure |= set(numbers.tolist())
            return
        marked = np.bincount(accounts, self._marked[inside], len(rows)) / ONE_E8
        beyond = marked - equity
        need += np.where(beyond > NOISE * np.maximum(np.abs(marked), 1.0), beyond, 0.0)
        spots = {base: max(reading.value, 1.0) for base, reading in book.market.spots.items()}
        sizes = np.array([spots[line.base] for line in book.lines.values()])[columns] * np.abs(of_rows.quantities)
        self._spare[rows] -= need * ONE_E8
        self._added[rows] += (np.bincount(accounts, sizes, len(rows)) + np.abs(need)) * ONE_E8

    def short(self, state: State) -> set[int]:
        """Accounts whose equity may be below the initial need in some asset."""
        numbers = (self._keys // len(self._assets)).tolist()
        assets = [self._assets[place] for place in (self._keys % len(self._assets)).tolist()]
        cash = np.array([
            state.balances.get(ledger.client(self._held.account_ids[number]), {}).get(asset, 0)
            for number, asset in zip(numbers, assets, strict=True)
        ], dtype=np.float64)  # fmt: skip
        sure = cash + self._spare > ERROR_E8 + ERROR_RATE * (np.abs(cash) + self._added)
        return {number for number, fine in zip(numbers, sure.tolist(), strict=True) if not fine}


def _unit(name: str, seen: Published) -> Unit | None:
    """None: it cannot be margined at the marks, or by another model than this pass knows."""
    terms = seen.terms_of(name)
    if terms is None:
        return None
    named, option = class_of(terms, seen), terms.kind == "OPTION"
    try:
        if named is None:
            need = flat.unit_e8(terms, name, terms.initial_rate_e8, seen) / ONE_E8
            return Unit(terms.settlement_asset, "", _value(terms, seen.mark_e8(name, terms)), need, option, False)
        if named.model not in SCANNED:
            return None
        used = quoted(name, terms, named, seen).used
        seen.newest(terms.index)
    except TruetapeError:
        return None
    return Unit(terms.settlement_asset, named.name, _value(terms, used.price_e8), 0.0, option, True)


def _value(terms: ContractTerms, price_e8: int) -> float:
    """What 1e-8 of a contract is worth at the mark, in 1e-8."""
    if terms.style == "INVERSE" and terms.kind != "OPTION":
        return -terms.multiplier_e8 / price_e8
    return terms.multiplier_e8 * price_e8 / ONE_E8**2
