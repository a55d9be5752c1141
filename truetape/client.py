"""A typed Python client of the gateway: retries safely, reads what it wrote, resumes its event stream.

    with Client("http://127.0.0.1:18080", key) as client:
        order = client.submit("BTC-USDT", "BUY", "0.01", price="60000")
        for event in client.events():
            ...

A submission always has a client order id, so it can be repeated: an unknown outcome, a lost connection or a 503 can
never make a second order. The client carries the position of every answer to its later reads.
"""

import random
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx
import msgspec

from truetape.api import (
    Balance,
    Cancelled,
    Entry,
    Event,
    Fill,
    Instrument,
    Mark,
    Order,
    Position,
    Submitted,
    Transfer,
)
from truetape.api_margin import Liquidation, MarginCall
from truetape.api_reports import Corrected, Fact, FactPublished, Margin, Statement
from truetape.api_trades import (
    Agreement,
    BilateralTrade,
    Compressed,
    Leg,
    LegAnswer,
    Move,
    PaymentInstructions,
    Trade,
    TradeHistory,
)
from truetape.errors import TruetapeError

__all__ = [
    "Balance",
    "Client",
    "ClientError",
    "Entry",
    "Event",
    "Fill",
    "Instrument",
    "Margin",
    "Mark",
    "Order",
    "Position",
    "Refused",
    "Statement",
    "StreamEvent",
    "Submitted",
    "Transfer",
    "Unreachable",
]  # fmt: skip

T = TypeVar("T")
RETRY_SECONDS: Final = 15.0
BACKOFF_SECONDS: Final = 0.05
BACKOFF_SECONDS_MAX: Final = 2.0
_AGAIN: Final = frozenset({429, 503, 504})
_POSITION: Final = re.compile(r"([a-z.]{1,40}/[0-9]{1,4})@([0-9]{1,18})")


class ClientError(TruetapeError):
    """The gateway refused, or could not be reached."""


class Refused(ClientError):
    """The gateway or risk refused the request: `code` is stable, `problem` is the whole document."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.status = int(problem.get("status", 0))
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(problem.get("detail", ""))
        self.numbers: dict[str, Any] = problem.get("numbers") or {}
        """The numbers that risk's refusal saw."""
        self.problem = dict(problem)
        super().__init__(f"{self.status} {self.code}: {self.detail}")


class Unreachable(ClientError):
    """No answer after all retries; repeat the call with the same id to learn what became of it."""


class StreamEvent(Event, frozen=True, kw_only=True):
    """An event of the stream."""

    stream_id: str
    """Its place in the stream; give it to `events` to go on after it."""


class Client:
    """One API key's view of the gateway. Thread-safe as httpx.Client is; positions are shared by all threads."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        retry_seconds: float = RETRY_SECONDS,
        timeout_seconds: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
            transport=transport,
        )
        self._retry_seconds = retry_seconds
        self._positions: dict[str, int] = {}

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # -- trading ---------------------------------------------------------------------------------------------

    def submit(
        self,
        instrument_id: str,
        side: str,
        quantity: str,
        *,
        price: str | None = None,
        time_in_force: str | None = None,
        post_only: bool = False,
        client_order_id: str | None = None,
    ) -> Submitted:
        """Submit a limit order, or without price a market order. Raises Refused with risk's reason as its code.

        Raises Unreachable when no answer came: call again with the same client order id.
        """
        body: dict[str, Any] = {
            "instrument_id": instrument_id,
            "side": side,
            "order_type": "MARKET" if price is None else "LIMIT",
            "quantity": quantity,
            "client_order_id": client_order_id or secrets.token_hex(16),
        }
        body |= {} if price is None else {"price": price}
        body |= {} if time_in_force is None else {"time_in_force": time_in_force}
        body |= {"post_only": True} if post_only else {}
        return self._ask("POST", "/v1/orders", Submitted, json=body)

    def cancel(self, order_id: str) -> list[str]:
        """Request the cancel of an order, named by its id or as "client:" and its client order id; its id.

        Raises Refused with code order_closed when the order has ended.
        """
        return self._ask("DELETE", f"/v1/orders/{order_id}", Cancelled).order_ids

    def cancel_all(self, instrument_id: str | None = None) -> list[str]:
        """Request the cancel of all open orders, of one instrument or of all; their ids."""
        return self._ask("DELETE", "/v1/orders", Cancelled, params=_given(instrument_id=instrument_id)).order_ids

    def withdraw(self, asset: str, amount: str, location: str, external_reference: str) -> Transfer:
        """Withdraw from the key's own account; the external reference makes a repetition safe."""
        body = {"asset": asset, "amount": amount, "location": location, "external_reference": external_reference}
        return self._ask("POST", "/v1/withdrawals", Transfer, json=body)

    def tell_trade(
        self, reference: str, counterparty_id: str, side: str, instrument_id: str, quantity: str, price: str,
        traded_on: str,
    ) -> BilateralTrade:  # fmt: skip
        """Tell the account's side of a trade with another account; telling it again corrects it."""
        body = {
            "reference": reference, "counterparty_id": counterparty_id, "side": side, "instrument_id": instrument_id,
            "quantity": quantity, "price": price, "traded_on": traded_on,
        }  # fmt: skip
        return self._ask("POST", "/v1/trades", BilateralTrade, json=body)

    def give_up(self, leg_id: str, to_account_id: str, reference: str) -> Move:
        """Give an open leg up to another account, which has to accept it."""
        body = {"leg_id": leg_id, "to_account_id": to_account_id, "reference": reference}
        return self._ask("POST", "/v1/trades/give-up", Move, json=body)

    def allocate(self, leg_id: str, shares: Mapping[str, str], reference: str) -> Move:
        """Allocate an open leg: quantity by account; together the whole leg."""
        cut = [{"account_id": account_id, "quantity": quantity} for account_id, quantity in shares.items()]
        return self._ask(
            "POST", "/v1/trades/allocate", Move, json={"leg_id": leg_id, "shares": cut, "reference": reference}
        )

    def end_move(self, move_id: str, reason: str) -> Move:
        """Take a give-up or allocation back before it is decided."""
        return self._ask("POST", "/v1/trades/moves/end", Move, json={"move_id": move_id, "reason": reason})

    def answer_leg(self, leg_id: str, accepted: bool, reason: str = "") -> LegAnswer:
        """Accept a leg that the account is offered, or decline it."""
        body = {"leg_id": leg_id, "accepted": accepted, "reason": reason}
        return self._ask("POST", "/v1/legs/answer", LegAnswer, json=body)

    def agree_moves(self, from_account_id: str, agreed: bool = True) -> Agreement:
        """Take whatever one account gives up or allocates, without being asked; or no more."""
        body = {"from_account_id": from_account_id, "agreed": agreed}
        return self._ask("POST", "/v1/legs/agreements", Agreement, json=body)

    # -- reading ---------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> Order:
        """One order, by its id or as "client:" and its client order id."""
        return self._ask("GET", f"/v1/orders/{order_id}", Order)

    def orders(
        self,
        instrument_id: str | None = None,
        status: str | None = None,
        side: str | None = None,
        limit_per_page: int = 100,
    ) -> Iterator[Order]:
        """Orders, newest first, page by page. `status` may be several, comma-separated."""
        wanted = _given(instrument_id=instrument_id, status=status, side=side)
        return self._pages("/v1/orders", "orders", Order, wanted, limit_per_page)

    def fills(
        self, instrument_id: str | None = None, order_id: str | None = None, limit_per_page: int = 100
    ) -> Iterator[Fill]:
        """Fills, newest first, page by page."""
        wanted = _given(instrument_id=instrument_id, order_id=order_id)
        return self._pages("/v1/fills", "fills", Fill, wanted, limit_per_page)

    def entries(self, limit_per_page: int = 100) -> Iterator[Entry]:
        """Journal entries, newest first, page by page."""
        return self._pages("/v1/entries", "entries", Entry, {}, limit_per_page)

    def statement(self, day: str) -> Statement:
        """The account's day in UTC, such as 2026-11-26: opening balances, every line booked, closing balances."""
        return self._ask("GET", f"/v1/statements/{day}", Statement)

    def margin(self) -> Margin:
        """The account's margin now: equity, needs, the worst scenario and each position's part."""
        return self._ask("GET", "/v1/margin", Margin)

    def facts(self, instrument_id: str, kind: str | None = None, limit_per_page: int = 100) -> Iterator[Fact]:
        """Settlement prices, funding steps and ends of a contract, newest first, page by page."""
        path = f"/v1/contracts/{instrument_id}/facts"
        return self._pages(path, "facts", Fact, _given(kind=kind), limit_per_page)

    def calls(self) -> list[MarginCall]:
        """Margin calls, newest first."""
        return self._list("/v1/calls", "calls", MarginCall)

    def act_on_call(self, call_id: str, action: str, reason: str = "") -> MarginCall:
        """`acknowledge` or `dispute` a margin call; a dispute needs a reason."""
        body = {"call_id": call_id, "action": action, "reason": reason}
        return self._ask("POST", "/v1/calls/act", MarginCall, json=body)

    def liquidations(self) -> list[Liquidation]:
        """Liquidations, newest first."""
        return self._list("/v1/liquidations", "liquidations", Liquidation)

    def trades(self, state: str | None = None) -> list[Trade]:
        """Trades of two, give-ups and allocations of the account, newest change first; `state` may be several."""
        found = self._ask("GET", "/v1/trades", dict[str, Any], params=_given(state=state))
        return msgspec.convert(found["trades"], list[Trade])

    def trade(self, trade_id: str) -> TradeHistory:
        """One of them with its legs and every record about it."""
        return self._ask("GET", f"/v1/trades/{trade_id}", TradeHistory)

    def legs(self, state: str | None = None) -> list[Leg]:
        """Legs of the account, newest change first: OFFERED, OPEN ..."""
        found = self._ask("GET", "/v1/legs", dict[str, Any], params=_given(state=state))
        return msgspec.convert(found["legs"], list[Leg])

    def positions(self) -> list[Position]:
        """All positions."""
        return self._list("/v1/positions", "positions", Position)

    def balances(self) -> list[Balance]:
        """All balances."""
        return self._list("/v1/balances", "balances", Balance)

    def instruments(self) -> list[Instrument]:
        """Everything that can be traded."""
        return self._list("/v1/instruments", "instruments", Instrument)

    def marks(self) -> list[Mark]:
        """The newest mark of each instrument."""
        return self._list("/v1/marks", "marks", Mark)

    def history(self, order_id: str) -> list[Event]:
        """Everything that the tape says of an order, causes before effects."""
        return self._list(f"/v1/orders/{order_id}/history", "events", Event)

    def events(self, after: str | None = None, reconnects_max: int | None = None) -> Iterator[StreamEvent]:
        """The account's events as they happen, from now or after a stream id; reconnects and resumes by itself.

        Ends only with an error: Refused, or Unreachable after so many reconnects in a row without an event.
        """
        last, failures = after, 0
        while True:
            try:
                for name, stream_id, data in self._stream(last):
                    last, failures = stream_id or last, 0
                    if name == "Problem":
                        raise httpx.ReadError("the stream ended with a problem")
                    if name != "Ready":
                        yield msgspec.convert({**data, "stream_id": stream_id}, StreamEvent)
            except httpx.TransportError as error:
                failures += 1
                if reconnects_max is not None and failures > reconnects_max:
                    raise Unreachable(f"the event stream was lost: {error}") from error
            time.sleep(_pause(failures))

    # -- administration --------------------------------------------------------------------------------------

    def deposit(self, account_id: str, asset: str, amount: str, location: str, external_reference: str) -> Transfer:
        """Record a deposit that arrived (scope admin); the external reference makes a repetition safe."""
        body = {
            "account_id": account_id, "asset": asset, "amount": amount, "location": location,
            "external_reference": external_reference,
        }  # fmt: skip
        return self._ask("POST", "/v1/admin/deposits", Transfer, json=body)

    def publish_fact(self, kind: str, instrument_id: str, price: str, **more: Any) -> FactPublished:
        """Let a fact about a contract count (scope admin); `more` as FactRequest in docs/openapi.json has it."""
        body = {"kind": kind, "instrument_id": instrument_id, "price": price, **more}
        return self._ask("POST", "/v1/admin/facts", FactPublished, json=body)

    def correct(self, account_id: str, entry_id: str, reason: str, busted: bool = True) -> Corrected:
        """Take an entry back (scope admin): a trade that its venue busted, or one that was wrong."""
        body = {"account_id": account_id, "entry_id": entry_id, "reason": reason, "busted": busted}
        return self._ask("POST", "/v1/admin/corrections", Corrected, json=body)

    def compress(self, account_id: str, instrument_id: str) -> Compressed:
        """Make one leg of an account's open legs in a contract (scope admin)."""
        body = {"account_id": account_id, "instrument_id": instrument_id}
        return self._ask("POST", "/v1/admin/compressions", Compressed, json=body)

    def net_payments(self, account_id: str, value_date: str) -> PaymentInstructions:
        """Net what an account and the house owe each other of a day that is over (scope admin)."""
        body = {"account_id": account_id, "value_date": value_date}
        return self._ask("POST", "/v1/admin/nettings", PaymentInstructions, json=body)

    def administer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Any other operation under /v1/admin, as docs/api.md describes it."""
        return self._ask(method, path, dict[str, Any], **({} if body is None else {"json": dict(body)}))

    # -- the wire --------------------------------------------------------------------------------------------

    def _list(self, path: str, name: str, kind: type[T]) -> list[T]:
        found = self._ask("GET", path, dict[str, Any])
        return msgspec.convert(found[name], list[kind])  # type: ignore[valid-type]

    def _pages(self, path: str, name: str, kind: type[T], wanted: dict[str, str], limit: int) -> Iterator[T]:
        cursor: str | None = ""
        while cursor is not None:
            params = wanted | {"limit": str(limit)} | _given(cursor=cursor or None)
            page = self._ask("GET", path, dict[str, Any], params=params)
            yield from msgspec.convert(page[name], list[kind])  # type: ignore[valid-type]
            cursor = page["next_cursor"]

    def _ask(self, method: str, path: str, kind: type[T], **request: Any) -> T:
        """One request with retries: every request here can be repeated without harm."""
        request["headers"] = self._position_header() | request.get("headers", {})
        response = self._with_retries(method, path, request)
        for part, offset in _POSITION.findall(response.headers.get("Truetape-Position", "")):
            self._positions[part] = max(int(offset), self._positions.get(part, -1))
        if response.status_code >= 400:
            raise Refused(_problem(response))
        return msgspec.json.decode(response.content, type=kind)

    def _with_retries(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        deadline = time.monotonic() + self._retry_seconds
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._http.request(method, path, **request)
                pause = _pause(attempt, response.headers.get("Retry-After"))
                if response.status_code not in _AGAIN or time.monotonic() + pause > deadline:
                    return response
            except httpx.TransportError as error:
                pause = _pause(attempt)
                if time.monotonic() + pause > deadline:
                    raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error
            time.sleep(pause)

    def _position_header(self) -> dict[str, str]:
        known = sorted(self._positions.items())
        return {"Truetape-Position": ",".join(f"{part}@{offset}" for part, offset in known)} if known else {}

    def _stream(self, last: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(event, id, data) of one connection to the event stream, until it ends."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        timeout = httpx.Timeout(10.0, read=30.0)
        with self._http.stream("GET", "/v1/events", headers=headers, timeout=timeout) as response:
            if response.status_code in _AGAIN:
                raise httpx.ConnectError(f"status {response.status_code}")
            if response.status_code >= 400:
                response.read()
                raise Refused(_problem(response))
            yield from frames(response.iter_lines())


def _pause(attempt: int, retry_after: str | None = None) -> float:
    """Seconds until the next attempt: longer each time, never all clients at once, never before the server says."""
    backoff = min(BACKOFF_SECONDS * 2.0 ** min(attempt, 10), BACKOFF_SECONDS_MAX) * random.uniform(0.5, 1.0)
    told = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
    return max(backoff, told)


def frames(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Server-sent events: (event, id, data) of each; comments and frames without data are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield fields.get("event", ""), fields.get("id", ""), msgspec.json.decode(fields["data"])
            fields = {}


def _given(**wanted: str | None) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if value is not None}


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"status": response.status_code, "code": "unknown", "detail": response.text[:200]}
