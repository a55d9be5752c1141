"""Give-ups, allocations and compression in the real ledger and risk: accepted, declined, timed out, short of margin;
killed at every step over partitions."""

import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.books import accounts
from services.clearing.otc import moves, novation
from services.clearing.otc.moves import GIVER, RECEIVER, TRANSITIONS
from tests.unit.contract_desk import E8, instrument, terms
from tests.unit.desk import LAW
from tests.unit.otc_desk import CALL, OtcDesk, World, mark, tell
from truetape import ids
from truetape import messages as m
from truetape.service import Input
from truetape.topics import PARTITIONS
from truetape.transitions import CLOCK, HOUSE, NotLegal

PERP = "BTC-USDT-PERP"


def traded(**changes: Any) -> OtcDesk:
    """ann has bought from bob: 3 contracts at 60 000 unless said otherwise."""
    made = OtcDesk(**{name: changes.pop(name) for name in ("funds", "fees") if name in changes})
    assert made.trade_of_two(**changes).state == "NOVATED"
    return made


def shares(text: str) -> tuple[m.LegShare, ...]:
    """ "cat 1, dan 2" """
    parts = (part.split() for part in text.split(","))
    return tuple(m.LegShare(name, int(float(quantity) * E8)) for name, quantity in parts)


def move(made: OtcDesk, text: str, kind: str = "ALLOCATION", number: int = 1, giver: str = "ann") -> m.MoveLeg:
    leg_id = next(iter(made.state.legs.open.get(giver, {})), "none")
    return m.MoveLeg(f"m-{number}", giver, leg_id, kind, shares(text), "BLOCK-1", "key")


def accept(made: OtcDesk, who: str, accepted: bool = True) -> Any:
    [leg_id] = [one for one, known in made.state.legs.asked.items() if known.account_id == who]
    return made.command(m.AnswerLeg(f"a-{who}", who, leg_id, accepted, "" if accepted else "not mine", "key"))


def cells(row: str) -> list[str]:
    """Cells of a row, two spaces or more apart."""
    return re.split(r" {2,}", row.strip())


def positions(made: OtcDesk, name: str = PERP) -> dict[str, tuple[int, int]]:
    """Contracts and cost of every account that has any."""
    found = {who: account.positions.get(name) for who, account in made.state.accounts.items()}
    return {who: (one.quantity_e8, one.cost_e8) for who, one in found.items() if one is not None and one.quantity_e8}


LEGAL = {
    ("ASKED", "move", HOUSE): "MOVED", ("ASKED", "decline", RECEIVER): "DECLINED",
    ("ASKED", "refuse", HOUSE): "REFUSED", ("ASKED", "withdraw", GIVER): "WITHDRAWN",
    ("ASKED", "pass_deadline", CLOCK): "EXPIRED",
}  # fmt: skip


def test_the_table_of_a_move_allows_exactly_what_is_listed() -> None:
    for state, action, actor in product(TRANSITIONS.states, TRANSITIONS.actions, (GIVER, RECEIVER, HOUSE, CLOCK)):
        if (state, action, actor) in LEGAL:
            assert TRANSITIONS.after(state, action, actor) == LEGAL[state, action, actor]
        else:
            with pytest.raises(NotLegal):
                TRANSITIONS.after(state, action, actor)


def test_a_give_up_moves_the_whole_leg_at_its_cost_and_without_a_fee() -> None:
    made = traded(fees=m.Fees(0, 10**5))
    fees_e8, money_e8 = made.cash("house:fees"), made.cash("client:cat")
    asked = made.command(move(made, "cat 3", "GIVE_UP"))
    assert (asked.state, asked.actor, [leg.account_id for leg in asked.legs]) == ("ASKED", "ann", ["ann", "cat"])
    assert accounts(made.state)["ann"]["trades"][0]["waits_for"] == ["cat"], "ann herself has answered"
    accept(made, "cat")
    assert made.newest(m.MoveChanged).state == "MOVED"
    assert positions(made) == {"bob": (-3 * E8, -1_800 * E8), "cat": (3 * E8, 1_800 * E8)}
    assert (made.cash("house:fees"), made.cash("client:cat")) == (fees_e8, money_e8)
    events = [one.contract.event for one in made.events if isinstance(one, m.EntryBooked) and one.contract is not None]
    assert events == ["TRADE", "TRADE", "GIVE_UP", "TAKE_UP"]
    assert made.state.legs.open["ann"] == {} and made.leg("cat").trade_id == asked.move_id
    made.check()


def test_an_allocation_gives_everybody_the_same_average_price_to_the_unit() -> None:
    made = traded(instrument_id="BTC-USD-INV", quantity_e8=1_001 * E8, price_e8=59_999 * E8)
    whole = made.leg("ann")
    made.command(move(made, "cat 334, dan 333, ann 334"))
    accept(made, "cat")
    accept(made, "dan")
    assert made.newest(m.MoveChanged).state == "MOVED"
    held = positions(made, "BTC-USD-INV")
    mine = {who: held[who] for who in ("ann", "cat", "dan")}
    assert {who: quantity_e8 // E8 for who, (quantity_e8, _) in mine.items()} == {"cat": 334, "dan": 333, "ann": 334}
    assert sum(cost_e8 for _, cost_e8 in mine.values()) == whole.cost_e8 == -held["bob"][1]
    assert mine["cat"][1] - mine["ann"][1] in (-1, 0, 1)
    made.check()


@pytest.mark.parametrize("right", [1_999, 2_001])
def test_an_option_moves_with_its_premium(right: int) -> None:
    made = traded(instrument_id=CALL.instrument_id, quantity_e8=E8, price_e8=right * E8)
    before = {who: made.cash(f"client:{who}") for who in ("ann", "cat")}
    made.command(move(made, "cat 1", "GIVE_UP"))
    accept(made, "cat")
    moved = {who: made.cash(f"client:{who}") - before[who] for who in before}
    assert moved == {"ann": right * E8, "cat": -right * E8}, "ann has back what she paid, and cat has paid it"
    made.check()


#           who moves  kind        to               outcome
WRONG = """
            ann        GIVE_UP     zoe 3            ACCOUNT_UNKNOWN  zoe is not open
            ann        GIVE_UP     ann 3            NUMBERS_WRONG    one other account
            ann        GIVE_UP     cat 1,dan 2      NUMBERS_WRONG    one other account
            ann        ALLOCATION  cat 1,dan 1      NUMBERS_WRONG    sum to 200000000, and the leg has 300000000
            ann        ALLOCATION  cat 2,cat 1      NUMBERS_WRONG    once
            ann        ALLOCATION  cat 0,dan 3      NUMBERS_WRONG    everybody|gets something
            ann        ALLOCATION  cat 0.5,dan 2.5  NUMBERS_WRONG    multiple
            ann        SALE        cat 3            UNSUPPORTED      GIVE_UP or ALLOCATION
            cat        GIVE_UP     ann 3            ENTRY_UNKNOWN    has no open leg
"""


@pytest.mark.parametrize("row", WRONG.strip().splitlines())
def test_what_makes_no_sense_is_refused_by_name(row: str) -> None:
    made = traded()
    who, kind, to, reason, words = cells(row)
    refused = made.command(replace(move(made, to, kind, giver="ann"), account_id=who))
    assert isinstance(refused, m.ClearingRefused) and refused.reason == reason
    assert any(word in refused.detail for word in words.split("|"))
    made.check()


#            what happens            outcome    reason              to let go
ENDS = """
             cat declines            DECLINED   DECLINED
             cat is short            REFUSED    INSUFFICIENT_FUNDS
             cat is halted           REFUSED    TRADING_HALTED
             ann withdraws           WITHDRAWN  -
             nobody answers          EXPIRED    DEADLINE_PASSED
"""


@pytest.mark.parametrize("row", ENDS.strip().splitlines())
def test_one_that_does_not_take_it_stops_all_of_it(row: str) -> None:
    """Whole or nothing: dan has accepted, and gets nothing."""
    made = traded()
    before = positions(made)
    who, what, *rest = row.split()
    if "short" in rest:
        made.approve(_withdrawn(made, "cat"))
    asked = made.command(move(made, "cat 1, dan 2"))
    accept(made, "dan")
    assert [one.state for one in made.state.legs.asked.values()].count("RESERVED") == 2
    match who, what:
        case "ann", "withdraws":
            made.command(m.EndMove("e", "ann", asked.move_id, "typo", "key"))
        case "nobody", _:
            made.tick(asked.expires_at_us)
        case _:
            if "halted" in rest:
                made.reference.trading_states["cat"] = "HALTED"
            accept(made, "cat", what != "declines")
    outcome, reason = rest[-2:]
    ended = made.newest(m.MoveChanged)
    assert (ended.state, ended.reason or "-") == (outcome, reason)
    assert positions(made) == before and made.leg("ann").quantity_e8 == 3 * E8
    made.check()
    made.reference.trading_states.clear()
    made.fund("cat", {"USDT": 100_000 * E8})
    made.tables.marks.newest[PERP] = mark(60_000, made.now_us)
    made.command(move(made, "cat 3", "GIVE_UP", 2))
    accept(made, "cat")
    assert made.newest(m.MoveChanged).state == "MOVED", "what did not move can be moved later"
    made.check()


def _withdrawn(made: OtcDesk, who: str) -> m.TransferApproved:
    asked = m.TransferTerms("f" * 32, who, "USDT", -100_000 * E8, "bank:settlement", "w")
    approved = made.decide_risk(m.RequestTransfer(asked, "k", made.now_us))
    assert isinstance(approved, m.TransferApproved)
    return approved


def test_who_has_agreed_beforehand_is_not_asked() -> None:
    made = traded()
    made.command(m.AgreeMoves("g", "cat", "ann", True, "key"))
    made.command(move(made, "cat 3", "GIVE_UP"))
    assert made.newest(m.MoveChanged).state == "MOVED"
    made.command(m.AgreeMoves("h", "cat", "ann", False, "key"))
    made.command(replace(move(made, "ann 3", "GIVE_UP", 2, giver="cat"), account_id="cat"))
    assert [one.state for one in made.state.legs.asked.values() if one.account_id == "ann"] == ["OFFERED"], (
        "ann has not"
    )


def test_a_leg_moves_once_at_a_time_and_is_not_taken_back_meanwhile() -> None:
    made = traded()
    entry = next(
        one for one in made.events if isinstance(one, m.EntryBooked) and one.entry_id == made.leg("ann").leg_id
    )
    made.command(move(made, "cat 3", "GIVE_UP"))
    again = made.command(move(made, "dan 3", "GIVE_UP", 2))
    assert again.reason == "STATE_WRONG" and "is being moved" in again.detail
    assert "withdraw that first" in made.bust(entry).detail
    accept(made, "cat")
    assert "was moved or compressed" in made.bust(entry).detail
    made.check()


def test_an_offer_is_answered_once_by_its_own_account_in_time() -> None:
    made = traded()
    asked = made.command(move(made, "cat 3", "GIVE_UP"))
    offered = asked.legs[1].leg_id
    for who, at_us, words in (("dan", 0, "not offered to dan"), ("cat", asked.expires_at_us, "time is over")):
        made.now_us = max(made.now_us, at_us)
        refused = made.command(m.AnswerLeg("a", who, offered, True, "", "key"))
        assert isinstance(refused, m.ClearingRefused) and words in refused.detail


@pytest.mark.parametrize(("early_us", "state"), [(1, None), (0, "EXPIRED"), (-1, "EXPIRED")])
def test_a_move_ends_at_its_deadline(early_us: int, state: str | None) -> None:
    made = traded()
    asked = made.command(move(made, "cat 3", "GIVE_UP"))
    cause = m.Cause("timer", 0, -1, "1")
    given_ = Input(None, cause, asked.expires_at_us - early_us, "clearing.entries", 1, 9, made.tables)
    found = moves.expire(given_, made.state.moves[asked.move_id])
    assert (found.state if found is not None else None) == state


def test_a_leg_that_is_gone_when_the_last_one_has_reserved_does_not_move() -> None:
    """Its contract may end in between, and its legs with it."""
    made = traded()
    asked = made.command(move(made, "cat 3", "GIVE_UP"))
    known = made.state.moves[asked.move_id]
    [last] = [leg for leg in known.legs if leg.account_id == "cat"]
    known.waiting = {last.leg_id: last}
    told = m.TellLeg("c-1", "ann", asked.move_id, last.leg_id, "cat", "RESERVED", "", "")
    cause = m.Cause("clearing.commands", 0, 1, "1")
    given_ = Input(told, cause, made.now_us, "clearing.entries", 1, 9, made.tables)
    moved = moves.tell(made.state, given_, known, told)
    assert isinstance(moved, m.MoveChanged) and moved.state == "MOVED"
    del made.state.legs.open["ann"]
    refused = moves.tell(made.state, given_, known, told)
    assert isinstance(refused, m.MoveChanged) and (refused.state, refused.reason) == ("REFUSED", "LEG_UNKNOWN")


def test_what_moved_is_settled_for_its_new_holder() -> None:
    """ann bought at 60 000, and it stands at 61 000 when cat takes it up: the profit of 30 is cat's, ann has none."""
    made = traded()
    made.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    assert made.cash("client:ann") == 100_030 * E8
    made.command(move(made, "cat 3", "GIVE_UP"))
    accept(made, "cat")
    made.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    assert [made.cash(f"client:{who}") // E8 for who in ("ann", "bob", "cat")] == [100_000, 99_970, 100_030]
    made.check()


@LAW
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=3), st.sampled_from(["BTC-USDT-PERP", "BTC-USD-INV"]),
    st.integers(59_000, 61_000),
)  # fmt: skip
def test_no_unit_is_made_or_lost(parts: list[int], name: str, price: int) -> None:
    """Contracts and cost over all accounts are zero before and after, whoever gets how much."""
    funds = {"USDT": 10**7 * E8, "BTC": 10**4 * E8}
    made = traded(instrument_id=name, quantity_e8=sum(parts) * E8, price_e8=price * E8, funds=funds)
    names = ("cat", "dan", "ann")[: len(parts)]
    for who in names[:2]:
        made.command(m.AgreeMoves(f"g-{who}", who, "ann", True, "key"))
    text = ", ".join(f"{who} {part}" for who, part in zip(names, parts, strict=True))
    made.command(move(made, text))
    assert made.newest(m.MoveChanged).state == "MOVED"
    held = [account.positions[name] for account in made.state.accounts.values() if name in account.positions]
    assert sum(one.quantity_e8 for one in held) == 0
    assert sum(one.cost_e8 - one.realised_e8 for one in held) == 0, "average cost may turn a unit of cost into profit"
    legs = [leg for opened in made.state.legs.open.values() for leg in opened.values()]
    assert sum(leg.cost_e8 for leg in legs) == sum(leg.quantity_e8 for leg in legs) == 0
    made.check()


# -- planted faults ----------------------------------------------------------------------------------------------------


def test_a_move_that_is_booked_before_all_have_said_yes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the home moves the leg at the first answer."""

    def hasty(state: Any, given: Any, known: Any, command: Any) -> Any:
        if known.stage == "ASKING":
            return moves._after(given, known, "move", HOUSE, known.legs)
        return real(state, given, known, command)

    real = moves.tell
    monkeypatch.setattr(moves, "tell", hasty)
    made = traded()
    made.command(move(made, "cat 1, dan 2"))
    assert made.newest(m.MoveChanged).state == "MOVED"
    refused = [one for one in made.events if isinstance(one, m.ClearingRefused)]
    assert refused and all("is not reserved" in one.detail for one in refused), "no partition books what it did not say"


def test_a_cost_that_is_cut_wrongly_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: each share's cost is rounded by itself."""
    monkeypatch.setattr(novation, "apportion", lambda total, weights: [total * one // sum(weights) for one in weights])
    made = traded(instrument_id="BTC-USD-INV", quantity_e8=1_001 * E8, price_e8=59_999 * E8)
    with pytest.raises(AssertionError, match="the house is flat"):
        made.command(move(made, "cat 334, dan 333, ann 334"))


# -- over partitions, killed -------------------------------------------------------------------------------------------


def moved(world: World, accounts_of: tuple[str, ...]) -> None:
    """ann's leg went to cat and dan, whole."""
    world.check()
    held = {who: sum(one.contract.quantity_e8 for one in world.legs(who) if one.contract) for who in accounts_of}
    assert held == {"ann": 0, "bob": -3 * E8, "cat": E8, "dan": 2 * E8}


def prepared(world: World) -> None:
    """ann has a leg of 3, and cat and dan take what she gives."""
    agreed = (m.AgreeMoves(f"g-{who}", who, "ann", True, "k") for who in ("cat", "dan"))
    for command in (tell("ann"), tell("bob"), *agreed):
        world.send(command)
    world.run(5)


@pytest.mark.parametrize("turns", range(0, 28, 2))
def test_killed_at_every_step_a_leg_moves_whole(turns: int) -> None:
    names = ("ann", "bob", "cat", "dan")
    assert len({ids.partition_of(name, PARTITIONS) for name in names}) > 2
    world = World(200 + turns, *names)
    prepared(world)
    [leg_id] = world.state("ann").legs.open["ann"]
    world.send(m.MoveLeg("m", "ann", leg_id, "ALLOCATION", shares("cat 1, dan 2"), "B", "k"))
    for _ in range(turns):
        world.turn()
    world.start("risk" if turns % 3 == 0 else "clearing")
    world.run(30)
    moved(world, names)


def test_a_move_that_loses_commands_is_asked_for_again() -> None:
    names = ("ann", "bob", "cat", "dan")
    world = World(300, *names)
    prepared(world)
    world.lose = 4
    [leg_id] = world.state("ann").legs.open["ann"]
    world.send(m.MoveLeg("m", "ann", leg_id, "ALLOCATION", shares("cat 1, dan 2"), "B", "k"))
    world.run(45)
    moved(world, names)


# -- compression -------------------------------------------------------------------------------------------------------


#             trades of ann with bob                      gross before and after, what is left, cost that ended
COMPRESSED = """
              BUY 3@60000; BUY 2@61000                    5 5   5@60400        0
              BUY 3@60000; SELL 2@61000                   5 1   1@60000        -20
              BUY 2@60000; SELL 3@61000                   5 1   -1@61000       -20
              BUY 3@60000; SELL 3@61000                   6 0   -              -30
              BUY 1@60000; SELL 1@60000; BUY 1@59000      3 1   1@59500        -5
"""


@pytest.mark.parametrize("row", COMPRESSED.strip().splitlines())
def test_open_legs_become_one_and_the_position_is_as_it_was(row: str) -> None:
    text, gross, left, ended = cells(row)
    trades, (before, after) = [part.split() for part in text.split(";")], gross.split()
    made = OtcDesk()
    for number, (side, what) in enumerate(trades):
        quantity, price = (int(part) for part in what.split("@"))
        buyer, seller = ("ann", "bob") if side == "BUY" else ("bob", "ann")
        changes = {"buyer_id": buyer, "seller_id": seller, "quantity_e8": quantity * E8, "price_e8": price * E8}
        assert made.trade_of_two(f"UTI-{number}", **changes).state == "NOVATED"
    held, money = positions(made), dict(made.state.balances)
    done = made.command(m.CompressLegs("c", "ann", PERP, "desk"))
    assert (done.gross_before_e8, done.gross_after_e8) == (int(before) * E8, int(after) * E8)
    shown = [f"{(1 if one.side == 'BUY' else -1) * one.quantity_e8 // E8}@{one.price_e8 // E8}" for one in done.left]
    assert shown == ([left] if left != "-" else []) and done.ended_cost_e8 == int(ended) * E8
    assert (positions(made), made.state.balances) == (held, money), "nothing but gross notional changed"
    assert len(made.state.legs.open["ann"]) == len(done.left)
    again = made.command(m.CompressLegs("d", "ann", PERP, "desk"))
    assert again.reason == "STATE_WRONG"
    made.check()


def test_a_compressed_leg_can_be_given_up() -> None:
    made = traded()
    made.trade_of_two("UTI-2", price_e8=61_001 * E8, quantity_e8=2 * E8)
    made.command(m.CompressLegs("c", "ann", PERP, "desk"))
    made.command(move(made, "cat 5", "GIVE_UP"))
    accept(made, "cat")
    assert positions(made)["cat"] == (5 * E8, 302_002 * E8 // 100)
    made.check()


def test_a_leg_that_is_about_to_move_is_left_out() -> None:
    made = traded()
    made.trade_of_two("UTI-2")
    made.command(move(made, "cat 3", "GIVE_UP"))
    assert made.command(m.CompressLegs("c", "ann", PERP, "desk")).reason == "STATE_WRONG"


def test_legs_of_a_contract_that_ended_are_gone() -> None:
    made = traded()
    made.reference.instruments[PERP] = instrument(PERP, terms(), tradable=False)
    made.fact("DELISTING", PERP, 60_000 * E8)
    assert made.state.legs.open == {"ann": {}, "bob": {}}
    made.check()
