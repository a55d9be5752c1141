"""Trades of two in the real ledger: told, refused, timed out; reserved by risk and novated across two partitions, and
killed at every step."""

from typing import Any

import pytest
from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.books import accounts
from services.clearing.otc import bilateral
from services.clearing.otc.bilateral import AFFIRM_WITHIN_US
from tests.unit.contract_desk import E8, instrument, terms
from tests.unit.otc_desk import TRADE, OtcDesk, World, mark, tell
from truetape import ids
from truetape import messages as m
from truetape.service import Tick
from truetape.topics import PARTITIONS


def desk(**changes: Any) -> OtcDesk:
    return OtcDesk(**changes)


# -- one partition -----------------------------------------------------------------------------------------------------


def test_two_equal_views_are_novated_in_one_record_once_both_have_reserved_margin() -> None:
    made = desk()
    alleged = made.command(tell("bob"))
    assert (alleged.state, alleged.first_id, alleged.legs) == ("ALLEGED", "bob", ())
    affirmed = made.command(tell("ann"))
    assert (affirmed.state, affirmed.actor, affirmed.account_id) == ("AFFIRMED", "ann", "ann")
    novated = made.newest(m.TradeChanged)
    assert (novated.state, novated.actor, novated.account_id) == ("NOVATED", "house", "ann")
    assert novated.legs == affirmed.legs
    assert [(leg.account_id, leg.side, leg.quantity_e8, leg.price_e8) for leg in novated.legs] == [
        ("ann", "BUY", 3 * E8, 60_000 * E8), ("bob", "SELL", 3 * E8, 60_000 * E8),
    ]  # fmt: skip
    assert len({novated.trade_id, *(leg.leg_id for leg in novated.legs)}) == 3, "one closed, two open"
    told = [type(one).__name__ for one in made.events if not isinstance(one, m.EntryBooked)]
    assert told.index("LegAnswered") < len(told) - told[::-1].index("TradeChanged")
    states = [one.state for one in made.events if isinstance(one, m.LegChanged)]
    assert sorted(states) == ["RESERVED", "RESERVED", "RESERVING", "RESERVING"]
    assert made.state.trades == {} and novated.trade_id in made.state.traded.ids
    assert [made.position(who, "BTC-USDT-PERP").quantity_e8 for who in ("ann", "bob")] == [3 * E8, -3 * E8]
    assert [made.leg(who).quantity_e8 for who in ("ann", "bob")] == [3 * E8, -3 * E8]
    assert "has ended" in made.command(tell("ann")).detail
    made.check()


def test_whoever_is_waited_for_is_named() -> None:
    made = desk()
    made.command(tell("bob"))
    [told] = accounts(made.state)["ann"]["trades"]
    assert told["waits_for"] == ["ann"], "bob has told it, ann has not"
    assert told["parties"] == ["ann", "bob"]
    made.held_back.add("TellLeg")
    made.command(tell("ann"))
    [shown] = accounts(made.state)["ann"]["trades"]
    assert (shown["state"], shown["stage"], shown["waits_for"]) == ("AFFIRMED", "ASKING", ["ann", "bob"])
    assert {one["state"] for one in accounts(made.state)["bob"]["asked"].values()} == {"RESERVED"}


def test_a_leg_that_is_asked_for_twice_is_booked_once_and_confirmed_again() -> None:
    made = desk()
    made.trade_of_two()
    entries = [one for one in made.events if isinstance(one, m.EntryBooked) and one.contract is not None]
    assert [one.external_reference for one in entries] == ["UTI-1", "UTI-1"]
    novated = made.newest(m.TradeChanged)
    for sent in bilateral.commands_after(made.state, novated):
        again = made.command(sent.command)
        assert again.reason == "COMMAND_REPEATED"
        told = pursuit.told_home(again)
        assert told is not None and told.account_id == "ann"
    assert [one for one in made.events if isinstance(one, m.EntryBooked) and one.contract is not None] == entries
    made.check()


#            who   has USDT   outcome          reason                    what risk saw
MARGIN = """
             bob   10000      NOVATED          -                         -
             bob   180        NOVATED          -                         -
             bob   179        REFUSED          INSUFFICIENT_FUNDS        available_e8 17900000000, needed_e8 18000000000
             ann   0          REFUSED          INSUFFICIENT_FUNDS        available_e8 0, needed_e8 18000000000
"""


@pytest.mark.parametrize("row", MARGIN.strip().splitlines())
def test_margin_is_asked_of_both_before_the_house_steps_between(row: str) -> None:
    """3 contracts of 0.01 BTC at 60 000 are 1 800 USDT; a tenth of it is initial margin."""
    who, has, outcome, reason, *words = row.split()
    made = desk(funds={})
    for account_id in ("ann", "bob"):
        if usdt := int(has) if account_id == who else 1_000:
            made.fund(account_id, {"USDT": usdt * E8})
    ended = made.trade_of_two()
    assert (ended.state, ended.reason or "-") == (outcome, reason)
    entries = [one for one in made.events if isinstance(one, m.EntryBooked) and one.contract is not None]
    assert len(entries) == (2 if outcome == "NOVATED" else 0), "no leg is booked unless both have said yes"
    if outcome == "REFUSED":
        assert ended.detail == f"account {who}: {reason}", "the other side learns the reason, not the account's numbers"
        refused = next(one for one in made.events if isinstance(one, m.LegChanged) and one.state == "REFUSED")
        assert refused.account_id == who and " ".join(words) in refused.detail
        assert [one.state for one in made.events if isinstance(one, m.LegChanged)].count("RELEASED") == 1
    made.check()


def test_a_reserved_leg_counts_against_orders_and_against_other_legs() -> None:
    made = desk(funds={"USDT": 300 * E8})
    made.held_back.add("TellLeg")
    made.trade_of_two()
    assert made.risk.accounts["ann"].reservations.keys() == {made.newest(m.TradeChanged).legs[0].leg_id}
    order = m.OrderTerms(
        ids.order_id("ann", "1"), "ann", "1", "BTC-USDT-PERP", "BUY", "LIMIT", "GTC", False, 3 * E8, 60_000 * E8
    )
    refused = made.decide_risk(m.SubmitOrder(order, "k", made.now_us))
    assert isinstance(refused, m.OrderRejected) and refused.reason == "INSUFFICIENT_FUNDS"
    withdrawal = m.TransferTerms("w" * 32, "ann", "USDT", -200 * E8, "bank:settlement", "w")
    assert made.decide_risk(m.RequestTransfer(withdrawal, "k", made.now_us)).reason == "INSUFFICIENT_FUNDS"
    cancelled = made.decide_risk(
        m.CancelAllOrders(command_id="c", account_id="ann", key_id="k", received_at_us=made.now_us)
    )
    assert cancelled.order_ids == (), "a leg is no order: no cancel of all takes it away"
    made.held_back.clear()
    second = made.trade_of_two("UTI-2")
    assert (second.state, second.reason) == ("REFUSED", "INSUFFICIENT_FUNDS")
    made.tick(made.now_us + pursuit.ASK_AGAIN_US)
    assert [one.state for one in made.events if isinstance(one, m.TradeChanged)][-1] == "NOVATED"
    made.check()


def test_what_is_reserved_is_let_go_when_time_runs_out() -> None:
    made = desk()
    made.held_back.add("TellLeg")
    affirmed = made.trade_of_two()
    assert affirmed.state == "AFFIRMED"
    made.held_back.clear()
    ended = made.tick(affirmed.expires_at_us)
    assert (ended.state, ended.reason, len(ended.legs)) == ("EXPIRED", "DEADLINE_PASSED", 2)
    assert made.state.trades == {}
    late = bilateral.commands_after(made.state, affirmed)[0]
    assert made.command(late.command).state == "RELEASED", "a late request finds that it was let go"
    made.check()


def test_an_older_word_is_no_answer_to_a_release() -> None:
    """That a leg was reserved comes after the trade was refused, and the command that lets it go was lost."""
    made = desk()
    made.held_back.update(("TellLeg", "ReleaseLeg"))
    affirmed = made.trade_of_two()
    made.tick(affirmed.expires_at_us)
    made.held_back.clear()
    for leg in affirmed.legs:
        name = f"tell:{leg.leg_id}:RESERVED"
        late = m.TellLeg(name, "ann", affirmed.trade_id, leg.leg_id, leg.account_id, "RESERVED", "", "")
        assert made.command(late) is None, "it holds margin still: the home goes on asking"
    made.tick(made.now_us + pursuit.ASK_AGAIN_US)
    assert made.state.trades == {}
    made.check()


def test_only_what_was_reserved_with_the_same_terms_is_booked() -> None:
    """Planted: a home that books without asking, and one that books something else than was reserved."""
    made = desk()
    made.held_back.add("TellLeg")
    affirmed = made.trade_of_two()
    book = m.BookTrade(
        "x", "ann", affirmed.legs[0].leg_id, "BTC-USDT-PERP", "BUY", 3 * E8, 60_000 * E8, "TAKER", made.now_us,
        f"NOVATION:{affirmed.trade_id}:ann", "UTI-1",
    )  # fmt: skip
    for wrong, words in (
        (replace(book, trade_id="f" * 32), "is not reserved"),
        (replace(book, quantity_e8=4 * E8), "with other terms"),
        (replace(book, price_e8=E8), "with other terms"),
        (replace(book, requested_by="desk", event="GIVE_UP", cost_e8=1), "only the home"),
    ):
        refused = made.command(wrong)
        assert isinstance(refused, m.ClearingRefused) and words in refused.detail
    assert isinstance(made.command(book), m.EntryBooked)


def test_a_leg_decided_before_its_contract_ended_is_booked_and_ends_with_it() -> None:
    made = desk()
    made.held_back.add("BookTrade")
    novated = made.trade_of_two()
    assert novated.state == "NOVATED"
    made.reference.instruments["BTC-USDT-PERP"] = instrument("BTC-USDT-PERP", terms(), tradable=False)
    made.fact("DELISTING", "BTC-USDT-PERP", 61_000 * E8)
    made.held_back.clear()
    made.tick(made.now_us + pursuit.ASK_AGAIN_US)
    assert [made.position(who, "BTC-USDT-PERP").quantity_e8 for who in ("ann", "bob")] == [0, 0]
    assert [made.cash(f"client:{who}") // E8 for who in ("ann", "bob")] == [100_030, 99_970]
    assert made.state.legs.open == {"ann": {}, "bob": {}}
    made.check()


def test_a_mismatch_is_shown_and_mended() -> None:
    made = desk()
    made.command(tell("ann"))
    seen = made.command(tell("bob", price_e8=60_001 * E8))
    assert seen.state == "MISMATCHED"
    assert seen.differences == (m.TradeDifference("price_e8", "6000000000000", "6000100000000"),)
    made.command(tell("bob", 2))
    assert made.newest(m.TradeChanged).state == "NOVATED"
    made.check()


REFUSED = [
    ({"seller_id": "zoe"}, "ACCOUNT_UNKNOWN", "account zoe is not open"),
    ({"instrument_id": "BTC-USDT"}, "NOT_A_CONTRACT", "no contract of the reference data"),
    ({"quantity_e8": E8 // 2}, "QUANTITY_OFF_LOT", "no multiple"),
    ({"price_e8": 0}, "PRICE_NOT_POSITIVE", "price must be above zero"),
    ({"price_e8": 67_000 * E8}, "PRICE_OUTSIDE_COLLAR", "outside the collar"),
    ({"quantity_e8": 10**5 * E8}, "NOTIONAL_ABOVE_LIMIT", "above the limit of ann"),
    ({"instrument_id": "ETH-USDT-20261225", "price_e8": E8}, "MARK_MISSING", "no mark that is fresh enough"),
]


@pytest.mark.parametrize(("changes", "reason", "words"), REFUSED, ids=[reason for _, reason, _ in REFUSED])
def test_the_house_does_not_step_between_where_a_limit_forbids_it(
    changes: dict[str, Any], reason: str, words: str
) -> None:
    made = desk()
    made.reference.limits["*"] = replace(made.reference.limits["*"], max_order_notional_e8=10**6 * E8)
    view = replace(TRADE, **changes)
    made.command(tell(view.buyer_id, **changes))
    refused = made.command(tell(view.seller_id, **changes))
    assert (refused.state, refused.reason, refused.legs) == ("REFUSED", reason, ()) and words in refused.detail
    assert made.state.trades == {} and view.reference == "UTI-1"
    made.check()


def test_a_halted_party_and_an_ended_contract_are_refused() -> None:
    made = desk()
    made.reference.trading_states["bob"] = "REDUCING"
    made.command(tell("ann"))
    assert "account bob may not trade now" in made.command(tell("bob")).detail
    gone = desk()
    gone.reference.instruments["BTC-USDT-PERP"] = instrument("BTC-USDT-PERP", terms(), tradable=False)
    gone.command(tell("ann"))
    assert "not traded any more" in gone.command(tell("bob")).detail


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (replace(tell("ann"), account_id="bob"), "the home of this trade is ann"),
        (tell("cat"), "neither buyer nor seller"),
        (tell("ann", quantity_e8=0), "quantity"),
        (m.EndTrade("e", "ann", "ann", "0" * 32, "WITHDRAW", "?", "key"), "is not open"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_makes_no_sense_is_refused_by_name(command: Any, words: str) -> None:
    answer = desk().command(command)
    assert isinstance(answer, m.ClearingRefused) and words in answer.detail


def test_a_side_withdraws_or_rejects_and_a_third_does_neither() -> None:
    for action, who, other, state in (
        ("WITHDRAW", "ann", "bob", "WITHDRAWN"), ("REJECT", "bob", "ann", "REJECTED"),
    ):  # fmt: skip
        made = desk()
        trade_id = made.command(tell("ann")).trade_id
        for wrong in (other, "cat"):
            command = m.EndTrade("e", "ann", wrong, trade_id, action, "typo", "key")  # type: ignore[arg-type]
            assert isinstance(made.command(command), m.ClearingRefused)
        ended = made.command(m.EndTrade("f", "ann", who, trade_id, action, "typo", "key"))  # type: ignore[arg-type]
        assert (ended.state, ended.detail) == (state, "typo")
        made.check()


def test_time_runs_out_by_the_clock_alone() -> None:
    made = desk()
    made.command(tell("ann"))
    expires_at_us = made.events[-1].expires_at_us
    assert expires_at_us == made.now_us + AFFIRM_WITHIN_US
    made.now_us = expires_at_us - 2
    assert made.take(Tick(made.now_us), m.Cause("timer", 0, -1, "1")) is None
    ended = made.take(Tick(made.now_us), m.Cause("timer", 0, -1, "2"))
    assert (ended.state, ended.actor) == ("EXPIRED", "clock")
    made.check()


@pytest.mark.parametrize(("early_us", "said"), [(2, "AFFIRMED"), (1, "DEADLINE_PASSED"), (-(10**9), "DEADLINE_PASSED")])
@pytest.mark.parametrize("view", [{}, {"price_e8": 60_001 * E8}])
def test_nobody_affirms_a_trade_whose_time_is_over_though_the_clock_has_not_said_so(
    early_us: int, said: str, view: dict[str, Any]
) -> None:
    """The partition was away when time ran out: the first one may have traded elsewhere since."""
    made = desk()
    expires_at_us = made.command(tell("ann")).expires_at_us
    made.now_us = expires_at_us - early_us
    made.tables.marks.newest["BTC-USDT-PERP"] = mark(60_000, made.now_us)
    answer = made.command(tell("bob", **view))
    if said == "DEADLINE_PASSED":
        assert (answer.reason, answer.command) == (said, "TellTrade")
        assert made.take(Tick(made.now_us), m.Cause("timer", 0, -1, "1")).state == "EXPIRED"
    else:
        assert answer.state == ("MISMATCHED" if view else said)
    made.check()


# -- eight partitions, killed ------------------------------------------------------------------------------------------

BUYER, SELLER = "ann", "bob"


def told(world: World) -> World:
    assert ids.partition_of(BUYER, PARTITIONS) != ids.partition_of(SELLER, PARTITIONS)
    world.send(tell(SELLER))
    world.send(tell(BUYER))
    return world


def novated(world: World) -> None:
    """The trade is novated once, and both legs are booked once."""
    world.check()
    home = list(world.tape(BUYER))
    assert sum(isinstance(one, m.TradeChanged) and one.state == "NOVATED" for one in home) == 1
    assert [one.left for one in home if isinstance(one, m.LegConfirmed)] == [1, 0]
    for who, quantity_e8 in ((BUYER, 3 * E8), (SELLER, -3 * E8)):
        [entry] = world.legs(who)
        assert entry.position is not None and entry.position.quantity_e8 == quantity_e8


@pytest.mark.parametrize("turns", range(0, 24, 2))
def test_killed_at_every_step_both_legs_are_booked_once(turns: int) -> None:
    world = told(World(turns, BUYER, SELLER))
    for _ in range(turns):
        world.turn()
    world.start("clearing" if turns % 3 else "risk")
    world.run(40)
    novated(world)


@pytest.mark.parametrize("lost", [1, 2, 3, 5, 6])
def test_commands_that_are_lost_are_asked_for_again(lost: int) -> None:
    world = World(50 + lost, BUYER, SELLER)
    world.lose = lost
    told(world).run(90)
    novated(world)
    again = [one for one in world.tape(BUYER) if isinstance(one, m.LegsAskedAgain)]
    assert again and all(1 <= one.attempt <= len(again) for one in again)


@pytest.mark.parametrize("turns", range(0, 24, 2))
def test_killed_at_every_step_a_trade_without_margin_leaves_nothing(turns: int) -> None:
    world = told(World(100 + turns, BUYER, SELLER, funds={"USDT": 100 * E8}))
    for _ in range(turns):
        world.turn()
    world.start("risk" if turns % 3 else "clearing")
    world.run(40)
    world.check()
    ended = [one for one in world.tape(BUYER) if isinstance(one, m.TradeChanged)][-1]
    assert (ended.state, ended.reason) == ("REFUSED", "INSUFFICIENT_FUNDS")
    assert world.legs(BUYER) == world.legs(SELLER) == []


def test_a_leg_that_nobody_confirms_is_asked_for_ever_more_rarely() -> None:
    made = desk()
    made.held_back.add("BookTrade")
    made.trade_of_two()
    [known] = made.state.trades.values()
    gaps: list[int] = []
    for _ in range(12):
        before_us = known.asked_at_us
        asked = made.tick(before_us + (pursuit.ASK_AGAIN_US << min(len(gaps), pursuit.DOUBLED_MAX)))
        assert isinstance(asked, m.LegsAskedAgain) and asked.attempt == len(gaps) + 1
        gaps.append((known.asked_at_us - before_us) // 1_000_000)
    assert gaps == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 2560, 2560]
    assert len(bilateral.commands_left(made.state)) == 2
