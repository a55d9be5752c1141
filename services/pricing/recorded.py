"""Recorded prices of an instrument: the newest of more than an hour, in as much memory from the first one on."""

from struct import Struct as Layout
from typing import Final

from msgspec import Struct, field

from truetape.fixing import Observation

EVERY_US: Final = 1_000_000
"""At most one price in so long is recorded."""
KEPT: Final = 3_800
"""So many at least a second apart cover more than any fixing window or funding step
(services/gateway/contracts.py: LOOK_BACK_MAX_US), and a clock that is set back again and again fills no memory."""
PLACE: Final = Layout("<qq")
"""Time in microseconds, price in 1e-8."""


class Recorded(Struct, array_like=True):
    """A ring, oldest overwritten first."""

    added: int = 0
    """How many were ever recorded; the next one goes to place added % KEPT."""
    ring: bytearray = field(default_factory=lambda: bytearray(KEPT * PLACE.size))

    def record(self, at_us: int, price_e8: int) -> None:
        """A price was seen; one that is too near to the newest is passed over."""
        if self.added and abs(at_us - self._at(self.added - 1)[0]) < EVERY_US:
            return
        PLACE.pack_into(self.ring, self.added % KEPT * PLACE.size, at_us, price_e8)
        self.added += 1

    def observations(self) -> list[Observation]:
        """All that is remembered, oldest record first."""
        return [Observation(*self._at(number)) for number in range(max(0, self.added - KEPT), self.added)]

    def _at(self, number: int) -> tuple[int, int]:
        at_us, price_e8 = PLACE.unpack_from(self.ring, number % KEPT * PLACE.size)
        return at_us, price_e8
