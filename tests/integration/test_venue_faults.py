"""Planted faults and the admin endpoints on a real venue process: each fault does what it says, and no more."""

import hmac
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from truetape.errors import SetupError
from venues.process import VenueProcess, run_venue

ORDER = "/api/v3/order"
ENDED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
Socket = aiohttp.ClientWebSocketResponse


@pytest.fixture(scope="module")
def running() -> Iterator[VenueProcess]:
    with run_venue("--rate", "0") as venue:
        for account in (venue.account, venue.account + "-other"):
            venue.deposit("USDT", "1000000", account=account)
            venue.deposit("BTC", "100", account=account)
        yield venue


@pytest.fixture
def venue(running: VenueProcess) -> Iterator[VenueProcess]:
    yield running
    running.admin("DELETE", "faults")
    for key in (running.trade_key, running.other_key):
        running.signed("DELETE", "/api/v3/openOrders", key=key, symbol="BTCUSDT")


@pytest.fixture
async def user(venue: VenueProcess) -> AsyncIterator[Socket]:
    """A subscribed user data stream of the trading account."""
    async with aiohttp.ClientSession(venue.stream_url) as web, web.ws_connect("/ws-api/v3") as socket:
        key, now_ms = venue.read_key, time.time_ns() // 1_000_000
        text = f"apiKey={key.api_key}&timestamp={now_ms}"
        signature = hmac.digest(key.secret.encode(), text.encode(), "sha256").hex()
        parameters = {"apiKey": key.api_key, "timestamp": now_ms, "signature": signature}
        await socket.send_json({"id": 1, "method": "userDataStream.subscribe.signature", "params": parameters})
        assert (await socket.receive_json(timeout=30))["status"] == 200
        yield socket


def place(venue: VenueProcess, name: str, side: str = "BUY", price: str = "900", **more: Any) -> Any:
    wanted = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "side": side, "quantity": "0.01"}
    return venue.signed("POST", ORDER, **{**wanted, "price": price, "newClientOrderId": name, **more})


def state(venue: VenueProcess, name: str) -> str:
    """The order's status as a query tells it, "" when there is none."""
    _, _, body = venue.signed("GET", ORDER, symbol="BTCUSDT", origClientOrderId=name)
    return str(body.get("status", ""))


async def executions(socket: Socket, count: int) -> list[str]:
    """ "<client order id> <execution type>" of the next execution reports."""
    seen: list[str] = []
    while len(seen) < count:
        event = (await socket.receive_json(timeout=30))["event"]
        if event["e"] == "executionReport":
            seen.append(f"{event['C'] or event['c']} {event['x']}")
    return seen


@pytest.mark.parametrize(("kind", "after"), [("drop_reply", "NEW"), ("drop_request", "")])
def test_a_dropped_answer_leaves_the_outcome_to_a_query(venue: VenueProcess, kind: str, after: str) -> None:
    venue.plant(kind=kind, path=ORDER, method="POST", count=1)
    with pytest.raises(OSError):
        place(venue, kind)
    assert state(venue, kind) == after
    assert place(venue, kind + "-2")[0] == 200


@pytest.mark.parametrize(
    ("kind", "code", "status", "after"),
    [
        ("error_after", -1007, 504, "NEW"),
        ("error_after", -1006, 500, "NEW"),
        ("error", -1007, 504, ""),
        ("error", -1008, 503, ""),
        ("error", -1001, 500, ""),
    ],
)
def test_server_errors_before_and_after_executing(
    venue: VenueProcess, kind: str, code: int, status: int, after: str
) -> None:
    venue.plant(kind=kind, code=code, path=ORDER, method="POST", count=1)
    name = f"{kind}{code}"
    answered, _, body = place(venue, name)
    assert (answered, body["code"]) == (status, code)
    assert state(venue, name) == after


def test_a_delayed_order_past_its_window_never_reaches_the_book(venue: VenueProcess) -> None:
    venue.plant(kind="delay", delay_ms=400, path=ORDER, method="POST")
    answered, _, body = place(venue, "late", recvWindow=200)
    assert (answered, body["code"]) == (400, -1021)
    assert state(venue, "late") == ""
    started = time.monotonic()
    assert place(venue, "patient")[0] == 200
    assert time.monotonic() - started >= 0.4


def test_rate_limit_fault_strikes_so_often_and_no_more(venue: VenueProcess) -> None:
    venue.plant(kind="rate_limit", path="/api/v3/account", count=2)
    answers = [venue.signed("GET", "/api/v3/account")[:2] for _ in range(3)]
    assert [status for status, _ in answers] == [429, 429, 200]
    assert answers[0][1]["retry-after"] == "1"
    assert [rule["hits"] for rule in venue.admin("GET", "faults")] == [2]


async def test_events_twice(venue: VenueProcess, user: Socket) -> None:
    venue.plant(kind="duplicate_event", executions=["NEW"], count=1)
    place(venue, "twice")
    place(venue, "once")
    assert await executions(user, 3) == ["twice NEW", "twice NEW", "once NEW"]


async def test_events_out_of_order(venue: VenueProcess, user: Socket) -> None:
    place(venue, "counter", side="SELL", price="905", key=venue.other_key)
    venue.plant(kind="reorder_event", executions=["NEW"], count=2, delay_ms=60_000)
    assert place(venue, "swapped", price="905")[2]["status"] == "FILLED"
    place(venue, "resting")
    venue.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="resting")
    assert await executions(user, 4) == ["swapped TRADE", "swapped NEW", "resting CANCELED", "resting NEW"]


async def test_an_event_out_of_order_is_not_held_for_ever(venue: VenueProcess, user: Socket) -> None:
    venue.plant(kind="reorder_event", executions=["NEW"], delay_ms=50)
    place(venue, "lonely")
    assert await executions(user, 1) == ["lonely NEW"]


async def test_late_fills_come_after_later_events(venue: VenueProcess, user: Socket) -> None:
    venue.plant(kind="late_event", executions=["TRADE"], delay_ms=300, count=1)
    place(venue, "counter", side="SELL", price="906", key=venue.other_key, quantity="0.01")
    place(venue, "filled", price="906", quantity="0.02")
    venue.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="filled")
    # The trade strikes both accounts; the fault took the taker's report, told first.
    assert await executions(user, 3) == ["filled NEW", "filled CANCELED", "filled TRADE"]


async def test_lost_events_stay_in_the_query(venue: VenueProcess, user: Socket) -> None:
    venue.plant(kind="drop_event", executions=["NEW"], count=1)
    place(venue, "unheard")
    place(venue, "heard")
    assert await executions(user, 1) == ["heard NEW"]
    assert state(venue, "unheard") == "NEW"


@pytest.mark.parametrize(
    ("streams", "user_ends", "market_ends"),
    [("user", True, False), ("api", True, False), ("market", False, True), ("all", True, True)],
)
async def test_disconnect(venue: VenueProcess, user: Socket, streams: str, user_ends: bool, market_ends: bool) -> None:
    async with aiohttp.ClientSession(venue.stream_url) as web, web.ws_connect("/ws") as market:
        await market.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        await market.receive(timeout=30)
        ended = venue.admin("POST", "disconnect", {"streams": streams})
        assert ended["disconnected"] == user_ends + market_ends
        for socket, ends in ((user, user_ends), (market, market_ends)):
            if not ends:
                await socket.send_json({"method": "ping", "id": 2})
            assert ((await socket.receive(timeout=30)).type in ENDED) == ends


async def test_a_swallowed_depth_update_shows_as_a_gap(venue: VenueProcess) -> None:
    venue.plant(kind="depth_gap", path="btcusdt@depth", count=1)
    async with (
        aiohttp.ClientSession(venue.stream_url) as web,
        web.ws_connect("/ws/btcusdt@depth@100ms") as socket,
    ):
        update_ids: list[tuple[int, int]] = []
        before = venue.request("GET", "/api/v3/depth?symbol=BTCUSDT")[2]["lastUpdateId"]
        place(venue, "swallowed")
        while not venue.admin("GET", "faults")[0]["hits"]:
            pass
        place(venue, "told")
        event = await socket.receive_json(timeout=30)
        update_ids.append((event["U"], event["u"]))
    assert update_ids[0][0] > before + 1


def test_chances_are_drawn_from_the_seed() -> None:
    def pattern(seed: str) -> list[int]:
        with run_venue("--rate", "0", "--seed", seed) as venue:
            venue.plant(kind="rate_limit", path="/api/v3/time", probability=0.5)
            return [venue.request("GET", "/api/v3/time")[0] for _ in range(30)]

    first = pattern("11")
    assert first == pattern("11")
    assert {200, 429} == set(first)
    assert first != pattern("12")


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "earthquake"},
        {"kind": "delay", "probability": 2},
        {"kind": "delay", "count": 0},
        {"kind": "delay", "delay_ms": -1},
        {"kind": "error", "code": 7},
        {"kind": "delay", "colour": "red"},
        "[",
    ],
)
def test_rules_that_make_no_sense_are_refused(venue: VenueProcess, rule: Any) -> None:
    with pytest.raises(SetupError, match="answered 400"):
        venue.admin("POST", "faults", rule)
    assert venue.admin("GET", "faults") == []


def test_admin_needs_the_token(venue: VenueProcess) -> None:
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": venue.admin_token}):
        assert venue.request("GET", "/admin/accounts", headers=header)[0] == 401


def test_deposits_and_withdrawals(venue: VenueProcess) -> None:
    def balance() -> str:
        lines = venue.admin("GET", f"accounts/{venue.account}")["balances"]
        return str(next(line["free"] for line in lines if line["asset"] == "ETH"))

    assert venue.deposit("ETH", "5", "eth-1")["applied"] is True
    assert venue.deposit("ETH", "5", "eth-1")["applied"] is False
    assert balance() == "5.00000000"
    out = {"asset": "ETH", "amount": "2", "reference": "eth-2"}
    assert venue.admin("POST", f"accounts/{venue.account}/withdraw", out)["applied"] is True
    assert venue.admin("POST", f"accounts/{venue.account}/withdraw", out)["applied"] is False
    assert balance() == "3.00000000"
    with pytest.raises(SetupError, match="insufficient balance"):
        venue.admin("POST", f"accounts/{venue.account}/withdraw", {**out, "amount": "9", "reference": "eth-3"})
    for bad in ({"amount": "-1"}, {"amount": "1e3"}, {"asset": "DOGE"}, {"reference": ""}, {"amount": 5}):
        with pytest.raises(SetupError, match="answered 400"):
            venue.admin("POST", f"accounts/{venue.account}/deposit", {**out, **bad})
    with pytest.raises(SetupError, match="answered 404"):
        venue.deposit("ETH", "1", account="nobody")
    assert venue.admin("GET", "accounts")["conserved"] is True


async def test_planted_breaks(venue: VenueProcess, user: Socket) -> None:
    before = venue.signed("GET", "/api/v3/account")[2]["balances"]
    venue.admin("POST", f"accounts/{venue.account}/adjust", {"asset": "USDT", "amount": "-100.5"})
    place(venue, "counter-2", side="SELL", price="907", key=venue.other_key)
    outside = venue.admin(
        "POST",
        f"accounts/{venue.account}/trade-outside",
        {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"},
    )
    # The silent adjustment told nobody; the trade is told as any other.
    assert await executions(user, 2) == [
        f"{outside['clientOrderId']} NEW",
        f"{outside['clientOrderId']} TRADE",
    ]
    after = venue.signed("GET", "/api/v3/account")[2]["balances"]
    usdt = [next(float(b["free"]) for b in balances if b["asset"] == "USDT") for balances in (before, after)]
    assert usdt[0] - usdt[1] == pytest.approx(100.5 + 9.07)
    truth = venue.admin("GET", f"trades?account={venue.account}")
    assert outside["orderId"] in [trade["orderId"] for trade in truth]
    assert venue.admin("GET", "accounts")["conserved"] is True


def test_arrival_times_of_orders_are_kept(venue: VenueProcess) -> None:
    sent_us = time.time_ns() // 1_000
    place(venue, "timed")
    arrived = {entry["client_order_id"]: entry["received_us"] for entry in venue.admin("GET", "received")}
    assert sent_us <= arrived["timed"] <= time.time_ns() // 1_000
