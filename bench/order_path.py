"""From a REST request to the answer, the venue's receipt of the order and its fill on the tape, all on this machine.

The baseline in the same run is a bare client that sends the same orders straight to the venue, signed, at the same
rate. ratio is p50 to the venue's receipt, ours / bare, at 200/s. Orders are small, marketable, of eight accounts.
"""

import argparse
import asyncio
import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from bench.load import Fills, Send, drive, gateways, introduce, ours
from bench.processor import Meter
from bench.stage import latencies, publish, say, stage
from truetape import ids
from truetape.commands.demo import venue_urls
from truetape.dev import Stack

HELD_P99_SECONDS = 0.25
"""A rate counts as held when 99 % of the answers come within this, none is refused for load, and the fills come."""
FILLED_SHARE, FILLED_SECONDS = 0.99, 5.0
"""So many of the orders must be filled whole this soon after the last answer; a thin book leaves a few unfilled."""
LOWEST_RATE, HIGHEST_RATE = 50.0, 4_000.0


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


async def measure(
    stack: Stack, urls: Sequence[str], keys: Sequence[str], rate: float, seconds: float
) -> tuple[dict[str, Any], bool]:
    """Figures of one rate, and whether it was held: all answered in time, none refused, and all filled soon after."""
    environment = stack.environment()
    fills = Fills(environment["TRUETAPE_KAFKA"])
    fills.start()
    meter = Meter(stack)
    run = await drive(rate, seconds, ours(urls, keys))
    processor = meter.per(len(run.answered))
    for _ in range(int(FILLED_SECONDS / 0.05)):
        if fills.filled.keys() >= run.answered.keys():
            break
        await asyncio.sleep(0.05)
    fills.stop()
    run.filled = fills.filled
    to_venue, to_fill = run.to_venue(await received(environment)), run.to_fill()
    found = {
        "rate_per_second": rate,
        "answered": len(run.answered),
        "filled": len(to_fill),
        "failed": run.failed,
        "to_answer": latencies(run.to_answer() or [float("inf")]),
        "to_venue": latencies(to_venue or [float("inf")]),
        "to_fill": latencies(to_fill or [float("inf")]),
        "processor_ms_an_order": processor,
    }
    p99 = float(found["to_answer"]["p99_ms"]) / 1e3  # type: ignore[index]
    all_filled = len(to_fill) >= len(run.answered) * FILLED_SHARE
    held = not run.failed and p99 <= HELD_P99_SECONDS and run.lasted < seconds * 1.03 + 0.5 and all_filled
    say(f"{rate:g}/s: answer {found['to_answer']}, fill {found['to_fill']}, failed {run.failed}, held {held}")
    say(f"    processor time in ms an order: {processor}")
    return found, held


async def highest_held(stack: Stack, urls: Sequence[str], keys: Sequence[str], seconds: float) -> float:
    """The highest rate that is held, in steps of a quarter; 0 when not even the lowest is."""
    highest, rate = 0.0, 300.0
    while LOWEST_RATE <= rate <= HIGHEST_RATE:
        _, held = await measure(stack, urls, keys, rate, seconds)
        if highest and not held:
            break
        highest = rate if held else 0.0
        rate *= 1.25 if held else 0.8
    return highest


async def run_all(stack: Stack, urls: Sequence[str], quick: bool) -> None:
    """Warm up, measure both rates and the baseline, then look for the highest rate held."""
    environment = stack.environment()
    keys = introduce(stack)
    seconds, hold_seconds = (5.0, 5.0) if quick else (15.0, 20.0)
    await drive(100, 5.0 if quick else 10.0, ours(urls, keys))
    base = await drive(200, seconds, bare(environment))
    baseline = {
        "rate_per_second": 200,
        "to_answer": latencies(base.to_answer()),
        "to_venue": latencies(base.to_venue(await received(environment))),
    }
    say(f"bare 200/s: {baseline}")
    at_200, _ = await measure(stack, urls, keys, 200, seconds)
    at_1000, _ = await measure(stack, urls, keys, 1000, seconds)
    highest = await highest_held(stack, urls, keys, hold_seconds)
    ratio = at_200["to_venue"]["p50_ms"] / baseline["to_venue"]["p50_ms"]  # type: ignore[index]
    figures = {
        "at_200": at_200, "at_1000": at_1000, "highest_rate_held": highest, "held_for_seconds": hold_seconds,
        "gateways": len(urls),
    }  # fmt: skip
    publish("order_path", figures, {"bare_client_to_venue": baseline}, round(ratio, 2))


async def run_some(stack: Stack, urls: Sequence[str], rates: Sequence[float], seconds: float) -> None:
    """Warm up, and measure these rates alone."""
    keys = introduce(stack)
    await drive(100, seconds, ours(urls, keys))
    figures = {f"at_{rate:g}": (await measure(stack, urls, keys, rate, seconds))[0] for rate in rates}
    publish("order_path", {**figures, "gateways": len(urls)}, {}, None)


def main() -> None:
    """Measure on a whole stack of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    parser.add_argument("--gateways", type=int, default=1, help="gateway processes that share the load (default 1)")
    parser.add_argument("--rates", type=float, nargs="+", help="measure these rates only, without the baseline")
    options = parser.parse_args()
    with stage() as stack, gateways(stack, options.gateways) as urls:
        if options.rates:
            asyncio.run(run_some(stack, urls, options.rates, 10.0 if options.quick else 20.0))
        else:
            asyncio.run(run_all(stack, urls, options.quick))


if __name__ == "__main__":
    main()
