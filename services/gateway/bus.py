"""Commands out, answers in: what the event loop knows of Kafka.

A command is produced and a waiter waits for the event that answers it. First decisions are found by the order,
transfer or command id that they name; repeated decisions and parked inputs by the command's own place, which its
delivery report tells.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import structlog

from services.gateway.problems import Problem
from services.gateway.tail import Seen, Tail
from truetape import clock, ids
from truetape import messages as m
from truetape.codec import Message, encode
from truetape.errors import Unencodable
from truetape.log import Log, Part, Report
from truetape.marks import Marks
from truetape.reference import Reference
from truetape.service import Tables
from truetape.topics import (
    CLEARING_COMMANDS,
    CLEARING_ENTRIES,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    REFERENCE_COMMANDS,
    REFERENCE_EVENTS,
)

STALL_SECONDS: Final = 1.0
"""A report that is this late says that Kafka is away: nothing more is sent until one comes."""
REPORTED_SECONDS: Final = 20.0
"""Far beyond the time in which a writer reports, whatever happens: a report that was lost holds up nobody for ever."""
EXPIRE_SECONDS: Final = 0.02
"""How late a waiter may learn that its time is over."""
EARLY_MAX: Final = 10_000
OUTCOMES_KEPT: Final = 10_000
_ANSWERING: Final = frozenset({ORDERS_DECISIONS.name, REFERENCE_EVENTS.name, CLEARING_ENTRIES.name})
_log = structlog.get_logger()


class Writer(Protocol):
    """What writes commands: truetape.writer.CommandWriter, or the simulation's."""

    def append(
        self, part: Part, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]], token: Any
    ) -> None:
        """Write; the report comes later."""

    def close(self) -> None:
        """Send what waits, at most for seconds."""


class Answer(NamedTuple):
    """The event that answers a command, and where it stands."""

    event: Any
    part: Part
    offset: int


class Waiter:
    """A command that was sent, and the answer to come."""

    __slots__ = ("failure", "future", "id", "offset", "part", "sent_at")

    def __init__(self, id: str, part: Part, future: "asyncio.Future[Answer | None]", sent_at: float) -> None:
        self.id, self.part, self.future, self.sent_at = id, part, future, sent_at
        self.offset: int | None = None
        """Where the command stands; None until its report has come, or when that did not tell."""
        self.failure: str | None = None


class Bus:
    """The gateway's side of Kafka, for the event loop alone; `receive` and `reported` are called by other threads."""

    def __init__(self, log: Log, writer: Writer, pending_max: int, answer_seconds: float) -> None:
        self.tables = Tables(Reference(), Marks())
        self.tail = Tail(log, self.tables, self.receive)
        self.on_seen: Callable[[Seen], None] = lambda seen: None
        self.outcomes: OrderedDict[str, Answer] = OrderedDict()
        """Newest reference events by command id."""
        self._writer, self._pending_max, self._answer_seconds = writer, pending_max, answer_seconds
        self.loop = asyncio.get_running_loop()
        self._waiting: dict[str, list[Waiter]] = {}
        self._count = 0
        self._ages: dict[Waiter, None] = {}
        """All that wait, oldest first."""
        self._unreported: dict[Waiter, None] = {}
        self._failed_at = float("-inf")
        self._by_place: dict[tuple[Part, int], Waiter] = {}
        self._early: OrderedDict[tuple[Part, int], Answer] = OrderedDict()

    @property
    def reference(self) -> Reference:
        """The reference table as of now."""
        return self.tables.reference

    @property
    def waiting(self) -> int:
        """Commands that wait for their answer."""
        return self._count

    def waits_for(self, id: str) -> Waiter | None:
        """The first waiter for the answer with this id."""
        waiters = self._waiting.get(id)
        return waiters[0] if waiters else None

    # -- out -------------------------------------------------------------------------------------------------

    def send_for_account(self, id: str, account_id: str, command: Message) -> Waiter:
        """Produce a command of an account; see `_send`."""
        partition = ids.partition_of(account_id, ORDERS_COMMANDS.partitions)
        return self._send(id, Part(ORDERS_COMMANDS.name, partition), account_id.encode(), command)

    def send_to_ledger(self, id: str, account_id: str, command: Message) -> Waiter:
        """Produce an operator's command to clearing; see `_send`. The tail must await the account."""
        partition = ids.partition_of(account_id, CLEARING_COMMANDS.partitions)
        return self._send(id, Part(CLEARING_COMMANDS.name, partition), account_id.encode(), command)

    def send_fact(self, fact: m.ContractFact, partition: int) -> Waiter:
        """Produce a fact to one partition of clearing; see `_send`. The tail must await the account "", nobody's."""
        part = Part(CLEARING_COMMANDS.name, partition)
        return self._send(_fact_in(fact.fact_id, partition), part, b"", m.TakeContractFact(fact))

    def send_reference(self, command: Any) -> Waiter:
        """Produce a reference command; see `_send`."""
        return self._send(command.command_id, Part(REFERENCE_COMMANDS.name, 0), b"", command)

    def _send(self, id: str, part: Part, key: bytes, command: Message) -> Waiter:
        """Raises Problem overloaded or broker_unavailable: then nothing was sent."""
        if self._count >= self._pending_max:
            raise Problem("overloaded", f"{self._count} commands wait for their answers; nothing was sent")
        if self.stalled():
            raise Problem("broker_unavailable", "Kafka has not taken the commands before this one; nothing was sent")
        try:
            value = encode(command)
        except Unencodable as error:
            raise Problem("invalid_field", str(error)[:300]) from error
        waiter = Waiter(id, part, self.loop.create_future(), clock.monotonic())
        self._waiting.setdefault(id, []).append(waiter)
        self._count += 1
        self._ages[waiter] = self._unreported[waiter] = None
        headers = [("event_type", type(command).__name__.encode())]
        if len(id) == 32:
            headers.append(("traceparent", f"00-{id}-{id[:16]}-01".encode()))
        self._writer.append(part, key, value, headers, waiter)
        return waiter

    def stalled(self) -> bool:
        """Whether Kafka seems to be away: a report is late, or the last one said so a moment ago."""
        now = clock.monotonic()
        oldest = next(iter(self._unreported), None)
        if oldest is not None and now - oldest.sent_at > REPORTED_SECONDS:
            del self._unreported[oldest]
        return (oldest is not None and now - oldest.sent_at > STALL_SECONDS) or now - self._failed_at < STALL_SECONDS

    async def join(self, waiter: Waiter) -> Answer | None:
        """The answer to somebody else's command, or None when it does not come in time."""
        return await asyncio.shield(waiter.future)

    async def answer(self, waiter: Waiter) -> Answer | None:
        """The answer, or None when it does not come in time; the waiter is then forgotten."""
        try:
            return await waiter.future
        finally:
            self._forget(waiter)

    async def expire(self) -> None:
        """Runs as long as the bus: those who have waited too long get None. One timer for all of them; who comes while
        it sleeps has as long to wait himself."""
        while True:
            oldest = next(iter(self._ages), None)
            waited = clock.monotonic() - oldest.sent_at if oldest is not None else 0.0
            await asyncio.sleep(max(EXPIRE_SECONDS, self._answer_seconds - waited))
            limit = clock.monotonic() - self._answer_seconds
            while self._ages and (waiter := next(iter(self._ages))).sent_at < limit:
                del self._ages[waiter]
                if not waiter.future.done():
                    waiter.future.set_result(None)

    def _forget(self, waiter: Waiter) -> None:
        waiters = self._waiting.get(waiter.id)
        if waiters is None or waiter not in waiters:
            return
        waiters.remove(waiter)
        self._ages.pop(waiter, None)
        self._count -= 1
        if not waiters:
            del self._waiting[waiter.id]
        if waiter.offset is not None:
            self._by_place.pop((waiter.part, waiter.offset), None)

    # -- in --------------------------------------------------------------------------------------------------

    def receive(self, items: list[Seen]) -> None:
        """From the tail's thread."""
        self.loop.call_soon_threadsafe(self._take, items)

    def reported(self, reports: list[Report]) -> None:
        """From the writer's thread."""
        self.loop.call_soon_threadsafe(self._take_reports, reports)

    def _take(self, items: list[Seen]) -> None:
        self.tail.taken()
        for item in items:
            self._seen(item)

    def _take_reports(self, reports: list[Report]) -> None:
        for report in reports:
            self._reported(report)

    def _reported(self, report: Report) -> None:
        waiter: Waiter = report.token
        self._unreported.pop(waiter, None)
        waiter.offset, waiter.failure = report.offset, report.error
        if report.offset is None:
            self._failed_at = clock.monotonic()
            _log.warning("command not confirmed", order_id=waiter.id, part=str(report.part), detail=report.error)
        elif waiter.id in self._waiting:
            place = (waiter.part, report.offset)
            if (early := self._early.pop(place, None)) is not None:
                self._resolve(waiter, early)
            else:
                self._by_place[place] = waiter

    def _seen(self, seen: Seen) -> None:
        event, answer = seen.message, Answer(seen.message, seen.part, seen.offset)
        if seen.part.topic == REFERENCE_EVENTS.name and hasattr(event, "command_id"):
            self.outcomes[event.command_id] = answer
            if len(self.outcomes) > OUTCOMES_KEPT:
                self.outcomes.popitem(last=False)
        if seen.part.topic in _ANSWERING:
            if isinstance(event, m.DecisionRepeated | m.InputParked):
                self._by_cause(event.meta.cause, answer)
            else:
                for waiter in self._waiting.get(_answered_id(event), ()):
                    self._resolve(waiter, answer)
        self.on_seen(seen)

    def _by_cause(self, cause: m.Cause, answer: Answer) -> None:
        place = (Part(cause.source, cause.partition), cause.offset)
        if (waiter := self._by_place.pop(place, None)) is not None:
            self._resolve(waiter, answer)
        elif self._count:
            self._early[place] = answer
            if len(self._early) > EARLY_MAX:
                self._early.popitem(last=False)

    @staticmethod
    def _resolve(waiter: Waiter, answer: Answer) -> None:
        if not waiter.future.done():
            waiter.future.set_result(answer)


def _answered_id(event: Any) -> str:
    """The id under which somebody may wait for this event."""
    match event:
        case m.OrderAccepted() | m.OrderRejected():
            return event.order.order_id
        case m.TransferApproved() | m.TransferRejected():
            return event.transfer.transfer_id
        case m.EntryBooked(release=m.Release() as release) | m.ParkedDismissed(release=release):
            return release.command_id
        case m.ContractFactTaken():
            return _fact_in(event.fact.fact_id, event.meta.cause.partition)
        case m.ClearingRefused(command="TakeContractFact"):
            return _fact_in(event.command_id, event.meta.cause.partition)
        case m.EntryBooked() if event.meta.cause.source == CLEARING_COMMANDS.name:
            return event.meta.correlation_id
        case _:
            return getattr(event, "command_id", "")


def _fact_in(fact_id: str, partition: int) -> str:
    """Under which a partition's answer to a fact is awaited: every partition answers it."""
    return f"{fact_id}@{partition}"
