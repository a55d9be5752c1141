"""The venue's clock, measured against our monotonic one: deadlines are checked where they are enforced. Pure."""

from collections import deque
from typing import Final

SAMPLES: Final = 8
JUMP_US: Final = 500_000


class VenueClock:
    """Offset of a venue's clock from ours, from the quickest of the last exchanges."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)
        self._offset_us: int | None = None
        self.error_us = 0
        """The offset is right within this, when the venue's clock is."""

    @property
    def measured(self) -> bool:
        """Whether the offset is known."""
        return self._offset_us is not None

    @property
    def settled(self) -> bool:
        """Whether there are enough samples to trust the quickest."""
        return len(self._samples) >= SAMPLES // 2

    def sample(self, sent_us: int, venue_us: int, received_us: int) -> None:
        """One question and answer; sent and received by our monotonic clock."""
        round_trip_us = received_us - sent_us
        offset_us = venue_us - (sent_us + received_us) // 2
        if self._samples and abs(offset_us - self._samples[-1][1]) > round_trip_us + JUMP_US:
            self._samples.clear()  # The venue's clock was set: what was measured before is no longer true.
        self._samples.append((round_trip_us, offset_us))
        best_us, self._offset_us = min(self._samples)
        self.error_us = best_us // 2

    def now_us(self, monotonic_us: int) -> int:
        """The venue's clock at a time of ours."""
        assert self._offset_us is not None, "measure the venue's clock first"
        return monotonic_us + self._offset_us
