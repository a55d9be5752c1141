"""`python -m tests.chaos.skewed FILE MODULE`: run a module whose wall clock is ahead by as many seconds as FILE says.

FILE may change while it runs, as when somebody sets the clock: the monotonic clock goes on. The clock of the machine
is left alone. What asks the kernel without Python, as librdkafka does for its own timestamps, sees the true time.
"""

import runpy
import sys
import time
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.05


class Skewed:
    """The wall clock, set by a file."""

    def __init__(self, file: Path) -> None:
        self._file, self._looked_at, self._ahead_ns = file, float("-inf"), 0
        self._true_ns = time.time_ns

    def time_ns(self) -> int:
        """Nanoseconds since 1970, as this process believes."""
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._ahead_ns = int(float(self._file.read_text() or 0) * 1e9)
        return self._true_ns() + self._ahead_ns

    def time(self) -> float:
        """Seconds since 1970, as this process believes."""
        return self.time_ns() / 1e9


def main() -> None:
    """Set the clock, then be the module."""
    file, module = sys.argv[1:3]
    skewed = Skewed(Path(file))
    time.time_ns, time.time = skewed.time_ns, skewed.time
    sys.argv[:] = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
