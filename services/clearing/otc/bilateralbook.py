"""What a partition keeps of bilateral trades: those that are open at homes here, and runs of compression."""

from msgspec import Struct, field

from truetape.messages import BilateralTrade, CompressionChanged
from truetape.recent import Recent


class Uncleared(Struct):
    """Trades of two that the house does not stand between, whose home this partition is."""

    open: dict[str, BilateralTrade] = {}
    """By trade id."""
    leaving: dict[str, str] = {}
    """By trade id, the party that wants to end it."""
    held: dict[str, str] = {}
    """By trade id, the run of compression whose participants are asked: until it is decided, nothing else ends it."""


class Claims(Struct):
    """Claims of one run of compression, of accounts of this partition, until all of the run are settled."""

    open: dict[str, int] = {}
    """By account: positive it gets, negative it owes."""
    in_e8: int = 0
    out_e8: int = 0
    """What its accounts here have paid, and got."""


class Runs(Struct):
    """Runs of compression; all have one home."""

    open: dict[str, CompressionChanged] = {}
    """By run id: the proposal, with who has accepted and how it stands."""
    ended: dict[str, None] = {}
    """Ids of those that ended last."""
    recent: Recent = field(default_factory=Recent)
