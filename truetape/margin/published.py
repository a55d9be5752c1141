"""What margin of an account sees of the world: published marks and reference data, at one moment."""

from typing import Final, NamedTuple

from msgspec import Struct

from truetape.errors import MarkWanted
from truetape.marks import Marks
from truetape.messages import ContractTerms, MarkPublished
from truetape.reference import Reference

SECOND_US: Final = 1_000_000


class MarkUsed(Struct, frozen=True, gc=False):
    """A mark that a need was computed from: evidence."""

    instrument_id: str
    price_e8: int
    observed_at_us: int
    epoch: int
    sequence: int
    stale: bool = False
    """Older than it may be: the model has added its contingency."""


class Published(NamedTuple):
    """Marks, reference data, the moment, and how old a mark may be (None: as each contract says)."""

    marks: Marks
    reference: Reference
    at_us: int
    max_age_us: int | None = None

    @property
    def second_us(self) -> int:
        """The second that the moment falls into: what models take for the time."""
        return self.at_us - self.at_us % SECOND_US

    def terms_of(self, instrument_id: str) -> ContractTerms | None:
        """The terms of a contract; None for spot and for what is not known."""
        instrument = self.reference.instruments.get(instrument_id)
        return instrument.contract if instrument is not None else None

    def mark_e8(self, name: str, terms: ContractTerms) -> int:
        """The newest mark of an instrument or index. Raises MarkWanted when there is none, or no fresh one."""
        mark = self.newest(name)
        if self.is_stale(mark, terms):
            raise MarkWanted(name, self.at_us - mark.observed_at_us)
        return mark.price_e8

    def newest(self, name: str) -> MarkPublished:
        """The newest mark, however old. Raises MarkWanted when there is none."""
        mark = self.marks.newest.get(name)
        if mark is None:
            raise MarkWanted(name, None)
        return mark

    def is_stale(self, mark: MarkPublished, terms: ContractTerms) -> bool:
        """Whether a mark is older than it may be; one from the future is as doubtful."""
        return abs(self.at_us - mark.observed_at_us) > self.most_us(terms)

    def most_us(self, terms: ContractTerms) -> int:
        """How old a mark may be that is looked at for a contract."""
        return terms.mark_max_age_us if self.max_age_us is None else self.max_age_us

    def used(self, name: str, terms: ContractTerms) -> MarkUsed:
        """The evidence of a mark. Raises MarkWanted when there is none."""
        mark = self.newest(name)
        stale = self.is_stale(mark, terms)
        return MarkUsed(name, mark.price_e8, mark.observed_at_us, mark.meta.epoch, mark.meta.sequence, stale)

    def fresh(self, name: str, terms: ContractTerms) -> MarkUsed | None:
        """The evidence of a mark; None where there is no fresh one."""
        if name not in self.marks.newest:
            return None
        used = self.used(name, terms)
        return None if used.stale else used
