"""Reads from the views: one pool, and a clock that says how far the views reach."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.gateway.parsing import format_positions
from services.gateway.problems import Problem
from truetape import clock
from truetape.errors import SetupError
from truetape.log import Part

POOL_MAX: Final = 8
POOL_WAIT_SECONDS: Final = 2.0
REACH_SECONDS: Final = 2.0
"""How long a read waits for what was answered before; then 503 view_behind."""
LOOK_SECONDS: Final = 0.005
Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]
_log = structlog.get_logger()

_POSITIONS: Final = "SELECT topic, partition, next_offset FROM view.tape_positions"


class Reads:
    """PostgreSQL, as the gateway reads it."""

    def __init__(self, dsn: str) -> None:
        if not dsn:
            raise SetupError("the gateway needs TRUETAPE_POSTGRES; `truetape settings` explains it")
        options = {"autocommit": True, "row_factory": dict_row, "connect_timeout": 5}
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn, min_size=1, max_size=POOL_MAX, open=False, kwargs=options, timeout=POOL_WAIT_SECONDS,
            reconnect_timeout=30,
        )  # fmt: skip
        self._reached: dict[Part, int] = {}
        self._looking: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Begin to connect; nobody waits for it."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close(timeout=2.0)

    async def rows(self, query: str, *arguments: Any) -> list[Row]:
        """Rows of a query. Raises Problem view_unavailable when PostgreSQL or its tables are not there."""
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query.encode(), arguments)
                return await cursor.fetchall()
        except (psycopg.OperationalError, PoolTimeout, psycopg.errors.UndefinedTable) as error:
            self._reached.clear()  # After a crash or a rebuild the views may reach less far.
            _log.warning("the views cannot be read", detail=str(error).strip()[:300])
            raise Problem("view_unavailable", "the views cannot be read now; nothing was changed") from error

    async def order_ids(self) -> AsyncIterator[list[str]]:
        """Ids of all decided orders, in pages."""
        try:
            async with (
                self._pool.connection() as connection,
                connection.transaction(),
                connection.cursor(name="order_ids", row_factory=dict_row) as cursor,
            ):
                await cursor.execute("SELECT order_id FROM view.orders WHERE decision_offset IS NOT NULL")
                while page := await cursor.fetchmany(10_000):
                    yield [row["order_id"] for row in page]
        except (psycopg.OperationalError, PoolTimeout, psycopg.errors.UndefinedTable) as error:
            raise Problem("view_unavailable", "the views cannot be read now") from error

    async def positions(self) -> dict[Part, int]:
        """How far the views reach: next offset by partition."""
        found = await self.rows(_POSITIONS)
        return {Part(row["topic"], row["partition"]): row["next_offset"] for row in found}

    async def reach(self, wanted: Mapping[Part, int], seconds: float = REACH_SECONDS) -> None:
        """Wait until the views hold these offsets. Raises Problem view_behind when they do not in time."""
        deadline = clock.monotonic() + seconds
        while missing := [(part, offset) for part, offset in wanted.items() if self._reached.get(part, 0) <= offset]:
            if clock.monotonic() > deadline:
                at = format_positions((part, self._reached.get(part, 0)) for part, _ in missing)
                raise Problem("view_behind", f"the views reach {at}, and {format_positions(missing)} was answered")
            await self._look()
            if any(self._reached.get(part, 0) <= offset for part, offset in missing):
                await asyncio.sleep(LOOK_SECONDS)

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
