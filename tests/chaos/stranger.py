"""Somebody who writes to topics without being a part of the system: bytes that are no records, and records again."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing

from confluent_kafka import Message, Producer

from truetape import ids, topics
from truetape.codec import HEADER, encode, schema_id
from truetape.happenings import Record
from truetape.log import KafkaLog, Part
from truetape.messages import CheckpointSigned, OrderTerms, SubmitOrder

HUGE_BYTES = 900_000
"""A record that the broker still takes."""
TOO_HUGE_BYTES = 1_200_000
"""One that it does not."""
NOW_US = 1_700_000_000_000_000


def parts(names: Iterable[topics.Topic]) -> list[Part]:
    """All partitions of these topics."""
    return [Part(topic.name, partition) for topic in names for partition in range(topic.partitions)]


def broken() -> dict[str, bytes]:
    """What no reader can take for a record, by what is wrong with it."""
    submitted = encode(order("nobody", "broken"))
    too_long = b"\xff" * 9 + b"\x7f"  # A varint beyond 64 bits, where the order's quantity would stand.
    return {
        "no bytes": b"",
        "JSON": b'{"side": "BUY", ',
        "unknown schema id": HEADER.pack(0, 999_999) + b"\x02a",
        "cut off": submitted[:-3],
        "left over": submitted + b"\0",
        "2^63 and more": submitted[: HEADER.size] + too_long * 4,
        "a type of nowhere": HEADER.pack(0, schema_id(CheckpointSigned)) + b"\xff" * 40,
    }


def order(account_id: str, name: str, instrument: str = "BTC-USDT", quantity_e8: int = 100_000) -> SubmitOrder:
    """A market order that no gateway has seen."""
    terms = OrderTerms(
        ids.order_id(account_id, name), account_id, name, instrument, "BUY", "MARKET", "IOC", False, quantity_e8
    )
    return SubmitOrder(terms, "stranger", NOW_US)


def impossible(account_id: str, name: str) -> dict[str, SubmitOrder]:
    """Orders that are well-formed and make no sense, by what is wrong with them."""
    return {
        "unknown instrument": order(account_id, f"{name}.nowhere", "NO-WHERE"),
        "negative": order(account_id, f"{name}.negative", quantity_e8=-100_000),
        "nothing": order(account_id, f"{name}.nothing", quantity_e8=0),
        "2^63 - 1": order(account_id, f"{name}.most", quantity_e8=2**63 - 1),
        "-2^63": order(account_id, f"{name}.least", quantity_e8=-(2**63)),
        "unknown account": order("no-such-account", f"{name}.{account_id}"),
    }


def write(bootstrap: str, values: Iterable[tuple[Part, bytes | None, bytes | None]]) -> Counter[str]:
    """Write (partition, key, value) as they are; how often the broker said what ("" where it took them)."""
    told: Counter[str] = Counter()

    def noted(error: object, _: Message) -> None:
        told[error.name() if error is not None else ""] += 1  # type: ignore[attr-defined]

    producer = Producer({
        "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "log_level": 2,
        "message.max.bytes": 4_000_000, "queue.buffering.max.kbytes": 1_000_000,
    })  # fmt: skip
    for part, key, value in values:
        producer.produce(part.topic, value, key, partition=part.partition, on_delivery=noted)
        producer.poll(0)
    assert producer.flush(120) == 0, "the broker takes what it is given"
    return told


def tail(bootstrap: str, part: Part, last: int) -> list[Record]:
    """The last records of a partition as they stand there."""
    with closing(KafkaLog(bootstrap)) as log:
        low, high = log.ends([part])[part]
        return list(log.read({part: (max(low, high - last), high)}, 60))
