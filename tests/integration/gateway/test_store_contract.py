"""PostgreSQL keeps the contract that the simulated one keeps (tests/simulation/test_simpostgres.py)."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from services.gateway.projection.store import PostgresStore
from services.gateway.views import consistent, ledger_rows, view_digest, view_positions, view_rows
from tests.simulation.store_contract import Server, StoreContract
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


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def server(self, stack: Servers) -> Iterator[Server]:
        name = f"contract_{secrets.token_hex(4)}"
        with psycopg.connect(stack.postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
            yield Real(f"{stack.postgres.rpartition('/')[0]}/{name}")
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
