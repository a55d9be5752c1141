"""The same book as services hold it, in integers: all accounts assessed, clearing's margin run, risk's decisions."""

import random
import time
from statistics import median
from typing import Final

from services.clearing.booking import ledger
from services.clearing.booking.contracts import Held as Kept
from services.clearing.margining import marginrun
from services.clearing.state import Account as ClearingAccount
from services.clearing.state import State
from services.risk.account import Account as RiskAccount
from services.risk.account import Reservation
from services.risk.account import State as RiskState
from services.risk.core import SERVICE as RISK
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
from truetape.service import Input, Tables, Tick
from truetape.topics import CLEARING_ENTRIES, ORDERS_COMMANDS, ORDERS_DECISIONS

PERPETUAL: Final = "BTC-PERP"
OPEN_ORDERS: Final = 5
RICH_E8: Final = 10**9 * ONE_E8
POOR_EVERY: Final = 100
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
    """CPU seconds of the best pass over all accounts, each with its needs as money."""
    accounts = {str(place): held(portfolio) for place, portfolio in enumerate(portfolios)}
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        found = assess_all(accounts, seen)
        spent.append(time.process_time() - begin)
    assert all(isinstance(each, dict) for each in found.values()), "every account can be margined"
    return min(spent)


def running(portfolios: list[Portfolio], seen: Published, rounds: int) -> float:
    """CPU seconds of the best margin run of a clearing partition with these accounts. All have the margin that they
    need but one in a hundred, who are looked at exactly."""
    state = State()
    for place, portfolio in enumerate(portfolios):
        account, account_id = held(portfolio), f"account-{place}"
        state.balances[ledger.client(account_id)] = {"USDT": 0 if place % POOR_EVERY == 0 else RICH_E8}
        state.accounts[account_id] = ClearingAccount(
            positions={name: m.Position(name, one.quantity_e8, 0, 0) for name, one in account.positions.items()},
            contracts={name: Kept() for name in account.positions},
        )
    given = Input(Tick(0), m.Cause("timer", 0, -1, "bench"), 0, CLEARING_ENTRIES.name, 1, 1, tables(seen))
    spent = []
    for _ in range(rounds):
        begin = time.process_time()
        found = marginrun.run(state, given, Tick(0))
        spent.append(time.process_time() - begin)
    assert found is not None and found.margined == len(portfolios), "the run margins all accounts"
    assert all(int(one.account_id.removeprefix("account-")) % POOR_EVERY == 0 for one in found.listed), found.listed
    return min(spent)


def deciding(portfolios: list[Portfolio], seen: Published) -> tuple[list[float], list[float]]:
    """CPU seconds of risk's decisions about orders beside OPEN_ORDERS others, in accounts of many positions: the first
    one of each account, and the next one at the same marks."""
    chance, marks = random.Random(1), seen.marks.newest
    names = [name for name in sorted(seen.reference.instruments) if marks[name].price_e8 > ONE_E8]
    first, later = list[float](), list[float]()
    seen.reference.accounts.update({str(place): "bench" for place in range(len(portfolios))})
    for place, portfolio in enumerate(portfolios):
        account, state = held(portfolio), RiskState()
        orders = {str(number): _order(number, chance.choice(names), seen) for number in range(OPEN_ORDERS)}
        state.accounts[str(place)] = RiskAccount({"USDT": RICH_E8}, dict(account.positions), reservations=orders)
        name = chance.choice(names)
        for spent in (first, later):
            spent.append(_decided(state, str(place), name, len(spent), seen))
    return sorted(first), sorted(later)


def _decided(state: RiskState, account_id: str, name: str, number: int, seen: Published) -> float:
    """CPU seconds of a decision that accepts."""
    price_e8 = seen.marks.newest[name].price_e8
    terms = m.OrderTerms(
        f"order-{number}", account_id, str(number), name, "BUY", "LIMIT", "GTC", False, ONE_E8, price_e8
    )
    command = m.SubmitOrder(terms, "key", 0)
    given = Input(command, m.Cause(ORDERS_COMMANDS.name, 0, number, ""), 0, ORDERS_DECISIONS.name, 1, 1, tables(seen))
    begin = time.process_time()
    found = RISK.decide(state, given)
    spent = time.process_time() - begin
    assert isinstance(found, m.OrderAccepted), found
    assert found.margin is not None and found.margin.model, "a portfolio model margins it"
    return spent


def tables(seen: Published) -> Tables:
    """What services see."""
    return Tables(seen.reference, seen.marks)


def _order(place: int, name: str, seen: Published) -> Reservation:
    limit_e8 = seen.marks.newest[name].price_e8
    return Reservation(place, name, "USDT", place % 2 == 0, limit_e8, 50_000, ONE_E8, 0, contract=True)


def figures(options: list[Option], inputs: Market, portfolios: list[Portfolio], quick: bool) -> dict[str, float]:
    """All of them."""
    seen = published(options, inputs)
    first, later = deciding(portfolios[: 50 if quick else 200], seen)
    return {
        "assess_all_cpu_seconds": round(assessing(portfolios, seen, 1 if quick else 3), 3),
        "margin_run_cpu_seconds": round(running(portfolios, seen, 2 if quick else 5), 3),
        "order_first_cpu_ms_median": round(median(first) * 1e3, 2),
        "order_first_cpu_ms_p99": round(first[int(len(first) * 0.99)] * 1e3, 2),
        "order_cpu_ms_median": round(median(later) * 1e3, 2),
        "order_cpu_ms_p99": round(later[int(len(later) * 0.99)] * 1e3, 2),
    }
