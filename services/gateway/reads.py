"""Reads from the views: the database behind them, and a clock that says how far they reach.

`Database` is what the gateway needs of PostgreSQL; the simulation has one in memory
(tests/simulation/simpostgres.py). database_contract.py holds both to the same rows.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.gateway.parsing import format_positions
from services.gateway.problems import Problem
from services.gateway.queries import BACKLOG, DECIDED_ORDERS, POSITIONS, Page, Query
from truetape import clock
from truetape.errors import SetupError, TruetapeError
from truetape.log import Part

POOL_MAX: Final = 8
POOL_WAIT_SECONDS: Final = 2.0
REACH_SECONDS: Final = 2.0
"""How long a read waits for what was answered before; then 503 view_behind."""
LOOK_SECONDS: Final = (0.005, 0.05)
"""Between two looks at how far the views reach: at first, and when they are far behind."""
ORDER_IDS_PER_PAGE: Final = 10_000
Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]
_AWAY: Final = (psycopg.OperationalError, PoolTimeout, psycopg.errors.UndefinedTable)
_log = structlog.get_logger()


class ViewsAway(TruetapeError):
    """The view database or its tables cannot be read now."""


class Database(Protocol):
    """The view database, as the gateway reads it. Every read raises ViewsAway when it cannot be made."""

    async def open(self) -> None:
        """Begin to connect; nobody waits for it."""

    async def close(self) -> None:
        """End all connections."""

    async def rows(self, query: Query, arguments: Sequence[Any]) -> list[Row]:
        """Rows that answer a question."""

    async def page(self, page: Page) -> list[Row]:
        """Rows of one page."""

    def order_ids(self) -> AsyncIterator[list[str]]:
        """Ids of all decided orders, in pages."""


class PostgresDatabase:
    """The `Database` on PostgreSQL: one pool of connections."""

    def __init__(self, dsn: str) -> None:
        if not dsn:
            raise SetupError("the gateway needs TRUETAPE_POSTGRES; `truetape settings` explains it")
        options = {"autocommit": True, "row_factory": dict_row, "connect_timeout": 5}
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn, min_size=1, max_size=POOL_MAX, open=False, kwargs=options, timeout=POOL_WAIT_SECONDS,
            reconnect_timeout=30,
        )  # fmt: skip

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2.0)

    async def rows(self, query: Query, arguments: Sequence[Any]) -> list[Row]:
        return await self._rows(query.text, arguments)

    async def page(self, page: Page) -> list[Row]:
        return await self._rows(*page.sql())

    async def _rows(self, text: str, arguments: Sequence[Any]) -> list[Row]:
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(text.encode(), arguments)
                return await cursor.fetchall()
        except _AWAY as error:
            raise ViewsAway(str(error).strip()[:300]) from error

    async def order_ids(self) -> AsyncIterator[list[str]]:
        try:
            async with (
                self._pool.connection() as connection,
                connection.transaction(),
                connection.cursor(name="order_ids", row_factory=dict_row) as cursor,
            ):
                await cursor.execute(DECIDED_ORDERS.text.encode())
                while page := await cursor.fetchmany(ORDER_IDS_PER_PAGE):
                    yield [row["order_id"] for row in page]
        except _AWAY as error:
            raise ViewsAway(str(error).strip()[:300]) from error


def _texts(arguments: Iterable[Any]) -> Iterator[str]:
    """The texts among a query's arguments, and in their lists."""
    for one in arguments:
        yield from (text for text in (one if isinstance(one, list) else [one]) if isinstance(text, str))


class Reads:
    """The views, as routes read them: what cannot be read is a Problem, and how far they reach can be waited for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reached: dict[Part, int] = {}
        self._looking: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Begin to connect; nobody waits for it."""
        await self._database.open()

    async def close(self) -> None:
        """End all connections."""
        await self._database.close()

    async def rows(self, query: Query, *arguments: Any) -> list[Row]:
        """Rows of a query. Raises Problem view_unavailable when the views cannot be read, and invalid_field for a text
        that PostgreSQL does not have."""
        if any("\0" in text for text in _texts(arguments)):
            raise Problem("invalid_field", "a text with a NUL character is nowhere in the views")
        try:
            return await self._database.rows(query, arguments)
        except ViewsAway as error:
            raise self._away(error) from error

    async def page(self, page: Page) -> list[Row]:
        """Rows of a page; errors as for `rows`."""
        try:
            return await self._database.page(page)
        except ViewsAway as error:
            raise self._away(error) from error

    async def events(self, account_id: str, part: Part, after: int, before: int, limit: int) -> list[Row]:
        """An account's first events of a partition between two offsets; errors as for `rows`. How far the views reach
        is read with them: views that were dropped or replaced since they were last asked would leave a hole, so that
        is a Problem view_behind."""
        found = await self.rows(BACKLOG, account_id, after, before, limit, *part)
        reached = found[0]["reached"] if found else 0
        if reached < before:
            self._reached.clear()
            raise self._behind([(part, before - 1)])
        return [row for row in found if row["offset"] is not None]

    async def order_ids(self) -> AsyncIterator[list[str]]:
        """Ids of all decided orders, in pages; errors as for `rows`."""
        try:
            async for found in self._database.order_ids():
                yield found
        except ViewsAway as error:
            raise self._away(error) from error

    def _away(self, error: ViewsAway) -> Problem:
        self._reached.clear()  # After a crash or a rebuild the views may reach less far.
        _log.warning("the views cannot be read", detail=str(error))
        return Problem("view_unavailable", "the views cannot be read now; nothing was changed")

    async def positions(self) -> dict[Part, int]:
        """How far the views reach: next offset by partition."""
        found = await self.rows(POSITIONS)
        return {Part(row["topic"], row["partition"]): row["next_offset"] for row in found}

    async def reach(self, wanted: Mapping[Part, int], seconds: float = REACH_SECONDS) -> None:
        """Wait until the views hold these offsets. Raises Problem view_behind when they do not in time."""
        deadline, pause = clock.monotonic() + seconds, LOOK_SECONDS[0]
        while missing := self._missing(wanted):
            if clock.monotonic() > deadline:
                raise self._behind(missing)
            await self._look()
            if self._missing(wanted):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LOOK_SECONDS[1])

    async def confirm(self, wanted: Mapping[Part, int]) -> None:
        """After a read: the views hold these offsets still. They may have been dropped, or replaced by an older copy,
        since it was last asked how far they reach. Raises Problem view_behind."""
        if wanted:
            await self._ask()
            if missing := self._missing(wanted):
                raise self._behind(missing)

    def _missing(self, wanted: Mapping[Part, int]) -> list[tuple[Part, int]]:
        return [(part, offset) for part, offset in wanted.items() if self._reached.get(part, 0) <= offset]

    def _behind(self, missing: list[tuple[Part, int]]) -> Problem:
        at = format_positions((part, self._reached.get(part, 0)) for part, _ in missing)
        return Problem("view_behind", f"the views reach {at}, and {format_positions(missing)} was answered")

    async def _look(self) -> None:
        """Ask how far the views reach; everybody who wants to know at once shares one query."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._ask())
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)

    def _looked(self, future: "asyncio.Future[None]") -> None:
        self._looking = None
        if not future.cancelled():
            future.exception()  # Whoever waited has it.

    async def _ask(self) -> None:
        self._reached = await self.positions()
