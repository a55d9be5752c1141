"""Deterministic ids: the same everywhere, never the same for two things, and fit for the venues."""

import re
import subprocess
import sys

import confluent_kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape import ids
from truetape.messages import Cause
from truetape.topics import PARTITIONS

VENUE_PATTERN = re.compile(r"^[a-zA-Z0-9-_]{1,36}$")


@given(st.binary(max_size=64))
def test_murmur2_is_kafkas(data: bytes) -> None:
    for partitions in (1, 3, PARTITIONS, 1_000):
        assert (ids.murmur2(data) & 0x7FFFFFFF) % partitions == confluent_kafka.murmur2(data, partitions)


@given(st.text(max_size=40), st.integers(1, 64))
def test_the_partition_of_a_key_is_the_producers(key: str, partitions: int) -> None:
    assert ids.partition_of(key, partitions) == confluent_kafka.murmur2(key.encode(), partitions)


@pytest.mark.parametrize(
    ("data", "signed"),
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536), ("abc", 479470107)],
)
def test_murmur2_of_known_strings(data: str, signed: int) -> None:
    """Values that the Java client's own test lists."""
    assert ids.murmur2(data.encode()) == signed & 0xFFFFFFFF


def test_keys_spread_over_all_partitions() -> None:
    assert {ids.partition_of(f"account-{n}", PARTITIONS) for n in range(100)} == set(range(PARTITIONS))


def test_an_order_id_is_the_same_in_every_process_and_release() -> None:
    code = "from truetape import ids; print(ids.order_id('acme', 'client-1'))"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        assert run.stdout == b"6cb896433cf6d7aa4fdee9ffad850840\n"


@pytest.mark.parametrize("make", [ids.order_id, ids.transfer_id])
@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_two_pairs_never_share_an_id(make: object, one: tuple[str, str], other: tuple[str, str]) -> None:
    assert callable(make)
    assert (make(*one) == make(*other)) == (one == other)


def test_parts_are_not_merely_joined_and_kinds_differ() -> None:
    assert ids.order_id("ab", "c") != ids.order_id("a", "bc")
    assert ids.order_id("a", "") != ids.order_id("", "a")
    assert ids.order_id("a", "b") != ids.transfer_id("a", "b")
    assert ids.break_id("alpha", "PRICE", "x") != ids.break_id("alpha", "PRICEx", "")


@given(st.integers(0, 999), st.text(), st.text(), st.integers(0, 99))
def test_a_venue_order_id_fits_the_venue_and_carries_its_partition(
    partition: int, account: str, client: str, leg: int
) -> None:
    found = ids.venue_client_order_id(partition, ids.order_id(account, client), leg)
    assert VENUE_PATTERN.match(found)
    assert ids.partition_of_venue_order(found) == partition


def test_venue_order_ids_differ_by_partition_order_and_leg() -> None:
    orders = [ids.order_id("acme", str(n)) for n in range(50)]
    found = {ids.venue_client_order_id(p, order, leg) for p in range(8) for order in orders for leg in range(3)}
    assert len(found) == 8 * 50 * 3


FOREIGN = ["", "TT", "TT01-x-00", "web_1a2b", "TTabc-x-00", "XX001-x-00", "tt001-x-00", "TT0011-x"]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_strangers_venue_order_id_has_no_partition(foreign: str) -> None:
    assert ids.partition_of_venue_order(foreign) is None


def test_an_event_is_named_by_its_topic_and_its_one_cause() -> None:
    by_offset = ids.event_id("orders.decisions", Cause("orders.commands", 3, 17, ""))
    by_id = ids.event_id("orders.executions", Cause("venue:alpha", 3, -1, "t-9"))
    assert by_offset == "orders.decisions<orders.commands/3/17"
    assert by_id == "orders.executions<venue:alpha/3/t-9"


def test_random_ids_do_not_repeat() -> None:
    found = {ids.random_id() for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)
