"""From a REST request to the venue's receipt of the order, and to the answer, everything on this machine.

The baseline in the same run is a bare client that sends the same orders straight to the venue, signed, at the same
rate. ratio is p50 to the venue's receipt, ours / bare, at 200/s. Orders are small, marketable, of eight accounts.
"""

import argparse
import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from msgspec.structs import replace

from bench.stage import latencies, publish, say, stage
from truetape import demo, ids
from truetape.client import Client
from truetape.commands.demo import gateway_url, venue_urls
from truetape.dev import Stack
from truetape.messages import OpenAccount, SetInstrument, SetLimits
from truetape.operator import BY, operator
from truetape.reference import DEFAULT_LIMITS

ACCOUNTS = [f"bench-{number}" for number in range(8)]
HELD_P99_SECONDS = 0.25
"""A rate counts as held when 99 % of the answers come within this, and none is refused for load."""
Send = Callable[[aiohttp.ClientSession, int], Awaitable[str]]


@dataclass
class Run:
    """One steady load: when each order was sent, answered, and received by a venue, in seconds."""

    rate: float
    sent: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    lasted: float = 0.0

    def to_answer(self) -> list[float]:
        """Seconds from request to answer."""
        return [self.answered[key] - self.sent[key] for key in self.answered]

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


def ours(url: str, keys: list[str]) -> Send:
    """Submit through the gateway; the key of an order is its order id."""

    async def send(session: aiohttp.ClientSession, number: int) -> str:
        body = {
            "instrument_id": "BTC-USDT", "side": "BUY" if number // 8 % 2 else "SELL", "order_type": "MARKET",
            "quantity": "0.001", "client_order_id": ids.random_id(),
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {keys[number % len(keys)]}"}
        async with session.post(f"{url}/v1/orders", json=body, headers=headers) as response:
            answer = await response.json(content_type=None)
            if response.status != 201:
                raise RuntimeError(f"{response.status} {answer.get('code')}")
            return str(answer["order_id"])

    return send


def bare(environment: dict[str, str]) -> Send:
    """The same order straight to venue alpha, signed."""
    url = environment["TRUETAPE_VENUES__ALPHA__REST_URL"]
    key = environment["TRUETAPE_VENUES__ALPHA__API_KEY"]
    secret = environment["TRUETAPE_VENUES__ALPHA__API_SECRET"].encode()

    async def send(session: aiohttp.ClientSession, number: int) -> str:
        order_id = ids.random_id()
        query = (
            f"symbol=BTCUSDT&side={'BUY' if number % 2 else 'SELL'}&type=MARKET&quantity=0.001"
            f"&newClientOrderId={order_id[:24]}&newOrderRespType=FULL&timestamp={time.time_ns() // 10**6}"
        )
        signature = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        target = f"{url}/api/v3/order?{query}&signature={signature}"
        async with session.post(target, headers={"X-MBX-APIKEY": key}) as response:
            answer = await response.json(content_type=None)
            if response.status != 200:
                raise RuntimeError(f"{response.status} {answer.get('code')}")
            return order_id

    return send


async def received(environment: dict[str, str]) -> dict[str, float]:
    """When the venues received each order, in seconds, by the first 24 characters of its order id."""
    found = {}
    headers = {"Authorization": f"Bearer {environment['TRUETAPE_VENUE_ADMIN_TOKEN']}"}
    async with aiohttp.ClientSession() as session:
        for url in venue_urls(environment).values():
            async with session.get(f"{url}/admin/received", headers=headers) as response:
                for row in await response.json(content_type=None):
                    name = row["client_order_id"]
                    found[name[6:30] if name.startswith("TT") else name[:24]] = row["received_us"] / 1e6
    return found


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


async def measure(stack: Stack, keys: list[str], rate: float, seconds: float) -> tuple[dict[str, Any], bool]:
    """Figures of one rate, and whether it was held."""
    environment = stack.environment()
    run = await drive(rate, seconds, ours(gateway_url(environment), keys))
    await asyncio.sleep(0.5)
    to_venue = run.to_venue(await received(environment))
    found = {
        "rate_per_second": rate,
        "answered": len(run.answered),
        "failed": run.failed,
        "to_answer": latencies(run.to_answer() or [float("inf")]),
        "to_venue": latencies(to_venue or [float("inf")]),
    }
    p99 = float(found["to_answer"]["p99_ms"]) / 1e3  # type: ignore[index]
    held = not run.failed and p99 <= HELD_P99_SECONDS and run.lasted < seconds * 1.03 + 0.5
    say(f"{rate:g}/s: answer {found['to_answer']}, venue {found['to_venue']}, failed {run.failed}, held {held}")
    return found, held


async def run_all(stack: Stack, quick: bool) -> None:
    """Warm up, measure both rates and the baseline, then look for the highest rate held."""
    environment = stack.environment()
    keys = introduce(stack)
    seconds, hold_seconds = (5.0, 5.0) if quick else (15.0, 20.0)
    await drive(100, 5.0 if quick else 10.0, ours(gateway_url(environment), keys))
    base = await drive(200, seconds, bare(environment))
    baseline = {
        "rate_per_second": 200,
        "to_answer": latencies(base.to_answer()),
        "to_venue": latencies(base.to_venue(await received(environment))),
    }
    say(f"bare 200/s: {baseline}")
    at_200, _ = await measure(stack, keys, 200, seconds)
    at_1000, _ = await measure(stack, keys, 1000, seconds)
    highest, rate = 0.0, 300.0
    while rate <= 3000:
        _, held = await measure(stack, keys, rate, hold_seconds)
        if not held:
            break
        highest, rate = rate, rate * 1.25
    ratio = at_200["to_venue"]["p50_ms"] / baseline["to_venue"]["p50_ms"]  # type: ignore[index]
    figures = {"at_200": at_200, "at_1000": at_1000, "highest_rate_held": highest, "held_for_seconds": hold_seconds}
    publish("order_path", figures, {"bare_client_to_venue": baseline}, round(ratio, 2))


def main() -> None:
    """Measure on a whole stack of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    options = parser.parse_args()
    with stage() as stack:
        asyncio.run(run_all(stack, options.quick))


if __name__ == "__main__":
    main()
