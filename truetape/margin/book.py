"""Many accounts as arrays: the rows that portfolio margin sweeps at once, and the market that it sweeps them with."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from truetape.errors import MarginInputMissing, MarginPositionUnfit
from truetape.margin.black76 import Floats
from truetape.margin.grid import Grid, Swept
from truetape.margin.market import Market, Reading
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Holding, Option, Perpetual, Portfolio, Position
from truetape.margin.scenarios import Rules


class Board:
    """One underlying's market, checked once: the grid of its options, spot, perpetual, peg and collateral prices."""

    def __init__(self, underlying: str, positions: Iterable[Position], market: Market, rules: Rules) -> None:
        self.underlying = underlying
        known = [position for position in positions if _fits(position, underlying)]
        self.grid = Grid((each for each in known if isinstance(each, Option)), market, rules)
        self.spot = market.spot(underlying)
        self.peg = market.peg().value
        self._perpetual = market.perpetual(underlying) if underlying in market.perpetuals else None
        self.holding_ids = tuple(dict.fromkeys(each.instrument_id for each in known if isinstance(each, Holding)))
        self.holding = {instrument_id: place for place, instrument_id in enumerate(self.holding_ids)}
        prices = [market.price(instrument_id) for instrument_id in self.holding_ids]
        self.unit_prices: Floats = np.array([price.value for price in prices], dtype=np.float64)
        self.holding_confidence: Floats = np.array([price.confidence for price in prices], dtype=np.float64)

    def perpetual(self, is_needed: bool) -> Reading:
        """The perpetual's price; its absence matters only where one is held."""
        if self._perpetual is None:
            if is_needed:
                raise MarginInputMissing(f"no perpetual price of {self.underlying}: publish it, or halt the account")
            return Reading(0.0)
        return self._perpetual

    def confidence(self, book: "Book", *, together: bool = False) -> Floats:
        """[A] of the spot, and of the perpetual where one is held.

        `together`: the rows are parts of one account, so what one holds lowers the confidence of all. Otherwise each
        row is an account, and raises MarginPositionUnfit when it has a negative holding.
        """
        if not together and (book.holdings < 0).any():
            raise MarginPositionUnfit("a negative holding: borrowed collateral has no margin; book it as owed cash")
        held = book.perpetuals != 0
        perpetual = self.perpetual(bool(held.any()))
        return np.where(
            held | (together and held.any()), min(self.spot.confidence, perpetual.confidence), self.spot.confidence
        )


class Book(NamedTuple):
    """A accounts: quantities of the grid's I options and the board's H holdings, perpetuals, and cash."""

    quantities: Floats
    """[A, I]"""
    perpetuals: Floats
    """[A]"""
    unsettled: Floats
    """[A] profit and funding of perpetuals not yet in cash."""
    holdings: Floats
    """[A, H]"""
    cash: Floats
    """[A]"""

    @staticmethod
    def of(portfolios: Sequence[Portfolio], board: Board) -> "Book":
        """One row per portfolio. What the board has not seen must not be held: KeyError is a bug of the caller."""
        book = Book.empty(len(portfolios), board)
        book.cash[:] = [portfolio.cash for portfolio in portfolios]
        for row, portfolio in enumerate(portfolios):
            for position in portfolio.positions:
                book.add(row, position, board)
        return book

    @staticmethod
    def empty(accounts: int, board: Board) -> "Book":
        """So many accounts without anything."""
        return Book(
            np.zeros((accounts, len(board.grid.options))),
            np.zeros(accounts),
            np.zeros(accounts),
            np.zeros((accounts, len(board.holding_ids))),
            np.zeros(accounts),
        )

    def add(self, row: int, position: Position, board: Board) -> None:
        """Add one position, or what a fill changed of it, to an account."""
        match position:
            case Option():
                self.quantities[row, board.grid.column[position.instrument_id]] += position.quantity
            case Perpetual():
                self.perpetuals[row] += position.quantity
                self.unsettled[row] += position.unrealised_pnl + position.unsettled_funding
            case Holding():
                self.holdings[row, board.holding[position.instrument_id]] += position.quantity
            case Future():
                _fits(position, board.underlying)

    def row(self, place: int) -> "Book":
        """One account alone; a view, so later fills show."""
        one = slice(place, place + 1)
        return Book(*(column[one] for column in self))


class Margins(NamedTuple):
    """What a sweep says of A accounts; see `truetape.margin.models.MarginResult` for the meaning of each."""

    equity: Floats
    initial_need: Floats
    maintenance_need: Floats
    worst: Floats
    """[A] index of the scenario that decides; the number of scenarios where it is the basis."""
    profits: Floats
    """[A, S]"""
    of_options: Swept
    """What options have of it."""
    parts: dict[str, Floats]
    """Each [A]."""

    def result(self, row: int, rules: Rules, contributions: dict[str, float]) -> MarginResult:
        """One account's result."""
        names = [scenario.name for scenario in rules.scenarios]
        profits = dict(zip(names, self.profits[row].tolist(), strict=True))
        return MarginResult(
            equity=float(self.equity[row]),
            initial_need=float(self.initial_need[row]),
            maintenance_need=float(self.maintenance_need[row]),
            worst=[*names, "basis"][int(self.worst[row])],
            scenarios=profits | {"basis": float(self.parts["basis"][row])},
            parts={name: float(part[row]) for name, part in self.parts.items()},
            contributions=contributions,
        )


def by_instrument(
    portfolio: Portfolio, board: Board, options: Floats, perpetual: float, holdings: Floats
) -> dict[str, float]:
    """Needs of the grid's options [I], of all perpetuals and of the holdings [H] by the instruments of a portfolio."""
    size = sum(position.quantity for position in portfolio.perpetuals())
    needs: dict[str, float] = {}
    for position in portfolio.positions:
        name = position.instrument_id
        match position:
            case Option():
                needs[name] = float(options[board.grid.column[name]])
            case Perpetual():
                share = position.quantity / size if size else 0.0
                needs[name] = needs.get(name, 0.0) + perpetual * share
            case Holding():
                needs[name] = float(holdings[board.holding[name]])
            case Future():
                _fits(position, board.underlying)
    return needs


def _fits(position: Position, underlying: str) -> bool:
    match position:
        case Future():
            raise MarginPositionUnfit(f"{position.instrument_id}: portfolio margin has no dated futures")
        case Option() | Perpetual() if position.underlying != underlying:
            raise MarginPositionUnfit(
                f"{position.instrument_id} is on {position.underlying}, this model's book on {underlying}; "
                "use one model per underlying"
            )
        case _:
            return True
