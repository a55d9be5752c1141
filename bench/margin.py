"""Portfolio margin of a whole book: 10 000 accounts of 50 positions under 31 scenarios, in one pass.

The market is a chain of 1 000 options and a perpetual; each account draws its 50 positions from a seed. One pass
prices the chain once per scenario, sets the quantities into rows, and sweeps all accounts; its seconds are the figure.
Then one account after one fill, on the same prices; and the book as services hold it, with published marks
(`bench/margin_accounts.py`): all assessed as money, the margin run of a clearing partition that holds all of it, and
risk's decision about an order beside five others: an account's first, and its next one at the same marks.

Baselines of the same run: the plain loop of the tests (prices every position of an account anew, in Python), and
QuantLib's Black formula for every position and scenario, both on some accounts and scaled by their number; and QuantLib
for the chain alone, in full. The pass must say what the loop says, and its prices what QuantLib says. ratio is the
loop's seconds / ours.
"""

import argparse
import random
import time
from statistics import median
from typing import Final

import numpy as np
import QuantLib

from bench import margin_accounts
from bench.stage import publish, say
from tests.unit import naive_margin
from truetape.margin.book import Board, Book
from truetape.margin.market import YEAR_SECONDS, Expiry, Market, Reading
from truetape.margin.portfolio import Option, Perpetual, Portfolio, Position
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.pricer import pricer_of
from truetape.margin.scenarios import Scenario

SEED: Final = 31_000
POSITIONS: Final = 50
SPOT: Final = 95_000.0
DAYS: Final = (1, 2, 7, 14, 30, 60, 90, 180, 270, 360)
STRIKES: Final = tuple(SPOT * (0.5 + place * 0.03) for place in range(50))
MODEL: Final = PortfolioV2("BTC")


def chain() -> list[Option]:
    """1 000 options: every day of DAYS, strike of STRIKES, call and put."""
    return [
        Option(f"BTC-{days}-{strike:.0f}-{kind}", "BTC", days * 86_400_000_000, strike, kind == "C", 0.0)
        for days in DAYS
        for strike in STRIKES
        for kind in "CP"
    ]


def market(options: list[Option]) -> Market:
    """Forwards that rise with time, a smile, and rates."""
    return Market(
        spots={"BTC": Reading(SPOT)},
        perpetuals={"BTC": Reading(SPOT * 1.0003)},
        expiries={
            ("BTC", days * 86_400_000_000): Expiry(Reading(SPOT * (1 + days / 3650)), 0.0, Reading(0.05))
            for days in DAYS
        },
        vols={each.instrument_id: Reading(0.5 + abs(each.strike / SPOT - 1) / 4) for each in options},
        stable=Reading(1.0),
    )


def accounts(options: list[Option], count: int) -> list[Portfolio]:
    """Each with a perpetual and distinct options, long and short."""
    chance = random.Random(SEED)
    made = []
    for _ in range(count):
        positions: list[Position] = [Perpetual("BTC-PERP", "BTC", chance.uniform(-5, 5), chance.uniform(-100, 100))]
        for each in chance.sample(options, POSITIONS - 1):
            size = chance.uniform(-3, 3)
            positions.append(Option(each.instrument_id, "BTC", each.expires_us, each.strike, each.is_call, size))
        made.append(Portfolio(tuple(positions), chance.uniform(0, 1e6)))
    return made


class Rows:
    """The book as a service keeps it between passes: who holds how much of which column."""

    def __init__(self, portfolios: list[Portfolio], board: Board) -> None:
        held = [
            (row, board.grid.column[option.instrument_id], option.quantity)
            for row, portfolio in enumerate(portfolios)
            for option in portfolio.options()
        ]
        self.shape = (len(portfolios), len(board.grid.options))
        rows, columns, quantities = zip(*held, strict=True)
        self.rows, self.columns, self.quantities = np.array(rows), np.array(columns), np.array(quantities)
        perpetuals = [portfolio.perpetuals()[0] for portfolio in portfolios]
        self.perpetuals = np.array([each.quantity for each in perpetuals])
        self.unsettled = np.array([each.unrealised_pnl for each in perpetuals])
        self.cash = np.array([portfolio.cash for portfolio in portfolios])

    def book(self) -> Book:
        """As rows of the grid."""
        quantities = np.zeros(self.shape)
        quantities[self.rows, self.columns] = self.quantities
        return Book(quantities, self.perpetuals, self.unsettled, np.zeros((self.shape[0], 0)), self.cash)


def passes(options: list[Option], inputs: Market, rows: Rows, rounds: int) -> dict[str, float]:
    """Seconds of the best whole pass, and of its parts."""
    found = []
    for _ in range(rounds):
        pricer_of.cache_clear()  # What is kept from the last pass would price the chain for nothing.
        begin = time.perf_counter()
        board = Board("BTC", options, inputs, MODEL.rules)
        priced = time.perf_counter()
        book = rows.book()
        placed = time.perf_counter()
        MODEL.sweep(board, book)
        end = time.perf_counter()
        found.append((end - begin, priced - begin, placed - priced, end - placed))
    return dict(zip(("pass", "price", "place", "sweep"), min(found), strict=True))


def fills(board: Board, book: Book, options: list[Option], count: int) -> list[float]:
    """Seconds of each of so many fills: one account's row changed and margined again."""
    chance = random.Random(SEED + 1)
    spent = []
    for _ in range(count):
        row, each = chance.randrange(len(book.cash)), chance.choice(options)
        fill = Option(each.instrument_id, "BTC", each.expires_us, each.strike, each.is_call, chance.uniform(-1, 1))
        begin = time.perf_counter()
        book.add(row, fill, board)
        MODEL.sweep(board, book.row(row))
        spent.append(time.perf_counter() - begin)
    return sorted(spent)


def loop(portfolios: list[Portfolio], inputs: Market, board: Board, book: Book) -> float:
    """Seconds of the plain loop over some accounts; asserts that the pass says the same of them."""
    swept = MODEL.sweep(board, Book(*(column[: len(portfolios)] for column in book)))
    begin = time.perf_counter()
    found = [naive_margin.margin(MODEL, portfolio, inputs) for portfolio in portfolios]
    seconds = time.perf_counter() - begin
    np.testing.assert_allclose(np.array([each[0] for each in found]), swept.equity, rtol=1e-9)
    np.testing.assert_allclose(np.array([each[1] for each in found]), swept.initial_need, rtol=1e-9)
    np.testing.assert_allclose(np.array([each[2] for each in found]), swept.maintenance_need, rtol=1e-9)
    return seconds


def quantlib(options: list[Option], inputs: Market) -> tuple[float, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Seconds of QuantLib's formula for these options in every scenario, and the values [options, scenarios].

    The shocked forwards and volatilities are computed before the clock starts.
    """
    calls = []
    for option in options:
        seconds = inputs.seconds_to(option.expires_us)
        forward = inputs.expiry("BTC", option.expires_us).forward.value
        discount = float(np.exp(-0.05 * seconds / YEAR_SECONDS))
        kind = QuantLib.Option.Call if option.is_call else QuantLib.Option.Put
        for scenario in MODEL.parameters.scenarios:
            deviation = _vol(option, inputs, scenario, forward, seconds) * (seconds / YEAR_SECONDS) ** 0.5
            moved = forward if scenario.is_skew else forward * scenario.spot
            calls.append((kind, option.strike, moved, deviation, discount))
    price = QuantLib.blackFormula
    begin = time.perf_counter()
    values = [price(*call) for call in calls]
    seconds = time.perf_counter() - begin
    return seconds, np.array(values).reshape(len(options), -1)


def _vol(option: Option, inputs: Market, scenario: Scenario, forward: float, seconds: float) -> float:
    moneyness = float(np.log(option.strike / forward))
    return naive_margin.shocked_vol(MODEL, scenario, inputs.vol(option.instrument_id).value, seconds, moneyness)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the accounts")
    parser.add_argument("--accounts", type=int, default=0, help="how many (default 10 000, quick 1 000)")
    options = parser.parse_args()
    count = options.accounts or (1_000 if options.quick else 10_000)
    listed, sample = chain(), 5 if options.quick else 40
    inputs = market(listed)
    portfolios = accounts(listed, count)
    board = Board("BTC", listed, inputs, MODEL.rules)
    rows = Rows(portfolios, board)
    say(f"{count} accounts x {POSITIONS} positions, {len(listed)} options, {len(MODEL.parameters.scenarios)} scenarios")
    seconds = passes(listed, inputs, rows, 2 if options.quick else 5)
    say(f"one pass: {seconds['pass']:.3f} s")
    book = rows.book()
    looped = loop(portfolios[:sample], inputs, board, book) * count / sample
    say(f"plain loop: {looped:.1f} s (of {sample} accounts, scaled)")
    chained, values = quantlib(list(board.grid.options), inputs)
    np.testing.assert_allclose(board.grid.values, values, rtol=1e-9, atol=1e-9 * SPOT)
    held, _ = quantlib([each for portfolio in portfolios[:sample] for each in portfolio.options()], inputs)
    spent = fills(board, book, listed, 100 if options.quick else 1_000)
    accounted = margin_accounts.figures(listed, inputs, portfolios, options.quick)
    work = count * POSITIONS * len(MODEL.parameters.scenarios)
    publish(
        "margin",
        {
            "accounts": count,
            "positions": count * POSITIONS,
            "scenarios": len(MODEL.parameters.scenarios),
            "pass_seconds": round(seconds["pass"], 4),
            "price_seconds": round(seconds["price"], 4),
            "place_seconds": round(seconds["place"], 4),
            "sweep_seconds": round(seconds["sweep"], 4),
            "position_scenarios_per_second": round(work / seconds["pass"]),
            "fill_ms_median": round(median(spent) * 1e3, 3),
            "fill_ms_p99": round(spent[int(len(spent) * 0.99)] * 1e3, 3),
            **accounted,
        },
        {
            "what": f"plain loop and QuantLib over {sample} accounts, scaled; QuantLib for the chain in full",
            "loop_seconds": round(looped, 1),
            "quantlib_positions_seconds": round(held * count / sample, 1),
            "quantlib_chain_seconds": round(chained, 4),
        },
        looped / seconds["pass"],
    )


if __name__ == "__main__":
    main()
