"""Records of a topic as they stand, decoded: the newest ones, of one account or of all, and those that come."""

from collections import deque
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, Final

import msgspec

from truetape import ids
from truetape.errors import SetupError
from truetape.happenings import Log, Part, Record
from truetape.near import hint
from truetape.restore import readable
from truetape.shown import moment
from truetape.topics import BY_NAME, Topic, key_of

POLL_SECONDS: Final = 0.5


def topic_named(name: str) -> Topic:
    """The topic. Raises SetupError with those near it."""
    if (found := BY_NAME.get(name)) is None:
        raise SetupError(f"there is no topic {name[:64]!r}{hint(name, BY_NAME)}; `truetape topics list` has them all")
    return found


def parts_of(topic: Topic, partition: int | None, account_id: str) -> list[Part]:
    """The partition that is named or holds the account, or all of them. Raises SetupError."""
    if partition is not None and not 0 <= partition < topic.partitions:
        raise SetupError(f"{topic.name} has no partition {partition}: it has {topic.partitions}, the first is 0")
    if account_id and partition is None and topic.key == "account_id":
        partition = ids.partition_of(account_id, topic.partitions)
    return [Part(topic.name, one) for one in (range(topic.partitions) if partition is None else [partition])]


def newest(log: Log, parts: Iterable[Part], last: int, account_id: str, seconds: float) -> list[dict[str, Any]]:
    """The newest records of these partitions, the newest last. Of one account its whole partition is looked through."""
    ends = log.ends(parts)
    spans = {part: (low if account_id else max(low, high - last), high) for part, (low, high) in ends.items()}
    kept = {part: deque[dict[str, Any]](maxlen=last) for part in spans}
    for row in rows(log.read(spans, seconds), account_id):
        kept[Part(row["topic"], row["partition"])].append(row)
    timed = [one for found in kept.values() for one in _timed(found)]
    return [row for _, row in sorted(timed, key=itemgetter(0))[-last:]]


def _timed(found: Iterable[dict[str, Any]]) -> Iterator[tuple[tuple[str, int, int], dict[str, Any]]]:
    """Rows of one partition with what they are sorted by; one that tells no time has that of the one before it."""
    at = ""
    for row in found:
        at = row["at"] or at
        yield (at, row["partition"], row["offset"]), row


def coming(log: Log, starts: dict[Part, int], account_id: str) -> Iterator[dict[str, Any]]:
    """Records from these offsets on, as they come, for ever."""
    log.follow(starts)
    while True:
        yield from rows((one for one in log.poll(POLL_SECONDS) if isinstance(one, Record)), account_id)


def rows(records: Iterable[Record], account_id: str) -> Iterator[dict[str, Any]]:
    """Each record as plain values; bytes that are none of the topic's as type "stray"."""
    for record in records:
        message: Any = readable(record)
        if account_id and (message is None or key_of(message) != account_id):
            continue
        yield _row(record, message)


def _row(record: Record, message: Any) -> dict[str, Any]:
    place: dict[str, Any] = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    if message is None:
        return place | {"type": "stray", "at": "", "cause": "", "fields": {"bytes": len(record.value or b"")}}
    fields = msgspec.to_builtins(message)
    meta = fields.pop("meta", None)
    if meta is None:
        at = moment(fields["received_at_us"]) if fields.get("received_at_us") else ""
        return place | {"type": type(message).__name__, "at": at, "cause": "", "fields": fields}
    cause = meta["cause"]
    where = cause["offset"] if cause["offset"] >= 0 else cause["id"]
    because = f"{cause['source']}/{cause['partition']}@{where}"
    return place | {
        "type": type(message).__name__, "at": moment(meta["decided_at_us"]), "epoch": meta["epoch"],
        "sequence": meta["sequence"], "event_id": meta["event_id"], "cause": because, "fields": fields,
    }  # fmt: skip
