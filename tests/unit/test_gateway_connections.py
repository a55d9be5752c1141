"""Connections to a real server on loopback: how many there may be, and which are not kept."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from services.gateway.connections import HEAD_BYTES_MAX, HEAD_SECONDS, Connection, sweep

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Scenario = Callable[[uvicorn.Server, Any, asyncio.Event], Awaitable[None]]
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
PATIENCE = 20.0


class Two(Connection):
    """Two at most."""

    most = 2


@asynccontextmanager
async def served(kind: type[Connection], answer: asyncio.Event) -> AsyncIterator[tuple[uvicorn.Server, Any]]:
    """A server whose only route answers once it may; and how to connect to it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(app, port=0, http=kind, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    opened: list[Streams] = []

    async def connect() -> Streams:
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        return opened[-1]

    try:
        yield server, connect
    finally:
        for _, writer in opened:
            writer.close()
        server.should_exit = server.force_exit = True
        answer.set()
        await task


def on_server(scenario: Scenario, kind: type[Connection] = Connection) -> None:
    """Run a scenario with a server of its own."""

    async def run() -> None:
        answer = asyncio.Event()
        answer.set()
        async with asyncio.timeout(PATIENCE), served(kind, answer) as (server, connect):
            await scenario(server, connect, answer)

    asyncio.run(run())


async def asked(streams: Streams) -> bytes:
    """The first line of the answer to a request; empty when the connection was closed."""
    reader, writer = streams
    try:
        writer.write(REQUEST)
        return await reader.readline()
    except ConnectionError:
        return b""


async def ended(streams: Streams) -> None:
    """Wait for the server to close a connection."""
    try:
        while await streams[0].read(65_536):
            pass
    except ConnectionError:
        pass


def test_one_connection_too_many_is_closed_at_once_and_makes_room_for_nobody() -> None:
    async def scenario(server: uvicorn.Server, connect: Any, _: asyncio.Event) -> None:
        first, second = await connect(), await connect()
        assert [await asked(one) for one in (first, second)] == [b"HTTP/1.1 200 OK\r\n"] * 2
        before = Connection.refused
        third = await connect()
        await ended(third)
        assert Connection.refused == before + 1
        second[1].close()
        await ended(second)
        while len(server.server_state.connections) > 1:
            await asyncio.sleep(0.01)
        assert await asked(await connect()) == b"HTTP/1.1 200 OK\r\n", "there is room again"

    on_server(scenario, Two)


def test_who_asks_for_nothing_loses_its_place_and_who_waits_for_an_answer_does_not() -> None:
    async def scenario(server: uvicorn.Server, connect: Any, answer: asyncio.Event) -> None:
        answer.clear()
        silent, slow, junk, busy = [await connect() for _ in range(4)]
        slow[1].write(b"GET / HTTP/1.1\r\nHost: ")
        junk[1].write(b"\r\n")
        busy[1].write(REQUEST)
        while sum(one.headless_since is None for one in server.server_state.connections) < 1:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        now = asyncio.get_running_loop().time()
        assert sweep(server.server_state.connections, now) == 0
        assert sweep(server.server_state.connections, now + HEAD_SECONDS + 1) == 3
        for one in (silent, slow, junk):
            await ended(one)
        answer.set()
        assert await busy[0].readline() == b"HTTP/1.1 200 OK\r\n"
        await busy[0].readuntil(b"ok")
        while server.server_state.connections and next(iter(server.server_state.connections)).headless_since is None:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        assert sweep(server.server_state.connections, now + 3 * HEAD_SECONDS) == 1, "answered, it waits for the next"
        await ended(busy)

    on_server(scenario)


@pytest.mark.parametrize("what", ["header", "line", "emptiness"])
def test_a_head_has_a_bound(what: str) -> None:
    async def scenario(server: uvicorn.Server, connect: Any, answer: asyncio.Event) -> None:
        streams = await connect()
        begin, again = {
            "header": (b"GET / HTTP/1.1\r\n", b"a: " + b"b" * 1_000 + b"\r\n"),
            "line": (b"GET /", b"a" * 1_000),
            "emptiness": (b"", b"\r\n" * 500),
        }[what]
        streams[1].write(begin)
        try:
            for _ in range(2 * HEAD_BYTES_MAX // 1_000):
                streams[1].write(again)
                await streams[1].drain()
        except ConnectionError:
            return
        await ended(streams)

    on_server(scenario)


def test_a_head_behind_a_request_that_is_worked_on_has_the_same_bound() -> None:
    async def scenario(server: uvicorn.Server, connect: Any, answer: asyncio.Event) -> None:
        answer.clear()
        streams = await connect()
        streams[1].write(REQUEST)
        while sum(one.headless_since is None for one in server.server_state.connections) < 1:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)
        streams[1].write(b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 2 * HEAD_BYTES_MAX)
        await ended(streams)

    on_server(scenario)


def test_bodies_are_no_part_of_a_head() -> None:
    async def scenario(server: uvicorn.Server, connect: Any, answer: asyncio.Event) -> None:
        streams = await connect()
        body = b"x" * 3 * HEAD_BYTES_MAX
        for _ in range(2):
            streams[1].write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert await streams[0].readline() == b"HTTP/1.1 200 OK\r\n"
            await streams[0].readuntil(b"ok")

    on_server(scenario)


def test_the_system_is_asked_for_room_and_has_the_last_word() -> None:
    script = (
        "import resource as r; from services.gateway.connections import connections_max\n"
        "for soft, hard in ((256, 8_000), (256, 1_000), (100, 300)):\n"
        "    r.setrlimit(r.RLIMIT_NOFILE, (soft, hard))\n"
        "    print(connections_max(), r.getrlimit(r.RLIMIT_NOFILE)[0])\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["4096", "4608", "500", "1000", "150", "300"]
