"""Rows of numbers, kept by what they were computed from.

A row is a function of its key alone, element by element. So what is kept can be neither wrong nor old, and no answer
depends on what was asked before: whether a row was kept shows in nothing but time.
"""

from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Final

import numpy as np

from truetape.margin.black76 import Floats

ROWS_KEPT: Final = 16_384
"""Rows of one memo. Where more are wanted all are forgotten."""


class Memo:
    """Rows of `width` numbers by key."""

    def __init__(self, width: int) -> None:
        self._lock = Lock()
        self._places: dict[Hashable, int] = {}
        self._table: Floats = np.empty((0, width))

    def rows(self, keys: Sequence[Hashable], compute: Callable[[list[int]], Floats]) -> Floats:
        """[len(keys), width]; `compute` gives the rows of the keys at these places."""
        with self._lock:
            wanted = self._wanted(keys)
            if len(self._places) + len(wanted) > ROWS_KEPT:
                self._places, self._table = {}, self._table[:0]
                wanted = self._wanted(keys)
            if len(wanted) > ROWS_KEPT:
                return compute(list(range(len(keys))))
            if wanted:
                self._keep(wanted, compute(list(wanted.values())))
            return self._table[[self._places[key] for key in keys]]

    def _wanted(self, keys: Sequence[Hashable]) -> dict[Hashable, int]:
        """Where each key stands that is not known."""
        known = self._places
        return {key: place for place, key in enumerate(keys) if key not in known}

    def _keep(self, wanted: dict[Hashable, int], rows: Floats) -> None:
        begin, end = len(self._places), len(self._places) + len(wanted)
        if end > len(self._table):
            grown = np.empty((2 * end, self._table.shape[1]))
            grown[:begin] = self._table[:begin]
            self._table = grown
        self._table[begin:end] = rows
        self._places |= {key: begin + place for place, key in enumerate(wanted)}
