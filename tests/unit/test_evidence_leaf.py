"""What of a record is covered: injective, and exactly what the tape's readers read."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from truetape.evidence.leaf import CHAIN_START, encoded, leaf_of, linked
from truetape.happenings import Record

values = st.none() | st.binary(max_size=6)
records = st.builds(
    Record,
    topic=st.text("abc./", max_size=4),
    partition=st.integers(0, 3),
    offset=st.integers(0, 300),
    key=values,
    value=values,
    headers=st.lists(st.tuples(st.text("ab", max_size=3), values), max_size=3),
)


def decoded(data: bytes) -> Record:
    """The encoding read back by its description: that it can be, whatever the record, is what injective means."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        found = data[at : at + count]
        assert len(found) == count
        at += count
        return found

    def number(count: int = 4) -> int:
        return int.from_bytes(take(count), "big")

    def maybe() -> bytes | None:
        match number(1):
            case 0:
                return None
            case 1:
                return take(number())
            case other:
                raise AssertionError(other)

    topic, partition, offset = take(number()).decode(), number(), number(8)
    key, value = maybe(), maybe()
    headers = [(take(number()).decode(), maybe()) for _ in range(number())]
    assert at == len(data), "nothing is left over"
    return Record(topic, partition, offset, key, value, headers)


@given(records)
def test_every_record_can_be_read_back_from_its_bytes(record: Record) -> None:
    assert decoded(encoded(record)) == record


@given(records, records)
def test_two_records_have_the_same_bytes_only_when_they_are_equal(one: Record, other: Record) -> None:
    assert (encoded(one) == encoded(other)) == (one == other)


def test_fields_cannot_be_shifted_into_each_other() -> None:
    def with_(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> Record:
        return Record("t", 0, 0, key, value, headers)

    found = [
        with_(b"ref|x", b"y", []), with_(b"ref", b"x|y", []), with_(b"a1", b"2", []), with_(b"a", b"12", []),
        with_(None, b"12", []), with_(b"", b"12", []), with_(b"", None, []), with_(b"", b"", []),
        with_(b"", b"", [("a", b"b")]), with_(b"", b"", [("ab", b"")]), with_(b"", b"", [("ab", None)]),
    ]  # fmt: skip
    assert len({encoded(record) for record in found}) == len(found)


def test_no_headers_and_an_empty_list_are_the_same() -> None:
    assert encoded(Record("t", 0, 0, None, None, None)) == encoded(Record("t", 0, 0, None, None, []))


def test_a_leaf_and_its_link_as_computed_by_hand() -> None:
    record = Record("t", 1, 2, b"k", None, [("h", b"v")])
    data = b"\0\0\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\x02\x01\0\0\0\x01k\0\0\0\0\x01\0\0\0\x01h"
    data += b"\x01\0\0\0\x01v"
    assert encoded(record) == data
    leaf = hashlib.sha256(b"\0" + data).digest()
    assert leaf_of(record) == leaf
    assert linked(CHAIN_START, leaf) == hashlib.sha256(b"\x02" + bytes(32) + leaf).digest()
