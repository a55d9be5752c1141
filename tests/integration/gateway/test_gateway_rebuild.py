"""`truetape rebuild`: views and snapshots built again under live traffic, compared, swapped in; killed half-way."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest
import redis

from services.gateway.projection.hot import balances_key
from services.gateway.projection.rebuild import NEXT, OLD
from services.gateway.projection.tables import MIGRATIONS
from tests.integration.gateway.desk import Desk, await_true, order

pytestmark = pytest.mark.timeout(300)


@dataclass
class Traffic:
    """Orders, fills and reads that go on while something is rebuilt."""

    desk: Desk
    orders: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.account_id, self._http = self.desk.trader()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._trade, daemon=True)

    def _trade(self) -> None:
        try:
            while not self._ending.is_set():
                self._one(len(self.orders))
        except Exception as error:
            self.wrong.append(repr(error))

    def _one(self, number: int) -> None:
        placed = self._http.post("/v1/orders", json=order(f"t{number}", quantity="0.001"))
        self._see(placed, 201)
        self.orders.append(placed.json()["order_id"])
        if number % 4 == 0:
            self.desk.fill(placed.json())
        else:
            self._see(self._http.delete(f"/v1/orders/{self.orders[-1]}"), 202)
        for path in (f"/v1/orders/{self.orders[-1]}", "/v1/balances", "/v1/positions", "/v1/entries?limit=5"):
            self._see(self._http.get(path), 200)

    def _see(self, answer: httpx.Response, status: int) -> None:
        if answer.status_code not in (status, 200):
            self.wrong.append(f"{answer.request.method} {answer.url.path}: {answer.status_code} {answer.text[:200]}")

    @contextmanager
    def flowing(self, orders: int = 4) -> Iterator[None]:
        """Traffic before, during and after."""
        self._thread.start()
        try:
            await_true(lambda: len(self.orders) >= orders or bool(self.wrong))
            yield
            there = len(self.orders)
            await_true(lambda: len(self.orders) >= there + orders or bool(self.wrong))
        finally:
            self._ending.set()
            self._thread.join(60)


def command(desk: Desk, *words: str) -> list[str]:
    return [sys.executable, "-m", "truetape.cli", *words]


def run(desk: Desk, *words: str) -> tuple[int, Any, str]:
    """(exit status, what --json said, stderr)."""
    done = subprocess.run(
        command(desk, *words, "--json"), env=os.environ | desk.environment, capture_output=True, text=True, check=False,
        timeout=200,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def audited(desk: Desk) -> None:
    """The views, snapshots and services are what the tape says. Its rules do not hold here: a hand wrote the fills."""
    _, report, errors = run(desk, "audit")
    assert report is not None, errors
    claims = [one for one in report["differences"] if one["check"] in ("view", "snapshot", "live", "tape")]
    assert (claims, report["gaps"], [one["verdict"] for one in report["views"]]) == ([], [], ["equal"])


def schemas(desk: Desk) -> set[str]:
    with psycopg.connect(desk.environment["TRUETAPE_POSTGRES"]) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'view%'").fetchall()
        return {name for (name,) in rows}


def test_postgres_is_rebuilt_beside_and_swapped_in_under_live_traffic(desk: Desk) -> None:
    pid = desk.stack.pid("projection")
    traffic = Traffic(desk)
    with traffic.flowing():
        status, [rebuilt], errors = run(desk, "rebuild", "postgres")
        assert status == 0, (rebuilt, errors)
    assert traffic.wrong == []
    assert (rebuilt["target"], rebuilt["verdict"], rebuilt["replaced"]) == ("postgres", "equal", True)
    assert rebuilt["records"] > 20 and rebuilt["compared"] > 20
    assert "filling postgres" in errors
    assert schemas(desk) == {"view"}
    assert desk.stack.pid("projection") == pid, "the projection went on"
    audited(desk)


def test_a_changed_row_is_named_and_mended(desk: Desk) -> None:
    account_id, http = desk.trader()
    desk.fill(http.post("/v1/orders", json=order("one")).json())
    audited(desk)
    change = "UPDATE view.balances SET amount_e8 = amount_e8 + 1 WHERE account = %s AND asset = 'USDT'"
    with psycopg.connect(desk.environment["TRUETAPE_POSTGRES"], autocommit=True) as connection:
        assert connection.execute(change, (f"client:{account_id}",)).rowcount == 1
    status, [checked], _ = run(desk, "rebuild", "postgres", "--check")
    assert (status, checked["verdict"], checked["replaced"], checked["differences_total"]) == (1, "differs", False, 2)
    assert {one["where"] for one in checked["differences"]} == {"postgres balances"}
    assert any(f"client:{account_id},USDT" in one["other"] for one in checked["differences"])
    status, [mended], _ = run(desk, "rebuild", "postgres")
    assert (status, mended["verdict"], mended["replaced"]) == (1, "differs", True)
    status, [again], _ = run(desk, "rebuild", "postgres", "--check")
    assert (status, again["verdict"]) == (0, "equal")
    audited(desk)
    with psycopg.connect(desk.environment["TRUETAPE_POSTGRES"], autocommit=True) as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):  # Triggers came with it, for these tables.
            connection.execute("DELETE FROM view.entries")
        odd = "entry_id, 99, 'x', 'USDT', 1, 'p', partition, \"offset\""
        bad = f"INSERT INTO view.lines SELECT {odd} FROM view.entries LIMIT 1"
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            connection.execute(bad.encode())


@pytest.mark.parametrize("behind", [1, 2])
def test_views_of_an_earlier_version_are_migrated_at_start_and_equal_a_rebuild(desk: Desk, behind: int) -> None:
    account_id, http = desk.trader()
    desk.fill(http.post("/v1/orders", json=order("good")).json())
    halted, wrong = desk.trader()
    desk.fill(wrong.post("/v1/orders", json=order("bad")).json(), quote_off_e8=10**8)
    await_true(lambda: wrong.post("/v1/orders", json=order()).status_code == 422)  # Parked, and the account is halted.
    audited(desk)
    desk.stack.stop("projection")
    went_back(desk.environment["TRUETAPE_POSTGRES"], len(MIGRATIONS) - behind)
    desk.fill(http.post("/v1/orders", json=order("meanwhile")).json())
    desk.stack.start("projection")
    await_true(
        lambda: len(http.get("/v1/fills").json().get("fills", ())) == 2
    )  # One is replayed, and behind till then.
    status, [checked], errors = run(desk, "rebuild", "postgres", "--check")
    assert checked["differences"] == [], errors
    assert (status, checked["verdict"]) == (0, "equal")
    admin = desk.raw(desk.key("", "admin"))
    shown = {one["account_id"]: one["halts"] for one in admin.get("/v1/admin/accounts").json()["accounts"]}
    assert shown[halted] and not shown[account_id]


def went_back(dsn: str, version: int) -> None:
    """The views as that version of the schema held the same rows."""
    with psycopg.connect(dsn) as connection:
        connection.execute("ALTER SCHEMA view RENAME TO newer")
        connection.execute("CREATE SCHEMA view")
        connection.execute("CREATE TABLE view.migrations (LIKE newer.migrations INCLUDING ALL)")
        connection.execute("INSERT INTO view.migrations SELECT * FROM newer.migrations WHERE version <= %s", (version,))
        for statements in MIGRATIONS[:version]:
            connection.execute(statements.encode())
        names = "SELECT table_name, array_agg(quote_ident(column_name)) FROM information_schema.columns "
        held = connection.execute(names + "WHERE table_schema = 'view' GROUP BY table_name").fetchall()
        for table, columns in held:
            if table != "migrations":
                listed = ", ".join(columns)
                connection.execute(f"INSERT INTO view.{table} ({listed}) SELECT {listed} FROM newer.{table}".encode())
        connection.execute("DROP SCHEMA newer CASCADE")


def test_killed_in_the_middle_nothing_is_lost_and_a_second_rebuild_works(desk: Desk) -> None:
    traffic = Traffic(desk)
    with traffic.flowing():
        child = subprocess.Popen(command(desk, "rebuild", "postgres"), env=os.environ | desk.environment)
        await_true(lambda: NEXT in schemas(desk))
        os.kill(child.pid, signal.SIGKILL)
        child.wait(20)
        assert "view" in schemas(desk)
        await_true(lambda: not _locked(desk))
        status, [rebuilt], errors = run(desk, "rebuild", "postgres")
        assert (status, rebuilt["verdict"]) == (0, "equal"), errors
    assert traffic.wrong == []
    assert schemas(desk) == {"view"}
    audited(desk)


def _locked(desk: Desk) -> bool:
    """Whether the killed one's sessions still stand."""
    with psycopg.connect(desk.environment["TRUETAPE_POSTGRES"]) as connection:
        found = connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7405003").fetchone()
        return found is not None


def test_a_long_reader_of_the_old_rows_is_waited_for(desk: Desk) -> None:
    with psycopg.connect(desk.environment["TRUETAPE_POSTGRES"]) as reader:
        reader.execute("SELECT count(*) FROM view.tape_positions").fetchone()
        child = subprocess.Popen(command(desk, "rebuild", "postgres"), env=os.environ | desk.environment)
        await_true(lambda: NEXT in schemas(desk))
        time.sleep(3)
        assert child.poll() is None and OLD not in schemas(desk)
        _, http = desk.trader()
        assert http.get("/v1/balances").status_code == 200, "others read on"
    assert child.wait(60) == 0
    assert schemas(desk) == {"view"}


def test_redis_is_compared_dropped_and_filled_again_under_live_traffic(desk: Desk) -> None:
    traffic = Traffic(desk)
    client = redis.Redis.from_url(desk.environment["TRUETAPE_REDIS"])
    with client, traffic.flowing():
        status, [rebuilt], errors = run(desk, "rebuild", "redis")
        assert (status, rebuilt["verdict"], rebuilt["replaced"]) == (0, "equal", True), (rebuilt, errors)
        client.hset(balances_key("nobody"), "USDT", "5 0")
        status, [rebuilt], _ = run(desk, "rebuild", "redis")
        assert (status, rebuilt["verdict"], rebuilt["differences_total"]) == (1, "differs", 1)
        assert rebuilt["differences"][0]["account_id"] == "nobody"
        assert not client.exists(balances_key("nobody"))
        assert client.exists(balances_key(traffic.account_id))
    assert traffic.wrong == []


@pytest.mark.parametrize("service", ["clearing", "risk"])
def test_snapshots_are_rebuilt_under_live_traffic_and_restored_from(desk: Desk, service: str) -> None:
    traffic = Traffic(desk)
    with traffic.flowing():
        status, [rebuilt], errors = run(desk, "rebuild", service)
        assert (status, rebuilt["verdict"] in ("equal", "none"), rebuilt["replaced"]) == (0, True, True), errors
        status, [again], _ = run(desk, "rebuild", service, "--check")
        assert (status, again["verdict"], again["replaced"]) == (0, "equal", False)
        assert again["compared"] >= 1
    assert traffic.wrong == []
    desk.stack.kill(service, signal.SIGKILL)
    desk.stack.start(service)
    audited(desk)


def test_what_cannot_be_rebuilt_is_named(desk: Desk) -> None:
    status, found, errors = run(desk, "rebuild", "mongodb")
    assert (status, found) == (1, None)
    assert "SetupError" in errors and "postgres, redis, clearing" in errors
