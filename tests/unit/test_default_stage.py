"""The default of an account through clearing's eight partitions: every layer, a second default, payments in flight, and
what comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.booking.parked import Parked
from services.clearing.defaults.waterfalls import ASSESSMENT, HOME
from services.risk.core import SERVICE as RISK
from tests.unit.contract_desk import E8
from tests.unit.desk import ANN, BTC, LAW, START_US, Desk, some_meta, submit, tables, terms, transfer
from tests.unit.rounds_stage import PERP, Stage, members
from truetape import messages as m
from truetape.codec import decode
from truetape.topics import ORDERS_COMMANDS

SHARES = [("ann", 100), ("bob", 300), ("cat", 500), ("dan", 200)]


def lost(loss: int, gains: int = 0) -> Stage:
    """Ann defaults with cash of 1 000 and a loss of so much in all; eve has contracts that gained so much."""
    stage = Stage()
    members(stage, SHARES, 50)
    stage.deposit("ann", 1_000)
    if gains:
        stage.trade("eve", "BUY", 100, 60_000 - gains)
        mark(stage, 60_000)
    stage.lose_money("ann", loss)
    stage.declare("ann")
    stage.run()
    return stage


def mark(stage: Stage, price: int) -> None:
    at_us, price_e8 = stage.now_us + 40_000_000, price * E8
    stage.tables.marks.newest[PERP] = m.MarkPublished(
        some_meta(at_us), PERP, price_e8, price_e8, price_e8, "alpha", 7, at_us, 0
    )


LAYERS = [
    # loss, (margin, own share, capital, others, assessments, haircut), uncovered
    (900, (), 0),
    (1_000, (), 0),
    (1_040, (1_000, 40), 0),
    (1_100, (1_000, 100), 0),
    (1_130, (1_000, 100, 30), 0),
    (1_150, (1_000, 100, 50), 0),
    (1_650, (1_000, 100, 50, 500), 0),
    (2_150, (1_000, 100, 50, 1_000), 0),
    (2_650, (1_000, 100, 50, 1_000, 500), 0),
    (3_150, (1_000, 100, 50, 1_000, 1_000), 0),
    (3_300, (1_000, 100, 50, 1_000, 1_000, 150), 0),
    (3_350, (1_000, 100, 50, 1_000, 1_000, 200), 0),
    (3_357, (1_000, 100, 50, 1_000, 1_000, 200), 7),
]
NAMES = ("DEFAULTER_MARGIN", "DEFAULTER_FUND", "HOUSE_CAPITAL", "OTHERS_FUND", "ASSESSMENTS", "HAIRCUT")


@pytest.mark.parametrize(("loss", "borne", "uncovered"), LAYERS, ids=[str(row[0]) for row in LAYERS])
def test_each_layer_bears_its_part_before_the_next(loss: int, borne: tuple[int, ...], uncovered: int) -> None:
    stage = lost(loss, gains=200)
    known, sums = stage.default("ann"), dict.fromkeys(NAMES, 0)
    for layer, _, amount in stage.steps("ann"):
        sums[layer] += amount
    assert tuple(sums.values()) == borne + (0,) * (len(NAMES) - len(borne))
    assert known.state == ("UNCOVERED" if uncovered else "COVERED" if borne else "ENDED")
    assert known.uncovered_e8 == uncovered * E8 == stage.open_loss() * E8
    assert known.loss_e8 == (loss * E8 if borne else 0), "steps and what is uncovered sum to the loss"
    assert stage.cash("ann") == (0 if borne else 1_000), "a loss that it can pay is paid at the next settlement"
    contracts = [one.contract for one in stage.events(m.EntryBooked) if one.contract is not None]
    booked = {one.event for one in contracts if "round_id" in one.ids} - {"CLOSE_OUT", "DEFAULTER_MARGIN"}
    assert len(booked) == max(0, len(borne) - 1), "each layer has entries of its own"
    stage.check()


def test_nobodys_margin_but_the_defaulters_is_touched() -> None:
    stage = Stage()
    members(stage, SHARES, 50)
    for name in ("bob", "cat", "dan", "eve"):
        stage.deposit(name, 5_000)
    stage.lose_money("ann", 9_000)
    stage.declare("ann")
    stage.run()
    assert stage.default("ann").state == "UNCOVERED"
    assert [stage.cash(name) for name in ("bob", "cat", "dan", "eve")] == [5_000] * 4
    stage.check()


def test_an_assessment_is_asked_for_once_in_a_period_and_paid() -> None:
    stage = lost(2_650)
    assert stage.balance(ASSESSMENT + "bob") == -150 and stage.share("bob") == 0
    assert stage.fund("bob", 151, "ASSESSMENT").reason == "NUMBERS_WRONG"
    assert isinstance(stage.fund("bob", 150, "ASSESSMENT"), m.EntryBooked)
    assert stage.balance(ASSESSMENT + "bob") == 0
    stage.fund("bob", 300)
    stage.fund("cat", 500)
    stage.fund("dan", 200)
    stage.lose_money("eve", 3_000)
    stage.declare("eve")
    stage.run()
    assert sum(amount for layer, _, amount in stage.steps("eve") if layer == "ASSESSMENTS") == 500
    stage.check()


def test_open_positions_keep_it_declared() -> None:
    stage = Stage()
    members(stage, SHARES, 50)
    stage.deposit("ann", 100)
    stage.trade("ann", "BUY", 100, 60_000)
    stage.declare("ann")
    stage.run(20)
    assert stage.default("ann").state == "DECLARED"
    stage.trade("ann", "SELL", 100, 59_700)
    stage.run(20)
    assert stage.default("ann").state == "COVERED" and stage.default("ann").loss_e8 == 300 * E8
    stage.check()


def test_a_second_default_while_the_first_is_in_flight() -> None:
    """Bob's share is kept for his own loss; who is left bears both, one after the other, to the unit."""
    stage = Stage()
    members(stage, SHARES, 50)
    stage.lose_money("ann", 350)
    stage.lose_money("bob", 400)
    stage.declare("ann")
    while stage.default("ann").state == "DECLARED":
        stage.run(1)
    for _ in range(5):
        if stage.wire:
            stage.deliver(0)
    stage.declare("bob")
    stage.run(120)
    ann, bob = stage.steps("ann"), stage.steps("bob")
    assert ("DEFAULTER_FUND", "ann", 100) in ann and ("HOUSE_CAPITAL", "house", 50) in [*ann, *bob]
    assert ("DEFAULTER_FUND", "bob", 300) in bob or ("OTHERS_FUND", "bob", 60) in ann
    for name, loss in (("ann", 350), ("bob", 400)):
        assert sum(one.amount_e8 for one in stage.default(name).steps) == loss * E8
    funds = [at.state.balances.get(f"fund:{name}", {}).get("USDT", 0) for at in stage.partitions for name, _ in SHARES]
    assert sum(funds) == (1_150 - 750) * E8
    assert stage.open_loss() == 0 and stage.done()
    stage.check()


def test_a_share_of_a_member_in_default_pays_for_nobody_else() -> None:
    stage = Stage()
    members(stage, SHARES, 0)
    stage.trade("bob", "BUY", 1, 60_000)
    stage.declare("bob")
    stage.lose_money("ann", 800)
    stage.declare("ann")
    stage.run()
    assert stage.default("bob").state == "DECLARED" and stage.share("bob") == 300
    assert all(payer != "bob" for _, payer, _ in stage.steps("ann"))
    stage.check()


@pytest.mark.parametrize("delivered", range(0, 30, 3))
def test_a_payment_in_flight_comes_back_to_who_paid(delivered: int) -> None:
    """The defaulter's payment is booked somewhere amid the round: nothing is lost, whoever paid too much gets it."""
    stage = Stage()
    members(stage, SHARES, 50)
    stage.lose_money("ann", 450)
    stage.declare("ann")
    while stage.default("ann").state == "DECLARED":
        stage.run(1)
    for _ in range(delivered):
        if stage.wire:
            stage.deliver(0)
    stage.deposit("ann", 120)
    stage.run(60)
    known = stage.default("ann")
    assert (known.state, known.recovered_e8) == ("COVERED", 120 * E8)
    shares = [stage.share(name) for name in ("ann", "bob", "cat", "dan")]
    assert shares[0] == 0 and sum(shares) == 1_000 - 300 + 120 and stage.balance("house:capital") == 0
    assert stage.cash("ann") == 0 and stage.open_loss() == 0
    stage.check()


def test_what_comes_in_late_goes_to_the_last_layer_first_and_the_rest_is_the_defaulters() -> None:
    stage = lost(3_357, gains=200)
    rows = [(7, "uncovered"), (200, "HAIRCUT"), (1_000, "ASSESSMENTS"), (1_000, "OTHERS_FUND"), (50, "HOUSE_CAPITAL")]
    for amount, _ in rows:
        before = stage.steps("ann")
        stage.deposit("ann", amount)
        stage.run(30)
        gone = {layer for layer, _, _ in before} - {layer for layer, _, _ in stage.steps("ann")}
        assert gone <= {name for _, name in rows} and stage.cash("ann") == 0
        stage.check()
    known = stage.default("ann")
    assert (known.state, known.recovered_e8, known.uncovered_e8) == ("ENDED", 2_257 * E8, 0)
    assert [one.layer for one in known.steps] == ["DEFAULTER_MARGIN", "DEFAULTER_FUND"]
    assert [stage.share(name) for name in ("bob", "cat", "dan")] == [300, 500, 200]
    assert stage.balance("house:capital") == 50 and stage.open_loss() == 0
    stage.deposit("ann", 40)
    stage.run(30)
    assert stage.cash("ann") == 40
    stage.check()


@LAW
@given(
    losses=st.lists(st.integers(1, 4_000), min_size=1, max_size=3),
    cash=st.lists(st.integers(1, 900), min_size=0, max_size=3),
    shares=st.lists(st.integers(0, 700), min_size=3, max_size=3),
)
def test_no_sequence_makes_or_loses_a_unit(losses: list[int], cash: list[int], shares: list[int]) -> None:
    stage = Stage()
    members(stage, [(name, share) for name, share in zip(("ann", "bob", "cat"), shares, strict=True) if share], 50)
    for name, loss in zip(("ann", "bob", "cat"), losses, strict=False):
        stage.lose_money(name, loss)
        stage.declare(name)
        stage.tick()
    for name, amount in zip(("ann", "bob", "cat"), cash, strict=False):
        stage.deposit(name, amount)
    stage.run(200)
    open_e8 = 0
    for at in stage.partitions:
        for known in at.state.defaults.values():
            assert known.state in ("COVERED", "UNCOVERED", "ENDED")
            borne_e8 = sum(one.amount_e8 for one in known.steps) + known.uncovered_e8
            assert borne_e8 + known.recovered_e8 == known.loss_e8
            open_e8 += known.uncovered_e8
    assert open_e8 == -sum(at.state.balances.get(HOME, {}).get("USDT", 0) for at in stage.partitions)
    assert stage.done()
    stage.check()


# -- the fund and the declaration -------------------------------------------------------------------------------------

REFUSED = [
    ({"account_id": "zoe"}, "ACCOUNT_UNKNOWN"),
    ({"account_id": "house:capital"}, "ACCOUNT_UNKNOWN"),
    ({"location": "venue:alpha"}, "NUMBERS_WRONG"),
    ({"amount_e8": 0}, "NUMBERS_WRONG"),
    ({"reason": " "}, "REASON_MISSING"),
    ({"purpose": "TEA"}, "UNSUPPORTED"),
    ({"amount_e8": -101 * E8}, "INSUFFICIENT_FUNDS"),
    ({"amount_e8": 2**62}, "AMOUNT_TOO_LARGE"),
    ({"purpose": "ASSESSMENT"}, "NUMBERS_WRONG"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED, ids=[str(row) for row in REFUSED])
def test_money_of_the_fund_moves_only_as_it_may(changes: dict[str, object], reason: str) -> None:
    stage = Stage()
    stage.fund("ann", 100)
    stage.fund("ann", 2**62 // E8)
    refused = stage.fund("ann", 1, "FUND", **changes)
    if reason != "AMOUNT_TOO_LARGE":
        stage = Stage()
        stage.fund("ann", 100)
        refused = stage.fund("ann", 1, "FUND", **changes)
    assert isinstance(refused, m.ClearingRefused) and refused.reason == reason
    stage.check()


def test_a_command_of_the_fund_counts_once() -> None:
    stage = Stage()
    command = m.MoveFund("c", "ann", "USDT", 5 * E8, "bank:main", "FUND", "desk", "joins")
    assert isinstance(stage.command(command), m.EntryBooked)
    assert stage.command(command).reason == "COMMAND_REPEATED" and stage.share("ann") == 5


def test_a_share_goes_out_when_it_is_free() -> None:
    stage = lost(1_040)
    assert "in default" in stage.fund("ann", -10).detail
    assert stage.taken("bob", 300) == "" and stage.share("bob") == 0
    stage.check()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account_id": "zoe"}, "ACCOUNT_UNKNOWN"),
        ({"reason": ""}, "REASON_MISSING"),
        ({"asset": "TEA"}, "NUMBERS_WRONG"),
        ({}, "STATE_WRONG"),
    ],
)
def test_a_default_is_declared_once_and_for_a_reason(changes: dict[str, object], reason: str) -> None:
    stage = Stage()
    stage.deposit("ann", 1)
    stage.trade("ann", "BUY", 1, 60_000)
    if not changes:
        stage.declare("ann")
    assert stage.declare("ann", **changes).reason == reason


def test_a_default_that_is_over_is_not_declared_again_while_nothing_is_open_or_owed() -> None:
    stage = Stage()
    members(stage, SHARES, 50)
    stage.lose_money("ann", 500)
    first = stage.declare("ann")
    assert "already in default" in stage.declare("ann").detail
    stage.run()
    again = stage.declare("ann")
    assert (again.reason, stage.default("ann").state) == ("STATE_WRONG", "COVERED")
    assert f"nothing to declare: default {first.default_id} is COVERED" in again.detail
    stage.lose_money("ann", 20)
    further = stage.declare("ann")
    assert isinstance(further, m.DefaultChanged) and further.default_id != first.default_id
    stage.run()
    assert stage.default("ann").default_id == further.default_id and stage.default("ann").state == "COVERED"
    stage.check()


def test_open_orders_are_cancelled_and_new_ones_and_withdrawals_refused() -> None:
    stage = Stage()
    stage.deposit("ann", 1)
    stage.trade("ann", "BUY", 1, 60_000)
    event = stage.declare("ann")
    [asked] = [decode(value) for part, value in stage.wire if part.topic == ORDERS_COMMANDS.name]
    assert isinstance(asked, m.CancelAllOrders) and asked.account_id == "ann"
    risk = Desk(RISK, tables(BTC))
    risk.give(m.EntryBooked(
        meta=some_meta(), entry_id="d", account_id=ANN, kind="DEPOSIT", rule="transfer",
        lines=(m.Line("client:ann", "USDT", 10**14, "deposit"), m.Line("bank:main", "USDT", -(10**14), "deposit")),
        realised_e8=0, filled_e8=0, transacted_at_us=START_US,
    ))  # fmt: skip
    order = terms("BUY", "0.1", "60000")
    assert isinstance(risk.give(submit(order)), m.OrderAccepted)
    halted = risk.give(replace(event, meta=some_meta(topic="clearing.entries")))
    assert isinstance(halted, m.AccountHalted) and halted.parked_event_id == f"default:{event.default_id}"
    assert risk.give(event) is None, "told once"
    assert risk.give(asked).order_ids == (order.order_id,)
    refused = risk.give(submit(terms("BUY", "0.1", "60000", "2")))
    assert isinstance(refused, m.OrderRejected) and "ledger_halted" in refused.numbers
    out = risk.give(m.RequestTransfer(transfer("-5", account_id=ANN), "key", START_US))
    assert isinstance(out, m.TransferRejected)
    assert risk.replayed() == risk.digest()


def test_what_is_parked_of_it_keeps_it_declared() -> None:
    stage = Stage()
    members(stage, SHARES, 50)
    stage.lose_money("ann", 450)
    halted = stage.of("ann").state.halted
    halted["ann"] = [Parked("event", "orders.executions", 1, "its loss may be larger", 0, None)]
    stage.declare("ann")
    stage.run(5)
    assert stage.default("ann").state == "DECLARED"
    del halted["ann"]
    stage.run(20)
    assert stage.default("ann").state == "COVERED"
    stage.check()


def test_an_assessment_that_comes_back_in_part_is_owed_less_and_moves_no_cash() -> None:
    stage = lost(2_650)
    stage.deposit("ann", 100)
    stage.run()
    assert [stage.balance(ASSESSMENT + name) for name in ("bob", "cat", "dan")] == [-120, -200, -80]
    assert [stage.cash(name) for name in ("bob", "cat", "dan")] == [0, 0, 0]
    stage.check()


def test_a_gain_of_who_is_in_default_himself_is_not_cut() -> None:
    stage = Stage()
    members(stage, SHARES, 50)
    for name in ("bob", "eve"):
        stage.trade(name, "BUY", 100, 59_800)
    mark(stage, 60_000)
    stage.of("bob").state.defaults["bob"] = replace(stage.declare("bob"), state="COVERED")
    stage.lose_money("ann", 9_000)
    stage.declare("ann")
    stage.run()
    assert [payer for layer, payer, _ in stage.steps("ann") if layer == "HAIRCUT"] == ["eve"]
