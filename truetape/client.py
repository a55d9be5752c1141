"""The Python client: typed, synchronous, safe to retry.

    with Client("http://127.0.0.1:18080", key) as client:
        order = client.submit("BTC-USDT", "BUY", "0.01", price="60000")
        print(client.order(order.order_id).status)

Every submission has a client order id, chosen here when absent, and is repeated under that id when the outcome is
in doubt: it cannot become two orders. Reads see what this client was answered before (`Truetape-Position`).
Money is decimal strings both ways.
"""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec
from msgspec import Struct

from truetape import ids
from truetape.errors import TruetapeError

T = TypeVar("T")
POSITION = "Truetape-Position"
PASSING = frozenset({429, 502, 503, 504})
"""Statuses that a retry may overcome; with a client order id it is safe."""


class Decision(Struct, frozen=True):
    """The answer to a submission."""

    order_id: str
    client_order_id: str
    status: str
    """ACCEPTED, or PENDING when risk had not decided in time."""
    decision_id: str | None = None


class Order(Struct, frozen=True):
    """An order."""

    order_id: str
    client_order_id: str
    instrument_id: str
    side: str
    order_type: str
    time_in_force: str
    quantity: str
    status: str
    filled: str
    price: str | None = None
    average_price: str | None = None
    reason: str | None = None


class Fill(Struct, frozen=True):
    """A fill with the venue's execution id."""

    execution_id: str
    order_id: str
    instrument_id: str
    side: str
    venue: str
    quantity: str
    price: str
    quote_amount: str
    fee_asset: str
    fee: str
    liquidity: str
    transacted_at: str


class Balance(Struct, frozen=True):
    """One asset of the account."""

    asset: str
    balance: str
    reserved: str
    available: str


class Position(Struct, frozen=True):
    """A position."""

    instrument_id: str
    quantity: str
    cost: str
    realised: str
    average_price: str | None = None


class Line(Struct, frozen=True):
    """One leg of an entry."""

    account: str
    asset: str
    amount: str
    purpose: str


class Entry(Struct, frozen=True):
    """A journal entry."""

    entry_id: str
    kind: str
    rule: str
    realised: str
    lines: list[Line]
    order_id: str | None = None
    execution_id: str | None = None


class Event(Struct, frozen=True):
    """One record of the tape."""

    topic: str
    partition: int
    offset: int
    type: str
    at: str
    event_id: str | None = None
    cause: dict[str, Any] | None = None
    fields: Any = None


class Refused(TruetapeError):
    """The gateway answered with a problem: `code` is stable, `numbers` are what a refusal saw."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.problem = status, problem
        self.code: str = problem.get("code", "unknown")
        self.numbers: dict[str, Any] = problem.get("numbers") or {}
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')}")


class Unreachable(TruetapeError):
    """The gateway did not answer within the retries; with the same client order id the submission can be repeated."""


class Client:
    """One account's session with the gateway. `key` is "key_id.secret"."""

    def __init__(self, base_url: str, key: str, *, retry_seconds: float = 15.0, timeout_seconds: float = 10.0) -> None:
        self._http = httpx.Client(
            base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout_seconds
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
        """Close the connections."""
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
    ) -> Decision:
        """Submit a limit order, or a market order when there is no price.

        Raises Refused with risk's reason, Unreachable when nobody answered (repeat it with the same client order id).
        """
        body: dict[str, Any] = {
            "instrument_id": instrument_id,
            "side": side,
            "order_type": "MARKET" if price is None else "LIMIT",
            "quantity": quantity,
            "client_order_id": client_order_id or ids.random_id(),
        }
        optional = {"price": price, "time_in_force": time_in_force, "post_only": post_only or None}
        body |= {name: value for name, value in optional.items() if value is not None}
        return self._call("POST", "/v1/orders", Decision, json=body)

    def cancel(self, order_id: str) -> list[str]:
        """Request a cancel; the ids of the orders it goes to. Raises Refused when the order has ended."""
        return list(self._call("DELETE", f"/v1/orders/{order_id}", dict[str, Any])["order_ids"])

    def cancel_all(self, instrument_id: str | None = None) -> list[str]:
        """Request the cancel of all open orders; their ids."""
        query = {"instrument_id": instrument_id} if instrument_id else {}
        return list(self._call("DELETE", "/v1/orders", dict[str, Any], params=query)["order_ids"])

    # -- reading ---------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> Order:
        """One order. Raises Refused with code order_not_found."""
        return self._call("GET", f"/v1/orders/{order_id}", Order)

    def orders(self, **filters: str) -> Iterator[Order]:
        """The account's orders, newest first: instrument_id, status, side, client_order_id."""
        return self._pages("/v1/orders", "orders", Order, filters)

    def fills(self, **filters: str) -> Iterator[Fill]:
        """The account's fills, newest first: instrument_id, order_id."""
        return self._pages("/v1/fills", "fills", Fill, filters)

    def entries(self) -> Iterator[Entry]:
        """The account's journal entries, newest first."""
        return self._pages("/v1/entries", "entries", Entry, {})

    def positions(self) -> list[Position]:
        """All positions."""
        return msgspec.convert(self._call("GET", "/v1/positions", dict[str, Any])["positions"], list[Position])

    def balances(self) -> list[Balance]:
        """All balances."""
        return msgspec.convert(self._call("GET", "/v1/balances", dict[str, Any])["balances"], list[Balance])

    def instruments(self) -> list[dict[str, Any]]:
        """Everything that can be traded."""
        return list(self._call("GET", "/v1/instruments", dict[str, Any])["instruments"])

    def marks(self) -> list[dict[str, Any]]:
        """The newest mark of each instrument."""
        return list(self._call("GET", "/v1/marks", dict[str, Any])["marks"])

    def history(self, order_id: str) -> list[Event]:
        """Everything the tape says of an order, causes before effects."""
        found = self._call("GET", f"/v1/orders/{order_id}/history", dict[str, Any])
        return msgspec.convert(found["events"], list[Event])

    def events(self, last_event_id: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """(tape position, event) of the account as they come; resumes by itself where the stream broke."""
        while True:
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            try:
                with self._http.stream("GET", "/v1/events", headers=headers, timeout=60.0) as stream:
                    if stream.status_code != 200:
                        stream.read()
                        raise _refused(stream)
                    for event_id, data in _server_sent(stream.iter_lines()):
                        last_event_id = event_id or last_event_id
                        yield last_event_id or "", data
            except httpx.TransportError:
                time.sleep(0.5)

    # -- administration --------------------------------------------------------------------------------------

    def deposit(self, account_id: str, asset: str, amount: str, location: str, external_reference: str) -> str:
        """Record a deposit that arrived at a location such as venue:alpha; its transfer id. Needs scope admin."""
        body = {
            "account_id": account_id,
            "asset": asset,
            "amount": amount,
            "location": location,
            "external_reference": external_reference,
        }
        return str(self._call("POST", "/v1/admin/deposits", dict[str, Any], json=body)["transfer_id"])

    def administer(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any other operation under /v1/admin, as docs/api.md describes it."""
        return self._call(method, path, dict[str, Any], **({"json": body} if body is not None else {}))

    # -- how -------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, answer: type[T], **request: Any) -> T:
        response = self._send(method, path, **request)
        if response.status_code >= 400:
            raise _refused(response)
        self._remember(response.headers.get(POSITION, ""))
        return msgspec.json.decode(response.content, type=answer)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        deadline = time.monotonic() + self._retry_seconds
        headers = {POSITION: self._told()} if self._positions and method == "GET" else {}
        wait = 0.05
        while True:
            try:
                response = self._http.request(method, path, headers=headers, **request)
                if response.status_code not in PASSING or time.monotonic() + wait > deadline:
                    return response
                wait = max(wait, float(response.headers.get("Retry-After", 0)))
            except httpx.TransportError as error:
                if time.monotonic() + wait > deadline:
                    raise Unreachable(f"{method} {path}: {error}; is the gateway running?") from error
            time.sleep(wait)
            wait = min(wait * 2, 2.0)

    def _remember(self, positions: str) -> None:
        for place in filter(None, positions.replace(" ", "").split(",")):
            part, _, offset = place.partition("@")
            self._positions[part] = max(int(offset), self._positions.get(part, -1))

    def _told(self) -> str:
        return ",".join(f"{part}@{offset}" for part, offset in self._positions.items())

    def _pages(self, path: str, name: str, kind: type[T], filters: dict[str, str]) -> Iterator[T]:
        query: dict[str, str] = dict(filters)
        while True:
            page = self._call("GET", path, dict[str, Any], params=query)
            yield from msgspec.convert(page[name], list[kind])  # type: ignore[valid-type]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]


def _refused(response: httpx.Response) -> Refused:
    try:
        problem = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        problem = {"code": "unknown", "detail": response.text[:200]}
    return Refused(response.status_code, problem)


def _server_sent(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, data) of each server-sent event; comments keep the stream alive and are passed over."""
    event_id, data = "", ""
    for line in lines:
        if line.startswith("id:"):
            event_id = line[3:].strip()
        elif line.startswith("data:"):
            data += line[5:].strip()
        elif not line and data:
            yield event_id, msgspec.json.decode(data)
            data = ""
