"""Balances and positions of one partition, kept in arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from truetape.books.judge import FLAT, Holding
from truetape.books.trades import moves
from truetape.columns import Bools, Ints

LIMB = 32
CELLS_MAX = 1 << 27
"""Ledger accounts times assets that one partition may have: 2 GiB."""


class Balances:
    """The sum of all lines by ledger account and asset, in two limbs: no number of records can overflow it."""

    def __init__(self) -> None:
        self._high: Ints = np.zeros((64, 8), np.int64)
        self._low: Ints = np.zeros((64, 8), np.int64)

    def add(self, accounts: Ints, assets: Ints, amounts: Ints) -> None:
        """Lines, by numbers of account and asset."""
        if not len(accounts):
            return
        self._grow(int(accounts.max()) + 1, int(assets.max()) + 1)
        cells = accounts * self._high.shape[1] + assets
        np.add.at(self._high.reshape(-1), cells, amounts >> LIMB)
        np.add.at(self._low.reshape(-1), cells, amounts & ((1 << LIMB) - 1))

    def _grow(self, accounts: int, assets: int) -> None:
        shape = self._high.shape
        wanted = [max(have, 1 << (need - 1).bit_length()) for have, need in zip(shape, (accounts, assets), strict=True)]
        if wanted != list(shape):
            assert wanted[0] * wanted[1] <= CELLS_MAX, f"{wanted[0]} accounts with {wanted[1]} assets are too many"
            padding = [(0, new - old) for new, old in zip(wanted, shape, strict=True)]
            self._high, self._low = np.pad(self._high, padding), np.pad(self._low, padding)

    def items(self) -> Iterator[tuple[int, int, int]]:
        """(account number, asset number, balance) of what is not zero."""
        for account, asset in np.argwhere((self._high != 0) | (self._low != 0)).tolist():
            total = (int(self._high[account, asset]) << LIMB) + int(self._low[account, asset])
            if total:
                yield account, asset, total

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self._high.nbytes + self._low.nbytes


class Positions:
    """Quantity, cost and realised profit by account and instrument, after the entries seen so far."""

    def __init__(self) -> None:
        self._keys: Ints = np.zeros(0, np.int64)
        """account number << 24 | instrument number, ascending."""
        self._held: Ints = np.zeros((3, 0), np.int64)

    def verify(self, keys: Ints, trades: Any, doubtful: Bools) -> Bools:
        """Whether each trade of a batch moves its position as it says. What is right is kept as the new position.

        A trade's position before is what the trade before it says: where every step is right, so is the whole. Keys
        with a step that is not, or a doubtful one, are left as they were: their trades must be judged in turn.
        """
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        places = self._places(ordered[starts])
        groups = np.cumsum(np.concatenate([[0], (ordered[1:] != ordered[:-1]).astype(np.int64)]))
        said = np.stack([trades.said[name] for name in ("quantity_e8", "cost_e8", "realised_e8")])[:, order]
        before = np.empty_like(said)
        before[:, 1:] = said[:, :-1]
        before[:, starts] = self._held[:, places]
        right = moves(tuple(before), tuple(said), trades.moved_e8[order], trades.paid_e8[order])
        right &= trades.said["realised_now_e8"][order] == said[2] - before[2]
        small = np.all(np.abs(before) < 1 << 61, axis=0)
        bad = ~right | ~small | doubtful[order]
        wrong_groups = np.zeros(len(starts), np.bool_)
        wrong_groups[groups[bad]] = True
        ends = np.append(starts[1:], len(order)) - 1
        good = np.flatnonzero(~wrong_groups)
        self._held[:, places[good]] = said[:, ends[good]]
        found = np.empty(len(keys), np.bool_)
        found[order] = ~wrong_groups[groups]
        return found

    def get(self, key: int) -> Holding:
        """One position."""
        place = int(np.searchsorted(self._keys, key))
        if place < len(self._keys) and self._keys[place] == key:
            return Holding(*(int(value) for value in self._held[:, place]))
        return FLAT

    def set(self, key: int, holding: Holding) -> None:
        """One position, judged by itself."""
        place = self._places(np.array([key], np.int64))
        self._held[:, place] = np.array([holding], np.int64).T

    def _places(self, keys: Ints) -> Ints:
        """Where these keys (ascending, each once) stand; new ones are flat."""
        at = np.searchsorted(self._keys, keys)
        new = np.ones(len(keys), np.bool_)
        if len(self._keys):
            new = self._keys[np.minimum(at, len(self._keys) - 1)] != keys
        if new.any():
            self._keys = np.insert(self._keys, at[new], keys[new])
            self._held = np.insert(self._held, at[new], 0, axis=1)
        return at + np.cumsum(new) - new  # Each stands behind the new ones before it too.

    def items(self) -> Iterator[tuple[int, Holding]]:
        """(key, position)."""
        for key, held in zip(self._keys.tolist(), self._held.T.tolist(), strict=True):
            yield key, Holding(*held)

    @property
    def bytes(self) -> int:
        """Memory held."""
        return self._keys.nbytes + self._held.nbytes
