"""One gateway process: what its routes share, and how it starts and ends."""

import asyncio
import contextlib
import threading
from collections import Counter
from typing import Any, Final

import structlog

from services.gateway.bus import Bus
from services.gateway.core import SERVICE
from services.gateway.known import Known
from services.gateway.limits import SCRIPTS, Limits
from services.gateway.problems import Problem
from services.gateway.reads import Reads
from services.gateway.redislink import RedisLink
from services.gateway.streaming import Hub
from services.gateway.tail import Seen
from truetape.errors import SetupError
from truetape.log import Log, Part
from truetape.runner import Runner
from truetape.settings import Settings
from truetape.topics import ORDERS_DECISIONS
from truetape.writer import CommandWriter

WRITE_MS: Final = 5_000
"""A command that Kafka has not taken by then is given up; the client was told long before that nobody knows."""
WATCH_SECONDS: Final = 0.2
LOAD_RETRY_SECONDS: Final = 2.0
LOAD_REACH_SECONDS: Final = 60.0
_log = structlog.get_logger()


class Gateway:
    """Everything that a request may need. Lives in one event loop; `runner` and the bus's tail have threads."""

    def __init__(self, settings: Settings, log: Log, runner: Runner[Any]) -> None:
        """`log` is for the tail of the tape, the runner has one of its own. Raises SetupError."""
        if not settings.redis.get_secret_value():
            raise SetupError("the gateway needs TRUETAPE_REDIS; `truetape settings` explains it")
        self.settings, self.runner = settings, runner
        self.writer = CommandWriter(settings.kafka, WRITE_MS, lambda reports: self.bus.reported(reports))
        self.bus = Bus(log, self.writer, settings.pending_orders_max, settings.decision_timeout_ms / 1000)
        self.reads = Reads(settings.postgres.get_secret_value())
        self.limits = Limits(RedisLink(settings.redis.get_secret_value(), SCRIPTS))
        self.known = Known()
        self.hub = Hub(self.bus.tail)
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._runner_thread = threading.Thread(target=self._run_runner, name="run-loop", daemon=True)
        self.bus.on_seen = self._seen

    @property
    def admits(self) -> bool:
        """Whether requests can be answered: the reference table is read, and the tape's end is followed."""
        return self.bus.tail.ready.is_set()

    def missing(self) -> list[str]:
        """What is missing before the gateway is ready; empty when it is."""
        tail = [] if self.bus.tail.ready.is_set() else ["the end of the tape is not reached"]
        kafka = ["Kafka does not take commands"] if self.bus.stalled() else []
        return tail + kafka + [f"reference data: {item}" for item in self.runner.missing()]

    def alive(self) -> bool:
        """Whether all threads live."""
        silent = self.runner.log.monotonic() - self.runner.turned_at
        return self.failure is None and silent < self.settings.watchdog_seconds

    def metrics(self) -> dict[str, int]:
        """Counters."""
        runner = {f"reference_{name}": count for name, count in self.runner.counts.items()}
        return {**self.counts, **runner, "redis_fallbacks": self.limits.fallbacks}

    def gauges(self) -> dict[str, float]:
        """Gauges."""
        return {
            "waiting_commands": self.bus.waiting,
            "open_streams": self.hub.count,
            "redis_up": float(self.limits.link.up),
            "order_filter_complete": float(self.known.complete),
            "ready": float(not self.missing()),
        }

    async def open(self) -> None:
        """Start everything; returns at once, `missing` says what is still awaited."""
        self._runner_thread.start()
        self.bus.tail.start()
        self.limits.link.start()
        await self.reads.open()
        self._tasks = [asyncio.create_task(work) for work in (self._fill_filter(), self._watch(), self.bus.expire())]

    async def close(self) -> None:
        """End everything, in order."""
        self.hub.closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.runner.stop()
        await asyncio.to_thread(self.writer.close)
        await asyncio.to_thread(self.bus.tail.stop)
        await asyncio.to_thread(self._runner_thread.join, 15.0)
        await self.limits.link.close()
        await self.reads.close()

    def _seen(self, seen: Seen) -> None:
        self.known.note(seen.message, seen.offset)
        self.hub.seen(seen)

    def _run_runner(self) -> None:
        try:
            self.runner.run()
        except Exception as error:
            self.failure = error
            _log.error("run loop ended", error=type(error).__name__, detail=str(error))

    async def _watch(self) -> None:
        """A thread that ended takes the process with it."""
        while self.failure is None:
            await asyncio.sleep(WATCH_SECONDS)
            self.failure = self.failure or self.bus.tail.error

    async def _fill_filter(self) -> None:
        """Fill the filter of order ids, once the views have what was decided before this process began to read."""
        while not self.bus.tail.ready.is_set():
            await asyncio.sleep(0.02)
        read_from = dict(self.bus.tail.next_offsets)
        decided = {
            Part(ORDERS_DECISIONS.name, number): read_from[Part(ORDERS_DECISIONS.name, number)] - 1
            for number in range(ORDERS_DECISIONS.partitions)
        }
        while not self.known.complete:
            with contextlib.suppress(Problem):
                await self.reads.reach(decided, LOAD_REACH_SECONDS)
                async for page in self.reads.order_ids():
                    self.known.load(page)
                    await asyncio.sleep(0)
                self.known.complete = True
                return
            await asyncio.sleep(LOAD_RETRY_SECONDS)


def new_runner(settings: Settings, log: Log) -> Runner[Any]:
    """The run loop of reference.events."""
    return Runner(SERVICE, log, settings)
