"""A simulated Redis: hashes, the gateway's and the projection's scripts, and what can go wrong with it.

A script is ported to Python under its own text, so a changed script without a changed port fails at once;
redis_contract.py runs the same cases against a real Redis. Time is the server's own, from `now_us`.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import redis

from services.gateway.limits import HOT_BALANCES, RAISE, TAKE
from services.gateway.projection.hot import UPDATE
from services.gateway.redislink import RETRY_SECONDS, LinkDown

UNDO_MAX: Final = 200
Value = str | int


@dataclass
class RedisFaults:
    """Probabilities from 0 to 1, for each call. The default is calm."""

    lost_calls: float = 0.0
    """The connection breaks before the command arrives."""
    lost_replies: float = 0.0
    """It breaks after the command was carried out."""
    latency_us: tuple[int, int] = (50, 1_000)


@dataclass
class SimRedis:
    """The server."""

    now_us: Callable[[], int]
    random: Random
    faults: RedisFaults = field(default_factory=RedisFaults)
    seen: dict[str, int] = field(default_factory=dict)
    """What happened how often."""

    def __post_init__(self) -> None:
        self._hashes: dict[str, dict[str, str]] = {}
        self._ends_us: dict[str, int] = {}
        self._down_until_us = 0
        self._undo: deque[list[tuple[str, str, str | None]]] = deque(maxlen=UNDO_MAX)

    # -- faults ----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """FLUSHALL, or a restart without a disk."""
        self._hashes.clear()
        self._ends_us.clear()
        self._undo.clear()
        self._saw("redis flushed")

    def outage(self, for_us: int) -> None:
        """Nobody answers for a while; nothing is lost."""
        self._down_until_us = max(self._down_until_us, self.now_us() + for_us)

    def failover(self, lost_writes: int) -> None:
        """A replica takes over that has not heard of the newest writes."""
        for _ in range(min(lost_writes, len(self._undo))):
            for key, name, before in reversed(self._undo.pop()):
                if before is None:
                    self._hashes.get(key, {}).pop(name, None)
                else:
                    self._hashes.setdefault(key, {})[name] = before
        self._hashes = {key: fields for key, fields in self._hashes.items() if fields}
        self._saw("stale redis replica took over")

    def call(self) -> bool:
        """A command is sent; whether its reply will come. Raises redis.ConnectionError when it does not arrive."""
        if self.now_us() < self._down_until_us or self.random.random() < self.faults.lost_calls:
            raise redis.ConnectionError("connection lost")
        return self.random.random() >= self.faults.lost_replies

    def latency_us(self) -> int:
        """From a command to its reply."""
        return self.random.randint(*self.faults.latency_us)

    def _saw(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    # -- commands --------------------------------------------------------------------------------------------

    def script(self, text: str, keys: Sequence[str], arguments: Sequence[Value]) -> Any:
        """Run a script, all of it at once."""
        self._undo.append([])
        found = _SCRIPTS[text](self, keys, [str(argument) for argument in arguments])
        if not self._undo[-1]:
            self._undo.pop()
        return found

    def exists(self, key: str) -> bool:
        """EXISTS."""
        return bool(self.fields(key))

    def fields(self, key: str) -> Mapping[str, str]:
        """HGETALL."""
        if self._ends_us.get(key, 1 << 62) <= self.now_us():
            del self._ends_us[key]
            self._hashes.pop(key, None)
        return self._hashes.get(key, {})

    def set_all(self, writes: Sequence[tuple[str, Mapping[str, Value]]]) -> None:
        """HSETs in one MULTI."""
        self._undo.append([])
        for key, values in writes:
            for name, value in values.items():
                self.set(key, name, str(value))

    def set(self, key: str, name: str, value: str) -> None:
        """HSET, as a part of a script or a transaction."""
        fields = self._hashes.setdefault(key, {})
        self._undo[-1].append((key, name, fields.get(name)))
        fields[name] = value

    def expire(self, key: str, after_us: int) -> None:
        """PEXPIRE."""
        self._ends_us[key] = self.now_us() + after_us


# -- the scripts ---------------------------------------------------------------------------------------------


def _take(server: SimRedis, keys: Sequence[str], arguments: Sequence[str]) -> Any:
    now, rate = server.now_us() / 1_000, float(arguments[0])
    bucket = server.fields(keys[0])
    passed = max(0.0, now - float(bucket.get("at", now)))
    tokens = min(rate, float(bucket.get("tokens", rate)) + passed * rate / 1000)
    wait = 0 if tokens >= 1 else math.ceil((1 - tokens) * 1000 / rate)
    tokens -= tokens >= 1
    server.set(keys[0], "tokens", f"{tokens:.14g}")
    server.set(keys[0], "at", f"{now:.14g}")
    server.expire(keys[0], 5_000_000)
    return [wait, _flat(server.fields(keys[1])) if keys[1] else []]


def _raise(server: SimRedis, keys: Sequence[str], arguments: Sequence[str]) -> Any:
    name, offset, seconds = arguments
    if int(server.fields(keys[0]).get(name, "-1")) < int(offset):
        server.set(keys[0], name, offset)
        server.expire(keys[0], int(seconds) * 1_000_000)
    return 1


def _hot_balances(server: SimRedis, keys: Sequence[str], arguments: Sequence[str]) -> Any:
    view = server.fields(keys[0])
    if not view:
        return [[], []]
    return [[view.get(name) for name in ("complete", *arguments)], _flat(server.fields(keys[1]))]


def _update(server: SimRedis, keys: Sequence[str], arguments: Sequence[str]) -> Any:
    view, moves = server.fields(keys[0]), 3 * int(arguments[0])
    if not view:
        return 0
    steps, rows = arguments[1 : 1 + moves], arguments[1 + moves :]
    if any(view.get(part, "0") != start for part, start in zip(steps[::3], steps[1::3], strict=True)):
        return 0
    for key, name, value in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        server.set(key, name, value)
    for part, end in zip(steps[::3], steps[2::3], strict=True):
        server.set(keys[0], part, end)
    return 1


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [word for pair in fields.items() for word in pair]


_SCRIPTS: Final[dict[str, Callable[[SimRedis, Sequence[str], Sequence[str]], Any]]] = {
    TAKE: _take, RAISE: _raise, HOT_BALANCES: _hot_balances, UPDATE: _update,
}  # fmt: skip


# -- clients -------------------------------------------------------------------------------------------------


@dataclass
class SimRedisClient:
    """What the projection uses of redis.Redis, for one process."""

    server: SimRedis
    spark: Callable[[], None] = lambda: None
    """Called at each call and after it: where a process may be killed or frozen in mid-work."""

    def eval(self, script: str, numkeys: int, *words: Value) -> Any:
        """EVAL. Raises redis.ConnectionError."""
        keys, arguments = [str(word) for word in words[:numkeys]], words[numkeys:]
        return self._carry_out(lambda: self.server.script(script, keys, arguments))

    def exists(self, key: str) -> int:
        """EXISTS. Raises redis.ConnectionError."""
        return int(self._carry_out(lambda: self.server.exists(key)))

    def pipeline(self, transaction: bool) -> "SimPipeline":
        """MULTI."""
        assert transaction
        return SimPipeline(self)

    def _carry_out(self, command: Callable[[], Any]) -> Any:
        self.spark()
        replied = self.server.call()
        found = command()
        self.spark()
        if not replied:
            raise redis.ConnectionError("connection lost")
        return found


@dataclass
class SimPipeline:
    """Collects HSETs; `execute` sends them as one transaction."""

    client: SimRedisClient
    writes: list[tuple[str, Mapping[str, Value]]] = field(default_factory=list)

    def __enter__(self) -> "SimPipeline":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def hset(self, key: str, name: str = "", value: Value = "", mapping: Mapping[str, Value] | None = None) -> None:
        """HSET."""
        self.writes.append((key, mapping if mapping is not None else {name: value}))

    def execute(self) -> None:
        """EXEC. Raises redis.ConnectionError."""
        self.client._carry_out(lambda: self.client.server.set_all(self.writes))


@dataclass
class SimRedisLink:
    """The gateway's `Link`, for one process; it lives on that process's event loop."""

    server: SimRedis
    _down_until: float = 0.0

    @property
    def up(self) -> bool:
        return asyncio.get_running_loop().time() >= self._down_until

    def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def script(self, script: str, keys: tuple[str, ...], *arguments: Value) -> Any:
        if not self.up:
            raise LinkDown("Redis is not connected")
        try:
            replied = self.server.call()
            found = self.server.script(script, keys, arguments)
            await asyncio.sleep(self.server.latency_us() / 1e6)
        except redis.ConnectionError as error:
            raise self._lost() from error
        if not replied:
            raise self._lost()
        return found

    def _lost(self) -> LinkDown:
        self._down_until = asyncio.get_running_loop().time() + RETRY_SECONDS
        return LinkDown("the connection to Redis was lost")
