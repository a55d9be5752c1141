"""Kafka's segment files changed on disk, as only somebody with access to the broker's disk can.

`flip_byte` changes one bit of one record's value where it stands. With `checksum=True` the batch's CRC is computed
again, as a forger would: then no Kafka client notices, and only hashes kept elsewhere show it.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from truetape.happenings import Part

_HEAD = struct.Struct(">qiibI")
"""Base offset, length of what follows the length, leader epoch, magic, CRC-32C of what follows the CRC."""
_FIRST_RECORD = 61
_CRC_AT, _CRC_FROM = 17, 21


class Value(NamedTuple):
    """Where a record's value stands in a segment."""

    segment: Path
    batch: int
    """Where its batch begins in the file."""
    batch_end: int
    start: int
    end: int
    base: int
    """Offset of the batch's first record."""


def flip_byte(data: Path, part: Part, offset: int, *, checksum: bool, index: int = -1) -> None:
    """Change a bit of the value's byte `index` of the record at `offset`; `data` is the broker's log.dirs."""
    found = locate(data, part, offset)
    at = found.end + index if index < 0 else found.start + index
    assert found.start <= at < found.end, "the value has such a byte"
    with found.segment.open("r+b") as file:
        file.seek(found.batch)
        batch = bytearray(file.read(found.batch_end - found.batch))
        batch[at - found.batch] ^= 1
        if checksum:
            struct.pack_into(">I", batch, _CRC_AT, crc32c(bytes(batch[_CRC_FROM:])))
        file.seek(found.batch)
        file.write(batch)


def locate(data: Path, part: Part, offset: int) -> Value:
    """The record's value in the segment file that holds it. Raises LookupError when there is none."""
    for segment in sorted((data / f"{part.topic}-{part.partition}").glob("*.log")):
        content = segment.read_bytes()
        for batch, end, base in _batches(content):
            for number, start, stop in _values(content, batch):
                if base + number == offset:
                    return Value(segment, batch, end, start, stop, base)
    raise LookupError(f"{part} has no record at offset {offset}")


def _batches(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(begin, end, base offset) of each batch."""
    at = 0
    while at + _FIRST_RECORD <= len(content):
        base, length, _, magic, _ = _HEAD.unpack_from(content, at)
        if length <= 0:
            return  # Preallocated, not written yet.
        assert magic == 2, "record batches of the second message format"
        yield at, at + 12 + length, base
        at += 12 + length


def _values(content: bytes, batch: int) -> Iterator[tuple[int, int, int]]:
    """(offset delta, begin, end) of each value in an uncompressed batch; records without a value are left out."""
    (attributes,) = struct.unpack_from(">h", content, batch + _CRC_FROM)
    assert attributes & 7 == 0, "the batch is not compressed"
    (count,) = struct.unpack_from(">i", content, batch + 57)
    at = batch + _FIRST_RECORD
    for _ in range(count):
        length, at = _varint(content, at)
        end = at + length
        _, at = _varint(content, at + 1)  # Past the attributes: the timestamp delta.
        delta, at = _varint(content, at)
        key, at = _varint(content, at)
        size, at = _varint(content, at + max(0, key))
        if size >= 0:
            yield delta, at, at + size
        at = end


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), as Kafka's batches carry it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
