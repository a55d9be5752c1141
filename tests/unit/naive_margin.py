"""Portfolio margin version 2 as one reads it in docs/margin.md: plain loops over floats, nothing shared with the grid.

The tests hold the vectorised model to it; `bench.margin` measures it as the straightforward way.
"""

import math

from truetape.margin.market import YEAR_SECONDS, Market
from truetape.margin.portfolio import Holding, Option, Perpetual, Portfolio
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.scenarios import Scenario

SAME = Scenario(1.0, "none")


def normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def black(forward: float, strike: float, deviation: float, is_call: bool) -> float:
    if deviation == 0:
        return max(forward - strike, 0.0) if is_call else max(strike - forward, 0.0)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    d2 = d1 - deviation
    if is_call:
        return forward * normal(d1) - strike * normal(d2)
    return strike * normal(-d2) - forward * normal(-d1)


def shocked_vol(model: PortfolioV2, scenario: Scenario, vol: float, seconds: float, moneyness: float) -> float:
    ours = model.parameters
    up, down = ours.vol.multipliers(seconds)
    match scenario.vol:
        case "none":
            return vol
        case "up":
            return max(vol * up, ours.vol.floor_up)
        case "down":
            return vol * down
        case skew:
            linear, absolute, k_star = ours.skew.shape(seconds)
            cap = linear if skew == "linear" else absolute
            k = moneyness if skew == "linear" else abs(moneyness)
            tilt = min(cap, k * cap / k_star) if k >= 0 else max(-cap, k * cap / k_star)
            return vol * max(1 + tilt, 0.0)


def option_value(model: PortfolioV2, option: Option, market: Market, scenario: Scenario) -> float:
    expiry = market.expiry(option.underlying, option.expires_us)
    seconds = market.seconds_to(option.expires_us)
    moved = 1.0 if scenario.is_skew else scenario.spot
    moneyness = math.log(option.strike / (expiry.forward.value + expiry.fixed))
    vol = shocked_vol(model, scenario, market.vol(option.instrument_id).value, seconds, moneyness)
    forward = expiry.forward.value * moved + expiry.fixed
    rate = max(market.rate(option.underlying, option.expires_us).value, 0.0)
    deviation = vol * math.sqrt(seconds / YEAR_SECONDS)
    return black(forward, option.strike, deviation, option.is_call) * math.exp(-rate * seconds / YEAR_SECONDS)


def margin(model: PortfolioV2, portfolio: Portfolio, market: Market) -> tuple[float, float, float]:
    """(equity, initial need, maintenance need) of one account."""
    ours = model.parameters
    spot, peg = market.spot(model.underlying), market.peg().value
    size = sum(each.quantity for each in portfolio.positions if isinstance(each, Perpetual))
    unsettled = sum(each.unrealised_pnl + each.unsettled_funding for each in portfolio.perpetuals())
    mark = market.perpetual(model.underlying) if size else spot
    trust = min(spot.confidence, mark.confidence)
    expiries: dict[int, list[Option]] = {}
    for option in portfolio.options():
        expiries.setdefault(option.expires_us, []).append(option)
    marks = {expires_us: _worth(model, options, market, SAME) for expires_us, options in expiries.items()}
    profits = [
        sum(_profit(model, options, market, scenario, marks[each]) for each, options in expiries.items())
        + (size * mark.value + _cancelling(model, portfolio, market) / peg) * (scenario.spot - 1) * scenario.damping
        for scenario in ours.scenarios
    ]
    basis = sum(_basis(model, options, market, marks[each]) for each, options in expiries.items())
    maintenance = abs(size) * spot.value * ours.perpetual_maintenance
    addition = abs(size) * spot.value * (ours.perpetual_initial + _doubt(model, trust))
    value = sum(marks.values())
    for options in expiries.values():
        naked = _naked(options)
        maintenance += naked * spot.value * ours.option_maintenance
        addition += naked * spot.value * ours.option_initial
        feeds = market.expiry(options[0].underlying, options[0].expires_us)
        least = min(trust, feeds.forward.confidence, market.rate(model.underlying, options[0].expires_us).confidence)
        least = min(least, *(market.vol(option.instrument_id).confidence for option in options))
        addition += _doubt(model, least) * spot.value * sum(abs(option.quantity) for option in options)
    for holding in portfolio.holdings():
        price, terms = market.price(holding.instrument_id), ours.collateral[holding.instrument_id]
        worth = holding.quantity * price.value / peg
        value += worth
        maintenance += worth * terms.maintenance_haircut
        addition += worth * (terms.initial_haircut + _doubt(model, min(spot.confidence, price.confidence)))
    least_profit = min([basis, *profits])
    factor = ours.initial_factor + max(ours.peg_threshold - peg, 0) * ours.peg_factor
    equity = portfolio.cash + value + unsettled
    return equity, maintenance + addition - least_profit * factor, maintenance - least_profit * ours.maintenance_factor


def _cancelling(model: PortfolioV2, portfolio: Portfolio, market: Market) -> float:
    def moves(holding: Holding) -> bool:
        return model.parameters.collateral[holding.instrument_id].is_cancelling

    return sum(each.quantity * market.price(each.instrument_id).value for each in portfolio.holdings() if moves(each))


def _worth(model: PortfolioV2, options: list[Option], market: Market, scenario: Scenario) -> float:
    return sum(each.quantity * option_value(model, each, market, scenario) for each in options)


def _profit(model: PortfolioV2, options: list[Option], market: Market, scenario: Scenario, marked: float) -> float:
    shocked = _worth(model, options, market, scenario)
    seconds = market.seconds_to(options[0].expires_us)
    rate = max(market.rate(model.underlying, options[0].expires_us).value, 0.0)
    long, short = model.parameters.discount.factors(rate, seconds, math.exp(-rate * seconds / YEAR_SECONDS))
    profit = (shocked * (long if shocked >= 0 else short) - marked) * scenario.damping
    return -abs(profit) if scenario.is_skew else profit


def _basis(model: PortfolioV2, options: list[Option], market: Market, marked: float) -> float:
    shock = model.parameters.basis
    losses = [_worth(model, options, market, Scenario(spot, "none")) - marked for spot in (shock.up, shock.down)]
    return min(0.0, *losses) * shock.share(market.seconds_to(options[0].expires_us))


def _naked(options: list[Option]) -> float:
    nets: dict[float, float] = {}
    for option in options:
        nets[option.strike] = nets.get(option.strike, 0.0) + option.quantity
    return sum(max(-net, 0.0) for net in nets.values())


def _doubt(model: PortfolioV2, confidence: float) -> float:
    doubt = model.parameters.doubt
    return (1 - confidence) * doubt.factor if confidence < doubt.threshold else 0.0
