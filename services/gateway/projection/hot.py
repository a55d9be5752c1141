"""Redis, as the projection fills it: each account's credit, and how far the view reaches.

Best effort: PostgreSQL has the same. The key `truetape:view` says that the hot keys are complete; when it is missing
(Redis was flushed or restarted), nobody trusts them, and they are filled again from PostgreSQL.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis
import structlog

from services.gateway.projection.store import Credit, Move
from truetape import clock
from truetape.log import Part

VIEW_KEY: Final = "truetape:view"
"""Hash: topic/partition -> next offset of the view."""
RETRY_SECONDS: Final = 1.0
_log = structlog.get_logger()

UPDATE: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local last = 1 + 3 * tonumber(ARGV[1])
for i = 2, last, 3 do
    if (redis.call('HGET', KEYS[1], ARGV[i]) or '0') ~= ARGV[i + 1] then return 0 end
end
for i = last + 1, #ARGV, 3 do redis.call('HSET', ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
for i = 2, last, 3 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
return 1
"""
"""KEYS: view; ARGV: number of moves, (topic/partition, from, next offset) of each, (key, asset, balances) of each row.

Returns 1, or 0 when nothing was written: the keys are not there, or do not stand where the batch begins (Redis has
lost updates, as a replica that took over, or another projector has filled them since).
"""


def balances_key(account_id: str) -> str:
    """Hash: asset -> "balance_e8 reserved_e8"."""
    return f"truetape:balances:{account_id}"


def amounts(row: Credit) -> str:
    """A credit row as the value of its field."""
    return f"{row.balance_e8} {row.reserved_e8}"


def fill(client: Any, rows: Iterable[Credit], positions: Mapping[Part, int], stale: Iterable[str] = ()) -> None:
    """Write all hot keys at once, in the place of the stale ones. Raises redis.RedisError."""
    with client.pipeline(transaction=True) as pipe:
        for key in stale:
            pipe.delete(key)
        for row in rows:
            pipe.hset(balances_key(row.account_id), row.asset, amounts(row))
        pipe.hset(VIEW_KEY, mapping={"complete": 1} | {str(part): end for part, end in positions.items()})
        pipe.execute()


@dataclass
class HotKeys:
    """The hot keys of one Redis. Never raises: what fails is tried again."""

    client: Any
    """A redis.Redis that decodes responses."""
    everything: Callable[[], tuple[Iterable[Credit], Mapping[Part, int]]]
    """All credit and all positions, from PostgreSQL."""
    complete: bool = False
    tried_at: float = field(default_factory=lambda: -RETRY_SECONDS)

    def update(self, changed: Iterable[Credit], moves: Sequence[Move]) -> None:
        """Tell what a committed batch changed; fills everything when Redis has lost something."""
        if not self.complete:
            self.refresh()
            return
        arguments: list[str | int] = [len(moves)]
        for move in moves:
            arguments += [str(move.part), move.from_offset, move.next_offset]
        for row in changed:
            arguments += [balances_key(row.account_id), row.asset, amounts(row)]
        try:
            self.complete = bool(self.client.eval(UPDATE, 1, VIEW_KEY, *arguments))
        except redis.RedisError as error:
            self._failed(error)

    def refresh(self) -> None:
        """Fill everything again, when it is due and needed."""
        if clock.monotonic() - self.tried_at < RETRY_SECONDS:
            return
        self.tried_at = clock.monotonic()
        try:
            if self.complete and self.client.exists(VIEW_KEY):
                return
            rows, positions = self.everything()
            fill(self.client, rows, positions)
            self.complete = True
            _log.info("hot keys filled", positions=len(positions))
        except redis.RedisError as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if self.complete:
            _log.warning("redis does not answer; reads go to PostgreSQL", detail=str(error))
        self.complete = False
