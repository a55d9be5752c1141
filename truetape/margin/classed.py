"""Needs of positions whose margin class names a model: all of one class and settlement asset, of one account or many.

Models compute needs in floats; what positions are worth is counted in integers, at the published marks. Where the marks
say more than the model (it counts nothing for bought options, or a mark implies no volatility), the need is raised by
that, so that equity less need is neither above the model's excess nor above what the marks say.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from truetape.contracts import profit, value
from truetape.errors import MarginError
from truetape.margin.black76 import Bools, Floats, Ints
from truetape.margin.book import Board, Book
from truetape.margin.classes import model_of
from truetape.margin.combined import PerUnderlying
from truetape.margin.doubt import price_of
from truetape.margin.market import Reading
from truetape.margin.models import MarginModel, MarginResult, to_money_e8
from truetape.margin.portfolio import Future, Holding, Option, Perpetual, Portfolio, Position
from truetape.margin.portfolio_floor import Floors
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import Collateral, PortfolioV2
from truetape.margin.pretrade import Order, filled, initial_floor
from truetape.margin.published import MarkUsed, Published
from truetape.margin.quoted import E8, Quoted, market_of, payoff, quoted
from truetape.margin.risk_arrays import RiskArrayMargin
from truetape.margin.spreads import option_value
from truetape.margin.standard import StandardMargin
from truetape.messages import CollateralAsset, MarginClass
from truetape.money import ONE_E8

SCANNED: Final = (PortfolioV1.name, PortfolioV2.name)
"""Models of one underlying, which margin many accounts in one pass and shock collateral with the positions on it."""
E16: Final = ONE_E8**2
NOISE: Final = 1e-9
"""A difference of two floats below this part of them is none."""
GUARD: Final = 1e-10
"""Part of the gross notional by which a floor is lowered for what floats may be wrong by."""
FILL_ROUNDING: Final = 1e-7
"""Money by which a floor is lowered for each order, since each of its fills is rounded."""


class Held(Struct, frozen=True, array_like=True, gc=False):
    """A position in a contract as clearing has it."""

    quantity_e8: int
    cost_e8: int
    unpaid_e8: int
    """Profit realised or accrued and not yet paid in cash."""


class OpenOrder(NamedTuple):
    """What can still fill of an order: signed contracts, its limit, and the most that all its fees can be."""

    name: str
    quantity_e8: int
    limit_e8: int
    fee_e8: int


class Coin(NamedTuple):
    """Collateral that a portfolio model takes as a position: the underlying itself."""

    terms: CollateralAsset
    quantity_e8: int
    used: MarkUsed

    @property
    def worth_e8(self) -> int:
        """At its mark, rounded down."""
        return self.quantity_e8 * self.used.price_e8 // ONE_E8


class Need(NamedTuple):
    """What one class says of an account's positions in one settlement asset."""

    gains_e8: int
    """What they are worth beyond their cost, and profit not yet paid."""
    coins_e8: int
    """What the collateral is worth that the model took."""
    initial_e8: int
    maintenance_e8: int
    worst: str
    contributions: dict[str, int]
    scenarios: dict[str, float]


class ClassBook:
    """The contracts of one class that settle in one asset, at their marks, and the model that margins them.

    Raises MarginError where a mark is missing or a price cannot be.
    """

    def __init__(self, named: MarginClass, names: Iterable[str], seen: Published, coins: Sequence[Coin] = ()) -> None:
        self.named, self.lines = named, dict[str, Quoted]()
        for name in sorted(names):
            terms = seen.terms_of(name)
            assert terms is not None, "positions are in contracts"
            self.lines[name] = quoted(name, terms, named, seen)
        self.market, self.marks = market_of(list(self.lines.values()), named, seen, _readings(coins))
        self._sizes = {name: line.size for name, line in self.lines.items()}
        self.place = {name: place for place, name in enumerate(self.lines)}
        self.units: Floats = np.array([line.unit for line in self.lines.values()], dtype=np.float64)
        self._options = {name for name, line in self.lines.items() if line.is_option}
        self._unsure = {name for name in self._options if self._is_unsure(name)}
        """Options whose mark may say something else than the model."""
        self._boards: dict[tuple[str, bool], Board] = {}
        self._off: dict[str, Floats] = {}
        self._layouts: dict[str, tuple[Ints, Bools]] = {}
        bases = sorted({line.base for line in self.lines.values()})
        models = {base: model_of(named.model, named.parameters, base) for base in bases}
        self.model: MarginModel = models[bases[0]]
        if named.model in SCANNED:
            haircuts = {coin.terms.asset: coin.terms.haircut_e8 / E8 for coin in coins}
            shocked = {base: _shocking(model, haircuts) for base, model in models.items()}
            self.model = PerUnderlying(shocked, homes={asset: asset for asset in haircuts if asset in bases})

    # -- what positions are worth, in integers ------------------------------------------------------------------------

    def worth_e8(self, name: str, quantity_e8: int) -> int:
        """What a position is worth at the mark, rounded down."""
        size = self._sizes[name]
        return self.lines[name].worth_e8(quantity_e8) if size is None else quantity_e8 * size // E16

    def gain_e8(self, name: str, held: Held) -> int:
        """What a position has gained and not been paid; all that an option is worth, since it was paid for."""
        worth_e8 = self.worth_e8(name, held.quantity_e8)
        return held.unpaid_e8 + (worth_e8 if name in self._options else worth_e8 - held.cost_e8)

    def gains_e8(self, positions: Mapping[str, Held]) -> int:
        """All of them."""
        worth_e8 = [self.worth_e8(name, held.quantity_e8) for name, held in positions.items()]
        paid_e8 = [0 if name in self._options else held.cost_e8 for name, held in positions.items()]
        return sum(worth_e8) - sum(paid_e8) + sum([held.unpaid_e8 for held in positions.values()])

    def _options_e8(self, positions: Mapping[str, Held]) -> int:
        return sum(self.worth_e8(name, one.quantity_e8) for name, one in positions.items() if name in self._options)

    # -- one account --------------------------------------------------------------------------------------------------

    def need(self, positions: Mapping[str, Held], coins: Sequence[Coin] = ()) -> Need:
        """Margin of one account. Raises MarginError."""
        gains = {name: self.gain_e8(name, held) for name, held in positions.items()}
        result = self.model.margin(self._portfolio(positions, coins, gains), self.market)
        unsettled = sum(gain_e8 for name, gain_e8 in gains.items() if not self.lines[name].is_option) / E8
        return self._counted(positions, coins, replace(result, equity=result.equity - unsettled), sum(gains.values()))

    def _counted(
        self, positions: Mapping[str, Held], coins: Sequence[Coin], result: MarginResult, gains_e8: int
    ) -> Need:
        """A model's result as money; its equity is that of options and collateral alone."""
        coins_e8 = sum(coin.worth_e8 for coin in coins)
        marked = (self._options_e8(positions) + coins_e8) / E8
        beyond = marked - result.equity
        beyond = beyond if beyond > NOISE * max(abs(marked), 1.0) else 0.0
        initial_e8 = to_money_e8(result.initial_need + beyond, owed=True)
        return Need(
            gains_e8,
            coins_e8,
            initial_e8,
            to_money_e8(result.maintenance_need + beyond, owed=True),
            result.worst,
            summing(result.contributions, initial_e8),
            result.scenarios,
        )

    def floor_e8(self, positions: Mapping[str, Held], coins: Sequence[Coin], orders: Sequence[OpenOrder]) -> int:
        """What gains and coins exceed the initial need by at least, whatever part of the orders fills at their limits.

        Raises MarginError.
        """
        return self.floors_e8(positions, coins, orders, [len(orders)])[0]

    def floors_e8(
        self, positions: Mapping[str, Held], coins: Sequence[Coin], orders: Sequence[OpenOrder], counts: Sequence[int]
    ) -> list[int]:
        """The same of the first so many orders, for each of the counts."""
        asked = [self._order(order) for order in orders]
        least = self._scanned if isinstance(self.model, PerUnderlying) else self._tried
        certain_e8 = sum([held.unpaid_e8 for held in positions.values()])
        certain_e8 += sum([
            self.worth_e8(name, held.quantity_e8) - held.cost_e8
            for name, held in positions.items() if name not in self._options
        ])  # fmt: skip
        floors = zip(counts, least(positions, coins, asked, counts), strict=True)
        return [certain_e8 + to_money_e8(floor - FILL_ROUNDING * count, owed=False) for count, floor in floors]

    def _tried(
        self, positions: Mapping[str, Held], coins: Sequence[Coin], orders: Sequence[Order], counts: Sequence[int]
    ) -> list[float]:
        """Floors of a model that takes one account at a time, less what floats may be wrong by.

        The marks count where they say less than the model; a gain of one position does not pay for another.
        """
        portfolio = self._portfolio(positions, coins)
        found = []
        for count in counts:
            least = initial_floor(self.model, portfolio, orders[:count], self.market)
            touched = [*portfolio.positions, *(order.position for order in orders[:count])]
            least += sum(min(self._beyond(position), 0.0) for position in touched)
            found.append(least - GUARD * sum(map(self._gross, touched)))
        return found

    def _scanned(
        self, positions: Mapping[str, Held], coins: Sequence[Coin], orders: Sequence[Order], counts: Sequence[int]
    ) -> list[float]:
        """The same of models of one underlying each."""
        assert isinstance(self.model, PerUnderlying)
        rows, found = Rows.of(self, (positions,), (coins,)), [0.0] * len(counts)
        homes = [self.model.home(order.position) for order in orders]
        for base, model in self.model.models.items():
            assert isinstance(model, PortfolioV1 | PortfolioV2), "SCANNED names them"
            own = [order for order, home in zip(orders, homes, strict=True) if home == base]
            board, book = rows.book(base, model, [filled(Portfolio(), order, 1.0, self.market) for order in own])
            floors = Floors(model, board, book)
            if base not in self._off:
                self._off[base] = self._beyond_of(board)
            beyond = np.minimum(book.quantities * self._off[base], 0.0).sum(axis=1)
            size = np.abs(book.quantities).sum(axis=1) + np.abs(book.perpetuals)
            less = beyond - GUARD * (size * max(board.spot.value, 1.0) + book.holdings @ board.unit_prices)
            for place, count in enumerate(counts):
                of_these = homes[:count].count(base)
                found[place] += floors.least(of_these) + float(less[: of_these + 1].sum())
        return found

    def _beyond_of(self, board: Board) -> Floats:
        """[I] what the mark of an option says beyond the model, where the model has not taken it from the mark."""
        names = [option.instrument_id for option in board.grid.options]
        marked = np.array([self.lines[name].unit_price for name in names], dtype=np.float64)
        off = marked - board.grid.marks
        counts = np.array([name in self._unsure for name in names], dtype=np.bool_) & (np.abs(off) > NOISE * marked)
        return np.where(counts, off, 0.0)

    def board(self, base: str, model: PortfolioV1 | PortfolioV2, with_coin: bool) -> Board:
        """One underlying's market, priced; with the underlying as collateral, or without."""
        found = self._boards.get((base, with_coin))
        if found is None:
            shapes: list[Position] = [line.position(0) for line in self.lines.values() if line.base == base]
            shapes += [Holding(base, 0.0)] if with_coin else []
            found = self._boards[base, with_coin] = model.board((Portfolio(tuple(shapes)),), self.market)
        return found

    def layout(self, base: str, board: Board) -> tuple[Ints, Bools]:
        """By the place of each line: its column in the board's grid (-1: none), and whether it is a perpetual on it."""
        found = self._layouts.get(base)
        if found is None:
            columns = np.array([board.grid.column.get(name, -1) for name in self.lines], dtype=np.int64)
            lines = self.lines.values()
            perpetual = np.array([line.base == base and line.terms.kind == "PERPETUAL" for line in lines])
            found = self._layouts[base] = columns, perpetual
        return found

    def _portfolio(
        self, positions: Mapping[str, Held], coins: Sequence[Coin], gains: Mapping[str, int] | None = None
    ) -> Portfolio:
        held: list[Position] = [
            self.lines[name].position(one.quantity_e8, gains[name] if gains else 0) for name, one in positions.items()
        ]
        held += [Holding(coin.terms.asset, coin.quantity_e8 / E8) for coin in coins if coin.quantity_e8]
        return Portfolio(tuple(held))

    def _order(self, order: OpenOrder) -> Order:
        """An order as models see it: at the price that its contracts cost, rounded against the account for each."""
        line = self.lines[order.name]
        position = line.position(order.quantity_e8)
        one_e8 = ONE_E8 if order.quantity_e8 > 0 else -ONE_E8
        per_contract = line.unit * one_e8
        if line.is_option:
            price = value(payoff(line.terms), one_e8, order.limit_e8, "up") / per_contract
        else:
            assert isinstance(position, Perpetual | Future), "it is no option"
            gained_e8 = profit(payoff(line.terms), one_e8, order.limit_e8, line.used.price_e8, "down")
            price = price_of(position, self.market).value - gained_e8 / per_contract
        return Order(position, price, order.fee_e8 / E8)

    def _is_unsure(self, name: str) -> bool:
        return self.named.model == RiskArrayMargin.name or not self.market.vol(name).confidence

    def _beyond(self, position: Position) -> float:
        """What an option's mark says beyond the model's value of it."""
        if not isinstance(position, Option):
            return 0.0
        if position.instrument_id not in self._unsure:
            return 0.0
        marked = position.quantity * self.lines[position.instrument_id].unit_price
        modelled = self._modelled(position)
        return marked - modelled if abs(marked - modelled) > NOISE * abs(marked) else 0.0

    def _modelled(self, position: Option) -> float:
        """What the model takes an option position to be worth."""
        if self.named.model != StandardMargin.name:
            return self.model.margin(Portfolio((position,)), self.market).equity
        return option_value(position, self.market)

    def _gross(self, position: Position) -> float:
        if isinstance(position, Holding):
            return abs(position.quantity) * self.market.price(position.instrument_id).value
        return abs(position.quantity) * max(self.market.spot(position.underlying).value, 1.0)

    # -- all accounts -------------------------------------------------------------------------------------------------

    def needs(
        self, accounts: Sequence[Mapping[str, Held]], coins: Sequence[Sequence[Coin]]
    ) -> list["Need | MarginError"]:
        """Margin of many accounts: one pass for the models that can, without each position's part."""
        if isinstance(self.model, PerUnderlying):
            return list(self._swept(self.model, accounts, coins))
        found: list[Need | MarginError] = []
        for positions, own in zip(accounts, coins, strict=True):
            try:
                found.append(self.need(positions, own))
            except MarginError as error:
                found.append(error)
        return found

    def _swept(
        self, model: PerUnderlying, accounts: Sequence[Mapping[str, Held]], coins: Sequence[Sequence[Coin]]
    ) -> Iterable[Need]:
        totals, worst = self.sweep(Rows.of(self, accounts, coins))
        for row, (equity, initial, maintenance) in enumerate(totals.T.tolist()):
            result = MarginResult(equity, initial, maintenance, "; ".join(worst[row]) or "nothing held")
            yield self._counted(accounts[row], coins[row], result, self.gains_e8(accounts[row]))

    def sweep(self, rows: "Rows") -> tuple[Floats, list[list[str]]]:
        """[3, A] equity of options and collateral, initial and maintenance need, in floats; and what decides each
        account's need. Of models in SCANNED alone."""
        assert isinstance(self.model, PerUnderlying), "SCANNED names them"
        totals = np.zeros((3, rows.count))
        worst: list[list[str]] = [[] for _ in range(rows.count)]
        for base, one in self.model.models.items():
            assert isinstance(one, PortfolioV1 | PortfolioV2), "SCANNED names them"
            board, book = rows.book(base, one)
            swept = one.sweep(board, book)
            totals += np.stack([swept.equity, swept.initial_need, swept.maintenance_need])
            names = [*(scenario.name for scenario in board.grid.rules.scenarios), "basis"]
            held = (book.quantities != 0).any(axis=1) | (book.perpetuals != 0) | (book.holdings != 0).any(axis=1)
            for row, place in zip(np.flatnonzero(held).tolist(), swept.worst[held].tolist(), strict=True):
                worst[row].append(f"{base} {names[place]}")
        return totals, worst


class Rows:
    """Many accounts' positions of one class as columns: whose, of what, how many contracts."""

    def __init__(
        self, book: ClassBook, rows: Ints, columns: Ints, quantities: Floats, coins: Sequence[Sequence[Coin]]
    ) -> None:
        """`columns` are places in `book.place`, `coins` those of each account."""
        self.of_class, self.coins, self.count = book, coins, len(coins)
        self.rows, self.columns, self.quantities = rows, columns, quantities * book.units[columns]

    @staticmethod
    def of(book: ClassBook, accounts: Sequence[Mapping[str, Held]], coins: Sequence[Sequence[Coin]]) -> "Rows":
        """Those of accounts."""
        columns = [book.place[name] for positions in accounts for name in positions]
        quantities = [held.quantity_e8 for positions in accounts for held in positions.values()]
        rows = np.repeat(np.arange(len(accounts)), list(map(len, accounts)))
        contracts = np.array(quantities, dtype=np.float64) / E8
        return Rows(book, rows, np.array(columns, dtype=np.int64), contracts, coins)

    def book(
        self, base: str, model: PortfolioV1 | PortfolioV2, effects: Sequence[Portfolio] = ()
    ) -> tuple[Board, Book]:
        """One underlying's market and all accounts' rows in it; behind them what orders do, a row each."""
        coins = [(row, coin) for row, own in enumerate(self.coins) for coin in own if coin.terms.asset == base]
        board = self.of_class.board(base, model, bool(coins))
        book = Book.empty(self.count + len(effects), board)
        columns, perpetual = self.of_class.layout(base, board)
        columns = columns[self.columns]
        chosen, own = columns >= 0, perpetual[self.columns]
        book.quantities[self.rows[chosen], columns[chosen]] = self.quantities[chosen]
        book.perpetuals[: self.count] = np.bincount(self.rows[own], self.quantities[own], self.count)
        for row, coin in coins:
            book.holdings[row, 0] = coin.quantity_e8 / E8
        for row, effect in enumerate(effects, self.count):
            book.cash[row] = effect.cash
            for position in effect.positions:
                book.add(row, position, board)
        return board, book


def _readings(coins: Sequence[Coin]) -> dict[str, Reading]:
    return {coin.terms.asset: Reading(coin.used.price_e8 / E8, 0.0 if coin.used.stale else 1.0) for coin in coins}


def _shocking(model: MarginModel, haircuts: Mapping[str, float]) -> MarginModel:
    """The model with collateral that cancels risk at the haircut of its terms, where its own parameters say none."""
    if not isinstance(model, PortfolioV2):
        return model
    listed = {asset: Collateral(haircut, 0.0, is_cancelling=True) for asset, haircut in haircuts.items()}
    return replace(model, parameters=replace(model.parameters, collateral=listed | model.parameters.collateral))


def summing(shares: Mapping[str, float], whole_e8: int) -> dict[str, int]:
    """Each position's share of a need as money; the largest takes what rounding leaves, so that they sum to it."""
    parts = {name: round(share * ONE_E8) for name, share in shares.items()}
    if parts:
        largest = max(parts, key=lambda name: parts[name])
        parts[largest] += whole_e8 - sum(parts.values())
    return parts
