"""One gateway process: what its routes share, and how it starts and ends."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from services.gateway.bus import Bus, Writer
from services.gateway.core import SERVICE
from services.gateway.known import Known
from services.gateway.limits import SCRIPTS, Limits
from services.gateway.problems import Problem
from services.gateway.reads import Database, PostgresDatabase, Reads
from services.gateway.redislink import Link, RedisLink
from services.gateway.streaming import Hub
from services.gateway.tail import REMEMBERED, Seen
from truetape import ids
from truetape.errors import SetupError, TruetapeError
from truetape.log import Log, Part, Record, Report, read_span
from truetape.peek import peek
from truetape.restore import readable
from truetape.runner import Runner
from truetape.settings import Settings
from truetape.topics import ORDERS_DECISIONS
from truetape.writer import CommandWriter

WRITE_MS: Final = 5_000
"""A command that Kafka has not taken by then is given up; the client was told long before that nobody knows."""
LOAD_REACH_SECONDS: Final = 5.0
LOAD_RETRY_SECONDS: Final = 2.0
TAPE_SECONDS: Final = 86_400.0
IDS_PER_PAGE: Final = 2_000
DECIDING: Final = frozenset({"OrderAccepted", "OrderRejected"})
_log = structlog.get_logger()


Reported = Callable[[list[Report]], None]
Spans = Mapping[Part, tuple[int, int]]


@dataclass(frozen=True)
class Outside:
    """What a gateway has of the world beside its two logs: the real servers, or the simulation's."""

    writer: Callable[[Reported], Writer]
    """A writer of commands that tells its reports there."""
    database: Database
    redis: Link
    read_span: Callable[[Spans, float], Iterable[Record]]
    """Records of each partition from start to end; gives up after so many seconds."""
    spawn: Callable[[Callable[[], None]], None]
    """Do something that may take minutes, and that nobody waits for at the end."""


def servers(settings: Settings) -> Outside:
    """The real servers. Raises SetupError."""
    if not settings.redis.get_secret_value():
        raise SetupError("the gateway needs TRUETAPE_REDIS; `truetape settings` explains it")
    return Outside(
        writer=lambda reported: CommandWriter(settings.kafka, WRITE_MS, reported),
        database=PostgresDatabase(settings.postgres.get_secret_value()),
        redis=RedisLink(settings.redis.get_secret_value(), SCRIPTS),
        read_span=partial(read_span, settings.kafka),
        spawn=lambda work: threading.Thread(target=work, daemon=True).start(),
    )


class Gateway:
    """Everything that a request may need. Lives in one event loop; `runner` and the bus's tail have threads."""

    def __init__(
        self, settings: Settings, log: Log, runner: Runner[Any], outside: Outside, known: Known | None = None
    ) -> None:
        """`log` is for the tail of the tape, the runner has one of its own."""
        self.settings, self.runner, self._outside = settings, runner, outside
        self.writer = outside.writer(lambda reports: self.bus.reported(reports))
        self.bus = Bus(log, self.writer, settings.pending_orders_max, settings.decision_timeout_ms / 1000)
        self.reads = Reads(outside.database)
        self.limits = Limits(outside.redis)
        self.known = known or Known()
        self.hub = Hub(self.bus.tail)
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None
        self.new_id = ids.numbered()
        self._tasks: list[asyncio.Task[None]] = []
        self._threads = [
            threading.Thread(target=self._keep, args=(work,), name=name, daemon=True)
            for name, work in (("run-loop", runner.run), ("tail", self.bus.tail.run))
        ]
        self.bus.on_seen = self._seen

    @property
    def admits(self) -> bool:
        """Whether requests can be answered: the reference table is read, and the tape's end is followed."""
        return self.bus.tail.ready.is_set()

    async def record_at(self, part: Part, offset: int, seconds: float = 10.0) -> bytes | None:
        """The bytes of one record of the tape; None when they cannot be had in time."""
        span = {part: (offset, offset + 1)}
        try:
            records = await asyncio.to_thread(lambda: list(self._outside.read_span(span, seconds)))
        except TruetapeError:
            return None
        return records[0].value if records else None

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
        for thread in self._threads:
            thread.start()
        await self.connect()

    async def connect(self) -> None:
        """Start what lives in the event loop alone."""
        self.limits.link.start()
        await self.reads.open()
        self._tasks = [asyncio.create_task(work) for work in (self._fill_filter(), self.bus.expire())]

    async def close(self) -> None:
        """End everything, in order."""
        await self.disconnect()
        self.runner.stop()
        self.bus.tail.stop()
        await asyncio.to_thread(self.writer.close)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, 15.0)
        await asyncio.to_thread(self.bus.tail.close)

    async def disconnect(self) -> None:
        """End what lives in the event loop alone."""
        self.hub.closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.limits.link.close()
        await self.reads.close()

    def _seen(self, seen: Seen) -> None:
        self.known.note(seen.message, seen.offset)
        self.hub.seen(seen)

    def _keep(self, work: Callable[[], None]) -> None:
        """A thread: its failure ends the process."""
        try:
            work()
        except Exception as error:
            self.failure = error
            _log.error("a thread ended", error=type(error).__name__, detail=str(error))

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
        loop, done = self.bus.loop, self.bus.loop.create_future()

        def read() -> None:
            error: TruetapeError | None = None
            try:
                for order_ids in self._old_order_ids(ends):
                    loop.call_soon_threadsafe(self.known.load, order_ids)
            except TruetapeError as caught:
                error = caught
            loop.call_soon_threadsafe(done.set_result, error)

        self._outside.spawn(read)
        if (error := await done) is not None:
            _log.warning("order ids could not be read", error=type(error).__name__, detail=str(error))
            await asyncio.sleep(LOAD_RETRY_SECONDS)
        else:
            self.known.complete = True

    def _old_order_ids(self, ends: Mapping[Part, int]) -> Iterator[list[str]]:
        """Ids of all orders decided before these offsets, from the tape. Void decisions among them do no harm here."""
        spans = {part: (0, end) for part, end in ends.items() if end > 0}
        found: list[str] = []
        for record in self._outside.read_span(spans, TAPE_SECONDS):
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
