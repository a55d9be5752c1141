"""A margin call and a liquidation on the real stack: deposit, a long perpetual at a venue, its mark falls, the owner is
called, a part is sold through risk and router, margin is there again, and books, statement and API show it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.integration.gateway.desk import ROOT, Desk, Writer, await_true
from tests.unit.contract_desk import E8, terms
from truetape import ids
from truetape import messages as m
from truetape.client import Client
from truetape.dev import Stack, free_base
from truetape.log import KafkaLog
from truetape.operator import BY, Operator
from truetape.topics import MARKET_MARKS

pytestmark = pytest.mark.timeout(300)
PERP = "BTC-USDT-PERP"
UNITS = ("kafka", "postgres", "redis", "topics", "alpha", "risk", "router", "clearing", "gateway", "projection")
MAKER = {"api_key": "maker", "secret": "maker-maker-maker", "account": "maker", "permissions": ["TRADE"]}
LISTING = m.Listing("alpha", "BTCUSDTPERP", E8 // 10, E8, E8, 0, 0, 0)
TERMS = terms(multiplier_e8=E8 // 1_000, liquidation_fee_rate_e8=E8 // 200, mark_max_age_us=3_600_000_000)
CONTRACT = m.Instrument(
    PERP, "BTC", "USDT", E8 // 10, E8, E8, 10**5 * E8, 0, 10**9 * E8, True, (LISTING,), TERMS
)  # fmt: skip


class Floor(Desk):
    """The desk, with a venue that lists the perpetual and whose book is what the maker puts there."""

    marks: Writer

    def mark(self, price: str) -> None:
        """The perpetual's mark, by hand: it lasts for an hour."""
        price_e8 = int(price) * E8
        self.marks.write(
            lambda meta: m.MarkPublished(
                meta, PERP, price_e8, price_e8, price_e8, "alpha", 1, time.time_ns() // 1000, 0
            ),
            m.Cause("books", 0, -1, f"perp-{price}"),
        )

    def make(self, side: str, quantity: str, price: str) -> None:
        """An order of the maker that rests at the venue."""
        body = {"symbol": "BTCUSDTPERP", "side": side, "quantity": quantity, "price": price}
        assert self.venue("trade-outside", body).status_code == 200

    def venue(self, what: str, body: dict[str, str]) -> httpx.Response:
        """Ask the venue's administration."""
        token = self.environment["TRUETAPE_VENUE_ADMIN_TOKEN"]
        url = f"http://127.0.0.1:{self.stack.port('alpha')}/admin/accounts/maker/{what}"
        return httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=20.0)

    def command(self, *arguments: str) -> str:
        """The command line."""
        asked = [sys.executable, "-m", "truetape.cli", *arguments]
        return subprocess.run(asked, env=self.environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def floor(tmp_path: Any) -> Iterator[Floor]:
    """Servers, services and one venue."""
    stack = Stack(tmp_path / "home", free_base(), only=UNITS)
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
    found = None
    try:
        stack.up()
        bootstrap = stack.environment()["TRUETAPE_KAFKA"]
        found = Floor(stack, Operator(KafkaLog(bootstrap)), KafkaLog(bootstrap))
        found.prepare()
        found.operator.ask(m.SetInstrument(ids.random_id(), BY, CONTRACT))
        found.marks = Writer(found.log, MARKET_MARKS, 0)
        yield found
    finally:
        if found is not None:
            found.close()
        stack.erase()


def test_a_call_and_a_liquidation_from_deposit_to_statement(floor: Floor) -> None:
    account = floor.account(funded=False)
    http = floor.raw(floor.key(account))
    with floor.client(floor.key(account)) as client:
        _from_deposit_to_statement(floor, account, http, client)


def _from_deposit_to_statement(floor: Floor, account: str, http: httpx.Client, client: Client) -> None:
    deposit(floor, account, "100")
    floor.venue("deposit", {"asset": "USDT", "amount": "1000000", "reference": "maker"})
    floor.mark("60000")
    floor.make("SELL", "10", "60000")
    bought(floor, http)

    floor.mark("54000")
    await_true(lambda: bool(client.calls()), 60)
    [call] = client.calls()
    assert (call.state, call.amount, call.asset) == ("CALLED", "14", "USDT"), "54 are needed, and 40 are there"
    assert client.act_on_call(call.call_id, "acknowledge").state == "ACKNOWLEDGED"
    listed = json.loads(floor.command("calls", "list", "--json"))
    assert [(row["account_id"], row["state"]) for row in listed] == [(account, "ACKNOWLEDGED")]
    assert http.post("/v1/orders", json=order("mine", "BUY", "1", "54000")).status_code == 422, "no new risk"

    floor.make("BUY", "100", "52400")
    floor.mark("52400")
    await_true(lambda: any(one.state == "ENDED" for one in client.liquidations()), 60)
    [liquidation] = client.liquidations()
    assert (liquidation.outcome, liquidation.shortfall) == ("RESTORED", "0"), liquidation
    left = held(http)
    assert 0 < left < 10, "a part was sold"
    assert refused(http, "liquidation-mine"), "such ids are the clearing house's"

    today = datetime.now(UTC).date()
    await_true(lambda: "liquidation_fee" in http.get(f"/v1/statements/{today}", params={"form": "csv"}).text, 60)
    deposit(floor, account, "14")
    await_true(lambda: client.calls()[0].state == "MET", 60)
    statement = http.get(f"/v1/statements/{today}").json()
    [cash] = [total for total in statement["totals"] if total["asset"] == "USDT"]
    assert cash["closing"] == next(one.balance for one in client.balances() if one.asset == "USDT")
    books = json.loads(floor.command("audit", "--json"))
    assert books["equal"], books


def deposit(floor: Floor, account: str, amount: str) -> None:
    reference = f"{account}-{amount}"
    terms_of = m.TransferTerms(
        ids.transfer_id(account, reference), account, "USDT", int(amount) * E8, "venue:alpha", reference
    )
    floor.operator.transfer(terms_of)


def order(name: str, side: str, quantity: str, price: str) -> dict[str, str]:
    return {
        "client_order_id": name, "instrument_id": PERP, "side": side, "order_type": "LIMIT", "quantity": quantity,
        "price": price,
    }  # fmt: skip


def bought(floor: Floor, http: httpx.Client) -> None:
    """Ten contracts of 0.001 BTC at 60 000, once the router sees the venue's book."""
    for attempt in range(60):
        asked = order(f"long-{attempt}", "BUY", "10", "60000") | {"time_in_force": "IOC"}
        answer = http.post("/v1/orders", json=asked)
        assert answer.status_code == 201, answer.text
        time.sleep(1)
        if held(http) == 10:
            return
    raise AssertionError(http.get("/v1/orders").text)


def held(http: httpx.Client) -> int:
    rows = {row["instrument_id"]: row["quantity"] for row in http.get("/v1/positions").json()["positions"]}
    return int(rows.get(PERP, "0"))


def refused(http: httpx.Client, name: str) -> bool:
    answer = http.post("/v1/orders", json=order(name, "SELL", "1", "52400"))
    return answer.status_code == 422 or answer.json()["code"] == "invalid_field"
