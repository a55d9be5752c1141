"""Admin endpoints, for tests and for funding: faults, deposits, ground truth. Bearer token, off without one."""

import hmac
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from truetape.errors import MoneyError
from truetape.money import to_e8
from venues import payloads
from venues.accounts import Account
from venues.faults import Rule
from venues.orders import NewOrder, OrderType
from venues.rejects import Reject
from venues.rest import CONTENT_TYPE, encode, read_body, refuse
from venues.sessions import Session
from venues.symbols import decimal
from venues.venue import Venue


class Transfer(Struct, forbid_unknown_fields=True):
    """A deposit or withdrawal; the same reference is booked once."""

    asset: str
    amount: str
    reference: str


class Adjustment(Struct, forbid_unknown_fields=True):
    """A planted change of a balance; silent unless told otherwise."""

    asset: str
    amount: str
    silent: bool = True


class OutsideTrade(Struct, forbid_unknown_fields=True):
    """An order of the account that its owner did not send; a market order without a price."""

    symbol: str
    side: str
    quantity: str
    price: str | None = None
    client_order_id: str = ""


class Disconnect(Struct, forbid_unknown_fields=True):
    """Which websockets to cut: user (with a user data subscription), market, api or all."""

    streams: str = "all"


class AdminServer:
    """Answers /admin/... for whoever holds the token."""

    def __init__(self, venue: Venue, sessions: Callable[[str], list[Session]]) -> None:
        self.venue = venue
        self.sessions = sessions

    async def answer(self, request: web.BaseRequest, path: str) -> web.Response:
        """One request. Without a token set, or with a wrong one, nothing is here."""
        try:
            self._authorize(request)
            body = "" if request.method == "GET" else await read_body(request)
            result = self._run(request, request.method, path.strip("/").split("/")[1:], body)
        except Reject as reject:
            return refuse(reject)
        except MoneyError as error:
            return refuse(Reject(-1102, str(error)))
        except msgspec.DecodeError as error:
            return refuse(Reject(-1135, f"Invalid JSON Request: {error}"))
        finally:
            self.venue.flush()
        return web.Response(body=encode(result), headers={"Content-Type": CONTENT_TYPE})

    def _authorize(self, request: web.BaseRequest) -> None:
        token = self.venue.admin_token
        if not token:
            raise Reject(-1020, "Admin endpoints are off: TRUETAPE_VENUE_ADMIN_TOKEN is not set.", status=404)
        given = request.headers.get("Authorization", "")
        expected = f"Bearer {token}"
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
            raise Reject(-1002, "You are not authorized to execute this request.")

    def _run(self, request: web.BaseRequest, method: str, parts: list[str], body: str) -> Any:
        match (method, *parts):
            case ("GET", "faults"):
                return self.venue.faults.rules
            case ("POST", "faults"):
                return self._add_faults(body)
            case ("DELETE", "faults"):
                self.venue.faults.clear()
                return {}
            case ("POST", "disconnect"):
                return self._disconnect(msgspec.json.decode(body or "{}", type=Disconnect))
            case ("GET", "received"):
                return [{"client_order_id": name, "received_us": time_us} for name, time_us in self.venue.received]
            case ("GET", "accounts"):
                return self._overview()
            case ("GET", "trades"):
                return self._trades(request)
            case (_, "accounts", name, *rest):
                return self._account(method, self._find(name), rest, body)
        raise Reject(-1020, "This operation is not supported.", status=404)

    def _account(self, method: str, account: Account, rest: list[str], body: str) -> Any:
        match (method, *rest):
            case ("GET",):
                return self._balances(account)
            case ("POST", "deposit"):
                return self._transfer(account, msgspec.json.decode(body, type=Transfer), 1)
            case ("POST", "withdraw"):
                return self._transfer(account, msgspec.json.decode(body, type=Transfer), -1)
            case ("POST", "adjust"):
                change = msgspec.json.decode(body, type=Adjustment)
                self._check_asset(change.asset)
                self.venue.exchange.adjust(
                    account, change.asset, to_e8(change.amount), self._now_ms(), silent=change.silent
                )
                return self._balances(account)
            case ("POST", "trade-outside"):
                return self._trade_outside(account, msgspec.json.decode(body, type=OutsideTrade))
        raise Reject(-1020, "This operation is not supported.", status=404)

    def _add_faults(self, body: str) -> Any:
        rules = msgspec.json.decode(body, type=Rule | list[Rule])
        chosen = rules if isinstance(rules, list) else [rules]
        return {"rule_ids": [self.venue.faults.add(rule) for rule in chosen]}

    def _disconnect(self, request: Disconnect) -> Any:
        if request.streams not in ("user", "market", "api", "all"):
            raise Reject(-1130, "streams must be user, market, api or all")
        sessions = self.sessions(request.streams)
        for session in sessions:
            session.abort()
        return {"disconnected": len(sessions)}

    def _transfer(self, account: Account, transfer: Transfer, sign: int) -> Any:
        self._check_asset(transfer.asset)
        amount_e8 = to_e8(transfer.amount)
        if amount_e8 <= 0 or not transfer.reference:
            raise Reject(-1102, "amount must be positive and reference not empty")
        applied = self.venue.exchange.transfer(
            account, transfer.asset, sign * amount_e8, transfer.reference, self._now_ms()
        )
        return {"applied": applied, **self._balances(account)}

    def _trade_outside(self, account: Account, trade: OutsideTrade) -> Any:
        symbol = self.venue.exchange.market(trade.symbol).symbol
        if trade.side not in ("BUY", "SELL"):
            raise Reject(-1117, "Invalid side.")
        order_type: OrderType = "MARKET" if trade.price is None else "LIMIT"
        quantity_e8, price_e8 = to_e8(trade.quantity), to_e8(trade.price or "0")
        symbol.check_quantity(quantity_e8)
        if trade.price is not None:
            symbol.check_price(price_e8)
        request = NewOrder(
            symbol,
            "BUY" if trade.side == "BUY" else "SELL",
            order_type,
            price_e8=price_e8,
            quantity_e8=quantity_e8,
            client_order_id=trade.client_order_id,
        )
        placed = self.venue.exchange.place(account, request, self._now_ms())
        return payloads.order_full(placed.order, placed.fills, placed.prevented)

    def _overview(self) -> Any:
        exchange = self.venue.exchange
        totals, external = exchange.totals(), exchange.external
        return {
            "accounts": [self._balances(account) for account in exchange.by_id.values()],
            "totals": {asset: decimal(amount_e8) for asset, amount_e8 in sorted(totals.items())},
            "external": {asset: decimal(amount_e8) for asset, amount_e8 in sorted(external.items())},
            "conserved": all(totals.get(asset, 0) == external.get(asset, 0) for asset in {*totals, *external}),
        }

    def _balances(self, account: Account) -> dict[str, Any]:
        return {
            "account": account.name,
            "balances": [
                {
                    "asset": asset,
                    "free": decimal(account.free.get(asset, 0)),
                    "locked": decimal(account.locked.get(asset, 0)),
                }
                for asset in account.assets()
            ],
        }

    def _trades(self, request: web.BaseRequest) -> Any:
        account = self._find(request.query.get("account", ""))
        registry = self.venue.exchange.registry
        return [
            {
                **payloads.own_trade(fill),
                "clientOrderId": order.client_order_id if (order := registry.orders.get(fill.order_id)) else "",
            }
            for name in self.venue.symbols
            for fill in registry.fills_of(account, name)
        ]

    def _find(self, name: str) -> Account:
        account = self.venue.exchange.accounts.get(name)
        if account is None:
            raise Reject(-1130, f"No account {name[:40]!r}; accounts come from TRUETAPE_VENUE_KEYS.", status=404)
        return account

    def _check_asset(self, asset: str) -> None:
        known = {"BNB"}
        for symbol in self.venue.symbols.values():
            known |= {symbol.base, symbol.quote}
        if asset not in known:
            raise Reject(-1130, f"No asset {asset[:20]!r}; there are {', '.join(sorted(known))}.")

    def _now_ms(self) -> int:
        return self.venue.now_us() // 1_000
