"""A gateway, its projection, risk and clearing on real servers, and hands that write the rest of the tape."""

import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.clearing.core import SERVICE as CLEARING
from truetape import ids
from truetape import messages as m
from truetape.client import Client
from truetape.codec import decode, encode
from truetape.commands.parked import folded
from truetape.dev import Stack
from truetape.log import KafkaLog, Part
from truetape.money import ONE_E8, to_e8
from truetape.operator import BY, Operator
from truetape.settings import PORT_OFFSETS, Settings
from truetape.tape import Place
from truetape.topics import (
    MARKET_MARKS,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    PARTITIONS,
    Topic,
    key_of,
)

ROOT = Path(__file__).resolve().parents[3]
UNITS = ("kafka", "postgres", "redis", "topics", "risk", "clearing", "gateway", "projection")
PRICE = "60000"
LISTING = m.Listing("alpha", "BTCUSDT", 10**6, 1_000, 1_000, 5 * ONE_E8, 100_000, 100_000)
INSTRUMENT = m.Instrument(
    "BTC-USDT", "BTC", "USDT", 10**6, 1_000, 1_000, 100 * ONE_E8, 5 * ONE_E8, 10**7 * ONE_E8, True, (LISTING,)
)
LIMITS = m.Limits(10**9 * ONE_E8, 1_000_000, 1_000_000, 10**7, 3_600 * 1_000_000)
"""Generous, so that only what a test is about refuses; one mark lasts for an hour."""


@dataclass
class Writer:
    """The owner of one partition, by hand: valid epochs and sequences after what is there."""

    log: KafkaLog
    topic: Topic
    partition: int
    place: Place = field(init=False)

    def __post_init__(self) -> None:
        part = Part(self.topic.name, self.partition)
        low, high = self.log.ends([part])[part]
        found: list[Any] = [decode(record.value or b"") for record in self.log.read({part: (low, high)}, 30.0)]
        epoch = max((event.meta.epoch for event in found), default=0)
        self.place = Place(epoch + 1, 0)
        self._append(m.Began(self.meta(m.Cause("group", self.partition, -1, "hand")), "hand"))

    def meta(self, cause: m.Cause, correlation_id: str = "") -> m.Meta:
        """Of the record that is written next."""
        event_id = ids.event_id(self.topic.name, cause)
        return m.Meta(self.place.epoch, self.place.sequence, cause, time.time_ns() // 1000, event_id, correlation_id)

    def write(self, make: Callable[[m.Meta], Any], cause: m.Cause, correlation_id: str = "") -> None:
        """One more record."""
        self.place = Place(self.place.epoch, self.place.sequence + 1)
        self._append(make(self.meta(cause, correlation_id)))

    def _append(self, event: Any) -> None:
        part = Part(self.topic.name, self.partition)
        self.log.append(part, key_of(event).encode(), encode(event), [], None)
        self.log.flush(10.0)


@dataclass
class Desk:
    """What the tests of this folder share."""

    stack: Stack
    operator: Operator
    log: KafkaLog
    """For what is written by hand."""
    writers: dict[int, Writer] = field(default_factory=dict)
    accounts: int = 0
    opened: list[httpx.Client] = field(default_factory=list)

    def close(self) -> None:
        """Close everything that was opened."""
        for client in self.opened:
            client.close()
        self.operator._log.close()
        self.log.close()

    @property
    def environment(self) -> dict[str, str]:
        """Addresses and secrets."""
        return self.stack.environment()

    @property
    def url(self) -> str:
        """The gateway's base URL."""
        return f"http://127.0.0.1:{self.stack.port('gateway')}"

    def prepare(self) -> None:
        """An instrument, limits and a mark."""
        self.operator.ask(m.SetInstrument(ids.random_id(), BY, INSTRUMENT))
        self.operator.ask(m.SetLimits(ids.random_id(), BY, "*", LIMITS))
        price_e8 = int(PRICE) * ONE_E8
        Writer(self.log, MARKET_MARKS, 0).write(
            lambda meta: m.MarkPublished(
                meta, "BTC-USDT", price_e8, price_e8 - 10**8, price_e8 + 10**8, "alpha", 1, time.time_ns() // 1000, 0
            ),
            m.Cause("books", 0, -1, "1"),
        )

    def account(self, funded: bool = True, partition: int | None = None) -> str:
        """A new account, with money; on a partition, if one is said."""
        self.accounts += 1
        while partition not in (None, ids.partition_of(f"acc{self.accounts}", PARTITIONS)):
            self.accounts += 1
        account_id = f"acc{self.accounts}"
        self.operator.ask(m.OpenAccount(ids.random_id(), BY, account_id, account_id))
        if funded:
            for asset, amount_e8 in (("USDT", 10**7 * ONE_E8), ("BTC", 100 * ONE_E8)):
                transfer_id = ids.transfer_id(account_id, asset)
                terms = m.TransferTerms(transfer_id, account_id, asset, amount_e8, "venue:alpha", asset)
                self.operator.transfer(terms)
        return account_id

    def key(self, account_id: str = "", *scopes: str, url: str = "", **options: Any) -> str:
        """A new API key, known to the gateway at `url`: what its holder sends."""
        secret = secrets.token_urlsafe(16)
        key = m.ApiKey(
            key_id=f"k{ids.random_id()[:12]}", secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            account_id=account_id, scopes=scopes or ("read", "trade"), revoked=False,
            **{"requests_per_second": 10_000, "expires_at_us": None, **options},
        )  # fmt: skip
        self.operator.ask(m.CreateApiKey(ids.random_id(), BY, key))
        whole = f"{key.key_id}.{secret}"
        http = self.raw(whole, url)
        await_true(lambda: http.get("/v1/instruments").status_code != 401)
        return whole

    def raw(self, key: str, url: str = "", **options: Any) -> httpx.Client:
        """Plain HTTP with a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = httpx.Client(base_url=url or self.url, headers=headers, timeout=20.0, **options)
        self.opened.append(client)
        return client

    def client(self, key: str) -> Client:
        """The typed client."""
        return Client(self.url, key)

    def trader(self, partition: int | None = None) -> tuple[str, httpx.Client]:
        """A funded account and plain HTTP with its key."""
        account_id = self.account(partition=partition)
        return account_id, self.raw(self.key(account_id))

    def fill(self, order: dict[str, Any], number: int = 1, quote_off_e8: int = 0) -> None:
        """The router's records of an order that is filled at once, after its decision; its quote amount may be off."""
        account_id, order_id = order["account_id"], order["order_id"]
        partition = ids.partition_of(account_id, ORDERS_EXECUTIONS.partitions)
        writer = self.writers.get(partition)
        if writer is None:
            writer = self.writers[partition] = Writer(self.log, ORDERS_EXECUTIONS, partition)
        terms = m.OrderTerms(
            order_id, account_id, order["client_order_id"], order["instrument_id"], order["side"], order["order_type"],
            order["time_in_force"], order["post_only"], to_e8(order["quantity"]), to_e8(order["price"]),
        )  # fmt: skip
        decided_at = int(order["decision_id"].rpartition("/")[2])
        cause = m.Cause(ORDERS_DECISIONS.name, partition, self._decision_offset(partition, decided_at), "")
        leg = m.RoutedLeg(0, "alpha", "BTCUSDT", ids.venue_client_order_id(partition, order_id, 0), 1, 1, 1)
        writer.write(lambda meta: m.OrderRouted(meta, terms, (leg,), ()), cause, order_id)
        quantity_e8, price_e8 = terms.quantity_e8, int(PRICE) * ONE_E8
        writer.write(
            lambda meta: m.OrderFilled(
                meta, order_id, account_id, 0, "alpha", "BTC-USDT", "BTC", "USDT", terms.side,
                f"alpha:BTCUSDT:{order_id[:12]}-{number}", "v1", quantity_e8, price_e8,
                quantity_e8 * price_e8 // ONE_E8 + quote_off_e8, quantity_e8, 0, "USDT", 0, "TAKER", "FILLED",
                time.time_ns() // 1000, "stream",
            ),
            m.Cause("venue:alpha", partition, -1, f"{order_id}-{number}"),
            order_id,
        )  # fmt: skip

    def parked(self, account_id: str) -> list[dict[str, Any]]:
        """What the ledger has parked of an account, as the command line lists it."""
        log = KafkaLog(self.environment["TRUETAPE_KAFKA"])
        try:
            return folded(CLEARING, log, Settings(), account_id)
        finally:
            log.close()

    def _decision_offset(self, partition: int, command_offset: int) -> int:
        part = Part(ORDERS_DECISIONS.name, partition)
        low, high = self.log.ends([part])[part]
        for record in self.log.read({part: (low, high)}, 30.0):
            event: Any = decode(record.value or b"")
            cause: m.Cause = event.meta.cause
            if cause.source == ORDERS_COMMANDS.name and cause.offset == command_offset:
                return record.offset
        raise AssertionError("no decision")

    def commands(self, account_id: str) -> list[Any]:
        """Everything on orders.commands about an account."""
        part = Part(ORDERS_COMMANDS.name, ids.partition_of(account_id, ORDERS_COMMANDS.partitions))
        low, high = self.log.ends([part])[part]
        found = [decode(record.value or b"") for record in self.log.read({part: (low, high)}, 30.0)]
        return [command for command in found if key_of(command) == account_id]

    def flood(self, account_id: str, count: int) -> None:
        """So many cancels of nothing: one refusal each on orders.decisions. Returns when all are answered."""
        partition = ids.partition_of(account_id, ORDERS_COMMANDS.partitions)
        commands, decisions = Part(ORDERS_COMMANDS.name, partition), Part(ORDERS_DECISIONS.name, partition)
        end = self.log.ends([decisions])[decisions][1] + count
        for _ in range(count):
            command = m.CancelOrder(ids.random_id(), account_id, "0" * 32, "k", 1)
            self.log.append(commands, account_id.encode(), encode(command), [], None)
        assert self.log.flush(20.0)
        await_true(lambda: self.log.ends([decisions])[decisions][1] >= end, 30)

    @contextmanager
    def second(self, **settings: str) -> Iterator[str]:
        """A second gateway process on a port of its own; its base URL."""
        base = self.stack.port_base + 7
        added = {"TRUETAPE_PORT_BASE": str(base), "TRUETAPE_INSTANCE": "second", **settings}
        url = f"http://127.0.0.1:{base + PORT_OFFSETS['gateway']}"
        with self.stack.home.log("second").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "services.gateway"], env=self.environment | added, cwd=ROOT, stderr=log
            )
        try:
            await_true(lambda: "end of the tape" not in _text(f"{url}/health/ready"), 30)
            yield url
        finally:
            child.terminate()
            assert child.wait(20) == 0, "it ends in order"


def order(client_order_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """The body of a good order; a value of None leaves the field out."""
    body = {
        "instrument_id": "BTC-USDT", "side": "BUY", "order_type": "LIMIT", "quantity": "0.01", "price": PRICE,
        "client_order_id": client_order_id, **changes,
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}


def await_true(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for something that must come true; so long that a busy machine is no reason to fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def code(response: httpx.Response) -> str:
    """The problem's code; empty when it is none."""
    if response.headers.get("content-type") != "application/problem+json":
        return ""
    return str(json.loads(response.content)["code"])


def _text(url: str) -> str:
    try:
        return httpx.get(url).text
    except httpx.TransportError:
        return "the end of the tape is not reached: nobody listens"
