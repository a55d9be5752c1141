"""The floor of a portfolio model's initial excess over all fills of orders; `truetape.margin.pretrade` explains it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from truetape.margin.black76 import Floats
from truetape.margin.book import Board, Book
from truetape.margin.grid import ExpirySlice
from truetape.margin.market import Market
from truetape.margin.portfolio import Portfolio
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import PortfolioV2


class _Parts(NamedTuple):
    """The account (row 0) and what each order does alone (rows 1 to n).

    The account with any part of the orders has at least the sum of the rows, each order's times what of it filled.
    """

    certain: Floats
    """[R] equity less contingencies: what counts in every scenario."""
    moving: Floats
    """[R, S] gain of what moves with the spot, times the loss factor."""
    basis: Floats
    """[R] times the loss factor."""
    factor: float


def portfolio_floor(
    model: PortfolioV1 | PortfolioV2, portfolio: Portfolio, effects: Sequence[Portfolio], market: Market
) -> float:
    """Least initial excess; `effects` are what each order adds when all of it fills."""
    rows = (portfolio, *effects)
    board = model.board(rows, market)
    book = Book.of(rows, board)
    swept = model.sweep(board, book, together=True)
    factor = float(swept.parts["factor"][0])
    least = np.minimum(swept.parts["scanned"], swept.parts["basis"])
    of_options = board.grid.sweep(book.quantities, np.ones(len(rows)), model.parameters.doubt).profits
    parts = _Parts(
        certain=swept.equity - swept.initial_need - least * factor,
        moving=(swept.profits - of_options) * factor,
        basis=swept.parts["basis"] * factor,
        factor=factor,
    )
    basis = _worst((parts.certain + parts.basis)[:, None])
    return float(np.concatenate([basis, _straight(board, book, parts), _skewed(board, book, parts)]).min())


def _worst(rows: Floats) -> Floats:
    """[S] of rows [R, S]: the account and those orders that lose."""
    return np.asarray(rows[0] + np.minimum(rows[1:], 0.0).sum(axis=0))


def _straight(board: Board, book: Book, parts: _Parts) -> Floats:
    """A floor for each scenario without skew."""
    grid = board.grid
    rows = parts.certain[:, None] + parts.moving
    for each in grid.slices:
        held = book.quantities[:, each.begin : each.end]
        marked = held @ grid.marks[each.begin : each.end]
        shocked = held @ grid.values[each.begin : each.end]
        rows += (_lower(shocked, each) - marked[:, None]) * grid.damping * parts.factor
    return _worst(rows[:, ~grid.is_skew])


def _skewed(board: Board, book: Book, parts: _Parts) -> Floats:
    """A floor for each scenario with skew, where an expiry's profit of either sign is a loss.

    Minus the absolute profit is the lower of the profit and minus the profit; both are bounded, and the lower bound
    counts, for each expiry with the orders in it.
    """
    grid = board.grid
    rows = (parts.certain[:, None] + parts.moving)[:, grid.is_skew]
    floor = _worst(np.vstack([rows[:1], rows[1:][~book.quantities[1:].any(axis=1)]]))
    for each in grid.slices:
        held = book.quantities[:, each.begin : each.end]
        marked = (held @ grid.marks[each.begin : each.end])[:, None]
        shocked = held @ grid.values[each.begin : each.end, grid.is_skew]
        inside = held[1:].any(axis=1)
        sides = []
        for profit in (_lower(shocked, each) - marked, marked - _upper(shocked, each)):
            side = profit * grid.damping[grid.is_skew] * parts.factor
            sides.append(_worst(np.vstack([side[:1], (rows + side)[1:][inside]])))
        floor += np.minimum(*sides)
    return floor


def _lower(shocked: Floats, each: ExpirySlice) -> Floats:
    """The discounted value or less, such that a sum is worth at least its parts."""
    long = min(each.long_discount, each.short_discount)
    return np.minimum(shocked * long, shocked * each.short_discount)


def _upper(shocked: Floats, each: ExpirySlice) -> Floats:
    """The discounted value or more, such that a sum is worth at most its parts: exact for the account in row 0."""
    if each.long_discount > each.short_discount:
        return np.maximum(shocked * each.long_discount, shocked * each.short_discount)
    return shocked * np.where(shocked[:1] >= 0, each.long_discount, each.short_discount)
