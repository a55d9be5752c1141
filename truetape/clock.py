"""Time as this process sees it: the one place that asks the machine. The simulation puts its nodes' clocks here.

Call these through the module (`clock.now_us()`), never by an imported name, so that they can be exchanged.
"""

import time
from collections.abc import Callable


def _now_us() -> int:
    return time.time_ns() // 1_000


now_us: Callable[[], int] = _now_us
"""Wall clock, microseconds UTC: data, never a rule. It may jump."""
monotonic: Callable[[], float] = time.monotonic
"""Seconds since some moment; never jumps: leases, deadlines, waits."""
