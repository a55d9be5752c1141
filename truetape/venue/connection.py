"""One websocket that is always wanted: connect, notice silence, connect again.

A ping goes out twice a second, or as configured; a pong proves that everything sent before it has arrived, so the
silence of a quiet market and the silence of a dead connection are told apart. Venues count what they receive: Binance
takes five messages a second on a connection.
"""

import asyncio
import contextlib
from typing import Final, Protocol

import aiohttp
import structlog
from aiohttp import ClientWSTimeout, WSMsgType

from truetape import chance, clock
from truetape.errors import VenueError

SILENCE_SECONDS: Final = 5.0
"""Without a pong for longer, a connection counts as dead."""
LIFETIME_SECONDS: Final = 23 * 3_600.0
"""Venues cut connections after a day; we choose the moment ourselves."""
RETRY_SECONDS: Final = (0.1, 10.0)
"""First and longest wait before connecting again: doubled in between, and varied."""
MESSAGE_BYTES_MAX: Final = 16 * 2**20
Socket = aiohttp.ClientWebSocketResponse[bool]
_log = structlog.get_logger()


class Handler(Protocol):
    """What is done with a connection. Nothing but `opened` may block."""

    async def opened(self, socket: Socket) -> None:
        """Connected: subscribe."""

    def received(self, data: bytes) -> None:
        """One text message. A VenueError ends the connection."""

    def beat(self, answered_us: int) -> None:
        """At each pong: all that it sent until `answered_us` (our clock) has arrived."""

    def closed(self) -> None:
        """The connection is gone, or could not be made."""


async def keep_connected(
    http: aiohttp.ClientSession, url: str, name: str, handler: Handler, ping_seconds: float
) -> None:
    """Keep one connection, for ever; every end of it is followed by another try."""
    first, longest = RETRY_SECONDS
    wait = first
    while True:
        began = clock.monotonic()
        try:
            await _serve(http, url, handler, ping_seconds)
            reason = "closed"
        except (aiohttp.ClientError, OSError, TimeoutError, VenueError) as error:
            reason = f"{type(error).__name__}: {error}"
        finally:
            handler.closed()
        if clock.monotonic() - began > longest:
            wait = first
        _log.warning("venue connection lost", connection=name, reason=reason)
        await asyncio.sleep(wait * chance.uniform(0.5, 1.0))
        wait = min(wait * 2, longest)


async def _serve(http: aiohttp.ClientSession, url: str, handler: Handler, ping_seconds: float) -> None:
    async with asyncio.timeout(SILENCE_SECONDS):
        socket = await http.ws_connect(
            url,
            autoping=False,
            decode_text=False,
            max_msg_size=MESSAGE_BYTES_MAX,
            timeout=ClientWSTimeout(ws_close=1.0),
        )
    pulse = Pulse(socket, ping_seconds)
    heart = asyncio.create_task(pulse.run())
    try:
        await handler.opened(socket)
        while True:
            message = await socket.receive()
            if message.type is WSMsgType.TEXT:
                handler.received(message.data)
            elif message.type is WSMsgType.PONG:
                handler.beat(pulse.answered(bytes(message.data)))
            elif message.type is WSMsgType.PING:
                await socket.pong(message.data)
            else:
                return
    finally:
        heart.cancel()
        await socket.close()


class Pulse:
    """Pings one connection, and closes it when no pong comes or its time is over."""

    def __init__(self, socket: Socket, ping_seconds: float) -> None:
        self._socket, self._ping_seconds = socket, ping_seconds
        self._opened_at = self._answered_at = clock.monotonic()

    def answered(self, payload: bytes) -> int:
        """A pong came; returns when its ping was sent, 0 when it is no answer to ours."""
        self._answered_at = clock.monotonic()
        return int(payload) if payload.isdigit() else 0

    async def run(self) -> None:
        """Ping until the connection ends."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not self._socket.closed:
                now = clock.monotonic()
                if now - self._answered_at > SILENCE_SECONDS or now - self._opened_at > LIFETIME_SECONDS:
                    await self._socket.close()
                    return
                await self._socket.ping(str(clock.now_us()).encode())
                await asyncio.sleep(self._ping_seconds)
