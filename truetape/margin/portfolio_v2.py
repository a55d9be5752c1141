"""Portfolio margin, version 2: 23 scenarios, 6 damped tails, 2 of skew, and a basis contingency, per underlying.

Source: Derive v2-core, `PMRMLib_2.sol` (method and parameters as published; the formulae are in docs/margin.md).
"""

from typing import ClassVar, Final

import msgspec
import numpy as np

from truetape.errors import MarginPositionUnfit
from truetape.margin.black76 import Floats
from truetape.margin.book import Board, Book, Margins, by_instrument
from truetape.margin.market import Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Holding, Portfolio
from truetape.margin.scenarios import BasisShock, Doubt, Rules, Scenario, Shock, SkewShock, StaticDiscount, VolShock

_ALL: Final[tuple[Shock, ...]] = ("down", "none", "up")
REGULAR: Final = (
    Scenario(1.18, "up"),
    *(Scenario(spot, vol) for spot in (1.135, 1.09, 1.045, 1.0, 0.955, 0.91, 0.865) for vol in _ALL),
    Scenario(0.82, "up"),
)
TAILS: Final = tuple(Scenario(1 + move, "up", 0.036 / abs(move)) for move in (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0))
"""The further the move, the smaller the part of the loss that counts: 3.6 points of the spot in all."""
SKEWS: Final = (Scenario(1.0, "linear"), Scenario(1.0, "abs"))


class Collateral(msgspec.Struct, frozen=True):
    """How one holding counts: haircuts of its value."""

    maintenance_haircut: float
    initial_haircut: float
    """On top of the maintenance haircut, for initial margin only."""
    is_cancelling: bool = False
    """Whether it moves with the spot in the scenarios and so cancels risk."""


class PortfolioV2Parameters(msgspec.Struct, frozen=True):
    """Defaults are the published ones. Shares are of the notional at the spot."""

    scenarios: tuple[Scenario, ...] = REGULAR + TAILS + SKEWS
    vol: VolShock = VolShock(up=0.5, down=0.275, floor_up=0.45)
    skew: SkewShock = SkewShock()
    discount: StaticDiscount = StaticDiscount(
        long_base=0.95,
        long_rate_scale=1.0,
        long_rate_add=0.08,
        short_base=1.04,
        short_rate_scale=0.5,
        short_rate_add=0.08,
    )
    basis: BasisShock = BasisShock(up=1.045, down=0.955, add=0.5, scale=2.0)
    initial_factor: float = 1.0
    maintenance_factor: float = 0.8
    perpetual_maintenance: float = 0.015
    perpetual_initial: float = 0.005
    option_maintenance: float = 0.003
    option_initial: float = 0.002
    """Of naked shorts. What is called initial comes on top of the maintenance share."""
    doubt: Doubt = Doubt(threshold=0.55, factor=1.0)
    peg_threshold: float = 0.98
    peg_factor: float = 2.0
    collateral: dict[str, Collateral] = {}
    """By instrument_id; what is not listed is no collateral."""


class PortfolioV2(msgspec.Struct, frozen=True):
    """A `truetape.margin.models.MarginModel` for one underlying."""

    name: ClassVar[str] = "portfolio_v2"
    source: ClassVar[str] = "Derive v2-core, src/risk-managers/PMRMLib_2.sol; parameters of its published cases"
    underlying: str
    parameters: PortfolioV2Parameters = PortfolioV2Parameters()

    @property
    def rules(self) -> Rules:
        """What the grid prices by."""
        ours = self.parameters
        return Rules(ours.scenarios, ours.vol, ours.skew, ours.discount, ours.basis, is_discounted=True)

    def board(self, portfolios: tuple[Portfolio, ...], market: Market) -> Board:
        """The market of these portfolios, priced."""
        positions = [position for portfolio in portfolios for position in portfolio.positions]
        for position in positions:
            if isinstance(position, Holding) and position.instrument_id not in self.parameters.collateral:
                raise MarginPositionUnfit(f"{position.instrument_id} is no collateral of {self.name} margin")
        return Board(self.underlying, positions, market, self.rules)

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; see the interface for errors."""
        board = self.board((portfolio,), market)
        book = Book.of((portfolio,), board)
        swept = self.sweep(board, book)
        return swept.result(0, board.grid.rules, self._contributions(board, book, swept, portfolio))

    def sweep(self, board: Board, book: Book, *, together: bool = False) -> Margins:
        """Margin of every account in one pass; `together`: the rows are parts of one (`Board.confidence`)."""
        ours = self.parameters
        perpetual = board.perpetual(bool(book.perpetuals.any()))
        values = book.holdings * (board.unit_prices / board.peg)
        confidence = board.confidence(book, together=together)
        options = board.grid.sweep(book.quantities, confidence, ours.doubt, together=together)
        moving = book.perpetuals * perpetual.value + values @ self._terms(board)[:, 2]
        profits = options.profits + moving[:, None] * board.grid.moves
        scanned = profits.min(axis=1)
        least = np.minimum(scanned, options.basis)
        parts = self._contingencies(board, book, values, confidence, options.naked) | {
            "scanned": scanned,
            "basis": options.basis,
            "options": options.value,
            "holdings": values.sum(axis=1),
            "unsettled": book.unsettled,
        }
        parts["confidence"] += options.doubted * board.spot.value
        contingency = parts["perpetual_maintenance"] + parts["option_maintenance"] + parts["holding_maintenance"]
        addition = parts["perpetual_initial"] + parts["option_initial"] + parts["holding_initial"] + parts["confidence"]
        factor = ours.initial_factor + max(ours.peg_threshold - board.peg, 0.0) * ours.peg_factor
        return Margins(
            equity=book.cash + parts["options"] + parts["holdings"] + parts["unsettled"],
            initial_need=contingency + addition - least * factor,
            maintenance_need=contingency - least * ours.maintenance_factor,
            worst=np.where(options.basis <= scanned, len(ours.scenarios), profits.argmin(axis=1)),
            profits=profits,
            of_options=options,
            parts=parts | {"factor": np.full(len(least), factor)},
        )

    def _contingencies(
        self, board: Board, book: Book, values: Floats, confidence: Floats, naked: Floats
    ) -> dict[str, Floats]:
        """[A] each: what is needed beside the scenarios, for maintenance and additionally for initial margin."""
        ours, spot, terms = self.parameters, board.spot.value, self._terms(board)
        notional = np.abs(book.perpetuals) * spot
        trust = np.minimum(board.spot.confidence, board.holding_confidence)
        return {
            "perpetual_maintenance": notional * ours.perpetual_maintenance,
            "perpetual_initial": notional * ours.perpetual_initial,
            "option_maintenance": naked * spot * ours.option_maintenance,
            "option_initial": naked * spot * ours.option_initial,
            "holding_maintenance": values @ terms[:, 0],
            "holding_initial": values @ terms[:, 1],
            "confidence": ours.doubt.share(confidence) * notional + values @ ours.doubt.share(trust),
        }

    def _terms(self, board: Board) -> Floats:
        """[H, 3] maintenance haircut, initial haircut, and 1 where the holding cancels risk."""
        known = [self.parameters.collateral[instrument_id] for instrument_id in board.holding_ids]
        rows = [(each.maintenance_haircut, each.initial_haircut, each.is_cancelling) for each in known]
        return np.array(rows, dtype=np.float64).reshape(-1, 3)

    def _contributions(self, board: Board, book: Book, swept: Margins, portfolio: Portfolio) -> dict[str, float]:
        """One account's initial need by position."""
        ours, spot, grid, terms = self.parameters, board.spot.value, board.grid, self._terms(board)
        held, size = book.quantities[0], float(book.perpetuals[0])
        worst, factor = int(swept.worst[0]), float(swept.parts["factor"][0])
        is_basis = worst == len(ours.scenarios)
        moves = 0.0 if is_basis else float(grid.moves[worst])
        scanned = grid.basis_shares(held) if is_basis else grid.profit_shares(held, worst)
        confidence = board.confidence(book)
        doubted = grid.doubt_shares(held, confidence, ours.doubt)
        naked = grid.naked_shares(held) * (ours.option_maintenance + ours.option_initial)
        options = (naked + doubted) * spot - scanned * factor
        share = ours.perpetual_maintenance + ours.perpetual_initial + float(ours.doubt.share(confidence)[0])
        perpetual = abs(size) * spot * share - factor * moves * size * board.perpetual(bool(size)).value
        trust = np.minimum(board.spot.confidence, board.holding_confidence)
        values = book.holdings[0] * (board.unit_prices / board.peg)
        holdings = values * (terms[:, 0] + terms[:, 1] + ours.doubt.share(trust) - factor * moves * terms[:, 2])
        return by_instrument(portfolio, board, options, perpetual, holdings)
