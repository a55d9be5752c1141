"""Avro's primitive values. A read takes bytes and a place, and gives the value and the place after it.

i64 is int in plain Python and a machine word when compiled; both give the same bytes and refuse the same values.
A read raises IndexError, ValueError or UnicodeDecodeError on bytes that are not what they should be; a write raises
OverflowError, KeyError, TypeError or AttributeError for a value that does not fit.
"""

from typing import Any, Final

from mypy_extensions import i64

_BITS: Final = 14
_LOW: Final = (1 << _BITS) - 1
_CACHED_CHARACTERS: Final = 24
_CACHE_MAX: Final = 8_192
_NAME_BYTES_MAX: Final = 64


def _last(number: int) -> bytes:
    """A varint below 2**14."""
    return bytes((number,)) if number < 128 else bytes((number & 127 | 128, number >> 7))


LAST: Final[list[bytes]] = [_last(number) for number in range(_LOW + 1)]
MORE: Final[list[bytes]] = [bytes((number & 127 | 128, number >> 7 | 128)) for number in range(_LOW + 1)]
"""The same fourteen bits where more follow."""
STRINGS: Final[dict[str, bytes]] = {}
NAMES: Final[dict[bytes, str]] = {}


def read_long(data: bytes, at: i64) -> tuple[i64, i64]:
    """A zigzag varint of at most 64 bits."""
    byte: i64 = data[at]
    sign: i64 = byte & 1
    number: i64 = (byte & 127) >> 1
    shift: i64 = 6
    while byte > 127:
        at += 1
        byte = data[at]
        if shift == 62 and byte > 1:
            raise ValueError("a number beyond 64 bits")
        number |= (byte & 127) << shift
        shift += 7
    return number ^ -sign, at + 1


def write_long(out: list[bytes], value: i64) -> None:
    """A zigzag varint. Raises OverflowError beyond 64 bits."""
    sign: i64 = 0
    if value < 0:
        sign, value = 1, ~value
    if value >> 62 > 1:
        raise OverflowError("a number beyond 64 bits")
    low: i64 = (value & (_LOW >> 1)) << 1 | sign
    rest: i64 = value >> (_BITS - 1)
    while rest:
        out.append(MORE[low])
        low = rest & _LOW
        rest >>= _BITS
    out.append(LAST[low])


def read_bytes(data: bytes, at: i64) -> tuple[bytes, i64]:
    """Length and bytes."""
    length, start = read_long(data, at)
    end: i64 = start + length
    if length < 0 or end > len(data):
        raise ValueError("a value reaches beyond the end")
    return data[start:end], end


def write_bytes(out: list[bytes], value: bytes) -> None:
    """Length and bytes."""
    write_long(out, len(value))
    out.append(value)


def read_string(data: bytes, at: i64) -> tuple[str, i64]:
    """Length and UTF-8 bytes."""
    found, end = read_bytes(data, at)
    return found.decode("utf-8"), end


def read_name(data: bytes, at: i64) -> tuple[str, i64]:
    """A string of which there are few (an asset, a venue, a ledger account): one object for all that are equal, a
    bounded number of them. Whoever looks it up need not hash it again, and a state holds it once."""
    found, end = read_bytes(data, at)
    known = NAMES.get(found)
    if known is not None:
        return known, end
    text = found.decode("utf-8")
    if len(found) <= _NAME_BYTES_MAX:
        if len(NAMES) >= _CACHE_MAX:
            NAMES.clear()
        NAMES[found] = text
    return text, end


def write_string(out: list[bytes], value: str) -> None:
    """Length and UTF-8 bytes; short strings (accounts, assets, purposes) are remembered, a bounded number of them. Mere
    digits are an id of somebody's (a venue's order, a tick): it does not come again soon."""
    known = STRINGS.get(value)
    if known is not None:
        out.append(known)
        return
    data = value.encode("utf-8")
    written: list[bytes] = []
    write_bytes(written, data)
    whole = b"".join(written)
    if len(value) <= _CACHED_CHARACTERS and not value.isdigit():
        if len(STRINGS) >= _CACHE_MAX:
            STRINGS.clear()
        STRINGS[value] = whole
    out.append(whole)


def read_boolean(data: bytes, at: i64) -> tuple[bool, i64]:
    """One byte, 0 or 1."""
    byte: i64 = data[at]
    if byte > 1:
        raise ValueError("a boolean that is neither 0 nor 1")
    return byte == 1, at + 1


def write_boolean(out: list[bytes], value: Any) -> None:
    """One byte, 0 or 1."""
    out.append(b"\x01" if value else b"\x00")


def read_symbol(data: bytes, at: i64, symbols: list[str]) -> tuple[str, i64]:
    """An enum's symbol by its index."""
    index, end = read_long(data, at)
    if index < 0 or index >= len(symbols):
        raise ValueError("an enum symbol that its schema does not know")
    return symbols[index], end


def read_branch(data: bytes, at: i64) -> tuple[bool, i64]:
    """Whether a union of null and something holds something."""
    index, end = read_long(data, at)
    if index < 0 or index > 1:
        raise ValueError("a union branch that its schema does not know")
    return index == 1, end


def read_count(data: bytes, at: i64) -> tuple[i64, i64]:
    """How many items an array's or a map's next block has; 0 ends it."""
    count, end = read_long(data, at)
    if count < 0:
        _, end = read_long(data, end)  # A negative count is followed by the block's size.
        count = -count
        if count < 0:
            raise ValueError("a block's count beyond 64 bits")
    return count, end
