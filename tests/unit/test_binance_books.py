"""The depth connection where the order of its messages matters: grants, snapshots, gaps, beats, ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest_asyncio

from truetape.money import ONE_E8
from truetape.venue.binance_books import DepthStream
from truetape.venue.binance_rest import Rest
from truetape.venue.book import BookView
from truetape.venue.connection import Socket
from truetape.venue.errors import VenueRefused

SYMBOL = "BTCUSDT"


class ScriptedRest:
    """Answers snapshots at the update id that the test sets."""

    example_symbol = ""

    def __init__(self) -> None:
        self.last = 100
        self.asked = 0
        self.refusing = False

    async def public(self, path: str, query: str) -> bytes:
        self.asked += 1
        if self.refusing:
            raise VenueRefused("-1003", "too much")
        return msgspec.json.encode({"lastUpdateId": self.last, "bids": [["99", "1"]], "asks": [["101", "1"]]})


class ScriptedSocket:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.closed = False

    async def send_str(self, text: str) -> None:
        self.sent.append(msgspec.json.decode(text))


class Bench:
    def __init__(self) -> None:
        self.rest, self.socket = ScriptedRest(), ScriptedSocket()
        self.views: list[BookView] = []
        self.wanted = {SYMBOL}
        self.stream = DepthStream("alpha", cast(Rest, self.rest), lambda: self.wanted, self.views.append, 0.01)

    async def opened(self) -> None:
        before = len(self.socket.sent)
        await self.stream.opened(cast(Socket, self.socket))
        await self.until(lambda: len(self.socket.sent) > before)

    def grant(self) -> None:
        self.stream.received(msgspec.json.encode({"result": None, "id": self.socket.sent[-1]["id"]}))

    def diff(self, first: int, last: int, bid: str = "98") -> None:
        data = {"e": "depthUpdate", "s": SYMBOL, "U": first, "u": last, "b": [[bid, "2"]], "a": []}
        self.stream.received(msgspec.json.encode({"stream": "btcusdt@depth@100ms", "data": data}))

    async def live(self) -> None:
        await self.opened()
        self.grant()
        await self.until(lambda: bool(self.views) and self.views[-1].usable)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    one = Bench()
    yield one
    one.socket.closed = True
    one.stream.closed()


async def test_no_snapshot_before_the_subscription_is_granted(bench: Bench) -> None:
    await bench.opened()
    bench.diff(101, 101)
    await asyncio.sleep(0.02)
    assert bench.rest.asked == 0, "differences could be missing between such a snapshot and the stream"
    bench.grant()
    await bench.until(lambda: bool(bench.views))
    assert (bench.views[-1].sequence, bench.views[-1].usable) == (101, True)


async def test_a_gap_is_told_at_once_and_healed_by_a_new_snapshot(bench: Bench) -> None:
    await bench.live()
    bench.diff(101, 101)
    bench.rest.last = 110
    bench.diff(105, 106)
    assert not bench.views[-1].usable
    assert bench.views[-1].bids == ()
    await bench.until(lambda: bench.views[-1].usable)
    assert bench.views[-1].sequence == 110


async def test_a_snapshot_that_cannot_be_had_is_asked_for_again(bench: Bench) -> None:
    bench.rest.refusing = True
    await bench.opened()
    bench.grant()
    await bench.until(lambda: bench.rest.asked > 0)
    assert bench.views == []
    bench.rest.refusing = False
    await bench.until(lambda: bool(bench.views))


async def test_a_beat_moves_the_age_of_live_books_forward_alone(bench: Bench) -> None:
    await bench.live()
    then_us = bench.views[-1].observed_at_us
    bench.stream.beat(then_us - 5)
    assert bench.views[-1].observed_at_us == then_us
    bench.stream.beat(then_us + 5)
    assert bench.views[-1].observed_at_us == then_us + 5
    assert bench.views[-1].bids == ((99 * ONE_E8, ONE_E8),)


async def test_the_end_of_a_connection_is_doubt_and_the_next_begins_anew(bench: Bench) -> None:
    await bench.live()
    bench.stream.closed()
    assert not bench.views[-1].usable
    count = len(bench.views)
    bench.stream.beat(2**62)
    bench.stream.closed()
    assert len(bench.views) == count, "what is in doubt does not age, and is told once"
    await bench.live()
    assert len(bench.socket.sent) == 2


async def test_a_new_listing_is_followed_and_a_refused_one_is_left(bench: Bench) -> None:
    await bench.live()
    bench.wanted = {SYMBOL, "ETHUSDT", "NOPEUSDT"}
    await bench.until(lambda: len(bench.socket.sent) == 2)
    assert bench.socket.sent[-1]["params"] == ["ethusdt@depth@100ms", "nopeusdt@depth@100ms"]
    refusal = {"error": {"code": 2, "msg": "unknown stream"}, "id": 2}
    bench.stream.received(msgspec.json.encode(refusal))
    await bench.until(lambda: len(bench.socket.sent) == 3)
    assert bench.socket.sent[-1]["params"] == ["ethusdt@depth@100ms"], "one by one"
