"""What must hold for every day of trading: conservation, one booking each, and a fold that equals the live state."""

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clearing.booking import ledger
from services.clearing.booking.ledger import AccountHalted, EntryRepeated
from services.clearing.core import SERVICE
from services.clearing.state import State
from tests.unit.desk import ANN, BOB, Desk, approved, fill, tables, transfer
from truetape import messages as m
from truetape.money import ONE_E8

accounts = st.sampled_from([ANN, BOB])
amounts = st.one_of(st.integers(1, 30), st.integers(1, 10**12))


@st.composite
def fills(draw: st.DrawFn) -> m.OrderFilled:
    """Any fill that a venue may report: its quote amount truncated, rounded or exact, its fee in any asset."""
    quantity_e8, price_e8 = draw(amounts), draw(amounts)
    quote_e8 = quantity_e8 * price_e8 // ONE_E8 + draw(st.integers(0, 1))
    return fill(
        draw(st.sampled_from(["BUY", "SELL"])), "1", "1", str(draw(st.integers(0, 12))), account_id=draw(accounts),
        quantity_e8=quantity_e8, price_e8=price_e8, quote_amount_e8=quote_e8,
        fee_asset=draw(st.sampled_from(["BTC", "USDT", "BNB"])), fee_e8=draw(st.integers(-100, 1000)),
        liquidity=draw(st.sampled_from(["MAKER", "TAKER"])), venue=draw(st.sampled_from(["alpha", "beta"])),
    )  # fmt: skip


@st.composite
def transfers(draw: st.DrawFn) -> m.TransferApproved:
    amount = draw(st.integers(-(10**10), 10**10).filter(bool))
    asked = transfer("1", reference=str(draw(st.integers(0, 4))), account_id=draw(accounts))
    return approved(m.TransferTerms(asked.transfer_id, asked.account_id, "USDT", amount, "bank:b", "r"))


@st.composite
def house(draw: st.DrawFn) -> m.Fees:
    rates = st.one_of(st.integers(-1000, 1000), st.integers(-(10**6), 10**7))
    return m.Fees(draw(rates), draw(rates))


parks = st.tuples(st.just("park"), accounts)
days = st.lists(st.one_of(fills(), fills(), fills(), transfers(), parks), max_size=25)


def lived(day: list[Any], fees: m.Fees) -> tuple[Desk[State], list[tuple[Any, m.EntryBooked]]]:
    """The desk after a day, and what it booked as which entry; the rest must be refused for the right reason."""
    using = tables()
    using.reference.fees["*"] = fees
    desk = Desk(SERVICE, using)
    booked: list[tuple[Any, m.EntryBooked]] = []
    seen: set[tuple[str, str]] = set()
    halted: set[str] = set()
    for one in day:
        if isinstance(one, tuple):
            desk.park(one[1])
            halted.add(one[1])
            continue
        whose, name = key(one)
        try:
            entry = desk.give(one)
        except AccountHalted:
            assert whose in halted
        except EntryRepeated:
            assert (whose, name) in seen
        else:
            assert whose not in halted and (whose, name) not in seen
            assert (entry.account_id, entry.entry_id) == (whose, name)
            seen.add((whose, name))
            booked.append((one, entry))
    return desk, booked


def key(one: m.OrderFilled | m.TransferApproved) -> tuple[str, str]:
    if isinstance(one, m.OrderFilled):
        return one.account_id, one.execution_id
    return one.transfer.account_id, one.transfer.transfer_id


def moved(entry: m.EntryBooked, purpose: str) -> int:
    """What the client's USDT moved for a purpose."""
    whose = ledger.client(entry.account_id)
    lines = [line for line in entry.lines if (line.account, line.asset, line.purpose) == (whose, "USDT", purpose)]
    return sum(line.amount_e8 for line in lines)


@given(days, house())
def test_the_books_always_balance(day: list[Any], fees: m.Fees) -> None:
    desk, booked = lived(day, fees)
    assert desk.state.entries == len(booked)
    assert not any(ledger.trial_balance(desk.state.balances).values())


@given(days, house(), st.integers(0, 25))
def test_the_fold_equals_the_state_that_lived(day: list[Any], fees: m.Fees, snapshot_at: int) -> None:
    desk, _ = lived(day, fees)
    assert desk.digest() == desk.replayed() == desk.replayed(through_snapshot_at=snapshot_at)


@given(days, house())
def test_mirrors_are_what_the_venues_say(day: list[Any], fees: m.Fees) -> None:
    desk, booked = lived(day, fees)
    theirs: Counter[tuple[str, str]] = Counter()
    for one, _ in booked:
        if isinstance(one, m.OrderFilled):
            sign = 1 if one.side == "BUY" else -1
            theirs["venue:" + one.venue, one.base] += sign * one.quantity_e8
            theirs["venue:" + one.venue, one.quote] -= sign * one.quote_amount_e8
            theirs["venue:" + one.venue, one.fee_asset] -= one.fee_e8
        else:
            theirs[one.transfer.location, one.transfer.asset] += one.transfer.amount_e8
    for (mirror, asset), amount_e8 in theirs.items():
        assert desk.state.balances.get(mirror, {}).get(asset, 0) == -amount_e8


@given(days, house())
def test_rounding_never_favours_a_client(day: list[Any], fees: m.Fees) -> None:
    """A fill costs its client less than a unit more than exact arithmetic, and never less; so does its house fee."""
    for one, entry in lived(day, fees)[1]:
        if isinstance(one, m.OrderFilled):
            paid, charged = -moved(entry, "principal"), -moved(entry, "house_fee")
            exact = Fraction(one.price_e8 * one.quantity_e8, ONE_E8) * (1 if one.side == "BUY" else -1)
            rate = fees.maker_rate_e8 if one.liquidity == "MAKER" else fees.taker_rate_e8
            assert 0 <= paid - exact < 1
            assert 0 <= charged - Fraction(abs(paid) * rate, ONE_E8) < 1


@given(days, house())
def test_positions_are_the_sum_of_fills_and_their_profit_is_in_the_entries(day: list[Any], fees: m.Fees) -> None:
    desk, booked = lived(day, fees)
    for whose, account in desk.state.accounts.items():
        mine = [(one, entry) for one, entry in booked if entry.account_id == whose and entry.kind == "TRADE"]
        held = account.positions.values()
        signed = [one.quantity_e8 if one.side == "BUY" else -one.quantity_e8 for one, _ in mine]
        realised = sum(entry.realised_e8 for _, entry in mine)
        assert sum(position.quantity_e8 for position in held) == sum(signed)
        assert sum(position.realised_e8 for position in held) == realised
        assert sum(position.cost_e8 for position in held) - realised == -sum(moved(e, "principal") for _, e in mine)


LINES = st.lists(
    st.builds(m.Line, st.sampled_from(["client:ann", "venue:a", "house:fees"]), st.sampled_from(["BTC", "USDT"]),
              st.integers(-2, 2), st.just("principal")), max_size=6,
)  # fmt: skip


@given(LINES, st.booleans())
def test_lines_are_posted_as_one_by_one_and_only_when_they_sum_to_zero(lines: list[m.Line], even: bool) -> None:
    mirrored = [m.Line("venue:a", one.asset, -one.amount_e8, one.purpose) for one in lines] if even else []
    plain: ledger.Balances = {"client:ann": {"BTC": 7}}
    both: ledger.Balances = {"client:ann": {"BTC": 7}}
    sums = Counter[str]()
    for one in (*lines, *mirrored):
        sums[one.asset] += one.amount_e8
    if any(sums.values()):
        with pytest.raises(AssertionError, match="does not sum to zero"):
            ledger.book(both, (*lines, *mirrored))
    else:
        ledger.post(plain, (*lines, *mirrored))
        ledger.book(both, (*lines, *mirrored))
        assert both == plain
