"""Processor time of each process of a stack, from /proc: less at the mercy of others on the machine than latency."""

import os
import time
from pathlib import Path

from truetape.dev import Stack

_TICKS = os.sysconf("SC_CLK_TCK")
BENCH = "bench itself"


def seconds(stack: Stack) -> dict[str, float]:
    """Processor seconds that each unit has used so far, with its children; under `BENCH` this process and its own."""
    units = {pid: unit.name for unit in stack.units if (pid := stack.pid(unit.name)) is not None} | {os.getpid(): BENCH}
    used = dict.fromkeys(units.values(), 0.0)
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # It has ended.
            continue
        for pid in (int(folder.name), int(fields[1])):
            if pid in units:
                used[units[pid]] += (int(fields[11]) + int(fields[12])) / _TICKS
                break
    return used


class Meter:
    """Processor time from now on."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._began, self._at = stack, seconds(stack), time.monotonic()

    def per(self, count: int) -> dict[str, float]:
        """Milliseconds for each of so many, by process, and of all; and how busy the processors were with them, in
        percent of one."""
        now, passed = seconds(self._stack), time.monotonic() - self._at
        used = {name: total - self._began.get(name, 0.0) for name, total in now.items()}
        every = sum(used.values())
        shares = {name: round(one * 1e3 / max(1, count), 3) for name, one in sorted(used.items(), key=lambda u: -u[1])}
        return {**shares, "all": round(every * 1e3 / max(1, count), 2), "percent_of_one": round(every / passed * 100)}
