"""The venue's REST protocol on a real process: who may do what, limits, bad input, start and end."""

import gzip
import hmac
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from truetape.errors import SetupError
from venues.process import VenueProcess, free_port, run_venue, sign
from venues.routes import ROUTES

ORDER = "/api/v3/order"
LIMIT: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    """A venue with an empty book: whoever wants to trade brings both sides."""
    with run_venue("--rate", "0") as running:
        for account in (running.account, running.account + "-other"):
            running.deposit("USDT", "1000000", account=account)
            running.deposit("BTC", "100", account=account)
        yield running


def order(venue: VenueProcess, price: str, **more: Any) -> Any:
    status, _, placed = venue.signed("POST", ORDER, **{**LIMIT, "price": price, **more})
    assert status == 200, placed
    return placed


def cancel_all(venue: VenueProcess) -> None:
    for key in (venue.trade_key, venue.other_key):
        venue.signed("DELETE", "/api/v3/openOrders", key=key, symbol="BTCUSDT")


# ---- who may do what


def test_keys_permissions_and_signatures(venue: VenueProcess) -> None:
    def code(**request: Any) -> tuple[int, int]:
        status, _, body = venue.signed("POST", ORDER, **LIMIT, price="100", **request)
        return status, body["code"]

    forged = venue.trade_key.__class__(venue.trade_key.api_key, "x" * 32, "omnibus")
    unknown = venue.trade_key.__class__("a" * 32, "x" * 32, "omnibus")
    now_ms = time.time_ns() // 1_000_000
    assert venue.request("POST", ORDER)[2]["code"] == -2014
    assert code(key=unknown) == (401, -2015)
    assert code(key=venue.read_key) == (401, -2015)
    assert code(key=forged) == (400, -1022)
    assert code(timestamp=now_ms + 1_500) == (400, -1021)
    assert code(timestamp=now_ms - 5_500) == (400, -1021)
    assert code(timestamp=now_ms - 500, recvWindow=100) == (400, -1021)
    assert code(recvWindow=60_001) == (400, -1102)
    assert venue.signed("GET", "/api/v3/account", key=venue.read_key)[0] == 200
    assert venue.signed("POST", ORDER, **LIMIT, price="600", timestamp=now_ms - 900)[0] == 200
    cancel_all(venue)


def test_signature_covers_query_and_body_without_separator(venue: VenueProcess) -> None:
    query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
    body = f"quantity=0.01&price=600&timestamp={time.time_ns() // 1_000_000}"
    headers = {"X-MBX-APIKEY": venue.trade_key.api_key}
    signature = _hmac(venue, query + "&" + body)
    refused = venue.request("POST", f"{ORDER}?{query}", f"{body}&signature={signature}", headers)
    assert refused[2]["code"] == -1022
    signature = _hmac(venue, query + body)
    status, _, placed = venue.request("POST", f"{ORDER}?{query}", f"{body}&signature={signature}", headers)
    assert (status, placed["status"]) == (200, "NEW")
    assert venue.request("POST", f"{ORDER}?{query}", f"{body}&signature={signature.upper()}", headers)[0] == 200
    cancel_all(venue)


def _hmac(venue: VenueProcess, text: str) -> str:
    return hmac.digest(venue.trade_key.secret.encode(), text.encode(), "sha256").hex()


def test_accounts_are_apart(venue: VenueProcess) -> None:
    mine = order(venue, "600", newClientOrderId="mine-1")
    status, _, body = venue.signed("GET", ORDER, key=venue.other_key, symbol="BTCUSDT", orderId=mine["orderId"])
    assert (status, body["code"]) == (400, -2013)
    status, _, body = venue.signed("DELETE", ORDER, key=venue.other_key, symbol="BTCUSDT", orderId=mine["orderId"])
    assert (status, body["code"]) == (400, -2011)
    assert venue.signed("GET", "/api/v3/openOrders", key=venue.other_key)[2] == []
    cancel_all(venue)


def test_without_keys_only_public_endpoints_work() -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "venues", "--port", str(port), "--rate", "0"],
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert "no keys: public endpoints only" in process.stdout.readline()
        bare = VenueProcess(port, "none")
        assert bare.request("GET", "/api/v3/exchangeInfo")[0] == 200
        assert bare.signed("GET", "/api/v3/account")[2]["code"] == -2015
        assert bare.request("GET", "/admin/faults")[0] == 404
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


# ---- limits


def test_weight_limit_then_ban() -> None:
    with run_venue("--rate", "0", "--weight-limit", "30", "--ban-seconds", "1") as venue:
        statuses: list[int] = []
        headers: dict[str, str] = {}
        for _ in range(80):
            status, headers, _ = venue.request("GET", "/api/v3/ping")
            statuses.append(status)
        assert statuses[0] == 200
        assert 429 in statuses
        assert statuses[-1] == 418
        assert statuses == sorted(statuses, key=[200, 429, 418].index)
        assert int(headers["retry-after"]) >= 1
        deadline = time.monotonic() + 60
        while venue.request("GET", "/api/v3/ping")[0] == 418:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_order_limits_and_their_headers() -> None:
    with run_venue("--rate", "0", "--orders-10s", "5") as venue:
        venue.deposit("USDT", "1000000")
        counts, code = [], 0
        # Ten seconds may begin anew between two orders, so a few more may pass.
        for _ in range(12):
            status, headers, body = venue.signed("POST", ORDER, **LIMIT, price="600")
            if status == 429:
                code = body["code"]
                break
            counts.append((headers["x-mbx-order-count-10s"], headers["x-mbx-order-count-1d"]))
            assert int(headers["x-mbx-used-weight-1m"]) > 0
        assert code == -1015
        assert counts[0] == ("1", "1")
        used = venue.signed("GET", "/api/v3/rateLimit/order")[2]
        assert [(limit["interval"], limit["count"]) for limit in used] == [
            ("SECOND", 6),
            ("DAY", len(counts) + 1),
        ]


# ---- bad input


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": None}, -1102),
        ({"symbol": "NOPE"}, -1121),
        ({"symbol": "btc usdt"}, -1100),
        ({"side": None}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"type": "WISH"}, -1116),
        ({"type": "STOP_LOSS_LIMIT"}, -2010),
        ({"timeInForce": "GTX"}, -1115),
        ({"timeInForce": None}, -1102),
        ({"timeInForce": ""}, -1105),
        ({"price": "0"}, -1013),
        ({"price": "-1"}, -1100),
        ({"price": "NaN"}, -1100),
        ({"price": "1e5"}, -1100),
        ({"price": "600,5"}, -1100),
        ({"price": "\u0661\u0662"}, -1100),
        ({"price": "600.005"}, -1013),
        ({"price": "600.123456789"}, -1111),
        ({"price": "9" * 20}, -1108),
        ({"price": "9" * 500}, -1100),
        ({"price": "2000000"}, -1013),
        ({"quantity": "0"}, -1013),
        ({"quantity": "0.000001"}, -1013),
        ({"quantity": "0.00001"}, -1013),
        ({"quantity": "10000"}, -1013),
        ({"quantity": None}, -1102),
        ({"quantity": "100", "price": "60000"}, -2010),
        ({"quoteOrderQty": "10"}, -1106),
        ({"stopPrice": "10"}, -1106),
        ({"icebergQty": "0.001"}, -2010),
        ({"type": "LIMIT_MAKER"}, -1106),
        ({"type": "MARKET", "timeInForce": None}, -1106),
        ({"type": "MARKET", "price": None}, -1114),
        ({"type": "MARKET", "timeInForce": None, "price": None, "quantity": None}, -1102),
        ({"type": "MARKET", "timeInForce": None, "price": None, "quoteOrderQty": "10"}, -1128),
        ({"newClientOrderId": "a" * 37}, -1100),
        ({"newClientOrderId": "a b"}, -1100),
        ({"newOrderRespType": "SHORT"}, -1130),
        ({"selfTradePreventionMode": "SOMETIMES"}, -1013),
        ({"strategyType": "5"}, -1134),
        ({"colour": "red"}, -1104),
        ({"timestamp": ""}, -1102),
        ({"timestamp": "soon"}, -1100),
        ({"recvWindow": "-5"}, -1100),
    ],
    ids=str,
)
def test_each_bad_parameter_has_its_error(venue: VenueProcess, change: dict[str, Any], code: int) -> None:
    wanted = {**LIMIT, "price": "600", **change}
    sent = {name: value for name, value in wanted.items() if value is not None}
    status, _, body = venue.signed("POST", ORDER, **sent)
    assert (status, body["code"]) == (400, code)
    assert body["msg"]


def test_filter_failures_name_the_filter(venue: VenueProcess) -> None:
    def message(**change: str) -> str:
        text: str = venue.signed("POST", ORDER, **{**LIMIT, "price": "600", **change})[2]["msg"]
        return text

    assert message(price="600.001") == "Filter failure: PRICE_FILTER"
    assert message(quantity="0.000005") == "Filter failure: LOT_SIZE"
    assert message(quantity="0.001") == "Filter failure: NOTIONAL"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v3/nothing", 404),
        ("PUT", "/api/v3/order", 405),
        ("OPTIONS", "/api/v3/ping", 405),
        ("GET", "/ws-api/v3", 404),
        ("GET", "/admin/faults", 401),
    ],
)
def test_unknown_paths_and_methods(venue: VenueProcess, method: str, path: str, status: int) -> None:
    answered, _, body = venue.request(method, path)
    assert (answered, body["code"] < 0) == (status, True)


@pytest.mark.parametrize("path", ["/ws", "/stream?streams=btcusdt@trade", "/ws-api/v3", "/elsewhere"])
def test_a_bad_websocket_handshake_has_a_named_error(venue: VenueProcess, path: str) -> None:
    status, _, body = venue.request("GET", path, headers={"Upgrade": "websocket", "Connection": "upgrade"})
    assert status in (400, 404)
    assert body["code"] == -1020
    assert venue.admin("POST", "disconnect", {"streams": "all"})["disconnected"] == 0


@pytest.mark.parametrize("declared", [True, False], ids=["length", "chunked"])
def test_a_body_of_ten_megabytes_is_refused(venue: VenueProcess, declared: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", venue.port, timeout=10)
    pieces = (b"a" * 65_536 for _ in range(160))
    try:
        connection.request("POST", ORDER, b"a" * 10_485_760 if declared else pieces)
    except (BrokenPipeError, ConnectionResetError):
        pass  # It may hang up before everything is sent.
    else:
        answered = connection.getresponse()
        assert answered.status == 413
        assert b"-1013" in answered.read()
    finally:
        connection.close()
    assert venue.request("GET", "/api/v3/ping")[0] == 200


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"symbol=%FF%FE&side=BUY", b"a=1&a=2", b"&".join([b"p=%d"] * 100), b"\x00" * 100]
)
def test_bytes_that_are_no_form_are_refused(venue: VenueProcess, body: bytes) -> None:
    headers = {"X-MBX-APIKEY": venue.trade_key.api_key}
    status, _, answered = venue.request("POST", ORDER, body, headers)
    assert (status, answered["code"] < -1000) == (400, True)


values = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["", "BTCUSDT", "ETHUSDT", "BUY", "LIMIT", "MARKET", "GTC", "1", "600", "0.01", "true", "[]"]),
)
SENSIBLE = {**LIMIT, "price": "600", "interval": "1m", "cancelReplaceMode": "ALLOW_FAILURE"}


def requests_to(route: tuple[str, str]) -> st.SearchStrategy[tuple[tuple[str, str], dict[str, str]]]:
    """A route with some of its parameters, half of them sensible, and now and then a strange one."""
    known = sorted(ROUTES[route].parameters - {"timestamp"})
    own = {name: st.one_of(st.just(SENSIBLE.get(name, "1")), values) for name in known}
    strange = st.dictionaries(st.text(max_size=10), values, max_size=1)
    parameters = st.tuples(st.fixed_dictionaries({}, optional=own), st.one_of(st.just({}), strange))
    return st.tuples(st.just(route), parameters.map(lambda both: {**both[1], **both[0]}))


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(request_=st.sampled_from(sorted(ROUTES)).flatmap(requests_to), signed=st.booleans())
def test_nothing_that_is_sent_makes_a_server_error(
    venue: VenueProcess, request_: tuple[tuple[str, str], dict[str, str]], signed: bool
) -> None:
    (method, path), parameters = request_
    clean = {name.encode("utf-8", "replace"): value.encode("utf-8", "replace") for name, value in parameters.items()}
    stamped = {b"timestamp": str(time.time_ns() // 1_000_000).encode(), **clean} if signed else clean
    query = sign(venue.trade_key, stamped)  # type: ignore[arg-type]  # bytes are encoded as they are
    headers = {"X-MBX-APIKEY": venue.trade_key.api_key}
    status, _, body = (
        venue.request(method, f"{path}?{query}", headers=headers)
        if method == "GET"
        else venue.request(method, path, query, headers)
    )
    assert status in (200, 400, 401, 409), body
    if status != 200:
        assert body["code"] < -1000
        assert body["msg"]


# ---- start and end


def test_starts_quickly_says_so_and_ends_on_sigterm() -> None:
    with run_venue("--rate", "5", "--name", "gamma") as venue:
        assert venue.greeting.startswith(f"venue gamma listens on http://127.0.0.1:{venue.port} (BTCUSDT, ETHUSDT;")
        assert venue.trade_key.secret not in venue.greeting
        status, errors = venue.stop()
    assert (status, errors) == (0, "")


def test_a_port_in_use_has_a_named_error(venue: VenueProcess) -> None:
    second = VenueProcess(venue.port, "nobody")
    with pytest.raises(SetupError, match=rf"port {venue.port} on 127.0.0.1 is in use; stop the process"):
        second.start()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing; check --recording"),
        (b"no gzip", "is not understood at line"),
        ("5 {}\n", "no book snapshot"),
        ("5 {]\n", "is not understood at line 1"),
        ('5 {"lastUpdateId":1,"bids":[],"asks":[]}\n6 {"data":{"s":"XYZ"}}\n', "XYZ, which is not listed"),
    ],
    ids=["missing", "not gzip", "no snapshot", "not json", "not listed"],
)
def test_an_unusable_recording_has_a_named_error(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "recorded.gz"
    if content is not None:
        path.write_bytes(gzip.compress(content.encode()) if isinstance(content, str) else content)
    with pytest.raises(SetupError, match=said):
        VenueProcess(free_port(), "nobody").start("--recording", str(path))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("not json", "is not a JSON list"),
        ('[{"api_key":"k","secret":"SECRETSECRETSECRET","account":""}]', "an account name"),
        ('[{"api_key":"k","secret":"short","account":"a"}]', "at least 16 characters"),
    ],
)
def test_unusable_keys_have_a_named_error_without_the_secret(keys: str, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "venues", "--port", str(free_port())],
        env={"PATH": "/usr/bin:/bin", "TRUETAPE_VENUE_KEYS": keys},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "SECRET" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_half_sent_request_disturbs_nobody(venue: VenueProcess) -> None:
    with socket.create_connection(("127.0.0.1", venue.port)) as half:
        half.sendall(b"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsymb")
        assert venue.request("GET", "/api/v3/ping")[0] == 200
    assert venue.request("GET", "/api/v3/ping")[0] == 200
