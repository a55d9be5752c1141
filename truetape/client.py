"""A typed Python client of the gateway: retries safely, reads what it wrote, resumes its event stream.

    with Client("http://127.0.0.1:18080", key) as client:
        order = client.submit("BTC-USDT", "BUY", "0.01", price="60000")
        for event in client.events():
            ...

A submission always has a client order id, so it can be repeated: an unknown outcome, a lost connection or a 503 can
never make a second order. The client carries the position of every answer to its later reads.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import msgspec
from msgspec.structs import replace

from truetape.api import (
    Balance,
    Cancelled,
    Entry,
    Event,
    Fill,
    Instrument,
    Order,
    Position,
    Submitted,
    Transfer,
)
from truetape.api_marks import Mark
from truetape.api_reports import Corrected, Fact, FactPublished, Margin, Statement
from truetape.client_clearing import ClearingClient
from truetape.client_members import MembersClient
from truetape.client_trades import TradesClient
from truetape.connection import ClientError, Refused, Unreachable, frames, given, pause_seconds

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
    "Placed",
    "Position",
    "Refused",
    "Statement",
    "StreamEvent",
    "Submitted",
    "Transfer",
    "Unreachable",
    "frames",
]  # fmt: skip


class StreamEvent(Event, frozen=True, kw_only=True):
    """An event of the stream."""

    stream_id: str
    """Its place in the stream; give it to `events` to go on after it."""


class Placed(Submitted, frozen=True, kw_only=True):
    """An order as it was answered."""

    repeated: bool = False
    """Whether it was there before: the same client order id is the same order."""


class Client(TradesClient, ClearingClient, MembersClient):
    """One API key's view of the gateway. Thread-safe as httpx.Client is; positions are shared by all threads."""

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
        position_effect: str | None = None,
    ) -> Placed:
        """Submit a limit order, or without price a market order. Raises Refused with risk's reason as its code.

        `position_effect` OPEN or CLOSE says which side of a position in a contract it opens or closes.

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
        body |= {} if position_effect is None else {"position_effect": position_effect}
        decided, repeated = self._asked("POST", "/v1/orders", Placed, json=body)
        return replace(decided, repeated=repeated)

    def cancel(self, order_id: str) -> list[str]:
        """Request the cancel of an order, named by its id or as "client:" and its client order id; its id.

        Raises Refused with code order_closed when the order has ended.
        """
        return self._ask("DELETE", f"/v1/orders/{order_id}", Cancelled).order_ids

    def cancel_all(self, instrument_id: str | None = None) -> list[str]:
        """Request the cancel of all open orders, of one instrument or of all; their ids."""
        return self._ask("DELETE", "/v1/orders", Cancelled, params=given(instrument_id=instrument_id)).order_ids

    def withdraw(self, asset: str, amount: str, location: str, external_reference: str) -> Transfer:
        """Withdraw from the key's own account; the external reference makes a repetition safe."""
        body = {"asset": asset, "amount": amount, "location": location, "external_reference": external_reference}
        return self._ask("POST", "/v1/withdrawals", Transfer, json=body)

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
        wanted = given(instrument_id=instrument_id, status=status, side=side)
        return self._pages("/v1/orders", "orders", Order, wanted, limit_per_page)

    def fills(
        self, instrument_id: str | None = None, order_id: str | None = None, limit_per_page: int = 100
    ) -> Iterator[Fill]:
        """Fills, newest first, page by page."""
        wanted = given(instrument_id=instrument_id, order_id=order_id)
        return self._pages("/v1/fills", "fills", Fill, wanted, limit_per_page)

    def entries(self, limit_per_page: int = 100) -> Iterator[Entry]:
        """Journal entries, newest first, page by page."""
        return self._pages("/v1/entries", "entries", Entry, {}, limit_per_page)

    def statement(self, day: str) -> Statement:
        """The account's day in UTC, such as 2026-11-26: opening balances, every line booked, closing balances."""
        return self._ask("GET", f"/v1/statements/{day}", Statement)

    def facts(self, instrument_id: str, kind: str | None = None, limit_per_page: int = 100) -> Iterator[Fact]:
        """Settlement prices, funding steps and ends of a contract, newest first, page by page."""
        path = f"/v1/contracts/{instrument_id}/facts"
        return self._pages(path, "facts", Fact, given(kind=kind), limit_per_page)

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
            time.sleep(pause_seconds(failures))

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

    def administer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Any other operation under /v1/admin, as docs/api.md describes it."""
        return self._ask(method, path, dict[str, Any], **({} if body is None else {"json": dict(body)}))
