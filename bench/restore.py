"""From kill -9 of a service to its next decision: risk, with 100 000 open orders in its books.

The benchmark writes what the gateway, pricing and clearing would (reference data, a mark, deposits), has risk accept
the open orders, waits for its snapshots and stops it in order once, so that the restart is warm. Then it asks each
partition for a decision every 20 ms (the cancel of an unknown order), kills risk, starts it again at once, and notes
when each partition's next decision comes. The baseline is the same service on an empty tape: ratio is with / without
open orders, p50 to the next decision.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.stage import publish, say, stage
from truetape import demo, ids, topics
from truetape import messages as m
from truetape.codec import encode
from truetape.log import Part, consumer_config, producer_config, watermarks
from truetape.topics import (
    CLEARING_ENTRIES,
    MARKET_MARKS,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    PARTITIONS,
    REFERENCE_EVENTS,
    snapshots_of,
)

ACCOUNTS = [f"restore-{number}" for number in range(80)]
LIMITS = m.Limits(2**62, 1_000_000, 1_000_000, 10**8, 10**15)
ASK_SECONDS, WAIT_SECONDS = 0.02, 240.0
MARK_E8 = 60_000 * 10**8


class Tape:
    """Writes the topics that risk reads, as their owners would."""

    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self.producer = Producer({**producer_config(kafka, 60_000), "linger.ms": 2})
        self._places: dict[Part, int] = {}

    def own(self, part: Part, key: str, make: Any) -> None:
        """Append make(meta) to a topic with an owner; its Began comes first."""
        if part not in self._places:
            self._places[part] = 0
            began = m.Began(self._meta(part, 0), "bench")
            self.producer.produce(part.topic, encode(began), b"", partition=part.partition)
        self._places[part] += 1
        record = make(self._meta(part, self._places[part]))
        self.producer.produce(part.topic, encode(record), key.encode(), partition=part.partition)

    def _meta(self, part: Part, sequence: int) -> m.Meta:
        now_us = time.time_ns() // 1000
        return m.Meta(
            1, sequence, m.Cause("bench", part.partition, -1, str(sequence)), now_us, f"{part}<{sequence}", ""
        )

    def command(self, account_id: str, command: m.SubmitOrder | m.CancelOrder) -> None:
        """Append a client's command."""
        partition = ids.partition_of(account_id, PARTITIONS)
        self.producer.produce(ORDERS_COMMANDS.name, encode(command), account_id.encode(), partition=partition)
        self.producer.poll(0)

    def introduce(self) -> None:
        """Instruments, accounts with money and generous limits, and a mark that never ages."""
        reference, now_us = Part(REFERENCE_EVENTS.name, 0), time.time_ns() // 1000
        for instrument in demo.instruments():
            self.own(reference, "", lambda meta, one=instrument: m.InstrumentSet(meta, "c", "bench", one))
        self.own(reference, "", lambda meta: m.LimitsSet(meta, "c", "bench", "*", LIMITS))
        for account in ACCOUNTS:
            self.own(reference, "", lambda meta, one=account: m.AccountOpened(meta, "c", "bench", one, one))
            entries = Part(CLEARING_ENTRIES.name, ids.partition_of(account, PARTITIONS))
            self.own(entries, account, lambda meta, one=account: deposit(meta, one))
        mark = Part(MARKET_MARKS.name, 0)
        self.own(
            mark, "BTC-USDT",
            lambda meta: m.MarkPublished(meta, "BTC-USDT", MARK_E8, MARK_E8, MARK_E8, "alpha", 1, now_us, 0),
        )  # fmt: skip
        self.producer.flush(60)

    def submit(self, count: int) -> None:
        """So many orders that rest: far bids."""
        for number in range(count):
            account = ACCOUNTS[number % len(ACCOUNTS)]
            order_id = ids.order_id(account, str(number))
            terms = m.OrderTerms(
                order_id, account, str(number), "BTC-USDT", "BUY", "LIMIT", "GTC", False, 100_000, MARK_E8 * 9 // 10
            )
            self.command(account, m.SubmitOrder(terms, "key", time.time_ns() // 1000))
            if len(self.producer) > 20_000:
                self.producer.poll(0.05)
        self.producer.flush(60)


def deposit(meta: m.Meta, account: str) -> m.EntryBooked:
    """A million dollars a thousand times over."""
    amount_e8 = 10**9 * 10**8
    lines = (
        m.Line(f"client:{account}", "USDT", amount_e8, "deposit"),
        m.Line("venue:alpha", "USDT", -amount_e8, "deposit"),
    )
    return m.EntryBooked(
        meta=meta, entry_id=f"deposit-{account}", account_id=account, kind="DEPOSIT", rule="transfer", lines=lines,
        realised_e8=0, filled_e8=0, transacted_at_us=meta.decided_at_us,
    )  # fmt: skip


class Decisions(threading.Thread):
    """Counts risk's decisions as they come, and notes each partition's first one after `since`."""

    def __init__(self, kafka: str) -> None:
        super().__init__(name="decisions", daemon=True)
        self.count = 0
        self.since, self.first = float("inf"), dict[int, float]()
        self.stopping = threading.Event()
        self._began = encode(m.Began(m.Meta(0, 0, m.Cause("", 0, 0, ""), 0, "", ""), ""))[:5]
        self._consumer = Consumer(consumer_config(kafka, "bench-decisions"))
        ends = watermarks(self._consumer, [Part(ORDERS_DECISIONS.name, p) for p in range(PARTITIONS)])
        self._consumer.assign([TopicPartition(*part, high) for part, (_, high) in ends.items()])

    def run(self) -> None:
        """The thread."""
        while not self.stopping.is_set():
            for message in self._consumer.consume(500, 0.01):
                if message.error() is None and (message.value() or b"")[:5] != self._began:
                    self.count += 1
                    if (now := time.monotonic()) > self.since:
                        self.first.setdefault(message.partition() or 0, now)
        self._consumer.close()


class Probe(threading.Thread):
    """Asks every partition for a decision, again and again."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(name="probe", daemon=True)
        self._tape, self.stopping = tape, threading.Event()
        self._accounts = {ids.partition_of(account, PARTITIONS): account for account in ACCOUNTS}
        assert len(self._accounts) == PARTITIONS

    def run(self) -> None:
        """The thread."""
        number = 0
        while not self.stopping.wait(ASK_SECONDS):
            for account in self._accounts.values():
                number += 1
                self._tape.command(account, m.CancelOrder(f"probe-{number}", account, "nobody's", "key", 0))


class Risk:
    """The service's process."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = {**os.environ, **environment, "TRUETAPE_LOG_LEVEL": "warning"}
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-m", "services.risk"], env=self._environment)

    def replace(self, with_signal: signal.Signals) -> float:
        """End it, start it again at once; when it ended, by the monotonic clock."""
        self.process.send_signal(with_signal)
        self.process.wait(60)
        ended = time.monotonic()
        self.process = self._start()
        return ended


@contextmanager
def playing(kafka: str, environment: dict[str, str]) -> Iterator[tuple[Tape, Decisions, Risk]]:
    """A tape with reference data, risk, and somebody who counts its decisions."""
    topics.apply(kafka, 1)
    tape = Tape(kafka)
    tape.introduce()
    decisions = Decisions(kafka)
    decisions.start()
    risk = Risk(environment)
    try:
        yield tape, decisions, risk
    finally:
        risk.process.terminate()
        risk.process.wait(60)
        decisions.stopping.set()
        decisions.join(10)


def until(what: str, holds: Any) -> None:
    """Wait for it. Raises TimeoutError that says what did not happen."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {WAIT_SECONDS:g} s: {what}")
        time.sleep(0.005)


def recover(decisions: Decisions, risk: Risk) -> tuple[float, float]:
    """Kill and start again; seconds to the next decision of any partition, and of the last one."""
    time.sleep(1.0)
    ended = risk.replace(signal.SIGKILL)
    decisions.first.clear()
    decisions.since = ended
    until("a decision on each partition", lambda: len(decisions.first) == PARTITIONS)
    decisions.since = float("inf")
    arrived = decisions.first.values()
    return min(arrived) - ended, max(arrived) - ended


def measure(orders: int, rounds: int) -> dict[str, float]:
    """Figures with so many open orders, on a Kafka of its own."""
    with stage("kafka") as stack:
        kafka = f"127.0.0.1:{stack.port('kafka')}"
        environment = {"TRUETAPE_KAFKA": kafka, "TRUETAPE_PORT_BASE": str(stack.port_base)}
        with playing(kafka, environment) as (tape, decisions, risk):
            tape.submit(orders)
            until(f"{orders} orders accepted", lambda: decisions.count >= orders + len(ACCOUNTS))
            risk.replace(signal.SIGTERM)  # It keeps its snapshots.
            probe = Probe(tape)
            probe.start()
            found = []
            for number in range(rounds):
                found.append(recover(decisions, risk))
                say(f"{orders} orders, kill {number + 1}/{rounds}: {found[-1][0]:.3f} s, all {found[-1][1]:.3f} s")
            probe.stopping.set()
            probe.join(5)
            bytes_kept = snapshot_bytes(kafka)
    first, last = [pair[0] for pair in found], [pair[1] for pair in found]
    return {
        "open_orders": orders, "kills": rounds, "p50_seconds": round(statistics.median(first), 3),
        "max_seconds": round(max(first), 3), "all_partitions_p50_seconds": round(statistics.median(last), 3),
        "snapshot_bytes": bytes_kept,
    }  # fmt: skip


def snapshot_bytes(kafka: str) -> int:
    """Bytes of the snapshots that a restart reads, those that compaction has not removed yet included."""
    consumer = Consumer(consumer_config(kafka, "bench-snapshots"))
    ends = watermarks(consumer, [Part(snapshots_of(ORDERS_DECISIONS).name, p) for p in range(PARTITIONS)])
    consumer.assign([TopicPartition(*part, low) for part, (low, _) in ends.items()])
    count, total = sum(high - low for low, high in ends.values()), 0
    deadline = time.monotonic() + 30
    while count > 0 and time.monotonic() < deadline:
        for message in consumer.consume(100, 0.1):
            count, total = count - 1, total + len(message.value() or b"")
    consumer.close()
    return total


def main() -> None:
    """Measure with and without open orders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer kills")
    parser.add_argument("--orders", type=int, default=100_000, help="open orders (default 100 000)")
    parser.add_argument("--kills", type=int, default=0, help="kills of each kind (default 7, quick 3)")
    options = parser.parse_args()
    kills = options.kills or (3 if options.quick else 7)
    empty, full = measure(0, kills), measure(options.orders, kills)
    publish("restore", full, empty, round(full["p50_seconds"] / empty["p50_seconds"], 2))


if __name__ == "__main__":
    main()
