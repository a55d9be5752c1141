"""The projection's loop: read, apply the reader's rule, write rows and positions, tell Redis."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import structlog

from services.gateway.projection.hot import HotKeys
from services.gateway.projection.rows import Batch
from services.gateway.projection.store import Move, Reached, Store
from truetape import clock
from truetape.errors import BrokerUnavailable, SetupError, TapeError, TapeGap, TopicMissing, TruetapeError
from truetape.log import Log, Part, Record
from truetape.restore import accepted, readable
from truetape.tables import MARKS_TAIL
from truetape.tape import START, Reader
from truetape.topics import (
    BY_NAME,
    CLEARING_ENTRIES,
    MARKET_MARKS,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    RECONCILIATION_BREAKS,
    REFERENCE_EVENTS,
)

SOURCES: Final = (
    REFERENCE_EVENTS,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    CLEARING_ENTRIES,
    MARKET_MARKS,
    RECONCILIATION_BREAKS,
)
PARTS: Final = tuple(Part(topic.name, partition) for topic in SOURCES for partition in range(topic.partitions))
BATCH_MAX: Final = 2_000
RETRY_SECONDS: Final = 0.5
FILL_BATCH: Final = 5_000
FILL_CHUNK: Final = 50_000
"""Records that a rebuild writes in one transaction, and those of each partition that it reads with one deadline."""
_log = structlog.get_logger()


@dataclass
class Projector:
    """Keeps the views at the end of the tape. One thread; others may read `counts` and call `missing`."""

    log: Log
    store: Store
    hot: HotKeys
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._readers: dict[Part, Reader] = {}
        self._reached: dict[Part, Reached] = {}
        self._behind: dict[Part, int] = {}
        self._next: dict[Part, int] = {}
        self._waits_for = "PostgreSQL"
        self._retry_at = 0.0
        self.turned_at = clock.monotonic()

    def missing(self) -> list[str]:
        """What is missing before the views are current; empty when they are."""
        if self._waits_for:
            return [self._waits_for]
        return [f"{part} has not been read to {end}" for part, end in sorted(self._behind.copy().items())]

    def gauges(self) -> dict[str, float]:
        """For the health port."""
        return {"ready": float(not self.missing()), "hot_keys_complete": float(self.hot.complete)}

    def turn(self, timeout_seconds: float) -> int:
        """One round; returns how many records were projected. Raises TapeGap and other named errors of the tape."""
        self.turned_at = clock.monotonic()
        if self._waits_for and not self._connect():
            if timeout_seconds:
                time.sleep(timeout_seconds)
            return 0
        records = self._gather(timeout_seconds)
        try:
            if records:
                self._project(records)
            else:
                self.hot.refresh()
        except psycopg.OperationalError as error:
            self._disconnect(error)
        except psycopg.Error as error:
            raise TapeError(f"the views refuse what the tape says, nothing of it was written: {error}") from error
        return len(records)

    def close(self) -> None:
        """Give up the lock."""
        if not self._waits_for:
            self.store.close()

    # -- the database comes and goes -------------------------------------------------------------------------

    def _connect(self) -> bool:
        if clock.monotonic() < self._retry_at:
            return False
        self._retry_at = clock.monotonic() + RETRY_SECONDS
        try:
            if not self.store.open(PARTS):
                self._waits_for = "another projection is active; this one stands by"
                return False
        except (SetupError, psycopg.OperationalError) as error:
            return self._still_away(error)
        try:
            self.log.follow(self._begin(self.store.reached()))
        except (psycopg.OperationalError, BrokerUnavailable, TopicMissing) as error:
            self.store.close()  # The session may live, and would keep the lock from the next one.
            return self._still_away(error)
        except TruetapeError:
            self.store.close()
            raise
        self._waits_for = ""
        return True

    def _still_away(self, error: Exception) -> bool:
        if self._waits_for != str(error):
            _log.warning("the view database or the tape is away", detail=str(error))
        self._waits_for = str(error)
        return False

    def _disconnect(self, error: Exception) -> None:
        """Whether the last transaction was committed, its position row will tell: forget, and read it again."""
        _log.warning("the view database is away", detail=str(error).strip())
        self.counts["database_losses"] += 1
        self._waits_for = "PostgreSQL"
        self.log.unfollow(PARTS)
        self.store.close()

    def _begin(self, reached: dict[Part, Reached]) -> dict[Part, int]:
        """Where to read each partition on: from where its rows end; of marks only the newest count."""
        starts: dict[Part, int] = {}
        self._behind = {}
        for part, (low, high) in self.log.ends(PARTS).items():
            stored = reached[part].next_offset
            if stored > high:
                raise TapeGap(
                    f"{part} ends at {high}, but the views reach {stored}: records were lost, or the views are of "
                    "another tape. Restore the topic, or drop the schema `view` to have it filled from this one."
                )
            join = part.topic == MARKET_MARKS.name and stored < high - MARKS_TAIL
            starts[part] = max(low, high - MARKS_TAIL) if join else stored
            place = START if join else reached[part].place
            self._readers[part] = Reader(*part, place, joining=join and starts[part] > 0)
            if starts[part] < high:
                self._behind[part] = high
        self._reached = reached
        _log.info("begins", behind=sum(high - starts[part] for part, high in self._behind.items()))
        return starts

    # -- a rebuild -------------------------------------------------------------------------------------------

    def open_beside(self) -> None:
        """Begin to fill a schema that nobody reads yet, by `fill` instead of `turn`. Raises SetupError or TapeGap."""
        if not self.store.open(PARTS):
            raise SetupError("another `truetape rebuild` is at work on this database: wait for it to end")
        self._next = self._begin(self.store.reached())
        self._waits_for = ""

    def fill(self, ends: Mapping[Part, int], timeout_seconds: float, told: Callable[[int], None]) -> None:
        """Project up to exactly these next offsets, and tell how many records that were, now and then.

        Raises RestoreTimedOut when some records do not come in time, and what `turn` raises.
        """
        while spans := self._spans(ends):
            records = self.log.read(spans, timeout_seconds)
            while batch := list(itertools.islice(records, FILL_BATCH)):
                self._project(batch)
                told(len(batch))
            self._next |= {part: end for part, (_, end) in spans.items()}

    def _spans(self, ends: Mapping[Part, int]) -> dict[Part, tuple[int, int]]:
        """What to read next of each partition."""
        left = {part: (self._next[part], end) for part, end in ends.items() if self._next[part] < end}
        return {part: (start, min(end, start + FILL_CHUNK)) for part, (start, end) in left.items()}

    def standing(self, part: Part) -> int:
        """The next offset that `fill` would read."""
        return self._next[part]

    # -- records ---------------------------------------------------------------------------------------------

    def _gather(self, timeout_seconds: float) -> list[Record]:
        """What is there now: one record when idle, thousands when behind."""
        records = [found for found in self.log.poll(timeout_seconds) if isinstance(found, Record)]
        while records and len(records) < BATCH_MAX:
            more = [found for found in self.log.poll(0) if isinstance(found, Record)]
            if not more:
                break
            records += more
        return records

    def _project(self, records: list[Record]) -> None:
        counting = [(record, message) for record in records if (message := self._accepted(record)) is not None]
        batch = Batch(known=self.store.known_orders(message for _, message in counting))
        for record, message in counting:
            batch.add(record, message)
        ends = {Part(record.topic, record.partition): record.offset + 1 for record in records}
        moves = [self._move(part, end) for part, end in ends.items()]
        changed = self.store.write(batch, moves)
        for part, end in ends.items():
            self._reached[part] = Reached(end, self._readers[part].place)
            if end >= self._behind.get(part, 1 << 62):
                del self._behind[part]
        self.counts["records"] += len(records)
        self.counts["transactions"] += 1
        self.hot.update(changed, moves)

    def _accepted(self, record: Record) -> Any | None:
        """The record's message; None when it is void or stray, or a command that its owner parks."""
        if BY_NAME[record.topic].owner is not None:
            return accepted(record, self._readers[Part(record.topic, record.partition)], self.counts)
        message = readable(record)
        self.counts["unreadable_records"] += message is None
        return message

    def _move(self, part: Part, end: int) -> Move:
        return Move(part, self._reached[part].next_offset, end, self._readers[part].place)
