"""A margin call and a liquidation on the real stack: deposit, a long perpetual at a venue, its mark falls, the owner is
called, a part is sold through risk and router, margin is there again, and books, statement and API show it."""

import time

import httpx
import pytest

from tests.integration.clearing.house import SWAP, House, today
from tests.integration.gateway.desk import await_true
from truetape.client import Client

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("lost")]


def test_a_call_and_a_liquidation_from_deposit_to_statement(house: House) -> None:
    account = house.account(funded=False)
    http = house.raw(house.key(account))
    with house.client(house.key(account)) as client:
        _from_deposit_to_statement(house, account, http, client)


def _from_deposit_to_statement(house: House, account: str, http: httpx.Client, client: Client) -> None:
    house.admin.deposit(account, "USDT", "100", "venue:alpha", "first")
    house.venue("deposit", {"asset": "USDT", "amount": "1000000", "reference": "maker"})
    house.mark(SWAP, 60000)
    house.make("SELL", "10", "60000")
    bought(house, http)

    house.mark(SWAP, 54000)
    await_true(lambda: bool(client.calls()))
    [call] = client.calls()
    assert (call.state, call.amount, call.asset) == ("CALLED", "14", "USDT"), "54 are needed, and 40 are there"
    assert client.act_on_call(call.call_id, "acknowledge").state == "ACKNOWLEDGED"
    listed = house.told("calls", "list", "--account", account, "--json")
    assert [(row["account_id"], row["state"]) for row in listed] == [(account, "ACKNOWLEDGED")]
    assert http.post("/v1/orders", json=order("mine", "BUY", "1", "54000")).status_code == 422, "no new risk"

    house.make("BUY", "100", "52400")
    house.mark(SWAP, 52400)
    await_true(lambda: any(one.state == "ENDED" for one in client.liquidations()))
    [liquidation] = client.liquidations()
    assert (liquidation.outcome, liquidation.shortfall) == ("RESTORED", "0"), liquidation
    left = held(http)
    assert 0 < left < 10, "a part was sold"
    assert refused(http, "liquidation-mine"), "such ids are the clearing house's"

    await_true(lambda: "liquidation_fee" in http.get(f"/v1/statements/{today()}", params={"form": "csv"}).text)
    house.admin.deposit(account, "USDT", "14", "venue:alpha", "for-the-call")
    await_true(lambda: client.calls()[0].state == "MET")
    statement = http.get(f"/v1/statements/{today()}").json()
    [cash] = [total for total in statement["totals"] if total["asset"] == "USDT"]
    await_true(lambda: [cash["closing"]] == [one.balance for one in client.balances() if one.asset == "USDT"])


def order(name: str, side: str, quantity: str, price: str) -> dict[str, str]:
    return {
        "client_order_id": name, "instrument_id": SWAP, "side": side, "order_type": "LIMIT", "quantity": quantity,
        "price": price,
    }  # fmt: skip


def bought(house: House, http: httpx.Client) -> None:
    """Ten contracts of 0.001 BTC at 60 000, once the router sees the venue's book."""
    for attempt in range(180):
        asked = order(f"long-{attempt}", "BUY", "10", "60000") | {"time_in_force": "IOC"}
        answer = http.post("/v1/orders", json=asked)
        assert answer.status_code == 201, answer.text
        time.sleep(1)
        if held(http) == 10:
            return
    raise AssertionError(http.get("/v1/orders").text)


def held(http: httpx.Client) -> int:
    rows = {row["instrument_id"]: row["quantity"] for row in http.get("/v1/positions").json()["positions"]}
    return int(rows.get(SWAP, "0"))


def refused(http: httpx.Client, name: str) -> bool:
    answer = http.post("/v1/orders", json=order(name, "SELL", "1", "52400"))
    return answer.status_code == 422 or answer.json()["code"] == "invalid_field"
