"""Rate limits without Redis, and Redis' wire protocol."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.limits import LOCAL_BUCKETS_MAX, Answered, LocalBuckets
from services.gateway.redislink import RedisRefused, ReplyParser, pack
from truetape.log import Part


def test_a_bucket_gives_its_rate_and_not_more() -> None:
    buckets = LocalBuckets()
    assert [buckets.take("k", 3, 100.0) for _ in range(4)] == [0, 0, 0, 333]
    assert buckets.take("other", 3, 100.0) == 0, "keys do not share"
    assert buckets.take("k", 3, 100.2) > 0
    assert buckets.take("k", 3, 100.4) == 0
    assert [buckets.take("k", 3, 200.0) for _ in range(4)][-1] > 0, "a long pause saves up one second at most"
    assert buckets.take("k", 3, 150.0) > 0, "a clock that went back gives nothing"


@given(st.integers(1, 50), st.lists(st.floats(0, 0.3), min_size=1, max_size=200))
def test_in_any_second_a_bucket_gives_at_most_twice_its_rate(rate: int, pauses: list[float]) -> None:
    buckets, now, taken = LocalBuckets(), 0.0, []
    for pause in pauses:
        now += pause
        if buckets.take("k", rate, now) == 0:
            taken.append(now)
    for start in taken:
        assert sum(start <= at < start + 1 for at in taken) <= 2 * rate + 1


def test_buckets_are_bounded() -> None:
    buckets = LocalBuckets()
    for number in range(LOCAL_BUCKETS_MAX + 10):
        buckets.take(str(number), 5, 1.0)
    assert len(buckets.buckets) == LOCAL_BUCKETS_MAX


def test_answered_positions_never_go_back() -> None:
    answered, part = Answered(), Part("orders.decisions", 1)
    for offset in (5, 9, 7):
        answered.note("acme", part, offset)
    assert answered.of("acme") == {part: 9}
    assert answered.of("nobody") == {}


WIRE = b":42\r\n$5\r\nhe\r\nl\r\n*3\r\n:1\r\n$-1\r\n*1\r\n$0\r\n\r\n+OK\r\n-ERR no\r\n*-1\r\n"
"""An integer, a string with a line end, nested arrays with null, a status, an error, an empty array."""


@given(st.lists(st.integers(0, len(WIRE)), max_size=8))
def test_replies_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    parser, replies = ReplyParser(), []
    places = [0, *sorted(cuts), len(WIRE)]
    for start, end in itertools.pairwise(places):
        replies += parser.feed(WIRE[start:end])
    *plain, error, last = replies
    assert plain == [42, "he\r\nl", [1, None, [""]], "OK"]
    assert isinstance(error, RedisRefused)
    assert str(error) == "ERR no"
    assert last == []


@given(st.lists(st.text(max_size=20) | st.integers(), min_size=1, max_size=5))
def test_commands_are_packed_as_arrays_of_strings(arguments: list[str | int]) -> None:
    [read] = ReplyParser().feed(pack(*arguments))
    assert read == [str(argument) for argument in arguments]
