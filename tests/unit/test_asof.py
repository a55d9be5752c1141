"""Time travel: the state of an account at every place of a history is the fold up to there."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.audit_stage import SERVICES, Stage, Tape
from tests.unit.desk import ANN, BOB
from truetape import messages as m
from truetape.asof import History, Known, place_of, time_of
from truetape.codec import decode, encode
from truetape.errors import AccountUnknown, MomentUnknown
from truetape.happenings import Part
from truetape.service import Service
from truetape.topics import CLEARING_ENTRIES, MARKET_MARKS, ORDERS_DECISIONS, ORDERS_EXECUTIONS

KEYED: dict[str, Service[Any]] = {
    name: service for name, service in SERVICES.items() if service.owns.key == "account_id"
}


@pytest.fixture(scope="module")
def tape() -> Tape:
    stage = Stage()
    stage.trade()
    return stage


@pytest.fixture(scope="module")
def kept(tape: Tape) -> Tape:
    """The same with snapshots, from which a fold may start."""
    assert isinstance(tape, Stage)
    tape.keep_snapshots()
    return tape.copy()


def history(tape: Tape, account: str = ANN) -> History:
    return History(tape.broker.log("historian"), SERVICES.values(), account, 5.0)


def state_of(known: list[Known], service: str) -> Any:
    return next(one.state for one in known if one.service == service)


def folded(tape: Tape, account: str, service: str, offset: int) -> Any:
    """The fold from the first record, written here again: every accepted record up to the offset."""
    found = KEYED[service]
    part = Part(found.owns.name, tape.partition(account))
    state, epoch = found.initial(), 0
    for record in tape.broker.records(part)[: offset + 1]:
        message: Any = decode(record.value or b"")
        if isinstance(message, m.Began):
            epoch = max(epoch, message.meta.epoch)
        elif message.meta.epoch == epoch:
            state = found.evolve(state, message)
    return msgspec.to_builtins(found.accounts(state).get(account))


@pytest.mark.parametrize("account", [ANN, BOB])
@pytest.mark.parametrize("service", sorted(KEYED))
def test_at_every_place_the_state_is_the_fold_up_to_there(tape: Tape, kept: Tape, account: str, service: str) -> None:
    part = Part(KEYED[service].owns.name, tape.partition(account))
    count = len(tape.broker.records(part))
    assert count > 5
    for offset in range(count):
        expected = folded(tape, account, service, offset)
        for where in (tape, kept):
            assert state_of(history(where, account).at({part: offset}), service) == expected


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), st.sampled_from([ANN, BOB]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_three_places_together(tape: Tape, at: list[int], account: str) -> None:
    places = {}
    for (name, service), number in zip(sorted(KEYED.items()), at, strict=True):
        part = Part(service.owns.name, tape.partition(account))
        places[part] = number % len(tape.broker.records(part))
        known = history(tape, account).at({part: places[part]})
        assert state_of(known, name) == folded(tape, account, name, places[part])
    for one in history(tape, account).at(places):
        assert one.offset == places[Part.parse(one.part)]
        assert one.state == folded(tape, account, one.service, one.offset)


def test_at_every_time_it_is_what_was_decided_by_then(tape: Tape) -> None:
    part = Part(CLEARING_ENTRIES.name, tape.partition(ANN))
    records = tape.broker.records(part)
    messages: list[Any] = [decode(record.value or b"") for record in records]
    mine = [n for n, record in enumerate(records) if record.key == ANN.encode()]
    for offset in mine:
        at_us = messages[offset].meta.decided_at_us
        last = max(n for n in mine if messages[n].meta.decided_at_us <= at_us)
        known = history(tape).as_of(at_us, 1 << 62)
        assert next(one.offset for one in known if one.service == "clearing") == last
        assert state_of(known, "clearing") == folded(tape, ANN, "clearing", last)
        if at_us - 1 >= messages[0].meta.decided_at_us:
            earlier = [n for n in mine if messages[n].meta.decided_at_us < at_us]
            known = history(tape).as_of(at_us - 1, 1 << 62)
            assert next(one.offset for one in known if one.service == "clearing") == max(earlier, default=-1)


def test_a_clock_that_jumped_back_changes_times_and_no_places(tape: Tape) -> None:
    copy = tape.copy()
    part = Part(CLEARING_ENTRIES.name, copy.partition(ANN))
    records = copy.broker.partition(part)._records
    message: Any = decode(records[-1].value or b"")
    early = msgspec.structs.replace(message.meta, decided_at_us=1)
    records[-1] = records[-1]._replace(key=ANN.encode(), value=encode(msgspec.structs.replace(message, meta=early)))
    known = history(copy).as_of(history(copy)._began_us, 1 << 62)
    assert next(one.offset for one in known if one.service == "clearing") == len(records) - 1
    assert state_of(history(copy).at({part: 3}), "clearing") == folded(copy, ANN, "clearing", 3)


def test_the_end_is_now(tape: Tape) -> None:
    for one in history(tape).now():
        assert one.state == folded(tape, ANN, one.service, 1 << 40)


def test_topics_that_are_not_named_stand_at_the_time_of_the_named_place(tape: Tape) -> None:
    part = Part(ORDERS_EXECUTIONS.name, tape.partition(ANN))
    records = tape.broker.records(part)
    message: Any = decode(records[5].value or b"")
    by_place, by_time = history(tape).at({part: 5}), history(tape).as_of(message.meta.decided_at_us, 1 << 62)
    assert [one for one in by_place if one.part != str(part)] == [one for one in by_time if one.part != str(part)]


def test_what_there_is_not_is_named(tape: Tape) -> None:
    here = tape.partition(ANN)
    end = len(tape.broker.records(Part(ORDERS_DECISIONS.name, here)))
    with pytest.raises(AccountUnknown, match="nobody has opened account 'nobody'"):
        history(tape, "nobody")
    for places, words in (
        ({Part(ORDERS_DECISIONS.name, here): end}, f"there is no record at {end}"),
        ({Part(ORDERS_DECISIONS.name, (here + 1) % 8): 0}, "says nothing of account"),
        ({Part(MARKET_MARKS.name, 0): 0}, "says nothing of account"),
    ):
        with pytest.raises(MomentUnknown, match=words):
            history(tape).at(places)
    with pytest.raises(MomentUnknown, match="no future"):
        history(tape).as_of(2, 1)
    with pytest.raises(MomentUnknown, match="the tape begins at"):
        history(tape).as_of(0, 1)


def test_times_and_places_as_text() -> None:
    assert time_of("2026-11-26T12:00:00.000001Z") == time_of("2026-11-26T13:00:00.000001+01:00") == 1795694400000001
    for text in ("2026-11-26T12:00:00", "yesterday", ""):
        with pytest.raises(MomentUnknown):
            time_of(text)
    assert place_of("clearing.entries/3@1200") == (Part(CLEARING_ENTRIES.name, 3), 1200)
    for text in ("clearing.entries/3", "clearing.entries/3@-1", "@1", "clearing.entries/3@1 ", ""):
        assert place_of(text) is None
