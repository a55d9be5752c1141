"""The audit's rules of payments and compressed legs: a true tape breaks none, and each lie about it breaks its own."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.contract_desk import E8
from tests.unit.test_payments import FIRST, desk, lived, net, over
from truetape import messages as m
from truetape.audit.findings import Findings
from truetape.audit.payment_rules import PaymentRules

PERP = "BTC-USDT-PERP"
PAYS, IDS, TWICE = (
    "netting pays what is due, once",
    "an instruction has the id of its run",
    "an asset is netted once in a run",
)
NET, SAYS = "compression keeps every net position", "compression says what it changes"
OPEN, OWN = "only open legs are compressed", "one account's legs of a contract are compressed, each once"
LEFT = "of compressed legs the net is left"


def broken(events: list[Any]) -> list[str]:
    """Rules that records do not keep."""
    findings = Findings()
    rules = PaymentRules(findings.expect)
    for number, event in enumerate(events):
        rules.take(f"clearing.entries/0@{number}", event)
    return sorted({one.what for one in findings.kept})


@pytest.fixture(scope="module")
def true() -> list[Any]:
    """ann's legs become one, her day is netted, something comes late for it and is netted too; bob's day after hers."""
    made = desk()
    lived(made)
    made.command(m.CompressLegs("c", "ann", PERP, "desk"))
    began_us = made.now_us
    over(made)
    net(made, "ann")
    made.now_us = began_us + 1
    made.trade_of_two("late", buyer_id="ann", seller_id="bob", quantity_e8=E8, price_e8=60_000 * E8)
    made.command(m.CompressLegs("d", "ann", PERP, "desk"))
    over(made)
    for who in ("ann", "bob"):
        net(made, who)
    made.check()
    return made.events


def netted(number: int, **changes: Any) -> Callable[[list[Any]], list[Any]]:
    """A run says something else of its first instruction."""

    def told(events: list[Any]) -> list[Any]:
        at = [place for place, one in enumerate(events) if isinstance(one, m.PaymentsNetted)][number]
        first, *rest = events[at].instructions
        lie = replace(events[at], instructions=(replace(first, **changes), *rest))
        return [*events[:at], lie, *events[at + 1 :]]

    return told


def run(number: int, **changes: Any) -> Callable[[list[Any]], list[Any]]:
    """A run says something else as a whole."""

    def told(events: list[Any]) -> list[Any]:
        at = [place for place, one in enumerate(events) if isinstance(one, m.PaymentsNetted)][number]
        return [*events[:at], replace(events[at], **changes), *events[at + 1 :]]

    return told


def compressed(number: int, change: Callable[[m.LegsCompressed], m.LegsCompressed]) -> Callable[[list[Any]], list[Any]]:
    """A compression says something else."""

    def told(events: list[Any]) -> list[Any]:
        at = [place for place, one in enumerate(events) if isinstance(one, m.LegsCompressed)][number]
        return [*events[:at], change(events[at]), *events[at + 1 :]]

    return told


def again(kind: type) -> Callable[[list[Any]], list[Any]]:
    """The first record of a kind stands there twice."""

    def told(events: list[Any]) -> list[Any]:
        at = next(place for place, one in enumerate(events) if isinstance(one, kind))
        return [*events[: at + 1], events[at], *events[at + 1 :]]

    return told


def without_due(events: list[Any]) -> list[Any]:
    """Variation margin moved and fell due on no day."""

    def silent(one: Any) -> Any:
        if not isinstance(one, m.EntryBooked) or one.account_id != "bob":
            return one
        lines = (replace(x, purpose="gift") if x.purpose == "variation_margin" else x for x in one.lines)
        return replace(one, lines=tuple(lines))

    return [silent(one) for one in events]


def doubled(events: list[Any]) -> list[Any]:
    """The first run nets its asset twice."""
    at = next(place for place, one in enumerate(events) if isinstance(one, m.PaymentsNetted))
    return run(0, instructions=events[at].instructions * 2)(events)


def left(**changes: Any) -> Callable[[m.LegsCompressed], m.LegsCompressed]:
    return lambda event: replace(event, left=tuple(replace(leg, **changes) for leg in event.left))


def twice_ended(event: m.LegsCompressed) -> m.LegsCompressed:
    return replace(event, ended=(*event.ended, event.ended[0]))


def others(event: m.LegsCompressed) -> m.LegsCompressed:
    return replace(event, ended=(replace(event.ended[0], account_id="bob"), *event.ended[1:]))


def fewer(event: m.LegsCompressed) -> m.LegsCompressed:
    """A leg that was compressed is left out, with what it was."""
    one = event.ended[-1]
    quantity_e8 = one.quantity_e8 if one.side == "BUY" else -one.quantity_e8
    return replace(
        event, ended=event.ended[:-1], net_quantity_e8=event.net_quantity_e8 - quantity_e8,
        net_cost_e8=event.net_cost_e8 - (one.cost_e8 or 0), gross_before_e8=event.gross_before_e8 - one.quantity_e8,
    )  # fmt: skip


def uncut(event: m.LegsCompressed) -> m.LegsCompressed:
    """Nothing was compressed: both legs are left as they were."""
    return replace(event, left=event.ended, gross_after_e8=event.gross_before_e8, ended_cost_e8=0)


#    lie                                                          rules that it breaks
LIES: list[tuple[str, Callable[[list[Any]], list[Any]], list[str]]] = [
    ("nothing", lambda events: events, []),
    ("a unit more", netted(0, amount_e8=-197_044_099_999), [PAYS]),
    ("both sides a unit more", netted(2, received_e8=1, paid_e8=3_024_100_001), [PAYS]),
    ("another purpose", netted(0, parts={"house_fee": -197_044_100_000}), [PAYS]),
    ("a line too few", netted(0, payments=1), [PAYS]),
    ("nothing is paid", run(0, instructions=()), [PAYS]),
    ("another asset", netted(0, asset="USD"), [IDS, PAYS]),
    ("another day", run(0, value_date="2023-11-13"), [IDS, PAYS]),
    ("somebody else's", run(0, account_id="cat"), [IDS, PAYS]),
    ("the late ones as the first", netted(1, instruction_id="0" * 32), [IDS]),
    ("a run that is there twice", again(m.PaymentsNetted), [IDS, PAYS]),
    ("an asset twice in a run", doubled, [TWICE]),
    ("what no entry made due", without_due, [PAYS]),
    ("a contract more", compressed(0, left(quantity_e8=3 * E8)), [NET, OPEN, SAYS]),
    ("a unit of cost more", compressed(0, left(cost_e8=1)), [NET, OPEN, SAYS]),
    ("the other side", compressed(1, left(side="SELL")), [NET]),
    ("another gross", compressed(0, lambda event: replace(event, gross_before_e8=1)), [SAYS]),
    ("another net", compressed(0, lambda event: replace(event, net_quantity_e8=1)), [SAYS]),
    ("a leg twice", compressed(0, twice_ended), [OWN]),
    ("somebody else's leg", compressed(0, others), [OWN]),
    ("a leg that was not said", compressed(0, fewer), [NET]),
    ("all is left as it was", compressed(1, uncut), [LEFT]),
    ("compressed twice", again(m.LegsCompressed), [NET, OPEN, SAYS]),
]  # fmt: skip


@pytest.mark.parametrize(("lie", "wrong"), [one[1:] for one in LIES], ids=[one[0] for one in LIES])
def test_a_lie_breaks_its_rules(true: list[Any], lie: Callable[[list[Any]], list[Any]], wrong: list[str]) -> None:
    assert broken(lie(true)) == sorted(wrong)


def test_the_true_tape_has_what_is_lied_about(true: list[Any]) -> None:
    runs = [one for one in true if isinstance(one, m.PaymentsNetted)]
    assert [(one.account_id, one.value_date) for one in runs] == [("ann", FIRST), ("ann", FIRST), ("bob", FIRST)]
    assert [one.run for each in runs for one in each.instructions] == [1, 2, 1]
    assert sum(isinstance(one, m.LegsCompressed) for one in true) == 2
