"""Memory that a process asks of the C library: large blocks go back to the system as soon as they are free."""

import contextlib
import ctypes
from typing import Final

MMAP_THRESHOLD: Final = -3
"""M_MMAP_THRESHOLD of malloc.h."""
LARGE_BYTES: Final = 128 * 1024


def steady() -> None:
    """Keep glibc's threshold for blocks of their own where it begins.

    By itself it rises to the largest block that was ever freed. A service packs its state every minute: from then on
    such blocks of megabytes lie among small ones, and the heap that is left between them grows for hours. Where
    there is no mallopt (musl, macOS) nothing is changed.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE_BYTES)
