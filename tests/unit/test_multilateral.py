"""Bilateral trades and their compression over eight real partitions: all or nothing, and nothing but gross changes."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.books import accounts
from services.clearing.otc.multilateral import HOME
from services.clearing.otc.uncleared import TERMINATED, TERMINATING
from tests.unit.contract_desk import E8, START_US, instrument, option, terms
from tests.unit.rounds_stage import MEMBERS, PERP, Stage
from truetape import ids
from truetape import messages as m
from truetape.topics import PARTITIONS

CALL = "BTC-USDT-20261225-60000-C"
HOUR_US = 3_600_000_000
Deal = tuple[str, str, int, int]
"""Buyer, seller, contracts, price."""
CIRCLE: list[Deal] = [("ann", "bob", 5, 100), ("bob", "cat", 5, 110), ("cat", "ann", 3, 120), ("dan", "eve", 2, 100)]


def view(name: str, deal: Deal, **changes: Any) -> m.TradeTerms:
    buyer, seller, contracts, price = deal
    made = m.TradeTerms(name, buyer, seller, PERP, contracts * E8, price * E8, "2026-11-26", "BILATERAL")
    return replace(made, **changes)


def tell(stage: Stage, name: str, deal: Deal, **changes: Any) -> Any:
    """Both sides tell the same; the answer to the second."""
    told, answer = view(name, deal, **changes), None
    for party in deal[:2]:
        answer = stage.command(m.TellTrade(f"{name}-{party}", min(deal[:2]), party, told, "key"))
    return answer


def stage_with(deals: Iterable[Deal], **changes: Any) -> Stage:
    stage = Stage(instrument(PERP, terms()), instrument(CALL, option("CALL", 60_000)))
    for name in MEMBERS:
        stage.deposit(name, 1_000)
    for number, deal in enumerate(deals):
        tell(stage, f"UTI-{number}", deal, **changes)
    return stage


def start(stage: Stage, name: str = "c1", **changes: Any) -> Any:
    command = m.StartCompression(name, HOME, PERP, (), HOUR_US, "desk")
    return stage.command(replace(command, **changes))


def run_of(stage: Stage) -> m.CompressionChanged:
    """The newest record of the newest run."""
    found: list[m.CompressionChanged] = stage.events(m.CompressionChanged)
    return found[-1]


def answer(stage: Stage, party: str, accepted: bool = True, name: str = "") -> Any:
    command = m.AnswerCompression(
        name or f"a-{party}-{accepted}", HOME, run_of(stage).run_id, party, accepted, "" if accepted else "no", "key"
    )
    return stage.command(command)


def accept_all(stage: Stage) -> None:
    for party in run_of(stage).participants:
        answer(stage, party)
    stage.run(5)


def open_trades(stage: Stage) -> dict[str, m.BilateralTrade]:
    """Of all partitions; each at its home."""
    found: dict[str, m.BilateralTrade] = {}
    for at in stage.partitions:
        for name, one in at.state.uncleared.open.items():
            assert ids.partition_of(one.home_id, PARTITIONS) == at.number and name not in found
            found[name] = one
    return found


def nets(trades: Iterable[m.BilateralTrade]) -> dict[str, tuple[int, int]]:
    """Net contracts and cost by account."""
    quantities: Counter[str] = Counter()
    costs: Counter[str] = Counter()
    for one in trades:
        for who, sign in ((one.buyer_id, 1), (one.seller_id, -1)):
            quantities[who] += sign * one.quantity_e8
            costs[who] += sign * one.cost_e8
    return {name: (quantities[name], costs[name]) for name in MEMBERS if quantities[name] or costs[name]}


def idle(stage: Stage) -> None:
    """Nothing is asked, held, owed or waited for, and every partition's replay is its state."""
    stage.run(30)
    stage.check()
    assert stage.done()
    assert not any(at.state.uncleared.held or at.state.compressions.open or at.state.claims for at in stage.partitions)
    open_claims = {name: sums for name, sums in stage.books().items() if name.startswith(("claim:", "house:compr"))}
    assert not any(amount for sums in open_claims.values() for amount in sums.values()), open_claims


def test_a_circle_is_reduced_once_everybody_has_accepted() -> None:
    stage = stage_with(CIRCLE)
    before = open_trades(stage)
    assert start(stage).state == "GATHERING"
    stage.run(5)
    asked = run_of(stage)
    assert (asked.state, asked.participants) == ("PROPOSED", ("ann", "bob", "cat")), "dan and eve keep what they have"
    assert (asked.gross_before_e8, asked.gross_after_e8) == (13 * E8, 4 * E8)
    assert open_trades(stage) == before
    for party in ("ann", "bob"):
        assert answer(stage, party).state == "PROPOSED"
    assert answer(stage, "cat").state == "COMPRESSED"
    stage.run(5)
    done, after = run_of(stage), open_trades(stage)
    assert {one.trade_id for one in done.ended} == before.keys() - after.keys()
    assert {one.trade_id for one in done.left} == after.keys() - before.keys()
    paid = Counter({one.account_id: one.amount_e8 for one in done.payments})
    right = {who: (net[0], net[1] + paid[who]) for who, net in nets(before.values()).items()}
    assert nets(after.values()) == {who: net for who, net in right.items() if net != (0, 0)}
    assert sum(paid.values()) == 0 and any(paid.values())
    assert all(one.origin == "COMPRESSION" and one.reference == done.run_id for one in done.left)
    stage.run(20)
    assert owed(stage) == {who: amount_e8 for who, amount_e8 in paid.items() if amount_e8}
    idle(stage)


def owed(stage: Stage) -> dict[str, int]:
    """What compressions make accounts get or pay on one value date, each in its own partition."""
    found: dict[str, int] = {}
    dates = set()
    for at in stage.partitions:
        for who, known in at.state.payments.items():
            assert ids.partition_of(who, PARTITIONS) == at.number
            [(day, dues)] = known.days.items()
            due = dues["USDT"]["compression"]
            dates.add(day)
            found[who] = due.received_e8 - due.paid_e8
    assert len(dates) == 1
    return found


@pytest.mark.parametrize("who", ["ann", "cat"])
def test_one_that_declines_or_is_silent_makes_all_of_it_fall(who: str) -> None:
    for silent in (False, True):
        stage = stage_with(CIRCLE)
        before = open_trades(stage)
        start(stage)
        stage.run(5)
        for party in {"ann", "bob", "cat"} - {who}:
            answer(stage, party)
        if silent:
            stage.tick(3_601)
        else:
            answer(stage, who, accepted=False)
        stage.run(5)
        fallen = run_of(stage)
        assert fallen.state == ("EXPIRED" if silent else "DECLINED") and fallen.ended == ()
        assert who in fallen.detail or fallen.actor == who
        assert open_trades(stage) == before
        idle(stage)
        assert start(stage, "again").state == "GATHERING", "nothing is left of the first run"


def test_trades_that_offset_between_two_end_with_a_payment() -> None:
    stage = stage_with([("ann", "bob", 2, 100), ("bob", "ann", 2, 130)])
    start(stage)
    stage.run(5)
    accept_all(stage)
    assert open_trades(stage) == {}
    amount_e8 = 2 * 30 * E8 // 100  # 0.01 a contract
    assert {one.account_id: one.amount_e8 for one in run_of(stage).payments} == {"ann": amount_e8, "bob": -amount_e8}
    idle(stage)


def test_nothing_to_compress_ends_at_once() -> None:
    stage = stage_with([("ann", "bob", 2, 100), ("bob", "cat", 2, 100)])
    start(stage)
    stage.run(5)
    assert run_of(stage).state == "NOTHING"
    assert len(open_trades(stage)) == 2
    idle(stage)


def test_only_trades_between_those_who_are_asked() -> None:
    stage = stage_with([*CIRCLE, ("ann", "bob", 1, 100)])
    start(stage, participants=("bob", "ann"))
    stage.run(5)
    assert run_of(stage).participants == ("ann", "bob")
    accept_all(stage)
    assert sorted(one.quantity_e8 // E8 for one in open_trades(stage).values()) == [2, 3, 5, 6]
    idle(stage)


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"instrument_id": "nothing"}, "NOT_A_CONTRACT"),
    ({"account_id": "ann"}, "STATE_WRONG"),
    ({"participants": ("ann",)}, "NUMBERS_WRONG"),
    ({"participants": ("ann", "nobody")}, "ACCOUNT_UNKNOWN"),
    ({"answer_within_us": 1}, "NUMBERS_WRONG"),
    ({"instrument_id": CALL, "answer_within_us": 2 * 86_400_000_000}, "CONTRACT_EXPIRED"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSALS)
def test_a_run_that_cannot_be_is_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    stage = stage_with(CIRCLE)
    if "answer_within_us" in changes and changes["answer_within_us"] > HOUR_US:
        stage.now_us = START_US + 10**15
    refused = start(stage, **changes)
    assert (type(refused), refused.reason) == (m.ClearingRefused, reason)
    idle(stage)


def test_answers_that_come_twice_late_or_from_others_are_refused() -> None:
    stage = stage_with(CIRCLE)
    start(stage)
    assert start(stage).reason == "COMMAND_REPEATED" and start(stage, "c2").reason == "STATE_WRONG"
    stage.run(5)
    assert answer(stage, "dan").reason == "ACCOUNT_UNKNOWN"
    answer(stage, "ann")
    assert answer(stage, "ann", name="twice").reason == "COMMAND_REPEATED"
    stage.now_us = run_of(stage).expires_at_us
    assert answer(stage, "bob").reason == "DEADLINE_PASSED"
    stage.run(5)
    assert answer(stage, "bob", name="after").reason == "STATE_WRONG"
    idle(stage)


def end_trade(stage: Stage, name: str, deal: Deal, party: str) -> Any:
    low, high = sorted(deal[:2])
    return stage.command(m.EndBilateral(f"e-{name}-{party}", low, party, ids.trade_id(name, low, high), "done", "key"))


def test_two_end_a_trade_by_both_words_and_none_while_a_run_holds_it() -> None:
    stage = stage_with(CIRCLE)
    first = CIRCLE[0]
    assert end_trade(stage, "UTI-0", first, "cat").reason == "STATE_WRONG"
    assert end_trade(stage, "UTI-0", first, "bob").state == TERMINATING
    assert end_trade(stage, "UTI-0", first, "bob").reason == "STATE_WRONG"
    start(stage)
    stage.run(5)
    assert "compression" in end_trade(stage, "UTI-0", first, "ann").detail
    answer(stage, "cat", accepted=False)
    stage.run(5)
    assert end_trade(stage, "UTI-0", first, "ann").state == TERMINATED
    assert end_trade(stage, "UTI-0", first, "ann").reason == "STATE_WRONG"
    assert len(open_trades(stage)) == 3
    idle(stage)


def delist(stage: Stage) -> None:
    held = stage.tables.reference.instruments[PERP]
    stage.tables.reference.instruments[PERP] = replace(held, tradable=False)
    fact = m.ContractFact("gone", "DELISTING", PERP, stage.now_us, stage.now_us, "desk", 100 * E8)
    for number in range(PARTITIONS):
        stage.give(number, m.TakeContractFact(fact))


def test_trades_end_with_their_contract_and_held_ones_once_the_run_is_decided() -> None:
    for accepted in (True, False):
        stage = stage_with(CIRCLE)
        start(stage)
        stage.run(5)
        delist(stage)
        assert len(open_trades(stage)) == 4, "what a run has stated waits for it"
        if accepted:
            accept_all(stage)
        else:
            answer(stage, "bob", accepted=False)
        stage.run(5)
        assert open_trades(stage) == {}
        assert run_of(stage).state == ("COMPRESSED" if accepted else "DECLINED")
        idle(stage)
    alone = stage_with(CIRCLE)
    delist(alone)
    assert open_trades(alone) == {}
    idle(alone)


def test_an_option_carries_no_cost_since_its_premium_is_paid_when_it_is_traded() -> None:
    stage = stage_with([("ann", "bob", 2, 100), ("bob", "ann", 1, 130)], instrument_id=CALL)
    assert [one.cost_e8 for one in open_trades(stage).values()] == [0, 0]
    start(stage, instrument_id=CALL)
    stage.run(5)
    accept_all(stage)
    [left] = open_trades(stage).values()
    assert (left.buyer_id, left.quantity_e8, left.price_e8, run_of(stage).payments) == ("ann", E8, 0, ())
    idle(stage)


def test_what_both_keep_bilateral_needs_no_margin_and_what_differs_is_shown() -> None:
    stage = Stage()
    told = view("U", CIRCLE[0])
    stage.command(m.TellTrade("1", "ann", "ann", told, "key"))
    differs = stage.command(m.TellTrade("2", "ann", "bob", replace(told, clearing="HOUSE"), "key"))
    assert (differs.state, differs.differences) == (
        "MISMATCHED", (m.TradeDifference("clearing", "BILATERAL", "HOUSE"),),
    )  # fmt: skip
    agreed = stage.command(m.TellTrade("3", "ann", "bob", told, "key"))
    assert (agreed.state, agreed.legs, agreed.bilateral.origin) == ("AFFIRMED", (), "BILATERAL")
    assert stage.of("ann").state.trades == {}
    wrong = stage.command(m.TellTrade("4", "ann", "ann", view("V", CIRCLE[0], clearing="LATER"), "key"))
    assert "clearing" in wrong.detail
    [shown] = accounts(stage.of("ann").state)["ann"]["bilateral"]
    assert (shown["buyer_id"], shown["kind"], shown["leaving"]) == ("ann", "BILATERAL", "")


@pytest.mark.parametrize(
    ("changes", "reason", "kept"),
    [
        ({"seller_id": "nobody"}, "ACCOUNT_UNKNOWN", False),
        ({"instrument_id": "nothing"}, "NOT_A_CONTRACT", False),
        ({"price_e8": -1}, "PRICE_NOT_POSITIVE", False),
        ({}, "", True),
    ],
)
def test_what_the_house_refuses_stays_bilateral_where_it_is_known(
    changes: dict[str, Any], reason: str, kept: bool
) -> None:
    """Without a mark the house refuses; the trade is in the register with its reason."""
    stage = Stage()
    deal = ("ann", changes.get("seller_id", "bob"), 5, 100)
    told = replace(view("U", CIRCLE[0], clearing="HOUSE"), **changes)
    answer: Any = None
    for party in deal[:2]:
        answer = stage.command(m.TellTrade(f"{party}", "ann", party, told, "key"))
    assert answer.state == "REFUSED" and (not reason or answer.reason == reason)
    assert (answer.bilateral is not None) == kept == bool(open_trades(stage))
    if kept:
        assert answer.bilateral.origin == "REFUSED"


deals = st.lists(
    st.tuples(st.sampled_from(MEMBERS), st.sampled_from(MEMBERS), st.integers(1, 9), st.integers(90, 130)).filter(
        lambda deal: deal[0] != deal[1]
    ),
    max_size=9,
)


@settings(max_examples=25, deadline=None)
@given(deals, st.integers(0, 2**32), st.booleans())
def test_whatever_is_lost_doubled_or_killed_it_is_all_or_nothing(drawn: list[Deal], seed: int, declines: bool) -> None:
    chance = random.Random(seed)
    stage = stage_with(drawn)
    before = open_trades(stage)
    start(stage)
    for _ in range(60):
        while stage.wire:
            index = chance.randrange(len(stage.wire))
            if chance.random() < 0.2:
                stage.wire.append(stage.wire[index])
            if chance.random() < 0.1:
                at = stage.partitions[stage.wire[index][0].partition]
                stage.deliver(index, act=False)
                at.restart()
                stage.collect()
            elif chance.random() < 0.1:
                stage.wire.pop(index)
            else:
                stage.deliver(index)
        known = run_of(stage)
        if known.state == "PROPOSED":
            for party in known.participants:
                answer(stage, party, accepted=not declines)
                if declines:
                    break
        stage.tick(7)
        if known.state not in ("GATHERING", "PROPOSED") and stage.done():
            break
    stage.run(60)
    after, done = open_trades(stage), run_of(stage)
    paid = Counter({one.account_id: one.amount_e8 for one in done.payments})
    if done.state == "COMPRESSED":
        right = {who: (net[0], net[1] + paid[who]) for who, net in nets(before.values()).items()}
        assert nets(after.values()) == {who: net for who, net in right.items() if net != (0, 0)}
        assert len(after) < len(before)
    else:
        assert after == before
    idle(stage)
