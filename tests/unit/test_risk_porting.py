"""A client whose member is in default: risk lets through what only reduces, until it has another member."""

from typing import Any

import pytest

from services.risk import porting
from services.risk.account import State
from tests.unit.contract_desk import E8, START_US, instrument
from tests.unit.contract_desk import terms as perpetual
from tests.unit.desk import ANN, BTC, mark, some_meta, submit, terms
from tests.unit.test_risk_contracts import PERP, Pair
from truetape import messages as m
from truetape.audit.findings import Findings
from truetape.audit.membership import Membership
from truetape.audit.porting_rules import PortingRules
from truetape.service import Input

DEFAULT = "default-1"


def told(state: str, default_id: str = DEFAULT, change: str = "open") -> m.PortingChanged:
    """A record of clearing about Ann."""
    return m.PortingChanged(
        some_meta(), "", ANN, "mem", default_id, "bob", state, change, "clock", "", START_US, 0, {}, {}, "", ""
    )


@pytest.fixture
def pair() -> Pair:
    """Ann is long two contracts, and has an order that rests."""
    pair = Pair(instrument(PERP, perpetual()), deposit=10_000)
    pair.risk.tables.reference.instruments["BTC-USDT"] = BTC
    pair.risk.tables.marks.newest["BTC-USDT"] = mark("60000")
    pair.fill(pair.order("BUY", 2, "60000"), 2, 60_000)
    assert isinstance(pair.order("BUY", 1, "59000"), m.OrderAccepted)
    return pair


def spot(pair: Pair, side: m.Side, name: str) -> Any:
    return pair.risk.give(submit(terms(side, "0.01", "60000", name)))


def test_from_the_window_on_only_what_reduces_passes(pair: Pair) -> None:
    cancelled = pair.risk.give(told("REQUESTED"))
    assert isinstance(cancelled, m.CancelRequested)
    assert (cancelled.porting_id, len(cancelled.order_ids), cancelled.liquidation_id) == (DEFAULT, 1, "")
    for state, change in (("ACCEPTED", "accept"), ("MOVING", "move"), ("EXPIRED", "expire")):
        assert pair.risk.give(told(state, change=change)) is None, "said already"
    more = pair.order("BUY", 1, "60000")
    assert isinstance(more, m.OrderRejected) and more.reason == "TRADING_REDUCING"
    assert more.numbers == {"sells": 0, "quantity_e8": E8, "held_e8": 0, "member_in_default": 1}
    turns = pair.order("SELL", 3, "60000")
    assert isinstance(turns, m.OrderRejected) and turns.numbers["held_e8"] == 2 * E8
    assert spot(pair, "BUY", "spot").reason == "TRADING_REDUCING"
    assert isinstance(pair.order("SELL", 2, "60000"), m.OrderAccepted)
    assert isinstance(pair.order("SELL", 1, "60000"), m.OrderRejected), "both together would turn the position"
    assert pair.risk.digest() == pair.risk.replayed(through_snapshot_at=len(pair.risk.events) - 3)


def test_with_another_member_all_passes_again(pair: Pair) -> None:
    pair.risk.give(told("REQUESTED"))
    ended = pair.risk.give(told("PORTED", change="port"))
    assert (ended.account_id, ended.porting_id, ended.liquidation_id) == (ANN, DEFAULT, "")
    assert pair.risk.give(told("PORTED", change="port")) is None
    assert isinstance(pair.order("BUY", 1, "60000"), m.OrderAccepted)
    again = pair.risk.give(told("REQUESTED", "default-2"))
    assert again.porting_id == "default-2" and len(again.order_ids) == 2


def test_a_further_default_of_the_member_restricts_anew(pair: Pair) -> None:
    """Nobody took Ann after the first one, so she is in its window still; what she has placed since is cancelled, and
    it is the second window that ends."""
    pair.risk.give(told("REQUESTED"))
    pair.risk.give(told("EXPIRED", change="expire"))
    reduces = pair.order("SELL", 2, "60000")
    again = pair.risk.give(told("REQUESTED", "default-2"))
    assert isinstance(again, m.CancelRequested) and again.porting_id == "default-2"
    assert reduces.order.order_id in again.order_ids
    assert pair.order("BUY", 1, "60000").reason == "TRADING_REDUCING"
    assert pair.risk.give(told("PORTED", "default-2", "port")).porting_id == "default-2"
    assert isinstance(pair.order("BUY", 1, "60000"), m.OrderAccepted)


def test_a_planted_fault_a_further_default_that_restricts_nobody_anew_is_caught(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = porting.changed

    def once(state: State, given: Input, event: m.PortingChanged, open_orders: tuple[str, ...]) -> Any:
        if event.state != porting.OVER and state.accounts[event.account_id].porting_id:
            return None
        return sound(state, given, event, open_orders)

    monkeypatch.setattr(porting, "changed", once)
    with pytest.raises(AssertionError):
        test_a_further_default_of_the_member_restricts_anew(pair)


def test_a_choice_beforehand_restricts_nobody(pair: Pair) -> None:
    assert pair.risk.give(told("CHOSEN", "", "choose")) is None
    assert isinstance(pair.order("BUY", 1, "60000"), m.OrderAccepted)


def test_a_liquidation_and_a_window_end_apart(pair: Pair) -> None:
    pair.risk.give(told("REQUESTED"))
    account = pair.risk.state.accounts[ANN]
    account.liquidation_id = "l1"
    pair.risk.give(told("PORTED", change="port"))
    assert (account.liquidation_id, account.porting_id) == ("l1", "")


# -- the audit of it --------------------------------------------------------------------------------------------------


def wrong(*events: Any) -> list[str]:
    findings = Findings()
    rules = PortingRules(findings.expect, {}, Membership())
    for number, event in enumerate(events):
        rules.take(str(number), event)
    return [one.what for one in findings.kept]


def decisions(pair: Pair) -> list[Any]:
    found: list[Any] = list(pair.risk.events)
    return found


def test_the_audit_sees_an_order_that_opens_in_a_window(pair: Pair) -> None:
    pair.risk.give(told("REQUESTED"))
    reduces = pair.order("SELL", 2, "60000")
    assert wrong(*decisions(pair)) == []
    pair.risk.state.accounts[ANN].porting_id = ""
    opens = pair.order("BUY", 1, "60000")
    assert isinstance(reduces, m.OrderAccepted) and isinstance(opens, m.OrderAccepted)
    assert wrong(*decisions(pair)) == ["a client in a window only reduces"]
    over = m.RestrictionEnded(some_meta(), ANN, "", DEFAULT)
    assert wrong(*decisions(pair)[:-1], over, opens) == []
