"""The venue's websockets on a real process: books without gaps, user data, listen keys, control messages."""

import asyncio
import contextlib
import hmac
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from venues.process import VenueProcess, free_port, run_venue
from venues.routes import METHODS, ROUTES
from venues.server import Server
from venues.venue import Venue

ORDER = "/api/v3/order"
ENDED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
Socket = aiohttp.ClientWebSocketResponse


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    """A venue with an empty book: whoever wants to trade brings both sides."""
    with run_venue("--rate", "0") as running:
        for account in (running.account, running.account + "-other"):
            running.deposit("USDT", "1000000", account=account)
            running.deposit("BTC", "100", account=account)
        yield running


@pytest.fixture
async def client(venue: VenueProcess) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(venue.stream_url) as session:
        yield session
    for key in (venue.trade_key, venue.other_key):
        venue.signed("DELETE", "/api/v3/openOrders", key=key, symbol="BTCUSDT")


async def answer(socket: Socket, request: Any) -> Any:
    """Send one message; the next one that comes."""
    await socket.send_str(request if isinstance(request, str) else json.dumps(request))
    return await socket.receive_json(timeout=30)


def order(venue: VenueProcess, side: str, price: str, quantity: str = "0.01", **more: Any) -> Any:
    wanted = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "side": side, "price": price}
    status, _, placed = venue.signed("POST", ORDER, **{**wanted, "quantity": quantity, **more})
    assert status == 200, placed
    return placed


def snapshot(venue: VenueProcess) -> Any:
    return venue.request("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000")[2]


def random_trading(venue: VenueProcess, rng: random.Random, orders: int) -> None:
    """Place and cancel at random prices, crossing now and then, with both accounts."""
    placed: list[tuple[Any, int]] = []
    for _ in range(orders):
        key = rng.choice([venue.trade_key, venue.other_key])
        side = rng.choice(["BUY", "SELL"])
        price = str(rng.randint(980, 1003) if side == "BUY" else rng.randint(997, 1020))
        made = order(venue, side, price, f"0.{rng.randint(10, 99)}", key=key)
        placed.append((key, made["orderId"]))
        if rng.random() < 0.4:
            owner, order_id = placed.pop(rng.randrange(len(placed)))
            venue.signed("DELETE", ORDER, key=owner, symbol="BTCUSDT", orderId=order_id)


class Follower:
    """Binance's published procedure for a local book: buffer, snapshot, drop the old, apply without a gap."""

    def __init__(self) -> None:
        self.levels: dict[str, dict[str, str]] = {"b": {}, "a": {}}
        self.update_id = 0

    def restart(self, taken: Any) -> None:
        self.levels = {"b": dict(taken["bids"]), "a": dict(taken["asks"])}
        self.update_id = taken["lastUpdateId"]

    def apply(self, event: Any) -> None:
        if event["u"] <= self.update_id:
            return
        assert event["U"] <= self.update_id + 1, "a gap in the depth updates"
        for side in ("b", "a"):
            for price, quantity in event[side]:
                self.levels[side].pop(price, None)
                if float(quantity):
                    self.levels[side][price] = quantity
        self.update_id = event["u"]


@pytest.mark.parametrize("stream", ["btcusdt@depth@100ms", "btcusdt@depth"])
async def test_the_published_procedure_gives_the_book(
    venue: VenueProcess, client: aiohttp.ClientSession, stream: str
) -> None:
    follower, rng, last_id = Follower(), random.Random(7), 0
    async with client.ws_connect(f"/stream?streams={stream}") as socket:
        random_trading(venue, rng, 60)
        buffered = [await socket.receive_json(timeout=30)]
        random_trading(venue, rng, 60)
        follower.restart(snapshot(venue))
        random_trading(venue, rng, 60)
        final = snapshot(venue)
        while follower.update_id < final["lastUpdateId"]:
            message = buffered.pop() if buffered else await socket.receive_json(timeout=30)
            assert message["stream"] == stream
            event = message["data"]
            assert last_id in (0, event["U"] - 1)
            last_id = event["u"]
            follower.apply(event)
    assert follower.update_id == final["lastUpdateId"]
    assert follower.levels == {"b": dict(final["bids"]), "a": dict(final["asks"])}
    assert len(final["bids"]) > 4


async def test_partial_books_and_best_prices(venue: VenueProcess, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/stream?streams=btcusdt@depth5@100ms/btcusdt@bookTicker") as socket:
        for n in range(8):
            order(venue, "BUY", str(900 + n))
        seen: dict[str, Any] = {}
        while len(seen.get("btcusdt@depth5@100ms", {}).get("bids", [])) < 5 or len(seen) < 2:
            message = await socket.receive_json(timeout=30)
            seen[message["stream"]] = message["data"]
    prices = [price for price, _ in seen["btcusdt@depth5@100ms"]["bids"]]
    assert prices == [f"{n}.00000000" for n in (907, 906, 905, 904, 903)]
    assert (seen["btcusdt@bookTicker"]["b"], seen["btcusdt@bookTicker"]["a"]) == ("907.00000000", "0.00000000")


async def test_trades_are_streamed_once_and_in_order(venue: VenueProcess, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/ws/btcusdt@trade/btcusdt@aggTrade") as socket:
        for price in ("1000", "1000", "1001"):
            order(venue, "SELL", price, "0.02", key=venue.other_key)
        taken = order(venue, "BUY", "1001", "0.06")
        events = [await socket.receive_json(timeout=30) for _ in range(5)]
    trades = [event for event in events if event["e"] == "trade"]
    assert [(t["p"], t["q"], t["m"]) for t in trades] == [
        ("1000.00000000", "0.02000000", False),
        ("1000.00000000", "0.02000000", False),
        ("1001.00000000", "0.02000000", False),
    ]
    assert [t["t"] for t in trades] == [fill["tradeId"] for fill in taken["fills"]]
    merged = [event for event in events if event["e"] == "aggTrade"]
    assert [(m["q"], m["f"], m["l"]) for m in merged] == [
        ("0.04000000", trades[0]["t"], trades[1]["t"]),
        ("0.02000000", trades[2]["t"], trades[2]["t"]),
    ]


async def subscribe_user(venue: VenueProcess, socket: Socket) -> Any:
    parameters = {"apiKey": venue.read_key.api_key, "timestamp": time.time_ns() // 1_000_000}
    return await answer(socket, signed_request(venue, "userDataStream.subscribe.signature", parameters))


def signed_request(venue: VenueProcess, method: str, parameters: dict[str, Any]) -> Any:

    key = venue.read_key if parameters.get("apiKey") == venue.read_key.api_key else venue.trade_key
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    signature = hmac.digest(key.secret.encode(), text.encode(), "sha256").hex()
    return {"id": "u-1", "method": method, "params": {**parameters, "signature": signature}}


async def test_user_data_of_an_order_that_fills_in_parts(venue: VenueProcess, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/ws-api/v3") as socket:
        subscribed = await subscribe_user(venue, socket)
        assert (subscribed["status"], subscribed["result"]) == (200, {"subscriptionId": 0})
        mine = order(venue, "BUY", "950", "0.03", newClientOrderId="parts")
        order(venue, "SELL", "950", "0.01", key=venue.other_key)
        order(venue, "SELL", "950", "0.01", key=venue.other_key)
        venue.signed("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="parts", newClientOrderId="stop-1")
        reports: list[Any] = []
        balances: dict[str, str] = {}
        while not reports or reports[-1]["x"] != "CANCELED" or balances.get("USDT-l") != "0.00000000":
            message = await socket.receive_json(timeout=30)
            assert message["subscriptionId"] == 0
            if message["event"]["e"] == "executionReport":
                reports.append(message["event"])
            else:
                for line in message["event"]["B"]:
                    balances[line["a"] + "-f"], balances[line["a"] + "-l"] = line["f"], line["l"]
    told = [(r["x"], r["X"], r["c"], r["C"], r["l"], r["z"], r["w"], r["m"]) for r in reports]
    assert told == [
        ("NEW", "NEW", "parts", "", "0.00000000", "0.00000000", True, False),
        ("TRADE", "PARTIALLY_FILLED", "parts", "", "0.01000000", "0.01000000", True, True),
        ("TRADE", "PARTIALLY_FILLED", "parts", "", "0.01000000", "0.02000000", True, True),
        ("CANCELED", "CANCELED", "stop-1", "parts", "0.00000000", "0.02000000", False, False),
    ]
    assert {r["i"] for r in reports} == {mine["orderId"]}
    account = venue.signed("GET", "/api/v3/account")[2]["balances"]
    for line in account:
        if line["asset"] + "-f" in balances:
            assert (line["free"], line["locked"]) == (balances[line["asset"] + "-f"], balances[line["asset"] + "-l"])
    queried = venue.signed("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=mine["orderId"])[2]
    assert [(t["id"], t["commission"], t["isMaker"]) for t in queried] == [
        (r["t"], r["n"], True) for r in reports if r["x"] == "TRADE"
    ]


async def test_events_belong_to_the_account_and_end_with_the_subscription(
    venue: VenueProcess, client: aiohttp.ClientSession
) -> None:
    async with client.ws_connect("/ws-api/v3") as socket:
        await subscribe_user(venue, socket)
        order(venue, "BUY", "910", key=venue.other_key)
        ended = await answer(socket, {"id": 2, "method": "userDataStream.unsubscribe"})
        assert ended["result"] == {}
        order(venue, "BUY", "911")
        assert (await answer(socket, {"id": 3, "method": "session.subscriptions"}))["result"] == []


async def test_listen_keys(venue: VenueProcess, client: aiohttp.ClientSession) -> None:
    headers = {"X-MBX-APIKEY": venue.trade_key.api_key}
    name = venue.request("POST", "/api/v3/userDataStream", headers=headers)[2]["listenKey"]
    assert venue.request("PUT", "/api/v3/userDataStream", f"listenKey={name}", headers)[:1] == (200,)
    stranger = {"X-MBX-APIKEY": venue.other_key.api_key}
    refused = venue.request("PUT", "/api/v3/userDataStream", f"listenKey={name}", stranger)
    assert refused[2]["code"] == -1125
    async with client.ws_connect(f"/ws/{name}") as raw, client.ws_connect(f"/stream?streams={name}") as wrapped:
        order(venue, "BUY", "912", newClientOrderId="listened")
        event = await raw.receive_json(timeout=30)
        assert (event["e"], event["c"]) == ("executionReport", "listened")
        assert await wrapped.receive_json(timeout=30) == {"stream": name, "data": event}
    assert venue.request("DELETE", "/api/v3/userDataStream", f"listenKey={name}", headers)[0] == 200
    gone = venue.request("PUT", "/api/v3/userDataStream", f"listenKey={name}", headers)
    assert gone[2]["code"] == -1125


async def test_control_messages(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/ws") as socket:
        names = ["btcusdt@trade", "ethusdt@depth@100ms"]
        assert await answer(socket, {"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
        listed = await answer(socket, {"method": "LIST_SUBSCRIPTIONS", "id": "a"})
        assert listed == {"result": names, "id": "a"}
        await answer(socket, {"method": "UNSUBSCRIBE", "params": names[:1], "id": 2})
        assert (await answer(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 3}))["result"] == names[1:]
    async with client.ws_connect("/stream") as socket:
        combined = {"method": "GET_PROPERTY", "params": ["combined"], "id": 4}
        assert (await answer(socket, combined))["result"] is True
        await answer(socket, {"method": "SET_PROPERTY", "params": ["combined", False], "id": 5})
        assert (await answer(socket, combined))["result"] is False


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 3),
        ("\x00", 3),
        ("[" * 3_000, 3),
        ("[]", 2),
        ('{"id":1}', 2),
        ('{"method":"SHOUT","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["nopeusdt@trade"],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}', 2),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
        ('{"method":"GET_PROPERTY","params":["colour"],"id":1}', 0),
        ('{"method":"GET_PROPERTY","params":["combined",1],"id":1}', 2),
    ],
)
async def test_bad_control_messages_get_their_error(client: aiohttp.ClientSession, message: str, code: int) -> None:
    async with client.ws_connect("/ws") as socket:
        assert (await answer(socket, message))["error"]["code"] == code
        assert (await answer(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 9}))["id"] == 9


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", -1135),
        ('{"id":1,"method":"time","params":[1]}', -1135),
        ('{"id":[1],"method":"time"}', -1130),
        ('{"id":1}', -1020),
        ('{"id":1,"method":"order.smile"}', -1020),
        ('{"id":1,"method":"depth"}', -1102),
        ('{"id":1,"method":"depth","params":{"symbol":{"a":1}}}', -1135),
        ('{"id":1,"method":"depth","params":{"symbol":"NOPE"}}', -1121),
        ('{"id":1,"method":"depth","params":{"symbol":"BTCUSDT","limit":-5}}', -1100),
        ('{"id":1,"method":"order.place","params":{"symbol":"BTCUSDT"}}', -2014),
        ('{"id":1,"method":"userDataStream.subscribe.signature","params":{}}', -2014),
        ('{"id":1,"method":"userDataStream.unsubscribe","params":{"subscriptionId":7}}', -1130),
    ],
)
async def test_bad_api_messages_get_their_error(client: aiohttp.ClientSession, message: str, code: int) -> None:
    async with client.ws_connect("/ws-api/v3") as socket:
        refused = await answer(socket, message)
        assert (refused["error"]["code"], refused["status"] >= 400) == (code, True)
        alive = await answer(socket, {"id": "still", "method": "ping"})
        assert (alive["id"], alive["status"], alive["result"]) == ("still", 200, {})


async def test_orders_over_the_api_socket_and_their_limits(venue: VenueProcess, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/ws-api/v3") as socket:
        wanted = {
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
            "price": "905", "apiKey": venue.trade_key.api_key, "timestamp": time.time_ns() // 1_000_000,
        }  # fmt: skip
        placed = await answer(socket, signed_request(venue, "order.place", wanted))
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        kinds = [limit["rateLimitType"] for limit in placed["rateLimits"]]
        assert kinds == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
        forged = {**signed_request(venue, "order.place", wanted)}
        forged["params"]["price"] = "1"
        assert (await answer(socket, forged))["error"]["code"] == -1022


async def test_too_many_messages_and_too_large_ones_end_the_connection(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/ws") as socket:
        with contextlib.suppress(ConnectionError):  # It may hang up before everything is sent.
            for n in range(20):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": n})
        answers = 0
        while (message := await socket.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
            answers += 1
        assert message.type in ENDED
        assert answers < 20
    async with client.ws_connect("/ws-api/v3") as socket:
        with contextlib.suppress(ConnectionError):  # It may hang up before everything is sent.
            await socket.send_str("a" * 10_000_000)
        message = await socket.receive(timeout=30)
        assert message.type in ENDED


async def test_pings_are_answered_and_shutdown_is_announced() -> None:
    with run_venue("--rate", "0") as venue:
        async with (
            aiohttp.ClientSession(venue.stream_url) as client,
            client.ws_connect("/ws/btcusdt@trade", autoping=False) as socket,
        ):
            await socket.ping(b"there?")
            pong = await socket.receive(timeout=30)
            assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"there?")
            stopping = asyncio.get_running_loop().run_in_executor(None, venue.stop)
            assert (await socket.receive_json(timeout=30))["e"] == "serverShutdown"
            assert (await socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
            await socket.close()
            assert await stopping == (0, "")


async def test_an_update_holds_only_what_changed(venue: VenueProcess, client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/ws/btcusdt@depth@100ms") as socket:
        for side, price, changed in (("BUY", "920", "b"), ("BUY", "921", "b"), ("SELL", "990", "a")):
            order(venue, side, price, "0.5")
            event = await socket.receive_json(timeout=30)
            while not event[changed]:  # Orders that an earlier test left may still be leaving.
                event = await socket.receive_json(timeout=30)
            assert [price for price, _ in event["b"] + event["a"]] == [price + ".00000000"]


async def test_a_reader_that_falls_behind_is_cut_off_and_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("venues.sessions.QUEUE_MAX", 1_000)
    venue, port = Venue("slow", {}), free_port()
    runner = web.ServerRunner(web.Server(Server(venue).handle, access_log=None), shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession() as client:
        slow = await client.ws_connect(f"ws://127.0.0.1:{port}/ws/btcusdt@trade")
        quick = await client.ws_connect(f"ws://127.0.0.1:{port}/ws/ethusdt@trade")
        for _ in range(1_001):
            venue.hub.publish("btcusdt@trade", {"text": "a" * 100})
        venue.hub.publish("ethusdt@trade", {"n": 1})
        assert await quick.receive_json(timeout=30) == {"n": 1}
        received = 0
        while (await slow.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
            received += 1
        assert received < 1_001
        assert venue.hub.listeners.keys() == {"ethusdt@trade"}
        await slow.close()
        await quick.close()
    await runner.cleanup()


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(["BTCUSDT", "BUY", "1"])
)
nested = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
parameter_names = st.sampled_from(sorted({name for route in ROUTES.values() for name in route.parameters} | {"apiKey"}))
api_messages = st.one_of(
    st.text(max_size=50),
    nested.map(json.dumps),
    st.fixed_dictionaries(
        {"method": st.sampled_from(sorted(METHODS))},
        optional={"id": nested, "params": nested | st.dictionaries(parameter_names, nested, max_size=6)},
    ).map(json.dumps),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(message=api_messages)
def test_whatever_is_sent_to_the_api_socket_is_answered(api: ClientConnection, message: str) -> None:
    api.send(message.encode("utf-8", "replace").decode())
    answered = json.loads(api.recv(timeout=30))
    assert answered["status"] in (200, 400, 401, 409)
    if answered["status"] != 200:
        assert answered["error"]["code"] < -1000


@pytest.fixture(scope="module")
def api(venue: VenueProcess) -> Iterator[ClientConnection]:
    with connect(venue.stream_url + "/ws-api/v3") as connection:
        yield connection
