"""One mark of several venues' books. Pure.

A book is fresh when it is uncrossed and was known right lately. The centre is the median of all fresh mids; whoever is
further from it than the outlier rate does not count, and the mark is the median of those who do. They have to be as
many as the instrument asks for, and more than half of the fresh ones. Where the fresh ones are even in number, the two
in the middle have to lie within the rate of one another: else nobody decides which is right, as between two venues.
Without all of that there is no mark, and what is older goes stale.

So a venue that says anything at all moves a mark no further than the outlier rate beyond what the others say; where
they lie within that rate of one another, and are two at least, not beyond them at all. (A single venue that is enough
by the instrument's terms is of course believed.) tests/unit/test_pricing.py holds both.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from services.pricing.tops import Top
from truetape.messages import MarkSource, MarkTerms
from truetape.money import ONE_E8, divide

BOOK_MAX_AGE_US: Final = 3_000_000
"""No mark is taken from a book that was last known right longer ago."""
USUAL_RATE_E8: Final = 5_000_000
"""Of an instrument without terms: 5 % from the median is too far."""
Status = Literal["COUNTED", "OUTLIER", "STALE", "CROSSED", "NO_BOOK"]
"""Whether a venue counted, or why not."""
Reason = Literal["TOO_FEW_VENUES", "VENUES_DISAGREE"]


class Consensus(NamedTuple):
    """The books that count, and every venue as evidence."""

    counted: tuple[Top, ...]
    """In order of name; empty when there is no mark."""
    reason: Reason | None
    """Why there is none."""
    sources: tuple[MarkSource, ...]


def usual(venues: int) -> MarkTerms:
    """Terms of an instrument that has none and is listed by so many venues. Of three and more two have to agree; of two
    one is enough, since else the outage of either would stop the instrument."""
    return MarkTerms(1 if venues <= 2 else 2, USUAL_RATE_E8)


def agree(tops: Sequence[Top], without: Sequence[str], terms: MarkTerms, at_us: int) -> Consensus:
    """Which books make the mark."""
    seen = sorted(tops, key=lambda top: top.venue)
    fresh = [top for top in seen if _doubt(top, at_us) is None]
    near = _near(fresh, terms.outlier_rate_e8)
    reason: Reason | None = None
    if len(near) < terms.venues_least or not near:
        reason = "TOO_FEW_VENUES" if len(fresh) == len(near) else "VENUES_DISAGREE"
    elif 2 * len(near) <= len(fresh):
        reason = "VENUES_DISAGREE"
    names = {top.venue for top in near}
    sources = [_source(top, _doubt(top, at_us) or ("COUNTED" if top.venue in names else "OUTLIER")) for top in seen]
    sources += [MarkSource(venue, 0, 0, 0, 0, "NO_BOOK") for venue in sorted(without)]
    return Consensus(tuple(near) if reason is None else (), reason, tuple(sources))


def median(values: Sequence[int]) -> int:
    """The middle one; between two of them, half-way, half to even."""
    ordered = sorted(values)
    return divide(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2], 2, "half_even")[0]


def mid_e8(top: Top) -> int:
    """Half-way between bid and ask, half to even."""
    return divide(top.bid_e8 + top.ask_e8, 2, "half_even")[0]


def _doubt(top: Top, at_us: int) -> Status | None:
    """Why a book is not fresh."""
    if not 0 < top.bid_e8 < top.ask_e8:
        return "CROSSED"
    return "STALE" if at_us - top.observed_at_us > BOOK_MAX_AGE_US else None


def _near(fresh: Sequence[Top], rate_e8: int) -> list[Top]:
    """Those near the centre; none where two of the middle are too far from one another for a centre."""
    if not fresh:
        return []
    mids_e8 = sorted(mid_e8(top) for top in fresh)
    low_e8, high_e8 = mids_e8[(len(mids_e8) - 1) // 2], mids_e8[len(mids_e8) // 2]
    if (high_e8 - low_e8) * ONE_E8 > low_e8 * rate_e8:
        return []
    centre_e8 = median(mids_e8)
    return [top for top in fresh if abs(mid_e8(top) - centre_e8) * ONE_E8 <= centre_e8 * rate_e8]


def _source(top: Top, status: Status) -> MarkSource:
    return MarkSource(top.venue, top.bid_e8, top.ask_e8, top.sequence, top.observed_at_us, status)
