"""What the benchmarks of the order path share: accounts, gateways, a steady load, and when orders ended on the tape."""

import asyncio
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from confluent_kafka import Consumer, TopicPartition
from msgspec.structs import replace

from truetape import demo, ids
from truetape.client import Client
from truetape.codec import decode
from truetape.commands.demo import gateway_url, venue_urls
from truetape.dev import Stack, free_base
from truetape.dev.services import SERVICES, service_environment
from truetape.log import Part, consumer_config, watermarks
from truetape.messages import OpenAccount, OrderFilled, SetInstrument, SetLimits
from truetape.operator import BY, operator
from truetape.reference import DEFAULT_LIMITS
from truetape.settings import PORT_OFFSETS
from truetape.topics import ORDERS_EXECUTIONS, PARTITIONS

ACCOUNTS = [f"bench-{number}" for number in range(8)]
START_SECONDS = 120.0
Send = Callable[[aiohttp.ClientSession, int], Awaitable[str]]


@dataclass
class Run:
    """One steady load: when each order was sent, answered and filled, in seconds."""

    rate: float
    sent: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    filled: dict[str, float] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    lasted: float = 0.0

    def to_answer(self) -> list[float]:
        """Seconds from request to answer."""
        return [self.answered[key] - self.sent[key] for key in self.answered]

    def to_fill(self) -> list[float]:
        """Seconds from request to the last fill on the tape."""
        return [self.filled[key] - self.sent[key] for key in self.answered if key in self.filled]

    def to_venue(self, received: dict[str, float]) -> list[float]:
        """Seconds from request to the venue's receipt."""
        return [received[key[:24]] - self.sent[key] for key in self.answered if key[:24] in received]


async def drive(rate: float, seconds: float, send: Send) -> Run:
    """Send at a steady rate whatever the answers do (an open loop); wait for all answers."""
    run = Run(rate)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=512)) as session:
        begin, tasks = time.time(), []
        for number in range(int(rate * seconds)):
            if (wait := begin + number / rate - time.time()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(_one(session, number, send, run)))
        await asyncio.gather(*tasks)
        run.lasted = time.time() - begin
    return run


async def _one(session: aiohttp.ClientSession, number: int, send: Send, run: Run) -> None:
    at = time.time()
    try:
        key = await send(session, number)
    except (aiohttp.ClientError, RuntimeError) as error:
        run.failed[str(error)[:60]] = run.failed.get(str(error)[:60], 0) + 1
        return
    run.sent[key], run.answered[key] = at, time.time()


def ours(urls: Sequence[str], keys: Sequence[str]) -> Send:
    """Submit through these gateways in turn; the key of an order is its order id."""

    async def send(session: aiohttp.ClientSession, number: int) -> str:
        body = {
            "instrument_id": "BTC-USDT", "side": "BUY" if number // 8 % 2 else "SELL", "order_type": "MARKET",
            "quantity": "0.001", "client_order_id": ids.random_id(),
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {keys[number % len(keys)]}"}
        async with session.post(f"{urls[number % len(urls)]}/v1/orders", json=body, headers=headers) as response:
            answer = await response.json(content_type=None)
            if response.status != 201:
                raise RuntimeError(f"{response.status} {answer.get('code')}")
            return str(answer["order_id"])

    return send


def introduce(stack: Stack) -> list[str]:
    """Eight accounts with money and generous limits; their keys."""
    environment = stack.environment()
    limits = replace(DEFAULT_LIMITS, max_messages_per_second=100_000, max_open_orders=100_000)
    with operator(environment["TRUETAPE_KAFKA"]) as hand:
        for instrument in demo.instruments():
            hand.ask(SetInstrument(ids.random_id(), BY, instrument))
        hand.ask(SetLimits(ids.random_id(), BY, "*", limits))
        for account in ACCOUNTS:
            hand.ask(OpenAccount(ids.random_id(), BY, account, account))
        keys = [demo.create_key(hand, account, ("read", "trade")) for account in ACCOUNTS]
        administrator = demo.create_key(hand, "", ("admin",))
    token = environment["TRUETAPE_VENUE_ADMIN_TOKEN"]
    with Client(gateway_url(environment), administrator) as client:
        for account in ACCOUNTS:
            demo.fund(client, account, venue_urls(environment), token)
    return keys


class Fills(threading.Thread):
    """Reads the router's topic from its end, and notes when each order was filled whole."""

    def __init__(self, kafka: str) -> None:
        super().__init__(name="fills", daemon=True)
        self.filled: dict[str, float] = {}
        self._stopping = threading.Event()
        self._consumer = Consumer(consumer_config(kafka, "bench-fills"))
        ends = watermarks(self._consumer, [Part(ORDERS_EXECUTIONS.name, p) for p in range(PARTITIONS)])
        self._consumer.assign([TopicPartition(*part, high) for part, (_, high) in ends.items()])

    def run(self) -> None:
        """The thread."""
        while not self._stopping.is_set():
            first = self._consumer.poll(0.1)  # consume() alone would wait for 500 of them, or for its time to be over.
            for message in [first, *self._consumer.consume(500, 0)] if first else []:
                event = decode(message.value() or b"") if message.error() is None else None
                if isinstance(event, OrderFilled) and event.status == "FILLED":
                    self.filled[event.order_id] = time.time()
        self._consumer.close()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self.join(10)


@contextmanager
def gateways(stack: Stack, count: int) -> Iterator[list[str]]:
    """URLs of `count` gateways: the stack's own and more processes like it, which share with it nothing but the tape
    and the stores."""
    environment = stack.environment()
    [gateway] = [service for service in SERVICES if service.name == "gateway"]
    urls, children = [gateway_url(environment)], []
    try:
        for number in range(1, count):
            base = free_base()
            own = {"TRUETAPE_PORT_BASE": str(base), "TRUETAPE_INSTANCE": f"bench-{number}"}
            granted = {**os.environ, **service_environment(gateway, environment), **own}
            children.append(subprocess.Popen([sys.executable, "-m", gateway.module], env=granted))
            urls.append(f"http://127.0.0.1:{base + PORT_OFFSETS['gateway']}")
            _await_ready(urls[-1])
        yield urls
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(20)


def _await_ready(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
