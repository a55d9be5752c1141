"""Orders by REST: one decision each, whatever is repeated, lost or restarted; a read sees what was answered."""

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from services.gateway.tail import REMEMBERED
from tests.integration.gateway.desk import Desk, await_true, code, order
from truetape import ids
from truetape import messages as m

FILTER_COMPLETE = 'truetape_order_filter_complete{service="gateway"} 1.0'


def test_risk_decides_and_the_answer_says_where(desk: Desk) -> None:
    account, http = desk.trader()
    accepted = http.post("/v1/orders", json=order("a-1"))
    assert accepted.status_code == 201
    body = accepted.json()
    assert body["order_id"] == ids.order_id(account, "a-1")
    assert (body["status"], body["time_in_force"], body["quantity"], body["price"]) == (
        "ACCEPTED",
        "GTC",
        "0.01",
        "60000",
    )
    partition = ids.partition_of(account, 8)
    assert accepted.headers["truetape-position"].startswith(f"orders.decisions/{partition}@")
    assert "idempotency-hit" not in accepted.headers

    rejected = http.post("/v1/orders", json=order("a-2", price="60000.001"))
    assert rejected.status_code == 422
    problem = rejected.json()
    assert (problem["code"], problem["reason"]) == ("price_off_tick", "PRICE_OFF_TICK")
    assert problem["numbers"] == {"price": "60000.001", "tick": "0.01"}
    assert problem["order_id"] == ids.order_id(account, "a-2")

    market = http.post("/v1/orders", json=order(None, order_type="MARKET", price=None)).json()
    assert (market["time_in_force"], market["price"], len(market["client_order_id"])) == ("IOC", None, 32)
    poor = http.post("/v1/orders", json=order("a-3", quantity="99", price="60500"))
    assert (
        http.post("/v1/orders", json=order("a-4", quantity="99", price="60500")).json()["code"] == "insufficient_funds"
    )
    assert poor.status_code == 201


def test_the_same_id_is_the_same_order_and_the_same_bytes(desk: Desk) -> None:
    account, http = desk.trader()
    for body in (order("same"), order("refused", price="1")):
        first, again = http.post("/v1/orders", json=body), http.post("/v1/orders", json=body)
        assert first.content == again.content
        assert first.status_code == again.status_code
        assert again.headers["idempotency-hit"] == "true"
    by_header = http.post("/v1/orders", json=order(None), headers={"Idempotency-Key": '"same"'})
    assert by_header.headers["idempotency-hit"] == "true"
    assert code(http.post("/v1/orders", json=order("same"), headers={"Idempotency-Key": "x"})) == "invalid_field"
    assert sum(isinstance(command, m.SubmitOrder) for command in desk.commands(account)) == 2


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"quantity": "0.02"}, ["quantity"]),
        ({"price": "60001", "side": "SELL"}, ["side", "price"]),
        ({"order_type": "MARKET", "price": None}, ["order_type", "time_in_force", "price"]),
    ],
)
def test_the_same_id_with_other_terms_is_refused_by_name(desk: Desk, change: dict[str, str], fields: list[str]) -> None:
    _, http = desk.trader()
    http.post("/v1/orders", json=order("taken"))
    refused = http.post("/v1/orders", json=order("taken", **change))
    assert (refused.status_code, code(refused)) == (422, "client_order_id_reused")
    assert refused.json()["fields"] == fields


def test_many_at_once_with_one_id_are_one_order(desk: Desk) -> None:
    _, http = desk.trader()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: http.post("/v1/orders", json=order("one")), range(32)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    history = http.get("/v1/orders/client:one/history").json()["events"]
    assert [event["type"] for event in history].count("OrderAccepted") == 1


def test_two_terms_at_once_under_one_id_have_one_winner(desk: Desk) -> None:
    _, http = desk.trader()
    bodies = [order("race", quantity=f"0.0{1 + number % 3}") for number in range(24)]
    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda body: http.post("/v1/orders", json=body), bodies))
    won = {answer.json()["quantity"] for answer in answers if answer.status_code == 201}
    assert len(won) == 1
    for body, answer in zip(bodies, answers, strict=True):
        assert (answer.status_code == 201) == (body["quantity"] in won)
        assert answer.status_code == 201 or code(answer) == "client_order_id_reused"


def test_a_retry_is_the_same_order_after_a_restart_and_a_flush(desk: Desk) -> None:
    _, http = desk.trader()
    bodies = [order("kept"), order("kept-refused", price="1")]
    before = [http.post("/v1/orders", json=body) for body in bodies]
    redis.Redis.from_url(desk.environment["TRUETAPE_REDIS"]).flushall()
    desk.stack.kill("gateway")
    desk.stack.start("gateway")
    after = [http.post("/v1/orders", json=body) for body in bodies]
    assert [answer.content for answer in after] == [answer.content for answer in before]
    assert {answer.headers["idempotency-hit"] for answer in after} == {"true"}
    assert code(http.post("/v1/orders", json=order("kept", quantity="5"))) == "client_order_id_reused"


def test_what_risk_has_forgotten_the_views_and_the_tape_still_know(desk: Desk) -> None:
    account, http = desk.trader()
    bodies = [order("old"), order("old-refused", price="1")]
    before = [http.post("/v1/orders", json=body) for body in bodies]
    desk.flood(account, REMEMBERED + 500)  # So old that nobody may count on risk's memory or on the tail's.
    desk.stack.kill("gateway")
    desk.stack.start("gateway")
    desk.stack.kill("risk", signal.SIGSTOP)
    try:
        await_true(lambda: FILTER_COMPLETE in http.get("/metrics").text)
        after = [http.post("/v1/orders", json=body) for body in bodies]
        assert [answer.content for answer in after] == [answer.content for answer in before]
        assert {answer.headers["idempotency-hit"] for answer in after} == {"true"}
        assert code(http.post("/v1/orders", json=order("old", quantity="5"))) == "client_order_id_reused"
        new = http.post("/v1/orders", json=order("not-yet"))
        assert (new.status_code, new.json()["status"]) == (202, "PENDING")
        assert new.headers["truetape-position"].startswith("orders.commands/")
        assert http.get("/v1/orders/client:not-yet").json()["status"] == "PENDING"
    finally:
        desk.stack.kill("risk", signal.SIGCONT)
    decided = http.post("/v1/orders", json=order("not-yet"))
    assert (decided.status_code, decided.json()["status"]) == (201, "ACCEPTED")
    assert decided.json()["order_id"] == new.json()["order_id"] == ids.order_id(account, "not-yet")

    # A gateway that has never seen the views learns the old ids from the tape, and takes new orders.
    empty = desk.environment["TRUETAPE_POSTGRES"].rpartition("/")[0] + "/postgres"
    with desk.second(TRUETAPE_POSTGRES=empty) as url, desk.raw(desk.key(account, url=url), url) as other:
        await_true(lambda: FILTER_COMPLETE in other.get("/metrics").text)
        assert other.post("/v1/orders", json=order("new-without-views")).status_code == 201
        refused = other.post("/v1/orders", json=order("old"))
        assert (refused.status_code, code(refused)) == (503, "view_unavailable"), "never a second order"
    submitted = Counter(c.order.client_order_id for c in desk.commands(account) if isinstance(c, m.SubmitOrder))
    assert (submitted["old"], submitted["old-refused"], submitted["new-without-views"]) == (1, 1, 1)


def test_a_read_after_an_answer_sees_it_on_any_worker(desk: Desk) -> None:
    account = desk.account()
    key = desk.key(account)
    with desk.second() as url, desk.raw(key) as first, desk.raw(key, url) as second:
        for number in range(30):
            order_id = first.post("/v1/orders", json=order(f"r{number}")).json()["order_id"]
            other = second if number % 2 else first
            assert other.get(f"/v1/orders/{order_id}").status_code == 200
            assert other.get("/v1/orders?limit=1").json()["orders"][0]["order_id"] == order_id
            reserved = {row["asset"]: row["reserved"] for row in other.get("/v1/balances").json()["balances"]}
            assert reserved["USDT"] == f"{600.6 * (number + 1):.2f}".rstrip("0").rstrip(".")


def test_a_view_that_lags_is_told_and_not_passed_over(desk: Desk) -> None:
    _, http = desk.trader()
    desk.stack.kill("projection", signal.SIGSTOP)
    try:
        order_id = http.post("/v1/orders", json=order("lag")).json()["order_id"]
        behind = http.get(f"/v1/orders/{order_id}")
        assert (behind.status_code, code(behind)) == (503, "view_behind")
        assert behind.headers["retry-after"] == "1"
    finally:
        desk.stack.kill("projection", signal.SIGCONT)
    assert http.get(f"/v1/orders/{order_id}").status_code == 200


def test_cancels_name_what_they_cancel_and_what_is_over(desk: Desk) -> None:
    _, http = desk.trader()
    first = http.post("/v1/orders", json=order("c1")).json()["order_id"]
    second = http.post("/v1/orders", json=order("c2")).json()["order_id"]
    assert http.delete(f"/v1/orders/{first}").json()["order_ids"] == [first]
    assert http.delete("/v1/orders/client:c2").json()["order_ids"] == [second]
    assert http.delete("/v1/orders?instrument_id=ETH-USDT").json()["order_ids"] == []
    assert http.delete("/v1/orders").json()["order_ids"] == [first, second]
    http.post("/v1/orders", json=order("refused", price="1"))
    closed = http.delete("/v1/orders/client:refused")
    assert (closed.status_code, code(closed)) == (409, "order_closed")


def test_another_accounts_order_is_as_unknown_as_none(desk: Desk) -> None:
    _, mine = desk.trader()
    _, other = desk.trader()
    order_id = mine.post("/v1/orders", json=order("mine")).json()["order_id"]
    same = {"Truetape-Request-Id": "same"}
    for method, path in [("GET", ""), ("GET", "/history"), ("DELETE", "")]:
        theirs = other.request(method, f"/v1/orders/{order_id}{path}", headers=same)
        unknown = other.request(method, f"/v1/orders/{'0' * 32}{path}", headers=same)
        assert theirs.status_code == unknown.status_code == 404
        assert theirs.content == unknown.content
    assert other.get("/v1/orders").json()["orders"] == []


def test_lists_are_paged_and_filtered(desk: Desk) -> None:
    _, http = desk.trader()
    for number in range(7):
        http.post("/v1/orders", json=order(f"p{number}", side="SELL" if number % 2 else "BUY", price="60000"))
    http.post("/v1/orders", json=order("bad", price="1"))
    seen, cursor = [], ""
    while cursor is not None:
        page = http.get(f"/v1/orders?limit=3&status=ACCEPTED{f'&cursor={cursor}' if cursor else ''}").json()
        seen += [row["client_order_id"] for row in page["orders"]]
        cursor = page["next_cursor"]
    assert seen == [f"p{number}" for number in reversed(range(7))], "newest first"
    assert {row["side"] for row in http.get("/v1/orders?side=SELL").json()["orders"]} == {"SELL"}
    assert [row["status"] for row in http.get("/v1/orders?client_order_id=bad").json()["orders"]] == ["REJECTED"]
    assert http.get("/v1/orders?instrument_id=ETH-USDT").json()["orders"] == []
    assert http.get("/v1/orders/client:bad").json()["numbers"]["notional"] == "0.01"


def test_an_order_is_followed_from_the_command_to_the_ledger(desk: Desk) -> None:
    account, http = desk.trader()
    placed = http.post("/v1/orders", json=order("life"))
    desk.fill(placed.json())
    await_true(lambda: http.get("/v1/orders/client:life").json()["status"] == "FILLED")
    await_true(lambda: len(http.get("/v1/orders/client:life/history").json()["events"]) >= 7)
    events = http.get("/v1/orders/client:life/history").json()["events"]
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["SubmitOrder", "OrderAccepted", "OrderRouted"]
    assert set(kinds) == {
        "SubmitOrder", "OrderAccepted", "OrderRouted", "OrderFilled", "EntryBooked", "CreditUpdated",
        "ReservationReleased",
    }  # fmt: skip
    places = {(event["topic"], event["partition"], event["offset"]): number for number, event in enumerate(events)}
    for number, event in enumerate(events):
        cause = event["cause"]
        if cause is not None and cause["offset"] is not None:
            assert places[cause["source"], cause["partition"], cause["offset"]] < number, "causes before effects"
    [fill] = http.get("/v1/fills").json()["fills"]
    assert (fill["quantity"], fill["price"], fill["quote_amount"], fill["liquidity"]) == (
        "0.01",
        "60000",
        "600",
        "TAKER",
    )
    [position] = http.get("/v1/positions").json()["positions"]
    assert (position["quantity"], position["average_price"]) == ("0.01", "60000")
    balances = {row["asset"]: row for row in http.get("/v1/balances").json()["balances"]}
    assert balances["BTC"]["balance"] == "100.01"
    assert balances["USDT"] == {"asset": "USDT", "balance": "9999400", "reserved": "0", "available": "9999400"}
    trade = http.get("/v1/entries").json()["entries"][0]
    assert (trade["kind"], trade["execution_id"]) == ("TRADE", fill["execution_id"])
    assert {line["account"] for line in trade["lines"]} >= {f"client:{account}", "venue:alpha"}


def test_an_unknown_instrument_is_refused_with_those_near_it_in_the_same_words_again(desk: Desk) -> None:
    _, http = desk.trader()
    asked = order("u-1", instrument_id="BTC-USDC")
    first = http.post("/v1/orders", json=asked)
    assert code(first) == "instrument_unknown"
    assert "near it: BTC-USDT; GET /v1/instruments lists all" in first.json()["detail"]
    assert http.post("/v1/orders", json=asked).content == first.content
    misspelt = http.post("/v1/orders", json=order("u-2", instrument_id="btc/usdt")).json()
    assert (misspelt["code"], misspelt["field"]) == ("invalid_field", "instrument_id")
    assert "near it: BTC-USDT" in misspelt["detail"]


def test_one_cancel_of_many_is_in_each_orders_history(desk: Desk) -> None:
    _, http = desk.trader()
    for number in range(2):
        http.post("/v1/orders", json=order(f"m{number}"))
    http.delete("/v1/orders")
    for number in range(2):
        kinds = [event["type"] for event in http.get(f"/v1/orders/client:m{number}/history").json()["events"]]
        assert kinds == ["SubmitOrder", "OrderAccepted", "CancelAllOrders", "CancelRequested"]


def test_transfers_are_made_once(desk: Desk) -> None:
    account = desk.account(funded=False)
    http, admin = desk.raw(desk.key(account)), desk.raw(desk.key("", "admin"))
    deposit = {
        "account_id": account, "asset": "USDT", "amount": "100", "location": "bank:settlement",
        "external_reference": "w-1",
    }  # fmt: skip
    first, again = (admin.post("/v1/admin/deposits", json=deposit) for _ in range(2))
    assert (first.status_code, first.json()["status"]) == (201, "APPROVED")
    assert again.content == first.content
    assert again.headers["idempotency-hit"] == "true"
    changed = admin.post("/v1/admin/deposits", json={**deposit, "amount": "101"})
    assert (code(changed), changed.json()["fields"]) == ("external_reference_reused", ["amount"])
    await_true(lambda: "USDT" in {row["asset"] for row in http.get("/v1/balances").json()["balances"]})

    withdrawal = {"asset": "USDT", "amount": "40", "location": "bank:settlement", "external_reference": "out-1"}
    taken = http.post("/v1/withdrawals", json=withdrawal)
    assert (taken.status_code, taken.json()["amount"]) == (201, "-40")
    assert http.post("/v1/withdrawals", json=withdrawal).content == taken.content
    too_much = {**withdrawal, "amount": "1000", "external_reference": "out-2"}
    for amount in ("1000", "1000", "1"):  # What was refused under a reference stays refused.
        assert code(http.post("/v1/withdrawals", json={**too_much, "amount": amount})) == "insufficient_funds"
    await_true(lambda: _balance(http, "USDT") == ("60", "0"))


def test_a_transfer_of_an_asset_that_nothing_names_is_refused_and_what_is_held_of_it_may_leave(desk: Desk) -> None:
    account = desk.account(funded=False)
    http, admin = desk.raw(desk.key(account)), desk.raw(desk.key("", "admin"))
    deposit = {
        "account_id": account, "asset": "UDST", "amount": "1", "location": "bank:settlement",
        "external_reference": "w-1",
    }  # fmt: skip
    refused = admin.post("/v1/admin/deposits", json=deposit)
    assert (code(refused), refused.json()["field"]) == ("asset_unknown", "asset")
    assert "known assets: BTC" in refused.json()["detail"]
    withdrawal = {name: deposit[name] for name in ("asset", "amount", "location", "external_reference")}
    assert code(http.post("/v1/withdrawals", json=withdrawal)) == "asset_unknown"
    terms = m.TransferTerms(ids.transfer_id(account, "old"), account, "UDST", 10**8, "bank:settlement", "old")
    desk.operator.transfer(terms)
    await_true(lambda: "UDST" in {row["asset"] for row in http.get("/v1/balances").json()["balances"]})
    assert http.post("/v1/withdrawals", json=withdrawal).status_code == 201


def _balance(http: httpx.Client, asset: str) -> tuple[str, str]:
    rows = http.get("/v1/balances").json()["balances"]
    return next((row["balance"], row["reserved"]) for row in rows if row["asset"] == asset)
