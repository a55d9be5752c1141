"""Marks: the mid of the freshest uncrossed book, not too often, never from doubt."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pricing import core
from services.pricing.core import Top, TopsSeen
from truetape import marks, reference
from truetape.messages import Cause, MarkPublished
from truetape.service import Input, Tables, Tick

NOW_US = 1_000_000_000
INTERVAL_US = 250_000


def top(venue: str, bid: int, ask: int, age_us: int = 0) -> Top:
    return Top(venue, bid, ask, 7, NOW_US - age_us)


def asked(state: core.State, *tops: Top, at_us: int = NOW_US) -> MarkPublished | None:
    tables = Tables(reference.Reference(), marks.Marks())
    message = TopsSeen("BTC-USDT", tops, INTERVAL_US)
    found = core.decide(state, Input(message, Cause("books", 0, -1, "1"), at_us, "market.marks", 1, 1, tables))
    assert found is None or isinstance(found, MarkPublished)
    return found


@pytest.mark.parametrize(
    ("tops", "venue", "price"),
    [
        #  best prices                                           mark
        ((top("alpha", 100, 102),), "alpha", 101),
        ((top("alpha", 100, 101),), "alpha", 100),  # 100.5, to even.
        ((top("alpha", 101, 102),), "alpha", 102),  # 101.5, to even.
        ((top("alpha", 100, 102, 5), top("beta", 200, 202)), "beta", 201),
        ((top("alpha", 100, 102), top("beta", 200, 202, 5)), "alpha", 101),
        ((top("beta", 200, 202), top("alpha", 100, 102)), "alpha", 101),  # Equally fresh: the first name.
        ((top("alpha", 102, 102), top("beta", 200, 202, 5)), "beta", 201),  # Locked.
        ((top("alpha", 103, 102), top("beta", 200, 202, 5)), "beta", 201),  # Crossed.
        ((top("alpha", 0, 102),), None, 0),
        ((top("alpha", 100, 102, core.BOOK_MAX_AGE_US),), "alpha", 101),
        ((top("alpha", 100, 102, core.BOOK_MAX_AGE_US + 1),), None, 0),
        ((), None, 0),
    ],
)
def test_the_freshest_uncrossed_book_makes_the_mark(tops: tuple[Top, ...], venue: str | None, price: int) -> None:
    mark = asked(core.State(), *tops)
    if venue is None:
        assert mark is None
        return
    chosen = next(one for one in tops if one.venue == venue)
    assert mark is not None
    assert (mark.venue, mark.price_e8, mark.bid_e8, mark.ask_e8) == (venue, price, chosen.bid_e8, chosen.ask_e8)
    assert (mark.book_sequence, mark.observed_at_us, mark.age_us) == (
        7,
        chosen.observed_at_us,
        NOW_US - chosen.observed_at_us,
    )


@given(st.lists(st.integers(0, 600_000), max_size=30))
def test_two_marks_are_an_interval_apart(pauses_us: list[int]) -> None:
    state, at_us, marked = core.State(), NOW_US, list[int]()
    for pause_us in pauses_us:
        at_us += pause_us
        mark = asked(state, Top("alpha", 100, 102, 7, at_us), at_us=at_us)
        assert (mark is None) == (bool(marked) and at_us - marked[-1] < INTERVAL_US)
        if mark is not None:
            state = core.evolve(state, mark)
            marked.append(at_us)


def test_a_clock_that_was_set_back_stops_no_marks() -> None:
    ahead_us = NOW_US + 3_600_000_000
    mark = asked(core.State(), Top("alpha", 100, 102, 7, ahead_us), at_us=ahead_us)
    assert mark is not None
    state = core.evolve(core.State(), mark)
    again = asked(state, top("alpha", 100, 102))
    assert again is not None
    assert asked(core.evolve(state, again), top("alpha", 100, 102)) is None


def test_instruments_do_not_wait_for_each_other() -> None:
    mark = asked(core.State(), top("alpha", 100, 102))
    assert mark is not None
    state = core.evolve(core.State(), msgspec.structs.replace(mark, instrument_id="ETH-USDT"))
    assert asked(state, top("alpha", 100, 102)) is not None


def test_a_book_seen_by_a_clock_ahead_has_no_negative_age() -> None:
    mark = asked(core.State(), top("alpha", 100, 102, -50))
    assert mark is not None
    assert mark.age_us == 0


def test_other_inputs_mark_nothing() -> None:
    tables = Tables(reference.Reference(), marks.Marks())
    given_tick = Input(Tick(NOW_US), Cause("timer", 0, -1, "1"), NOW_US, "market.marks", 1, 1, tables)
    assert core.decide(core.State(), given_tick) is None
