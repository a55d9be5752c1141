"""Trades of two: capture, mismatch, time-out; novation, give-up and allocation leave the house flat, to the unit."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.otc import affirmation, novation
from services.clearing.otc.affirmation import FIRST, OTHER, TRANSITIONS, Trade, capture, end, home_id, trade_id
from services.clearing.otc.novation import Leg, allocate, give_up, novate
from tests.unit.desk import LAW, START_US
from truetape import ids
from truetape.contracts import Contract
from truetape.errors import MoneyError
from truetape.messages import TradeDifference, TradeTerms
from truetape.money import to_e8
from truetape.transitions import CLOCK, HOUSE, NotLegal

TERMS = TradeTerms("UTI-1", "ann", "bob", "BTC-PERP", to_e8("2"), to_e8("60000"), "2026-11-26")
TIMEOUT_US = 600_000_000


def alleged() -> Trade:
    return capture(None, TERMS, "ann", START_US, TIMEOUT_US)


def affirmed() -> Trade:
    return capture(alleged(), TERMS, "bob", START_US + 1, TIMEOUT_US)


LEGAL = {
    ("ALLEGED", "affirm", OTHER): "AFFIRMED", ("ALLEGED", "affirm", FIRST): "AFFIRMED",
    ("MISMATCHED", "affirm", OTHER): "AFFIRMED", ("MISMATCHED", "affirm", FIRST): "AFFIRMED",
    ("ALLEGED", "contradict", OTHER): "MISMATCHED", ("ALLEGED", "contradict", FIRST): "MISMATCHED",
    ("MISMATCHED", "contradict", OTHER): "MISMATCHED", ("MISMATCHED", "contradict", FIRST): "MISMATCHED",
    ("ALLEGED", "amend", FIRST): "ALLEGED",
    ("ALLEGED", "withdraw", FIRST): "WITHDRAWN", ("MISMATCHED", "withdraw", FIRST): "WITHDRAWN",
    ("ALLEGED", "reject", OTHER): "REJECTED", ("MISMATCHED", "reject", OTHER): "REJECTED",
    ("ALLEGED", "pass_deadline", CLOCK): "EXPIRED", ("MISMATCHED", "pass_deadline", CLOCK): "EXPIRED",
    ("AFFIRMED", "pass_deadline", CLOCK): "EXPIRED",
    ("AFFIRMED", "novate", HOUSE): "NOVATED", ("AFFIRMED", "refuse", HOUSE): "REFUSED",
}  # fmt: skip


def test_the_table_of_a_trade_allows_exactly_what_is_listed() -> None:
    for state, action, actor in product(TRANSITIONS.states, TRANSITIONS.actions, (FIRST, OTHER, HOUSE, CLOCK)):
        if (state, action, actor) in LEGAL:
            assert TRANSITIONS.after(state, action, actor) == LEGAL[state, action, actor]
        else:
            with pytest.raises(NotLegal):
                TRANSITIONS.after(state, action, actor)
    assert TRANSITIONS.terminal == {"NOVATED", "REFUSED", "REJECTED", "WITHDRAWN", "EXPIRED"}


def test_one_side_alleges_and_the_same_words_affirm() -> None:
    trade = alleged()
    assert (trade.state, trade.first_id, trade.expires_at_us) == ("ALLEGED", "ann", START_US + TIMEOUT_US)
    assert (affirmed().state, affirmed().actor, affirmed().differences) == ("AFFIRMED", "bob", ())
    assert affirmed().trade_id == trade_id(replace(TERMS, buyer_id="bob", seller_id="ann"))
    assert home_id(TERMS) == "ann" == home_id(replace(TERMS, buyer_id="bob", seller_id="ann"))


def test_a_mismatch_is_shown_field_by_field_and_can_be_mended() -> None:
    seen = replace(TERMS, price_e8=to_e8("60001"), quantity_e8=to_e8("3"), traded_on="2026-11-25")
    trade = capture(alleged(), seen, "bob", START_US, TIMEOUT_US)
    assert trade.state == "MISMATCHED"
    assert trade.differences == (
        TradeDifference("quantity_e8", "200000000", "300000000"),
        TradeDifference("price_e8", "6000000000000", "6000100000000"),
        TradeDifference("traded_on", "2026-11-26", "2026-11-25"),
    )
    still = capture(trade, replace(TERMS, price_e8=1), "bob", START_US, TIMEOUT_US)
    assert [one.field for one in still.differences] == ["price_e8"]
    assert capture(still, TERMS, "bob", START_US, TIMEOUT_US).state == "AFFIRMED"
    assert capture(trade, seen, "ann", START_US, TIMEOUT_US).terms == seen, "the first party may give in too"


def test_both_saying_buyer_is_a_mismatch_of_the_sides() -> None:
    trade = capture(alleged(), replace(TERMS, buyer_id="bob", seller_id="ann"), "bob", START_US, TIMEOUT_US)
    assert [one.field for one in trade.differences] == ["buyer_id", "seller_id"]


def test_the_first_party_alone_affirms_nothing() -> None:
    assert capture(alleged(), TERMS, "ann", START_US, TIMEOUT_US).state == "ALLEGED"
    amended = capture(alleged(), replace(TERMS, price_e8=5), "ann", START_US, TIMEOUT_US)
    assert (amended.state, amended.terms.price_e8) == ("ALLEGED", 5)


def test_time_runs_out_at_its_microsecond() -> None:
    trade = alleged()
    assert not affirmation.expired(trade, trade.expires_at_us - 1)
    with pytest.raises(NotLegal, match="has time"):
        end(trade, "pass_deadline", CLOCK, trade.expires_at_us - 1)
    assert affirmation.expired(trade, trade.expires_at_us)
    over = end(trade, "pass_deadline", CLOCK, trade.expires_at_us)
    assert over.state == "EXPIRED"
    with pytest.raises(NotLegal, match="is possible in"):
        capture(over, TERMS, "bob", START_US, TIMEOUT_US)


def test_who_may_end_it() -> None:
    assert end(alleged(), "withdraw", "ann", START_US, "typo").detail == "typo"
    assert end(alleged(), "reject", "bob", START_US).state == "REJECTED"
    for action, who in (("withdraw", "bob"), ("reject", "ann"), ("novate", "ann"), ("affirm", "bob")):
        with pytest.raises(NotLegal):
            end(alleged(), action, who, START_US)
    with pytest.raises(NotLegal, match="cleo is no party"):
        end(alleged(), "reject", "cleo", START_US)
    assert end(affirmed(), "refuse", HOUSE, START_US, "over limit").state == "REFUSED"


@pytest.mark.parametrize(
    ("changes", "party", "field"),
    [
        ({"reference": ""}, "ann", "reference"),
        ({}, "cleo", "buyer_id, seller_id"),
        ({"seller_id": "ann"}, "ann", "nobody trades with himself"),
        ({"quantity_e8": 0}, "ann", "quantity"),
        ({"quantity_e8": -5}, "bob", "quantity"),
    ],
)
def test_terms_that_no_trade_can_have_are_refused_by_field(changes: dict[str, object], party: str, field: str) -> None:
    with pytest.raises(NotLegal, match=field):
        capture(None, replace(TERMS, **changes), party, START_US, TIMEOUT_US)


# -- splits ------------------------------------------------------------------------------------------------------------


def test_novation_closes_one_trade_and_opens_two_with_the_house() -> None:
    split = novate(TERMS)
    buyer, seller = split.opens
    assert (buyer.account_id, buyer.quantity_e8, buyer.cost_e8) == ("ann", to_e8("2"), to_e8("120000"))
    assert (seller.account_id, seller.quantity_e8, seller.cost_e8) == ("bob", to_e8("-2"), to_e8("-120000"))
    assert len({trade_id(TERMS), buyer.leg_id, seller.leg_id}) == 3
    assert {buyer.trade_id, seller.trade_id} == {trade_id(TERMS)} and split.closes == ()
    assert novation.sums(split.booked()) == {"BTC-PERP": (0, 0)}
    assert novate(TERMS) == split, "deciding again gives the same ids"


def test_a_negative_price_is_a_price() -> None:
    buyer, seller = novate(replace(TERMS, price_e8=to_e8("-37.63"))).opens
    assert (buyer.cost_e8, seller.cost_e8) == (to_e8("-75.26"), to_e8("75.26"))


def test_a_trade_beyond_64_bits_is_refused_by_name() -> None:
    with pytest.raises(MoneyError, match="beyond 64 bits"):
        novate(replace(TERMS, quantity_e8=2**62, price_e8=2**62))


def test_a_trade_costs_what_its_contract_says() -> None:
    """10 000 000 USD of an inverse contract are 166 BTC: a number that fits, unlike quantity times price."""
    traded = replace(TERMS, quantity_e8=to_e8("1000000"), price_e8=to_e8("60000"))
    buyer, seller = novate(traded, Contract("INVERSE", to_e8("10"))).opens
    assert (buyer.cost_e8, seller.cost_e8) == (-16_666_666_667, 16_666_666_667)


def test_a_give_up_moves_the_leg_at_its_cost() -> None:
    leg = novate(TERMS).opens[0]
    split = give_up(leg, "cleo")
    closed, opened = split.booked()
    assert (closed.account_id, closed.quantity_e8, closed.cost_e8) == ("ann", -leg.quantity_e8, -leg.cost_e8)
    assert (opened.account_id, opened.quantity_e8, opened.cost_e8) == ("cleo", leg.quantity_e8, leg.cost_e8)
    assert closed.leg_id != leg.leg_id != opened.leg_id


def test_a_block_is_allocated_at_one_average_price() -> None:
    block = Leg("L", "T", "desk", "BTC-PERP", -10, -101)
    split = allocate(block, [("amy", 3), ("ben", 3), ("cat", 4)])
    assert [(leg.account_id, leg.quantity_e8, leg.cost_e8) for leg in split.opens] == [
        ("amy", -3, -30), ("ben", -3, -30), ("cat", -4, -41),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([], "gets something"),
        ([("amy", 10), ("ben", 0)], "gets something"),
        ([("amy", 11), ("ben", -1)], "gets something"),
        ([("amy", 5), ("amy", 5)], "once"),
        ([("amy", 9)], "sum to 9, and the leg has 10"),
    ],
)
def test_an_allocation_that_does_not_add_up_is_refused(shares: list[tuple[str, int]], words: str) -> None:
    with pytest.raises(NotLegal, match=words):
        allocate(Leg("L", "T", "desk", "X", 10, 100), shares)


def test_what_is_not_booked_is_found_after_a_crash() -> None:
    split = give_up(novate(TERMS).opens[0], "cleo")
    every = [leg.leg_id for leg in split.booked()]
    assert [leg.leg_id for leg in novation.missing(split, every[:1])] == every[1:]
    assert novation.missing(split, every) == []


legs = st.builds(
    Leg, st.just("L"), st.just("T"), st.just("desk"), st.just("X"),
    st.integers(1, 10**15) | st.integers(-(10**15), -1), st.integers(-(10**18), 10**18),
)  # fmt: skip


@LAW
@given(legs, st.lists(st.integers(1, 1_000), min_size=1, max_size=8))
def test_allocation_preserves_contracts_and_cost(leg: Leg, weights: list[int]) -> None:
    whole = abs(leg.quantity_e8)
    cut = [whole * weight // sum(weights) for weight in weights]
    cut[0] += whole - sum(cut)
    shares = [(f"a{number}", quantity) for number, quantity in enumerate(cut) if quantity]
    split = allocate(leg, shares)
    assert sum(one.quantity_e8 for one in split.opens) == leg.quantity_e8
    assert sum(one.cost_e8 for one in split.opens) == leg.cost_e8
    assert novation.sums(split.booked()) == {"X": (0, 0)}
    assert all(one.leg_id == ids.leg_id("L", one.account_id) for one in split.opens)
