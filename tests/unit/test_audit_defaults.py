"""The audit's rules about defaults, each broken once: a loss that is fixed twice, too early, or as another sum."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.contract_desk import E8
from tests.unit.test_deleveraging_stage import over
from tests.unit.test_further_defaults import waiting
from tests.unit.unsold_stage import Unsold
from truetape import ids
from truetape import messages as m
from truetape.audit.default_rules import DefaultRules
from truetape.audit.findings import Findings
from truetape.topics import PARTITIONS

HOME = ids.partition_of("ann", PARTITIONS)
Records = list[Any]


class Taped(Unsold):
    """Decisions, executions and entries of ann's partition, in the order of their causes."""

    def __init__(self) -> None:
        super().__init__()
        self.read: Records = []
        at, sound = self.partitions[HOME], self.partitions[HOME].rules.take

        def take(given: Any) -> None:
            self.read.append(given.message)
            sound(given)

        at.rules.take = take  # type: ignore[method-assign]


def record(waives: bool) -> tuple[Records, str]:
    """A default whose order ends, or never does and is waived; with the order's id."""
    stage = Taped()
    _, accepted = waiting(stage)
    stage.pass_time(300)
    name = accepted.order.order_id
    if waives:
        known = stage.default("ann")
        stage.command(m.WaiveOrders("w", "ann", known.default_id, (name,), "the venue is gone", "olga"))
    else:
        stage.cancelled(accepted)
    stage.until(over(stage))
    stage.check()
    return stage.read, name


ENDED, ORDER = record(waives=False)
WAIVED, _ = record(waives=True)


def audited(records: Records) -> set[str]:
    """Rules that do not hold. Balances are kept as the ledger's rules keep them."""
    findings, balances = Findings(), dict[str, dict[str, int]]()
    rules = DefaultRules(findings.expect, balances)
    for event in records:
        for line in event.lines if isinstance(event, m.EntryBooked) else ():
            sums = balances.setdefault(line.account, {})
            sums[line.asset] = sums.get(line.asset, 0) + line.amount_e8
        rules.take("here", event)
    return {one.what for one in findings.kept}


def place(records: Records, wanted: Callable[[Any], bool]) -> int:
    """Where the first record is that is wanted."""
    return next(at for at, event in enumerate(records) if wanted(event))


def is_fixed(event: Any) -> bool:
    return isinstance(event, m.DefaultChanged) and event.state == "LOSS_FIXED"


def changed(records: Records, at: int, **changes: Any) -> Records:
    return [*records[:at], replace(records[at], **changes), *records[at + 1 :]]


def test_a_sound_record_breaks_no_rule() -> None:
    assert audited(ENDED) == audited(WAIVED) == set()
    assert sum(map(is_fixed, ENDED)) >= 1


def test_a_loss_that_changes_after_it_was_fixed_is_found() -> None:
    last = len(ENDED) - 1 - place(ENDED[::-1], lambda event: isinstance(event, m.DefaultChanged))
    event = ENDED[last]
    assert event.state == "COVERED"
    grown = changed(ENDED, last, loss_e8=event.loss_e8 + E8, uncovered_e8=event.uncovered_e8 + E8)
    assert audited(grown) == {"a loss is fixed once"}


def test_a_loss_that_is_fixed_a_second_time_is_found() -> None:
    at = place(ENDED, is_fixed)
    again = [*ENDED[: at + 1], replace(ENDED[at], state="DECLARED", loss_e8=0, steps=(), uncovered_e8=0), *ENDED[at:]]
    assert {"a default follows its states", "a loss is fixed once"} <= audited(again)


def test_a_loss_that_is_fixed_while_an_order_may_fill_is_found() -> None:
    without = [event for event in ENDED if not isinstance(event, m.OrderCancelled)]
    assert audited(without) == {"a loss is fixed when no order can fill"}
    forgotten = [replace(e, waived=()) if isinstance(e, m.DefaultChanged) else e for e in WAIVED]
    assert audited(forgotten) == {"a loss is fixed when no order can fill"}


def test_a_sum_that_is_not_what_the_account_cannot_pay_is_found() -> None:
    at = place(ENDED, is_fixed)
    wrong = changed(ENDED, at, uncovered_e8=ENDED[at].uncovered_e8 + 1, loss_e8=ENDED[at].loss_e8 + 1)
    assert "a loss is what cannot be paid" in audited(wrong)
    assert "who bears a loss sums to it" in audited(changed(ENDED, at, uncovered_e8=ENDED[at].uncovered_e8 + 1))


def test_an_end_of_orders_that_risk_has_not_said_is_found() -> None:
    silent = [replace(event, quiet_for="") if getattr(event, "quiet_for", "") else event for event in ENDED]
    assert audited(silent) == {"orders end by risk's word"}


@pytest.mark.parametrize("missing", ["command_id", "waived_by", "detail"])
def test_a_waiver_without_a_name_or_reason_is_found(missing: str) -> None:
    at = place(WAIVED, lambda event: isinstance(event, m.DefaultChanged) and bool(event.waived))
    assert audited(changed(WAIVED, at, **{missing: ""})) == {"a waiver has a name and a reason"}


def test_a_second_loss_while_one_waits_to_be_borne_is_found() -> None:
    at = place(ENDED, lambda event: isinstance(event, m.DefaultChanged))
    twice = [*ENDED[: at + 1], replace(ENDED[at], default_id="another"), *ENDED[at + 1 :]]
    assert "one loss of an account at a time" in audited(twice)


def test_a_loss_that_is_fixed_while_contracts_are_held_is_found() -> None:
    """The trade that closed her position is left out."""
    at = place(ENDED, is_fixed)
    closing = at - 1 - place(ENDED[:at][::-1], lambda e: isinstance(e, m.EntryBooked) and e.position is not None)
    assert "a loss is fixed when nothing is held" in audited([*ENDED[:closing], *ENDED[closing + 1 :]])
