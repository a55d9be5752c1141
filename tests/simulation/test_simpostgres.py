"""The simulated PostgreSQL keeps the contract of the real one, and loses what it is told to lose."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import psycopg
import pytest

from services.gateway.problems import Problem
from services.gateway.projection.store import Reached
from services.gateway.queries import Page, Query
from services.gateway.reads import Reads
from tests.simulation.database_contract import DatabaseContract, Rig
from tests.simulation.simpostgres import PostgresFaults, SimDatabase, SimPostgres, SimStore
from tests.simulation.store_contract import DECISIONS, LIFE, PARTS, Server, StoreContract, tell
from truetape.errors import SetupError
from truetape.happenings import Part
from truetape.tape import START


class Simulated:
    """The contract's handle on a simulated server."""

    def __init__(self) -> None:
        self.postgres = SimPostgres(lambda: 0, Random(1))

    def store(self) -> SimStore:
        return SimStore(self.postgres)

    def cut(self) -> None:
        self.postgres.cut()

    def view(self) -> tuple[dict[str, Any], dict[int, Any], dict[Part, int]]:
        tables = self.postgres.tables
        positions = {part: reached.next_offset for part, reached in tables.positions.items()}
        return tables.view_rows(), tables.ledger_rows(), positions

    def digest(self) -> str:
        return self.postgres.digest()


class TestSimStore(StoreContract):
    @pytest.fixture
    def server(self) -> Iterator[Server]:
        yield Simulated()


@dataclass
class SimRig:
    """The database contract's handle."""

    postgres: SimPostgres
    store: SimStore

    def rows(self, query: Query, *arguments: Any) -> list[dict[str, Any]]:
        return asyncio.run(SimDatabase(self.postgres).rows(query, arguments))

    def page(self, page: Page) -> list[dict[str, Any]]:
        return asyncio.run(SimDatabase(self.postgres).page(page))

    def order_ids(self) -> list[str]:
        async def read() -> list[str]:
            return [found async for page in SimDatabase(self.postgres).order_ids() for found in page]

        return asyncio.run(read())


class TestSimDatabase(DatabaseContract):
    @pytest.fixture
    def empty(self) -> Iterator[Rig]:
        server = Simulated()
        store = server.store()
        assert store.open(PARTS)
        yield SimRig(server.postgres, store)


@pytest.fixture
def server() -> Simulated:
    return Simulated()


@pytest.fixture
def store(server: Simulated) -> SimStore:
    store = server.store()
    assert store.open(PARTS)
    tell(store, *LIFE[:6])
    return store


def test_a_crash_may_take_the_newest_commits_with_it(server: Simulated, store: SimStore) -> None:
    before = server.view()
    tell(store, LIFE[6], LIFE[7])
    server.postgres.crash(lost_commits=2)
    assert server.view() == before
    with pytest.raises(psycopg.OperationalError):
        store.reached()


def test_an_older_backup_is_the_past_and_the_future_comes_again(server: Simulated, store: SimStore) -> None:
    tell(store, *LIFE[6:])
    end = server.view()
    server.postgres.restore_backup(age=0.5)
    assert server.view() != end
    assert store.open(PARTS)
    tell(store, *LIFE[len(server.postgres._committed) :])
    assert server.view() == end


def test_a_dropped_schema_begins_at_zero(server: Simulated, store: SimStore) -> None:
    end = server.digest()
    server.postgres.drop_views()
    assert store.open(PARTS)
    assert store.reached()[DECISIONS] == Reached(0, START)
    tell(store, *LIFE[:6])
    assert server.digest() == end


def test_a_server_that_is_down_does_not_answer() -> None:
    now_us = 0
    postgres = SimPostgres(lambda: now_us, Random(1))
    postgres.crash(for_us=1_000)
    with pytest.raises(SetupError, match="PostgreSQL does not answer"):
        SimStore(postgres).open(PARTS)
    now_us = 1_000
    assert SimStore(postgres).open(PARTS)


def test_a_full_disk_refuses_writes_and_nothing_else(server: Simulated, store: SimStore) -> None:
    server.postgres.disk_full = True
    with pytest.raises(psycopg.errors.DiskFull):
        tell(store, LIFE[6])
    assert store.reached()[DECISIONS].next_offset == 4
    server.postgres.disk_full = False
    tell(store, LIFE[6])


def test_an_unknown_commit_took_place_or_not(server: Simulated, store: SimStore) -> None:
    before = server.view()
    outcomes = set()
    for seed in range(20):
        server.postgres.random = Random(seed)
        server.postgres.faults = PostgresFaults(unknown_commits=1.0)
        with pytest.raises(psycopg.OperationalError):
            tell(store, LIFE[6])
        outcomes.add(server.view() == before)
        server.postgres.faults = PostgresFaults()
        server.postgres.crash(lost_commits=len(server.postgres._committed) - 6)
        assert store.open(PARTS)
    assert outcomes == {True, False}


def test_events_of_views_that_were_replaced_since_they_were_asked_leave_no_hole(
    server: Simulated, store: SimStore
) -> None:
    """A stream that is resumed asks how far the views reach, and reads them later."""

    async def resume() -> list[int]:
        reads = Reads(SimDatabase(server.postgres))
        end = store.reached()[DECISIONS].next_offset
        await reads.reach({DECISIONS: end - 1})
        told = await reads.events("acme", DECISIONS, -1, end, 500)
        server.postgres.restore_backup(age=0.9)
        await reads.reach({DECISIONS: end - 1})  # As it knows: nobody has told it otherwise.
        with pytest.raises(Problem, match="the views reach"):
            await reads.events("acme", DECISIONS, -1, end, 500)
        return [row["offset"] for row in told]

    assert asyncio.run(resume()) == [1, 2, 3]
