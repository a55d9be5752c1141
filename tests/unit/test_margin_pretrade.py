"""Accepted orders cannot break initial margin, whatever part of them fills, in whatever order."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.margin_desk import LAW, MARKETS, OPTIONS, STANDARD, V1, V2, market, portfolios
from truetape.errors import MarginPositionUnfit
from truetape.margin.market import Market
from truetape.margin.models import MarginModel
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio
from truetape.margin.portfolio_v2 import PortfolioV2Parameters
from truetape.margin.pretrade import CORNER_ORDERS_MAX, Order, filled, initial_floor, order_need
from truetape.margin.scenarios import StaticDiscount
from truetape.margin.tiers import Bracket, LeverageTiers, Tiers

GENEROUS = replace(
    V2,
    parameters=replace(
        V2.parameters, discount=StaticDiscount(long_base=1.3, long_rate_scale=0.0, long_rate_add=0.0, short_base=0.8)
    ),
)
"""Parameters that reward what they should punish: a gain counts more than a loss."""
MODELS = pytest.mark.parametrize("model", [STANDARD, V1, V2, GENEROUS], ids=["standard", "v1", "v2", "generous"])
FEW = settings(LAW, max_examples=15)
SIZES = st.integers(-300, 300).filter(bool).map(lambda hundredths: hundredths / 100)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """An order on an option or the perpetual, at a price near or far from its worth."""
    fee = draw(st.sampled_from([0.0, 0.3]))
    if draw(st.integers(0, 3)) == 0:
        return Order(Perpetual("BTC-PERP", "BTC", draw(SIZES)), draw(st.sampled_from([95.0, 100.0, 104.0])), fee)
    option = draw(st.sampled_from(OPTIONS))
    return Order(replace(option, quantity=draw(SIZES)), draw(st.sampled_from([0.1, 4.0, 15.0, 40.0])), fee)


FRACTIONS = st.sampled_from([0.0, 0.0, 0.3, 1.0, 1.0])


@MODELS
@FEW
@given(portfolio=portfolios(with_eth=False), open_orders=st.lists(orders(), max_size=4), inputs=MARKETS, data=st.data())
def test_no_fills_take_the_excess_below_the_floor(
    model: MarginModel, portfolio: Portfolio, open_orders: list[Order], inputs: Market, data: st.DataObject
) -> None:
    floor = initial_floor(model, portfolio, open_orders, inputs)
    for order in data.draw(st.permutations(open_orders)):
        portfolio = filled(portfolio, order, data.draw(FRACTIONS), inputs)
        assert model.margin(portfolio, inputs).initial_excess >= floor - 1e-7


@MODELS
@FEW
@given(portfolio=portfolios(with_eth=False), asked=st.lists(orders(), max_size=4), inputs=MARKETS, data=st.data())
def test_accepted_orders_never_break_initial_margin(
    model: MarginModel, portfolio: Portfolio, asked: list[Order], inputs: Market, data: st.DataObject
) -> None:
    portfolio = replace(portfolio, cash=portfolio.cash + 800.0)
    accepted: list[Order] = []
    for order in asked:
        answer = order_need(model, portfolio, accepted, order, inputs)
        assert answer.need >= 0
        if answer.is_covered:
            accepted.append(order)
    for order in data.draw(st.permutations(accepted)):
        portfolio = filled(portfolio, order, data.draw(FRACTIONS), inputs)
        assert model.margin(portfolio, inputs).initial_excess >= -1e-7


@MODELS
@LAW
@given(portfolio=portfolios(with_eth=False), inputs=MARKETS)
def test_without_orders_the_floor_is_the_excess(model: MarginModel, portfolio: Portfolio, inputs: Market) -> None:
    found = initial_floor(model, portfolio, [], inputs)
    excess = model.margin(portfolio, inputs).initial_excess
    assert found <= excess + 1e-7
    if model is not GENEROUS:
        assert found == pytest.approx(excess, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("model", [STANDARD, V1, V2], ids=lambda model: model.name)
def test_an_account_at_its_limit_may_close_at_the_mark(model: MarginModel) -> None:
    short = replace(OPTIONS[13], quantity=-2.0)
    inputs = market()
    needed = model.margin(Portfolio((short,)), inputs)
    account = Portfolio((short,), -needed.initial_excess + 0.01)
    mark = -needed.equity / 2
    assert order_need(model, account, [], Order(replace(short, quantity=1.0), mark), inputs).is_covered
    assert not order_need(model, account, [], Order(replace(short, quantity=-1.0), mark), inputs).is_covered


@pytest.mark.parametrize("model", [STANDARD, V1, V2], ids=lambda model: model.name)
def test_quotes_on_both_sides_do_not_need_twice(model: MarginModel) -> None:
    """Buying and selling cannot both be the loss of one scenario."""
    bid = Order(Perpetual("BTC-PERP", "BTC", 1.0), 100.2)
    ask = Order(Perpetual("BTC-PERP", "BTC", -1.0), 100.2)
    account, inputs = Portfolio(cash=1000.0), market()
    one = order_need(model, account, [], bid, inputs).need
    both = 1000.0 - order_need(model, account, [bid], ask, inputs).excess
    assert one > 0
    assert both < 1.35 * one


def test_more_than_is_held_cannot_be_offered() -> None:
    account, inputs = Portfolio((Holding("BTC", 1.0),)), market()
    sell = Order(Holding("BTC", -0.6), 100.0)
    assert initial_floor(V2, account, [sell], inputs) <= V2.margin(account, inputs).initial_excess
    with pytest.raises(MarginPositionUnfit, match="more is offered than is held"):
        initial_floor(V2, account, [sell, sell], inputs)


def test_a_model_without_a_floor_of_its_own_is_tried_at_every_corner() -> None:
    brackets = (Bracket(150.0, 0.02, 0.01), Bracket(math.inf, 0.05, 0.03))
    model, inputs = LeverageTiers({"BTC": Tiers(brackets)}), market()
    account = Portfolio((Perpetual("BTC-PERP", "BTC", 1.0),), 100.0)
    buy, sell = (Order(Perpetual("BTC-PERP", "BTC", size), 100.2) for size in (2.0, -2.0))
    found = initial_floor(model, account, [buy, sell], inputs)
    assert found == pytest.approx(model.margin(filled(account, buy, 1.0, inputs), inputs).initial_excess)
    with pytest.raises(MarginPositionUnfit, match="cancel some"):
        initial_floor(model, account, [buy] * (CORNER_ORDERS_MAX + 1), inputs)


def test_an_option_order_pays_its_price_and_a_perpetual_its_distance_from_the_mark() -> None:
    option: Option = replace(OPTIONS[12], quantity=2.0)
    after = filled(Portfolio(cash=50.0), Order(option, 7.0, fee=1.0), 0.5, market())
    assert after == Portfolio((replace(option, quantity=1.0),), 50.0 - 7.0 - 0.5)
    bought = filled(Portfolio(), Order(Perpetual("BTC-PERP", "BTC", 2.0), 99.2), 0.5, market())
    assert bought.perpetuals()[0].unrealised_pnl == pytest.approx(1.0)
    assert PortfolioV2Parameters().collateral == {}
