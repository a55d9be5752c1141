"""What the reference data lists, arranged for margin, and marks that are noted as they are read.

Both say when something that was made of them still holds: while it is made of the same.
"""

from collections import OrderedDict, defaultdict
from threading import Lock
from typing import Final

from truetape.margin.published import MarkUsed, Published
from truetape.messages import ContractTerms, Instrument, MarkPublished

LISTINGS_KEPT: Final = 16
Futures = dict[tuple[str, int], list[tuple[str, ContractTerms]]]


class Listing:
    """The instruments of one version of the reference data: the same object as long as they are the same."""

    def __init__(self, instruments: dict[str, Instrument]) -> None:
        self._names, self._instruments = list(instruments), list(instruments.values())
        self.futures: Futures = defaultdict(list)
        """By underlying and expiry, in the order in which they were listed."""
        for name, one in instruments.items():
            if (terms := one.contract) is not None and terms.kind == "FUTURE":
                self.futures[one.base, terms.expires_at_us or 0].append((name, terms))

    def holds(self, instruments: dict[str, Instrument]) -> bool:
        """Whether these are the same. The structs are frozen, so mostly the objects are, and that is soon seen."""
        return self._instruments == list(instruments.values()) and self._names == list(instruments)


_listings: OrderedDict[int, Listing] = OrderedDict()
_lock: Final = Lock()


def listing_of(instruments: dict[str, Instrument]) -> Listing:
    """The listing of these instruments."""
    with _lock:
        known = _listings.get(id(instruments))
        if known is None or not known.holds(instruments):
            known = _listings[id(instruments)] = Listing(instruments)
            if len(_listings) > LISTINGS_KEPT:
                _listings.popitem(last=False)
        return known


class Noted(Published):
    """What is published, with notes of the marks that were read."""

    read: dict[tuple[str, int], tuple[MarkPublished | None, bool]]
    """By name and the most that its age may be: the mark, and whether it was stale."""

    @staticmethod
    def of(seen: Published) -> "Noted":
        """Nothing is read yet."""
        made = Noted(*seen)
        made.read = {}
        return made

    def used(self, name: str, terms: ContractTerms) -> MarkUsed:
        """As `Published.used`."""
        found = super().used(name, terms)
        self.read[name, self.most_us(terms)] = self.marks.newest[name], found.stale
        return found

    def fresh(self, name: str, terms: ContractTerms) -> MarkUsed | None:
        """As `Published.fresh`."""
        if name not in self.marks.newest:
            self.read[name, 0] = None, False
        return super().fresh(name, terms)

    def holds(self, seen: Published) -> bool:
        """Whether whoever reads the same there sees the same, and at the same second."""
        newest, at_us = seen.marks.newest, seen.at_us
        if self.second_us != seen.second_us:
            return False
        for (name, most_us), (mark, stale) in self.read.items():
            now = newest.get(name)
            if now is not mark or (now is not None and (abs(at_us - now.observed_at_us) > most_us) is not stale):
                return False
        return True
