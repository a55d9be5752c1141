"""What can go wrong with a request: surely without effect, or doubtful. Against real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from truetape.venue.binance_rest import Rest, monotonic_us, open_http
from truetape.venue.clock import SAMPLES, VenueClock
from truetape.venue.errors import VenueDoubtful, VenueLimited, VenueRefused
from truetape.venue.limits import RateLimits

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FAR_US = 2**60


@asynccontextmanager
async def rest_to(serve: Serve) -> AsyncIterator[Rest]:
    """A REST client whose venue does what `serve` does with a connection."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    http = open_http()
    try:
        yield client(http, server.sockets[0].getsockname()[1])
    finally:
        await http.close()
        server.close()
        await asyncio.sleep(0.01)  # The serving ends see that their peers left.


def client(http: Any, port: int) -> Rest:
    rest = Rest(http, f"http://127.0.0.1:{port}/", SecretStr("key"), SecretStr("secret"))
    rest.clock.sample(monotonic_us(), 1_000_000_000, monotonic_us())
    return rest


def answering(status: str, body: bytes, *headers: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
        writer.write(head.encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    return serve


@pytest.mark.parametrize(
    ("status", "body", "doubtful", "code"),
    [
        #  what the venue answers                                      outcome   code
        ("400 Bad Request", b'{"code":-1013,"msg":"Filter failure"}', False, "-1013"),
        ("400 Bad Request", b'{"code":-2010,"msg":"Insufficient balance"}', False, "-2010"),
        ("400 Bad Request", b'{"code":-1021,"msg":"outside of the recvWindow"}', False, "-1021"),
        ("401 Unauthorized", b'{"code":-2015,"msg":"Invalid API-key"}', False, "-2015"),
        ("403 Forbidden", b"<html>", False, "HTTP_403"),
        ("429 Too Many", b'{"code":-1003,"msg":"Too much weight"}', False, "-1003"),
        ("429 Too Many", b'{"code":-1015,"msg":"Too many new orders"}', False, "-1015"),
        ("418 Teapot", b"", False, "418"),
        ("400 Bad Request", b'{"code":-1000,"msg":"unknown error"}', True, ""),
        ("400 Bad Request", b'{"code":-1001,"msg":"Internal error"}', True, ""),
        ("400 Bad Request", b'{"code":-1006,"msg":"Execution status unknown"}', True, ""),
        ("408 Timeout", b'{"code":-1007,"msg":"Timeout"}', True, ""),
        ("400 Bad Request", b'{"code":-1007,"msg":"Timeout"}', True, ""),
        ("400 Bad Request", b'{"code":-2010,"msg":"Duplicate order sent."}', True, ""),
        ("500 Internal", b"", True, ""),
        ("503 Unavailable", b'{"code":-1008,"msg":"overloaded"}', True, ""),
        ("504 Timeout", b"<html>", True, ""),
        ("302 Found", b"", True, ""),
    ],
)
async def test_an_answer_is_a_refusal_or_a_doubt(status: str, body: bytes, doubtful: bool, code: str) -> None:
    async with rest_to(answering(status, body)) as rest:
        with pytest.raises((VenueRefused, VenueDoubtful)) as raised:
            await rest.post_order("symbol=X", FAR_US)
    assert isinstance(raised.value, VenueDoubtful) is doubtful
    assert getattr(raised.value, "code", "") == code


async def test_a_connection_that_ends_after_the_request_is_a_doubt() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with rest_to(hang_up) as rest:
        with pytest.raises(VenueDoubtful, match="connection lost"):
            await rest.post_order("symbol=X", FAR_US)


async def test_an_answer_cut_short_is_a_doubt() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        await writer.drain()
        writer.close()

    async with rest_to(cut) as rest:
        with pytest.raises(VenueDoubtful):
            await rest.post_order("symbol=X", FAR_US)


async def test_no_answer_is_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr("truetape.venue.binance_rest.REPLY_SECONDS", 0.05)
    async with rest_to(silent) as rest:
        with pytest.raises(VenueDoubtful, match="no answer"):
            await rest.post_order("symbol=X", FAR_US)


async def test_a_refused_connection_is_definite() -> None:
    server = await asyncio.start_server(answering("200 OK", b""), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    http = open_http()
    with pytest.raises(VenueRefused) as raised:
        await client(http, port).post_order("symbol=X", FAR_US)
    await http.close()
    assert raised.value.code == "VENUE_UNREACHABLE"


async def test_an_order_is_signed_with_the_rest_of_its_life_as_window() -> None:
    seen: list[str] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with rest_to(keep) as rest:
        now_ms = rest.venue_now_us() // 1_000
        await rest.post_order("symbol=X", (now_ms + 2_000) * 1_000)
        signed = seen[0].split("?")[1].split(" ")[0]
        fields = dict(pair.split("=") for pair in signed.split("&"))
        assert int(fields["timestamp"]) + int(fields["recvWindow"]) == now_ms + 2_000, "the venue's clock is the judge"
        assert fields["signature"] == rest.sign(signed.rpartition("&")[0])
        assert "X-MBX-APIKEY: key" in seen[0]
        await rest.post_order("symbol=X", FAR_US)
        assert "recvWindow=60000&" in seen[1], "the venue takes no longer one"
        for passed_us in (0, (now_ms - 5) * 1_000):
            with pytest.raises(VenueRefused) as raised:
                await rest.post_order("symbol=X", passed_us)
            assert raised.value.code == "SEND_DEADLINE_PASSED"
    assert len(seen) == 2, "what is late is not sent"


async def test_nothing_is_sent_before_the_venues_clock_is_known() -> None:
    http = open_http()
    rest = Rest(http, "http://127.0.0.1:1", SecretStr("key"), SecretStr("secret"))
    assert not rest.accepts_orders()
    with pytest.raises(VenueRefused, match="clock"):
        await rest.post_order("symbol=X", FAR_US)
    await http.close()


async def test_a_limit_silences_the_client_for_as_long_as_it_says() -> None:
    async with rest_to(answering("429 Too Many", b'{"code":-1003,"msg":"weight"}', "Retry-After: 30")) as rest:
        with pytest.raises(VenueLimited) as raised:
            await rest.post_order("symbol=X", FAR_US)
        assert raised.value.retry_after_seconds == 30
        assert not rest.accepts_orders()
        with pytest.raises(VenueLimited, match="not sent"):
            await rest.post_order("symbol=X", FAR_US)
        with pytest.raises(VenueLimited, match="not sent"):
            await rest.delete("/api/v3/order", "")


# ---- rate limits and clock, free of I/O


def test_weight_leaves_room_for_orders() -> None:
    limits = RateLimits()
    limits.weight_limit, limits.order_limit = 1_000, 10
    limits.used("800", None, 120.0)
    assert limits.wait_seconds(121.0, query=True) == 59.0
    assert limits.wait_seconds(121.0, query=False) == 0.0
    limits.used("1000", None, 150.0)
    assert limits.wait_seconds(150.0, query=False) == 30.0
    assert limits.wait_seconds(180.0, query=True) == 0.0, "a new minute"


def test_the_order_limit_stops_orders_alone() -> None:
    limits = RateLimits()
    limits.weight_limit, limits.order_limit = 1_000, 10
    limits.used("1", "10", 121.0)
    with pytest.raises(VenueLimited):
        limits.check_order(122.0)
    limits.check_cancel(122.0)
    limits.check_order(130.0)
    limits.refused(0.0, 130.0, orders_only=True)
    with pytest.raises(VenueLimited):
        limits.check_order(130.5)
    limits.check_cancel(130.5)
    limits.check_order(131.0)


def test_a_longer_silence_is_not_shortened() -> None:
    limits = RateLimits()
    limits.refused(60.0, 0.0, orders_only=False)
    limits.refused(1.0, 10.0, orders_only=False)
    assert limits.wait_seconds(30.0, query=False) == 30.0


def test_the_quickest_sample_sets_the_clock() -> None:
    clock = VenueClock()
    clock.sample(0, 5_000_100, 40_000)
    assert clock.now_us(1_000_000) == 1_000_000 + 5_000_100 - 20_000
    clock.sample(100_000, 5_110_000, 100_400)
    assert (clock.now_us(0), clock.error_us) == (5_110_000 - 100_200, 200)
    clock.sample(200_000, 5_300_000, 290_000)
    assert clock.now_us(0) == 5_110_000 - 100_200, "a slow answer says little"


def test_a_clock_that_was_set_is_measured_anew() -> None:
    clock = VenueClock()
    for number in range(SAMPLES):
        clock.sample(number * 1_000, number * 1_000 + 50, number * 1_000 + 100)
    clock.sample(1_000_000, 91_000_000, 1_001_000)
    assert clock.now_us(0) == 91_000_000 - 1_000_500
