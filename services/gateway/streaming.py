"""The event stream: an account's own events as they happen, resumable by their place on the tape.

An event's id is the whole place of the account's stream: how far each of the three topics was told. A client that
comes back with Last-Event-ID has what it missed from the views, then the live events; nothing twice, nothing left out,
effects after their causes. A reader that is too slow is disconnected; it can resume.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gateway import rendering
from services.gateway.auth import still_valid
from services.gateway.parsing import format_positions, parse_positions
from services.gateway.problems import Problem
from services.gateway.projection.rows import INDEXED
from services.gateway.reads import Reads, Row
from services.gateway.routing import Call, Routes
from services.gateway.tail import STREAMED, Seen, Tail
from truetape import clock, ids
from truetape.causes import cause_of, event_row
from truetape.log import Part
from truetape.topics import PARTITIONS, key_of

if TYPE_CHECKING:
    from services.gateway.gateway import Gateway

routes = Routes("streaming")
QUEUE_MAX: Final = 1_000
STREAMS_MAX: Final = 500
HEARTBEAT_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 0.5
"""How often a quiet stream looks whether its key still holds."""
SEND_SECONDS: Final = 10.0
"""A reader that takes nothing for so long is disconnected."""
BACKLOG_PAGE: Final = 500
HELD_MAX: Final = 200
RETRY_MS: Final = 1_000
NOTHING: Final = "start"
"""Id of an event before which there is no record."""


class Merger:
    """Puts the events of one account's three topics into one order: each topic's own, effects after causes."""

    def __init__(self, told: Mapping[Part, int]) -> None:
        self.told = dict(told)
        """Offset of the last event told, by partition."""
        self._lanes: dict[Part, deque[Row]] = {part: deque() for part in told}
        self._known = {part: offset + 1 for part, offset in told.items()}
        """Below these offsets all events of the account have been pushed."""

    def push(self, row: Row) -> None:
        """One more event of a topic, in its order; one that was pushed before is passed over."""
        part = Part(row["topic"], row["partition"])
        lane = self._lanes[part]
        if row["offset"] > (lane[-1]["offset"] if lane else self.told[part]):
            lane.append(row)
            self.complete(part, row["offset"] + 1)

    def complete(self, part: Part, end: int) -> None:
        """All events below this offset have been pushed."""
        self._known[part] = max(self._known[part], end)

    def lacking(self, ends: Mapping[Part, int]) -> dict[Part, tuple[int, int]]:
        """What must be pushed next for everything below `ends` to be told: offsets from and to, by partition. First of
        the topics of which nothing waits: what is known of the others waits for these."""
        found = {part: (self._known[part], end) for part, end in ends.items() if self._known[part] < end}
        return {part: span for part, span in found.items() if not self._lanes[part]} or found

    def ready(self, held_max: int | None = None) -> Iterator[Row]:
        """The events whose cause was told, or is none of the account's events; others too when more than so many
        wait. Each counts as told when it is taken."""
        while (row := self._pop(held_max)) is not None:
            yield row

    def _pop(self, held_max: int | None) -> Row | None:
        heads = [lane[0] for lane in self._lanes.values() if lane]
        ready = [row for row in heads if self._ready(row)]
        if not ready and held_max is not None and self.held > held_max:
            ready = heads
        if not ready:
            return None
        row = min(ready, key=lambda row: (row["at_us"], row["topic"]))
        part = Part(row["topic"], row["partition"])
        self.told[part] = self._lanes[part].popleft()["offset"]
        return row

    @property
    def held(self) -> int:
        """Events that wait."""
        return sum(map(len, self._lanes.values()))

    def _ready(self, row: Row) -> bool:
        cause = cause_of(row)
        if cause is None or (part := Part(cause[0], cause[1])) not in self.told:
            return True
        lane, offset = self._lanes[part], cause[2]
        waits = bool(lane) and lane[0]["offset"] <= offset
        return offset <= self.told[part] or (offset < self._known[part] and not waits)


class Subscription:
    """One open stream: a bounded queue of live events."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        partition = ids.partition_of(account_id, PARTITIONS)
        self.parts = tuple(Part(topic.name, partition) for topic in STREAMED)
        self.live_from: dict[Part, int] = {}
        """Events from these offsets on come through the queue."""
        self.queue: deque[Row] = deque()
        self.overflow = asyncio.Event()
        """Too many events wait: the reader is too slow."""
        self._arrived = asyncio.Event()

    def push(self, row: Row) -> None:
        """A live event; too many that nobody takes end the stream, and after the first that found no room none is
        taken: the reader resumes after the last one told, and must not be told what lies behind the gap."""
        if self.overflow.is_set() or row["offset"] < self.live_from.get(Part(row["topic"], row["partition"]), 0):
            return
        if len(self.queue) >= QUEUE_MAX:
            self.overflow.set()
        else:
            self.queue.append(row)
        self._arrived.set()

    async def wait(self, seconds: float) -> None:
        """Until an event is there, at most so long."""
        if not self.queue:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()


class Hub:
    """All open streams of this process."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._streams: dict[str, set[Subscription]] = {}
        self.count = 0
        self.closing = False

    def seen(self, seen: Seen) -> None:
        """An event of the tape's end was read."""
        if not self._streams or type(seen.message) not in INDEXED:
            return
        if streams := self._streams.get(key_of(seen.message)):
            row = event_row(*seen.part, seen.offset, seen.message)
            for stream in streams:
                stream.push(row)

    def open(self, stream: Subscription) -> None:
        """From now on the stream's account is watched; what was read before must come from the views."""
        self._streams.setdefault(stream.account_id, set()).add(stream)
        self._tail.watched[stream.account_id] = None
        self.count += 1
        stream.live_from = {part: self._tail.next_offsets[part] for part in stream.parts}

    def close(self, stream: Subscription) -> None:
        """The stream has ended."""
        streams = self._streams.get(stream.account_id, set())
        if stream in streams:
            streams.remove(stream)
            self.count -= 1
        if not streams:
            self._streams.pop(stream.account_id, None)
            self._tail.watched.pop(stream.account_id, None)

    def ends(self, stream: Subscription) -> dict[Part, int]:
        """How far this process has read the account's topics: next offsets."""
        return {part: self._tail.next_offsets[part] for part in stream.parts}


@routes.add("GET", "/v1/events", "read", answers={200: None}, problems=("overloaded", "invalid_header"))
async def stream_events(call: Call) -> Response:
    """The account's events as they happen (server-sent events).

    Each event's id is its place on the tape; send it back as Last-Event-ID to go on after it, also after a restart.
    Without it the stream begins now, with an event `Ready` that tells where. The data is as in an order's history. A
    reader that is too slow is disconnected, and can resume.
    """
    gateway = call.gateway
    if gateway.hub.count >= STREAMS_MAX:
        raise Problem("overloaded", f"{STREAMS_MAX} streams are open")
    stream = Subscription(call.account_id)
    last = call.header(b"last-event-id")
    told = _parsed(last) if last else None
    if told is not None and not set(told) <= set(stream.parts):
        raise Problem("invalid_header", "Last-Event-ID is none of this account's")
    return EventStream(gateway, call, stream, told)


class EventStream(Response):
    """The answer that does not end: events until the client goes, the key ends or the process stops."""

    def __init__(self, gateway: "Gateway", call: Call, stream: Subscription, told: dict[Part, int] | None) -> None:
        super().__init__(
            media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        del self.headers["content-length"]
        self._gateway, self._call, self._stream, self._told = gateway, call, stream, told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it is over. A reader that is too slow is left without an end: the server then closes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        works = (_gone(receive), self._send_all(send), self._stream.overflow.wait())
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._gateway.hub.close(self._stream)
            self._gateway.counts["slow_readers"] += self._stream.overflow.is_set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_all(self, send: Send) -> None:
        try:
            async for frame in self._frames():
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
        except TimeoutError:
            self._stream.overflow.set()
            return
        except Problem as problem:
            body = b"event: Problem\ndata: " + problem.response(self._call.request_id).body + b"\n\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _frames(self) -> AsyncIterator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        hub, stream, reads = self._gateway.hub, self._stream, self._gateway.reads
        if self._told is None:
            hub.open(stream)
            merger = Merger({part: offset - 1 for part, offset in stream.live_from.items()})
            yield _frame(merger.told, "Ready", {"position": _text(merger.told)})
        else:
            merger = Merger({part: self._told.get(part, -1) for part in stream.parts})
            async for row in backlog(reads, stream.account_id, merger, hub.ends(stream)):
                yield _event(merger.told, row)
            hub.open(stream)
            async for row in backlog(reads, stream.account_id, merger, stream.live_from):
                yield _event(merger.told, row)
        async for frame in self._live(merger):
            yield frame

    async def _live(self, merger: Merger) -> AsyncIterator[bytes]:
        stream, hub = self._stream, self._gateway.hub
        looked_at = heard_at = clock.monotonic()
        read = hub.ends(stream)
        while not hub.closing:
            if not still_valid(self._call.key.key_id, self._gateway.bus.reference):
                return
            await stream.wait(LOOK_SECONDS)
            heard_at = clock.monotonic() if stream.queue else heard_at
            while stream.queue:
                merger.push(stream.queue.popleft())
                for row in merger.ready(HELD_MAX):
                    yield _event(merger.told, row)
            if clock.monotonic() - looked_at >= LOOK_SECONDS:
                for part, end in read.items():  # What was read before the last look has come by now.
                    merger.complete(part, end)
                looked_at, read = clock.monotonic(), hub.ends(stream)
                for row in merger.ready(HELD_MAX):
                    yield _event(merger.told, row)
            if clock.monotonic() - heard_at >= HEARTBEAT_SECONDS:
                heard_at = clock.monotonic()
                yield b": still here\n\n"


async def backlog(reads: Reads, account_id: str, merger: Merger, ends: Mapping[Part, int]) -> AsyncIterator[Row]:
    """Events that the stream has not told, up to these offsets, from the views; what is caused by a later one stays in
    the merger. Raises Problem view_behind."""
    await reads.reach({part: end - 1 for part, end in ends.items()})
    while lacking := merger.lacking(ends):
        for part, (start, end) in lacking.items():
            rows = await reads.events(account_id, part, start - 1, end, BACKLOG_PAGE)
            for row in rows:
                merger.push(row)
            if len(rows) < BACKLOG_PAGE:
                merger.complete(part, end)
        for row in merger.ready():
            yield row


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _text(told: Mapping[Part, int]) -> str:
    """A stream's place; it has one as well when nothing has ever been written: an empty id would be none to resume."""
    return format_positions((part, offset) for part, offset in told.items() if offset >= 0) or NOTHING


def _parsed(last_event_id: str) -> dict[Part, int]:
    return {} if last_event_id == NOTHING else parse_positions(last_event_id, "Last-Event-ID")


def _event(told: Mapping[Part, int], row: Row) -> bytes:
    return _frame(told, row["type"], rendering.event(row))


def _frame(told: Mapping[Part, int], kind: str, data: Any) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (_text(told).encode(), kind.encode(), msgspec.json.encode(data))
