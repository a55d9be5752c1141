"""Where the exchange finds orders and fills again: by id, by client order id, by account and symbol.

Closed orders and fills are kept up to a bound, the oldest leave first; a query for one that left answers
-2026. Open orders never leave.
"""

from bisect import bisect_left
from collections import deque

from truetape.money import ONE_E8
from venues.accounts import Account
from venues.orders import OPEN, ClientOrder, Fill
from venues.rejects import Reject, no_such_order

Owner = tuple[int, str]
"""(account id, symbol name)"""


class Registry:
    """Orders and fills of all clients. `history` bounds the closed orders, and the fills per owner."""

    def __init__(self, history: int) -> None:
        self.history = history
        self.orders: dict[int, ClientOrder] = {}
        self.open: dict[Owner, dict[int, ClientOrder]] = {}
        self.fills: dict[Owner, list[Fill]] = {}
        self._latest: dict[Owner, ClientOrder] = {}
        self._by_owner: dict[Owner, list[ClientOrder]] = {}
        self._closed: deque[ClientOrder] = deque()
        self._archived_id = 0
        self._archived_count = 0

    def add(self, order: ClientOrder) -> None:
        """Register an accepted order."""
        owner = (order.account.account_id, order.symbol.name)
        self.orders[order.order_id] = order
        self._latest[order.account.account_id, order.client_order_id] = order
        self._by_owner.setdefault(owner, []).append(order)
        self.open.setdefault(owner, {})[order.order_id] = order

    def close(self, order: ClientOrder) -> None:
        """Move an ended order to the history."""
        del self.open[order.account.account_id, order.symbol.name][order.order_id]
        self._closed.append(order)
        if len(self._closed) > self.history:
            self._archive(self._closed.popleft())

    def add_fill(self, account: Account, fill: Fill) -> None:
        """Keep a fill, in order of trade ids."""
        order = self.orders.get(fill.order_id)
        if order is not None:
            order.fills.append(fill)
        fills = self.fills.setdefault((account.account_id, fill.symbol), [])
        fills.append(fill)
        if len(fills) > 2 * self.history:
            del fills[: self.history]

    def open_with(self, account: Account, client_order_id: str) -> ClientOrder | None:
        """The open order that uses a client order id."""
        order = self._latest.get((account.account_id, client_order_id))
        return order if order is not None and order.status in OPEN else None

    def find(
        self, account: Account, symbol: str, order_id: int | None, client_order_id: str | None
    ) -> ClientOrder | None:
        """The order by its id or, the newest one, by its client order id; both given must agree."""
        if order_id is None:
            order = self._latest.get((account.account_id, client_order_id or ""))
        else:
            order = self.orders.get(order_id)
        if order is None or order.account is not account or order.symbol.name != symbol:
            return None
        if client_order_id is not None and order.client_order_id != client_order_id:
            return None
        return order

    def query(self, account: Account, symbol: str, order_id: int | None, client_order_id: str | None) -> ClientOrder:
        """As `find`; raises -2013, or -2026 for an order so old that it left the history."""
        order = self.find(account, symbol, order_id, client_order_id)
        if order is not None:
            return order
        if order_id is not None and order_id not in self.orders and order_id <= self._archived_id:
            raise Reject(-2026, "Order was archived: it left the history of closed orders.")
        raise no_such_order()

    def of(self, account: Account, symbol: str, since_id: int = 0) -> list[ClientOrder]:
        """All orders of an account on a symbol from an id on, oldest first; not to be changed."""
        orders = self._by_owner.get((account.account_id, symbol), [])
        start = bisect_left(orders, since_id, key=lambda order: order.order_id)
        return orders[start:] if start else orders

    def fills_of(self, account: Account, symbol: str, since_id: int = 0) -> list[Fill]:
        """All fills of an account on a symbol from a trade id on, oldest first; not to be changed."""
        fills = self.fills.get((account.account_id, symbol), [])
        start = bisect_left(fills, since_id, key=lambda fill: fill.trade_id)
        return fills[start:] if start else fills

    def committed(self, account: Account) -> dict[str, int]:
        """What the open orders of an account lock, by asset: the ledger's `locked` must equal it."""
        locked: dict[str, int] = {}
        for (account_id, _), orders in self.open.items():
            if account_id == account.account_id:
                for order in orders.values():
                    locked[order.lock_asset] = locked.get(order.lock_asset, 0) + order.locked_e8
        return locked

    def _archive(self, order: ClientOrder) -> None:
        del self.orders[order.order_id]
        key = (order.account.account_id, order.client_order_id)
        if self._latest.get(key) is order:
            del self._latest[key]
        self._archived_id = max(self._archived_id, order.order_id)
        self._archived_count += 1
        if self._archived_count >= max(1, self.history // 10):
            # Lists are thinned out now and then: taking each order out at once would copy the list each time.
            self._archived_count = 0
            for owner, orders in self._by_owner.items():
                self._by_owner[owner] = [kept for kept in orders if kept.order_id in self.orders]


def cost(price_e8: int, quantity_e8: int) -> int:
    """Price times quantity; exact, since a symbol's tick times lot is a multiple of 1e-8."""
    return price_e8 * quantity_e8 // ONE_E8
