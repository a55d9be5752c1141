"""The order book: Binance's procedure row by row, and that it is equal to the venue's or not live, whatever is lost."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from truetape.venue.book import BUFFER_MAX, VIEW_LEVELS, Book, DepthDiff, DepthSnapshot, Ladder, Level, aged


def diff(first: int, last: int, bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = ()) -> DepthDiff:
    return DepthDiff(first, last, bids, asks)


def snapshot(
    last: int, bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = (), limit: int = 1_000
) -> DepthSnapshot:
    return DepthSnapshot(last, bids, asks, limit)


def live_book(last: int = 100) -> Book:
    book = Book()
    assert book.snapshot(snapshot(last, ((99, 5), (98, 7)), ((101, 4), (102, 6))))
    return book


@pytest.mark.parametrize(
    ("differences", "live", "sequence", "best_bid"),
    [
        #  first last   what the venue changed
        ([(101, 101, ((99, 6),))], True, 101, (99, 6)),
        ([(101, 105, ((99, 0),))], True, 105, (98, 7)),  # A level is removed.
        ([(95, 100, ((99, 1),))], True, 100, (99, 5)),  # Older than the snapshot.
        ([(98, 102, ((99, 1),))], True, 102, (99, 1)),  # Overlaps it.
        ([(101, 101, ((99, 6),)), (101, 101, ((99, 9),))], True, 101, (99, 6)),  # Sent twice.
        ([(102, 103, ((99, 6),))], False, 100, None),  # One is missing.
        ([(101, 101, ((99, 6),)), (103, 103, ())], False, 101, None),
        ([(101, 101, ((101, 1),))], False, 101, None),  # Crosses the best ask: cannot be.
    ],
)
def test_differences_continue_the_sequence_or_end_the_trust(
    differences: list[tuple[int, int, tuple[Level, ...]]], live: bool, sequence: int, best_bid: Level | None
) -> None:
    book = live_book()
    for first, last, bids in differences:
        book.diff(diff(first, last, bids))
    view = book.view("alpha", "BTCUSDT", 7)
    assert (book.live, book.sequence, view.usable) == (live, sequence, live)
    assert (view.bids[0] if view.bids else None) == best_bid
    assert book.wants_snapshot() is not live


def test_what_came_before_the_snapshot_is_replayed_on_it() -> None:
    book = Book()
    for first in (99, 100, 101, 102):
        assert not book.diff(diff(first, first, ((first, 1),)))
    assert book.snapshot(snapshot(100, ((50, 1),)))
    assert book.view("alpha", "X", 0).bids == ((102, 1), (101, 1), (50, 1))


def test_a_snapshot_older_than_the_differences_is_refused() -> None:
    book = Book()
    book.diff(diff(105, 106))
    assert not book.snapshot(snapshot(100))
    assert book.snapshot(snapshot(104))


def test_a_crossed_snapshot_is_refused() -> None:
    assert not Book().snapshot(snapshot(1, ((101, 1),), ((101, 1),)))


def test_an_interrupted_stream_starts_from_nothing() -> None:
    book = live_book()
    book.reset()
    assert not book.live
    assert book.snapshot(snapshot(7, ((1, 1),)))
    assert book.sequence == 7


def test_levels_below_a_cut_off_snapshot_stay_unknown_and_are_fetched_in_time() -> None:
    book = Book()
    bids = tuple((price, 1) for price in range(100, 92, -1))
    assert book.snapshot(snapshot(10, bids, ((200, 1),), limit=8))
    assert book.diff(diff(11, 11, ((92, 9), (101, 2))))
    assert (92, 9) not in book.view("alpha", "X", 0).bids, "the venue may have levels between 93 and 92"
    gone = tuple((price, 0) for price in range(101, 94, -1))
    assert book.diff(diff(12, 12, gone))
    assert book.live
    assert not book.wants_snapshot()
    assert book.diff(diff(13, 13, ((94, 0),)))
    assert book.live
    assert book.wants_snapshot()
    assert book.diff(diff(14, 14, ((91, 3),)))
    assert book.snapshot(snapshot(13, ((93, 1), (92, 9)), ((200, 1),), limit=8))
    assert book.view("alpha", "X", 0).bids == ((93, 1), (92, 9), (91, 3)), "what came since is replayed"


def test_a_view_is_bounded_and_its_age_can_move() -> None:
    book = Book()
    book.snapshot(snapshot(1, tuple((price, 1) for price in range(1, 500))))
    view = book.view("alpha", "X", 5)
    assert len(view.bids) == VIEW_LEVELS
    assert view.bids[0] == (499, 1)
    assert (aged(view, 9).observed_at_us, aged(view, 9).bids) == (9, view.bids)


def test_waiting_differences_are_bounded() -> None:
    book = Book()
    for number in range(1, BUFFER_MAX + 500):
        book.diff(diff(number, number))
    assert not book.snapshot(snapshot(100)), "what was dropped must not be missed"
    assert book.snapshot(snapshot(BUFFER_MAX + 400))


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)), max_size=80), st.sampled_from([1, -1]))
def test_a_side_is_a_sorted_map(changes: list[tuple[int, int]], sign: int) -> None:
    ladder, plain = Ladder(sign), dict[int, int]()
    for price, quantity in changes:
        ladder.set(price, quantity)
        plain[price] = quantity
        plain = {p: q for p, q in plain.items() if q}
        ranked = sorted(plain.items(), reverse=sign > 0)
        assert ladder.top(1_000) == tuple(ranked)
        assert ladder.best() == (ranked[0][0] if ranked else None)


# ---- whatever the connection does


class Truth(NamedTuple):
    """The venue's book after each update id, and the differences it sends."""

    states: list[tuple[dict[int, int], dict[int, int]]]
    differences: list[DepthDiff]

    def snapshot(self, last: int, limit: int) -> DepthSnapshot:
        bids, asks = self.states[last]
        return DepthSnapshot(last, sorted(bids.items(), reverse=True)[:limit], sorted(asks.items())[:limit], limit)


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    bids: dict[int, int] = {50: 1}
    asks: dict[int, int] = {51: 1}
    states = [(dict(bids), dict(asks))]
    differences: list[DepthDiff] = []
    for _ in range(draw(st.integers(2, 12))):
        first = len(states)
        changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(draw(st.integers(1, 3))):
            side = draw(st.integers(0, 1))
            price = draw(st.integers(40, 50) if side == 0 else st.integers(51, 61))
            quantity = draw(st.integers(0, 3))
            book = (bids, asks)[side]
            book.pop(price, None)
            if quantity:
                book[price] = quantity
            changed[side][price] = quantity
            states.append((dict(bids), dict(asks)))
        differences.append(DepthDiff(first, len(states) - 1, list(changed[0].items()), list(changed[1].items())))
    return Truth(states, differences)


def agrees(book: Book, truth: Truth) -> bool:
    """Whether a live book is the venue's at its sequence, as deep as it knows."""
    bids, asks = truth.states[book.sequence]
    floor, ceiling = book.bids.known_to, book.asks.known_to
    return book.bids.quantities == {p: q for p, q in bids.items() if floor is None or p >= floor} and (
        book.asks.quantities == {p: q for p, q in asks.items() if ceiling is None or p <= ceiling}
    )


@settings(max_examples=400)
@given(truths(), st.data())
def test_a_live_book_is_the_venues_whatever_was_lost_repeated_or_reordered(truth: Truth, data: st.DataObject) -> None:
    book, sent = Book(), 0
    actions = st.sampled_from(["deliver", "deliver", "deliver", "drop", "repeat", "swap", "snapshot", "interrupt"])
    for action in data.draw(st.lists(actions, max_size=30)):
        ahead = truth.differences[sent:-1]  # The last one arrives, so that what was lost before it shows.
        if action == "deliver" and ahead:
            book.diff(ahead[0])
            sent += 1
        elif action == "drop" and ahead:
            sent += 1
        elif action == "repeat" and sent:
            book.diff(truth.differences[data.draw(st.integers(0, sent - 1))])
        elif action == "swap" and len(ahead) > 1:
            book.diff(ahead[1])
            book.diff(ahead[0])
            sent += 2
        elif action == "snapshot" and book.wants_snapshot():
            # Taken now or a little later than what was sent: never before what the book has seen.
            earliest = truth.differences[sent - 1].last if sent else 0
            last = data.draw(st.integers(earliest, len(truth.states) - 1))
            book.snapshot(truth.snapshot(last, data.draw(st.sampled_from([2, 4, 100]))))
        elif action == "interrupt":
            book.reset()
        if book.live:
            assert agrees(book, truth)
    for one in truth.differences[sent:]:
        book.diff(one)
    for _ in range(2):
        if book.wants_snapshot():
            book.snapshot(truth.snapshot(len(truth.states) - 1, 100))
    assert book.live
    assert book.sequence == len(truth.states) - 1
    assert agrees(book, truth)
