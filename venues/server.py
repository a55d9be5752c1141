"""One process of one venue: the listening socket, the clockwork of streams, the order flow, the shutdown."""

import asyncio
import errno
import signal
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from truetape import clock
from truetape.errors import SetupError
from venues.admin import AdminServer
from venues.api_server import ApiServer
from venues.flow import GeneratedFlow
from venues.rejects import Reject
from venues.replay import RecordedFlow, read_recording
from venues.rest import RestServer, refuse
from venues.sessions import PING_SECONDS, Session
from venues.stream_server import StreamServer
from venues.venue import Venue

TICK_SECONDS: Final = 0.1


class Server:
    """Serves a venue on one port."""

    def __init__(self, venue: Venue, tick_seconds: float = TICK_SECONDS) -> None:
        self.venue = venue
        self._tick_seconds, self._ticks_per_second = tick_seconds, max(1, round(1.0 / tick_seconds))
        self.rest = RestServer(venue)
        self.streams = StreamServer(venue)
        self.api = ApiServer(venue)
        self.admin = AdminServer(venue, self.sessions)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send a request to the server that its path belongs to."""
        received_us = self.venue.now_us()
        path, _, query = request.raw_path.partition("?")
        if path.startswith("/admin/"):
            return await self.admin.answer(request, path)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._handle_socket(request, path, query)
        return await self.rest.answer(request, path, query, received_us)

    async def _handle_socket(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        try:
            if path.rstrip("/") == "/ws-api/v3":
                return await self.api.serve(request)
            if path.startswith(("/ws", "/stream")):
                return await self.streams.serve(request, path, query)
        except web.HTTPException as error:
            return refuse(Reject(-1020, f"Not a websocket handshake: {error.reason}", status=error.status))
        return refuse(Reject(-1020, "This operation is not supported.", status=404))

    def sessions(self, kind: str) -> list[Session]:
        """Open websockets: user, market, api or all."""
        if kind == "user":
            return list(dict.fromkeys(self.venue.users.sessions()))
        market = self.streams.sessions if kind in ("market", "all") else {}
        api = self.api.sessions if kind in ("api", "all") else {}
        return [*market, *api]

    async def tick(self) -> None:
        """Every 100 ms, or as told, publish what goes out at intervals."""
        start, count = clock.monotonic(), 0
        while True:
            count += 1
            await asyncio.sleep(max(0.0, start + count * self._tick_seconds - clock.monotonic()))
            self.venue.expire()
            self.venue.markets.tick(self.venue.now_us() // 1_000, count % self._ticks_per_second == 0)

    async def keep_alive(self) -> None:
        """Ping every websocket, and cut those that no longer answer."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            for session in self.sessions("all"):
                if session.expired():
                    session.abort()
                else:
                    await session.ping()

    async def say_goodbye(self) -> None:
        """Tell every websocket that the venue shuts down, and close it."""
        event = {"e": "serverShutdown", "E": self.venue.now_us() // 1_000}
        for session in self.sessions("all"):
            session.send(msgspec.json.encode(event))
        await asyncio.sleep(0)
        for session in self.sessions("all"):
            await session.socket.close(code=1001, message=b"serverShutdown")


async def play_generated(venue: Venue, flow: GeneratedFlow, rate: float) -> None:
    """Run generated flow for as long as the symbol trades, `rate` events a second."""
    if flow.market.symbol.over(venue.now_us() // 1_000):
        return
    flow.start(venue.now_us() // 1_000)
    venue.flush()
    while True:
        await asyncio.sleep(flow.pause(rate))
        if flow.market.symbol.over(now_ms := venue.now_us() // 1_000):
            return  # It ended meanwhile: nothing trades between its end and the tick that closes its book.
        flow.step(now_ms)
        venue.flush()


async def play_recorded(venue: Venue, flow: RecordedFlow, paths: list[Any], speed: float, *, loop: bool) -> None:
    """Play a recording at its own pace times `speed`, again and again when told to loop."""
    while True:
        start_ns, started = 0, clock.monotonic()
        for time_ns, message in read_recording(paths):
            start_ns = start_ns or time_ns
            wait = (time_ns - start_ns) / 1e9 / speed - (clock.monotonic() - started)
            if wait > 0.001:
                await asyncio.sleep(wait)
            if flow.apply(message, venue.now_us() // 1_000):
                venue.flush()
        if not loop:
            return


async def serve(venue: Venue, host: str, port: int, flows: list[Coroutine[Any, Any, None]], listening: str) -> None:
    """Serve until SIGTERM or SIGINT. Raises SetupError when the port is taken, or what a flow raised."""
    server = Server(venue)
    runner = web.ServerRunner(web.Server(server.handle, access_log=None), shutdown_timeout=1.0)
    await runner.setup()
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
    try:
        await _listen(runner, host, port)
        print(listening, flush=True)
        tasks = [asyncio.ensure_future(job) for job in (server.tick(), server.keep_alive(), *flows)]
        await _until(stopped, tasks)
        await server.say_goodbye()
    finally:
        await runner.cleanup()


async def _listen(runner: web.ServerRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port, backlog=1_024).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SetupError(
                f"port {port} on {host} is in use; stop the process that holds it or give another --port"
            ) from None
        raise SetupError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


async def _until(stopped: asyncio.Event, tasks: Sequence["asyncio.Future[None]"]) -> None:
    """Wait for the signal; a task that fails ends the wait with its exception."""
    waiter = asyncio.ensure_future(stopped.wait())
    pending: set[asyncio.Future[Any]] = {waiter, *tasks}
    try:
        while not waiter.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        left = [task for task in (waiter, *tasks) if task in pending]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
