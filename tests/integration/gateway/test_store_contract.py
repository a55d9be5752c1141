"""PostgreSQL keeps the contract that the simulated one keeps (tests/simulation/test_simpostgres.py)."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from services.gateway.problems import Problem
from services.gateway.projection.store import PostgresStore
from services.gateway.projection.tables import drop
from services.gateway.queries import Page, Query
from services.gateway.reads import PostgresDatabase, Reads
from services.gateway.views import consistent, ledger_rows, view_digest, view_positions, view_rows
from tests.simulation.database_contract import DatabaseContract, Rig
from tests.simulation.store_contract import DECISIONS, LIFE, PARTS, Server, StoreContract, tell
from truetape.dev.servers import Servers
from truetape.happenings import Part

_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"


@dataclass
class Real:
    """The contract's handle on a database of its own."""

    dsn: str

    def store(self) -> PostgresStore:
        return PostgresStore(self.dsn)

    def cut(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(_CUT, (connection.info.backend_pid,))

    def view(self) -> tuple[dict[str, Any], dict[int, Any], dict[Part, int]]:
        with consistent(self.dsn) as connection:
            return view_rows(connection), ledger_rows(connection), view_positions(connection)

    def digest(self) -> str:
        with consistent(self.dsn) as connection:
            return view_digest(connection)


@dataclass
class RealRig:
    """The database contract's handle."""

    dsn: str
    store: PostgresStore

    def rows(self, query: Query, *arguments: Any) -> list[dict[str, Any]]:
        return asyncio.run(self._ask(lambda database: database.rows(query, arguments)))

    def page(self, page: Page) -> list[dict[str, Any]]:
        return asyncio.run(self._ask(lambda database: database.page(page)))

    def order_ids(self) -> list[str]:
        async def read(database: PostgresDatabase) -> list[str]:
            return [found async for page in database.order_ids() for found in page]

        return asyncio.run(self._ask(read))

    async def _ask(self, question: Callable[[PostgresDatabase], Awaitable[Any]]) -> Any:
        database = PostgresDatabase(self.dsn)
        await database.open()
        try:
            return await question(database)
        finally:
            await database.close()


@pytest.fixture
def real(stack: Servers) -> Iterator[Real]:
    """A database of its own on the running server."""
    name = f"contract_{secrets.token_hex(4)}"
    with psycopg.connect(stack.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield Real(f"{stack.postgres.rpartition('/')[0]}/{name}")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def server(self, real: Real) -> Iterator[Server]:
        yield real


class TestPostgresDatabase(DatabaseContract):
    @pytest.fixture
    def empty(self, real: Real) -> Iterator[Rig]:
        store = real.store()
        assert store.open(PARTS)
        yield RealRig(real.dsn, store)
        store.close()


async def test_views_that_were_dropped_are_behind_not_empty(real: Real) -> None:
    """Whatever was known of them before: what a read found may be confirmed only by views that reach as far."""
    store = real.store()
    assert store.open(PARTS)
    tell(store, *LIFE)
    reads = Reads(PostgresDatabase(real.dsn))
    await reads.open()
    try:
        await reads.reach({DECISIONS: 4}, 30.0)
        await reads.confirm({DECISIONS: 4})
        drop(store.connection)
        store.close()
        assert store.open(PARTS)
        await reads.reach({DECISIONS: 4})
        with pytest.raises(Problem) as caught:
            await reads.confirm({DECISIONS: 4})
        assert caught.value.code == "view_behind"
        with pytest.raises(Problem, match="the views reach"):
            await reads.reach({DECISIONS: 4}, 0.05)
    finally:
        await reads.close()
        store.close()
