"""A log in a file has a bound: what is longer becomes the former log, and a new one begins under its name.

The native stack sends each process's output to a file and does not run itself, so a process bounds its own. Where
output goes to a pipe (Docker, Kubernetes) whoever reads it bounds it.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import Final, TextIO

BYTES_MAX: Final = 50_000_000
LOOKS: Final = 100
"""The file is looked at when so small a part of the bound was written since."""
SUFFIX: Final = ".log"
OUTPUTS: Final = (1, 2)


def set_aside(log: Path, bytes_max: int = BYTES_MAX) -> bool:
    """Make a log that is too long the former log, in the place of an older one; whether it was."""
    if not log.exists() or log.stat().st_size <= bytes_max:
        return False
    log.replace(log.with_suffix(f"{SUFFIX}.1"))
    return True


class Bounded:
    """A stream that bounds the file it goes to, when it goes to one that is named as a log."""

    def __init__(self, stream: TextIO, bytes_max: int = BYTES_MAX) -> None:
        self._stream, self._bytes_max = stream, bytes_max
        self._unseen = bytes_max

    def write(self, text: str) -> int:
        """Write; now and then look how long the file is."""
        self._unseen += len(text)
        if self._unseen * LOOKS >= self._bytes_max:
            self._unseen = 0
            with contextlib.suppress(OSError):  # What cannot be bounded is written all the same.
                self._look()
        return self._stream.write(text)

    def flush(self) -> None:
        """Hand on what was written."""
        self._stream.flush()

    def _look(self) -> None:
        number = self._stream.fileno()
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_size <= self._bytes_max:
            return
        log = Path(os.readlink(f"/proc/self/fd/{number}")) if Path("/proc/self/fd").exists() else None
        if log is not None and log.suffix == SUFFIX and set_aside(log, self._bytes_max):
            self._begin(log, found)

    def _begin(self, log: Path, former: os.stat_result) -> None:
        """Both outputs go on in a new file: what libraries and a crash say there too."""
        self._stream.flush()
        fresh = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, stat.S_IMODE(former.st_mode))
        for number in sorted({*OUTPUTS, self._stream.fileno()}):
            if os.path.samestat(os.fstat(number), former):
                os.dup2(fresh, number)
        os.close(fresh)
