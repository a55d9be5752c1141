"""Facts at their edges: the moment itself, the oldest sample that counts, moves between contracts that differ."""

from typing import Any

import pytest
from msgspec.structs import replace

from services.clearing.booking.contracts import ContractRefused
from services.clearing.booking.facts import AHEAD_MAX_US
from tests.unit.contract_desk import E8, EXPIRY_US, HOUR_US, START_US, Desk, future, instrument, option, terms
from tests.unit.desk import some_meta
from tests.unit.test_liquidation_properties import BTC, Room
from truetape import messages as m

PERP, NEW, FUT = "BTC-USDT-PERP", "BTC-USDT-PERP-NEW", "BTC-USDT-20231115"
CALL, PUT = "BTC-USDT-20231115-60000-C", "BTC-USDT-20231115-60000-P"
AGE_US = 60_000_000


@pytest.mark.parametrize(("age_us", "kind"), [(AGE_US, m.ContractFactTaken), (AGE_US + 1, m.ClearingRefused)])
def test_the_oldest_sample_that_counts(age_us: int, kind: type) -> None:
    desk = Desk(instrument(PERP, terms(mark_max_age_us=AGE_US)))
    at_us = desk.now_us + 1
    [answer] = desk.fact("SETTLEMENT_PRICE", PERP, 60_000 * E8, effective_at_us=at_us, observed_at_us=at_us - age_us)
    assert isinstance(answer, kind)


@pytest.mark.parametrize(("early_us", "reason"), [(0, ""), (1, "NOT_YET_EXPIRED")])
def test_a_contract_expires_at_its_moment_and_not_before(early_us: int, reason: str) -> None:
    desk = Desk(instrument(FUT, future()))
    desk.now_us = EXPIRY_US - 2 - early_us
    [answer] = desk.fact("EXPIRY", FUT, 60_000 * E8, effective_at_us=EXPIRY_US, observed_at_us=EXPIRY_US)
    assert answer.meta.decided_at_us == EXPIRY_US - early_us
    assert getattr(answer, "reason", "") == reason


@pytest.mark.parametrize(("late_us", "reason"), [(0, ""), (1, "OUT_OF_ORDER")])
@pytest.mark.parametrize("kind", ["SETTLEMENT_PRICE", "FUNDING"])
def test_a_fact_of_another_day_is_a_slip_and_bars_none_that_comes_in_its_time(
    kind: Any, late_us: int, reason: str
) -> None:
    """A year too late once was taken, and every settlement price and funding step of a year was refused after it."""
    desk = Desk(instrument(PERP, terms()))
    desk.fact(kind, PERP, 60_000 * E8, numbers={"rate_e18": 0, "elapsed_us": 1})
    at_us = desk.now_us + 2 + AHEAD_MAX_US + late_us
    [answer] = desk.fact(
        kind, PERP, 60_000 * E8, numbers={"rate_e18": 0, "elapsed_us": 1}, effective_at_us=at_us, observed_at_us=at_us
    )
    assert answer.meta.decided_at_us == at_us - AHEAD_MAX_US - late_us
    assert getattr(answer, "reason", "") == reason


@pytest.mark.parametrize(
    ("style", "asset", "reason"), [("LINEAR", "USDT", ""), ("INVERSE", "BTC", "PRICE_OUT_OF_RANGE")]
)
@pytest.mark.parametrize("right", ["CALL", "PUT"])
def test_an_underlying_without_worth_ends_a_linear_option_and_no_inverse_one(
    style: str, asset: str, reason: str, right: str
) -> None:
    """What divides by the price is refused before it ends the contract: every holder was parked by it once."""
    name = f"BTC-USD-20231115-60000-{right[0]}"
    desk = Desk(instrument(name, option(right, 60_000, style=style, settlement_asset=asset)))
    desk.pair("ann", "bob", 1, 1, name)
    desk.now_us = EXPIRY_US
    answer, *ends = desk.fact("EXPIRY", name, 0, effective_at_us=EXPIRY_US, observed_at_us=EXPIRY_US)
    assert (getattr(answer, "reason", ""), len(ends)) == (reason, 0 if reason else 2)
    desk.check()


@pytest.mark.parametrize(
    ("until", "hours", "reason"),
    [
        (3, 1, ""),
        (2.5, 0.5, ""),
        (3, 1.5, "OUT_OF_ORDER"),    # it begins before the gap: half an hour would be charged twice
        (3.5, 1, "OUT_OF_ORDER"),    # it reaches beyond it
        (3.5, 2, "OUT_OF_ORDER"),    # both
        (1.5, 0.25, "OUT_OF_ORDER"),  # it lies before it
    ],
)  # fmt: skip
def test_a_late_funding_step_lies_within_its_gap(until: float, hours: float, reason: str) -> None:
    """There are steps for the second and the fourth hour, and the third is missing."""
    desk = Desk(instrument(PERP, terms()))

    def step(until: float, hours: float) -> Any:
        at_us = START_US + int(until * HOUR_US)
        desk.now_us = max(desk.now_us, at_us)
        numbers = {"rate_e18": 10**15, "elapsed_us": int(hours * HOUR_US)}
        [answer] = desk.fact("FUNDING", PERP, 60_000 * E8, effective_at_us=at_us, observed_at_us=at_us, numbers=numbers)
        return answer

    step(2, 1)
    step(4, 1)
    assert getattr(step(until, hours), "reason", "") == reason
    left = [] if (until, hours) == (3, 1) else [(2, 3)] if reason else [(2.5, 3)]
    assert desk.state.contracts[PERP].gaps == [
        (START_US + int(a * HOUR_US), START_US + int(b * HOUR_US)) for a, b in left
    ]


def test_a_fill_of_the_moment_of_expiry_counts() -> None:
    desk = Desk(instrument(FUT, future()))
    assert isinstance(desk.fill("ann", "BUY", 1, 60_000, FUT, transacted_at_us=EXPIRY_US), m.EntryBooked)


@pytest.mark.parametrize(("late_us", "reason"), [(0, ""), (1, "CONTRACT_EXPIRED")])
def test_a_trade_with_the_house_of_the_moment_of_expiry_counts(late_us: int, reason: str) -> None:
    desk = Desk(instrument(FUT, future()))
    answer = desk.trade("ann", "BUY", 1, 60_000, FUT, transacted_at_us=EXPIRY_US + late_us)
    assert getattr(answer, "reason", "") == reason


def test_a_second_settlement_price_of_one_moment_is_refused() -> None:
    desk = Desk(instrument(PERP, terms()))
    at_us = desk.now_us
    for price, reason in ((60_000, ""), (61_000, "OUT_OF_ORDER")):
        [answer] = desk.fact("SETTLEMENT_PRICE", PERP, price * E8, effective_at_us=at_us, observed_at_us=at_us)
        assert getattr(answer, "reason", "") == reason


@pytest.mark.parametrize(
    ("kind", "multiplier_e8", "ratio", "per", "reason"),
    [
        ("CONTRACT_SIZE", E8 // 1_000, 10, 1, ""),
        ("CONTRACT_SIZE", E8 // 1_000, 9, 1, "TERMS_DIFFER"),   # the new ones would be worth less
        ("CONTRACT_SIZE", E8 // 1_000, 11, 1, "TERMS_DIFFER"),  # and here more
        ("CONTRACT_SIZE", E8 // 1_000, 0, 1, "NUMBERS_WRONG"),
        ("CONTRACT_SIZE", E8 // 1_000, 10, -1, "NUMBERS_WRONG"),
        ("RENAME", E8 // 100, 1, 1, ""),
        ("RENAME", E8 // 1_000, 10, 1, "NUMBERS_WRONG"),        # that is another size
    ],
)  # fmt: skip
def test_a_move_keeps_what_is_held_worth_the_same(
    kind: Any, multiplier_e8: int, ratio: int, per: int, reason: str
) -> None:
    desk = Desk(instrument(PERP, terms(), tradable=False), instrument(NEW, terms(multiplier_e8=multiplier_e8)))
    numbers, names = {"ratio": ratio, "ratio_per": per}, {"new_instrument_id": NEW}
    [answer] = desk.fact(kind, PERP, 60_000 * E8, numbers=numbers, ids=names)
    assert getattr(answer, "reason", "") == reason


@pytest.mark.parametrize(
    ("new", "differs"),
    [
        (option("CALL", 60_000), ""),
        (option("PUT", 60_000), "option_type"),
        (option("CALL", 60_000, expires_at_us=EXPIRY_US + HOUR_US), "expires_at_us"),
        (option("CALL", 60_000, settlement_asset="USDC"), "settlement_asset"),
        (option("CALL", 60_000, style="INVERSE"), "style"),
        (future(multiplier_e8=E8), "kind, option_type"),
    ],
)
def test_a_move_leads_to_a_contract_of_the_same_kind(new: m.ContractTerms, differs: str) -> None:
    """A call does not become a put, and nobody gets a longer life by another name."""
    desk = Desk(instrument(CALL, option("CALL", 60_000), tradable=False), instrument(PUT, new))
    [answer] = desk.fact("RENAME", CALL, 500 * E8, ids={"new_instrument_id": PUT})
    assert getattr(answer, "reason", "") == ("TERMS_DIFFER" if differs else "")
    assert getattr(answer, "detail", "").endswith(f"another {differs}" if differs else "")


@pytest.mark.parametrize(("held", "moved"), [(9, 3), (10, None)])
def test_options_that_make_no_number_of_new_ones_are_left_to_an_operator(held: int, moved: int | None) -> None:
    """Three old calls make a new one. A future's odd rest ends at the price; of an option nobody agreed on one."""
    new, three = f"{CALL}-NEW", replace(option("CALL", 60_000), multiplier_e8=3 * E8)
    desk = Desk(instrument(CALL, option("CALL", 60_000), tradable=False), instrument(new, three))
    desk.pair("ann", "bob", held, 2_000, CALL)
    numbers, names = {"ratio": 1, "ratio_per": 3}, {"new_instrument_id": new}
    if moved is None:
        with pytest.raises(ContractRefused, match="10 options are no whole number of new ones"):
            desk.fact("CONTRACT_SIZE", CALL, 2_000 * E8, numbers=numbers, ids=names)
        return
    desk.fact("CONTRACT_SIZE", CALL, 2_000 * E8, numbers=numbers, ids=names)
    assert desk.position("ann", new).quantity_e8 == moved * E8 == -desk.position("bob", new).quantity_e8
    assert desk.position("ann", CALL).quantity_e8 == 0


@pytest.mark.parametrize(("short_e8", "called"), [(0, False), (1, True), (900, True)])
def test_the_glance_overlooks_nobody_who_is_short_by_a_unit(short_e8: int, called: bool) -> None:
    """It is a pass in floats; whoever may be short is looked at in integers."""
    room = Room()
    room.reference.call_terms["ann"] = m.CallTerms(1, 1, E8, 1)
    room.give(
        m.BookTrade("t", "ann", "t", BTC, "BUY", E8, 60_000 * E8, "TAKER", room.now_us, "t", ""), "clearing.commands"
    )
    moved = m.TransferTerms("x", "ann", "USDT", 60 * E8 - short_e8, "bank:settlement", "1")
    room.give(m.TransferApproved(some_meta(), moved), "orders.decisions")
    room.tick()
    assert bool(room.state.watch.calls) is called
