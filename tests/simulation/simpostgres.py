"""A simulated PostgreSQL server: sessions, one advisory lock, serial transactions, and what can go wrong with them.

Nothing here waits: a caller that is a process of the simulation lets its node be busy for `latency_us`. All chance
comes from the `Random` that is given; all time from `now_us`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import psycopg

from services.gateway.projection.rows import Batch, OrderRow, Row, orders_needed
from services.gateway.projection.store import Credit, Move, Reached
from services.gateway.queries import Page, Query
from services.gateway.reads import ORDER_IDS_PER_PAGE, ViewsAway
from services.gateway.views import digest_of
from tests.simulation import simqueries
from tests.simulation.simtables import SimTables
from truetape.errors import SetupError
from truetape.happenings import Part

T = TypeVar("T")


@dataclass
class PostgresFaults:
    """Probabilities from 0 to 1, for each call. The default is calm."""

    lost_calls: float = 0.0
    """The connection breaks before the statement arrives."""
    unknown_commits: float = 0.0
    """The connection breaks during COMMIT: it took place or not, the client does not learn which."""
    serialization_failures: float = 0.0
    latency_us: tuple[int, int] = (100, 2_000)


@dataclass(eq=False)
class Session:
    """One connection. Whoever holds it learns at its next call that it is gone."""

    alive: bool = True


@dataclass
class SimPostgres:
    """The server. `tables` is what was committed."""

    now_us: Callable[[], int]
    random: Random
    faults: PostgresFaults = field(default_factory=PostgresFaults)
    tables: SimTables = field(default_factory=SimTables)
    disk_full: bool = False
    seen: dict[str, int] = field(default_factory=dict)
    """What happened how often."""

    def __post_init__(self) -> None:
        self._down_until_us = 0
        self._sessions: set[Session] = set()
        self._lock: Session | None = None
        self._parts: list[Part] = []
        self._committed: list[tuple[Batch, list[Move]]] = []

    # -- faults ----------------------------------------------------------------------------------------------

    def crash(self, for_us: int = 0, lost_commits: int = 0) -> None:
        """The server restarts: sessions end, what was under way is rolled back. The projection commits without waiting
        for the disk, so the newest commits may be gone as well."""
        self._end_sessions()
        self._down_until_us = max(self._down_until_us, self.now_us() + for_us)
        if lost_commits:
            self._rewind(max(0, len(self._committed) - lost_commits))

    def restore_backup(self, age: float) -> None:
        """An older copy takes the server's place: of what was committed, this share is missing (0 to 1)."""
        self._end_sessions()
        self._rewind(int(len(self._committed) * (1 - age)))
        self._saw("older backup restored")

    def drop_views(self) -> None:
        """`DROP SCHEMA view`: all of it must come back from the tape. The projection ends over it; readers stay."""
        if self._lock is not None:
            self.leave(self._lock)
        self._rewind(0)
        self.tables, self._parts = SimTables(), []
        self._saw("views dropped")

    def cut(self) -> None:
        """All connections break; the server itself goes on."""
        self._end_sessions()

    def down(self) -> bool:
        """Whether nobody answers now."""
        return self.now_us() < self._down_until_us

    def lost(self) -> bool:
        """Whether the connection breaks at this call."""
        return self.random.random() < self.faults.lost_calls

    @property
    def migrated(self) -> bool:
        """Whether the tables are there."""
        return bool(self._parts)

    def _end_sessions(self) -> None:
        for session in self._sessions:
            session.alive = False
        self._sessions.clear()
        self._lock = None

    def _rewind(self, kept: int) -> None:
        self._committed = self._committed[:kept]
        self.tables = SimTables()
        self.tables.begin(self._parts)
        for batch, moves in self._committed:
            self.tables.write(batch, moves)

    def _saw(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1

    # -- sessions --------------------------------------------------------------------------------------------

    def latency_us(self) -> int:
        """How long a call takes."""
        return self.random.randint(*self.faults.latency_us)

    def connect(self) -> Session:
        """Raises psycopg.OperationalError when nobody answers."""
        if self.down() or self.lost():
            raise psycopg.OperationalError("connection refused")
        session = Session()
        self._sessions.add(session)
        return session

    def leave(self, session: Session) -> None:
        """The client closed its connection, or its process ended: its lock is free."""
        session.alive = False
        self._sessions.discard(session)
        if self._lock is session:
            self._lock = None

    def lock(self, session: Session) -> bool:
        """Take the projectors' lock, unless a living session has it."""
        if self._lock is None:
            self._lock = session
        return self._lock is session

    def call(self, session: Session) -> None:
        """A statement is sent. Raises psycopg.OperationalError when the connection is lost."""
        if not session.alive or self.lost():
            self.leave(session)
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    # -- what the projection does ----------------------------------------------------------------------------

    def begin(self, parts: Iterable[Part]) -> None:
        """Migrate, and give every partition a position. Raises psycopg.OperationalError when the disk is full."""
        parts = list(parts)
        if self.disk_full and not set(parts) <= self.tables.positions.keys():
            raise psycopg.errors.DiskFull("no space left on device")
        self._parts = parts
        self.tables.begin(parts)

    def commit(self, session: Session, batch: Batch, moves: list[Move]) -> list[Credit]:
        """One transaction of the projection, from BEGIN to the answer to COMMIT."""
        self.call(session)
        if self.disk_full:
            self._saw("disk full")
            raise psycopg.errors.DiskFull("no space left on device")
        if self.random.random() < self.faults.serialization_failures:
            self._saw("serialization failure")
            raise psycopg.errors.SerializationFailure("could not serialize access")
        unknown = self.random.random() < self.faults.unknown_commits
        if unknown and self.random.random() < 0.5:
            self._saw("commit unknown, did not happen")
        else:
            credit = self.tables.write(batch, moves)
            self._committed.append((batch, moves))
            if not unknown:
                return credit
            self._saw("commit unknown, happened")
        self.leave(session)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def digest(self) -> str:
        """As services.gateway.views.view_digest."""
        return digest_of(self.tables.view_rows(), self.tables.ledger_rows())


@dataclass
class SimStore:
    """The projection's `Store` on the simulated server, for one process."""

    postgres: SimPostgres
    spark: Callable[[], None] = lambda: None
    """Called at each call and again after each commit: where a process may be killed or frozen in mid-work."""

    def __post_init__(self) -> None:
        self._session = Session(alive=False)

    def open(self, parts: Iterable[Part]) -> bool:
        self.spark()
        try:
            self._session = self.postgres.connect()
        except psycopg.OperationalError as error:
            raise SetupError(f"PostgreSQL does not answer: {error}; see TRUETAPE_POSTGRES") from error
        try:
            self.postgres.call(self._session)
            if self.postgres.lock(self._session):
                self.postgres.begin(parts)
                return True
        except psycopg.OperationalError:
            self.close()
            raise
        self.close()
        return False

    def reached(self) -> dict[Part, Reached]:
        self._call()
        return dict(self.postgres.tables.positions)

    def known_orders(self, messages: Iterable[Any]) -> dict[str, OrderRow]:
        wanted = orders_needed(messages)
        if not wanted:
            return {}
        self._call()
        return self.postgres.tables.known(wanted)

    def write(self, batch: Batch, moves: list[Move]) -> list[Credit]:
        self.spark()
        credit = self.postgres.commit(self._session, batch, moves)
        self.spark()
        return credit

    def everything(self) -> tuple[list[Credit], dict[Part, int]]:
        self._call()
        tables = self.postgres.tables
        return tables.all_credit(), {part: reached.next_offset for part, reached in tables.positions.items()}

    def close(self) -> None:
        self.postgres.leave(self._session)

    def _call(self) -> None:
        self.spark()
        self.postgres.call(self._session)


@dataclass
class SimDatabase:
    """The gateway's `Database` on the simulated server, for one process; it lives on that process's event loop.

    A pool of real connections makes new ones by itself, so a broken one costs one failed read.
    """

    postgres: SimPostgres

    def __post_init__(self) -> None:
        self._session = Session(alive=False)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def rows(self, query: Query, arguments: Sequence[Any]) -> list[Row]:
        return await self._ask(lambda tables: simqueries.answer(tables, query, arguments))

    async def page(self, page: Page) -> list[Row]:
        return await self._ask(lambda tables: simqueries.page(tables, page))

    async def order_ids(self) -> AsyncIterator[list[str]]:
        found = await self._ask(simqueries.decided_orders)
        for start in range(0, len(found), ORDER_IDS_PER_PAGE):
            yield found[start : start + ORDER_IDS_PER_PAGE]

    async def _ask(self, question: Callable[[SimTables], list[T]]) -> list[T]:
        """The question travels there, sees what is committed then, and the answer travels back."""
        latency_us = self.postgres.latency_us()
        await asyncio.sleep(latency_us / 2e6)
        try:
            if not self._session.alive:
                self._session = self.postgres.connect()
            self.postgres.call(self._session)
        except psycopg.OperationalError as error:
            raise ViewsAway(str(error)) from error
        if not self.postgres.migrated:
            raise ViewsAway("relation view.orders does not exist")
        found = question(self.postgres.tables)
        session = self._session
        await asyncio.sleep(latency_us / 2e6)
        if not session.alive:
            self._session = session
            raise ViewsAway("server closed the connection unexpectedly")
        return found
