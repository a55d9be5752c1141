"""One gateway process: what its routes share, and how it starts and ends."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
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
from services.gateway.tail import REMEMBERED, Seen
from truetape.errors import SetupError, TruetapeError
from truetape.log import Log, Part, read_span
from truetape.peek import peek
from truetape.restore import readable
from truetape.runner import Runner
from truetape.settings import Settings
from truetape.topics import ORDERS_DECISIONS
from truetape.writer import CommandWriter

WRITE_MS: Final = 5_000
"""A command that Kafka has not taken by then is given up; the client was told long before that nobody knows."""
WATCH_SECONDS: Final = 0.2
LOAD_REACH_SECONDS: Final = 5.0
LOAD_RETRY_SECONDS: Final = 2.0
TAPE_SECONDS: Final = 86_400.0
IDS_PER_PAGE: Final = 2_000
DECIDING: Final = frozenset({"OrderAccepted", "OrderRejected"})
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
        """Fill the filter of order ids: from the views, once they have all that risk may have forgotten; when they do
        not get there, from the tape itself, so that trading depends on no view."""
        while not self.bus.tail.ready.is_set():
            await asyncio.sleep(0.02)
        names = [Part(ORDERS_DECISIONS.name, number) for number in range(ORDERS_DECISIONS.partitions)]
        ends = {part: self.bus.tail.next_offsets[part] - REMEMBERED for part in names}
        while not self.known.complete:
            try:
                await self.reads.reach({part: end - 1 for part, end in ends.items() if end > 0}, LOAD_REACH_SECONDS)
                async for page in self.reads.order_ids():
                    self.known.load(page)
                    await asyncio.sleep(0)
                self.known.complete = True
            except Problem as problem:
                _log.warning("order ids are read from the tape", because=problem.detail)
                await self._fill_filter_from_tape(ends)

    async def _fill_filter_from_tape(self, ends: dict[Part, int]) -> None:
        """In a thread of its own, since it may take minutes and nobody waits for it at the end."""
        loop, done = self.bus.loop, self.bus.loop.create_future()

        def read() -> None:
            error: TruetapeError | None = None
            try:
                for order_ids in old_order_ids(self.settings.kafka, ends):
                    loop.call_soon_threadsafe(self.known.load, order_ids)
            except TruetapeError as caught:
                error = caught
            loop.call_soon_threadsafe(done.set_result, error)

        threading.Thread(target=read, name="order-ids", daemon=True).start()
        if (error := await done) is not None:
            _log.warning("order ids could not be read", error=type(error).__name__, detail=str(error))
            await asyncio.sleep(LOAD_RETRY_SECONDS)
        else:
            self.known.complete = True


def old_order_ids(bootstrap: str, ends: Mapping[Part, int]) -> Iterator[list[str]]:
    """Ids of all orders decided before these offsets, from the tape. Void decisions among them do no harm here."""
    spans = {part: (0, end) for part, end in ends.items() if end > 0}
    found: list[str] = []
    for record in read_span(bootstrap, spans, TAPE_SECONDS):
        if (seen := peek(record.value)) is not None and seen.kind in DECIDING:
            message: Any = readable(record)
            found += [message.order.order_id] if message is not None else []
        if len(found) >= IDS_PER_PAGE:
            yield found
            found = []
    yield found


def new_runner(settings: Settings, log: Log) -> Runner[Any]:
    """The run loop of reference.events."""
    return Runner(SERVICE, log, settings)
