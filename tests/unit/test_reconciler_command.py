"""`truetape breaks`: what it folds from the tape, and how it says it."""

import io
from typing import Any

import pytest
from rich.console import Console

from services.reconciler.core import State
from tests.unit.test_reconciler import LOST, SECOND, SHORT, step
from truetape import messages as m
from truetape.codec import encode
from truetape.commands.breaks import Breaks, show
from truetape.errors import TapeGap
from truetape.happenings import Part
from truetape.simbroker import SimBroker
from truetape.topics import RECONCILIATION_BREAKS

PART = Part(RECONCILIATION_BREAKS.name, 0)


def told(*events: Any) -> SimBroker:
    """A topic with these events of one owner."""
    broker = SimBroker(1)
    cause = m.Cause("group", 0, -1, "0")
    broker.produce(PART, b"", encode(m.Began(m.Meta(1, 0, cause, 0, "began", ""), "0")))
    for number, event in enumerate([event for event in events if event is not None], 1):
        meta = m.Meta(1, number, event.meta.cause, event.meta.decided_at_us, event.meta.event_id, "")
        fields = {name: getattr(event, name) for name in event.__struct_fields__} | {"meta": meta}
        broker.produce(PART, event.venue.encode(), encode(type(event)(**fields)))
    return broker


@pytest.fixture
def broker() -> SimBroker:
    state = State()
    return told(
        step(state, 5 * SECOND, [LOST, SHORT]),
        step(state, 8 * SECOND, [SHORT]),
        step(state, 9 * SECOND, [], venue="beta"),
    )


def said(found: Breaks, closed: bool) -> str:
    out = io.StringIO()
    show(found, closed, 65 * SECOND, Console(file=out, width=200))
    return out.getvalue()


def test_open_and_closed_breaks(broker: SimBroker) -> None:
    found = Breaks(broker.log("x"))
    assert [one.break_class for one in found.open.values()] == ["BALANCE"]
    assert [(end.was.break_class, end.reason) for end in found.closed.values()] == [
        ("MISSING_INTERNALLY", "the fill is on the tape now")
    ]


def test_scripts_get_both_sides_the_age_and_the_evidence(broker: SimBroker) -> None:
    plain = Breaks(broker.log("x")).plain(closed=False, now_us=65 * SECOND)
    assert (plain["open"], set(plain["newest"])) == (1, {"alpha", "beta"})
    [row] = plain["breaks"]
    assert (row["ours"], row["theirs"], row["age_seconds"], row["is_open"]) == ("0.0000001", "0.00000007", 65.0, True)
    assert row["evidence"] == "{}" and len(row["evidence_sha256"]) == 64
    every = Breaks(broker.log("x")).plain(closed=True, now_us=65 * SECOND)["breaks"]
    assert [(one["break_class"], one["is_open"]) for one in every] == [("BALANCE", True), ("MISSING_INTERNALLY", False)]


def test_a_person_sees_what_is_open_and_that_somebody_looks(broker: SimBroker) -> None:
    text = said(Breaks(broker.log("x")), closed=False)
    assert "BALANCE" in text and "65 s" in text and "operations" in text and "1 open" in text
    assert "MISSING_INTERNALLY" not in text
    assert "beta: told 56 s ago: 3 fills matched" in text
    assert "closed: the fill is on the tape now" in said(Breaks(broker.log("x")), closed=True)


def test_nothing_open_and_nothing_ever_compared() -> None:
    text = said(Breaks(told().log("x")), closed=False)
    assert "no venue was ever compared" in text and "no break is open" in text


def test_lost_records_are_no_answer(broker: SimBroker) -> None:
    broker.partition(PART).expire(1)
    with pytest.raises(TapeGap):
        Breaks(broker.log("x"))
