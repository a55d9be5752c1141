"""Minutes of trading at a steady rate: does memory grow, do file descriptors leak, does the answer get slower?

The rate is half of the highest that the same run found to be held, unless --rate says another. Services remember the
orders that ended last (`services/risk/account.py: CLOSED_ORDERS_KEPT`, `services/router/core.py: RETAINED_ORDERS`), so
that memory grows until that many have ended: orders are traded for it beforehand, unless --fill says fewer. Memory is
resident memory of each service, its slope by least squares after a fifth of the time (caches fill at first), in percent
of its mean per ten minutes. The baseline is the p99 of answers in the first five minutes (a third of the run, when
that is shorter); ratio is the last five's / the first's.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.load import ACCOUNTS, Run, drive, introduce, ours
from bench.order_path import highest_held
from bench.stage import publish, quantile, say, stage
from services.risk.account import CLOSED_ORDERS_KEPT
from services.router.core import RETAINED_ORDERS
from truetape.commands.demo import gateway_url
from truetape.dev import Stack
from truetape.dev.services import SERVICES
from truetape.topics import PARTITIONS

SAMPLE_SECONDS = 5.0
WINDOW_SECONDS = 300.0
WARM_UP_SECONDS = 15.0
WARM_UP_SHARE = 0.2
FILL_RATE = 200.0
PAGE_BYTES = 4096
ESTABLISHED = "01"
"""State of a connection in /proc/net/tcp."""


@dataclass
class Samples:
    """What a process used, over time: (seconds, resident bytes, file descriptors without its clients' connections)."""

    rows: list[tuple[float, int, int]] = field(default_factory=list)
    connections: int = 0
    """Of clients, now: as many as asked at once, so they are the load's and not the process'."""

    def take(self, pid: int, port: int, at: float) -> None:
        """One more."""
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
        self.connections = accepted(port)
        self.rows.append((at, resident, len(list(Path(f"/proc/{pid}/fd").iterdir())) - self.connections))

    def figures(self) -> dict[str, float]:
        """Slope of memory in percent per ten minutes, and how file descriptors moved, after the warm-up."""
        settled = self.rows[int(len(self.rows) * WARM_UP_SHARE) :]
        per_second = slope([(at, resident) for at, resident, _ in settled])
        mean = sum(resident for _, resident, _ in settled) / len(settled)
        return {
            "resident_mb": round(settled[-1][1] / 1e6, 1),
            "percent_per_10_minutes": round(per_second / mean * 600 * 100, 2),
            "descriptors_first": settled[0][2],
            "descriptors_last": settled[-1][2],
            "connections_last": self.connections,
        }


def accepted(port: int) -> int:
    """Connections that this port has accepted and that are open."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[3] == ESTABLISHED and int(row[1].split(":")[1], 16) == port for row in rows)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares."""
    n = len(points)
    x, y = sum(at for at, _ in points) / n, sum(value for _, value in points) / n
    spread = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / spread if spread else 0.0


async def watch(stack: Stack, samples: dict[str, Samples]) -> None:
    """Sample every service until cancelled."""
    while True:
        for name, rows in samples.items():
            if (pid := stack.pid(name)) is not None:
                rows.take(pid, stack.port(name), time.time())
        await asyncio.sleep(SAMPLE_SECONDS)


def windows(run: Run, begin: float, seconds: float) -> tuple[float, float]:
    """p99 in seconds of the answers to requests of the first and of the last window."""
    length = min(WINDOW_SECONDS, seconds / 3)
    latency = [(run.sent[key] - begin, run.answered[key] - run.sent[key]) for key in run.answered]
    first = [value for at, value in latency if at < length]
    last = [value for at, value in latency if at > seconds - length]
    return quantile(first, 0.99), quantile(last, 0.99)


def remembered() -> int:
    """Orders that must have ended before no service remembers more: of all accounts, and of all partitions."""
    return max(len(ACCOUNTS) * CLOSED_ORDERS_KEPT, PARTITIONS * RETAINED_ORDERS)


async def soak(stack: Stack, minutes: float, rate: float, fill: int) -> None:
    """Find the rate, fill what is remembered, trade, publish."""
    keys = introduce(stack)
    urls, seconds = [gateway_url(stack.environment())], minutes * 60
    await drive(100, WARM_UP_SECONDS, ours(urls, keys))
    rate = rate or await highest_held(stack, urls, keys, 5.0) / 2
    if not rate:
        raise RuntimeError("this machine holds no rate: it has something else to do; try --rate")
    say(f"{fill} orders beforehand, then {rate:g}/s for {minutes:g} minutes")
    await drive(FILL_RATE, fill / FILL_RATE, ours(urls, keys))
    samples = {service.name: Samples() for service in SERVICES}
    watching, begin = asyncio.create_task(watch(stack, samples)), time.time()
    run = await drive(rate, seconds, ours(urls, keys))
    watching.cancel()
    first, last = windows(run, begin, seconds)
    found: dict[str, Any] = {name: rows.figures() for name, rows in samples.items()}
    grown = max(found[name]["percent_per_10_minutes"] for name in found)
    figures = {
        "orders_before": fill, "minutes": minutes, "rate_per_second": rate, "answered": len(run.answered),
        "failed": run.failed, "p99_last_ms": round(last * 1e3, 1), "worst_percent_per_10_minutes": grown,
        "services": found,
    }  # fmt: skip
    publish("soak", figures, {"p99_first_ms": round(first * 1e3, 1)}, round(last / first, 2))


def main() -> None:
    """Soak a whole stack of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one minute")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long (default 15, quick 1)")
    parser.add_argument("--rate", type=float, default=0.0, help="orders per second (default half the highest held)")
    parser.add_argument("--fill", type=int, help="orders beforehand (default as many as are remembered, quick none)")
    options = parser.parse_args()
    fill = options.fill if options.fill is not None else 0 if options.quick else remembered()
    with stage() as stack:
        asyncio.run(soak(stack, options.minutes or (1.0 if options.quick else 15.0), options.rate, fill))


if __name__ == "__main__":
    main()
