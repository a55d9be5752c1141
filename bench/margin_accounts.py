"""The same book as accounts with integer positions and published marks: all of them assessed, and one order decided."""

import random
import time
from statistics import median
from typing import Final

from services.risk import margin as risk
from services.risk.account import Account as RiskAccount
from services.risk.account import Reservation
from truetape import messages as m
from truetape.margin.account import Account, assess_all
from truetape.margin.classed import Held
from truetape.margin.market import Market
from truetape.margin.portfolio import Option, Portfolio
from truetape.margin.published import Published
from truetape.margin.spreads import option_value
from truetape.marks import Marks
from truetape.money import ONE_E8
from truetape.reference import Reference

PERPETUAL: Final = "BTC-PERP"
OPEN_ORDERS: Final = 5
META: Final = m.Meta(1, 1, m.Cause("bench", 0, 0, ""), 0, "", "")


def published(options: list[Option], inputs: Market) -> Published:
    """Contracts of one class on 1 BTC, marked at the model's values."""
    instruments, newest = {}, {}
    prices = {each.instrument_id: each for each in options}
    for name in (PERPETUAL, *prices):
        option = prices.get(name)
        terms = m.ContractTerms(
            kind="OPTION" if option else "PERPETUAL", style="LINEAR", multiplier_e8=ONE_E8, settlement_asset="USDT",
            index="BTC-USDT", delivery="CASH", margin_class="house", initial_rate_e8=10**7, maintenance_rate_e8=10**6,
            funding_cap_rate_e8=0 if option else 10**6, funding_interval_us=0 if option else 28_800_000_000,
            settlement_fee_rate_e8=0, liquidation_fee_rate_e8=0, mark_max_age_us=10**9,
            expires_at_us=option.expires_us if option else None,
            strike_e8=round(option.strike * ONE_E8) if option else None,
            option_type=("CALL" if option.is_call else "PUT") if option else None,
        )  # fmt: skip
        instruments[name] = m.Instrument(name, "BTC", "USDT", 1, 1, 1, 10**18, 0, 10**18, True, (), terms)
        one = Option(name, "BTC", option.expires_us, option.strike, option.is_call, 1.0) if option else None
        newest[name] = _mark(name, option_value(one, inputs) if one else inputs.perpetual("BTC").value)
    newest["BTC-USDT"] = _mark("BTC-USDT", inputs.spot("BTC").value)
    classes = {"house": m.MarginClass("house", "portfolio_v2", 1, "{}", 5 * 10**6)}
    return Published(Marks(newest), Reference(instruments, margin_classes=classes), 0)


def _mark(name: str, price: float) -> m.MarkPublished:
    price_e8 = round(price * ONE_E8)
    return m.MarkPublished(META, name, price_e8, price_e8, price_e8, "bench", 1, 0, 0)


def held(portfolio: Portfolio) -> Account:
    """An account with the positions of a portfolio."""
    positions = {each.instrument_id: Held(round(each.quantity * ONE_E8), 0, 0) for each in portfolio.positions}
    return Account({"USDT": round(portfolio.cash * ONE_E8)}, positions)


def assessing(portfolios: list[Portfolio], seen: Published, rounds: int) -> float:
    """Seconds of the best pass over all accounts, each with its needs as money."""
    accounts = {str(place): held(portfolio) for place, portfolio in enumerate(portfolios)}
    spent = []
    for _ in range(rounds):
        begin = time.perf_counter()
        found = assess_all(accounts, seen)
        spent.append(time.perf_counter() - begin)
    assert all(isinstance(each, dict) for each in found.values()), "every account can be margined"
    return min(spent)


def ordering(portfolios: list[Portfolio], seen: Published, count: int) -> list[float]:
    """Seconds of each of so many decisions: an order beside OPEN_ORDERS others, in an account of many positions."""
    chance = random.Random(1)
    names = sorted(seen.reference.instruments)
    spent = []
    for portfolio in portfolios[:count]:
        account = held(portfolio)
        orders = {str(place): _order(place, chance.choice(names), seen) for place in range(OPEN_ORDERS)}
        asked = RiskAccount(dict(account.balances), dict(account.positions), reservations=orders)
        name = chance.choice(names)
        price_e8 = seen.marks.newest[name].price_e8
        begin = time.perf_counter()
        risk.order_margin(asked, seen.reference.instruments[name], "BUY", ONE_E8, price_e8, 50_000, seen)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)


def _order(place: int, name: str, seen: Published) -> Reservation:
    limit_e8 = seen.marks.newest[name].price_e8
    return Reservation(place, name, "USDT", place % 2 == 0, limit_e8, 50_000, ONE_E8, 0, contract=True)


def figures(options: list[Option], inputs: Market, portfolios: list[Portfolio], quick: bool) -> dict[str, float]:
    """All of them."""
    seen = published(options, inputs)
    orders = ordering(portfolios, seen, 50 if quick else 200)
    return {
        "assess_all_seconds": round(assessing(portfolios, seen, 1 if quick else 3), 3),
        "order_ms_median": round(median(orders) * 1e3, 2),
        "order_ms_p99": round(orders[int(len(orders) * 0.99)] * 1e3, 2),
    }
