"""The view database, as the projection writes it: a batch's rows and the positions they reach, in one transaction.

`Store` is what the projector needs; `PostgresStore` is the real one, and the simulation has one in memory
(tests/simulation/simpostgres.py). tests/simulation/store_contract.py holds both to the same words.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import psycopg

from services.gateway.projection.rows import Batch, OrderRow, columns, encode, orders_needed
from services.gateway.projection.tables import SCHEMA, Connection, in_schema, migrate
from truetape.errors import SetupError, TapeError
from truetape.log import Part
from truetape.tape import Place

PROJECTOR_LOCK: Final = 7_405_002
"""Advisory lock of the one active projector, held by its session."""
Statement = tuple[bytes, Callable[[Batch], Iterable[Any]]]


def _insert(table: str) -> bytes:
    return f"INSERT INTO view.{table} SELECT * FROM json_populate_recordset(NULL::view.{table}, %s::json)".encode()


def _upsert(table: str, key: str, assignments: str) -> bytes:
    return _insert(table) + f" ON CONFLICT ({key}) DO UPDATE SET {assignments}".encode()


def _newest(names: str) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in names.split())


def _known(table: str, names: str) -> str:
    """Columns that keep their value where the new row says nothing."""
    return ", ".join(f"{name} = coalesce(excluded.{name}, {table}.{name})" for name in names.split())


_DECIDED: Final = (
    "account_id partition client_order_id instrument_id side order_type time_in_force post_only quantity_e8 price_e8 "
    "position_effect accepted reason numbers decision_offset decision_event_id decided_at_us limit_price_e8 "
    "reserved_asset reserved_e8"
)
_MARK: Final = "price_e8 bid_e8 ask_e8 venue book_sequence observed_at_us age_us marked_at_us epoch sequence"
_POSITION: Final = "quantity_e8 cost_e8 realised_e8 settled_e8 funding_index_e18 updated_at_us"
_TRANSFER: Final = (
    "asset amount_e8 location external_reference accepted reason numbers decision_offset decision_event_id "
) + "decided_at_us"
_BREAK: Final = (
    "break_class venue key account_id ours_e8 theirs_e8 first_seen_at_us owner evidence evidence_sha256 closed_at_us "
    "closed_reason"
)
_LEG: Final = (
    "account_id trade_id kind from_id instrument_id side quantity_e8 price_e8 cost_e8 state reason updated_at_us"
)
_CREDIT: Final = (
    "balance_e8 = credit.balance_e8 + excluded.balance_e8, reserved_e8 = credit.reserved_e8 + excluded.reserved_e8"
)

STATEMENTS: Final[tuple[Statement, ...]] = (
    (_insert("events"), lambda batch: batch.events),
    (_insert("order_events"), lambda batch: batch.order_events),
    (
        _upsert(
            "orders", "order_id",
            _known("orders", _DECIDED) + ", " + _newest("status filled_e8 quote_filled_e8 ended_reason updated_at_us"),
        ),
        lambda batch: map(columns, batch.orders.values()),
    ),
    (_insert("fills"), lambda batch: batch.fills),
    (_insert("entries"), lambda batch: batch.entries),
    (_insert("lines"), lambda batch: batch.lines),
    (
        _upsert("balances", "account, asset, partition", "amount_e8 = balances.amount_e8 + excluded.amount_e8"),
        lambda batch: (
            {"account": account, "asset": asset, "partition": partition, "amount_e8": str(amount_e8)}
            for (account, asset, partition), amount_e8 in sorted(batch.balances.items())
        ),
    ),
    (
        _upsert("positions", "account_id, instrument_id", _newest(_POSITION)),
        lambda batch: batch.positions.values(),
    ),
    (_upsert("transfers", "transfer_id", _newest(_TRANSFER)), lambda batch: batch.transfers.values()),
    (
        _upsert("instruments", "instrument_id", _newest("tradable body")),
        lambda batch: batch.instruments.values(),
    ),
    (
        _upsert("accounts", "account_id", _known("accounts", "name limits fees trading_state")),
        lambda batch: batch.accounts.values(),
    ),
    (_upsert("marks", "instrument_id", _newest(_MARK)), lambda batch: batch.marks.values()),
    (_upsert("trades", "trade_id", _newest("kind state updated_at_us")), lambda batch: batch.trades.values()),
    (
        _insert("trade_parties") + b" ON CONFLICT DO NOTHING",
        lambda batch: batch.trade_parties.values(),
    ),
    (_upsert("legs", "leg_id", _known("legs", _LEG)), lambda batch: batch.legs.values()),
    (_upsert("bilateral", "trade_id", _newest("state ended_by updated_at_us")), lambda batch: batch.bilateral.values()),
    (_insert("instructions"), lambda batch: batch.instructions),
    (_insert("sides"), lambda batch: batch.sides),
    (
        _upsert("restrictions", "account_id, name", "because = excluded.because"),
        lambda batch: (
            {"account_id": account_id, "name": name, "because": because}
            for (account_id, name), because in batch.restrictions.items()
        ),
    ),
    (_insert("reconciliations"), lambda batch: batch.reconciliations),
    (_upsert("breaks", "break_id", _newest(_BREAK)), lambda batch: batch.breaks.values()),
    (
        b"UPDATE view.breaks b SET closed_at_us = r.closed_at_us, closed_reason = r.closed_reason "
        b"FROM json_populate_recordset(NULL::view.breaks, %s::json) r WHERE b.break_id = r.break_id",
        lambda batch: batch.breaks_closed.values(),
    ),
)  # fmt: skip
"""What writes each table, in order."""

_WRITE_CREDIT: Final = (
    _upsert("credit", "account_id, asset", _CREDIT) + b" RETURNING account_id, asset, balance_e8, reserved_e8"
)
_MOVE: Final = b"""
UPDATE view.tape_positions p SET next_offset = r.next_offset, epoch = r.epoch, sequence = r.sequence
FROM json_to_recordset(%s::json)
    AS r(topic text, partition integer, from_offset bigint, next_offset bigint, epoch bigint, sequence bigint)
WHERE p.topic = r.topic AND p.partition = r.partition AND p.next_offset = r.from_offset
"""
_KNOWN_ORDERS: Final = b"""
SELECT order_id, status, filled_e8, quote_filled_e8::text, ended_reason, updated_at_us
FROM view.orders WHERE order_id = ANY(%s)
"""


@dataclass(slots=True)
class Reached:
    """How far the rows go on one partition: the next offset, and the reader's place before it."""

    next_offset: int
    place: Place


@dataclass(slots=True)
class Credit:
    """What risk counts with for one account and asset."""

    account_id: str
    asset: str
    balance_e8: int
    reserved_e8: int


class Move(NamedTuple):
    """What a batch does to one partition's position: it must stand at from_offset before."""

    part: Part
    from_offset: int
    next_offset: int
    place: Place


class Store(Protocol):
    """The database session of the active projector.

    Every call raises psycopg.OperationalError when the session is lost or the server cannot do it now: whether a
    `write` took place is then not known, and the positions of the next session tell. What the tables themselves
    refuse raises another psycopg.Error, and nothing was written.
    """

    def open(self, parts: Iterable[Part]) -> bool:
        """Connect and migrate; False when another projector is active. Raises SetupError when nobody answers."""

    def reached(self) -> dict[Part, Reached]:
        """How far the rows go, on each partition."""

    def known_orders(self, messages: Iterable[Any]) -> dict[str, OrderRow]:
        """The rows of all orders that these records change, as the database has them."""

    def write(self, batch: Batch, moves: list[Move]) -> list[Credit]:
        """Write a batch and move the positions; returns the credit rows that changed.

        Raises TapeError when somebody else moved a position: then nothing is written.
        """

    def everything(self) -> tuple[list[Credit], dict[Part, int]]:
        """Every credit row and all positions, in one cut: to fill the hot keys again."""

    def close(self) -> None:
        """End the session and its lock."""


@dataclass
class PostgresStore:
    """The `Store` on PostgreSQL: of the active projector, or of a rebuild that fills another schema beside it."""

    dsn: str
    schema: str = SCHEMA
    lock: int = PROJECTOR_LOCK
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self._statements = [(in_schema(text, self.schema), rows) for text, rows in STATEMENTS]
        self._write_credit = in_schema(_WRITE_CREDIT, self.schema)
        self._move = in_schema(_MOVE, self.schema)
        self._known_orders = in_schema(_KNOWN_ORDERS, self.schema)

    def open(self, parts: Iterable[Part]) -> bool:
        try:
            self.connection = psycopg.connect(self.dsn, autocommit=True, connect_timeout=5)
        except psycopg.OperationalError as error:
            raise SetupError(f"PostgreSQL does not answer: {str(error).strip()}; see TRUETAPE_POSTGRES") from error
        try:
            active = self._prepare(parts)
        except BaseException:
            self.close()  # A session that is left behind would keep the lock.
            raise
        if not active:
            self.close()
        return active

    def _prepare(self, parts: Iterable[Part]) -> bool:
        row = self.connection.execute("SELECT pg_try_advisory_lock(%s)", (self.lock,)).fetchone()
        if not (row and row[0]):
            return False
        migrate(self.connection, self.schema)
        self.connection.execute("SET synchronous_commit = off")  # A lost view is replayed, positions go with rows.
        with self.connection.cursor() as cursor:
            insert = b"INSERT INTO view.tape_positions VALUES (%s, %s, 0, 0, 0) ON CONFLICT DO NOTHING"
            cursor.executemany(in_schema(insert, self.schema), list(parts))
        return True

    def reached(self) -> dict[Part, Reached]:
        query = b"SELECT topic, partition, next_offset, epoch, sequence FROM view.tape_positions"
        rows = self.connection.execute(in_schema(query, self.schema)).fetchall()
        return {
            Part(topic, partition): Reached(next_offset, Place(epoch, sequence))
            for topic, partition, next_offset, epoch, sequence in rows
        }

    def known_orders(self, messages: Iterable[Any]) -> dict[str, OrderRow]:
        wanted = orders_needed(messages)
        if not wanted:
            return {}
        rows = self.connection.execute(self._known_orders, (wanted,)).fetchall()
        return {
            order_id: OrderRow(order_id, status, filled_e8, int(quote_filled), ended_reason, updated_at_us)
            for order_id, status, filled_e8, quote_filled, ended_reason, updated_at_us in rows
        }

    def write(self, batch: Batch, moves: list[Move]) -> list[Credit]:
        credit = [
            {"account_id": account_id, "asset": asset, "balance_e8": str(balance_e8), "reserved_e8": str(reserved_e8)}
            for (account_id, asset), (balance_e8, reserved_e8) in sorted(batch.credit.items())
        ]
        with self.connection.transaction():
            with self.connection.pipeline():
                moved = self.connection.execute(self._move, (encode(map(_move, moves)),))
                for statement, rows in self._statements:
                    if found := list(rows(batch)):
                        self.connection.execute(statement, (encode(found),))
                changed = self.connection.execute(self._write_credit, (encode(credit),)) if credit else None
            if moved.rowcount != len(moves):
                raise TapeError("another projector moved a position of the view; is one running without its lock?")
            found_credit = changed.fetchall() if changed is not None else []
        return [Credit(account_id, asset, int(balance), int(held)) for account_id, asset, balance, held in found_credit]

    def everything(self) -> tuple[list[Credit], dict[Part, int]]:
        query = in_schema(b"SELECT account_id, asset, balance_e8, reserved_e8 FROM view.credit", self.schema)
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            credit = [
                Credit(account_id, asset, int(balance), int(held))
                for account_id, asset, balance, held in self.connection.execute(query)
            ]
            return credit, {part: reached.next_offset for part, reached in self.reached().items()}

    def close(self) -> None:
        self.connection.close()


def _move(move: Move) -> dict[str, Any]:
    return {
        "topic": move.part.topic, "partition": move.part.partition, "from_offset": move.from_offset,
        "next_offset": move.next_offset, "epoch": move.place.epoch, "sequence": move.place.sequence,
    }  # fmt: skip
