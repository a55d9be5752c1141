"""Class books that were made of late: one holds as long as all that it was made of is the same.

Nothing depends on whether a book was found here or made anew; it is no state, and every process has its own.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from threading import Lock
from typing import Final, NamedTuple

from truetape.margin.classed import ClassBook, Coin
from truetape.margin.listing import Listing, Noted, listing_of
from truetape.margin.published import Published
from truetape.messages import MarginClass

BOOKS_KEPT: Final = 256
"""The one that was asked for longest ago is forgotten first."""


class Kept(NamedTuple):
    """A book, and what it was made of beside its key."""

    book: ClassBook
    listing: Listing
    noted: Noted


_kept: OrderedDict[Hashable, Kept] = OrderedDict()
_lock: Final = Lock()


def book_of(named: MarginClass, names: Iterable[str], seen: Published, coins: Sequence[Coin] = ()) -> ClassBook:
    """`ClassBook(named, names, seen, coins)`. Raises MarginError."""
    wanted = tuple(names)
    key = named, wanted, tuple((coin.terms, coin.used) for coin in coins), seen.max_age_us
    listing = listing_of(seen.reference.instruments)
    with _lock:
        known = _kept.get(key)
        if known is not None and known.listing is listing and known.noted.holds(seen):
            _kept.move_to_end(key)
            return known.book
    noted = Noted.of(seen)
    book = ClassBook(named, wanted, noted, coins)
    with _lock:
        _kept[key] = Kept(book, listing, noted)
        _kept.move_to_end(key)
        if len(_kept) > BOOKS_KEPT:
            _kept.popitem(last=False)
    return book
