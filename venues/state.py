"""What a venue keeps over a restart, when it is given a file: accounts, orders, fills and transfers.

The file is written when the venue ends by a signal, in one piece; a venue that is killed loses what came
since it started. Order books of the house are not kept: its order flow builds them anew.
"""

import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from truetape.errors import SetupError
from venues.accounts import Account
from venues.exchange import Exchange
from venues.matching import Order
from venues.orders import OPEN, ClientOrder, Fill, NewOrder, Status

VERSION: Final = 1


class SavedAccount(Struct, frozen=True):
    """Balances of one account."""

    name: str
    free: dict[str, int]
    locked: dict[str, int]


class SavedOrder(Struct, frozen=True):
    """An order with its request, whose symbol is in `request.symbol`."""

    order_id: int
    account: str
    request: NewOrder
    client_order_id: str
    time_ms: int
    update_ms: int
    quantity_e8: int
    locked_e8: int
    executed_e8: int
    quote_executed_e8: int
    prevented_e8: int
    prevented_match_id: int
    status: Status


class Saved(Struct, frozen=True):
    """The whole file."""

    version: int
    accounts: list[SavedAccount]
    house: SavedAccount
    fees: SavedAccount
    orders: list[SavedOrder]
    fills: list[tuple[str, Fill]]
    transfers: dict[str, tuple[str, str, int]]
    external: dict[str, int]
    last_id: int


def saved(exchange: Exchange) -> Saved:
    """All that an exchange keeps, as it is now."""
    last_ids = [exchange.order_id, exchange.execution_id]
    for market in exchange.markets.values():
        last_ids += [market.book.trade_id, market.book.match_id, market.book.update_id]
    return Saved(
        VERSION,
        [_account(account) for account in exchange.accounts.values()],
        _account(exchange.house),
        _account(exchange.fees),
        [_order(order) for order in exchange.registry.orders.values()],
        [
            (exchange.by_id[account_id].name, fill)
            for (account_id, _), fills in exchange.registry.fills.items()
            for fill in fills
        ],
        exchange.transfers,
        exchange.external,
        max(last_ids),
    )


def save(exchange: Exchange, path: Path) -> None:
    """Write the file, replacing an older one. Raises SetupError when the disk refuses."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_bytes(msgspec.msgpack.encode(saved(exchange)))
        os.replace(beside, path)
    except OSError as error:
        raise SetupError(f"the state could not be written to {path}: {error.strerror}") from None


def load(path: Path) -> Saved | None:
    """Read the file, None when there is none. Raises SetupError when it is not understood, or has no folder."""
    if not os.access(path.parent, os.W_OK):
        raise SetupError(f"the state cannot be kept in {path}: make the folder {path.parent} and allow writing there")
    try:
        saved = msgspec.msgpack.decode(path.read_bytes(), type=Saved)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise SetupError(f"the state in {path} is not understood ({error}); move it away to begin anew") from None
    if saved.version != VERSION:
        raise SetupError(f"the state in {path} has version {saved.version}, not {VERSION}; move it away to begin anew")
    return saved


def restore(exchange: Exchange, saved: Saved) -> None:
    """Put what was saved into a new exchange; open orders rest again, in the order of their ids."""
    for account, entry in ((exchange.house, saved.house), (exchange.fees, saved.fees)):
        account.free, account.locked = dict(entry.free), dict(entry.locked)
    for entry in saved.accounts:
        account = exchange.open_account(entry.name)
        account.free, account.locked = dict(entry.free), dict(entry.locked)
    for order in sorted(saved.orders, key=lambda order: order.order_id):
        _restore_order(exchange, order)
    for name, fill in saved.fills:
        exchange.registry.add_fill(exchange.open_account(name), fill)
    exchange.transfers.update(saved.transfers)
    exchange.external.update(saved.external)


def _restore_order(exchange: Exchange, saved: SavedOrder) -> None:
    market = exchange.markets.get(saved.request.symbol.name)
    if market is None:
        raise SetupError(f"the saved state has orders on {saved.request.symbol.name}, which is not listed any more")
    fields = {name: getattr(saved, name) for name in SavedOrder.__struct_fields__ if name != "account"}
    order = ClientOrder(account=exchange.open_account(saved.account), **fields)
    exchange.registry.add(order)
    if order.status not in OPEN:
        exchange.registry.close(order)
        return
    open_e8 = order.quantity_e8 - order.executed_e8 - order.prevented_e8
    request = order.request
    post_only = request.type == "LIMIT_MAKER"
    resting = Order(
        order.order_id, order.account.account_id, request.side, request.price_e8, open_e8, post_only=post_only
    )
    market.book.submit(resting)


def _account(account: Account) -> SavedAccount:
    return SavedAccount(account.name, account.free, account.locked)


def _order(order: ClientOrder) -> SavedOrder:
    values = {name: getattr(order, name) for name in SavedOrder.__struct_fields__ if name != "account"}
    return SavedOrder(account=order.account.name, **values)
