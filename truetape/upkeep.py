"""What a partition needs from time to time, whatever its inputs are: its timer, and snapshots of its state."""

from dataclasses import dataclass
from typing import Final

from truetape.snapshots import Kept

NEVER: Final = float("inf")


@dataclass(slots=True)
class Clock:
    """When a partition was last kept as a snapshot, and the one that waits for its report."""

    kept_at: float
    records: int = 0
    waiting: Kept | None = None
    ticked_at: float = 0.0
    waiting_since: float = 0.0
    """Since when the oldest record in flight waits for its report."""

    def next_due(self, tick_seconds: float | None, keep_seconds: float) -> float:
        """When the timer, or a snapshot for its age, is due next; a snapshot for its records may be earlier."""
        tick = self.ticked_at + tick_seconds if tick_seconds is not None else NEVER
        keep = self.kept_at + keep_seconds if self.records and self.waiting is None else NEVER
        return min(tick, keep)
