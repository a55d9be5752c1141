"""The schema `view` in memory: what a batch does to its tables, and what may be asked of them.

services/gateway/projection/store.py says the same in SQL; store_contract.py runs the same cases against both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.gateway.projection.rows import Batch, OrderRow, Row, columns
from services.gateway.projection.store import Credit, Move, Reached
from truetape.errors import TapeError
from truetape.happenings import Part
from truetape.tape import START

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass
class SimTables:
    """Rows by primary key. A row that was written is never changed, only replaced."""

    positions: dict[Part, Reached] = field(default_factory=dict)
    events: dict[Place, Row] = field(default_factory=dict)
    order_events: dict[tuple[str, Place], None] = field(default_factory=dict)
    orders: dict[str, Row] = field(default_factory=dict)
    fills: dict[str, Row] = field(default_factory=dict)
    entries: dict[tuple[int, int], Row] = field(default_factory=dict)
    lines: dict[tuple[int, int], list[Row]] = field(default_factory=dict)
    """Both by partition and offset of the entry."""
    balances: dict[tuple[str, str, int], int] = field(default_factory=dict)
    credit: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    holdings: dict[tuple[str, str], Row] = field(default_factory=dict)
    """The table `positions`, by account and instrument."""
    transfers: dict[str, Row] = field(default_factory=dict)
    instruments: dict[str, Row] = field(default_factory=dict)
    accounts: dict[str, Row] = field(default_factory=dict)
    marks: dict[str, Row] = field(default_factory=dict)
    reconciliations: dict[int, Row] = field(default_factory=dict)
    breaks: dict[str, Row] = field(default_factory=dict)
    restrictions: dict[tuple[str, str], str] = field(default_factory=dict)

    def begin(self, parts: Iterable[Part]) -> None:
        """Partitions that have no position yet start at zero."""
        for part in parts:
            self.positions.setdefault(part, Reached(0, START))

    def known(self, order_ids: Iterable[str]) -> dict[str, OrderRow]:
        """The folded part of these orders' rows."""
        found = {}
        for order_id in order_ids:
            if (row := self.orders.get(order_id)) is not None:
                found[order_id] = OrderRow(
                    order_id, row["status"], row["filled_e8"], int(row["quote_filled_e8"]), row["ended_reason"],
                    row["updated_at_us"],
                )  # fmt: skip
        return found

    def all_credit(self) -> list[Credit]:
        """Every credit row."""
        return [Credit(*key, *amounts) for key, amounts in self.credit.items()]

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, batch: Batch, moves: Iterable[Move]) -> list[Credit]:
        """One transaction: all of it, or an error and nothing."""
        moves = list(moves)
        self._check_moves(moves)
        self._check_keys(batch)
        self._check_entries(batch)
        for move in moves:
            self.positions[move.part] = Reached(move.next_offset, move.place)
        self._add_journal(batch)
        self._put_states(batch)
        return self._add_sums(batch)

    def _check_moves(self, moves: list[Move]) -> None:
        for move in moves:
            stands = self.positions.get(move.part)
            if stands is None or stands.next_offset != move.from_offset:
                raise TapeError("another projector moved a position of the view; is one running without its lock?")

    def _check_keys(self, batch: Batch) -> None:
        """Primary keys, also within the batch."""
        for table, rows, key in (
            (self.events, batch.events, place_of),
            (self.order_events, batch.order_events, lambda row: (row["order_id"], place_of(row))),
            (self.fills, batch.fills, lambda row: row["execution_id"]),
            (self.entries, batch.entries, entry_of),
            (self.reconciliations, batch.reconciliations, lambda row: row["offset"]),
        ):
            keys = {key(row) for row in rows}
            if len(keys) < len(rows) or any(key in table for key in keys):
                raise psycopg.errors.UniqueViolation("duplicate key value violates unique constraint")

    @staticmethod
    def _check_entries(batch: Batch) -> None:
        sums: dict[tuple[tuple[int, int], str, str], int] = {}
        for line in batch.lines:
            key = entry_of(line), line["entry_id"], line["asset"]
            sums[key] = sums.get(key, 0) + line["amount_e8"]
        for (_, entry_id, asset), total in sums.items():
            if total:
                raise psycopg.errors.IntegrityConstraintViolation(
                    f"lines of entry {entry_id} do not sum to zero in {asset}"
                )

    def _add_journal(self, batch: Batch) -> None:
        """What is only ever inserted."""
        self.events.update((place_of(row), row) for row in batch.events)
        self.order_events.update(((row["order_id"], place_of(row)), None) for row in batch.order_events)
        self.fills.update((row["execution_id"], row) for row in batch.fills)
        self.entries.update((entry_of(row), row) for row in batch.entries)
        for line in batch.lines:
            self.lines.setdefault(entry_of(line), []).append(line)
        self.reconciliations.update((row["offset"], row) for row in batch.reconciliations)

    def _put_states(self, batch: Batch) -> None:
        """Where the newest row counts."""
        for order_id, order in batch.orders.items():
            self.orders[order_id] = self.orders.get(order_id, _NO_DECISION) | _said(columns(order), _FOLDED)
        for account_id, row in batch.accounts.items():
            self.accounts[account_id] = self.accounts.get(account_id, _NO_ACCOUNT) | _said(row)
        self.holdings.update(batch.positions)
        self.transfers.update(batch.transfers)
        self.instruments.update(batch.instruments)
        self.marks.update(batch.marks)
        self.breaks.update(batch.breaks)
        self.restrictions.update(batch.restrictions)
        for break_id, end in batch.breaks_closed.items():
            if break_id in self.breaks:
                self.breaks[break_id] = self.breaks[break_id] | end

    def _add_sums(self, batch: Batch) -> list[Credit]:
        for key, change_e8 in batch.balances.items():
            self.balances[key] = self.balances.get(key, 0) + change_e8
        for account, (balance_e8, reserved_e8) in batch.credit.items():
            before = self.credit.get(account, (0, 0))
            self.credit[account] = (before[0] + balance_e8, before[1] + reserved_e8)
        return [Credit(*account, *self.credit[account]) for account in sorted(batch.credit)]

    # -- what others compare ---------------------------------------------------------------------------------

    def view_rows(self) -> dict[str, dict[str, Any]]:
        """As services.gateway.views.view_rows."""
        found: dict[str, dict[str, Any]] = {}

        def of(account_id: str) -> dict[str, Any]:
            return found.setdefault(account_id, {"orders": {}, "balances": {}, "credit": {}, "positions": {}})

        for order_id, row in self.orders.items():
            if row["decision_offset"] is not None:
                shown = {"status": row["status"], "filled_e8": row["filled_e8"]}
                of(row["account_id"])["orders"][order_id] = shown
        for (account, asset), amount_e8 in self._client_balances().items():
            if amount_e8:
                of(account.removeprefix("client:"))["balances"][asset] = amount_e8
        for (account_id, asset), (balance_e8, reserved_e8) in self.credit.items():
            if balance_e8 or reserved_e8:
                of(account_id)["credit"][asset] = {"balance_e8": balance_e8, "reserved_e8": reserved_e8}
        for (account_id, instrument_id), row in self.holdings.items():
            held = {name: row[name] for name in ("quantity_e8", "cost_e8", "realised_e8")}
            of(account_id)["positions"][instrument_id] = held
        return found

    def _client_balances(self) -> dict[tuple[str, str], int]:
        sums: dict[tuple[str, str], int] = {}
        for (account, asset, _), amount_e8 in self.balances.items():
            if account.startswith("client:"):
                sums[account, asset] = sums.get((account, asset), 0) + amount_e8
        return sums

    def ledger_rows(self) -> dict[int, dict[str, dict[str, int]]]:
        """As services.gateway.views.ledger_rows."""
        found: dict[int, dict[str, dict[str, int]]] = {}
        for (account, asset, partition), amount_e8 in self.balances.items():
            if amount_e8:
                found.setdefault(partition, {}).setdefault(account, {})[asset] = amount_e8
        return found


_FOLDED = frozenset({"status", "filled_e8", "quote_filled_e8", "ended_reason", "updated_at_us"})
_NO_DECISION: Row = dict.fromkeys(
    (
        "account_id", "partition", "client_order_id", "instrument_id", "side", "order_type", "time_in_force",
        "post_only", "quantity_e8", "price_e8", "position_effect", "accepted", "reason", "numbers", "decision_offset",
        "decision_event_id", "decided_at_us", "limit_price_e8", "reserved_asset", "reserved_e8",
    )
)  # fmt: skip
_NO_ACCOUNT: Row = dict.fromkeys(("name", "limits", "fees", "trading_state"))


def _said(row: Row, always: frozenset[str] = frozenset()) -> Row:
    """What a row says; nothing is said by NULL, but where it always counts."""
    return {name: value for name, value in row.items() if value is not None or name in always}


def entry_of(row: Row) -> tuple[int, int]:
    """Partition and offset of an entry, or of a line's entry."""
    return row["partition"], row["offset"]


def place_of(row: Row) -> Place:
    """Where a record stands."""
    return row["topic"], row["partition"], row["offset"]
