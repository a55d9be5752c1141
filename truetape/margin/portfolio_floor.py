"""The floor of a portfolio model's initial excess over all fills of orders; `truetape.margin.pretrade` explains it."""

from collections.abc import Sequence

import numpy as np

from truetape.margin.black76 import Floats
from truetape.margin.book import Board, Book
from truetape.margin.grid import Grid
from truetape.margin.market import Market
from truetape.margin.portfolio import Portfolio
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import PortfolioV2


def portfolio_floor(
    model: PortfolioV1 | PortfolioV2, portfolio: Portfolio, effects: Sequence[Portfolio], market: Market
) -> float:
    """Least initial excess; `effects` are what each order adds when all of it fills."""
    rows = (portfolio, *effects)
    board = model.board(rows, market)
    return Floors(model, board, Book.of(rows, board)).least(len(effects))


class Floors:
    """The account (row 0 of R) and what each order does alone (rows 1 to n), in S scenarios and E expiries.

    The account with any part of the orders has at least the sum of the rows, each order's times what of it filled.
    """

    def __init__(self, model: PortfolioV1 | PortfolioV2, board: Board, book: Book) -> None:
        grid = board.grid
        swept = model.sweep(board, book, together=True)
        factor = float(swept.parts["factor"][0])
        least = np.minimum(swept.parts["scanned"], swept.parts["basis"])
        certain = swept.equity - swept.initial_need - least * factor
        """[R] equity less contingencies: what counts in every scenario."""
        moving = certain[:, None] + (swept.profits - swept.of_options.profits) * factor
        """[R, S] with the gain of what moves with the spot, times the loss factor."""
        self._basis = (certain + swept.parts["basis"] * factor)[:, None]
        worth = swept.of_options.worth or grid.worth(book.quantities)
        weights = grid.damping * factor
        lower = _lower(worth.shocked, grid) - worth.marked
        self._straight = (moving + (lower * weights).sum(axis=0))[:, ~grid.is_skew]
        """[R, S] in the scenarios without skew."""
        self._moving = moving[:, grid.is_skew]
        self._sides: list[Floats] = []
        """Of the scenarios with skew: [E, R, S] profit of options, and minus it."""
        if grid.is_skew.any():
            upper = worth.marked - _upper(worth.shocked[:, :, grid.is_skew], grid)
            self._sides = [lower[:, :, grid.is_skew] * weights[grid.is_skew], upper * weights[grid.is_skew]]
        held = book.quantities[1:] != 0
        begins = [each.begin for each in grid.slices]
        self._inside = np.logical_or.reduceat(held, begins, axis=1).T[:, :, None] if begins else held.T[:, :, None]
        """[E, n, 1] whether an order is in an expiry."""
        self._alone = ~held.any(axis=1)

    def least(self, orders: int) -> float:
        """Least initial excess, whatever fills of so many orders, the first ones."""
        end = orders + 1
        floors = [_worst(self._basis[:end]), _worst(self._straight[:end])]
        if self._sides:
            floors.append(self._skewed(end))
        return float(min(floor.min(initial=np.inf) for floor in floors))

    def _skewed(self, end: int) -> Floats:
        """[S] a floor for each scenario with skew, where an expiry's profit of either sign is a loss.

        Minus the absolute profit is the lower of the profit and minus the profit; both are bounded, and the lower bound
        counts, for each expiry with the orders in it.
        """
        moving, inside = self._moving[1:end], self._inside[:, : end - 1]
        floor = self._moving[0] + np.minimum(moving[self._alone[: end - 1]], 0.0).sum(axis=0)
        sides = [side[:, 0] + (np.minimum(moving + side[:, 1:end], 0.0) * inside).sum(axis=1) for side in self._sides]
        return np.asarray(floor + np.minimum(*sides).sum(axis=0))


def _worst(rows: Floats) -> Floats:
    """[S] of rows [R, S]: the account and those orders that lose."""
    return np.asarray(rows[0] + np.minimum(rows[1:], 0.0).sum(axis=0))


def _lower(shocked: Floats, grid: Grid) -> Floats:
    """The discounted value or less, such that a sum is worth at least its parts."""
    return np.minimum(shocked * np.minimum(grid.longs, grid.shorts), shocked * grid.shorts)


def _upper(shocked: Floats, grid: Grid) -> Floats:
    """The discounted value or more, such that a sum is worth at most its parts: exact for the account in row 0."""
    signed = shocked * np.where(shocked[:, :1] >= 0, grid.longs, grid.shorts)
    return np.where(grid.longs > grid.shorts, np.maximum(shocked * grid.longs, shocked * grid.shorts), signed)
