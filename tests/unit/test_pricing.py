"""Marks: the median of the fresh books that agree, not too often, never from doubt."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.pricing import consensus, core
from services.pricing.tops import Top, TopsSeen
from truetape import marks, reference
from truetape.messages import Cause, Instrument, MarkPublished, MarkTerms, MarkWithheld
from truetape.service import Input, Tables, Tick

NOW_US = 1_000_000_000
INTERVAL_US = 250_000


BTC = Instrument("BTC-USDT", "BTC", "USDT", 1, 1, 1, 10**9, 0, 10**18, True, ())


def top(venue: str, bid: int, ask: int, age_us: int = 0) -> Top:
    return Top(venue, bid, ask, 7, NOW_US - age_us)


def told(
    state: core.State, *tops: Top, at_us: int = NOW_US, without: tuple[str, ...] = (), marking: MarkTerms | None = None
) -> MarkPublished | MarkWithheld | None:
    known = msgspec.structs.replace(BTC, marking=marking)
    tables = Tables(reference.Reference(instruments={"BTC-USDT": known}), marks.Marks())
    message = TopsSeen("BTC-USDT", tops, INTERVAL_US, without)
    found = core.decide(state, Input(message, Cause("books", 0, -1, "1"), at_us, "market.marks", 1, 1, tables))
    assert found is None or isinstance(found, MarkPublished | MarkWithheld)
    return found


def asked(state: core.State, *tops: Top, at_us: int = NOW_US) -> MarkPublished | None:
    found = told(state, *tops, at_us=at_us)
    return found if isinstance(found, MarkPublished) else None


@pytest.mark.parametrize(
    ("tops", "venue", "price"),
    [
        #  best prices                                           mark
        ((top("alpha", 100, 102),), "alpha", 101),
        ((top("alpha", 100, 101),), "alpha", 100),  # 100.5, to even.
        ((top("alpha", 101, 102),), "alpha", 102),  # 101.5, to even.
        ((top("alpha", 102, 102), top("beta", 200, 202, 5)), "beta", 201),  # Locked.
        ((top("alpha", 103, 102), top("beta", 200, 202, 5)), "beta", 201),  # Crossed.
        ((top("alpha", 0, 102),), None, 0),
        ((top("alpha", 100, 102, consensus.BOOK_MAX_AGE_US),), "alpha", 101),
        ((top("alpha", 100, 102, consensus.BOOK_MAX_AGE_US + 1),), None, 0),
        ((), None, 0),
    ],
)
def test_one_uncrossed_fresh_book_makes_the_mark(tops: tuple[Top, ...], venue: str | None, price: int) -> None:
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


ALPHA, BETA, GAMMA = (top(name, 9_990 + n, 10_010 + n, n) for n, name in enumerate(("alpha", "beta", "gamma")))
FAR = top("gamma", 10_990, 11_010)
OLD = top("gamma", 10_000, 10_010, consensus.BOOK_MAX_AGE_US + 1)
CROSSED = top("gamma", 10_010, 10_000)


@pytest.mark.parametrize(
    ("tops", "without", "least", "said", "statuses"),
    [
        #  books                   no book    least  mark or reason           each venue
        ((ALPHA,), (), 1, "alpha 10000", ""),
        ((ALPHA, BETA), (), 1, "alpha+beta 10000", "COUNTED COUNTED"),  # 10000.5, to even.
        ((BETA, ALPHA, GAMMA), (), 1, "alpha+beta+gamma 10001", "COUNTED COUNTED COUNTED"),
        ((ALPHA, BETA, FAR), (), 2, "alpha+beta 10000", "COUNTED COUNTED OUTLIER"),
        ((ALPHA, BETA, FAR), (), 3, "VENUES_DISAGREE", "COUNTED COUNTED OUTLIER"),
        ((ALPHA, top("gamma", 10_490, 10_510)), (), 1, "alpha+gamma 10250", "COUNTED COUNTED"),  # 5 % apart.
        ((ALPHA, top("gamma", 10_491, 10_511)), (), 1, "VENUES_DISAGREE", "OUTLIER OUTLIER"),
        ((ALPHA, FAR), (), 1, "VENUES_DISAGREE", "OUTLIER OUTLIER"),  # Each within 5 % of half-way, and who is right?
        ((ALPHA, top("beta", 10_895, 10_915), FAR), (), 1, "beta+gamma 10952", "OUTLIER COUNTED COUNTED"),
        # Two and two: half-way is near to all, and nobody says it.
        ((ALPHA, BETA, FAR, top("zeta", 10_992, 11_012)), (), 1, "VENUES_DISAGREE", "OUTLIER OUTLIER OUTLIER OUTLIER"),
        ((ALPHA, top("gamma", 12_990, 13_010)), (), 1, "VENUES_DISAGREE", "OUTLIER OUTLIER"),
        # Half of them is not more than half: 11 000 is the centre, and two of four lie within 5 % of it.
        (
            (ALPHA, top("beta", 10_890, 10_910), top("delta", 11_090, 11_110), top("gamma", 12_990, 13_010)),
            (),
            1,
            "VENUES_DISAGREE",
            "OUTLIER COUNTED COUNTED OUTLIER",
        ),
        ((ALPHA, BETA, OLD), (), 2, "alpha+beta 10000", "COUNTED COUNTED STALE"),
        ((ALPHA, OLD), (), 2, "TOO_FEW_VENUES", "COUNTED STALE"),
        ((ALPHA, CROSSED), (), 1, "alpha 10000", "COUNTED CROSSED"),
        ((ALPHA,), ("beta", "gamma"), 1, "alpha 10000", "COUNTED NO_BOOK NO_BOOK"),
        ((ALPHA,), ("beta", "gamma"), 2, "TOO_FEW_VENUES", "COUNTED NO_BOOK NO_BOOK"),
        ((), ("alpha",), 1, "TOO_FEW_VENUES", "NO_BOOK"),
    ],
)
def test_which_venues_make_the_mark(
    tops: tuple[Top, ...], without: tuple[str, ...], least: int, said: str, statuses: str
) -> None:
    found = told(core.State(), *tops, without=without, marking=MarkTerms(least, 5_000_000))
    assert found is not None
    shown = f"{found.venue} {found.price_e8}" if isinstance(found, MarkPublished) else found.reason
    assert (shown, " ".join(one.status for one in found.sources)) == (said, statuses)
    if isinstance(found, MarkPublished):
        counted = [one for one in tops if one.venue in found.venue.split("+")]
        assert found.observed_at_us == min(one.observed_at_us for one in counted)


def test_without_a_mark_it_is_said_once_then_when_something_changes_and_every_minute() -> None:
    state, two = core.State(), MarkTerms(2, 5_000_000)
    said = []
    for second in range(130):
        at_us = NOW_US + second * 1_000_000
        tops = [Top("alpha", 9_990, 10_010, 7, at_us)]
        tops += [Top("beta", 12_990, 13_010, 7, at_us)] if second >= 70 else []
        found = told(state, *tops, at_us=at_us, without=("beta",)[len(tops) - 1 :], marking=two)
        if found is not None:
            said.append((second, found.reason if isinstance(found, MarkWithheld) else "MARK"))
            state = core.evolve(state, found)
    assert said == [(0, "TOO_FEW_VENUES"), (60, "TOO_FEW_VENUES"), (70, "VENUES_DISAGREE")]
    agreed = told(state, ALPHA, BETA, marking=two)
    assert isinstance(agreed, MarkPublished)
    assert core.evolve(state, agreed).withheld == {}


BOOKS = st.tuples(st.integers(9_000, 11_000), st.integers(1, 300)).map(lambda one: (one[0], one[0] + one[1]))
ANY_BOOK = st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)).map(lambda one: (one[0], one[0] + one[1]))


@given(
    others=st.lists(BOOKS, min_size=1, max_size=6), liar=ANY_BOOK, rate_e8=st.integers(1, 20_000_000),
    least=st.integers(2, 4),
)  # fmt: skip
def test_one_venue_alone_never_moves_the_mark_beyond_the_bound(
    others: list[tuple[int, int]], liar: tuple[int, int], rate_e8: int, least: int
) -> None:
    """Whatever one venue says, a mark lies no further than the outlier rate beyond what the others say; where two or
    more of them lie within that rate of one another, not beyond them at all."""
    tops = [top(f"venue{n}", bid, ask) for n, (bid, ask) in enumerate(others)]
    found = told(core.State(), *tops, top("a-liar", *liar), marking=MarkTerms(least, rate_e8))
    assert found is not None
    if isinstance(found, MarkWithheld):
        return
    mids = [consensus.mid_e8(one) for one in tops]
    low, high, rate = min(mids), max(mids), rate_e8 / 10**8
    if len(mids) >= 2 and (high - low) * 10**8 <= low * rate_e8:
        assert low <= found.price_e8 <= high
    assert low * (1 - rate) - 1 <= found.price_e8 <= high * (1 + rate) + 1
    assert found.bid_e8 < found.ask_e8
    assert len(found.venue.split("+")) >= least


@given(tops=st.lists(BOOKS, min_size=2, max_size=2), rate_e8=st.integers(1, 20_000_000))
def test_of_two_venues_both_are_within_the_bound_of_one_another_or_there_is_no_mark(
    tops: list[tuple[int, int]], rate_e8: int
) -> None:
    seen = [top(f"venue{n}", *book) for n, book in enumerate(tops)]
    low, high = sorted(map(consensus.mid_e8, seen))
    found = told(core.State(), *seen, marking=MarkTerms(1, rate_e8))
    assert isinstance(found, MarkPublished) is ((high - low) * 10**8 <= low * rate_e8)


@pytest.mark.parametrize(
    ("fresh", "without", "marked"),
    [(1, 0, True), (1, 1, True), (1, 2, False), (2, 1, True), (2, 5, True), (1, 3, False)],
)
def test_without_terms_two_of_three_venues_have_to_agree_and_one_of_two_is_enough(
    fresh: int, without: int, marked: bool
) -> None:
    found = told(core.State(), *(ALPHA, BETA)[:fresh], without=tuple(f"zeta{n}" for n in range(without)))
    assert isinstance(found, MarkPublished) is marked
    if isinstance(found, MarkWithheld):
        assert (found.reason, found.venues_least) == ("TOO_FEW_VENUES", 2)


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
