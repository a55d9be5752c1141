"""The clearing house on real servers: contracts with marks by hand, a venue, an administrator, traders, commands."""

import csv
import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.integration.gateway.desk import Desk, Writer, await_true
from tests.unit.contract_desk import E8, HOUR_US, future, instrument, terms
from truetape import cli, ids
from truetape import messages as m
from truetape.client import Client, Refused
from truetape.dev import Stack
from truetape.operator import BY
from truetape.topics import MARKET_MARKS, PARTITIONS

UNITS = ("kafka", "postgres", "redis", "topics", "alpha", "risk", "router", "clearing", "gateway", "projection")
PERP, FUTURE, RISKY, SWAP = "BTC-USDT-PERP", "BTC-USDT-FUT", "BTC-USDT-PM", "BTC-USDT-SWAP"
LONG_US = 24 * HOUR_US
PERPETUAL = terms(mark_max_age_us=LONG_US)
DATED = future(mark_max_age_us=LONG_US, expires_at_us=2_000_000_000_000_000)
LISTED = m.Instrument(
    SWAP, "BTC", "USDT", E8 // 10, E8, E8, 10**5 * E8, 0, 10**9 * E8, True,
    (m.Listing("alpha", "BTCUSDTPERP", E8 // 10, E8, E8, 0, 0, 0),),
    terms(multiplier_e8=E8 // 1_000, liquidation_fee_rate_e8=E8 // 200, mark_max_age_us=LONG_US),
)  # fmt: skip
"""What the venue lists; nobody else marks it."""
MAKER = {"api_key": "maker", "secret": "maker-maker-maker", "account": "maker", "permissions": ["TRADE"]}
SECONDS = 90.0
"""How long anything may take on a busy machine."""


@dataclass
class Trader:
    """An account with its client."""

    name: str
    client: Client

    def held(self, instrument_id: str) -> str:
        """Signed contracts."""
        return {one.instrument_id: one.quantity for one in self.client.positions()}.get(instrument_id, "0")

    def cash(self) -> str:
        """USDT, cleared."""
        return {one.asset: one.balance for one in self.client.balances()}.get("USDT", "0")


class House(Desk):
    """The desk with contracts, their marks, and an administrator."""

    marks: Writer
    admin: Client
    clients: list[Client]

    def open(self) -> None:
        """Contracts and marks."""
        self.prepare()
        self.marks = Writer(self.log, MARKET_MARKS, 0)
        self.clients = []
        self.admin = self.client(self.key("", "admin"))
        for name, of in ((PERP, PERPETUAL), (FUTURE, DATED)):
            self.define(instrument(name, of))
        self.define(LISTED)
        for name in ("BTC-USDT", PERP, FUTURE, RISKY, SWAP):
            self.mark(name, 60_000)

    def close(self) -> None:
        """Close the clients too, and end at once what would take its time to end in order."""
        for client in self.clients:
            client.close()
        super().close()
        for unit in ("projection", "gateway", "clearing", "router", "risk", "alpha", "kafka"):
            self.stack.kill(unit)

    def client(self, key: str) -> Client:
        """The typed client."""
        self.clients.append(super().client(key))
        return self.clients[-1]

    def define(self, one: m.Instrument) -> None:
        """Define or change a contract."""
        self.operator.ask(m.SetInstrument(ids.random_id(), BY, one))

    def mark(self, name: str, price: int) -> None:
        """A mark by hand, that lasts."""
        self.marks.write(
            lambda meta: m.MarkPublished(
                meta, name, price * E8, price * E8, price * E8, "alpha", 1, meta.decided_at_us, 0
            ),
            m.Cause("books", 0, -1, f"{name}-{price}"),
        )

    def make(self, side: str, quantity: str, price: str) -> None:
        """An order of the maker that rests at the venue."""
        body = {"symbol": "BTCUSDTPERP", "side": side, "quantity": quantity, "price": price}
        assert self.venue("trade-outside", body).status_code == 200

    def venue(self, what: str, body: dict[str, str]) -> httpx.Response:
        """Ask the venue's administration about the maker."""
        return self._venue("POST", f"accounts/maker/{what}", body)

    def fund(self, account: str, asset: str, amount: str) -> None:
        """Money at the venue, once per account and asset."""
        body = {"asset": asset, "amount": amount, "reference": f"{account}-{asset}"}
        assert self._venue("POST", f"accounts/{account}/deposit", body).status_code == 200

    def silence(self, orders: int) -> None:
        """The venue does not take the next orders, as many as these, and says nothing of any single one."""
        rule = {"kind": "drop_request", "path": "/api/v3/order"}
        rules = [rule | {"method": "POST", "count": orders}, rule | {"method": "GET"}, rule | {"method": "DELETE"}]
        assert self._venue("POST", "faults", rules).status_code == 200

    def speak(self) -> None:
        """The venue answers all again."""
        assert self._venue("DELETE", "faults", {}).status_code == 200

    def _venue(self, method: str, path: str, body: Any) -> httpx.Response:
        token = self.environment["TRUETAPE_VENUE_ADMIN_TOKEN"]
        url = f"http://127.0.0.1:{self.stack.port('alpha')}/admin/{path}"
        return httpx.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=20.0)

    def trader(self, amount: str = "", apart: str = "") -> Trader:  # type: ignore[override]
        """A new account with so much USDT, in another partition than that of an account."""
        name = self.account(funded=False)
        while apart and ids.partition_of(name, PARTITIONS) == ids.partition_of(apart, PARTITIONS):
            name = self.account(funded=False)
        if amount:
            await_true(lambda: self._paid_in(name, amount))
        return Trader(name, self.client(self.key(name)))

    def _paid_in(self, name: str, amount: str) -> bool:
        """Whether risk has heard of the account by now, and taken its deposit."""
        try:
            self.admin.deposit(name, "USDT", amount, "venue:alpha", f"{name}-1")
        except Refused as error:
            assert error.code == "account_unknown", error
            return False
        return True

    def trade(self, buyer: Trader, seller: Trader, name: str, quantity: str, price: str = "60000") -> None:
        """A trade of two, novated and booked on both sides."""
        reference, before = ids.random_id(), (buyer.held(name), seller.held(name))
        terms_of = (name, quantity, price, "2026-11-26")
        buyer.client.tell_trade(reference, seller.name, "BUY", *terms_of)
        told = seller.client.tell_trade(reference, buyer.name, "SELL", *terms_of)
        assert told.state == "AFFIRMED", told
        await_true(lambda: buyer.held(name) != before[0] and seller.held(name) != before[1])

    def accounts_shown(self) -> list[dict[str, Any]]:
        """All accounts as the house sees them."""
        found: list[dict[str, Any]] = self.admin.administer("GET", "/v1/admin/accounts")["accounts"]
        return found

    def say(self, *arguments: str) -> str:
        """What the command line prints, here in this process: against the real servers all the same."""
        out = io.StringIO()
        with redirect_stdout(out):
            code = cli.build()(args=list(arguments), prog_name="truetape", standalone_mode=False)
        assert not code, (arguments, out.getvalue())
        return out.getvalue()

    def told(self, *arguments: str) -> Any:
        """The same as JSON."""
        return json.loads(self.say(*arguments))


@dataclass
class Lost:
    """A member in default with orders of which nobody knows what became of them."""

    member: Trader
    order_ids: list[str]
    default_id: str
    early: tuple[str, str]
    """How a waiver was refused before the venue was asked often enough."""

    def statuses(self) -> set[str]:
        """Of its orders."""
        return {self.member.client.order(name).status for name in self.order_ids}


def settled(trader: Trader, order_id: str) -> str:
    """The status of an order that neither waits for the venue nor rests there, once that is so."""
    await_true(lambda: trader.client.order(order_id).status not in ("PENDING", "ACCEPTED", "WORKING"))
    return trader.client.order(order_id).status


def lost_orders(house: House) -> Lost:
    """Three orders go out and the venue is silent; then their owner is in default. The venue goes on to take orders,
    for other tests, and to say nothing of those that it was sent."""
    member = house.trader("1000")
    house.silence(3)
    found = Lost(member, [], "", ("", ""))
    while len(found.order_ids) < 3:
        sent = member.client.submit("BTC-USDT", "BUY", "0.001", price="60000").order_id
        if settled(member, sent) == "UNKNOWN":  # Else no book was fresh: the router has just begun to look.
            found.order_ids.append(sent)
    found.default_id = house.admin.declare_default(member.name, "USDT", "its orders are lost").default_id
    found.early = refused(lambda: house.admin.waive_orders(member.name, found.default_id, found.order_ids, "at once"))
    return found


def table(text: str) -> list[dict[str, str]]:
    """CSV as rows."""
    return list(csv.DictReader(io.StringIO(text)))


def refused(ask: Callable[[], Any]) -> tuple[str, str]:
    """Code and reason of a refusal."""
    with pytest.raises(Refused) as found:
        ask()
    return found.value.code, str(found.value.problem.get("reason", ""))


def today() -> str:
    """In UTC."""
    return str(datetime.now(UTC).date())


def with_maker(stack: Stack) -> None:
    """The venue lists contracts, takes no fees, moves no prices, and knows the maker."""
    alpha = stack._units["alpha"]
    plain = alpha.command
    assert plain is not None

    def listed() -> Any:
        made = plain()
        keys = json.loads(made.environment["TRUETAPE_VENUE_KEYS"])
        argv = [*made.argv, "--contracts", "--rate", "0", "--taker-fee", "0", "--maker-fee", "0"]
        environment = {**made.environment, "TRUETAPE_VENUE_KEYS": json.dumps([*keys, MAKER])}
        return replace(made, argv=argv, environment=environment)

    stack._units["alpha"] = replace(alpha, command=listed)
    stack._chosen = stack._choose(UNITS)
