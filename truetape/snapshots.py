"""Snapshots: a service's state at one place of its own topic, cut into records. A cache, never the truth."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from truetape.codec import Message, decode
from truetape.errors import SchemaError
from truetape.happenings import Part, Record
from truetape.messages import Snapshot
from truetape.tape import Place

PART_BYTES_MAX = 512 * 1024
_encoder = msgspec.msgpack.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class Kept:
    """A complete snapshot as read back."""

    place: Place
    offset: int
    positions: dict[str, int]
    state: bytes


def pack(state: Any) -> bytes:
    """Canonical bytes of a state: equal states give equal bytes, whatever the order in which they grew."""
    return _encoder.encode(state)


def digest(state: Any) -> str:
    """SHA-256 of a state's canonical bytes."""
    return hashlib.sha256(pack(state)).hexdigest()


@cache
def version_of(state_type: Any) -> str:
    """Fingerprint of a state's type: a snapshot of another shape is not used."""
    schema = msgspec.json.schema(state_type)
    return hashlib.sha256(msgspec.json.encode(schema, order="deterministic")).hexdigest()[:16]


def cut(service: str, partition: int, version: str, kept: Kept) -> Iterator[tuple[bytes, Message]]:
    """(key, record) of each part of a snapshot."""
    whole = hashlib.sha256(kept.state).hexdigest()
    parts = [kept.state[at : at + PART_BYTES_MAX] for at in range(0, len(kept.state), PART_BYTES_MAX)] or [b""]
    for index, part in enumerate(parts):
        record = Snapshot(
            service, partition, kept.place.epoch, kept.place.sequence, kept.offset, version, whole, index,
            len(parts), kept.positions, part,
        )  # fmt: skip
        yield f"{partition}:{index}".encode(), record


def begin_of(last: Record) -> tuple[Part, int]:
    """Where the snapshot begins whose last part is a partition's last record, unless others wrote in between."""
    record = _readable(last.value or b"")
    return Part(last.topic, last.partition), last.offset - record.index if record is not None else last.offset


def newest(records: Iterable[Record], version: str) -> dict[int, Kept]:
    """The newest complete snapshot of each partition; parts of others, damaged or older-shaped ones are passed over.

    A record without a value says that a rebuild took everything before it off the shelf.
    """
    parts: dict[tuple[int, int], dict[int, Snapshot]] = {}
    for read in records:
        if read.value is None:
            parts = {key: group for key, group in parts.items() if key[0] != read.partition}
        elif (record := _readable(read.value)) is not None and record.state_version == version:
            parts.setdefault((record.partition, record.offset), {})[record.index] = record
    found: dict[int, Kept] = {}
    for (partition, _), group in sorted(parts.items()):
        kept = _join(group)
        if kept is not None:
            found[partition] = kept
    return found


def _readable(value: bytes) -> Snapshot | None:
    try:
        record = decode(value)
    except SchemaError:
        return None
    return record if isinstance(record, Snapshot) else None


def _join(group: dict[int, Snapshot]) -> Kept | None:
    first = next(iter(group.values()))
    state = b"".join(group[index].state for index in range(first.count) if index in group)
    if len(group) != first.count or hashlib.sha256(state).hexdigest() != first.digest:
        return None
    return Kept(Place(first.epoch, first.sequence), first.offset, dict(first.positions), state)
