"""A TCP proxy on loopback that can be told to misbehave: the network between two processes, in a test's hand.

`hold` is a partition: nothing passes, connections stay, and what was on the way arrives after `release`, late, as on a
network that heals. One direction alone is an asymmetric partition. `cut` resets connections, `refuse` takes no new
ones. A `tap` sees every chunk, and says what becomes of it: for faults that must hit one message of a protocol.
"""

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Final, Literal

Direction = Literal["to_server", "to_client"]
BOTH: Final[tuple[Direction, ...]] = ("to_server", "to_client")
Verdict = Literal["pass", "hold", "cut"]
"""`hold` keeps this chunk and all after it until `release`; `cut` drops it and resets the connection."""
Tap = Callable[[int, Direction, bytes], Verdict]
"""Connection number, direction, bytes. Called in the proxy's thread: must not block."""
CHUNK_BYTES: Final = 65_536
START_SECONDS: Final = 10.0
_RESET: Final = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target`. Its own thread; every method may be called from any other."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, 0
        self.refuse = False
        """New connections are reset at once."""
        self.tap: Tap | None = None
        self.connections = 0
        """Taken so far."""
        self._open: dict[int, tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._loop = asyncio.new_event_loop()
        self._numbers = itertools.count(1)
        self._started, self._stopping = threading.Event(), asyncio.Event()
        self._free: dict[Direction, asyncio.Event] = {}
        self._thread = threading.Thread(target=self._run, name=f"proxy-{target}", daemon=True)
        self._thread.start()
        assert self._started.wait(START_SECONDS), f"no proxy for port {target}"

    # -- what a test says ------------------------------------------------------------------------------------

    def hold(self, directions: Iterable[Direction] = BOTH) -> None:
        """From now on nothing passes in these directions."""
        for direction in directions:
            self._tell(self._free[direction].clear)

    def release(self) -> None:
        """All that was held passes, and everything after it."""
        for event in self._free.values():
            self._tell(event.set)

    def cut(self) -> None:
        """Reset every connection."""
        self._tell(self._cut_all)

    def close(self) -> None:
        """End, with all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(START_SECONDS)

    def _tell(self, what: Callable[[], object]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(what)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(START_SECONDS), "the proxy's thread is stuck"

    # -- in the proxy's thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._free = {direction: asyncio.Event() for direction in BOTH}
        for event in self._free.values():
            event.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        server.close()
        for event in self._free.values():
            event.set()
        self._cut_all()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if others:
            await asyncio.wait(others, timeout=START_SECONDS / 2)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = next(self._numbers)
        if self.refuse:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=CHUNK_BYTES)
        except OSError:
            _reset(writer)
            return
        self._open[number] = (writer, server_writer)
        pumps = [
            asyncio.create_task(self._pump(number, "to_server", reader, server_writer)),
            asyncio.create_task(self._pump(number, "to_client", server_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._cut(number)

    async def _pump(
        self, number: int, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            verdict = self.tap(number, direction, chunk) if self.tap is not None else "pass"
            if verdict == "cut":
                raise ConnectionResetError("cut by the tap")
            if verdict == "hold":
                self._free[direction].clear()
            await self._free[direction].wait()
            writer.write(chunk)
            await writer.drain()
        await self._free[direction].wait()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    def _cut_all(self) -> None:
        for number in list(self._open):
            self._cut(number)

    def _cut(self, number: int) -> None:
        for writer in self._open.pop(number, ()):
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
