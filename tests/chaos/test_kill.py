"""kill -9 of each service in the middle of trading: nothing acknowledged is lost, nothing doubled, nothing invented."""

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from truetape import demo, ids
from truetape.client import Client, Refused, Unreachable
from truetape.commands.demo import gateway_url, venue_urls
from truetape.dev import Stack
from truetape.topics import PARTITIONS
from truetape.venue.reports import execution_id

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(600)]
VICTIMS = ("risk", "clearing", "router", "gateway", "projection", "pricing", "reconciler")
ACCOUNT = "chaos"


@dataclass
class Load:
    """Traders that submit with ids of their own, and remember what they were answered."""

    url: str
    key: str
    answered: dict[str, str] = field(default_factory=dict)
    """Order id by client order id, for every submission that was answered as accepted or pending."""
    refused: Counter[str] = field(default_factory=Counter)
    doubtful: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def trade(self, trader: int) -> None:
        """Submit, in turn, orders that fill at once and orders that rest."""
        number = 0
        with Client(self.url, self.key, retry_seconds=20.0) as client:
            while not self.stopping.is_set():
                number += 1
                self._submit(client, f"t{trader}-{number}", number)
                time.sleep(0.03)

    def _submit(self, client: Client, client_order_id: str, number: int) -> None:
        try:
            decision = client.submit(**terms(number), client_order_id=client_order_id)
            self.answered[client_order_id] = decision.order_id
        except Refused as refusal:
            self.refused[refusal.code] += 1
            if refusal.status >= 500:
                self.doubtful.append(client_order_id)
        except Unreachable:
            self.doubtful.append(client_order_id)


def terms(number: int) -> dict[str, Any]:
    """Orders that need no look at the market: market orders both ways, and a far bid now and then."""
    if number % 5 == 0:
        return {"instrument_id": "BTC-USDT", "side": "BUY", "quantity": "0.001", "price": "20000", "post_only": True}
    return {"instrument_id": "BTC-USDT", "side": "BUY" if number % 2 else "SELL", "quantity": "0.001"}


@pytest.fixture(scope="module")
def traded(system: Stack) -> tuple[Load, dict[str, float], str]:
    """Everything after the chaos: the load, recovery seconds by victim, the administrator's key."""
    environment = system.environment()
    trading, administrator = demo.introduce(environment["TRUETAPE_KAFKA"], ACCOUNT)
    url = gateway_url(environment)
    with Client(url, administrator) as admin:
        demo.fund(admin, ACCOUNT, venue_urls(environment), environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
    load = Load(url, trading)
    traders = [threading.Thread(target=load.trade, args=(number,)) for number in range(3)]
    for trader in traders:
        trader.start()
    recovery = {}
    try:
        for victim in VICTIMS:
            time.sleep(1.5)
            system.kill(victim)
            killed = time.monotonic()
            system.start(victim)
            recovery[victim] = time.monotonic() - killed
        time.sleep(1.5)
    finally:
        load.stopping.set()
        for trader in traders:
            trader.join(60)
    print(f"\n{len(load.answered)} orders answered, refused {dict(load.refused)}, doubtful {len(load.doubtful)}")
    print("recovered after", {name: f"{seconds:.1f} s" for name, seconds in recovery.items()})
    assert len(load.answered) > 100
    return load, recovery, administrator


@pytest.fixture(scope="module")
def client(traded: tuple[Load, dict[str, float], str]) -> Client:
    """The traders' account after everything is settled."""
    client = Client(traded[0].url, traded[0].key)
    demo.settle(client, demo.Traded(ACCOUNT))
    return client


def test_every_answered_order_is_there_and_has_ended(
    traded: tuple[Load, dict[str, float], str], client: Client
) -> None:
    orders = {order.client_order_id: order for order in client.orders()}
    for client_order_id, order_id in traded[0].answered.items():
        assert orders[client_order_id].order_id == order_id
        assert orders[client_order_id].status in ("FILLED", "CANCELLED", "EXPIRED", "REJECTED")


def test_a_retry_gives_the_same_order(traded: tuple[Load, dict[str, float], str], client: Client) -> None:
    before = sum(1 for _ in client.orders())
    for client_order_id, order_id in list(traded[0].answered.items())[::7]:
        number = int(client_order_id.rpartition("-")[2])
        assert client.submit(**terms(number), client_order_id=client_order_id).order_id == order_id
    assert sum(1 for _ in client.orders()) == before


def test_the_fills_are_the_venues_trades_once_each(system: Stack, client: Client) -> None:
    token = system.environment()["TRUETAPE_VENUE_ADMIN_TOKEN"]
    partition = ids.partition_of(ACCOUNT, PARTITIONS)
    mine = {ids.venue_client_order_id(partition, order.order_id, 0) for order in client.orders()}
    theirs: Counter[str] = Counter()
    for venue, url in venue_urls(system.environment()).items():
        answer = httpx.get(
            f"{url}/admin/trades", params={"account": demo.VENUE_ACCOUNT}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200, answer.text
        theirs.update(
            execution_id(venue, trade["symbol"], trade["id"], "BUY" if trade["isBuyer"] else "SELL")
            for trade in answer.json()
            if trade["clientOrderId"] in mine
        )
    ours = Counter(fill.execution_id for fill in client.fills())
    assert ours == theirs
    assert ours.total() > 50


def test_every_fill_is_cleared_once(client: Client) -> None:
    booked = Counter(entry.execution_id for entry in client.entries() if entry.kind == "TRADE")
    assert booked == Counter(fill.execution_id for fill in client.fills())
    assert max(booked.values()) == 1


def test_nothing_stays_reserved(client: Client) -> None:
    assert {balance.asset: balance.reserved for balance in client.balances() if balance.reserved != "0"} == {}


def test_reconciliation_finds_no_break(system: Stack, client: Client) -> None:
    found = demo.reconciled(system.environment()["TRUETAPE_KAFKA"], time.time_ns() // 1000)
    assert set(found) == set(demo.VENUES)
    assert all(not run.opened for run in found.values())


def test_the_audit_is_equal(system: Stack, client: Client) -> None:
    report = demo.audit(dict(os.environ) | system.environment())
    assert report["equal"], report["differences"] + report["gaps"]
