"""One order book, kept from a REST snapshot and a stream of differences by Binance's published procedure. Pure.

The book is either equal to the venue's at `sequence`, or not live. A difference that does not continue the
sequence, or a book that crosses, makes it not live until a new snapshot; nothing is repaired by guessing.
Prices and quantities are integers in units of 1e-8.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

Level = tuple[int, int]
"""(price_e8, quantity_e8)."""
VIEW_LEVELS: Final = 100
"""Levels of each side that decisions see."""
BUFFER_MAX: Final = 2_000
"""Differences kept while a snapshot is awaited; when more come, the oldest go, and the snapshot must be newer."""


class BookView(Struct, frozen=True, gc=False):
    """What a decision sees of a book: one immutable value."""

    venue: str
    symbol: str
    sequence: int
    """The book's last update id."""
    observed_at_us: int
    """When the book was last known right, by our clock."""
    bids: tuple[Level, ...] = ()
    """Best first."""
    asks: tuple[Level, ...] = ()
    """Best first."""
    usable: bool = True
    """False while the session is doubtful; then there are no levels."""


class DepthDiff(Struct, frozen=True, gc=False):
    """New quantities of some levels; 0 removes one. Covers the update ids from `first` to `last`."""

    first: int
    last: int
    bids: Sequence[Level]
    asks: Sequence[Level]


class DepthSnapshot(Struct, frozen=True, gc=False):
    """The best levels at one update id; at most `limit` of each side, so that a full side may go on below."""

    last: int
    bids: Sequence[Level]
    asks: Sequence[Level]
    limit: int


class Ladder:
    """One side: levels by price, with the prices in ascending order."""

    __slots__ = ("_sign", "known_to", "prices", "quantities")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self.prices: list[int] = []
        self.quantities: dict[int, int] = {}
        self.known_to: int | None = None
        """The worst price that the snapshot reached when it was cut off; worse levels are not known."""

    def load(self, levels: Sequence[Level], limit: int) -> None:
        """Start again from a snapshot."""
        self.quantities = {price: quantity for price, quantity in levels if quantity}
        self.prices = sorted(self.quantities)
        cut_off = len(levels) >= limit and bool(self.prices)
        self.known_to = (self.prices[0] if self._sign > 0 else self.prices[-1]) if cut_off else None

    def set(self, price_e8: int, quantity_e8: int) -> None:
        """Set one level's quantity; 0 removes it. Levels beyond what is known stay unknown."""
        if self.known_to is not None and (price_e8 - self.known_to) * self._sign < 0:
            return
        known = price_e8 in self.quantities
        if quantity_e8:
            self.quantities[price_e8] = quantity_e8
            if not known:
                insort(self.prices, price_e8)
        elif known:
            del self.quantities[price_e8]
            del self.prices[bisect_left(self.prices, price_e8)]

    def best(self) -> int | None:
        """The best price."""
        return (self.prices[-1] if self._sign > 0 else self.prices[0]) if self.prices else None

    def top(self, count: int) -> tuple[Level, ...]:
        """The best levels, best first."""
        chosen = self.prices[: -count - 1 : -1] if self._sign > 0 else self.prices[:count]
        quantities = self.quantities
        return tuple([(price, quantities[price]) for price in chosen])

    def thin(self, limit: int) -> bool:
        """Whether so much of a cut-off side is gone that what follows below should be fetched."""
        return self.known_to is not None and len(self.prices) < limit // 4


class Book:
    """One book. `diff` and `snapshot` take what comes; `live` says whether the book may be used."""

    def __init__(self) -> None:
        self.bids = Ladder(1)
        self.asks = Ladder(-1)
        self.sequence = 0
        self.live = False
        self.gaps = 0
        """How often a difference did not continue the sequence, or the book crossed."""
        self._limit = 0
        self._waiting: deque[DepthDiff] = deque(maxlen=BUFFER_MAX)

    def reset(self) -> None:
        """Forget everything: the stream was interrupted."""
        self.live = False
        self._waiting.clear()

    def diff(self, diff: DepthDiff) -> bool:
        """Take one difference. Returns whether a usable book changed."""
        if not self.live:
            self._waiting.append(diff)
            return False
        if diff.last <= self.sequence:
            return False
        if diff.first > self.sequence + 1:
            self._distrust()
            self._waiting.clear()
            self._waiting.append(diff)
            return False
        self._apply(diff)
        if self.wants_snapshot():
            self._waiting.append(diff)
        return self.live

    def snapshot(self, snapshot: DepthSnapshot) -> bool:
        """Start from a snapshot and what has come since. Returns whether the book is live now; False means that
        the snapshot was older than the differences, or led to a crossed book: fetch another."""
        self.bids.load(snapshot.bids, snapshot.limit)
        self.asks.load(snapshot.asks, snapshot.limit)
        self.sequence, self._limit, self.live = snapshot.last, snapshot.limit, True
        waiting, self._waiting = self._waiting, deque(maxlen=BUFFER_MAX)
        for diff in waiting:
            self.diff(diff)
        if self.live and self._crossed():
            self._distrust()
        return self.live

    def wants_snapshot(self) -> bool:
        """Whether a snapshot is needed: the book is not live, or little is left of what the last one showed."""
        return not self.live or self.bids.thin(self._limit) or self.asks.thin(self._limit)

    def view(self, venue: str, symbol: str, observed_at_us: int) -> BookView:
        """The book as decisions see it."""
        if not self.live:
            return BookView(venue, symbol, self.sequence, observed_at_us, usable=False)
        bids, asks = self.bids.top(VIEW_LEVELS), self.asks.top(VIEW_LEVELS)
        return BookView(venue, symbol, self.sequence, observed_at_us, bids, asks)

    def _apply(self, diff: DepthDiff) -> None:
        for price_e8, quantity_e8 in diff.bids:
            self.bids.set(price_e8, quantity_e8)
        for price_e8, quantity_e8 in diff.asks:
            self.asks.set(price_e8, quantity_e8)
        self.sequence = diff.last
        if self._crossed():
            self._distrust()

    def _crossed(self) -> bool:
        bid, ask = self.bids.best(), self.asks.best()
        return bid is not None and ask is not None and bid >= ask

    def _distrust(self) -> None:
        self.gaps += 1
        self.live = False


def aged(view: BookView, observed_at_us: int) -> BookView:
    """The same book, known right at a later time."""
    return replace(view, observed_at_us=observed_at_us)
