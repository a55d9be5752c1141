"""What a view must hold, computed again from the tape alone at the view's own positions, and what it holds.

A service that keeps a view names a function in the entry points group `truetape.views`. The function opens the view
and returns its rows in one consistent read with its positions; everything else is here, so the audit depends on no
code that filled the view.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from truetape import messages as m
from truetape.audit.archive import Archive
from truetape.audit.difference import NOTHING, Difference, paths
from truetape.audit.merge import Given
from truetape.orders import TERMINAL, advance
from truetape.settings import Settings
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS


class Row(NamedTuple):
    """One fact that a view holds: amounts by name under a table and a key.

    balances   (ledger account, asset, partition)   amount_e8
    lines      (ledger account, asset)              amount_e8, summed over all entries
    positions  (account id, instrument id)          quantity_e8, cost_e8, realised_e8
    credit     (account id, asset)                  balance_e8, reserved_e8
    fills      (account id)                         count, quantity_e8, quote_amount_e8, fee_e8, summed
    orders     (order id)                           account_id, status, filled_e8; decided ones only
    """

    table: str
    key: tuple[str, ...]
    values: dict[str, Any]


class View(Protocol):
    """A view, opened: positions and rows belong together."""

    name: str

    @property
    def positions(self) -> Mapping[str, int]:
        """Next offset of each partition that the view will apply, by "topic/partition"."""

    def rows(self) -> Iterator[Row]:
        """Every row, each once, in any order."""


OpenView = Callable[[Settings], AbstractContextManager[View]]
"""Raises TruetapeError when the view cannot be read."""


class Shown(Struct, array_like=True):
    """An order as a view shows it."""

    account_id: str = ""
    status: m.OrderStatus = "PENDING"
    filled_e8: int = 0
    decided: bool = False


class Expected:
    """The rows that a view must hold at its positions, over all partitions."""

    def __init__(self, positions: Mapping[str, int]) -> None:
        self._positions = positions
        self._tables: dict[str, dict[tuple[str, ...], dict[str, int]]] = {}
        self._orders: Archive[Shown] = Archive(Shown)
        self.rows = 0
        """Rows of the view that were compared."""

    def take(self, given: Given) -> None:
        """One accepted record; those that the view has not reached are passed over."""
        if given.offset >= self._positions.get(str(given.part), 0):
            return
        event = given.message
        if given.part.topic == CLEARING_ENTRIES.name and isinstance(event, m.EntryBooked):
            self._book(event, given.part.partition)
        elif given.part.topic == ORDERS_DECISIONS.name:
            self._credit(event)
            self._order(event)
        elif given.part.topic == ORDERS_EXECUTIONS.name:
            self._order(event)

    def _add(self, table: str, key: tuple[str, ...], **amounts: int) -> None:
        row = self._tables.setdefault(table, {}).setdefault(key, dict.fromkeys(amounts, 0))
        for name, amount in amounts.items():
            row[name] += amount

    def _book(self, entry: m.EntryBooked, partition: int) -> None:
        for line in entry.lines:
            self._add("balances", (line.account, line.asset, str(partition)), amount_e8=line.amount_e8)
            self._add("lines", (line.account, line.asset), amount_e8=line.amount_e8)
        if (after := entry.position) is not None:
            key = (entry.account_id, after.instrument_id)
            row = {"quantity_e8": after.quantity_e8, "cost_e8": after.cost_e8, "realised_e8": after.realised_e8}
            self._tables.setdefault("positions", {})[key] = row

    def _credit(self, event: Any) -> None:
        match event:
            case m.OrderAccepted():
                key = (event.order.account_id, event.reserved_asset)
                self._add("credit", key, balance_e8=0, reserved_e8=event.reserved_e8)
            case m.LegAssessed():
                self._add(
                    "credit", (event.account_id, event.reserved_asset), balance_e8=0, reserved_e8=event.reserved_e8
                )
            case m.ReservationReleased() | m.LegReleased():
                self._add("credit", (event.account_id, event.asset), balance_e8=0, reserved_e8=-event.released_e8)
            case m.TransferApproved(transfer=terms) if terms.amount_e8 < 0:
                self._add("credit", (terms.account_id, terms.asset), balance_e8=0, reserved_e8=-terms.amount_e8)
            case m.CreditUpdated():
                for change in event.changes:
                    self._add("credit", (event.account_id, change.asset), balance_e8=change.amount_e8, reserved_e8=0)
                used = (event.account_id, event.released_asset)
                self._add("credit", used, balance_e8=0, reserved_e8=-event.released_e8)

    def _order(self, event: Any) -> None:
        if not isinstance(event, _MOVES):
            return
        order_id = event.order.order_id if hasattr(event, "order") else event.order_id
        order = self._orders.get(order_id)
        if order is None:
            order = Shown()
            self._orders.put(order_id, order)
        order.account_id = event.order.account_id if hasattr(event, "order") else event.account_id
        order.decided |= isinstance(event, m.OrderAccepted | m.OrderRejected)
        order.status = advance(order.status, event, order.filled_e8 > 0)
        if isinstance(event, m.OrderFilled):
            order.filled_e8 += event.quantity_e8
            self._add(
                "fills", (event.account_id,), count=1, quantity_e8=event.quantity_e8,
                quote_amount_e8=event.quote_amount_e8, fee_e8=event.fee_e8,
            )  # fmt: skip
        if order.status in TERMINAL and order.decided:
            self._orders.close(order_id)

    def differences(self, view: View) -> Iterator[Difference]:
        """Every row in which the view differs. Uses up what is expected."""
        for row in view.rows():
            self.rows += 1
            yield from self._compare(view, row.table, row.key, self._pop(row), row.values)
        for order_id, order in self._orders.items():
            if order.decided:
                yield from self._compare(view, "orders", (order_id,), plain(order), None)
        for table, rows in self._tables.items():
            for key, values in rows.items():
                yield from self._compare(view, table, key, values, None)
        self._orders.end()

    def _pop(self, row: Row) -> dict[str, Any] | None:
        if row.table != "orders":
            return self._tables.get(row.table, {}).pop(row.key, None)
        order = self._orders.pop(row.key[0])
        return plain(order) if order is not None else None

    def _compare(
        self, view: View, table: str, key: tuple[str, ...], tape: dict[str, Any] | None, held: dict[str, Any] | None
    ) -> Iterator[Difference]:
        """Rows of nothing but zeros are as good as none."""
        if not any(values and any(values.values()) for values in (tape, held)):
            return
        account = next((v["account_id"] for v in (tape, held) if v and "account_id" in v), key[0])
        account = account.removeprefix("client:")
        where, name = f"{view.name} {table}", " ".join(key)
        if tape is None or held is None:
            yield Difference("view", where, account, f"row {name}", str(tape or NOTHING), str(held or NOTHING))
            return
        for path, ours, theirs in paths(tape, held):
            yield Difference("view", where, account, f"row {name}: {path}", ours, theirs)


_MOVES = (
    m.OrderAccepted, m.OrderRejected, m.OrderRouted, m.OrderNotRouted, m.OrderAcknowledged, m.OutcomeUnknown,
    m.OrderFilled, m.OrderCancelled, m.OrderExpired, m.OrderRejectedByVenue,
)  # fmt: skip


def plain(order: Shown) -> dict[str, Any]:
    """An order as the values of its row."""
    return {"account_id": order.account_id, "status": order.status, "filled_e8": order.filled_e8}
