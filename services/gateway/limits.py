"""What the gateway keeps in Redis: a token bucket per API key, and the positions that were answered.

One round trip per request: the script that takes a token also tells how far the account was answered, so that a read
on any worker sees what any worker answered. Without Redis trading goes on: each process then counts by itself, and
only its own answers (and the header Truetape-Position) are waited for.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from services.gateway.parsing import parse_positions
from services.gateway.problems import Problem
from services.gateway.redislink import Link, LinkDown, RedisRefused
from truetape import clock
from truetape.log import Part

KEPT_SECONDS: Final = 86_400
LOCAL_BUCKETS_MAX: Final = 10_000
ACCOUNTS_MAX: Final = 100_000

TAKE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local rate = tonumber(ARGV[1])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local passed = math.max(0, now - (tonumber(bucket[2]) or now))
local tokens = math.min(rate, (tonumber(bucket[1]) or rate) + passed * rate / 1000)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = math.ceil((1 - tokens) * 1000 / rate) end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], 5000)
return {wait, KEYS[2] == '' and {} or redis.call('HGETALL', KEYS[2])}
"""
"""KEYS: bucket, answered positions or ""; ARGV: tokens per second. Returns [milliseconds to wait, positions]."""

RAISE: Final = """
if tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '-1') < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    redis.call('EXPIRE', KEYS[1], ARGV[3])
end
return 1
"""
"""KEYS: answered positions; ARGV: topic/partition, offset, seconds to keep. Never goes back."""

HOT_BALANCES: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {{}, {}} end
return {redis.call('HMGET', KEYS[1], 'complete', unpack(ARGV)), redis.call('HGETALL', KEYS[2])}
"""
"""KEYS: view, balances; ARGV: topic/partition. Returns [[1, next offsets], balances]; [[], []] when incomplete."""

SCRIPTS: Final = (TAKE, RAISE, HOT_BALANCES)


class Bucket(NamedTuple):
    """A token bucket of this process."""

    tokens: float
    at: float


@dataclass
class LocalBuckets:
    """Token buckets of this process alone, for when Redis is away."""

    buckets: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)

    def take(self, key_id: str, rate: int, now: float) -> int:
        """Milliseconds until a token is there; 0 when one was taken."""
        tokens, at = self.buckets.pop(key_id, Bucket(rate, now))
        tokens = min(rate, tokens + max(0.0, now - at) * rate)
        wait = 0 if tokens >= 1 else max(1, round((1 - tokens) * 1000 / rate))
        self.buckets[key_id] = Bucket(tokens - 1 if wait == 0 else tokens, now)
        if len(self.buckets) > LOCAL_BUCKETS_MAX:
            self.buckets.popitem(last=False)
        return wait


@dataclass
class Answered:
    """How far this process answered each account: a later read must see at least that."""

    accounts: OrderedDict[str, dict[Part, int]] = field(default_factory=OrderedDict)

    def note(self, account_id: str, part: Part, offset: int) -> None:
        """An answer told this position."""
        positions = self.accounts.setdefault(account_id, {})
        positions[part] = max(offset, positions.get(part, -1))
        self.accounts.move_to_end(account_id)
        if len(self.accounts) > ACCOUNTS_MAX:
            self.accounts.popitem(last=False)

    def of(self, account_id: str) -> dict[Part, int]:
        """Offset answered, by partition."""
        return self.accounts.get(account_id, {})


@dataclass
class Limits:
    """Rate limits and answered positions."""

    link: Link
    answered: Answered = field(default_factory=Answered)
    local: LocalBuckets = field(default_factory=LocalBuckets)
    fallbacks: int = 0
    """Requests that were counted without Redis."""

    async def take(self, key_id: str, rate: int, reader: str = "") -> dict[Part, int]:
        """Take a token of the key; with `reader`, returns how far that account was answered, by any worker.

        Raises Problem rate_limited with Retry-After.
        """
        positions = dict(self.answered.of(reader))
        answered = _answered_key(reader) if reader else ""
        try:
            wait, kept = await self.link.script(TAKE, (f"truetape:rate:{key_id}", answered), rate)
        except (LinkDown, RedisRefused):
            self.fallbacks += 1
            wait, kept = self.local.take(key_id, rate, clock.monotonic()), []
        if wait:
            seconds = -(-int(wait) // 1000)
            detail = f"the key may make {rate} requests a second; the next one in {wait} ms"
            raise Problem("rate_limited", detail, {"Retry-After": str(seconds)}, limit=rate, retry_after_ms=int(wait))
        for part, offset in _positions(kept):
            positions[part] = max(offset, positions.get(part, -1))
        return positions

    async def tell(self, account_id: str, part: Part, offset: int) -> None:
        """Before an answer is given: note its position for every worker."""
        self.answered.note(account_id, part, offset)
        try:
            await self.link.script(RAISE, (_answered_key(account_id),), str(part), offset, KEPT_SECONDS)
        except (LinkDown, RedisRefused):
            self.fallbacks += 1


def _answered_key(account_id: str) -> str:
    return f"truetape:answered:{account_id}"


def _positions(kept: list[Any]) -> list[tuple[Part, int]]:
    """HGETALL's list of fields and values; what cannot be a position is passed over."""
    pairs = zip(kept[::2], kept[1::2], strict=True)
    try:
        return [item for name, offset in pairs for item in parse_positions(f"{name}@{offset}").items()]
    except Problem:
        return []
