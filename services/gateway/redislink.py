"""One pipelined Redis connection for the hot path.

redis-py costs 110 µs of CPU per script call; this costs a tenth: commands are written as they come, replies resolve
futures in order. When the connection is lost, callers get LinkDown at once and a new one is made in the background.
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections import deque
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote, urlsplit

import structlog

from truetape.errors import SetupError, TruetapeError

REPLY_SECONDS: Final = 0.25
"""A reply that takes longer (up to twice that) means that the link is down: trading goes on without Redis."""
RETRY_SECONDS: Final = 0.5
WAITING_MAX: Final = 20_000
_log = structlog.get_logger()


class LinkDown(TruetapeError):
    """Redis does not answer now."""


class RedisRefused(TruetapeError):
    """Redis answered with an error."""


class Link(Protocol):
    """What the gateway needs of Redis; tests/simulation/simredis.py has one in memory."""

    @property
    def up(self) -> bool:
        """Whether it is connected."""

    def start(self) -> None:
        """Keep connected from now on."""

    async def close(self) -> None:
        """End the connection."""

    async def script(self, script: str, keys: tuple[str, ...], *arguments: str | int) -> Any:
        """Run a script. Raises LinkDown when Redis does not answer in time, RedisRefused when it refuses."""


class ReplyParser:
    """Redis' wire protocol (RESP2): bytes in, whole replies out."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[Any]:
        """All replies that are complete now; an error reply is a RedisRefused value."""
        self._data += data
        replies, at = [], 0
        while (parsed := self._parse(at)) is not None:
            reply, at = parsed
            replies.append(reply)
        self._data = self._data[at:]
        return replies

    def _parse(self, at: int) -> tuple[Any, int] | None:
        end = self._data.find(b"\r\n", at)
        if end < 0:
            return None
        kind, line, at = self._data[at : at + 1], self._data[at + 1 : end], end + 2
        match kind:
            case b":":
                return int(line), at
            case b"+":
                return line.decode(), at
            case b"-":
                return RedisRefused(line.decode()), at
            case b"$":
                return self._bulk(int(line), at)
            case b"*":
                return self._array(int(line), at)
        raise LinkDown(f"not a Redis reply: {kind!r}")

    def _bulk(self, length: int, at: int) -> tuple[Any, int] | None:
        if length < 0:
            return None, at
        if len(self._data) < at + length + 2:
            return None
        return self._data[at : at + length].decode(), at + length + 2

    def _array(self, count: int, at: int) -> tuple[Any, int] | None:
        items = []
        for _ in range(max(count, 0)):
            parsed = self._parse(at)
            if parsed is None:
                return None
            item, at = parsed
            items.append(item)
        return items, at


def pack(*arguments: str | bytes | int) -> bytes:
    """One command as bytes."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        raw = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class _Connection(asyncio.Protocol):
    """Replies resolve futures in the order of their commands."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[Any]] = deque()
        self.transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._oldest: asyncio.Future[Any] | None = None
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance.

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._parser.feed(data)
        except (LinkDown, ValueError):
            self.close()
            return
        for reply in replies:
            future = self.waiting.popleft()
            if future.done():
                continue
            if isinstance(reply, RedisRefused):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_exception(LinkDown("the connection to Redis was lost"))
        if not self.lost.done():
            self.lost.set_result(None)

    def late(self) -> bool:
        """Whether a reply is overdue: no command was answered since the last look, and some were waiting then."""
        late = bool(self.waiting) and self.waiting[0] is self._oldest
        self._oldest = self.waiting[0] if self.waiting else None
        return late

    def send(self, data: bytes) -> asyncio.Future[Any]:
        if self.transport is None or len(self.waiting) >= WAITING_MAX:
            raise LinkDown("Redis is not connected, or too far behind")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        self.transport.write(data)
        return future

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class RedisLink:
    """The `Link` over one connection, kept open in the background, and the scripts that are run over it."""

    def __init__(self, url: str, scripts: tuple[str, ...]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise SetupError("TRUETAPE_REDIS must be redis://[user:password@]host:port[/database], or rediss://")
        self._address = (parts.hostname, parts.port or 6379)
        self._ssl = ssl.create_default_context() if parts.scheme == "rediss" else None
        self._credentials = tuple(unquote(word) for word in (parts.username, parts.password) if word)
        self._database = parts.path.strip("/")
        self._scripts = scripts
        self._connection: _Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self._connection is not None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            self._connection.close()

    async def script(self, script: str, keys: tuple[str, ...], *arguments: str | int) -> Any:
        return await self._ask(pack("EVALSHA", sha1_of(script), len(keys), *keys, *arguments))

    async def command(self, *arguments: str | int) -> Any:
        """Run a command; errors as for `script`."""
        return await self._ask(pack(*arguments))

    async def _ask(self, data: bytes) -> Any:
        connection = self._connection
        if connection is None:
            raise LinkDown("Redis is not connected")
        return await connection.send(data)

    async def _keep(self) -> None:
        told = False
        while True:
            try:
                async with asyncio.timeout(5.0):
                    self._connection = await self._open()
                told = False
                while not self._connection.lost.done():
                    await asyncio.wait((self._connection.lost,), timeout=REPLY_SECONDS)
                    if self._connection.late():
                        _log.warning("redis is too slow; connecting anew")
                        self._connection.close()
            except (OSError, TimeoutError, LinkDown, RedisRefused) as error:
                if not told:
                    _log.warning("redis does not answer; rate limits are local", detail=str(error))
                told = True
            self._connection = None
            await asyncio.sleep(RETRY_SECONDS)

    async def _open(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, *self._address, ssl=self._ssl)
        try:
            if self._credentials:
                await connection.send(pack("AUTH", *self._credentials))
            if self._database:
                await connection.send(pack("SELECT", self._database))
            for script in self._scripts:
                await connection.send(pack("SCRIPT", "LOAD", script))
        except BaseException:
            connection.close()
            raise
        return connection


def sha1_of(script: str) -> str:
    """The name under which Redis keeps a script."""
    found = _names.get(script)
    if found is None:
        found = _names[script] = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    return found


_names: dict[str, str] = {}
