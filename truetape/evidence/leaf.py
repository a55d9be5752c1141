"""What of a record is covered, as bytes: its place, key, value and headers, each with its length before it.

Injective: two records give the same bytes only if all of that is equal, so nothing can be shifted from one field to
the next. Not covered is what no reader of the tape reads, and what differs between true copies of it: the broker's
append time, batch boundaries, producer ids and leader epochs.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Final

from truetape.evidence.tree import leaf
from truetape.happenings import Record

CHAIN_START: Final = bytes(32)
"""The chain before a partition's first record."""
_LENGTH: Final = struct.Struct(">I")
_PLACE: Final = struct.Struct(">IQ")
_ABSENT: Final = b"\x00"
_PRESENT: Final = b"\x01"


def encoded(record: Record) -> bytes:
    """topic, partition (4 bytes), offset (8 bytes), key, value, number of headers (4 bytes), each header's name and
    value. Texts and bytes follow their length (4 bytes, big-endian); what may be absent follows 0x00 or 0x01."""
    topic = record.topic.encode()
    parts = [
        _LENGTH.pack(len(topic)), topic, _PLACE.pack(record.partition, record.offset),
        _optional(record.key), _optional(record.value), _headers(record.headers or ()),
    ]  # fmt: skip
    return b"".join(parts)


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    parts = [_LENGTH.pack(len(headers))]
    for name, value in headers:
        text = name.encode()
        parts += (_LENGTH.pack(len(text)), text, _optional(value))
    return b"".join(parts)


def _optional(value: bytes | None) -> bytes:
    return _ABSENT if value is None else _PRESENT + _LENGTH.pack(len(value)) + value


def leaf_of(record: Record) -> bytes:
    """Hash of a record as a leaf of its partition's tree."""
    return leaf(encoded(record))


def linked(chain: bytes, hashed: bytes) -> bytes:
    """The chain after one more record: SHA-256(0x02 ‖ chain before ‖ leaf)."""
    return hashlib.sha256(b"\x02" + chain + hashed).digest()
