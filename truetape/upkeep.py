"""What a partition needs from time to time, whatever its inputs are: its timer, and snapshots of its state."""

from dataclasses import dataclass

from truetape.snapshots import Kept


@dataclass(slots=True)
class Clock:
    """When a partition was last kept as a snapshot, and the one that waits for its report."""

    kept_at: float
    records: int = 0
    waiting: Kept | None = None
    ticked_at: float = 0.0
    waiting_since: float = 0.0
    """Since when the oldest record in flight waits for its report."""
