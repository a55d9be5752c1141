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
    """One fact that a view holds.

    table `balances`: key = ledger account and asset, values {amount_e8};
    table `positions`: key = account id and instrument id, values {quantity_e8, cost_e8, realised_e8};
    table `orders`: key = order id, values {account_id, status, filled_e8};
    table `fills`: key = account id, values {count}.
    """

    table: str
    key: tuple[str, ...]
    values: dict[str, Any]


class View(Protocol):
    """A view, opened: positions and rows belong together."""

    name: str
    positions: Mapping[str, int]
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


class Expected:
    """The rows that a view must hold at its positions, over all partitions."""

    def __init__(self, positions: Mapping[str, int]) -> None:
        self._positions = positions
        self._tables: dict[str, dict[tuple[str, ...], dict[str, int]]] = {"balances": {}, "positions": {}, "fills": {}}
        self._orders: Archive[Shown] = Archive(Shown)
        self.rows = 0
        """Rows of the view that were compared."""

    def take(self, given: Given) -> None:
        """One accepted record; those that the view has not reached are passed over."""
        if given.offset >= self._positions.get(str(given.part), 0):
            return
        if given.part.topic == CLEARING_ENTRIES.name:
            if isinstance(given.message, m.EntryBooked):
                self._book(given.message)
        elif given.part.topic in (ORDERS_DECISIONS.name, ORDERS_EXECUTIONS.name):
            self._order(given.message)

    def _book(self, entry: m.EntryBooked) -> None:
        for line in entry.lines:
            row = self._tables["balances"].setdefault((line.account, line.asset), {"amount_e8": 0})
            row["amount_e8"] += line.amount_e8
        if (after := entry.position) is not None:
            self._tables["positions"][entry.account_id, after.instrument_id] = {
                "quantity_e8": after.quantity_e8, "cost_e8": after.cost_e8, "realised_e8": after.realised_e8,
            }  # fmt: skip

    def _order(self, event: Any) -> None:
        order_id = getattr(event, "order_id", None) or getattr(getattr(event, "order", None), "order_id", None)
        if order_id is None or isinstance(event, m.CreditUpdated | m.DecisionRepeated | m.CancelRefused):
            return
        order = self._orders.get(order_id)
        if order is None:
            order = Shown()
            self._orders.put(order_id, order)
        order.account_id = event.order.account_id if hasattr(event, "order") else event.account_id
        order.status = advance(order.status, event, order.filled_e8 > 0)
        if isinstance(event, m.OrderFilled):
            order.filled_e8 += event.quantity_e8
            self._tables["fills"].setdefault((event.account_id,), {"count": 0})["count"] += 1
        if order.status in TERMINAL:
            self._orders.close(order_id)

    def differences(self, view: View) -> Iterator[Difference]:
        """Every row in which the view differs. Uses up what is expected."""
        for row in view.rows():
            self.rows += 1
            yield from self._compare(view, row.table, row.key, self._pop(row), row.values)
        for order_id, order in self._orders.items():
            yield from self._compare(view, "orders", (order_id,), plain(order), None)
        for table, rows in self._tables.items():
            for key, values in rows.items():
                yield from self._compare(view, table, key, values, None)
        self._orders.end()

    def _pop(self, row: Row) -> dict[str, Any] | None:
        if row.table != "orders":
            return self._tables[row.table].pop(row.key, None)
        order = self._orders.pop(row.key[0])
        return plain(order) if order is not None else None

    def _compare(
        self, view: View, table: str, key: tuple[str, ...], tape: dict[str, Any] | None, held: dict[str, Any] | None
    ) -> Iterator[Difference]:
        """Rows of nothing but zeros are as good as none."""
        if not any(values and any(values.values()) for values in (tape, held)):
            return
        account = next((v["account_id"] for v in (tape, held) if v and "account_id" in v), key[0])
        where, name = f"{view.name} {table}", " ".join(key)
        if tape is None or held is None:
            yield Difference("view", where, account, f"row {name}", str(tape or NOTHING), str(held or NOTHING))
            return
        for path, ours, theirs in paths(tape, held):
            yield Difference("view", where, account, f"row {name}: {path}", ours, theirs)


def plain(order: Shown) -> dict[str, Any]:
    """An order as the values of its row."""
    return {"account_id": order.account_id, "status": order.status, "filled_e8": order.filled_e8}
