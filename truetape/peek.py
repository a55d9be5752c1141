"""What the first bytes of a record say, without decoding it: on every owned topic meta comes first."""

from functools import cache
from typing import NamedTuple

from truetape.codec import HEADER
from truetape.schema import released
from truetape.tape import Place


class Peek(NamedTuple):
    """What the first bytes of a record on an owned topic say."""

    kind: str
    epoch: int
    sequence: int


@cache
def _kinds() -> dict[int, str]:
    return {version.id: version.record.rpartition(".")[2] for version in released()}


def peek(value: bytes | None) -> Peek | None:
    """Type, epoch and sequence without decoding; None when the bytes are none of ours."""
    claimed = place_of(value)
    if value is None or claimed is None:
        return None
    kind = _kinds().get(HEADER.unpack_from(value)[1])
    return Peek(kind, *claimed) if kind is not None else None


def place_of(value: bytes | None) -> Place | None:
    """Epoch and sequence that the bytes claim, whatever their schema; None when they are not the wire format."""
    if value is None or len(value) < HEADER.size + 2 or value[0] != 0:
        return None
    epoch, at = _long(value, HEADER.size)
    return Place(epoch, _long(value, at)[0])


def _long(data: bytes, at: int) -> tuple[int, int]:
    """Avro's zigzag varint; what has no end counts as 0, and the full decoding will refuse it."""
    number = shift = 0
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        number |= (byte & 127) << shift
        if byte < 128:
            return (number >> 1) ^ -(number & 1), position + 1
        shift += 7
    return 0, len(data)
