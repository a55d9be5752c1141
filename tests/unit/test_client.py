"""The client: a retry is the same order, a later read names what was answered, a stream goes on where it broke."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import httpx
import msgspec
import pytest

from services.gateway.examples import EXAMPLES
from truetape.client import Client, Refused, Unreachable, frames

DECIDED = EXAMPLES["Submitted"]
ORDER = EXAMPLES["Order"]
CANCELLED = {"command_id": "c", "order_ids": ["o"], "status": "REQUESTED"}
Answer = httpx.Response | Exception


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    paused: list[float] = []
    monkeypatch.setattr(time, "sleep", paused.append)
    return paused


class Wire:
    """Answers requests in turn and remembers them; an exception is a connection that broke."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options: Any) -> Client:
        return Client("http://gateway", "k.secret", transport=httpx.MockTransport(self), **options)


def answer(content: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json=content, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def problem(code: str, status: int, **headers: str) -> httpx.Response:
    return answer(
        {"type": code, "status": status, "code": code, "detail": "no", "numbers": {"tick": "0.01"}}, status, **headers
    )


def test_a_submission_is_repeated_under_one_client_order_id() -> None:
    wire = Wire(
        httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), problem("outcome_unknown", 504),
        problem("overloaded", 503, Retry_After="1"), problem("rate_limited", 429), answer(DECIDED, 201),
    )  # fmt: skip
    with wire.client() as client:
        decided = client.submit("BTC-USDT", "BUY", "0.01", price="60000.5")
    assert decided.status == "ACCEPTED"
    bodies = [json.loads(request.content) for request in wire.requests]
    assert len(bodies) == 6
    assert all(body == bodies[0] for body in bodies), "the same order each time"
    assert len(bodies[0]["client_order_id"]) == 32
    assert {request.headers["authorization"] for request in wire.requests} == {"Bearer k.secret"}


def test_a_given_client_order_id_is_kept_and_a_market_order_has_no_price() -> None:
    wire = Wire(answer(DECIDED, 201))
    wire.client().submit("BTC-USDT", "SELL", "1", client_order_id="mine")
    body = json.loads(wire.requests[0].content)
    assert body == {
        "instrument_id": "BTC-USDT", "side": "SELL", "order_type": "MARKET", "quantity": "1", "client_order_id": "mine",
    }  # fmt: skip


@pytest.mark.parametrize(("headers", "repeated"), [({}, False), ({"Idempotency_Hit": "true"}, True)])
def test_whether_an_order_was_there_before_is_told(headers: dict[str, str], repeated: bool) -> None:
    wire = Wire(answer(DECIDED, 201, **headers), problem("price_off_tick", 422, **headers))
    decided = wire.client().submit("BTC-USDT", "BUY", "1", price="1", client_order_id="mine")
    assert (decided.status, decided.repeated) == ("ACCEPTED", repeated)
    with pytest.raises(Refused) as caught:
        wire.client().submit("BTC-USDT", "BUY", "1", price="1", client_order_id="mine")
    assert caught.value.repeated is repeated


def test_the_server_says_how_long_to_wait(no_pauses: list[float]) -> None:
    wire = Wire(problem("overloaded", 503, Retry_After="3"), answer(DECIDED, 201))
    wire.client().submit("BTC-USDT", "BUY", "1", price="1")
    assert no_pauses[0] >= 3


def test_refusals_carry_the_code_and_are_not_repeated() -> None:
    wire = Wire(problem("price_off_tick", 422))
    with pytest.raises(Refused, match="422 price_off_tick: no") as caught:
        wire.client().submit("BTC-USDT", "BUY", "1", price="1")
    assert (caught.value.code, caught.value.status, caught.value.numbers) == ("price_off_tick", 422, {"tick": "0.01"})
    assert len(wire.requests) == 1


def test_after_the_retries_the_last_word_is_told() -> None:
    broken = Wire(*[httpx.ConnectError("refused")] * 99)
    with pytest.raises(Unreachable, match="POST /v1/orders"):
        broken.client(retry_seconds=0.01).submit("BTC-USDT", "BUY", "1")
    behind = Wire(*[problem("view_behind", 503, Retry_After="9")] * 99)
    with pytest.raises(Refused, match="view_behind"):
        behind.client(retry_seconds=0.01).balances()


def test_strange_answers_are_refusals_too() -> None:
    with pytest.raises(Refused, match="502 unknown: <html>"):
        Wire(httpx.Response(502, text="<html>")).client().order("x")


def test_later_requests_name_what_was_answered() -> None:
    wire = Wire(
        answer(DECIDED, 201, Truetape_Position="orders.decisions/3@9"),
        answer(DECIDED, 201, Truetape_Position="orders.decisions/3@7"),
        answer(
            {"command_id": "c", "order_ids": ["o"], "status": "REQUESTED"}, Truetape_Position="orders.decisions/5@1"
        ),
        answer(ORDER),
    )
    client = wire.client()
    for _ in range(2):
        client.submit("BTC-USDT", "BUY", "1", price="1")
    assert client.cancel("o") == ["o"]
    assert client.order("o").filled == "0.004"
    assert "truetape-position" not in wire.requests[0].headers
    assert wire.requests[3].headers["truetape-position"] == "orders.decisions/3@9,orders.decisions/5@1"


def test_pages_are_read_to_the_end() -> None:
    pages = [{"orders": [ORDER] * 2, "next_cursor": "41"}, {"orders": [ORDER], "next_cursor": None}]
    wire = Wire(*map(answer, pages))
    assert len(list(wire.client().orders(status="FILLED"))) == 3
    assert [dict(request.url.params) for request in wire.requests] == [
        {"status": "FILLED", "limit": "100"}, {"status": "FILLED", "limit": "100", "cursor": "41"},
    ]  # fmt: skip


def frame(offset: int, kind: str = "OrderAccepted") -> bytes:
    data = {
        "topic": "orders.decisions", "partition": 3, "offset": offset, "type": kind, "at": "t", "epoch": 1,
        "sequence": offset, "event_id": "e", "cause": None, "fields": {},
    }  # fmt: skip
    return b"id: orders.decisions/3@%d\nevent: %b\ndata: %b\n\n" % (offset, kind.encode(), msgspec.json.encode(data))


class Broken(httpx.SyncByteStream):
    """A body that ends with a lost connection."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        raise httpx.ReadError("lost")


def test_a_stream_goes_on_after_the_last_event_that_came() -> None:
    ready = b'retry: 1000\n\nid: orders.decisions/3@4\nevent: Ready\ndata: {"position":"x"}\n\n: still here\n\n'
    wire = Wire(
        httpx.Response(200, stream=Broken(ready)), httpx.ConnectError("down"),
        httpx.Response(200, stream=Broken(frame(5), frame(6), frame(7)[:20])), problem("starting", 503),
        httpx.Response(200, content=frame(7)), httpx.Response(200, content=frame(8)),
    )  # fmt: skip
    events = list(islice(wire.client().events(), 4))
    assert [event.offset for event in events] == [5, 6, 7, 8]
    assert events[0].stream_id == "orders.decisions/3@5"
    sent = [request.headers.get("last-event-id") for request in wire.requests]
    assert sent == [None, *[f"orders.decisions/3@{offset}" for offset in (4, 4, 6, 6, 7)]]


def test_a_stream_ends_with_a_named_error() -> None:
    with pytest.raises(Refused, match="scope_missing"):
        next(Wire(problem("scope_missing", 403)).client().events())
    with pytest.raises(Unreachable):
        next(Wire(*[httpx.ConnectError("down")] * 9).client().events(reconnects_max=3))


def test_frames_pass_over_comments_and_keep_colons() -> None:
    lines = 'event: A\nid: t/1@2\ndata: {"text": "a: b"}\n\n: comment\n\nevent: B\n\n'.splitlines()
    assert list(frames(iter(lines))) == [("A", "t/1@2", {"text": "a: b"})]


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (lambda c: c.cancel_all("BTC-USDT"), ("DELETE", "/v1/orders?instrument_id=BTC-USDT")),
        (lambda c: c.cancel("client:mine"), ("DELETE", "/v1/orders/client:mine")),
        (lambda c: c.positions(), ("GET", "/v1/positions")),
        (lambda c: c.history("o"), ("GET", "/v1/orders/o/history")),
        (lambda c: c.deposit("a", "USDT", "1", "venue:alpha", "r"), ("POST", "/v1/admin/deposits")),
        (lambda c: c.withdraw("USDT", "1", "venue:alpha", "r"), ("POST", "/v1/withdrawals")),
        (lambda c: c.administer("POST", "/v1/admin/fees", {}), ("POST", "/v1/admin/fees")),
    ],
)
def test_each_call_goes_where_it_should(call: Callable[[Client], Any], sent: tuple[str, str]) -> None:
    transfer = EXAMPLES["Transfer"]
    content = {"command_id": "c", "order_ids": [], "status": "REQUESTED", "positions": [], "events": []}
    wire = Wire(answer(transfer if sent[1].endswith(("deposits", "withdrawals")) else content))
    call(wire.client())
    [request] = wire.requests
    assert (request.method, request.url.raw_path.decode()) == sent
