"""The projection: every record counts once, whatever is killed when; rebuilt from the tape the rows are the same."""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis

from services.gateway.projection.hot import VIEW_KEY, HotKeys, balances_key
from services.gateway.projection.projector import PARTS, Projector
from services.gateway.projection.rows import Batch
from services.gateway.projection.store import Credit, Move, PostgresStore, Store
from services.gateway.projection.tables import MIGRATIONS, drop, migrate
from services.gateway.views import consistent, ledger_rows, view_digest, view_positions, view_rows
from tests.integration.gateway.desk import Desk, await_true, order
from truetape import messages as m
from truetape.codec import encode
from truetape.errors import SetupError, TapeError, TapeGap
from truetape.log import KafkaLog, Part
from truetape.money import ONE_E8
from truetape.simbroker import SimBroker
from truetape.tape import Place
from truetape.topics import CLEARING_ENTRIES, MARKET_MARKS, ORDERS_DECISIONS


class NoRedis:
    """A Redis that is never there."""

    def __getattr__(self, name: str) -> Any:
        raise redis.ConnectionError("away")


@pytest.fixture
def database(desk: Desk) -> Iterator[str]:
    """An empty database of its own on the running server."""
    dsn, name = desk.environment["TRUETAPE_POSTGRES"], f"views_{secrets.token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield f"{dsn.rpartition('/')[0]}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def hot() -> HotKeys:
    return HotKeys(NoRedis(), lambda: ([], {}))


def tables_of(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in one order; without the time of migration."""
    with consistent(dsn) as connection:
        found = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'view'")
        names = [name for (name,) in found.fetchall() if name != "migrations"]
        queries = {name: f"SELECT t::text FROM view.{name} t".encode() for name in names}
        return {name: sorted(connection.execute(query).fetchall()) for name, query in queries.items()}


def trade(desk: Desk, orders: int) -> None:
    """Some life on the tape: accepted, refused, cancelled and filled orders of two accounts."""
    for _ in range(2):
        _, http = desk.trader()
        for number in range(orders):
            placed = http.post("/v1/orders", json=order(f"t{number}", price="1" if number % 5 == 4 else "60000"))
            if number % 5 == 0:
                desk.fill(placed.json())
            elif number % 5 == 1:
                http.delete(f"/v1/orders/client:t{number}")


def project_all(projector: Projector) -> None:
    """Turn until nothing is left of what was there."""
    await_true(lambda: projector.turn(0.02) >= 0 and not projector.missing())
    while projector.turn(0.2):
        pass


# -- on the real tape --------------------------------------------------------------------------------------------------


def test_rebuilt_from_the_tape_the_rows_are_the_same(desk: Desk, database: str) -> None:
    trade(desk, 10)
    log = KafkaLog(desk.environment["TRUETAPE_KAFKA"])
    projector = Projector(log, PostgresStore(database), hot())
    try:
        project_all(projector)
        live = desk.environment["TRUETAPE_POSTGRES"]
        await_true(lambda: _positions(live) == _positions(database))
        assert tables_of(live) == tables_of(database)
        with consistent(database) as connection:
            rows, ledger = view_rows(connection), ledger_rows(connection)
            digest = view_digest(connection)
        assert len(rows) >= 2
        for partition, accounts in ledger.items():
            for asset in {asset for balances in accounts.values() for asset in balances}:
                total = sum(balances.get(asset, 0) for balances in accounts.values())
                assert total == 0, f"partition {partition} does not sum to zero in {asset}"
        with psycopg.connect(database) as connection:
            drop(connection)
        projector.close()
        again = Projector(log, PostgresStore(database), hot())
        project_all(again)
        with consistent(database) as connection:
            assert view_digest(connection) == digest
        again.close()
    finally:
        log.close()


def _positions(dsn: str) -> dict[Part, int]:
    with consistent(dsn) as connection:
        return view_positions(connection)


class Unlucky(PostgresStore):
    """A database that goes away before some commits, and after others without telling of them."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.chance, self.losses = random.Random(7), Counter[str]()

    def write(self, batch: Batch, moves: list[Move]) -> list[Credit]:
        luck = self.chance.random()
        if luck < 0.2:
            self._lose("before the commit")
        found = super().write(batch, moves)
        if luck > 0.8:
            self._lose("after the commit")
        return found

    def _lose(self, when: str) -> None:
        self.losses[when] += 1
        self.connection.close()
        raise psycopg.OperationalError(f"lost {when}")


def test_every_record_counts_once_when_commits_are_lost_or_unknown(
    desk: Desk, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.projection.projector.RETRY_SECONDS", 0.0)
    trade(desk, 5)
    store = Unlucky(database)
    tape = Tape(database, store)
    spans = desk.log.ends(PARTS)
    records = list(desk.log.read(spans, 30.0))
    few = max(1, len(records) // 60)
    for start in range(0, len(records), few):  # Some records at a time, so that there are many transactions.
        for record in records[start : start + few]:
            tape.broker.produce(Part(record.topic, record.partition), record.key, record.value)
        tape.project(2)
    ends = {part: high for part, (_, high) in spans.items()}
    for _ in range(400):
        if _positions(database) == ends:
            break
        tape.project(1)
    assert min(store.losses.values()) > 5, "or nothing was shown"
    live = desk.environment["TRUETAPE_POSTGRES"]
    await_true(lambda: _positions(live) == ends)
    assert tables_of(database) == tables_of(live)
    tape.projector.close()


def test_killed_again_and_again_it_ends_with_the_rows_of_the_tape(desk: Desk, database: str) -> None:
    stop = threading.Event()

    def trade_on() -> None:
        while not stop.is_set():
            trade(desk, 5)

    trading = threading.Thread(target=trade_on)
    trading.start()
    try:
        for _ in range(3):
            time.sleep(0.7)
            desk.stack.kill("projection")
            desk.stack.start("projection")
    finally:
        stop.set()
        trading.join(30)
    log = KafkaLog(desk.environment["TRUETAPE_KAFKA"])
    fresh = Projector(log, PostgresStore(database), hot())
    try:
        project_all(fresh)
        live = desk.environment["TRUETAPE_POSTGRES"]
        await_true(lambda: _positions(live) == _positions(database))
        assert tables_of(live) == tables_of(database)
        fresh.close()
    finally:
        log.close()


def test_only_one_projector_is_active(desk: Desk) -> None:
    log = KafkaLog(desk.environment["TRUETAPE_KAFKA"])
    second = Projector(log, PostgresStore(desk.environment["TRUETAPE_POSTGRES"]), hot())
    try:
        assert second.turn(0.01) == 0
        assert second.missing() == ["another projection is active; this one stands by"]
    finally:
        log.close()


def test_hot_keys_come_back_after_a_flush(desk: Desk) -> None:
    account, http = desk.trader()
    client = redis.Redis.from_url(desk.environment["TRUETAPE_REDIS"], decode_responses=True)
    await_true(lambda: client.hget(balances_key(account), "BTC") == f"{100 * ONE_E8} 0")
    before = http.get("/v1/balances").json()
    client.flushall()
    assert http.get("/v1/balances").json() == before, "without hot keys PostgreSQL tells"
    await_true(lambda: client.exists(VIEW_KEY) == 1)
    assert client.hget(balances_key(account), "BTC") == f"{100 * ONE_E8} 0"
    client.hset(balances_key(account), "BTC", f"{7 * ONE_E8} 0")  # So it is Redis that is asked.
    assert {row["asset"]: row["balance"] for row in http.get("/v1/balances").json()["balances"]}["BTC"] == "7"
    client.flushall()
    assert http.get("/v1/balances").json() == before
    client.close()


# -- what PostgreSQL itself refuses ------------------------------------------------------------------------------------


@pytest.fixture
def journal(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database) as connection:
        assert migrate(connection) == len(MIGRATIONS)
        assert migrate(connection) == 0, "each once"
        connection.commit()
        yield connection


def test_lines_that_an_older_view_has_get_their_places(database: str) -> None:
    places = next(number for number, one in enumerate(MIGRATIONS) if "lines_entry_id_fkey" in one)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA view")
        connection.execute(
            "CREATE TABLE view.migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)"
        )
        for number, statements in enumerate(MIGRATIONS[:places], 1):
            connection.execute(statements.encode())
            connection.execute("INSERT INTO view.migrations VALUES (%s, now())", (number,))
        with connection.transaction():
            connection.execute(
                "INSERT INTO view.entries VALUES ('e1', 'a', 3, 7, 'TRADE', 'r', NULL, NULL, NULL, NULL, 0, 0, 0, 0)"
            )
            connection.execute(
                "INSERT INTO view.lines VALUES ('e1', 0, 'x', 'USDT', 1, 'p'), ('e1', 1, 'y', 'USDT', -1, 'p')"
            )
        assert migrate(connection) == len(MIGRATIONS) - places
        rows = connection.execute('SELECT entry_id, line, partition, "offset" FROM view.lines ORDER BY line').fetchall()
        assert rows == [("e1", 0, 3, 7), ("e1", 1, 3, 7)]
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            connection.execute("DELETE FROM view.lines")


def _entry(connection: psycopg.Connection[Any], *amounts_e8: int) -> None:
    connection.execute(
        "INSERT INTO view.entries VALUES ('e1', 'a', 0, 0, 'TRADE', 'r', NULL, NULL, NULL, NULL, 0, 0, 0, 0)"
    )
    for number, amount_e8 in enumerate(amounts_e8):
        connection.execute("INSERT INTO view.lines VALUES ('e1', %s, 'x', 'USDT', %s, 'p', 0, 0)", (number, amount_e8))


def test_lines_sum_to_zero_by_the_end_of_the_transaction(journal: psycopg.Connection[Any]) -> None:
    _entry(journal, 5, -3)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="do not sum to zero in USDT"):
        journal.commit()
    journal.rollback()
    _entry(journal, 5, -3, -2)
    journal.commit()
    journal.execute("INSERT INTO view.lines VALUES ('e1', 9, 'x', 'USDT', 1, 'p', 0, 0)")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        journal.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE view.entries SET kind = 'X'", "DELETE FROM view.entries", "TRUNCATE view.entries, view.lines",
        "UPDATE view.lines SET amount_e8 = 0", "DELETE FROM view.lines", "DELETE FROM view.lines WHERE false",
    ],
)  # fmt: skip
def test_the_journal_is_append_only(journal: psycopg.Connection[Any], statement: str) -> None:
    _entry(journal, 1, -1)
    journal.commit()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="a correction is a new entry"):
        journal.execute(statement.encode())


def test_a_database_of_a_newer_program_is_refused(journal: psycopg.Connection[Any]) -> None:
    journal.execute("INSERT INTO view.migrations VALUES (999, now())")
    with pytest.raises(SetupError, match="version 999"):
        migrate(journal)


# -- on a tape in memory: what must not happen to the shared one -------------------------------------------------------


class Tape:
    """A tape in memory and a projector on it."""

    def __init__(self, dsn: str, store: Store | None = None) -> None:
        self.broker = SimBroker(seed=1)
        self.dsn, self.store = dsn, store or PostgresStore(dsn)
        self.projector = self.fresh()

    def fresh(self) -> Projector:
        return Projector(self.broker.log("projection"), self.store, hot())

    def write(self, part: Part, *events: Any) -> None:
        for event in events:
            value = event if isinstance(event, bytes) else encode(event)
            self.broker.produce(part, b"acme", value)

    def project(self, turns: int = 30) -> None:
        for _ in range(turns):
            self.broker.advance(20_000)
            self.projector.turn(0.0)


DECISIONS = Part(ORDERS_DECISIONS.name, 3)
ENTRIES = Part(CLEARING_ENTRIES.name, 3)
MARKS = Part(MARKET_MARKS.name, 0)


def meta(epoch: int, sequence: int) -> m.Meta:
    return m.Meta(epoch, sequence, m.Cause("x", 3, sequence, ""), sequence, f"e{epoch}-{sequence}", "")


def began(epoch: int) -> m.Began:
    return m.Began(meta(epoch, 0), "0")


def credited(epoch: int, sequence: int) -> m.CreditUpdated:
    return m.CreditUpdated(
        meta=meta(epoch, sequence), account_id="acme", entry_id=f"{epoch}-{sequence}",
        changes=(m.AssetChange("USDT", 1),), released_asset="", released_e8=0, filled_e8=0,
    )  # fmt: skip


@pytest.fixture
def tape(database: str) -> Iterator[Tape]:
    tape = Tape(database)
    yield tape
    tape.projector.close()


def balance(dsn: str) -> int:
    with consistent(dsn) as connection:
        return int(view_rows(connection)["acme"]["credit"]["USDT"]["balance_e8"])


def test_void_and_strange_records_are_passed_over_and_counted(tape: Tape) -> None:
    tape.write(
        DECISIONS, began(1), credited(1, 1), credited(1, 1), began(2), credited(1, 2), b"not ours", credited(2, 1),
        encode(began(3))[:9], encode(m.MarkPublished(meta(2, 2), "B", 1, 1, 1, "v", 1, 1, 1)), began(2), credited(2, 2),
    )  # fmt: skip
    tape.project()
    assert balance(tape.dsn) == 3
    assert tape.projector.counts["void_records"] == 3
    assert tape.projector.counts["stray_records"] == 3
    with consistent(tape.dsn) as connection:
        assert view_positions(connection)[DECISIONS] == 11


@pytest.mark.parametrize("missing", [[credited(1, 3)], [credited(2, 1)]])
def test_a_gap_stops_it_with_its_name_and_nothing_behind_it_counts(tape: Tape, missing: list[Any]) -> None:
    tape.write(DECISIONS, began(1), credited(1, 1))
    tape.project()
    tape.write(DECISIONS, *missing)
    with pytest.raises(TapeGap, match=r"orders.decisions/3 at offset 2: expected epoch 1 sequence 2"):
        tape.project()
    assert balance(tape.dsn) == 1


def test_a_restart_goes_on_where_the_rows_end(tape: Tape) -> None:
    tape.write(DECISIONS, began(1), credited(1, 1))
    tape.project()
    tape.projector.close()
    tape.write(DECISIONS, credited(1, 2), credited(1, 2), began(2), credited(2, 1))
    tape.projector = tape.fresh()
    tape.project()
    assert balance(tape.dsn) == 3
    assert tape.projector.counts["void_records"] == 1, "the reader's place was kept too"
    assert tape.projector.counts["records"] == 4, "nothing was read twice"


def test_views_of_another_tape_are_refused(tape: Tape) -> None:
    tape.write(DECISIONS, began(1), credited(1, 1), credited(1, 2))
    tape.project()
    tape.projector.close()
    tape.broker.truncate(DECISIONS, 2, silently=True)
    tape.projector = tape.fresh()
    with pytest.raises(TapeGap, match="the views reach 3"):
        tape.project()


def test_unbalanced_entries_stop_it_with_a_named_error(tape: Tape) -> None:
    tape.write(
        ENTRIES, began(1),
        m.EntryBooked(
            meta=meta(1, 1), entry_id="bad", account_id="acme", kind="TRADE", rule="r",
            lines=(m.Line("client:acme", "USDT", 5, "p"),), realised_e8=0, filled_e8=0, transacted_at_us=1,
        ),
    )  # fmt: skip
    with pytest.raises(TapeError, match="lines of entry bad do not sum to zero in USDT"):
        tape.project()


def test_of_marks_only_the_newest_are_read(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.projection.projector.MARKS_TAIL", 5)
    marks = [m.MarkPublished(meta(1, number), "BTC-USDT", number, 1, 1, "alpha", 1, 1, 1) for number in range(1, 40)]
    tape.write(MARKS, began(1), *marks)
    tape.project()
    assert tape.projector.counts["records"] == 5
    with consistent(tape.dsn) as connection:
        assert connection.execute("SELECT price_e8, sequence FROM view.marks").fetchall() == [(39, 39)]
        assert view_positions(connection)[MARKS] == 40
    tape.write(MARKS, m.MarkPublished(meta(1, 40), "BTC-USDT", 77, 1, 1, "alpha", 1, 1, 1))
    tape.project()
    with consistent(tape.dsn) as connection:
        assert connection.execute("SELECT price_e8 FROM view.marks").fetchall() == [(77,)]


def test_positions_move_only_from_where_they_stand(tape: Tape) -> None:
    tape.write(DECISIONS, began(1), credited(1, 1))
    tape.project()
    move = Move(DECISIONS, 1, 5, Place(1, 1))
    with pytest.raises(TapeError, match="another projector"):
        tape.projector.store.write(Batch(), [move])
    with consistent(tape.dsn) as connection:
        assert view_positions(connection)[DECISIONS] == 2
    assert len(PARTS) == 35
