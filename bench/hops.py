"""Two service hops on a real broker, against a bare idempotent relay and against Kafka transactions, in one run.

ratio is p50 of the tape / p50 of the bare relay, at 1 000/s; medians over rounds that alternate the three kinds.
"""

import argparse
import statistics
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.relays import HOPS
from bench.stage import children, latencies, publish, say, stage
from truetape import topics
from truetape.codec import encode
from truetape.log import Part, consumer_config, create_topics, producer_config, watermarks
from truetape.messages import CancelOrder
from truetape.topics import PARTITIONS, Topic

WARM_UP_SECONDS = 2.0
BARE = ("bench.a", "bench.b", "bench.c")
TRANSACTIONS = ("bench.d", "bench.e", "bench.f")
KINDS = {"bare": BARE, "tape": HOPS, "transactions": TRANSACTIONS}


def measure(kafka: str, kind: str, rate: float, seconds: float) -> list[float]:
    """Latencies in seconds from produce to the arrival after two hops, warm-up left out."""
    first, middle, last = KINDS[kind]
    relays = [["-m", "bench.relays", kind, first, middle], ["-m", "bench.relays", kind, middle, last]]
    with children(relays, {"TRUETAPE_KAFKA": kafka}):
        arrived: dict[bytes, float] = {}
        listening, done = threading.Event(), threading.Event()
        listener = threading.Thread(target=listen, args=(kafka, last, arrived, listening, done))
        listener.start()
        listening.wait(10)
        sent = send(kafka, first, rate, seconds + WARM_UP_SECONDS)
        deadline = time.monotonic() + 10
        while len(arrived) < len(sent) and time.monotonic() < deadline:
            time.sleep(0.05)
        done.set()
        listener.join()
    begin = min(sent.values()) + WARM_UP_SECONDS
    lost = sum(1 for key in sent if key not in arrived)
    if lost:
        raise RuntimeError(f"{kind}: {lost} of {len(sent)} messages did not arrive")
    return [arrived[key] - at for key, at in sent.items() if at >= begin]


def send(kafka: str, topic: str, rate: float, seconds: float) -> dict[bytes, float]:
    """Produce at a steady rate; returns when each key was sent."""
    producer = Producer(producer_config(kafka, 6_000))
    sent: dict[bytes, float] = {}
    begin, total = time.perf_counter(), int(rate * seconds)
    for n in range(total):
        while (wait := begin + n / rate - time.perf_counter()) > 0:
            producer.poll(min(wait, 0.001))
        account = f"acc-{n}"
        value = encode(CancelOrder(f"{n:032x}", account, f"{n:032x}", "key", n))
        sent[account.encode()] = time.perf_counter()
        producer.produce(topic, value, account.encode(), partition=n % PARTITIONS)
    producer.flush(10)
    return sent


def listen(
    kafka: str, topic: str, arrived: dict[bytes, float], listening: threading.Event, done: threading.Event
) -> None:
    """Note when each key arrives."""
    consumer = Consumer({**consumer_config(kafka, "bench-end"), "isolation.level": "read_committed"})
    ends = watermarks(consumer, [Part(topic, p) for p in range(PARTITIONS)])
    consumer.assign([TopicPartition(*part, high) for part, (_, high) in ends.items()])
    listening.set()
    while not done.is_set():
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            arrived.setdefault(message.key() or b"", time.perf_counter())
    consumer.close()


def main() -> None:
    """Run all kinds in alternating rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rate", type=float, default=1000.0, help="messages per second")
    options = parser.parse_args()
    rounds, seconds = (1, 4.0) if options.quick else (3, 10.0)
    found: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    with stage("kafka") as stack:
        kafka = f"127.0.0.1:{stack.port('kafka')}"
        topics.apply(kafka, 1)
        create_topics(kafka, [Topic(name, (), PARTITIONS, "none") for name in (*BARE, *TRANSACTIONS)], 1, 30)
        for number in range(rounds):
            for kind, rows in found.items():
                rows.append(measure(kafka, kind, options.rate, seconds))
                say(f"round {number + 1}/{rounds} {kind}: {latencies(rows[-1])}")
    p50 = {kind: statistics.median(latencies(row)["p50_ms"] for row in rows) for kind, rows in found.items()}
    whole = {kind: latencies([value for row in rows for value in row]) for kind, rows in found.items()}
    publish(
        "hops",
        {
            "tape": whole["tape"],
            "rate_per_second": options.rate,
            "of_transactions": round(p50["tape"] / p50["transactions"], 3),
        },
        {"bare": whole["bare"], "transactions": whole["transactions"]},
        round(p50["tape"] / p50["bare"], 3),
    )


if __name__ == "__main__":
    main()
