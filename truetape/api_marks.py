"""The gateway's answers about marks: of which venues' books each was made."""

from typing import Literal

from msgspec import Struct

from truetape.api import Decimal, Time


class MarkSource(Struct, frozen=True):
    """A venue's book as the mark saw it."""

    venue: str
    bid: Decimal
    ask: Decimal
    status: Literal["COUNTED", "OUTLIER", "STALE", "CROSSED", "NO_BOOK"]
    observed_at: Time


class Mark(Struct, frozen=True):
    """The newest mark of an instrument."""

    instrument_id: str
    price: Decimal
    """Median of the mids of the books that counted."""
    bid: Decimal
    ask: Decimal
    venue: str
    """Whose books counted, joined by +."""
    observed_at: Time
    """When the oldest book that counted was last known right."""
    age_ms: int
    """How old that was when the mark was decided."""
    sources: list[MarkSource] = []
    """Every venue that lists it, and whether it counted or why not; empty where one venue does."""


class MarkWithheld(Struct, frozen=True):
    """An instrument without a mark since too few books count: its newest mark is old."""

    instrument_id: str
    reason: Literal["TOO_FEW_VENUES", "VENUES_DISAGREE"]
    venues_least: int
    outlier_rate: Decimal
    at: Time
    sources: list[MarkSource]


class Marks(Struct, frozen=True):
    """The newest mark of each instrument, and what has none now."""

    marks: list[Mark]
    withheld: list[MarkWithheld] = []
