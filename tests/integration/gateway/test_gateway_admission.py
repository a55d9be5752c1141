"""Who may do what, how often, and what bad input is answered: never with a 5xx, never with a stack trace."""

import json
import re
import socket
import time
from typing import Any

import httpx
import pytest
import redis

from services.gateway.app import ROUTES
from services.gateway.problems import CODES
from tests.integration.gateway.desk import Desk, await_true, code, order
from truetape import ids
from truetape import messages as m
from truetape.operator import BY

HOUR_US = 3_600 * 1_000_000
PARAMETERS = {
    "order_id": "0" * 32,
    "instrument_id": "BTC-USDT",
    "trade_id": "0" * 32,
    "auction_id": "0" * 32,
    "default_id": "0" * 32,
    "deleveraging_id": "0" * 32,
    "account_id": "nobody",
    "day": "2026-11-26",
    "key_id": "no-such-key",
    "id": "1",
    "subject": "none",
    "version": "latest",
}


def path_of(route: Any) -> str:
    return re.sub(r"{(\w+)}", lambda match: PARAMETERS[match[1]], route.path)


def ask(http: httpx.Client, route: Any) -> httpx.Response:
    if route.operation_id == "stream_events":
        with http.stream(route.method, path_of(route)) as response:
            if response.status_code != 200:
                response.read()
            return response
    return http.request(route.method, path_of(route), json={} if route.body is not None else None)


@pytest.mark.parametrize("scope", ["nobody", "read", "trade", "admin"])
def test_every_route_is_closed_to_all_but_its_scope(desk: Desk, scope: str) -> None:
    key = "" if scope == "nobody" else desk.key("" if scope == "admin" else desk.account(funded=False), scope)
    with desk.raw(key) as http:
        for route in ROUTES:
            response = ask(http, route)
            where = f"{route.method} {route.path} with scope {scope}"
            if route.scope == "public":
                assert response.status_code not in (401, 403), where
            elif scope == "nobody":
                assert (response.status_code, code(response)) == (401, "unauthenticated"), where
            elif route.scope != scope:
                assert (response.status_code, code(response)) == (403, "scope_missing"), where
            else:
                assert response.status_code not in (401, 403), where
                assert response.status_code < 500, where


def test_keys_are_refused_alike_when_unknown_or_wrong(desk: Desk) -> None:
    key = desk.key(desk.account(funded=False))
    key_id, _, secret = key.partition(".")
    bad = [
        "", "Bearer", f"Bearer {key_id}", f"Bearer {key_id}.", f"Bearer {key_id}.wrong", f"Bearer nobody.{secret}",
        f"Basic {key}", f"Bearer {key} x", f"Bearer .{secret}", "Bearer \xff.\xfe", f"Bearer {key_id}.{secret}\u00e9",
    ]  # fmt: skip
    for header in bad:
        raw = [(b"authorization", header.encode("latin-1"))]
        found = httpx.get(f"{desk.url}/v1/orders", headers=raw)
        assert (found.status_code, code(found)) == (401, "unauthenticated"), header
        assert found.headers["www-authenticate"].startswith("Bearer")
    assert httpx.get(f"{desk.url}/v1/orders", headers={"Authorization": f"bearer {key}"}).status_code == 200


def test_a_revoked_key_is_refused_within_a_second(desk: Desk) -> None:
    key = desk.key(desk.account(funded=False))
    http = desk.raw(key)
    assert http.get("/v1/orders").status_code == 200
    desk.operator.ask(m.RevokeApiKey(ids.random_id(), BY, key.partition(".")[0]))
    await_true(lambda: code(http.get("/v1/orders")) == "key_revoked")


def test_a_key_ends_when_it_expires(desk: Desk) -> None:
    expires_at_us = time.time_ns() // 1000 + 3_000_000
    http = desk.raw(desk.key(desk.account(funded=False), expires_at_us=expires_at_us))
    await_true(lambda: http.get("/v1/orders").status_code == 401)
    assert code(http.get("/v1/orders")) == "key_expired"
    assert time.time_ns() // 1000 >= expires_at_us


def test_an_administrator_acts_for_no_account(desk: Desk) -> None:
    admin = desk.raw(desk.key("", "admin"))
    assert code(admin.get("/v1/orders")) == "scope_missing"
    assert admin.get("/v1/admin/keys").status_code == 200
    account = desk.account(funded=False)
    created = admin.post("/v1/admin/keys", json={"scopes": ["read"], "account_id": account, "expires_in_seconds": 60})
    assert created.status_code == 201
    fresh = desk.raw(created.json()["key"])
    await_true(lambda: fresh.get("/v1/orders").status_code == 200)
    shown = admin.get("/v1/admin/keys", headers={"Truetape-Position": created.headers["truetape-position"]}).text
    assert created.json()["key_id"] in shown
    assert created.json()["key"].partition(".")[2] not in shown
    assert "sha256" not in shown
    revoked = admin.delete(f"/v1/admin/keys/{created.json()['key_id']}")
    assert revoked.status_code == 200
    await_true(lambda: code(fresh.get("/v1/orders")) == "key_revoked")
    repeated = admin.post("/v1/admin/keys", json={"scopes": ["read"]}, headers={"Idempotency-Key": "a"})
    assert code(repeated) == "invalid_header", "a secret is told once"


def test_replayed_requests_are_refused_by_their_timestamp(desk: Desk) -> None:
    http = desk.raw(desk.key(desk.account(funded=False)))
    now_ms = time.time_ns() // 1_000_000
    for shift, status in [(0, 200), (-4_000, 200), (4_000, 200), (-6_000, 401), (6_000, 401), (-HOUR_US, 401)]:
        found = http.get("/v1/orders", headers={"Truetape-Timestamp": str(now_ms + shift)})
        assert found.status_code == status, shift
        assert status == 200 or code(found) == "timestamp_outside_window"
    for text in ("soon", "-1", "1.5", "9" * 16, "\u0663"):
        found = http.get("/v1/orders", headers={b"Truetape-Timestamp": text.encode()})
        assert (found.status_code, code(found)) == (400, "invalid_header"), text


def test_each_key_has_its_rate_with_and_without_redis(desk: Desk) -> None:
    account = desk.account(funded=False)
    limited, other = (desk.raw(desk.key(account, requests_per_second=rate)) for rate in (5, 1_000))

    def burst(http: httpx.Client) -> list[httpx.Response]:
        return [http.get("/v1/instruments") for _ in range(25)]

    def shown() -> None:
        time.sleep(1.1)
        began = time.monotonic()
        answers = burst(limited)
        seconds = time.monotonic() - began
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(answers) - len(refused) < 15 + 5 * seconds
        assert refused
        assert {code(answer) for answer in refused} == {"rate_limited"}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert {answer.status_code for answer in burst(other)} == {200}, "one key does not slow another"

    shown()
    desk.stack.kill("redis")
    try:
        await_true(lambda: other.get("/v1/instruments").status_code == 200)
        shown()
        trader = desk.raw(desk.key(desk.account()))
        placed = trader.post("/v1/orders", json=order("without-redis"))
        assert placed.status_code == 201, "trading goes on"
        assert trader.get("/v1/orders/client:without-redis").json()["status"] == "ACCEPTED"
        assert [row["asset"] for row in trader.get("/v1/balances").json()["balances"]] == ["BTC", "USDT"]
    finally:
        desk.stack.start("redis")
    await_true(lambda: 'truetape_redis_up{service="gateway"} 1.0' in other.get("/metrics").text)
    shown()
    client = redis.Redis.from_url(desk.environment["TRUETAPE_REDIS"])
    await_true(lambda: client.hget("truetape:view", "complete") == b"1")


GOOD = order("good")
BAD: list[tuple[str, dict[str, Any], int, str]] = [
    ("no body", {"content": b""}, 400, "malformed_json"),
    ("half a body", {"content": json.dumps(GOOD).encode()[:-5]}, 400, "malformed_json"),
    ("not utf-8", {"content": b'{"side": "\xff"}'}, 400, "malformed_json"),
    ("nan", {"content": json.dumps({**GOOD, "price": float("nan")}).encode()}, 400, "malformed_json"),
    ("a float", {"json": {**GOOD, "price": 1.5}}, 422, "invalid_field"),
    ("exponent", {"json": {**GOOD, "price": "1e999"}}, 422, "invalid_field"),
    ("huge", {"json": {**GOOD, "price": "9" * 40}}, 422, "invalid_field"),
    ("beyond 64 bits", {"json": {**GOOD, "quantity": "92233720369"}}, 422, "invalid_field"),
    ("largest of all", {"json": {**GOOD, "quantity": "92233720368"}}, 422, "number_too_large"),
    ("above the maximum", {"json": {**GOOD, "quantity": "101"}}, 422, "quantity_above_maximum"),
    ("zero", {"json": {**GOOD, "quantity": "0"}}, 422, "quantity_not_positive"),
    ("negative", {"json": {**GOOD, "quantity": "-1"}}, 422, "quantity_not_positive"),
    ("negative price", {"json": {**GOOD, "price": "-1"}}, 422, "price_not_positive"),
    ("off the tick", {"json": {**GOOD, "price": "60000.001"}}, 422, "price_off_tick"),
    ("off the lot", {"json": {**GOOD, "quantity": "0.0000001"}}, 422, "quantity_off_lot"),
    ("no price", {"json": {name: GOOD[name] for name in GOOD if name != "price"}}, 422, "price_missing"),
    ("market with a price", {"json": {**GOOD, "order_type": "MARKET"}}, 422, "price_not_allowed"),
    ("unknown instrument", {"json": {**GOOD, "instrument_id": "DOGE-USDT"}}, 422, "instrument_unknown"),
    ("outside the collar", {"json": {**GOOD, "price": "90000"}}, 422, "price_outside_collar"),
    ("unknown field", {"json": {**GOOD, "account_id": "other"}}, 422, "unknown_field"),
    ("key twice", {"content": json.dumps(GOOD).encode()[:-1] + b',"side":"SELL"}'}, 400, "duplicate_key"),
    ("deep", {"content": b'{"a":' * 9_000 + b"1" + b"}" * 9_000}, 422, "unknown_field"),
    ("text", {"content": json.dumps(GOOD).encode(), "headers": {"Content-Type": "text/plain"}}, 415,
     "unsupported_media_type"),
    ("no type", {"content": json.dumps(GOOD).encode(), "headers": {"Content-Type": ""}}, 415, "unsupported_media_type"),
    ("10 MB", {"content": b" " * 10_000_000}, 413, "body_too_large"),
    ("bad idempotency key", {"json": GOOD, "headers": {"Idempotency-Key": "a b"}}, 400, "invalid_header"),
]  # fmt: skip


@pytest.fixture(scope="module")
def trader(desk: Desk) -> httpx.Client:
    return desk.trader()[1]


@pytest.mark.parametrize(("request_", "status", "expected"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_orders_are_refused_by_name(
    trader: httpx.Client, request_: dict[str, Any], status: int, expected: str
) -> None:
    headers = {"Content-Type": "application/json"} | request_.get("headers", {})
    changed = {**request_, "headers": headers}
    if "client_order_id" in request_.get("json", {}):
        changed["json"] = {**request_["json"], "client_order_id": ids.random_id()}
    found = trader.post("/v1/orders", **changed)
    assert (found.status_code, code(found)) == (status, expected)
    document = found.json()
    assert document["type"] == f"urn:truetape:problem:{expected}"
    assert document["status"] == status == CODES[expected][0]
    assert "Traceback" not in found.text
    assert "/work/" not in found.text
    assert found.headers["truetape-request-id"]


def test_a_large_body_without_length_is_cut_off_while_it_comes(trader: httpx.Client) -> None:
    def endless() -> Any:
        for _ in range(1_000):
            yield b" " * 65_536

    try:
        found = trader.post("/v1/orders", content=endless(), headers={"Content-Type": "application/json"})
        assert (found.status_code, code(found)) == (413, "body_too_large")
    except httpx.WriteError:
        pass  # The server has answered and closed before all of it was sent.


def test_unknown_paths_methods_and_queries_are_problems(trader: httpx.Client) -> None:
    for method, path, status, expected in [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/", 200, ""),
        ("GET", "/v1/orders/", 404, "not_found"),
        ("GET", "//v1/orders", 404, "not_found"),
        ("PUT", "/v1/orders", 405, "method_not_allowed"),
        ("POST", "/v1/orders/abc", 405, "method_not_allowed"),
        ("GET", "/v1/orders?limit=0", 422, "invalid_field"),
        ("GET", "/v1/orders?nonsense=1", 422, "unknown_field"),
        ("GET", "/v1/orders?limit=1&limit=2", 422, "invalid_field"),
        ("GET", "/v1/orders?status=OPEN", 422, "invalid_field"),
        ("GET", "/v1/orders?cursor='--", 422, "invalid_field"),
        ("GET", "/v1/trades?state=%00", 422, "invalid_field"),
        ("GET", "/v1/legs?state=OPEN,%00", 422, "invalid_field"),
        ("GET", "/v1/trades?state=OPEN'--", 200, ""),
        ("GET", "/v1/positions?x=1", 422, "unknown_field"),
        ("GET", "/v1/orders/not-an-id", 404, "order_not_found"),
        ("GET", "/v1/orders/client:%00", 422, "invalid_field"),
        ("GET", "/v1/orders/%F0%9F%92%A9", 422, "invalid_field"),
        ("GET", "/v1/orders/' OR 1=1 --/history", 422, "invalid_field"),
    ]:
        found = trader.request(method, path)
        if status == 200:
            assert found.status_code == 200, path
            continue
        assert (found.status_code, code(found)) == (status, expected), path
        assert found.json()["request_id"] == found.headers["truetape-request-id"], path
    found = trader.get("/v1/orders", headers={"Truetape-Position": "orders.decisions/99@1"})
    assert (found.status_code, code(found)) == (400, "invalid_header")
    found = trader.get("/v1/events", headers={"Last-Event-ID": "orders.decisions/x"})
    assert (found.status_code, code(found)) == (400, "invalid_header")


def test_requests_keep_the_name_that_they_bring(trader: httpx.Client) -> None:
    assert (
        trader.get("/v1/orders", headers={"Truetape-Request-Id": "mine-1"}).headers["truetape-request-id"] == "mine-1"
    )
    strange = trader.get("/v1/orders", headers={"Truetape-Request-Id": "a b"}).headers["truetape-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", strange)


def test_an_instrument_that_does_not_fit_is_refused_by_name(desk: Desk) -> None:
    admin = desk.raw(desk.key("", "admin"))
    listing = {
        "venue": "alpha", "symbol": "ETHUSDT", "tick": "0.01", "lot": "0.0001", "min_quantity": "0.0001",
        "min_notional": "5", "maker_rate": "0.001", "taker_rate": "0.001",
    }  # fmt: skip
    good: dict[str, Any] = {
        "instrument_id": "ETH-USDT", "base": "ETH", "quote": "USDT", "tick": "0.01", "lot": "0.0001",
        "min_quantity": "0.0001", "max_quantity": "1000", "min_notional": "5", "max_notional": "1000000",
        "tradable": True, "listings": [listing],
    }  # fmt: skip
    changes: list[tuple[dict[str, Any], str]] = [
        ({"tick": "0.000000001"}, "invalid_field"),
        ({"max_notional": "99999999999999"}, "invalid_field"),
        ({"tick": "0.015"}, "reference_rejected"),
        ({"listings": []}, "reference_rejected"),
        ({"listings": [{**listing, "x": 1}]}, "unknown_field"),
        ({"listings": [{**listing, "tick": "no"}]}, "invalid_field"),
    ]
    for change, expected in changes:
        found = admin.post("/v1/admin/instruments", json={**good, **change})
        assert (found.status_code, code(found)) == (422, expected), change
    set_ = admin.post("/v1/admin/instruments", json=good, headers={"Idempotency-Key": "eth"})
    assert set_.status_code == 200
    again = admin.post("/v1/admin/instruments", json=good, headers={"Idempotency-Key": "eth"})
    assert (again.content, again.headers["idempotency-hit"]) == (set_.content, "true")
    other = admin.post("/v1/admin/instruments", json={**good, "tick": "0.1"}, headers={"Idempotency-Key": "eth"})
    assert code(other) == "idempotency_key_reused"
    listed = desk.trader()[1].get("/v1/instruments").json()["instruments"]
    assert {**good, "contract": None, "marking": None, "settlement_lag_days": None} in listed


def test_the_kill_switch_stops_new_orders_and_no_cancels(desk: Desk) -> None:
    account, http = desk.trader()
    admin = desk.raw(desk.key("", "admin"))
    http.post("/v1/orders", json=order("open"))
    halted = admin.post("/v1/admin/trading-state", json={"account_id": account, "state": "HALTED", "reason": "drill"})
    assert halted.status_code == 200
    await_true(lambda: code(http.post("/v1/orders", json=order(None))) == "trading_halted")
    assert http.delete("/v1/orders/client:open").status_code == 200
    accounts = {row["account_id"]: row for row in admin.get("/v1/admin/accounts").json()["accounts"]}
    assert accounts[account]["trading_state"] == "HALTED"
    for body in ({"account_id": "nobody", "state": "ACTIVE", "reason": "x"},):
        assert code(admin.post("/v1/admin/trading-state", json=body)) == "reference_rejected"
    fees = {"account_id": account, "maker_rate": "-0.0001", "taker_rate": "0.0005", "tiers": []}
    assert admin.post("/v1/admin/fees", json=fees).status_code == 200
    limits = {
        "account_id": account, "max_order_notional": "100", "max_open_orders": 1, "max_messages_per_second": 5,
        "collar_rate": "0.05", "mark_max_age_ms": 1000,
    }  # fmt: skip
    assert admin.post("/v1/admin/limits", json=limits).status_code == 200
    opened = admin.post("/v1/admin/accounts", json={"account_id": f"{account}-b", "name": "B"})
    assert opened.status_code == 200
    assert code(admin.post("/v1/admin/accounts", json={"account_id": account, "name": "B"})) == "reference_rejected"
    position = opened.headers["truetape-position"]
    rows = admin.get("/v1/admin/accounts", headers={"Truetape-Position": position}).json()["accounts"]
    found = next(row for row in rows if row["account_id"] == account)
    assert found["fees"] == {"maker_rate": "-0.0001", "taker_rate": "0.0005", "tiers": []}
    assert found["limits"]["max_order_notional"] == "100"


def test_an_administrator_releases_what_the_ledger_parked(desk: Desk) -> None:
    """A fill whose quote amount contradicts its price halts the account; a good one parks behind it."""
    account_id, trader = desk.trader()
    admin = desk.raw(desk.key("", "admin"))
    orders = [trader.post("/v1/orders", json=order(f"parked-{number}")).json() for number in range(2)]
    for one, quote_off_e8 in zip(orders, (10**8, 0), strict=True):
        desk.fill(one, quote_off_e8=quote_off_e8)
    await_true(lambda: len(desk.parked(account_id)) == 2)
    first, second = [row["event_id"] for row in desk.parked(account_id)]
    await_true(lambda: trader.post("/v1/orders", json=order()).status_code == 422)
    refused = trader.post("/v1/orders", json=order())
    assert (code(refused), refused.json()["numbers"]) == ("trading_halted", {"ledger_halted": 1})

    def halts() -> list[str]:
        rows = {row["account_id"]: row["halts"] for row in admin.get("/v1/admin/accounts").json()["accounts"]}
        return [one["kind"] for one in rows[account_id]]

    await_true(lambda: halts() == ["PARKED"])

    def ask(verb: str, event_id: str, **more: str) -> httpx.Response:
        body = {"account_id": account_id, "parked_event_id": event_id} | more
        return admin.post(
            f"/v1/admin/parked/{verb}", json=body, headers={"Idempotency-Key": ids.transfer_id(verb, event_id)}
        )

    assert [(ask("release", one).json()["reason"]) for one in (second, first, "no such")] == [
        "NOT_THE_OLDEST", "STILL_REFUSED", "PARKED_UNKNOWN",
    ]  # fmt: skip
    dismissed = ask("dismiss", first, reason="the venue took it back")
    assert (dismissed.status_code, dismissed.json()["left"]) == (200, 1)
    released = ask("release", second)
    assert (released.status_code, released.json()["left"]) == (200, 0)
    again = ask("release", second)
    assert (again.headers["idempotency-hit"], again.json()["event_id"]) == ("true", released.json()["event_id"])
    await_true(lambda: trader.post("/v1/orders", json=order()).status_code == 201)
    await_true(lambda: halts() == [])


def test_the_digest_shows_accounts_to_administrators_alone(desk: Desk) -> None:
    reader, admin = desk.raw(desk.key(desk.account(funded=False))), desk.raw(desk.key("", "admin"))
    plain = reader.get("/digest").json()
    assert plain["service"] == "gateway"
    assert len(plain["partitions"]["0"]["digest"]) == 64
    assert plain["partitions"]["0"]["accounts"] == {}
    assert code(reader.get("/digest?accounts=1")) == "scope_missing"
    full = admin.get("/digest?accounts=1")
    assert "acc1" in full.json()["partitions"]["0"]["accounts"]
    assert "secret" not in full.text


def test_a_body_that_does_not_come_is_not_waited_for_for_ever(desk: Desk, trader: httpx.Client) -> None:
    authorization = trader.headers["authorization"]
    host, port = "127.0.0.1", desk.stack.port("gateway")
    slow = [socket.create_connection((host, port), timeout=15) for _ in range(50)]
    try:
        for one in slow:
            one.sendall(
                f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
            )
        assert trader.post("/v1/orders", json=order(None)).status_code == 201, "others are served meanwhile"
        answer = slow[0].recv(4_096).decode()
        assert answer.startswith("HTTP/1.1 408")
        assert "body_too_slow" in answer
    finally:
        for one in slow:
            one.close()


def test_readiness_says_what_is_missing(desk: Desk) -> None:
    assert httpx.get(f"{desk.url}/health/live").json() == {"live": True}
    assert httpx.get(f"{desk.url}/health/ready").json() == {"ready": True, "missing": []}
    port = desk.stack.port("projection")
    assert httpx.get(f"http://127.0.0.1:{port}/health/ready").json() == {"ready": True, "missing": []}
    assert "truetape_records_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
