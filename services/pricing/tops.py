"""What pricing sees of the venues' books."""

from msgspec import Struct


class Top(Struct, frozen=True, gc=False):
    """The best prices of one venue's live book."""

    venue: str
    bid_e8: int
    ask_e8: int
    sequence: int
    observed_at_us: int
    """When the book was last known right, by our clock."""


class TopsSeen(Struct, frozen=True, gc=False):
    """The best prices of an instrument at every venue that lists it."""

    instrument_id: str
    tops: tuple[Top, ...]
    """Of venues with a live book."""
    interval_us: int
    """Shortest time between two marks."""
    without: tuple[str, ...] = ()
    """Venues that list it and have no live book."""
