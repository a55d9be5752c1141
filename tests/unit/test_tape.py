"""The reader's rule as rows, what it can see of lost records, and the writer's bookkeeping."""

from collections import deque
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import TapeGap
from truetape.messages import Began, Cause, InputParked, Meta
from truetape.tape import START, Doubt, Ownership, Place, Reader, Verdict, answered, judge

ACCEPT, VOID, GAP = Verdict.ACCEPT, Verdict.VOID, Verdict.GAP

RULE = [
    # last          record            verdict
    ("start 0/0", "began 1", ACCEPT),
    ("start 0/0", "began 7", ACCEPT),
    ("start 0/0", "1/1", GAP),
    ("last 3/0", "3/1", ACCEPT),
    ("last 3/5", "3/6", ACCEPT),
    ("last 3/5", "3/5", VOID),
    ("last 3/5", "3/1", VOID),
    ("last 3/5", "3/7", GAP),
    ("last 3/0", "3/2", GAP),
    ("last 3/5", "2/6", VOID),
    ("last 3/5", "2/99", VOID),
    ("last 3/5", "1/1", VOID),
    ("last 3/5", "4/1", GAP),
    ("last 3/5", "4/6", GAP),
    ("last 3/5", "began 4", ACCEPT),
    ("last 3/5", "began 9", ACCEPT),
    ("last 3/5", "began 3", VOID),
    ("last 3/0", "began 3", VOID),
    ("last 3/5", "began 2", VOID),
]


@pytest.mark.parametrize(("last", "record", "verdict"), RULE)
def test_rule(last: str, record: str, verdict: Verdict) -> None:
    began = record.startswith("began")
    found = Place(int(record.split()[1]), 0) if began else place_of(record)
    assert judge(place_of(last.split()[1]), found.epoch, found.sequence, began) is verdict


def place_of(text: str) -> Place:
    epoch, sequence = map(int, text.split("/"))
    return Place(epoch, sequence)


def meta(epoch: int, sequence: int, offset: int = 0, source: str = "orders.commands", partition: int = 0) -> Meta:
    return Meta(epoch, sequence, Cause(source, partition, offset, ""), 0, "", "")


def message(place: Place) -> Began | InputParked:
    """A Began for sequence 0, else an ordinary record."""
    if place.sequence == 0:
        return Began(meta(*place), "0")
    return InputParked(meta(*place), "", "", False)


def read(places: list[Place]) -> tuple[list[Place], Reader]:
    """What a reader accepts of these records, and the reader."""
    reader = Reader("clearing.entries", 3)
    return [place for offset, place in enumerate(places) if reader.accept(message(place), offset)], reader


@st.composite
def tapes(draw: st.DrawFn) -> list[Place]:
    """Everything that correct owners, one after the other, leave on a partition."""
    lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=5))
    steps = draw(st.lists(st.integers(1, 3), min_size=len(lengths), max_size=len(lengths)))
    epochs = [sum(steps[: index + 1]) for index in range(len(steps))]
    return [Place(epoch, s) for epoch, length in zip(epochs, lengths, strict=True) for s in range(length + 1)]


@given(tapes())
def test_what_correct_owners_write_is_accepted_to_the_last_record(tape: list[Place]) -> None:
    accepted, reader = read(tape)
    assert accepted == tape
    assert (reader.place, reader.void_count) == (tape[-1], 0)


@given(tapes(), st.data())
def test_records_of_earlier_owners_and_repeated_ones_change_nothing(tape: list[Place], data: st.DataObject) -> None:
    """A zombie's records come after a higher Began, a repeated one after its original."""
    mixed = list(tape)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(1, len(mixed)))
        newest = max(mixed[:at])
        epoch = data.draw(st.integers(1, newest.epoch))
        sequence = data.draw(st.integers(0, newest.sequence if epoch == newest.epoch else 9))
        mixed.insert(at, Place(epoch, sequence))
    accepted, reader = read(mixed)
    assert accepted == tape
    assert reader.void_count == len(mixed) - len(tape)


@given(tapes(), st.data())
def test_loss_shows_as_a_gap_unless_it_took_the_tail_of_an_epoch(tape: list[Place], data: st.DataObject) -> None:
    """Exactly: a reader stops if and only if something of an epoch remains behind a lost record of the same epoch.

    The rest is what the rule alone cannot see: the end of an epoch, or all of one. Offsets, snapshots and the
    positions of those who read on must show that.
    """
    first = data.draw(st.integers(0, len(tape) - 1))
    last = data.draw(st.integers(first, len(tape) - 1))
    left = tape[:first] + tape[last + 1 :]
    whole = [[place.sequence for place in epoch] for _, epoch in groupby(left, key=lambda place: place.epoch)]
    visible = any(sequences != list(range(len(sequences))) for sequences in whole)
    if visible:
        with pytest.raises(TapeGap):
            read(left)
    else:
        assert read(left)[0] == left


def test_a_gap_says_where_what_was_expected_and_what_was_found() -> None:
    reader = Reader("clearing.entries", 3, Place(4, 17))
    with pytest.raises(TapeGap) as raised:
        reader.accept(message(Place(4, 20)), 90)
    where, found = "clearing.entries/3 at offset 90", "found epoch 4 sequence 20"
    assert f"{where}: expected epoch 4 sequence 18 or a Began, {found}" in str(raised.value)
    assert "restore the topic before anything reads on" in str(raised.value)
    assert reader.place == Place(4, 17), "a reader that has stopped stays where it was"


def test_a_joining_reader_takes_its_first_record_as_it_is_and_is_strict_from_then_on() -> None:
    reader = Reader("market.marks", 0, joining=True)
    assert reader.accept(message(Place(6, 41)), 1_000)
    assert reader.place == Place(6, 41)
    assert not reader.accept(message(Place(5, 99)), 1_001)
    assert reader.accept(message(Place(6, 42)), 1_002)
    with pytest.raises(TapeGap):
        reader.accept(message(Place(6, 44)), 1_003)


def owner(in_place: int = 10, pending: tuple[str, ...] = ("a", "b")) -> Ownership[None]:
    return Ownership(0, None, Place(2, 0), in_place, {}, deque(pending))


def test_reports_that_say_the_next_offset_confirm_in_order() -> None:
    own = owner()
    assert [own.confirm(11), own.confirm(12)] == ["a", "b"]
    assert own.in_place == 12


@pytest.mark.parametrize("offset", [None, -1, 0, 9, 10, 12, 1_000])
def test_any_other_report_is_doubt_and_changes_nothing(offset: int | None) -> None:
    own = owner()
    with pytest.raises(Doubt, match="expected 11"):
        own.confirm(offset)
    assert (own.in_place, list(own.pending)) == (10, ["a", "b"])


def test_a_report_for_nothing_pending_is_doubt() -> None:
    with pytest.raises(Doubt):
        owner(pending=()).confirm(11)


def test_advance_counts_sequences_and_moves_past_causes() -> None:
    own = owner()
    own.advance(meta(2, 1, offset=5))
    own.advance(meta(2, 2, offset=3, source="orders.executions", partition=7))
    assert own.place == Place(2, 2)
    assert own.positions == {"orders.commands/0": 6, "orders.executions/7": 4}


@pytest.mark.parametrize("wrong", [meta(2, 2), meta(2, 0), meta(1, 1), meta(3, 1)], ids=str)
def test_advance_refuses_a_record_that_is_not_the_next(wrong: Meta) -> None:
    with pytest.raises(AssertionError):
        owner().advance(wrong)


def test_positions_never_go_back_and_ignore_what_has_no_offset() -> None:
    positions = {"orders.commands/0": 9}
    answered(positions, meta(1, 1, offset=4))
    answered(positions, meta(1, 2, offset=-1, source="venue:alpha"))
    assert positions == {"orders.commands/0": 9}
    answered(positions, meta(1, 3, offset=9))
    assert positions == {"orders.commands/0": 10}


def test_the_first_place_is_before_every_epoch() -> None:
    assert Place(0, 0) == START
    assert judge(START, 1, 0, True) is ACCEPT


STRAYS = [
    # what stands on the partition after 3/5; "? place" claims a place and cannot be read     accepted    strays  void
    ("junk 3/6", "3/6", 1, 0),
    ("junk began-4 4/1", "4/0 4/1", 1, 0),
    ("junk", "", 1, 0),
    ("?3/6 3/6 3/7", "3/6 3/7", 1, 0),
    ("?3/6 2/9 3/6 began-4", "3/6 4/0", 1, 1),
    ("?3/6", "", 1, 0),
    ("?3/5 began-4", "4/0", 1, 0),
    ("?2/6 began-4", "4/0", 1, 0),
    ("?3/6 3/7", "gap", 1, 0),
    ("junk 3/7", "gap", 1, 0),
    ("?3/6 began-4", "gap", 1, 0),
    ("?3/6 ?3/7 began-4", "gap", 2, 0),
]


@pytest.mark.parametrize(("tape", "accepted", "strays", "void"), STRAYS)
def test_bytes_that_are_no_record_are_void_unless_they_may_hide_one(
    tape: str, accepted: str, strays: int, void: int
) -> None:
    reader = Reader("clearing.entries", 3, Place(3, 5))
    found: list[str] = []
    for offset, word in enumerate(tape.split()):
        if word == "junk" or word.startswith("?"):
            reader.stray(place_of(word[1:]) if word != "junk" else None, offset)
            continue
        place = Place(int(word.removeprefix("began-")), 0) if word.startswith("began") else place_of(word)
        try:
            found += [f"{place.epoch}/{place.sequence}"] if reader.accept(message(place), offset) else []
        except TapeGap:
            found = ["gap"]
    assert (" ".join(found), reader.stray_count, reader.void_count) == (accepted, strays, void)


def test_an_owner_does_not_begin_after_a_record_that_it_cannot_read() -> None:
    """A newer version wrote it: a Began of ours would hide it from everybody."""
    reader = Reader("clearing.entries", 3, Place(3, 5))
    reader.stray(Place(3, 6), 41)
    with pytest.raises(TapeGap, match=r"clearing.entries/3 at offset 41.*newer version"):
        reader.assert_proven()
