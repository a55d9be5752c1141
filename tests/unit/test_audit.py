"""The audit finds what is wrong, says where and in what, and is silent about a true tape."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import truetape.audit
from services.clearing.core import SERVICE as CLEARING
from tests.unit.audit_stage import SERVICES, Stage, Tape, traded
from tests.unit.desk import ANN, BOB
from truetape import messages as m
from truetape import snapshots
from truetape.audit import OpenView, Report, Row, View
from truetape.audit.archive import Seen
from truetape.audit.findings import Findings
from truetape.audit.killswitch import KillSwitch
from truetape.audit.live import Live, LivePartition, Silent
from truetape.audit.merge import Given
from truetape.audit.order_rules import OrderRules
from truetape.books import audit_books
from truetape.codec import decode, encode
from truetape.commands.parked import folded as parked_inputs
from truetape.happenings import Part
from truetape.settings import Settings
from truetape.tape import Place
from truetape.topics import (
    CLEARING_COMMANDS,
    CLEARING_ENTRIES,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    REFERENCE_COMMANDS,
    snapshots_of,
)
from truetape.venue import reports as r


@pytest.fixture
def stage() -> Stage:
    """Services that run."""
    stage = Stage()
    stage.trade()
    return stage


@pytest.fixture(scope="module")
def written() -> Tape:
    """What such services wrote, snapshots included."""
    return traded()


@pytest.fixture
def tape(written: Tape) -> Tape:
    """The same, for a test to change."""
    return written.copy()


def wrong(report: Report) -> list[tuple[str, str, str]]:
    """(check, account, what) of each difference."""
    return [(one.check, one.account_id, one.what) for one in report.differences]


# -- nothing is wrong --------------------------------------------------------------------------------------------


def test_a_true_tape_is_equal_everywhere(stage: Stage) -> None:
    stage.keep_snapshots()
    report = stage.audit()
    assert (report.equal, wrong(report), report.gaps, report.pending) == (True, [], [], {})
    assert {one.live for one in report.partitions} == {"equal"}
    assert {one.snapshot for one in report.partitions if one.sequence} == {"equal"}
    assert report.records == sum(one.records + one.void + one.stray for one in report.partitions)


ONLY_WHEN_HALTED = {"what is parked keeps its order", "what is parked is resolved once", "reopened when halted"}
ONLY_WITH_SIDES = {"closing sides out moves no credit"}
ONLY_WITH_LEGS = {"a leg is reserved once", "a leg frees what it held"}
"""tests/unit/otc_desk.py applies them."""


def rules_of(source: Path) -> set[str]:
    return set(re.findall(r"expect\(\s*[^\"]+?, \"([^\"]+)\"", source.read_text()))


def test_every_rule_was_applied(tape: Tape) -> None:
    """So that no rule is silent because nothing ever reaches it."""
    sources = sorted((Path(truetape.audit.__file__).parent).glob("*rules.py"))
    named = {rule for source in sources for rule in rules_of(source)}
    only_when_broken = {
        "a correction names its entry",
        "a fill is booked once",
        "a transfer is booked once",
        "an entry has a fill or transfer",
        "nothing is set aside",
        "nothing stays reserved",
    }
    assert len(named) > 35
    with_contracts = rules_of(Path(truetape.audit.__file__).parent / "contract_rules.py")
    with_contracts.add("margin is enough")
    with_contracts |= rules_of(Path(truetape.audit.__file__).parent / "margin_rules.py")  # test_liquidation_stage.py
    with_contracts |= rules_of(Path(truetape.audit.__file__).parent / "parcel_rules.py")  # test_auction_partitions.py
    with_contracts |= rules_of(Path(truetape.audit.__file__).parent / "round_rules.py")  # tests/unit/rounds_stage.py
    for name in ("porting_rules.py", "assignment_rules.py", "remainder_rules.py", "claim_rules.py"):
        with_contracts |= rules_of(Path(truetape.audit.__file__).parent / name)  # test_audit_porting.py
    with_contracts |= rules_of(Path(truetape.audit.__file__).parent / "haircut_rules.py")  # test_haircut.py
    with_contracts |= rules_of(Path(truetape.audit.__file__).parent / "payment_rules.py")  # test_audit_payments.py
    with_contracts |= rules_of(Path(truetape.audit.__file__).parent / "default_rules.py")  # test_audit_defaults.py
    assert named - with_contracts - tape.audit().rules.keys() == (
        only_when_broken | ONLY_WHEN_HALTED | ONLY_WITH_LEGS | ONLY_WITH_SIDES
    )


def test_services_that_do_not_answer_are_named(tape: Tape) -> None:
    def silent(names: list[str]) -> dict[str, Live | Silent]:
        return {name: Silent(name, "no answer on port 1") for name in names}

    report = tape.audit(silent)
    assert report.equal
    assert set(report.silent) == set(SERVICES)
    required = tape.audit(silent, require_live=True)
    assert not required.equal
    assert {one.check for one in required.differences} == {"live"}


def test_a_service_that_moved_on_is_asked_again(stage: Stage) -> None:
    """It lost its partitions after it had answered, with a decision that never reached the tape."""
    asked: list[list[str]] = []

    def ask(names: list[str]) -> dict[str, Live | Silent]:
        asked.append(names)
        found = dict(stage.ask(names))
        if len(asked) == 1:
            risk = found["risk"]
            assert isinstance(risk, Live)
            ahead = {
                p: msgspec.structs.replace(one, sequence=one.sequence + 1, digest="of a state that is forgotten")
                for p, one in risk.partitions.items()
            }
            found["risk"] = Live("risk", ahead)
            stage.runners["risk"]._step_down("test")
            stage.broker.advance(1_000_000)
            stage.settle()
        return found

    report = stage.audit(ask)
    assert asked == [list(SERVICES), ["risk"]]
    assert (report.equal, wrong(report)) == (True, [])
    assert {one.live for one in report.partitions} == {"equal"}


def test_records_of_a_former_owner_are_void_and_counted(tape: Tape) -> None:
    part = Part(ORDERS_DECISIONS.name, tape.partition(ANN))
    zombie = next(
        record for record in tape.broker.records(part) if isinstance(decode(record.value or b""), m.OrderAccepted)
    )
    tape.broker.produce(part, zombie.key, zombie.value)
    tape.broker.produce(part, b"", b"\x09 no record at all")
    report = tape.audit()
    [of_part] = [one for one in report.partitions if (one.topic, one.partition) == part]
    assert (of_part.void, of_part.stray, report.equal) == (1, 1, True)


# -- lies --------------------------------------------------------------------------------------------------------


def lie(stage: Stage, service: str, change: Callable[[Any], Any]) -> Callable[[list[str]], dict[str, Live | Silent]]:
    """A live service whose state of Ann's partition is another."""

    def ask(names: list[str]) -> dict[str, Live | Silent]:
        found = dict(stage.ask(names))
        told = found[service]
        assert isinstance(told, Live)
        own = stage.runners[service]._owned[stage.partition(ANN)]
        state = msgspec.msgpack.decode(snapshots.pack(own.state), type=SERVICES[service].state_type)
        state = change(state) or state
        accounts = msgspec.json.decode(msgspec.json.encode(SERVICES[service].accounts(state)))
        place = told.partitions[stage.partition(ANN)]
        liar = LivePartition(place.epoch, place.sequence, snapshots.digest(state), accounts)
        found[service] = Live(service, {**told.partitions, stage.partition(ANN): liar})
        return found

    return ask


def flip_balance(state: Any) -> None:
    state.balances["client:ann"]["USDT"] += 1


def test_a_live_service_that_differs_is_named_with_account_and_field(stage: Stage) -> None:
    report = stage.audit(lie(stage, "clearing", flip_balance))
    [found] = report.differences
    right = stage.runners["clearing"]._owned[stage.partition(ANN)].state.balances["client:ann"]["USDT"]
    assert (found.check, found.account_id, found.what) == ("live", ANN, "balances.USDT")
    assert (found.tape, found.other) == (str(right), str(right + 1))
    assert found.where == f"clearing/{stage.partition(ANN)}"


def test_a_difference_outside_the_accounts_is_found_too(stage: Stage) -> None:
    def count(state: Any) -> None:
        state.entries += 1

    assert wrong(stage.audit(lie(stage, "clearing", count))) == [("live", "", "the state beside its accounts")]


def test_a_reservation_that_differs_is_named(stage: Stage) -> None:
    def reserve(state: Any) -> None:
        state.accounts[ANN].reserved["USDT"] = 7

    assert wrong(stage.audit(lie(stage, "risk", reserve))) == [("live", ANN, "reserved.USDT")]


def test_a_live_service_ahead_of_the_tape_is_a_difference(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("truetape.audit.run.ROUND_SECONDS", 0.0)

    def ahead(names: list[str]) -> dict[str, Live | Silent]:
        found = dict(stage.ask(names))
        found["risk"] = Live("risk", {0: LivePartition(1, 10_000, "?", {})})
        return found

    report = stage.audit(ahead)
    assert wrong(report) == [("live", "", "records that are no longer on the tape")]
    assert "sequence 10000" in report.differences[0].other


# -- snapshots ---------------------------------------------------------------------------------------------------


def rewrite_snapshot(tape: Tape, service: str, change: Callable[[Any], Any]) -> None:
    """Put a newer snapshot of Ann's partition on the topic whose content is wrong and whose digest is right."""
    owner, partition = SERVICES[service], tape.partition(ANN)
    part = Part(snapshots_of(owner.owns).name, partition)
    version = snapshots.version_of(owner.state_type)
    kept = snapshots.newest(tape.broker.records(part), version)[partition]
    state = msgspec.msgpack.decode(kept.state, type=owner.state_type)
    change(state)
    false = snapshots.Kept(kept.place, kept.offset, kept.positions, snapshots.pack(state))
    for key, record in snapshots.cut(service, partition, version, false):
        tape.broker.produce(part, key, encode(record))


def test_a_flipped_balance_in_a_snapshot_is_named(tape: Tape) -> None:
    rewrite_snapshot(tape, "clearing", flip_balance)
    report = tape.audit()
    assert wrong(report) == [("snapshot", ANN, "balances.USDT")]
    assert {one.service for one in report.partitions if one.snapshot == "differs"} == {"clearing"}


def test_a_torn_snapshot_is_no_snapshot_and_a_damaged_one_is_named(tape: Tape) -> None:
    topic, partition = snapshots_of(CLEARING_ENTRIES).name, tape.partition(ANN)
    part = Part(topic, partition)
    whole: Any = decode(tape.broker.records(part)[-1].value or b"")
    torn = msgspec.structs.replace(whole, count=2)
    tape.broker.produce(part, b"k", encode(torn))
    assert tape.audit().equal
    tape.broker.produce(part, b"k", encode(msgspec.structs.replace(whole, state=whole.state + b"\x00")))
    assert wrong(tape.audit()) == [("snapshot", "", "its digest")]


def test_a_snapshot_of_another_state_type_is_passed_over(tape: Tape) -> None:
    part = Part(snapshots_of(CLEARING_ENTRIES).name, 0)
    kept = snapshots.Kept(Place(1, 1), 1, {}, b"another shape")
    for key, record in snapshots.cut("clearing", 0, "of yesterday", kept):
        tape.broker.produce(part, key, encode(record))
    report = tape.audit()
    assert report.equal
    [verdict] = {one.snapshot for one in report.partitions if one.service == "clearing" and one.partition == 0}
    assert verdict == "outdated"


def test_a_snapshot_beyond_the_end_of_its_topic_shows_that_records_are_lost(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("truetape.audit.run.ROUND_SECONDS", 0.0)
    part = Part(CLEARING_ENTRIES.name, tape.partition(ANN))
    tape.broker.truncate(part, 2, silently=True)
    end = tape.broker.partition(part).end
    report = tape.audit()
    assert ("snapshot", "", "records that are no longer on the tape") in wrong(report)
    [lost] = [one.tape for one in report.differences if one.check == "snapshot" and one.where.startswith("clearing")]
    assert lost.startswith(f"offset {end} is the first that is missing")


# -- gaps --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 3])
def test_records_lost_at_the_beginning_are_a_gap(tape: Tape, lost: int) -> None:
    part = Part(ORDERS_EXECUTIONS.name, tape.partition(ANN))
    tape.broker.partition(part).expire(lost)
    report = tape.audit()
    assert not report.equal
    assert report.gaps == [f"{part}: expected offset 0, found offset {lost} as the first: {lost} records are gone"]


def test_a_record_missing_in_the_middle_is_named_with_what_was_expected_and_found(tape: Tape) -> None:
    part = Part(CLEARING_ENTRIES.name, tape.partition(ANN))
    records = tape.broker.partition(part)._records
    del records[2]
    for offset, record in enumerate(records):
        records[offset] = record._replace(offset=offset)
    report = tape.audit()
    [gap] = report.gaps
    assert f"{part} at offset 2: expected epoch 1 sequence 2 or a Began, found epoch 1 sequence 3" in gap
    assert [one for one in report.differences if one.check == "invariant"] == [], "rules are silent behind a gap"


# -- invariants --------------------------------------------------------------------------------------------------

Forgery = tuple[str, str, type, Callable[[Any], Any]]
replace = msgspec.structs.replace


def meta_of(event: Any, **changes: Any) -> Any:
    return replace(event, meta=replace(event.meta, **changes))


def worse(side: str, price_e8: int) -> int:
    return price_e8 * 2 if side == "BUY" else price_e8 // 2


FORGERIES: list[Forgery] = [
    ("an entry sums to zero per asset", CLEARING_ENTRIES.name, m.EntryBooked,
     lambda e: replace(e, lines=(replace(e.lines[0], amount_e8=e.lines[0].amount_e8 + 1), *e.lines[1:]))),
    ("an entry books its fill", CLEARING_ENTRIES.name, m.EntryBooked, lambda e: replace(e, execution_id="alpha:X:1:B")),
    ("an entry books its fill", CLEARING_ENTRIES.name, m.EntryBooked, lambda e: replace(e, filled_e8=e.filled_e8 + 1)),
    ("the mirror follows the venue", CLEARING_ENTRIES.name, m.EntryBooked,
     lambda e: replace(e, lines=tuple(replace(one, amount_e8=2 * one.amount_e8) for one in e.lines))),
    ("positions follow fills", CLEARING_ENTRIES.name, m.EntryBooked,
     lambda e: replace(e, position=replace(e.position, cost_e8=e.position.cost_e8 + 1))),
    ("credit follows entries", ORDERS_DECISIONS.name, m.CreditUpdated,
     lambda e: replace(e, changes=(replace(e.changes[0], amount_e8=e.changes[0].amount_e8 - 1), *e.changes[1:]))),
    ("reserved is not used twice", ORDERS_DECISIONS.name, m.CreditUpdated,
     lambda e: replace(e, released_e8=e.released_e8 + 10**18)),
    ("reserved adds up", ORDERS_DECISIONS.name, m.ReservationReleased,
     lambda e: replace(e, remaining_e8=e.remaining_e8 + 1)),
    ("reserved is enough", ORDERS_DECISIONS.name, m.OrderAccepted, lambda e: replace(e, reserved_e8=1)),
    ("order id is derived", ORDERS_DECISIONS.name, m.OrderRejected,
     lambda e: replace(e, order=replace(e.order, order_id="0" * 32))),
    ("filled within the limit", ORDERS_EXECUTIONS.name, m.OrderFilled,
     lambda e: replace(e, price_e8=worse(e.side, e.price_e8))),
    ("fills add up", ORDERS_EXECUTIONS.name, m.OrderFilled,
     lambda e: replace(e, cumulative_quantity_e8=e.cumulative_quantity_e8 + 1)),
    ("filled within the quantity", ORDERS_EXECUTIONS.name, m.OrderFilled,
     lambda e: replace(e, quantity_e8=e.quantity_e8 + 10**12)),
    ("states follow the table", ORDERS_EXECUTIONS.name, m.OrderFilled, lambda e: replace(e, status="EXPIRED")),
    ("no execution without an intent", ORDERS_EXECUTIONS.name, m.OrderFilled, lambda e: replace(e, leg=5)),
    ("only orders that were decided", ORDERS_EXECUTIONS.name, m.OrderFilled, lambda e: replace(e, order_id="9" * 32)),
    ("ends after its fills", ORDERS_EXECUTIONS.name, m.OrderCancelled,
     lambda e: replace(e, cumulative_quantity_e8=e.cumulative_quantity_e8 + 1)),
    ("routed as accepted", ORDERS_EXECUTIONS.name, m.OrderRouted,
     lambda e: replace(e, order=replace(e.order, quantity_e8=1))),
    ("routed within the limit", ORDERS_EXECUTIONS.name, m.OrderRouted,
     lambda e: replace(e, legs=(replace(e.legs[0], price_e8=worse(e.order.side, e.legs[0].price_e8)),))),
    ("sent before the deadline", ORDERS_EXECUTIONS.name, m.OrderRouted,
     lambda e: replace(e, legs=(replace(e.legs[0], send_before_us=e.legs[0].send_before_us + 1),))),
    ("event id names its cause", ORDERS_EXECUTIONS.name, m.OrderRouted, lambda e: meta_of(e, event_id="another")),
    ("inputs are answered once, in order", ORDERS_DECISIONS.name, m.CreditUpdated,
     lambda e: meta_of(e, cause=replace(e.meta.cause, offset=0))),
    ("accounts keep their partition", ORDERS_EXECUTIONS.name, m.OrderAcknowledged,
     lambda e: replace(e, account_id="somebody")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "topic", "kind", "change"), FORGERIES, ids=[f"{rule}-{kind.__name__}" for rule, _, kind, _ in FORGERIES]
)
def test_a_forged_record_breaks_its_rule(
    tape: Tape, rule: str, topic: str, kind: type, change: Callable[[Any], Any]
) -> None:
    part = Part(topic, tape.partition(ANN))
    offset = tape.rewrite(part, change, kind)
    report = tape.audit()
    assert not report.equal
    broken = [one for one in report.differences if one.check == "invariant" and one.what == rule]
    assert broken, wrong(report)
    assert any(one.where.startswith(f"{part}@{offset}") for one in broken)


def test_a_reservation_that_outlives_its_order_is_named(tape: Tape) -> None:
    part = Part(ORDERS_DECISIONS.name, tape.partition(ANN))
    kept = {"released_e8": -5, "remaining_e8": 5}
    tape.rewrite(
        part, lambda e: replace(e, **{name: getattr(e, name) + e8 for name, e8 in kept.items()}), m.ReservationReleased
    )
    rules = OrderRules(findings := Findings(), Seen(), KillSwitch())
    for topic in (ORDERS_DECISIONS, ORDERS_EXECUTIONS):
        for offset, event in enumerate(tape.messages(Part(topic.name, part.partition))):
            rules.take(Given(Part(topic.name, part.partition), offset, event, True))
    rules.end("here", 1 << 62, {})
    left = [one for one in findings.kept if one.what == "nothing stays reserved"]
    assert [(one.account_id, one.tape, one.other) for one in left] == [(ANN, "0", "5")]
    refused = [one.other for one in tape.audit().differences if one.what == "the fold"]
    assert len(refused) == 1 and "leaves 5e-8 BTC reserved" in refused[0], "risk asserts the same of itself"


def test_a_fill_that_clearing_never_booked_is_named(tape: Tape) -> None:
    """The entry in the middle answers another fill: one is booked twice, one never."""
    part = Part(CLEARING_ENTRIES.name, tape.partition(ANN))
    entries = [decode(record.value or b"") for record in tape.broker.records(part)]
    fills = [entry for entry in entries if isinstance(entry, m.EntryBooked) and entry.kind == "TRADE"]
    tape.rewrite(
        part, lambda e: meta_of(e, cause=replace(e.meta.cause, offset=fills[-2].meta.cause.offset)), m.EntryBooked
    )
    rules = {one.what for one in tape.audit().differences}
    assert {"a fill is booked once", "inputs are answered once, in order"} <= rules


def test_fills_wait_for_clearing_without_being_a_difference(stage: Stage) -> None:
    stage.runners.pop("clearing")
    stage.venue.appetite = lambda leg: leg.quantity_e8
    stage.mark()
    stage.order(ANN, "BUY", "0.5", "60001")
    stage.settle()
    stopped = stage.audit(lambda names: {name: Silent(name, "stopped") for name in names})
    assert (stopped.equal, stopped.pending) == (True, {"fills to be booked": 1})


def test_a_fill_written_twice_is_named(tape: Tape) -> None:
    part = Part(ORDERS_EXECUTIONS.name, tape.partition(ANN))
    fills = [decode(record.value or b"") for record in tape.broker.records(part)]
    first: Any = next(event for event in fills if isinstance(event, m.OrderFilled))
    tape.rewrite(part, lambda e: replace(e, execution_id=first.execution_id), m.OrderFilled)
    found = [one for one in tape.audit().differences if one.what == "a fill is on the tape once"]
    assert [(one.where, one.other) for one in found] == [(first.execution_id, "2")]


def test_an_order_accepted_while_halted_is_named(stage: Stage) -> None:
    stage.broker.produce(
        Part(REFERENCE_COMMANDS.name, 0), b"", encode(m.SetTradingState("halt", "test", ANN, "HALTED", "test"))
    )
    stage.settle()
    assert stage.audit().equal, "nothing was accepted since"
    reference = stage.runners["gateway"]._owned[0].in_place
    part = Part(ORDERS_DECISIONS.name, stage.partition(ANN))
    stage.rewrite(part, lambda e: replace(e, reference_offset=reference), m.OrderAccepted)
    assert [(one.what, one.tape) for one in stage.audit().differences] == [("no order while halted", "HALTED")]


def test_an_answer_to_a_record_that_is_not_there_is_named(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("truetape.audit.run.ROUND_SECONDS", 0.0)
    executions = Part(ORDERS_EXECUTIONS.name, tape.partition(ANN))
    end = tape.broker.partition(executions).end
    tape.broker.truncate(executions, 1, silently=True)
    report = tape.audit()
    found = [one for one in report.differences if one.what == "the cause"]
    assert [(one.tape, one.other) for one in found] == [
        (f"{executions} ends at {end - 1}", f"answers {executions}@{end - 1}")
    ]


def test_an_input_that_was_set_aside_is_a_difference_when_the_books_miss_it(stage: Stage) -> None:
    """The router never repeats a fill; a tape on which it did makes clearing refuse, park, and halt the account."""
    part = Part(ORDERS_COMMANDS.name, stage.partition(BOB))
    stage.broker.produce(part, BOB.encode(), b"\x00 undecodable")
    stranger = next(key for key in map(str, range(99)) if stage.partition(key) != part.partition)
    stage.broker.produce(part, stranger.encode(), b"\x00 under a key that belongs elsewhere")
    stage.settle()
    commands = stage.audit()
    assert commands.equal, "a parked command is missing in no book"
    assert sum(one.parked for one in commands.partitions) == 2
    stage.runners["clearing"]._owned[stage.partition(ANN)].state.accounts[ANN].fills.ids["alpha:BTCUSDT:999:B"] = None
    stage.venue._number = 998
    stage.venue.appetite = lambda leg: leg.quantity_e8
    stage.mark()
    stage.order(ANN, "BUY", "0.5", "60001")
    stage.settle()
    parked = [one for one in stage.audit().differences if one.what == "nothing is set aside"]
    assert [one.account_id for one in parked] == [ANN]
    assert "EntryRepeated" in parked[0].other


def test_what_an_operator_released_or_dismissed_is_no_difference(stage: Stage) -> None:
    """A fill is refused, two transfers park behind it. The cause is mended; fill and one transfer are booked."""
    known = stage.runners["clearing"]._owned[stage.partition(ANN)].state.accounts[ANN].fills.ids
    known["alpha:BTCUSDT:999:B"] = None
    stage.venue._number = 998
    stage.venue.appetite = lambda leg: leg.quantity_e8
    stage.mark()
    stage.order(ANN, "BUY", "0.5", "60001")
    stage.settle()
    stage.transfer(ANN, "USDT", "77")
    stage.transfer(ANN, "USDT", "78")
    stage.order(ANN, "BUY", "0.5", "60001")
    stage.settle()
    lacking = stage.audit()
    assert [one.what for one in lacking.differences if one.check == "invariant"] == ["nothing is set aside"] * 3
    assert lacking.rules["no order while the ledger is halted"] > 0
    columns = audit_books(stage.broker.log("books"), stage.settings, CLEARING, stage.ask, {})
    assert [one.what for one in columns.differences if one.check == "invariant"] == ["fill", "transfer", "transfer"]
    parked = parked_inputs(CLEARING, stage.broker.log("operator"), stage.settings)
    reasons = [(row["account_id"], row["reason"].split(":")[0]) for row in parked]
    assert reasons == [(ANN, "EntryRepeated"), (ANN, "AccountHalted"), (ANN, "AccountHalted")]
    assert parked_inputs(CLEARING, stage.broker.log("operator"), stage.settings, BOB) == []
    del known["alpha:BTCUSDT:999:B"]
    names = [row["event_id"] for row in parked]
    for command in (
        m.DismissParked("1", ANN, names[1], "operator:eve", "it never arrived"),
        m.ReleaseParked("2", ANN, names[0], "operator:eve"),
        m.ReleaseParked("3", ANN, names[2], "operator:eve"),
    ):
        stage.broker.produce(Part(CLEARING_COMMANDS.name, stage.partition(ANN)), ANN.encode(), encode(command))
        stage.settle()
    stage.keep_snapshots()
    stage.order(ANN, "BUY", "0.5", "60001")
    stage.settle()
    report = stage.audit(stage.ask)
    assert report.equal, report.differences
    assert report.rules.keys() >= ONLY_WHEN_HALTED
    columns = audit_books(stage.broker.log("books"), stage.settings, CLEARING, stage.ask, {})
    assert columns.equal, columns.differences
    assert parked_inputs(CLEARING, stage.broker.log("operator"), stage.settings) == []
    entries = stage.messages(Part(CLEARING_ENTRIES.name, stage.partition(ANN)))
    booked = [one for one in entries if isinstance(one, m.EntryBooked)]
    assert [one.release.parked_event_id for one in booked if one.release is not None] == [names[0], names[2]]
    assert booked[-1].release is None and booked[-1].kind == "TRADE", "the account goes on"


def test_a_venues_fill_that_was_set_aside_is_a_difference(stage: Stage) -> None:
    stray = replace(stage.venue.fills[0], client_order_id="TT002-nobody-00", execution_id="alpha:BTCUSDT:77:B")
    stage.offer(2, r.report_id(stray), stray)
    stage.settle()
    [found] = stage.audit().differences
    assert (found.what, found.tape) == ("nothing is set aside", f"report {stray.execution_id} of venue:alpha")
    assert "UnknownVenueOrder" in found.other


def test_a_record_that_the_fold_refuses_is_named(tape: Tape) -> None:
    part = Part(CLEARING_ENTRIES.name, tape.partition(ANN))
    offset = tape.rewrite(part, lambda e: replace(e, lines=e.lines[:1]), m.EntryBooked)
    refused = [one for one in tape.audit().differences if one.what == "the fold"]
    assert [one.tape for one in refused] == [f"EntryBooked at offset {offset}"]
    assert refused[0].other.startswith("AssertionError: entry does not sum to zero")


# -- a growing tape ----------------------------------------------------------------------------------------------


def test_it_works_while_traffic_goes_on(stage: Stage) -> None:
    """Services answer at one place, and the tape is read at another, later one."""

    def ask(names: list[str]) -> dict[str, Live | Silent]:
        found = dict(stage.ask(names))
        stage.trade()
        stage.order(ANN, "BUY", "0.5", "60001")
        stage.settle(3)
        return found

    report = stage.audit(ask)
    assert (report.equal, wrong(report)) == (True, [])
    assert {one.live for one in report.partitions} == {"equal"}


# -- views -------------------------------------------------------------------------------------------------------


ENDS = {m.OutcomeUnknown: "UNKNOWN", m.OrderCancelled: "CANCELLED", m.OrderRejectedByVenue: "REJECTED"}


class TrueView:
    """A view folded by other code from the same tape: what the projection writes, in plain dicts."""

    name = "test"

    def __init__(self, tape: Tape, back: int = 0) -> None:
        self.positions: dict[str, int] = {}
        self.found: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}
        for topic in (CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS):
            for partition in range(topic.partitions):
                records = tape.broker.records(Part(topic.name, partition))
                end = max(0, len(records) - back)
                self.positions[f"{topic.name}/{partition}"] = end
                for record in records[:end]:
                    self._fold(partition, decode(record.value or b""))

    def rows(self) -> Iterator[Row]:
        for (table, key), values in self.found.items():
            if table != "orders" or values.pop("decided", False):
                yield Row(table, key, values)

    def _add(self, table: str, *key: str, **amounts: int) -> None:
        row = self.found.setdefault((table, key), dict.fromkeys(amounts, 0))
        for name, amount in amounts.items():
            row[name] += amount

    def _fold(self, partition: int, event: Any) -> None:
        match event:
            case m.EntryBooked():
                for line in event.lines:
                    self._add("balances", line.account, line.asset, str(partition), amount_e8=line.amount_e8)
                    self._add("lines", line.account, line.asset, amount_e8=line.amount_e8)
                if event.position is not None:
                    values = msgspec.structs.asdict(event.position)
                    self.found["positions", (event.account_id, values.pop("instrument_id"))] = values
            case m.OrderAccepted() | m.OrderRejected():
                terms, accepted = event.order, isinstance(event, m.OrderAccepted)
                row = {"account_id": terms.account_id, "filled_e8": 0, "decided": True}
                self.found["orders", (terms.order_id,)] = row | {"status": "ACCEPTED" if accepted else "REJECTED"}
                if isinstance(event, m.OrderAccepted):
                    self._add(
                        "credit", terms.account_id, event.reserved_asset, balance_e8=0, reserved_e8=event.reserved_e8
                    )
            case m.ReservationReleased():
                self._add("credit", event.account_id, event.asset, balance_e8=0, reserved_e8=-event.released_e8)
            case m.TransferApproved(transfer=terms) if terms.amount_e8 < 0:
                self._add("credit", terms.account_id, terms.asset, balance_e8=0, reserved_e8=-terms.amount_e8)
            case m.CreditUpdated():
                for change in event.changes:
                    self._add("credit", event.account_id, change.asset, balance_e8=change.amount_e8, reserved_e8=0)
                self._add(
                    "credit", event.account_id, event.released_asset, balance_e8=0, reserved_e8=-event.released_e8
                )
            case m.OrderAcknowledged():
                self.found["orders", (event.order_id,)]["status"] = "WORKING"
            case m.OrderFilled():
                order = self.found["orders", (event.order_id,)]
                order |= {"status": event.status, "filled_e8": event.cumulative_quantity_e8}
                amounts = {"quantity_e8": event.quantity_e8, "quote_amount_e8": event.quote_amount_e8}
                self._add("fills", event.account_id, count=1, **amounts, fee_e8=event.fee_e8)
            case m.OutcomeUnknown() | m.OrderCancelled() | m.OrderRejectedByVenue():
                self.found["orders", (event.order_id,)]["status"] = ENDS[type(event)]


def opened(view: TrueView) -> dict[str, OpenView]:
    @contextmanager
    def open_view(_: Settings) -> Iterator[View]:
        yield view

    return {"test": open_view}


@pytest.mark.parametrize("back", [0, 2])
def test_a_view_is_compared_at_its_own_positions(tape: Tape, back: int) -> None:
    view = TrueView(tape, back) if not back else _entries_behind(tape, back)
    report = tape.audit(views=opened(view))
    assert wrong(report) == []
    [of_view] = report.views
    assert of_view.verdict == "equal"
    assert of_view.rows > 20


def _entries_behind(tape: Tape, back: int) -> TrueView:
    """A view that has not read the newest entries yet."""
    whole, behind = TrueView(tape), TrueView(tape)
    for part in [part for part in whole.positions if part.startswith(CLEARING_ENTRIES.name)]:
        behind.positions[part] = max(0, whole.positions[part] - back)
    behind.found = {key: row for key, row in behind.found.items() if key[0] not in ("balances", "lines", "positions")}
    for part, end in behind.positions.items():
        if part.startswith(CLEARING_ENTRIES.name):
            partition = int(part.rpartition("/")[2])
            for record in tape.broker.records(Part(CLEARING_ENTRIES.name, partition))[:end]:
                behind._fold(partition, decode(record.value or b""))
    return behind


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("balances", "amount_e8"),
        ("lines", "amount_e8"),
        ("positions", "cost_e8"),
        ("credit", "reserved_e8"),
        ("fills", "count"),
        ("orders", "status"),
        ("orders", "filled_e8"),
    ],
)
def test_a_wrong_row_is_named_with_account_and_field(tape: Tape, table: str, field: str) -> None:
    view = TrueView(tape)
    key, row = next(
        (key, row) for (of, key), row in view.found.items() if of == table and (ANN in key[0] or of == "orders")
    )
    before = row[field]
    row[field] = "EXPIRED" if field == "status" else before + 1
    report = tape.audit(views=opened(view))
    [found] = report.differences
    account = row["account_id"] if table == "orders" else ANN
    assert (found.check, found.where, found.account_id) == ("view", f"test {table}", account)
    assert found.what == f"row {' '.join(key)}: {field}"
    assert (found.tape, found.other) == (str(before), str(row[field]))


def test_missing_and_invented_rows_are_named(tape: Tape) -> None:
    view = TrueView(tape)
    del view.found["positions", (ANN, "BTC-USDT")]
    order = next(key for table, key in view.found if table == "orders")
    del view.found["orders", order]
    view.found["balances", ("client:nobody", "USDT", "0")] = {"amount_e8": 5}
    view.found["orders", ("f" * 32,)] = {"account_id": BOB, "status": "FILLED", "filled_e8": 1, "decided": True}
    found = {(one.where, one.account_id, one.tape == "nothing", one.other == "nothing") for one in
             tape.audit(views=opened(view)).differences}  # fmt: skip
    assert ("test positions", ANN, False, True) in found
    assert ("test balances", "nobody", True, False) in found
    assert ("test orders", BOB, True, False) in found
    assert {one[0] for one in found} == {"test positions", "test orders", "test balances"}
    assert len(found) == 4


def test_a_view_that_cannot_be_read_is_a_difference(tape: Tape) -> None:
    from truetape.errors import SetupError

    @contextmanager
    def away(_: Settings) -> Iterator[View]:
        raise SetupError("the view database does not answer")
        yield

    report = tape.audit(views={"postgres": away})
    assert not report.equal
    assert report.views[0].verdict == "SetupError: the view database does not answer"


def test_a_view_ahead_of_the_tape_is_a_difference(tape: Tape) -> None:
    view = TrueView(tape)
    view.positions[f"{CLEARING_ENTRIES.name}/0"] += 100
    assert [one.what for one in tape.audit(views=opened(view)).differences] == [
        f"position on {CLEARING_ENTRIES.name}/0"
    ]
