"""Contracts in the ledger, from trade to the end: rows that a trader reads, each judged by both audits."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import truetape.audit
from services.clearing.booking.trades import ContractUnknown, TradeAfterExpiry
from services.reconciler.books import received
from services.reconciler.matching import effects, moved_by
from tests.unit.contract_desk import ACCOUNTS, E8, EXPIRY_US, HOUR_US, START_US, Desk, future, instrument, option, terms
from tests.unit.desk import some_meta
from tests.unit.test_audit import rules_of
from truetape import messages as m
from truetape.money import to_e8

PERP, FUT, CALL, PUT = "BTC-USDT-PERP", "BTC-USDT-20231115", "BTC-USDT-20231115-60000-C", "BTC-USDT-20231115-60000-P"
E18 = 10**18


def hour(rate: str = "0.0008") -> dict[str, int]:
    """A funding step of an hour at a rate per eight hours."""
    return {"rate_e18": round(float(rate) * 1e8) * 10**10, "elapsed_us": HOUR_US}


@pytest.mark.parametrize(
    ("trades", "quantity", "cost", "realised"),
    [
        #  trades in 0.01 BTC            open  cost   realised
        ([("BUY", 3, 60_000)], 3, 1_800, 0),
        ([("BUY", 3, 60_000), ("SELL", 1, 61_000)], 2, 1_200, 10),
        ([("BUY", 3, 60_000), ("SELL", 5, 61_000)], -2, -1_220, 30),
        ([("SELL", 2, 60_000), ("BUY", 2, 61_000)], 0, 0, -20),
        ([("SELL", 2, 60_000), ("SELL", 2, 62_000)], -4, -2_440, 0),
    ],
)
def test_average_cost(trades: list[Any], quantity: int, cost: int, realised: int) -> None:
    desk = Desk(instrument(PERP, terms()))
    for side, contracts, price in trades:
        desk.trade("ann", side, contracts, price, PERP)
    assert desk.position("ann", PERP) == m.Position(PERP, quantity * E8, cost * E8, realised * E8)
    assert desk.cash("client:ann") == 0, "a future moves no money when it is traded"
    desk.check()


def test_inverse_and_quanto_profit() -> None:
    inverse = instrument("BTC-USD-PERP", terms(style="INVERSE", settlement_asset="BTC", multiplier_e8=10 * E8))
    quanto = instrument("ETH-USD-PERP", terms(style="QUANTO", settlement_asset="BTC", multiplier_e8=100))
    desk = Desk(inverse, quanto)
    desk.pair("ann", "bob", 6_000, 60_000, "BTC-USD-PERP")  # 60 000 USD: 1 BTC long.
    desk.fact("SETTLEMENT_PRICE", "BTC-USD-PERP", 50_000 * E8)
    assert (desk.cash("client:ann", "BTC"), desk.cash("client:bob", "BTC")) == (-E8 // 5, E8 // 5)
    desk.pair("cat", "bob", 50, 3_000, "ETH-USD-PERP")
    desk.fact("SETTLEMENT_PRICE", "ETH-USD-PERP", 3_100 * E8)
    assert desk.cash("client:cat", "BTC") == 50 * 100 * 100
    desk.check()


def test_variation_margin_pays_profit_once_and_from_the_trade_on() -> None:
    desk = Desk(instrument(PERP, terms()))
    desk.pair("ann", "bob", 3, 60_000, PERP)
    first = desk.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    assert [type(event).__name__ for event in first] == ["ContractFactTaken", "EntryBooked", "EntryBooked"]
    assert first[1].entry_id == f"{first[0].fact.fact_id}/ann"
    assert first[1].contract.numbers["price_e8"] == 61_000 * E8
    assert (desk.cash("client:ann"), desk.cash("client:bob"), desk.cash("house:clearing")) == (30 * E8, -30 * E8, 0)
    desk.trade("ann", "SELL", 3, 60_500, PERP)
    desk.trade("cat", "BUY", 3, 60_500, PERP)
    desk.fact("SETTLEMENT_PRICE", PERP, 60_000 * E8)
    assert [desk.cash(f"client:{name}") // E8 for name in ACCOUNTS] == [15, 0, -15]
    assert desk.fact("SETTLEMENT_PRICE", PERP, 60_000 * E8)[0].due == ("bob", "cat"), "ann holds nothing and is paid"
    desk.check()


def test_a_venues_fill_moves_contracts_against_its_mirror() -> None:
    desk = Desk(instrument(PERP, terms()), fees=m.Fees(-10_000, 50_000))
    entry = desk.fill("ann", "BUY", 2, 60_000, PERP, fee_e8=E8 // 10)
    assert [(line.account, line.asset, line.amount_e8, line.purpose) for line in entry.lines] == [
        ("client:ann", PERP, 2 * E8, "principal"),
        ("venue:alpha", PERP, -2 * E8, "principal"),
        ("client:ann", "USDT", -E8 // 10, "venue_fee"),
        ("venue:alpha", "USDT", E8 // 10, "venue_fee"),
        ("client:ann", "USDT", -60_000_000, "house_fee"),
        ("house:fees", "USDT", 60_000_000, "house_fee"),
    ]
    rebate = desk.trade("ann", "SELL", 2, 60_000, PERP, liquidity="MAKER")
    assert rebate.lines[-1] == m.Line("house:fees", "USDT", -12_000_000, "house_fee")
    desk.check()


def test_the_reconciler_expects_of_a_venue_what_clearing_books_on_its_mirror() -> None:
    one = instrument(PERP, terms())
    desk = Desk(one)
    entry = desk.fill("ann", "SELL", 2, 60_000, PERP, fee_e8=7, quote_amount_e8=120_000 * E8)
    mirrored = received(line for line in entry.lines if line.account == "venue:alpha")
    assert mirrored == effects(desk.filled[entry.execution_id], moved_by(one)) == {PERP: -2 * E8, "USDT": -7}


# -- funding ----------------------------------------------------------------------------------------------------------


def test_funding_moves_an_index_and_touches_nobody() -> None:
    desk = Desk(instrument(PERP, terms()))
    desk.pair("ann", "bob", 3, 60_000, PERP)
    before = dict(desk.state.balances)
    events = desk.fact("FUNDING", PERP, 60_000 * E8, numbers=hour())
    assert len(events) == 1
    assert desk.state.balances == before
    assert events[0].funding_index_e18 == str(6 * E18 // 100), "0.01 BTC at 60 000, a hundredth of a percent"
    desk.trade("ann", "SELL", 1, 60_000, PERP)
    assert desk.cash("client:ann") == -18 * E8 // 100
    desk.fact("SETTLEMENT_PRICE", PERP, 60_000 * E8)
    assert (desk.cash("client:bob"), desk.cash("house:clearing")) == (18 * E8 // 100, 0)
    desk.check()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-100, 100), st.integers(1, 9)), min_size=1, max_size=6),
    st.lists(st.integers(1, 7), min_size=2, max_size=2),
)
def test_late_settlement_of_funding_is_early_settlement(steps: list[tuple[int, int]], sizes: list[int]) -> None:
    """Whoever is settled after every step pays what he pays who is settled once, but for a unit a settlement."""
    eager, lazy = (Desk(instrument(PERP, terms(multiplier_e8=333))) for _ in range(2))
    price = 60_001 * E8
    for desk in (eager, lazy):
        desk.pair("ann", "bob", sizes[0], 60_001, PERP)
        desk.pair("ann", "cat", sizes[1], 60_001, PERP)
    for rate, hours in steps:
        numbers = {"rate_e18": rate * 10**13 + 7, "elapsed_us": min(hours, 8) * HOUR_US}
        eager.fact("FUNDING", PERP, price, numbers=numbers)
        lazy.fact("FUNDING", PERP, price, numbers=numbers)
        eager.fact("SETTLEMENT_PRICE", PERP, price)
    lazy.fact("SETTLEMENT_PRICE", PERP, price)
    for account_id in ACCOUNTS:
        early, late = eager.cash(f"client:{account_id}"), lazy.cash(f"client:{account_id}")
        assert 0 <= late - early <= 2 * len(steps)
    for desk in (eager, lazy):
        clients = sum(desk.cash(f"client:{account_id}") for account_id in ACCOUNTS)
        assert clients + desk.cash("house:clearing") + desk.cash("house:rounding") == 0
        assert clients <= 0, "rounding never makes money for the clients"
        desk.check()


@pytest.mark.parametrize(
    ("kind", "name", "price", "changes", "reason"),
    [
        ("FUNDING", PERP, 60_000, {"numbers": hour("0.0101")}, "RATE_OUT_OF_RANGE"),
        ("FUNDING", PERP, 60_000, {"numbers": {"rate_e18": 1, "elapsed_us": 9 * HOUR_US}}, "RATE_OUT_OF_RANGE"),
        ("FUNDING", PERP, 60_000, {"numbers": {"rate_e18": 1}}, "NUMBERS_WRONG"),
        ("FUNDING", PERP, 60_000, {"numbers": hour(), "observed_at_us": 5}, "TOO_OLD"),
        ("FUNDING", PERP, None, {"numbers": hour()}, "PRICE_MISSING"),
        ("FUNDING", FUT, 60_000, {"numbers": hour()}, "UNSUPPORTED"),
        ("FUNDING", PERP, 0, {"numbers": hour()}, "PRICE_OUT_OF_RANGE"),
        ("SETTLEMENT_PRICE", PERP, -1, {}, "PRICE_OUT_OF_RANGE"),
        ("SETTLEMENT_PRICE", "DOGE-USDT-PERP", 1, {}, "INSTRUMENT_UNKNOWN"),
        ("SETTLEMENT_PRICE", CALL, 1, {}, "UNSUPPORTED"),
        ("EXPIRY", PERP, 60_000, {}, "UNSUPPORTED"),
        ("EXPIRY", FUT, 60_000, {}, "NUMBERS_WRONG"),
        ("EXPIRY", FUT, 60_000, {"effective_at_us": EXPIRY_US, "observed_at_us": EXPIRY_US}, "NOT_YET_EXPIRED"),
        ("DELISTING", PERP, 60_000, {}, "STATE_WRONG"),
        ("RENAME", PERP, 60_000, {"ids": {"new_instrument_id": "X-Y-Z"}}, "INSTRUMENT_UNKNOWN"),
        ("HAIRCUT", PERP, 60_000, {}, "UNSUPPORTED"),
    ],
)
def test_a_bad_fact_is_refused_by_name(kind: Any, name: str, price: int | None, changes: Any, reason: str) -> None:
    desk = Desk(instrument(PERP, terms()), instrument(FUT, future()), instrument(CALL, option("CALL", 60_000)))
    [answer] = desk.fact(kind, name, None if price is None else price * E8, **changes)
    assert isinstance(answer, m.ClearingRefused)
    assert (answer.reason, answer.command) == (reason, "TakeContractFact")
    assert desk.state.pending is None


def test_a_fact_counts_once_and_none_goes_back_in_time() -> None:
    desk = Desk(instrument(PERP, terms()))
    desk.pair("ann", "bob", 1, 60_000, PERP)
    [taken, *_] = desk.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    again = desk.command(m.TakeContractFact(taken.fact))
    assert again.reason == "COMMAND_REPEATED"
    older = msgspec.structs.replace(
        taken.fact, fact_id="older", effective_at_us=taken.fact.effective_at_us - 1,
        observed_at_us=taken.fact.effective_at_us - 1,
    )  # fmt: skip
    assert desk.command(m.TakeContractFact(older)).reason == "OUT_OF_ORDER"
    assert desk.cash("client:ann") == 10 * E8
    desk.check()


# -- the end ----------------------------------------------------------------------------------------------------------


def expire(desk: Desk, name: str, price: int) -> list[Any]:
    """Let time pass, and fix the price."""
    desk.now_us = max(desk.now_us, EXPIRY_US)
    return desk.fact("EXPIRY", name, price * E8, effective_at_us=EXPIRY_US, observed_at_us=EXPIRY_US)


def test_a_future_expires_in_cash_and_leaves_nothing() -> None:
    desk = Desk(instrument(FUT, future(settlement_fee_rate_e8=10_000)))
    desk.pair("ann", "bob", 2, 60_000, FUT)
    desk.fill("cat", "BUY", 1, 60_000, FUT)
    events = expire(desk, FUT, 61_000)
    assert events[0].due == ("ann", "bob", "cat", "")
    assert [event.contract.event for event in events[1:]] == ["EXPIRY"] * 4
    fee = 2 * 610 * E8 // 10_000
    assert (desk.cash("client:ann"), desk.cash("client:bob")) == (20 * E8 - fee, -20 * E8 - fee)
    assert not any(amounts.get(FUT) for amounts in desk.state.balances.values())
    assert expire(desk, FUT, 61_000)[0].reason == "CONTRACT_EXPIRED"
    desk.check()


@pytest.mark.parametrize(
    ("name", "right", "price", "ann", "events"),
    [
        #  strike 60 000, premium 500          buyer gets          what it is called
        (CALL, "CALL", 61_500, 1_500 - 500, ["EXERCISE", "ASSIGNMENT"]),
        (CALL, "CALL", 60_000, -500, ["EXPIRY", "EXPIRY"]),
        (PUT, "PUT", 58_000, 2_000 - 500, ["EXERCISE", "ASSIGNMENT"]),
        (PUT, "PUT", 61_000, -500, ["EXPIRY", "EXPIRY"]),
    ],
)
def test_options_are_exercised_in_the_money(name: str, right: Any, price: int, ann: int, events: list[str]) -> None:
    desk = Desk(instrument(name, option(right, 60_000)))
    desk.pair("ann", "bob", 1, 500, name)
    assert desk.cash("client:ann") == -500 * E8, "the premium is paid at once"
    ended = expire(desk, name, price)
    assert [event.contract.event for event in ended[1:]] == events
    assert (desk.cash("client:ann"), desk.cash("client:bob")) == (ann * E8, -ann * E8)
    assert desk.position("ann", name) == m.Position(name, 0, 0, ann * E8)
    desk.check()


def test_an_inverse_option_pays_in_its_underlying() -> None:
    name = "BTC-USD-20231115-50000-C"
    desk = Desk(instrument(name, option("CALL", 50_000, style="INVERSE", settlement_asset="BTC")))
    desk.trade("ann", "BUY", 1, 0, name, price_e8=E8 // 20)
    desk.trade("bob", "SELL", 1, 0, name, price_e8=E8 // 20)
    expire(desk, name, 60_000)
    assert desk.cash("client:ann", "BTC") == 10_000 * E8 // 60_000 - E8 // 20
    desk.check()


def test_an_inverse_option_delivers_its_underlying_for_the_strike() -> None:
    """Its multiplier is of the underlying; taken for the quote currency's, a sixty-thousandth changed hands once."""
    name = "BTC-USD-20231115-60000-C"
    terms_of = option("CALL", 60_000, style="INVERSE", settlement_asset="BTC", delivery="PHYSICAL")
    desk = Desk(instrument(name, terms_of))
    for account_id, asset, amount in (("ann", "USD", 120_000), ("bob", "BTC", 2)):
        deposit = m.TransferTerms(f"d-{account_id}", account_id, asset, amount * E8, "bank:one", f"w-{account_id}")
        desk.approve(m.TransferApproved(some_meta(), deposit))
    desk.trade("ann", "BUY", 2, 0, name, price_e8=1)
    desk.trade("bob", "SELL", 2, 0, name, price_e8=1)
    events = expire(desk, name, 90_000)
    assert [event.contract.event for event in events[1:]] == ["EXERCISE", "ASSIGNMENT"]
    assert (desk.cash("client:ann", "BTC"), desk.cash("client:ann", "USD")) == (2 * E8 - 2, 0)
    assert (desk.cash("client:bob", "BTC"), desk.cash("client:bob", "USD")) == (2, 120_000 * E8)
    desk.check()


@pytest.mark.parametrize(("price", "fee"), [(90_000, "0.0006"), (60_100, "0.00041597"), (60_000, "0")])
def test_an_inverse_option_pays_its_settlement_fee_on_the_underlying(price: int, fee: str) -> None:
    """0.03 % of two BTC, at most an eighth of what it pays."""
    name = "BTC-USD-20231115-60000-C"
    terms_of = option("CALL", 60_000, style="INVERSE", settlement_asset="BTC", settlement_fee_rate_e8=30_000)
    desk = Desk(instrument(name, terms_of))
    desk.trade("ann", "BUY", 2, 0, name, price_e8=E8 // 20)
    expire(desk, name, price)
    assert desk.cash("house:fees", "BTC") == to_e8(fee)
    desk.check()


@pytest.mark.parametrize(
    ("has_btc", "bob_event", "btc", "usdt"),
    [
        (True, "DELIVERY", 2_000_000, -1_220 + 20),  # ann: 0.02 BTC for 1 220, and 20 profit.
        (False, "EXPIRY", 2_000_000, -1_220 + 20),  # bob has nothing to deliver: the house does, and bob pays in cash.
    ],
)
def test_physical_delivery(has_btc: bool, bob_event: str, btc: int, usdt: int) -> None:
    desk = Desk(instrument(FUT, future(delivery="PHYSICAL")))
    for account_id, asset, amount in (("ann", "USDT", 5_000), ("bob", "BTC", 1 if has_btc else 0)):
        if amount:
            deposit = m.TransferTerms(f"d-{account_id}", account_id, asset, amount * E8, "bank:one", f"w-{account_id}")
            approved = m.TransferApproved(
                m.Meta(1, 1, m.Cause("orders.commands", 0, len(desk.events), ""), 1, "e", "t"), deposit
            )
            desk.approve(approved)
    desk.pair("ann", "bob", 2, 60_000, FUT)
    events = expire(desk, FUT, 61_000)
    assert [event.contract.event for event in events[1:]] == ["DELIVERY", bob_event]
    assert (desk.cash("client:ann", "BTC"), desk.cash("client:ann")) == (btc, (5_000 + usdt) * E8)
    if not has_btc:
        assert events[2].contract.numbers["short_e8"] == btc
        assert desk.cash("house:clearing", "BTC") == -btc, "what the house must buy in"
    desk.check()


@pytest.mark.parametrize(
    ("usdt", "fee_rate_e8", "event", "left"),
    [
        ("610", 0, "DELIVERY", "0"),  # 10 of it are the last loss: 600 are left, and that is what must be given.
        ("609.99999999", 0, "EXPIRY", "599.99999999"),
        ("610", E8 // 1000, "EXPIRY", "599.4"),
        ("610.6", E8 // 1000, "DELIVERY", "0"),
    ],
)
def test_the_last_loss_and_fee_come_before_what_can_be_delivered(
    usdt: str, fee_rate_e8: int, event: str, left: str
) -> None:
    """The loss that the same entry pays was not counted once, and the account ended below zero."""
    desk = Desk(instrument(FUT, future(delivery="PHYSICAL", settlement_fee_rate_e8=fee_rate_e8)))
    for account_id, asset, amount in (("ann", "USDT", usdt), ("bob", "BTC", "1")):
        desk.approve(
            m.TransferApproved(
                m.Meta(1, 1, m.Cause("orders.commands", 0, len(desk.events), ""), 1, "e", "t"),
                m.TransferTerms(f"d-{account_id}", account_id, asset, to_e8(amount), "bank:one", f"w-{account_id}"),
            )
        )
    desk.pair("ann", "bob", 1, 61_000, FUT)
    assert expire(desk, FUT, 60_000)[1].contract.event == event
    assert desk.cash("client:ann") == to_e8(left)
    desk.check()


def test_a_late_fill_from_before_the_end_ends_too_and_a_later_one_is_refused() -> None:
    desk = Desk(instrument(FUT, future()))
    desk.pair("ann", "bob", 1, 60_000, FUT)
    expire(desk, FUT, 61_000)
    entry = desk.fill("ann", "BUY", 1, 60_000, FUT, transacted_at_us=EXPIRY_US - 1)
    ended, mirror = desk.events[-2:]
    assert (entry.contract.event, ended.contract.event, mirror.contract.event) == ("TRADE", "EXPIRY", "EXPIRY")
    assert ended.entry_id.endswith(f"/ann/{entry.entry_id}")
    assert mirror.entry_id.endswith(f"//{entry.entry_id}")
    assert desk.cash("client:ann") == 20 * E8
    assert not any(assets.get(FUT) for assets in desk.state.balances.values()), "the venue's mirror ends too"
    desk.check()
    with pytest.raises(TradeAfterExpiry):
        desk.fill("ann", "BUY", 1, 60_000, FUT, transacted_at_us=EXPIRY_US + 1)


def test_a_late_fill_from_before_a_rename_moves_into_the_new_contract() -> None:
    new = instrument("BTC-USDT-PERP-2", terms())
    desk = Desk(instrument(PERP, terms(), tradable=False), new)
    desk.pair("ann", "bob", 1, 60_000, PERP)
    desk.fact("RENAME", PERP, 60_000 * E8, ids={"new_instrument_id": new.instrument_id})
    desk.fill("ann", "BUY", 2, 60_000, PERP)
    assert desk.position("ann", new.instrument_id).quantity_e8 == 3 * E8
    assert not any(assets.get(PERP) for assets in desk.state.balances.values())
    desk.check()


@pytest.mark.parametrize("late", ["fill", "trade"])
def test_a_late_trade_follows_its_contract_to_the_end_of_the_one_that_it_became(late: str) -> None:
    """Renamed, then expired, then a fill from before: it stayed once in a contract that nothing ends any more."""
    new = instrument(f"{FUT}-NEW", future())
    desk = Desk(instrument(FUT, future(), tradable=False), new)
    desk.pair("ann", "bob", 1, 60_000, FUT)
    desk.fact("RENAME", FUT, 60_000 * E8, ids={"new_instrument_id": new.instrument_id})
    expire(desk, new.instrument_id, 61_000)
    before = desk.cash("client:cat")
    desk.fill("cat", "BUY", 2, 60_500, FUT, transacted_at_us=EXPIRY_US - 1)
    if late == "trade":
        desk.fill("cat", "SELL", 1, 60_100, FUT, transacted_at_us=EXPIRY_US - 1)
    assert desk.state.pending is None
    assert not any(amounts.get(name) for amounts in desk.state.balances.values() for name in (FUT, new.instrument_id))
    assert desk.cash("client:cat") - before == (10 * E8 if late == "fill" else 10 * E8 - 9 * E8)
    desk.check()


def test_delisting_closes_at_its_price_and_every_rule_of_contracts_was_applied() -> None:
    desk = Desk(instrument(PERP, terms(), tradable=False))
    desk.reference.account_terms["ann"] = m.AccountTerms("HEDGING", "FIFO")
    desk.pair("ann", "bob", 1, 60_000, PERP)
    events = desk.fact("DELISTING", PERP, 59_000 * E8)
    assert rules_of(Path(truetape.audit.__file__).parent / "contract_rules.py") <= desk.findings.checked.keys()
    assert [event.contract.event for event in events[1:]] == ["DELISTING"] * 2
    assert (desk.cash("client:ann"), desk.cash("client:bob")) == (-10 * E8, 10 * E8)
    desk.check()


def test_a_smaller_contract_takes_the_place_of_a_larger_one() -> None:
    new = instrument("BTC-USDT-PERP-MINI", terms(multiplier_e8=E8 // 1_000))
    desk = Desk(instrument(PERP, terms(), tradable=False), new)
    desk.pair("ann", "bob", 3, 60_000, PERP)
    desk.fill("cat", "SELL", 1, 60_000, PERP)
    ids, numbers = {"new_instrument_id": new.instrument_id}, {"ratio": 10, "ratio_per": 1}
    events = desk.fact("CONTRACT_SIZE", PERP, 61_000 * E8, ids=ids, numbers=numbers)
    assert len(events) == 1 + 2 * 3 + 1
    assert desk.position("ann", new.instrument_id) == m.Position(new.instrument_id, 30 * E8, 1_830 * E8, 0)
    assert desk.position("ann", PERP) == m.Position(PERP, 0, 0, 30 * E8)
    assert desk.cash("client:ann") == 30 * E8
    assert desk.cash("venue:alpha", new.instrument_id) == 10 * E8
    assert not any(amounts.get(PERP) for amounts in desk.state.balances.values())
    wrong = desk.fact("RENAME", new.instrument_id, 61_000 * E8, ids={"new_instrument_id": PERP})
    assert wrong[0].reason == "STATE_WRONG"
    desk.check()


# -- busts ------------------------------------------------------------------------------------------------------------


def test_a_bust_takes_back_the_trade_its_fees_and_its_funding() -> None:
    desk = Desk(instrument(PERP, terms()), fees=m.Fees(0, 50_000))
    entry = desk.trade("ann", "BUY", 3, 60_000, PERP)
    desk.trade("bob", "SELL", 3, 60_000, PERP)
    desk.fact("FUNDING", PERP, 60_000 * E8, numbers=hour())
    desk.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    assert desk.cash("client:ann") > 0
    back = desk.bust(entry)
    assert (back.kind, back.contract.event, back.corrects) == ("CORRECTION", "BUST", entry.entry_id)
    desk.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    assert desk.cash("client:ann") == 0, "as if it had never been"
    assert desk.position("ann", PERP).quantity_e8 == 0
    assert desk.bust(entry).reason == "ENTRY_CORRECTED"
    assert desk.bust(msgspec.structs.replace(entry, entry_id="other")).reason == "ENTRY_UNKNOWN"
    desk.check()


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account_id": "nobody"}, "ACCOUNT_UNKNOWN"),
        ({"instrument_id": "DOGE-USDT-PERP"}, "INSTRUMENT_UNKNOWN"),
        ({"price_e8": 0}, "PRICE_OUT_OF_RANGE"),
        ({"quantity_e8": 0}, "NUMBERS_WRONG"),
        ({"quantity_e8": 2**62, "price_e8": 2**62}, "AMOUNT_TOO_LARGE"),
        ({"transacted_at_us": EXPIRY_US + 1, "instrument_id": FUT}, "CONTRACT_EXPIRED"),
    ],
)
def test_a_bad_trade_is_refused_by_name(changes: Any, reason: str) -> None:
    desk = Desk(instrument(PERP, terms()), instrument(FUT, future()))
    account_id = changes.pop("account_id", "ann")
    answer = desk.trade(account_id, "BUY", 1, 60_000, PERP, **changes)
    assert (type(answer).__name__, answer.reason) == ("ClearingRefused", reason)


def test_a_product_that_allows_it_has_prices_below_zero() -> None:
    name = "OIL-USDT-20231115"
    desk = Desk(instrument(name, future(signed_price=True, index="OIL")))
    desk.pair("ann", "bob", 100, 10, name)
    desk.fact("SETTLEMENT_PRICE", name, -37 * E8)
    assert desk.cash("client:ann") == -47 * E8
    desk.check()


def test_a_fill_in_an_unknown_contract_is_not_taken_for_spot() -> None:
    desk = Desk(instrument(PERP, terms()))
    desk.reference.instruments.clear()
    with pytest.raises(ContractUnknown):
        desk.fill("ann", "BUY", 1, 60_000, PERP)


# -- any sequence -----------------------------------------------------------------------------------------------------

PRICES = st.integers(50_000, 70_000)
STEPS = st.one_of(
    st.tuples(st.just("pair"), st.permutations(ACCOUNTS), st.integers(1, 9), PRICES),
    st.tuples(st.just("fill"), st.sampled_from(ACCOUNTS), st.sampled_from(["BUY", "SELL"]), st.integers(1, 9), PRICES),
    st.tuples(st.just("settle"), PRICES),
    st.tuples(st.just("fund"), PRICES, st.integers(-999, 999), st.integers(1, 8)),
    st.tuples(st.just("bust"), st.integers(0, 50)),
)


@pytest.mark.parametrize("style", ["LINEAR", "INVERSE", "QUANTO"])
@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEPS, min_size=1, max_size=25), end=st.none() | PRICES)
def test_any_sequence_conserves(style: Any, steps: list[Any], end: int | None) -> None:
    """Every asset and every contract sums to zero, both audits agree, the replay is the state; and once the contract
    has ended, what is left with the house is rounding alone, unless it held contracts: a fill's or a bust trade's."""
    asset = {"LINEAR": "USDT", "INVERSE": "BTC", "QUANTO": "EUR"}[style]
    of = terms(style=style, settlement_asset=asset, multiplier_e8=777)
    desk = Desk(instrument(PERP, of), fees=m.Fees(-1_000, 5_000))
    mirrored = False
    for step in steps:
        mirrored |= step[0] in ("fill", "bust")
        play(desk, step)
    if end is not None:
        desk.reference.instruments[PERP] = instrument(PERP, of, tradable=False)
        desk.fact("DELISTING", PERP, end * E8)
        assert not any(amounts.get(PERP) for amounts in desk.state.balances.values())
        if not mirrored:
            assert abs(desk.cash("house:clearing", asset)) <= 4 * len(desk.events)
    desk.check()


def play(desk: Desk, step: Any) -> None:
    """One step."""
    match step:
        case ("pair", [buyer, seller, *_], contracts, price):
            desk.pair(buyer, seller, contracts, price, PERP)
        case ("fill", account_id, side, contracts, price):
            desk.fill(account_id, side, contracts, price, PERP)
        case ("settle", price):
            desk.fact("SETTLEMENT_PRICE", PERP, price * E8)
        case ("fund", price, rate, hours):
            numbers = {"rate_e18": rate * 10**13 + 1, "elapsed_us": hours * HOUR_US}
            desk.fact("FUNDING", PERP, price * E8, numbers=numbers)
        case ("bust", which):
            trades = [event for event in desk.events if isinstance(event, m.EntryBooked) and event.kind == "TRADE"]
            if trades:
                desk.bust(trades[which % len(trades)])


def test_amounts_beyond_64_bits_are_refused_and_change_nothing() -> None:
    desk = Desk(instrument(PERP, terms()))
    desk.trade("ann", "BUY", 1, 60_000, PERP, quantity_e8=2**62, price_e8=E8)
    before = desk.state.balances["client:ann"].copy()
    answer = desk.trade("ann", "BUY", 1, 60_000, PERP, quantity_e8=2**62, price_e8=E8)
    assert answer.reason == "AMOUNT_TOO_LARGE"
    assert desk.state.balances["client:ann"] == before


# -- funding that comes late ------------------------------------------------------------------------------------------


def test_a_late_step_fills_a_gap_once_and_the_index_is_the_same_in_every_order() -> None:
    """Steps by the hour of their end; the second hour in halves, and late. Each partition may see another order."""
    orders = ([1, 3, 2, 1.5, 4], [1, 1.5, 2, 3, 4], [1, 4, 3, 1.5, 2])
    indices = set()
    for hours in orders:
        desk = Desk(instrument(PERP, terms()))
        desk.pair("ann", "bob", 3, 60_000, PERP)
        for hour in hours:
            taken = fund(desk, hour, 0.5 if hour in (1.5, 2) else 1.0)
            assert isinstance(taken, m.ContractFactTaken), (hours, hour, taken)
        again = fund(desk, 1.75, 0.25)
        assert (type(again).__name__, again.reason) == ("ClearingRefused", "OUT_OF_ORDER")
        indices.add(desk.state.contracts[PERP].funding_index_e18)
        desk.check()
    assert len(indices) == 1


def fund(desk: Desk, hour: float, hours: float) -> Any:
    """A step of funding that ends at an hour."""
    at_us = START_US + round(hour * HOUR_US)
    numbers = {"rate_e18": 10**14, "elapsed_us": round(hours * HOUR_US)}
    fact = m.ContractFact(f"funding:{at_us}", "FUNDING", PERP, at_us, at_us, "desk", 60_000 * E8, numbers)
    return desk.command(m.TakeContractFact(fact))
