"""One websocket connection: a bounded queue out, keep-alive, and the inbound message limit."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import WSMsgType, web

from truetape import clock

QUEUE_MAX: Final = 20_000
MESSAGE_BYTES_MAX: Final = 65_536
PING_SECONDS: Final = 20.0
PONG_SECONDS: Final = 60.0
LIFETIME_SECONDS: Final = 86_400.0


def open_socket(_request: web.BaseRequest) -> web.WebSocketResponse:
    """The server's end of a new connection."""
    return web.WebSocketResponse(autoping=False, max_msg_size=MESSAGE_BYTES_MAX, compress=False)


class Session:
    """Sends without waiting: a reader that falls QUEUE_MAX messages behind is disconnected, never waited for."""

    def __init__(self, request: web.BaseRequest, socket: web.WebSocketResponse) -> None:
        self.request = request
        self.socket = socket
        self.closing: list[Callable[[], None]] = []
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._opened = self._ponged = clock.monotonic()
        self._second = 0
        self._messages = 0

    def send(self, payload: bytes) -> None:
        """Queue one text message."""
        if len(self._queue) >= QUEUE_MAX:
            self.abort()
            return
        self._queue.append(payload)
        self._wake.set()

    def abort(self) -> None:
        """Cut the connection at once."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def run(self, receive: Callable[[str], None], messages_per_second: int | None) -> None:
        """Serve until the peer leaves: `receive` gets each text message. Raises HTTPException on a bad handshake."""
        writer: asyncio.Task[None] | None = None
        try:
            await self.socket.prepare(self.request)
            writer = asyncio.create_task(self._write())
            async for message in self.socket:
                if messages_per_second is not None and self._count() > messages_per_second:
                    await self.socket.close(code=1008, message=b"Too many requests")
                    break
                if message.type is WSMsgType.TEXT:
                    receive(message.data)
                elif message.type is WSMsgType.PING:
                    await self.socket.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    self._ponged = clock.monotonic()
                else:
                    break
        except ConnectionError:
            pass
        finally:
            if writer is not None:
                writer.cancel()
            for callback in self.closing:
                callback()

    def expired(self) -> bool:
        """Whether the peer stopped answering pings, or the connection is a day old."""
        now = clock.monotonic()
        return now - self._ponged > PONG_SECONDS or now - self._opened > LIFETIME_SECONDS

    async def ping(self) -> None:
        """Ask the peer whether it is there. One that is leaving, or has not shaken hands, is not asked."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.socket.ping()

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self.socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            self.abort()

    def _count(self) -> int:
        second = int(clock.monotonic())
        if second != self._second:
            self._second, self._messages = second, 0
        self._messages += 1
        return self._messages
