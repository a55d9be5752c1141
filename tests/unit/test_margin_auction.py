"""The Dutch auction: prices fall, no bid takes more than restores the buffer, and nothing is created by it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.margin_desk import LAW, V1, market, portfolios
from truetape.errors import MarginInputInvalid
from truetape.margin.auction import (
    Auction,
    AuctionParameters,
    Standing,
    begin,
    bid,
    discount,
    largest_part,
    price,
    remaining,
)
from truetape.margin.portfolio import Portfolio

OURS = AuctionParameters()
SECONDS = st.floats(0, 20_000)
VALUES = st.floats(0.01, 1e6)
NEEDS = st.floats(1.01, 5)
"""Maintenance need as a multiple of the value: above 1 is below maintenance."""


@LAW
@given(SECONDS, SECONDS)
def test_the_share_asked_only_falls(one: float, other: float) -> None:
    earlier, later = sorted((one, other))
    assert 0 <= discount(later, OURS) <= discount(earlier, OURS) <= OURS.start


def test_the_share_at_the_corners() -> None:
    shares = [discount(seconds, OURS) for seconds in (0, 100, 7_300, 14_500, 1e9)]
    assert shares == pytest.approx([0.98, 0.8, 0.4, 0.0, 0.0])


@LAW
@given(VALUES, NEEDS, SECONDS, st.floats(0, 1))
def test_the_largest_part_brings_buffer_margin_to_zero(value: float, need: float, seconds: float, kept: float) -> None:
    standing, reserved = Standing(value, value * (1 - need)), value * kept / 2
    share = discount(seconds, OURS)
    part = largest_part(standing, share, reserved, OURS)
    paid = part * (value - reserved) * share
    after = Standing(
        (value - reserved) * (1 - part) + reserved + paid,
        (standing.maintenance - reserved) * (1 - part) + reserved + paid,
    )
    assert 0 <= part <= 1
    assert after.buffer_margin(OURS) == pytest.approx(0.0, abs=1e-6 * value * need)


@LAW
@given(VALUES, NEEDS, SECONDS, st.floats(0.01, 1))
def test_a_solvent_taker_pays_less_than_the_value_and_the_house_pays_nothing(
    value: float, need: float, seconds: float, wanted: float
) -> None:
    standing = Standing(value, value * (1 - need))
    made = bid(begin(standing, OURS), standing, seconds, wanted, OURS)
    assert made.part <= wanted
    assert 0 <= made.paid <= made.part * value * OURS.start * (1 + 1e-12)
    assert made.received == 0
    assert made.auction.reserved == made.paid


@LAW
@given(VALUES, st.floats(0, 3), SECONDS, st.floats(0.01, 1))
def test_an_insolvent_taker_is_paid_at_most_the_scaled_buffer(
    owed: float, need: float, seconds: float, wanted: float
) -> None:
    standing = Standing(-owed, -owed * (1 + need))
    auction = begin(standing, OURS)
    made = bid(auction, standing, seconds, wanted, OURS)
    assert auction.kind == "insolvent"
    assert 0 <= made.received <= -auction.lowest * wanted * (1 + 1e-12)
    assert made.received == pytest.approx(-price(auction, standing, seconds, OURS) * wanted)
    assert made.auction.left == pytest.approx(1 - wanted)


@LAW
@given(portfolios(with_eth=False), st.floats(0.01, 1))
def test_what_the_taker_gets_and_what_is_left_are_the_account(portfolio: Portfolio, part: float) -> None:
    """Values at the marks: the account lost its part of what is not reserved and gained what was paid."""
    reserved = max(portfolio.cash, 0.0) / 2
    auction = Auction("solvent", 0.0, 0.0, reserved)
    value = V1.margin(portfolio, market()).equity
    made = bid(auction, Standing(max(value, reserved + 1), -1e9), 10.0, part, OURS)
    left = V1.margin(remaining(portfolio, made, reserved), market()).equity
    assert left == pytest.approx((value - reserved) * (1 - made.part) + reserved + made.paid, abs=1e-6)


@pytest.mark.parametrize("wanted", [0.0, -0.1, 1.1, math.nan])
def test_an_impossible_bid_is_refused(wanted: float) -> None:
    standing = Standing(100.0, -10.0)
    with pytest.raises(MarginInputInvalid, match="a bid is for"):
        bid(begin(standing, OURS), standing, 1.0, wanted, OURS)


def test_a_forced_auction_sells_a_healthy_account_whole_and_without_a_fee() -> None:
    healthy = Standing(100.0, 40.0)
    auction = begin(healthy, OURS, is_forced=True)
    made = bid(auction, healthy, 0.0, 1.0, OURS)
    assert (auction.fee, made.part, made.auction.left) == (0.0, 1.0, 0.0)
    assert made.paid == pytest.approx(98.0)


def test_a_healthy_account_is_not_auctioned_and_time_does_not_run_back() -> None:
    with pytest.raises(MarginInputInvalid, match="nothing to liquidate"):
        begin(Standing(100.0, 0.0), OURS)
    with pytest.raises(MarginInputInvalid, match="seconds ago"):
        discount(-1.0, OURS)
    healed = Standing(100.0, 90.0)
    with pytest.raises(MarginInputInvalid, match="end the auction"):
        bid(Auction("solvent", 0.0, 0.0), healed, 1.0, 0.5, OURS)
    with pytest.raises(MarginInputInvalid, match="could be computed"):
        begin(Standing(math.nan, -1.0), OURS)
