"""Portfolio margin: the vectorised pass is the single account is the plain loop; what always holds of every model."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit import naive_margin
from tests.unit.margin_desk import LAW, MARKETS, OPTIONS, STANDARD, V1, V2, market, portfolios
from truetape.errors import MarginInputMissing, MarginPositionUnfit
from truetape.margin.book import Book
from truetape.margin.combined import PerUnderlying
from truetape.margin.market import Market
from truetape.margin.models import MarginModel
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio, Position, netted
from truetape.margin.pretrade import Order, filled, initial_floor

MODELS = pytest.mark.parametrize("model", [STANDARD, V1, V2], ids=lambda model: model.name)


def near(one: float, other: float, scale: float = 1.0) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9 * max(scale, 1.0))


@LAW
@given(portfolios(), MARKETS)
def test_the_grid_says_what_the_plain_loop_says(portfolio: Portfolio, inputs: Market) -> None:
    found = V2.margin(portfolio, inputs)
    equity, initial, maintenance = naive_margin.margin(V2, portfolio, inputs)
    assert near(found.equity, equity, 1000)
    assert near(found.initial_need, initial, 1000)
    assert near(found.maintenance_need, maintenance, 1000)


@LAW
@given(st.lists(portfolios(with_eth=False), min_size=1, max_size=6), MARKETS)
def test_the_whole_book_in_one_pass_is_each_account_alone(accounts: list[Portfolio], inputs: Market) -> None:
    for model in (V1, V2):
        board = model.board(tuple(accounts), inputs)
        swept = model.sweep(board, Book.of(accounts, board))
        for row, portfolio in enumerate(accounts):
            alone = model.margin(portfolio, inputs)
            assert near(swept.equity[row], alone.equity, 1000)
            assert near(swept.initial_need[row], alone.initial_need, 1000)
            assert near(swept.maintenance_need[row], alone.maintenance_need, 1000)


@LAW
@given(portfolios(), MARKETS, st.sampled_from(OPTIONS), st.sampled_from([-1.5, 0.25, 3.0]))
def test_one_account_after_one_fill_is_the_account_computed_anew(
    portfolio: Portfolio, inputs: Market, option: Option, quantity: float
) -> None:
    fill = replace(option, quantity=quantity)
    board = V2.board((portfolio, Portfolio((fill,))), inputs)
    book = Book.of((portfolio, Portfolio()), board)
    book.add(0, fill, board)
    after = V2.sweep(board, book.row(0))
    anew = V2.margin(Portfolio(netted([*portfolio.positions, fill]), portfolio.cash), inputs)
    assert near(after.initial_need[0], anew.initial_need, 1000)
    assert near(after.equity[0], anew.equity, 1000)


@MODELS
@LAW
@given(portfolio=portfolios(with_eth=False), inputs=MARKETS)
def test_initial_is_at_least_maintenance_and_contributions_sum_to_it(
    model: MarginModel, portfolio: Portfolio, inputs: Market
) -> None:
    result = model.margin(portfolio, inputs)
    assert result.initial_need >= result.maintenance_need - 1e-9
    assert near(sum(result.contributions.values()), result.initial_need, 1000)
    assert set(result.contributions) == {position.instrument_id for position in portfolio.positions}


@MODELS
@LAW
@given(portfolio=portfolios(with_eth=False), inputs=MARKETS, scale=st.sampled_from([0.5, 3.0, 1000.0]))
def test_needs_scale_with_the_account(model: MarginModel, portfolio: Portfolio, inputs: Market, scale: float) -> None:
    one, many = model.margin(portfolio, inputs), model.margin(_times(portfolio, scale), inputs)
    assert near(many.initial_need, one.initial_need * scale, 1000 * scale)
    assert near(many.maintenance_need, one.maintenance_need * scale, 1000 * scale)
    assert near(many.equity, one.equity * scale, 1000 * scale)


def _times(portfolio: Portfolio, scale: float) -> Portfolio:
    def scaled(position: Position) -> Position:
        if isinstance(position, Perpetual):
            pnl, funding = position.unrealised_pnl * scale, position.unsettled_funding * scale
            return replace(position, quantity=position.quantity * scale, unrealised_pnl=pnl, unsettled_funding=funding)
        return replace(position, quantity=position.quantity * scale)

    return Portfolio(tuple(scaled(each) for each in portfolio.positions), portfolio.cash * scale)


@MODELS
@LAW
@given(portfolio=portfolios(with_eth=False), inputs=MARKETS, data=st.data())
def test_the_order_of_positions_does_not_matter(
    model: MarginModel, portfolio: Portfolio, inputs: Market, data: st.DataObject
) -> None:
    shuffled = Portfolio(tuple(data.draw(st.permutations(portfolio.positions))), portfolio.cash)
    one, other = model.margin(portfolio, inputs), model.margin(shuffled, inputs)
    assert near(one.initial_need, other.initial_need, 1000)
    assert near(one.maintenance_need, other.maintenance_need, 1000)


@MODELS
@LAW
@given(portfolio=portfolios(with_eth=False), inputs=MARKETS, cash=st.integers(1, 10_000))
def test_cash_counts_in_full_and_changes_no_need(
    model: MarginModel, portfolio: Portfolio, inputs: Market, cash: int
) -> None:
    one, richer = model.margin(portfolio, inputs), model.margin(replace(portfolio, cash=portfolio.cash + cash), inputs)
    assert near(richer.initial_excess - one.initial_excess, cash, 1000)
    assert near(richer.initial_need, one.initial_need, 1000)


@MODELS
@LAW
@given(portfolio=portfolios(with_eth=False))
def test_less_confidence_never_needs_less(model: MarginModel, portfolio: Portfolio) -> None:
    needs = [
        model.margin(portfolio, market(trust=trust, vol_trust=trust)).initial_need for trust in (1.0, 0.5, 0.39, 0.2, 0)
    ]
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(needs))


@LAW
@given(portfolios(), st.sampled_from(OPTIONS), st.sampled_from([0.5, 2.0]), st.sampled_from([1.1, 3.0]))
def test_what_standard_margin_calls_monotone_is(
    portfolio: Portfolio, option: Option, quantity: float, scale: float
) -> None:
    """Isolated margin never falls by a bought option; a larger perpetual needs more. (Bounded margin may fall.)"""
    before = STANDARD.margin(portfolio, market()).parts
    bought = Portfolio(netted([*portfolio.positions, replace(option, quantity=quantity)]), portfolio.cash)
    after = STANDARD.margin(bought, market()).parts
    for part in ("option_isolated_initial:BTC", "option_isolated_maintenance:BTC"):
        assert after[part] >= before.get(part, 0.0) - 1e-9
    larger = STANDARD.margin(_times(portfolio, scale), market()).parts
    assert larger.get("perpetual_initial", 0.0) >= before.get("perpetual_initial", 0.0)


@MODELS
def test_an_empty_account_needs_nothing(model: MarginModel) -> None:
    result = model.margin(Portfolio(cash=5.0), market())
    assert (result.equity, result.initial_need, result.maintenance_need) == (5.0, 0.0, 0.0)


@pytest.mark.parametrize("model", [V1, V2], ids=lambda model: model.name)
def test_what_does_not_belong_into_the_book_is_refused(model: MarginModel) -> None:
    for position in (
        Perpetual("ETH-PERP", "ETH", 1.0),
        Holding("DOGE", 1.0),
        Holding("BTC", -1.0),
        replace(OPTIONS[0], quantity=1.0, strike=0.0),
    ):
        with pytest.raises(MarginPositionUnfit):
            model.margin(Portfolio((position,)), market())


def test_a_perpetual_needs_its_price_and_others_do_not() -> None:
    without = replace(market(), perpetuals={})
    assert V2.margin(Portfolio(cash=1.0), without).equity == 1.0
    with pytest.raises(MarginInputMissing, match="perpetual price of BTC"):
        V2.margin(Portfolio((Perpetual("BTC-PERP", "BTC", 1.0),)), without)


def test_underlyings_side_by_side_add_up() -> None:
    btc = (replace(OPTIONS[12], quantity=-2.0), Perpetual("BTC-PERP", "BTC", 1.0), Holding("ETH", 4.0))
    eth = (Perpetual("ETH-PERP", "ETH", -3.0, unrealised_pnl=1.0),)
    whole = market()
    inputs = replace(
        whole,
        spots=whole.spots | {"ETH": whole.spots["BTC"]},
        perpetuals=whole.perpetuals | {"ETH": whole.perpetuals["BTC"]},
    )
    model = PerUnderlying({"BTC": V2, "ETH": replace(V2, underlying="ETH")}, {"ETH": "BTC"})
    both = model.margin(Portfolio((*btc, *eth), 50.0), inputs)
    one = V2.margin(Portfolio(btc, 50.0), inputs)
    other = replace(V2, underlying="ETH").margin(Portfolio(eth), inputs)
    assert both.equity == pytest.approx(one.equity + other.equity)
    assert both.initial_need == pytest.approx(one.initial_need + other.initial_need)
    assert both.contributions == one.contributions | other.contributions
    order = Order(Perpetual("ETH-PERP", "ETH", -1.0), 99.0)
    account = Portfolio((*btc, *eth), 50.0)
    floor = initial_floor(model, account, [order], inputs)
    assert floor <= model.margin(filled(account, order, 1.0, inputs), inputs).initial_excess + 1e-9
    assert initial_floor(model, account, [], inputs) == pytest.approx(both.initial_excess)
    with pytest.raises(MarginPositionUnfit, match="no margin model is set"):
        model.margin(Portfolio((Perpetual("SOL-PERP", "SOL", 1.0),)), inputs)
