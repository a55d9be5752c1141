"""Redis keeps the contract that the simulated one keeps (tests/simulation/test_simredis.py)."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from services.gateway.limits import SCRIPTS
from services.gateway.redislink import RedisLink
from tests.simulation.redis_contract import RedisContract, Server
from truetape.dev.servers import Servers


@dataclass
class Real:
    """The contract's handle on database 9 of the running server."""

    url: str

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)

    def script(self, text: str, keys: tuple[str, ...], *arguments: str | int) -> Any:
        return asyncio.run(self._script(text, keys, arguments))

    async def _script(self, text: str, keys: tuple[str, ...], arguments: tuple[str | int, ...]) -> Any:
        link = RedisLink(self.url, SCRIPTS)
        link.start()
        try:
            async with asyncio.timeout(20):
                while not link.up:
                    await asyncio.sleep(0.005)
            return await link.script(text, keys, *arguments)
        finally:
            await link.close()

    def flush(self) -> None:
        with self.client() as client:
            client.flushdb()

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)


class TestRealRedis(RedisContract):
    @pytest.fixture
    def server(self, stack: Servers) -> Iterator[Server]:
        found = Real(f"{stack.redis.rpartition('/')[0]}/9")
        found.flush()
        yield found
        found.flush()
