"""Fills cleared per second and core, from topic to topic: Avro decoded and encoded, exactly once.

Two baselines in the same run. A bare loop on one thread: consume, decode, encode an entry of the same shape, produce;
and the same fold in Faust (bench/faust_fold.py), on fewer fills. Cores are counted as CPU seconds of the process that
clears. ratio is ours / bare, per core; the figure of_faust is ours / Faust's, per core.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import Consumer, Producer, TopicPartition

from bench.stage import children, publish, say, stage
from services.clearing.core import SERVICE
from truetape import topics
from truetape.codec import decode, encode
from truetape.dev.home import checkout
from truetape.log import KafkaLog, Part, consumer_config, create_topics, producer_config, watermarks
from truetape.messages import Began, Cause, EntryBooked, Line, Meta, OrderFilled, Position
from truetape.runner import Runner
from truetape.settings import settings
from truetape.topics import CLEARING_ENTRIES, ORDERS_EXECUTIONS, PARTITIONS, Topic

ACCOUNTS = 400
BARE, FAUST = "bench.entries", "bench.faust"
FAUST_SHARE = 20
"""Faust clears so many times fewer fills, after a warm-up."""
FAUST_LOCK = Path(__file__).parent / "faust.lock"


def fill(partition: int, sequence: int) -> OrderFilled:
    """A deterministic fill of one of the partition's accounts."""
    account = f"acc-{partition}-{sequence % (ACCOUNTS // PARTITIONS)}"
    quantity_e8, price_e8 = 1_000_000 + sequence % 7 * 100_000, 6_000_000_000_000 + sequence % 1_000 * 1_000_000
    cause = Cause("venue:alpha", partition, -1, f"BTCUSDT-{partition}-{sequence}")
    order_id = f"{partition:08x}{sequence:024x}"
    meta = Meta(1, sequence, cause, 1_700_000_000_000_000 + sequence, f"{ORDERS_EXECUTIONS.name}<{cause.id}", order_id)
    return OrderFilled(
        meta, order_id, account, 0, "alpha", "BTC-USDT", "BTC", "USDT", "BUY" if sequence % 2 else "SELL",
        f"alpha:BTCUSDT:{partition}-{sequence}", str(sequence), quantity_e8, price_e8,
        price_e8 * quantity_e8 // 10**8, quantity_e8, 0, "USDT", 60_000_000, "TAKER", "FILLED",
        1_700_000_000_000_000 + sequence, "stream",
    )  # fmt: skip


def load(kafka: str, fills: int) -> None:
    """Write the fills as the router would: Began, then sequences without gaps, on every partition."""
    producer = Producer({**producer_config(kafka, 30_000), "linger.ms": 5, "queue.buffering.max.messages": 500_000})
    for partition in range(PARTITIONS):
        began = Began(Meta(1, 0, Cause("group", partition, -1, "bench"), 0, f"began-{partition}", ""), "bench")
        producer.produce(ORDERS_EXECUTIONS.name, encode(began), b"", partition=partition)
    for number in range(fills):
        partition, sequence = number % PARTITIONS, number // PARTITIONS + 1
        record = fill(partition, sequence)
        producer.produce(ORDERS_EXECUTIONS.name, encode(record), record.account_id.encode(), partition=partition)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush(60)


def ours(fills: int) -> None:
    """Child process: the clearing service, until all fills are booked and in place; prints wall and CPU seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    runner = Runner(SERVICE, KafkaLog(settings().kafka, alone=True), settings())
    runner.start()
    while len(runner.partitions()) < PARTITIONS:
        runner.turn(0.05)
    print("ready", flush=True)
    wall, cpu = time.perf_counter(), time.process_time()
    while runner.counts["events"] < fills or runner.gauges()["in_flight"]:
        runner.turn(0.05)
    print(f"{time.perf_counter() - wall} {time.process_time() - cpu}", flush=True)
    os._exit(0)


def bare(fills: int) -> None:
    """Child process: the bare loop; prints wall and CPU seconds."""
    kafka = settings().kafka
    consumer, producer = Consumer(consumer_config(kafka, "bare")), Producer(producer_config(kafka, 30_000))
    ends = watermarks(consumer, [Part(ORDERS_EXECUTIONS.name, p) for p in range(PARTITIONS)])
    consumer.assign([TopicPartition(*part, 1) for part in ends])
    print("ready", flush=True)
    wall, cpu = time.perf_counter(), time.process_time()
    done = 0
    while done < fills:
        for message in consumer.consume(500, 0.02):
            entry = copy(decode(message.value() or b""))
            producer.produce(BARE, encode(entry), message.key(), partition=message.partition() or 0)
            done += 1
        producer.poll(0)
    producer.flush(60)
    print(f"{time.perf_counter() - wall} {time.process_time() - cpu}", flush=True)


def copy(given: object) -> EntryBooked:
    """An entry of the same shape with no thought behind it."""
    assert isinstance(given, OrderFilled)
    whom, venue, amount_e8 = "client:" + given.account_id, "venue:alpha", given.quote_amount_e8
    lines = (
        Line(whom, "BTC", given.quantity_e8, "principal"),
        Line(whom, "USDT", -amount_e8, "principal"),
        Line(venue, "BTC", -given.quantity_e8, "principal"),
        Line(venue, "USDT", amount_e8, "principal"),
        Line(whom, "USDT", -given.fee_e8, "venue_fee"),
        Line(venue, "USDT", given.fee_e8, "venue_fee"),
    )
    return EntryBooked(
        meta=given.meta, entry_id=given.execution_id, account_id=given.account_id, kind="TRADE", rule="bare",
        lines=lines, realised_e8=0, filled_e8=given.quantity_e8, transacted_at_us=given.transacted_at_us,
        order_id=given.order_id, execution_id=given.execution_id, position=Position("BTC-USDT", 0, 0, 0),
    )  # fmt: skip


def faust_packages() -> Path:
    """The folder with Faust and what it needs, installed once."""
    folder = checkout() / ".truetape" / "downloads" / "faust"
    marker = folder / ".ready"
    if not marker.exists() or marker.read_text() != FAUST_LOCK.read_text():
        say("installing Faust")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--upgrade", "--target", str(folder), "-r", str(FAUST_LOCK)], check=True)
        marker.write_text(FAUST_LOCK.read_text())
    return folder


def measure(command: list[str], environment: dict[str, str], fills: int) -> dict[str, float]:
    """Run one kind in a child process; fills per second of wall and of CPU."""
    with children([command], environment) as [child]:
        assert child.stdout is not None
        wall, cpu = map(float, child.stdout.readline().split())
    return {"fills_per_second": round(fills / wall), "fills_per_core_second": round(fills / cpu)}


def compare(kafka: str, fills: int, with_faust: bool) -> dict[str, dict[str, float]]:
    """Each kind's figures: bare, ours, Faust."""
    environment, found = {"TRUETAPE_KAFKA": kafka}, {}
    for kind in ("bare", "ours"):
        found[kind] = measure(["-m", "bench.clearing", "--child", kind, "--fills", str(fills)], environment, fills)
        say(f"{kind}: {found[kind]}")
    if with_faust:
        fewer = fills // FAUST_SHARE
        beside = {"PYTHONPATH": os.pathsep.join([str(faust_packages()), str(checkout())])}
        found["faust"] = measure(["-m", "bench.faust_fold", FAUST, str(fewer)], environment | beside, fewer)
        say(f"faust: {found['faust']}")
    return found


def main() -> None:
    """Load the fills once, clear them bare and with the service."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer fills")
    parser.add_argument("--child", choices=("ours", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--fills", type=int, default=0, help="how many fills (default 400 000, quick 60 000)")
    parser.add_argument("--no-faust", action="store_true", help="leave Faust out")
    options = parser.parse_args()
    fills = options.fills or (60_000 if options.quick else 400_000)
    if options.child:
        {"ours": ours, "bare": bare}[options.child](fills)
        return
    with stage("kafka") as stack:
        kafka = f"127.0.0.1:{stack.port('kafka')}"
        topics.apply(kafka, 1)
        create_topics(kafka, [Topic(name, (), PARTITIONS, "account_id") for name in (BARE, FAUST)], 1, 30)
        say(f"writing {fills} fills")
        load(kafka, fills)
        found = compare(kafka, fills, not options.no_faust)
    per_core = {kind: rates["fills_per_core_second"] for kind, rates in found.items()}
    figures: dict[str, Any] = {**found.pop("ours"), "fills": fills, "topic": CLEARING_ENTRIES.name}
    if "faust" in found:
        figures["of_faust"] = round(per_core["ours"] / per_core["faust"], 1)
    publish("clearing", figures, found, round(per_core["ours"] / per_core["bare"], 3))


if __name__ == "__main__":
    main()
