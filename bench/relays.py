"""Relay processes for bench.hops: `python -m bench.relays KIND FROM TO`. Each prints `ready` and runs until SIGTERM.

tape: a service on the run loop (decide, evolve, encode, produce, report checked).
bare: consume, produce with an idempotent producer, nothing else.
transactions: the usual exactly-once loop: a Kafka transaction per poll.
"""

import signal
import sys
import threading
from typing import Any

import msgspec
import structlog
from confluent_kafka import Consumer, Producer, TopicPartition

from truetape.log import KafkaLog, Part, consumer_config, producer_config, watermarks
from truetape.messages import CancelOrder, CancelRefused, CancelRejectedByVenue
from truetape.runner import Runner
from truetape.service import Input, Service
from truetape.settings import settings
from truetape.topics import BY_NAME, ORDERS_COMMANDS, ORDERS_DECISIONS, ORDERS_EXECUTIONS, PARTITIONS, Topic

stopping = threading.Event()


class Counts(msgspec.Struct):
    """State of the toy service: how often each of a bounded set of keys was seen."""

    seen: dict[str, int] = {}


def decide(state: Counts, given: Input) -> Any:
    """Answer a cancel with a refusal, and a refusal with a venue's refusal: two hops of about 170 bytes."""
    match given.message:
        case CancelOrder() as order:
            return CancelRefused(
                given.meta(order.order_id), order.command_id, order.account_id, order.order_id, "ORDER_UNKNOWN"
            )
        case CancelRefused() as refused:
            return CancelRejectedByVenue(
                given.meta(refused.order_id), refused.order_id, refused.account_id, 0, "alpha", "-2011", "unknown"
            )
        case _:
            return None


def evolve(state: Counts, event: Any) -> Counts:
    """Count by the account's last two digits."""
    key = getattr(event, "account_id", "")[-2:]
    state.seen[key] = state.seen.get(key, 0) + 1
    return state


def tape(source: Topic, target: Topic) -> None:
    """One hop on the run loop."""
    name = "risk" if target is ORDERS_DECISIONS else "router"
    service = Service(name, target, Counts, decide, evolve, Counts, (source,))
    runner = Runner(service, KafkaLog(settings().kafka, alone=True), settings())
    threading.Thread(target=_when_ready, args=(runner,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: runner.stop())
    runner.run()


def _when_ready(runner: Runner[Counts]) -> None:
    while len(runner.partitions()) < PARTITIONS:
        stopping.wait(0.01)
    print("ready", flush=True)


def _consumer(source: str, group: str) -> Consumer:
    consumer = Consumer(consumer_config(settings().kafka, group))
    ends = watermarks(consumer, [Part(source, p) for p in range(PARTITIONS)])
    consumer.assign([TopicPartition(*part, high) for part, (_, high) in ends.items()])
    return consumer


def bare(source: str, target: str) -> None:
    """Consume and produce."""
    consumer, producer = _consumer(source, "bare"), Producer(producer_config(settings().kafka, 6_000))
    print("ready", flush=True)
    while not stopping.is_set():
        first = consumer.poll(0.05)
        for message in [first, *consumer.consume(500, 0)] if first else []:
            producer.produce(target, message.value(), message.key(), partition=message.partition() or 0)
        producer.poll(0)
    producer.flush(5)
    consumer.close()


def transactions(source: str, target: str) -> None:
    """A transaction per poll, offsets inside, as exactly-once is usually done."""
    config = {**producer_config(settings().kafka, 6_000), "transactional.id": f"bench-{target}", "retry.backoff.ms": 10}
    consumer, producer = _consumer(source, f"tx-{target}"), Producer(config)
    producer.init_transactions(30)
    print("ready", flush=True)
    while not stopping.is_set():
        first = consumer.poll(0.05)
        if first is None:
            continue
        batch = [first, *consumer.consume(500, 0)]
        producer.begin_transaction()
        for message in batch:
            producer.produce(target, message.value(), message.key(), partition=message.partition() or 0)
        places = [(message.partition() or 0, message.offset() or 0) for message in batch]
        next_offsets = {partition: TopicPartition(source, partition, offset + 1) for partition, offset in places}
        producer.send_offsets_to_transaction(list(next_offsets.values()), consumer.consumer_group_metadata())
        producer.commit_transaction(30)
    consumer.close()


def main() -> None:
    """Run the relay that the arguments name."""
    kind, source, target = sys.argv[1:4]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    match kind:
        case "tape":
            tape(BY_NAME[source], BY_NAME[target])
        case "bare":
            bare(source, target)
        case "transactions":
            transactions(source, target)


HOPS = (ORDERS_COMMANDS.name, ORDERS_DECISIONS.name, ORDERS_EXECUTIONS.name)

if __name__ == "__main__":
    main()
