"""One node's clocks in the simulation: a wall clock that is off, drifts and jumps, a monotonic one that never does."""

from typing import Protocol

WALL_AT_ZERO_US = 1_767_225_600_000_000
"""Wall clock at virtual time zero: 2026-01-01 UTC."""


class VirtualTime(Protocol):
    """What knows the virtual time: the simulated cluster."""

    now_us: int


class SimClock:
    """Both clocks over virtual time. `drift_ppm`: so many microseconds too fast (or slow) in a second."""

    def __init__(self, time: VirtualTime, offset_us: int = 0, drift_ppm: int = 0) -> None:
        assert -(10**5) < drift_ppm < 10**5
        self.offset_us = offset_us
        self._time, self._drift_ppm = time, drift_ppm
        self._stood_us = 0
        self._standing_us: int | None = None

    def now_us(self) -> int:
        """The wall clock, microseconds UTC."""
        return WALL_AT_ZERO_US + self.offset_us + self._ticked_us()

    def monotonic_us(self) -> int:
        """The monotonic clock; it stands while the machine is suspended."""
        if self._drift_ppm or self._standing_us is not None:
            ticked_us = self._ticked_us() if self._standing_us is None else self._standing_us
            return ticked_us - self._stood_us
        return self._time.now_us - self._stood_us

    def monotonic(self) -> float:
        """The monotonic clock in seconds."""
        if self._drift_ppm or self._standing_us is not None:
            return self.monotonic_us() / 1e6
        return (self._time.now_us - self._stood_us) / 1e6

    def virtual_us(self, monotonic_us: int) -> int:
        """The virtual time at which the monotonic clock will have come that far, at the earliest."""
        ticked_us = monotonic_us + self._stood_us
        virtual_us = -(-ticked_us * 10**6 // (10**6 + self._drift_ppm))
        while virtual_us + virtual_us * self._drift_ppm // 10**6 < ticked_us:
            virtual_us += 1  # Of two roundings, the second may have lost a microsecond.
        return virtual_us

    def jump(self, by_us: int) -> None:
        """Somebody sets the wall clock."""
        self.offset_us += by_us

    def suspend(self) -> None:
        """The machine sleeps: the monotonic clock stands, the wall clock goes on."""
        if self._standing_us is None:
            self._standing_us = self._ticked_us()

    def wake(self) -> None:
        """The machine goes on."""
        if self._standing_us is not None:
            self._stood_us += self._ticked_us() - self._standing_us
            self._standing_us = None

    def _ticked_us(self) -> int:
        virtual_us = self._time.now_us
        return virtual_us + virtual_us * self._drift_ppm // 10**6 if self._drift_ppm else virtual_us
