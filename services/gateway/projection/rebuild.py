"""PostgreSQL's views built again beside the old ones, compared with them at the same positions, and swapped in.

The projection goes on with the old schema until the swap, and with the new one right after it: the swap waits until
both stand at the same positions, and takes place in one transaction. Reads never find nothing.
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg
import structlog

from services.gateway.projection.hot import HotKeys
from services.gateway.projection.projector import PARTS, Projector
from services.gateway.projection.store import Credit, Move, PostgresStore
from services.gateway.projection.tables import MIGRATIONS, SCHEMA, Connection, drop
from services.gateway.views import consistent
from truetape.audit.difference import NOTHING, Difference, shown
from truetape.errors import SetupError, TapeGap
from truetape.log import KafkaLog, Part, check_topics
from truetape.rebuild import Rebuilt, Told
from truetape.rebuild.result import DIFFERS, EQUAL, NONE, OUTDATED, SHOWN
from truetape.settings import Settings
from truetape.topics import ALL, MARKET_MARKS

NEXT: Final = "view_next"
OLD: Final = "view_old"
REBUILD_LOCK: Final = 7_405_003
"""Advisory lock of the one rebuild at work."""
SWAP_SECONDS: Final = 600.0
LOCK_MS: Final = 200
"""How long a swap waits for somebody who reads the old rows in one long transaction; others wait behind it."""
RETRY_SECONDS: Final = 0.5
CLOSE_RECORDS: Final = 2_000
"""So near behind the projection, the rest is read while it waits."""
NOT_COMPARED: Final = ("migrations", "tape_positions", "marks")
"""Of marks only the newest are read again (projector.py), and positions are equal when rows are compared."""
_MARKS_POSITION: Final = b"""
UPDATE view_next.tape_positions n SET next_offset = o.next_offset, epoch = o.epoch, sequence = o.sequence
FROM view.tape_positions o WHERE n.topic = %s AND o.topic = n.topic AND o.partition = n.partition
"""
"""Where the projection has fallen so far behind that the newest marks lie before it, it goes on from where it stood."""
Digest = dict[str, tuple[int, str]]
"""Table -> rows, and the sum of their hashes: equal for equal rows in any order."""
_log = structlog.get_logger()


def rebuild_postgres(settings: Settings, check: bool, told: Told) -> Rebuilt:
    """Fill a schema beside `view` from the first record on, compare the two, and swap.

    Raises SetupError without a database or when somebody else rebuilds, TapeGap when records are missing.
    """
    began, dsn = time.monotonic(), settings.postgres.get_secret_value()
    if not dsn:
        raise SetupError("there is no view database to rebuild: set TRUETAPE_POSTGRES; `truetape settings` explains it")
    check_topics(settings.kafka, ALL)
    try:
        with closing(KafkaLog(settings.kafka)) as log, _beside(log, dsn) as (new, store):
            filling = _Filling(new, store.connection, settings.restore_timeout_seconds, told)
            compared = _compare(dsn, filling)
            if not check:
                _swap(dsn, filling)
    except psycopg.Error as error:
        raise SetupError(
            f"PostgreSQL cut the rebuild off ({str(error).strip()}); the views stand as they were: rebuild again"
        ) from error
    rows = sum(count for count, _ in compared.built.values())
    whole = hashlib.sha256(repr(sorted(compared.built.items())).encode()).hexdigest()
    return Rebuilt(
        "postgres", compared.verdict, not check, filling.done, rows if compared.verdict in (EQUAL, DIFFERS) else 0,
        whole, round(time.monotonic() - began, 3), compared.differences, compared.differing,
    )  # fmt: skip


@contextmanager
def _beside(log: KafkaLog, dsn: str) -> Iterator[tuple[Projector, PostgresStore]]:
    """A projector of a fresh schema, which is erased again if it was not swapped in."""
    store = PostgresStore(dsn, NEXT, REBUILD_LOCK + 1)
    new = Projector(log, store, _NoHotKeys(None, lambda: ([], {})))
    with _connected(dsn) as connection:
        locked = connection.execute("SELECT pg_try_advisory_lock(%s)", (REBUILD_LOCK,)).fetchone()
        if not (locked and locked[0]):
            raise SetupError("another `truetape rebuild` is at work on this database: wait for it to end")
        for leftover in (NEXT, OLD):  # Of a rebuild that was killed.
            drop(connection, leftover)
        try:
            new.open_beside()
            yield new, store
        finally:
            new.close()
            drop(connection, NEXT)


class _NoHotKeys(HotKeys):
    """Nobody reads the new rows yet."""

    def update(self, changed: Iterable[Credit], moves: Sequence[Move]) -> None:
        """Tell nobody."""

    def refresh(self) -> None:
        """Tell nobody."""


class _Filling:
    """The new schema on its way, with progress."""

    def __init__(self, new: Projector, connection: Connection, timeout_seconds: float, told: Told) -> None:
        self.new, self.connection, self._timeout, self._told = new, connection, timeout_seconds, told
        self.done = 0

    def to(self, ends: Mapping[Part, int]) -> None:
        """Fill up to these positions."""
        before = self.done
        total = before + sum(max(0, end - self.new.standing(part)) for part, end in ends.items())

        def one_more(records: int) -> None:
            self.done += records
            self._told("filling postgres", self.done, max(total, self.done))

        self.new.fill(ends, self._timeout, one_more)

    def tape_ends(self) -> dict[Part, int]:
        """Where the tape ends now."""
        return {part: high for part, (_, high) in self.new.log.ends(PARTS).items()}


class _Compared:
    """What comparing the two schemas gave."""

    def __init__(self, verdict: str, built: Digest, differences: list[Difference], differing: int) -> None:
        self.verdict, self.built, self.differences, self.differing = verdict, built, differences, differing


def _compare(dsn: str, filling: _Filling) -> _Compared:
    """Fill up to where the old rows stand in one snapshot of them, and compare every row with the new ones."""
    _approach(dsn, filling)
    with consistent(dsn) as old:
        reached = _positions(old)
        if reached is None or _version(old) != len(MIGRATIONS):
            filling.to(filling.tape_ends())
            return _Compared(NONE if reached is None else OUTDATED, digest(filling.connection, NEXT), [], 0)
        ends = filling.tape_ends()
        for part, next_offset in reached.items():
            if next_offset > ends.get(part, 0):
                raise TapeGap(
                    f"{part} ends at {ends.get(part, 0)}, but the views reach {next_offset}: records were lost, or the "
                    "views are of another tape. They are the witness and stay; restore the topic from a replica or "
                    "backup, or drop the schema `view` by hand."
                )
        filling.to(reached)
        built, held = digest(filling.connection, NEXT), digest(old, SCHEMA)
        different = [table for table in sorted(built) if built[table] != held.get(table)]
        apart = (found for table in different for found in _rows_apart(filling.connection, old, table))
        shown_first = list(itertools.islice(apart, SHOWN))
        return _Compared(DIFFERS if different else EQUAL, built, shown_first, len(shown_first) + sum(1 for _ in apart))


def _approach(dsn: str, filling: _Filling) -> None:
    """Fill until the projection's rows are near: it may write as fast as it likes meanwhile."""
    while True:
        with consistent(dsn) as old:
            reached = _positions(old)
        if reached is None:
            return
        ends = filling.tape_ends()
        reachable = {part: min(end, ends.get(part, 0)) for part, end in reached.items()}
        left = sum(max(0, end - filling.new.standing(part)) for part, end in reachable.items())
        filling.to(reachable)
        if left <= CLOSE_RECORDS:
            return


def _swap(dsn: str, filling: _Filling) -> None:
    """Give the new schema the old one's name, at the same positions, in one transaction; then drop the old one."""
    with _connected(dsn) as connection:
        _patiently(lambda: _exchange(connection, filling))
        _patiently(lambda: drop(connection, OLD))


def _patiently(attempt: Callable[[], None]) -> None:
    """Try again while somebody reads the old rows in one long transaction, without making others wait for long."""
    deadline = time.monotonic() + SWAP_SECONDS
    while True:
        try:
            attempt()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if time.monotonic() > deadline:
                raise SetupError(
                    f"somebody has been reading the old views for {SWAP_SECONDS:g} s in one transaction (see "
                    "pg_stat_activity); end that, and rebuild again"
                ) from error
            time.sleep(RETRY_SECONDS)
        else:
            return


def _exchange(connection: Connection, filling: _Filling) -> None:
    with connection.transaction():
        connection.execute(b"SET LOCAL lock_timeout = %d" % LOCK_MS)
        reached = _positions(connection)
        if reached is not None:
            connection.execute("LOCK TABLE view.tape_positions IN ACCESS EXCLUSIVE MODE")
            reached = _positions(connection)
            filling.to(reached or {})
            connection.execute(_MARKS_POSITION, (MARKET_MARKS.name,))
            connection.execute(f"ALTER SCHEMA {SCHEMA} RENAME TO {OLD}".encode())
        connection.execute(f"ALTER SCHEMA {NEXT} RENAME TO {SCHEMA}".encode())
        functions = connection.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = %s::regnamespace", (SCHEMA,)
        ).fetchall()
        for (body,) in functions:  # Bodies name the schema's tables.
            connection.execute(body.replace(f"{NEXT}.", f"{SCHEMA}.").encode())


# -- rows --------------------------------------------------------------------------------------------------------------


def digest(connection: Connection, schema: str) -> Digest:
    """Rows of each table of a schema, and the sum of their hashes."""
    found: Digest = {}
    for table in _tables(connection, schema):
        query = (
            f"SELECT count(*), coalesce(sum(('x' || left(h, 16))::bit(64)::bigint::numeric), 0), "
            f"coalesce(sum(('x' || right(h, 16))::bit(64)::bigint::numeric), 0) "
            f"FROM (SELECT md5(t::text) AS h FROM {schema}.{table} t) hashed"
        )
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        found[table] = (row[0], f"{row[1]} {row[2]}")
    return found


def _tables(connection: Connection, schema: str) -> list[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r' ORDER BY 1", (schema,)
    ).fetchall()
    return [name for (name,) in rows if name not in NOT_COMPARED]


def _rows_apart(new: Connection, old: Connection, table: str) -> Iterator[Difference]:
    """Rows of a table that only one of the two schemas has, read side by side in one order."""
    ours, theirs = _ordered(new, NEXT, table), _ordered(old, SCHEMA, table)
    built, held = next(ours, None), next(theirs, None)
    while built is not None or held is not None:
        if built == held:
            built, held = next(ours, None), next(theirs, None)
        elif held is None or (built is not None and built < held):
            yield _apart(table, built, None)
            built = next(ours, None)
        else:
            yield _apart(table, None, held)
            held = next(theirs, None)


def _ordered(connection: Connection, schema: str, table: str) -> Iterator[str]:
    query = f'SELECT t::text FROM {schema}.{table} t ORDER BY t::text COLLATE "C"'
    with connection.transaction(), connection.cursor(f"rows_{schema}_{table}") as cursor:
        cursor.execute(query.encode())
        for (row,) in cursor:
            yield row


def _apart(table: str, built: str | None, held: str | None) -> Difference:
    tape, other = (shown(row) if row is not None else NOTHING for row in (built, held))
    return Difference("view", f"postgres {table}", "", "a row", tape, other)


def _positions(connection: Connection) -> dict[Part, int] | None:
    """How far the rows of `view` reach; None when there are none."""
    row = connection.execute("SELECT to_regclass('view.tape_positions')").fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute("SELECT topic, partition, next_offset FROM view.tape_positions").fetchall()
    return {Part(topic, partition): next_offset for topic, partition, next_offset in found}


def _version(connection: Connection) -> int:
    row: Any = connection.execute("SELECT coalesce(max(version), 0) FROM view.migrations").fetchone()
    return int(row[0])


def _connected(dsn: str) -> Connection:
    try:
        return psycopg.connect(dsn, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise SetupError(f"PostgreSQL does not answer: {str(error).strip()}; see TRUETAPE_POSTGRES") from error
