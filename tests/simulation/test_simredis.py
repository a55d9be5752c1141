"""The simulated Redis keeps the contract of the real one, and loses what it is told to lose."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import redis

from services.gateway.projection.hot import HotKeys
from services.gateway.projection.store import Credit
from tests.simulation.redis_contract import P1, P2, RedisContract, Server, balances, move
from tests.simulation.simredis import RedisFaults, SimRedis, SimRedisClient


class Simulated:
    """The contract's handle on a simulated server."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000
        self.redis = SimRedis(lambda: self.now_us, Random(1))

    def client(self) -> SimRedisClient:
        return SimRedisClient(self.redis)

    def script(self, text: str, keys: tuple[str, ...], *arguments: str | int) -> Any:
        return self.redis.script(text, keys, arguments)

    def flush(self) -> None:
        self.redis.flush()

    def pass_time(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)


class TestSimRedis(RedisContract):
    @pytest.fixture
    def server(self) -> Iterator[Server]:
        yield Simulated()


def test_a_stale_replica_shows_at_the_next_update_of_the_partition() -> None:
    server = Simulated()
    hot = HotKeys(server.client(), lambda: ([], {P1: 0, P2: 0}))
    hot.refresh()
    hot.update([Credit("acme", "BTC", 1, 0)], [move(P1, 0, 1)])
    hot.update([Credit("acme", "BTC", 2, 0)], [move(P1, 1, 2)])
    server.redis.failover(lost_writes=1)
    assert balances(server, "acme", P1) == [["1", "1"], ["BTC", "1 0"]]
    hot.update([Credit("bob", "BTC", 3, 0)], [move(P2, 0, 1)])
    assert hot.complete, "of the other partition nothing was lost"
    hot.update([Credit("acme", "USDT", 1, 0)], [move(P1, 2, 3)])
    assert not hot.complete
    assert balances(server, "acme", P1) == [["1", "1"], ["BTC", "1 0"]], "never new offsets over old balances"


def test_an_outage_and_lost_replies_are_errors() -> None:
    server = Simulated()
    server.redis.outage(1_000)
    with pytest.raises(redis.ConnectionError):
        server.client().exists("x")
    server.now_us += 1_000
    server.redis.faults = RedisFaults(lost_replies=1.0)
    with pytest.raises(redis.ConnectionError):
        server.client().exists("x")
