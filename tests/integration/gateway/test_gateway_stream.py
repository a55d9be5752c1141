"""The event stream: an account's own events, live and resumed, nothing twice and nothing left out."""

import socket
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import httpx

from services.gateway.streaming import QUEUE_MAX
from tests.integration.gateway.desk import Desk, await_true, code, order
from truetape import ids
from truetape import messages as m
from truetape.client import Client, StreamEvent, frames
from truetape.operator import BY


def place(event: Any) -> tuple[str, int]:
    return event.topic, event.offset


def collect(events: Iterator[StreamEvent], found: list[StreamEvent], until: int) -> threading.Thread:
    """Take events in a thread, until there are so many."""
    thread = threading.Thread(target=lambda: found.extend(islice(events, until)), daemon=True)
    thread.start()
    return thread


def ready(client: Client) -> tuple[str, Iterator[StreamEvent]]:
    """A stream that has begun for certain: its place, and its events from there on."""
    with httpx.stream("GET", f"{client._http.base_url}/v1/events", headers=client._http.headers) as response:
        _, stream_id, _ = next(frames(response.iter_lines()))
    return stream_id, client.events(after=stream_id, reconnects_max=20)


def test_events_come_live_in_causal_order_and_only_ones_own(desk: Desk) -> None:
    account, http = desk.trader()
    _, other = desk.trader()
    with desk.client(http.headers["authorization"].removeprefix("Bearer ")) as client:
        _, events = ready(client)
        found: list[StreamEvent] = []
        taking = collect(events, found, 6)
        placed = http.post("/v1/orders", json=order("live")).json()
        other.post("/v1/orders", json=order("foreign"))
        desk.fill(placed)
        taking.join(60)
        assert not taking.is_alive(), [event.type for event in found]
    assert {event.fields.get("account_id") or event.fields["order"]["account_id"] for event in found} == {account}
    kinds = [event.type for event in found]
    assert kinds[:2] == ["OrderAccepted", "OrderRouted"]
    assert {"OrderFilled", "EntryBooked", "CreditUpdated", "ReservationReleased"} == set(kinds[2:])
    told: set[tuple[str, int]] = set()
    for event in found:
        assert event.cause is not None
        own = event.cause.source in {"orders.decisions", "orders.executions", "clearing.entries"}
        assert not own or (event.cause.source, event.cause.offset) in told, "an effect before its cause"
        told.add(place(event))


def test_a_stream_resumes_from_the_tape_after_a_restart(desk: Desk) -> None:
    account, http = desk.trader()
    key = http.headers["authorization"].removeprefix("Bearer ")
    with desk.client(key) as client, desk.client(key) as trading:
        start, events = ready(client)
        found: list[StreamEvent] = []
        taking = collect(events, found, 40)
        for number in range(10):
            trading.submit("BTC-USDT", "BUY", "0.01", price="60000", client_order_id=f"s{number}")
        await_true(lambda: len(found) >= 5)
        desk.stack.kill("gateway")
        desk.stack.start("gateway")
        for number in range(10, 40):
            trading.submit("BTC-USDT", "BUY", "0.01", price="60000", client_order_id=f"s{number}")
        taking.join(20)
        assert not taking.is_alive(), len(found)
    accepted = [event.fields["order"]["client_order_id"] for event in found]
    assert accepted == [f"s{number}" for number in range(40)]

    # From any earlier place the same events come again, also when the live part never held them.
    with desk.client(key) as again:
        later = list(islice(again.events(after=found[24].stream_id, reconnects_max=3), 15))
        assert [event.stream_id for event in later] == [event.stream_id for event in found[25:]]
        assert [event.fields for event in later] == [event.fields for event in found[25:]]
        whole = list(islice(again.events(after=start, reconnects_max=3), 40))
        assert list(map(place, whole)) == list(map(place, found))
        beginning = next(again.events(after=f"orders.decisions/{ids.partition_of(account, 8)}@0", reconnects_max=3))
        assert beginning.fields["account_id" if "account_id" in beginning.fields else "transfer"]


def test_a_foreign_place_is_refused(desk: Desk) -> None:
    account, http = desk.trader()
    partition = (ids.partition_of(account, 8) + 1) % 8
    found = http.get("/v1/events", headers={"Last-Event-ID": f"orders.decisions/{partition}@1"})
    assert (found.status_code, code(found)) == (400, "invalid_header")


def test_a_revoked_key_ends_its_streams(desk: Desk) -> None:
    key = desk.key(desk.account(funded=False))
    with httpx.stream(
        "GET", f"{desk.url}/v1/events", headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as response:
        lines = response.iter_lines()
        assert next(lines) == "retry: 1000"
        desk.operator.ask(m.RevokeApiKey(ids.random_id(), BY, key.partition(".")[0]))
        list(lines)  # It ends by itself.


def test_a_slow_reader_is_disconnected_and_others_are_not(desk: Desk) -> None:
    account, http = desk.trader()
    key = http.headers["authorization"].removeprefix("Bearer ")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect(("127.0.0.1", desk.stack.port("gateway")))
    slow.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    with desk.client(key) as client:
        _, events = ready(client)
        found: list[StreamEvent] = []
        total = QUEUE_MAX + 3_000
        taking = collect(events, found, total)
        before = _slow_readers(http)
        desk.flood(account, total)
        taking.join(90)
        assert len(found) == total, "the other reader has all of it"
    await_true(lambda: _slow_readers(http) > before)
    slow.settimeout(15)
    received = b""
    while chunk := slow.recv(65_536):  # What was sent before still comes; then the connection ends.
        received += chunk
    slow.close()
    assert received.count(b"event: ") < total


def _slow_readers(http: httpx.Client) -> float:
    lines = [line for line in http.get("/metrics").text.splitlines() if line.startswith("truetape_slow_readers_total")]
    return float(lines[0].split()[-1]) if lines else 0.0
