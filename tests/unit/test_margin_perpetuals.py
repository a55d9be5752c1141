"""Margin of perpetuals and futures: Deribit's schedule, leverage tiers, SIMM and the OTC schedule, in rows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import MarginInputInvalid, MarginInputMissing, MarginPositionUnfit
from truetape.margin.deribit import SCHEDULES, DeribitMargin
from truetape.margin.market import YEAR_SECONDS, Expiry, Market, Reading
from truetape.margin.models import MarginModel
from truetape.margin.portfolio import Future, Holding, Perpetual, Portfolio
from truetape.margin.schedule import ScheduleMargin, Trade, margin_of, net_to_gross
from truetape.margin.simm import FxParameters, SimmFx, fx_delta_margin
from truetape.margin.tiers import (
    Bracket,
    LeverageTiers,
    Tier,
    Tiers,
    initial_margin,
    initial_ppm,
    maintenance_margin,
    tiered,
)

YEAR_US = YEAR_SECONDS * 1_000_000
MARKET = Market(
    spots={"BTC": Reading(50_000), "EUR": Reading(1.1), "TRY": Reading(0.03), "USD": Reading(1)},
    perpetuals={"BTC": Reading(50_000), "ETH": Reading(3_000), "SOL": Reading(200)},
    expiries={("BTC", YEAR_US): Expiry(Reading(51_000)), ("EUR", YEAR_US): Expiry(Reading(1.1))},
)


def perpetual(underlying: str, quantity: float, profit: float = 0.0) -> Perpetual:
    return Perpetual(f"{underlying}-PERP", underlying, quantity, profit)


#   underlying size | initial % maintenance %
DERIBITS = """
    BTC   0.001 | 2.000005  1.000005
    BTC  25     | 2.125     1.125
    BTC -350    | 3.75      2.75      a short needs as much
    ETH 1000    | 2.4       1.4
    SOL 6000    | 7         5
    BTC 50000   | 100       100       never more than the whole
"""


@pytest.mark.parametrize("row", DERIBITS.strip().splitlines(), ids=lambda row: row.strip())
def test_deribit_asks_more_of_larger_positions(row: str) -> None:
    underlying, size, initial, maintenance = row.replace("|", " ").split()[:4]
    found = DeribitMargin().margin(Portfolio((perpetual(underlying, float(size)),), 1000.0), MARKET)
    notional = abs(float(size)) * MARKET.perpetual(underlying).value
    assert found.initial_need == pytest.approx(float(initial) / 100 * notional, rel=1e-12)
    assert found.maintenance_need == pytest.approx(float(maintenance) / 100 * notional, rel=1e-12)
    assert found.equity == 1000.0


def test_deribit_inverse_is_the_same_rate_in_the_underlying() -> None:
    found = DeribitMargin(inverse=True).margin(Portfolio((perpetual("BTC", 25.0),), 2.0), MARKET)
    assert (found.equity, found.initial_need) == pytest.approx((2.0, 0.02125 * 25))
    two = Portfolio((perpetual("BTC", 1.0), perpetual("ETH", 1.0)))
    with pytest.raises(MarginPositionUnfit, match="settles in its underlying"):
        DeribitMargin(inverse=True).margin(two, MARKET)


#   notional open interest | initial maintenance
TIERED = """
     50      0 |   5      2.5     inside the first bracket
    100      0 |  10      5
    150      0 |  20     10       10 of the first 100, 20 % of the next 50
    150   1500 |  20     10       open interest below its lower cap
    150   2500 |  85     10       half way between the caps: half of what is missing
    150   4000 | 150     10       above the upper cap: the whole notional
"""


@pytest.mark.parametrize("row", TIERED.strip().splitlines(), ids=lambda row: row.strip())
def test_brackets_and_open_interest(row: str) -> None:
    notional, interest, initial, maintenance = (float(word) for word in row.replace("|", " ").split()[:4])
    tiers = Tiers((Bracket(100, 0.1, 0.05), Bracket(math.inf, 0.2, 0.1)), 2000, 3000)
    assert tiered(tiers, notional, interest) == pytest.approx((initial, maintenance))
    model = LeverageTiers({"SOL": tiers}, {"SOL": interest})
    found = model.margin(Portfolio((perpetual("SOL", -notional / 200, 7.0),), 1.0), MARKET)
    assert (found.initial_need, found.maintenance_need, found.equity) == pytest.approx((initial, maintenance, 8.0))
    assert sum(found.contributions.values()) == pytest.approx(found.initial_need)


@pytest.mark.parametrize(
    "brackets",
    [
        (),
        (Bracket(100, 0.1, 0.05),),
        (Bracket(100, 0.2, 0.1), Bracket(math.inf, 0.1, 0.05)),
        (Bracket(math.inf, 0.1, 0.2),),
        (Bracket(100, 0.1, 0.05), Bracket(100, 0.2, 0.1), Bracket(math.inf, 0.3, 0.1)),
    ],
    ids=["none", "no end", "falling", "maintenance above initial", "no width"],
)
def test_brackets_that_cannot_be_are_refused(brackets: tuple[Bracket, ...]) -> None:
    with pytest.raises(MarginInputInvalid, match="bracket"):
        Tiers(brackets)


def test_dydx_tiers() -> None:
    tier = Tier(200_000, 500_000, 10_000_000_000_000, 20_000_000_000_000)
    assert initial_ppm(tier, 14_999_999_988_750) == 599_999
    assert initial_margin(tier, 441_000_000, 14_999_999_988_750) == 264_599_559
    assert initial_margin(tier, 441_000_000, 36_750_000_000_000) == 441_000_000
    assert initial_margin(tier, 441_000_000, 0, custom_ppm=500_000) == 220_500_000
    assert maintenance_margin(tier, 441_000_001) == 44_100_001
    with pytest.raises(MarginInputInvalid, match="lower cap"):
        Tier(200_000, 500_000, 2, 1)


def test_simm_of_forwards() -> None:
    """100 m EUR at 1.1: 1 % is 1.1 m USD, weight 7.4."""
    forward = Future("EUR-1Y", "EUR", YEAR_US, 100e6, 5.0)
    found = SimmFx().margin(Portfolio((forward, perpetual("USD", 1e9)), 10.0), MARKET)
    assert (found.equity, found.initial_need) == pytest.approx((15.0, 7.4 * 1.1e6))
    assert found.worst == "EUR"


def test_opposite_currencies_offset_in_part() -> None:
    together, _ = fx_delta_margin([("EUR", 1e6), ("GBP", -1e6)])
    assert together == pytest.approx(7.4e6 * math.sqrt(2 - 2 * 0.5))
    assert fx_delta_margin([("EUR", 1e6), ("EUR", -1e6)])[0] == 0.0
    high, _ = fx_delta_margin([("TRY", 1e6), ("BRL", 1e6)])
    assert high == pytest.approx(13.6e6 * math.sqrt(2 + 2 * 0.42))
    with pytest.raises(MarginInputInvalid, match="nan"):
        fx_delta_margin([("EUR", math.nan)])


def test_a_concentrated_position_needs_more_than_its_size() -> None:
    assert fx_delta_margin([("EUR", 20.4e9)])[0] == pytest.approx(7.4 * 20.4e9 * 2)
    assert fx_delta_margin([("QAR", 0.76e9)])[0] == pytest.approx(7.4 * 0.76e9 * 2), "no category: the third"
    other = FxParameters(calculation_currency="EUR")
    assert fx_delta_margin([("EUR", 1e6)], other)[0] == 0.0


def test_the_schedule_nets_forty_percent_away_at_most() -> None:
    model = ScheduleMargin({"BTC": "OTHER", "EUR": "FX"})
    held = (
        Future("BTC-1Y", "BTC", YEAR_US, 1.0, -100.0),
        Future("EUR-1Y", "EUR", YEAR_US, 100_000.0, 100.0),
    )
    found = model.margin(Portfolio(held, 20_000.0), MARKET)
    gross = 0.15 * 50_000 + 0.06 * 110_000
    assert found.initial_need == pytest.approx(0.4 * gross), "the house loses nothing over both"
    assert found.equity == 20_000.0
    with pytest.raises(MarginInputMissing, match="product class"):
        ScheduleMargin().margin(Portfolio(held), MARKET)


def test_what_each_side_of_the_same_trades_gives() -> None:
    trades = [Trade("RATES", 1.0, 100_000, 500), Trade("CREDIT", 6.0, -50_000, -100)]
    assert margin_of(trades) == pytest.approx(6_000 * (0.4 + 0.6 * 400 / 500))
    assert margin_of(trades, "PLEDGOR") == pytest.approx(-6_000 * 0.4)
    assert net_to_gross([]) == net_to_gross([-1.0, -2.0]) == 1.0


MODELS: list[MarginModel] = [
    DeribitMargin(), LeverageTiers({"BTC": Tiers()}), SimmFx(FxParameters()), ScheduleMargin({"BTC": "OTHER"}),
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_collateral_and_unknown_instruments_are_refused_by_name(model: MarginModel) -> None:
    with pytest.raises(MarginPositionUnfit, match="GOLD"):
        model.margin(Portfolio((Holding("GOLD", 1.0),)), MARKET)
    with pytest.raises(MarginInputMissing):
        model.margin(Portfolio((perpetual("DOGE", 1.0),)), MARKET)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_price_in_doubt_asks_for_more_initial_margin_and_a_stale_one_is_in_doubt(model: MarginModel) -> None:
    held = Portfolio((perpetual("BTC", -2.0),))
    sure = model.margin(held, MARKET)
    half = Market(spots={"BTC": Reading(50_000, 0.25)}, perpetuals={"BTC": Reading(50_000, 0.25)})
    doubted = model.margin(held, half)
    assert doubted.initial_need == pytest.approx(sure.initial_need + 0.75 * 0.4 * 100_000)
    assert doubted.maintenance_need == pytest.approx(sure.maintenance_need)
    assert sum(doubted.contributions.values()) == pytest.approx(doubted.initial_need)
    read = {"BTC": Reading(50_000, 1.0, 1_000_000)}
    old = Market(now_us=62_000_000, spots=read, perpetuals=read, max_age_seconds=60)
    assert model.margin(held, old).initial_need == pytest.approx(sure.initial_need + 0.4 * 100_000)


@given(st.sampled_from(MODELS), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_larger_position_never_needs_less(model: MarginModel, one: float, more: float) -> None:
    small, large = (model.margin(Portfolio((perpetual("BTC", size),)), MARKET) for size in (one, one + more))
    assert small.initial_need <= large.initial_need * (1 + 1e-12)
    assert small.maintenance_need <= large.maintenance_need * (1 + 1e-12)
    assert large.maintenance_need <= large.initial_need * (1 + 1e-12)


@given(st.floats(0, 1e5))
def test_a_size_as_linear_or_inverse_needs_the_same_money(size: float) -> None:
    linear = DeribitMargin().margin(Portfolio((perpetual("BTC", size),)), MARKET)
    inverse = DeribitMargin(inverse=True).margin(Portfolio((perpetual("BTC", size),)), MARKET)
    assert inverse.initial_need * 50_000 == pytest.approx(linear.initial_need)
    assert SCHEDULES["BTC"].rates(size) == SCHEDULES["BTC"].rates(-size)
