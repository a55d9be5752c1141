"""Snapshots built again: folded here or in other processes, the result is one and the same."""

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.audit_stage import SERVICES, Stage, Tape, traded
from tests.unit.desk import ANN
from truetape import ids
from truetape import messages as m
from truetape.audit import kept
from truetape.codec import decode
from truetape.errors import TapeGap
from truetape.happenings import Part
from truetape.rebuild import Rebuilt, rebuild_snapshots, shelf
from truetape.rebuild.shelf import FoldAll, Folded, Span, fold
from truetape.topics import CLEARING_ENTRIES, PARTITIONS

CLEARING = SERVICES["clearing"]
ENTRIES = Part(CLEARING_ENTRIES.name, ids.partition_of(ANN, PARTITIONS))


@pytest.fixture(scope="module")
def stage() -> Stage:
    return traded()


@pytest.fixture
def copied(stage: Stage) -> Tape:
    return stage.copy()


@pytest.fixture(autouse=True)
def long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "APART_RECORDS", 1)


def elsewhere(tape: Tape) -> FoldAll:
    """What another process gets and gives back travels as bytes."""

    def fold_all(spans: Sequence[Span], more: Callable[[int], None]) -> list[Folded]:
        found = []
        for span in spans:
            got: Span = pickle.loads(pickle.dumps(span))
            found.append(pickle.loads(pickle.dumps(fold(tape.broker.log("other"), CLEARING, got, 10.0))))
            more(span.end)
        return found

    return fold_all


def rebuilt(tape: Tape, apart: bool, check: bool, told: Any = lambda what, done, of: None) -> Rebuilt:
    log = tape.broker.log("rebuild")
    return rebuild_snapshots(log, CLEARING, tape.settings, check, told, elsewhere(tape) if apart else None)


def state_of(tape: Tape) -> dict[int, bytes]:
    return {number: one.state for number, one in kept.read(tape.broker.log("shelf"), CLEARING, 10.0).newest.items()}


@pytest.mark.parametrize("apart", [False, True])
def test_what_is_built_is_what_there_was_and_replaces_it(copied: Tape, apart: bool) -> None:
    before, told = state_of(copied), list[tuple[str, int, int]]()
    found = rebuilt(copied, apart, check=False, told=lambda *step: told.append(step))
    records = sum(copied.broker.partition(Part(CLEARING_ENTRIES.name, n)).end for n in range(PARTITIONS))
    assert (found.verdict, found.replaced, found.records, found.differences) == ("equal", True, records, [])
    assert found.compared == len(before) > 0
    assert told[0] == ("folding clearing.entries", 0, records) and told[-1][1:] == (records, records)
    assert {number: state_of(copied)[number] for number in before} == before
    again = rebuilt(copied, not apart, check=True)
    assert (again.verdict, again.digest, again.records) == ("equal", found.digest, records)


def test_a_short_tape_is_not_worth_other_processes(copied: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(spans: Sequence[Span], more: Callable[[int], None]) -> list[Folded]:
        raise AssertionError("folded elsewhere")

    log = copied.broker.log("rebuild")
    with pytest.raises(AssertionError, match="elsewhere"):
        rebuild_snapshots(log, CLEARING, copied.settings, True, lambda *_: None, never)
    monkeypatch.undo()
    assert rebuild_snapshots(log, CLEARING, copied.settings, True, lambda *_: None, never).verdict == "equal"


@pytest.mark.parametrize("apart", [False, True])
def test_a_snapshot_that_differs_is_named_by_account_and_replaced(copied: Tape, apart: bool) -> None:
    def twice(entry: m.EntryBooked) -> m.EntryBooked:
        return replace(entry, lines=tuple(replace(line, amount_e8=2 * line.amount_e8) for line in entry.lines))

    right = state_of(copied)[ENTRIES.partition]
    copied.rewrite(ENTRIES, twice, m.EntryBooked)  # The tape is the truth: its snapshot differs from now on.
    found = rebuilt(copied, apart, check=False)
    assert (found.verdict, found.replaced) == ("differs", True)
    assert {one.check for one in found.differences} == {"snapshot"}
    assert all("balances" in one.what for one in found.differences)
    assert any(ANN in one.account_id for one in found.differences)
    assert state_of(copied)[ENTRIES.partition] != right
    assert rebuilt(copied, not apart, check=True).verdict == "equal"


@pytest.mark.parametrize("apart", [False, True])
def test_where_records_are_missing_nothing_is_replaced(copied: Tape, apart: bool) -> None:
    before = state_of(copied)
    records = copied.broker.partition(ENTRIES)._records
    entries = [n for n, one in enumerate(records) if isinstance(decode(one.value or b""), m.EntryBooked)]
    del records[entries[len(entries) // 2]]
    for offset, record in enumerate(records):
        records[offset] = record._replace(offset=offset)
    with pytest.raises(TapeGap):
        rebuilt(copied, apart, check=False)
    assert state_of(copied) == before
