"""Portfolio margin, version 1: the worst of 21 scenarios and a basis contingency, per underlying.

Source: Derive v2-core, `PMRMLib.sol` (method and parameters as published; the formulae are in docs/margin.md).
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
from truetape.margin.scenarios import BasisShock, Doubt, Rules, Scenario, SkewShock, StaticDiscount, VolShock

SCENARIOS: Final = tuple(
    Scenario(spot, vol) for spot in (1.15, 1.10, 1.05, 1.0, 0.95, 0.90, 0.85) for vol in ("up", "none", "down")
)


class PortfolioV1Parameters(msgspec.Struct, frozen=True):
    """Defaults are the published ones. Shares are of the notional at the spot."""

    scenarios: tuple[Scenario, ...] = SCENARIOS
    vol: VolShock = VolShock(up=0.45, down=0.30)
    discount: StaticDiscount = StaticDiscount(long_base=0.95, long_rate_scale=4.0, long_rate_add=0.05)
    basis: BasisShock = BasisShock(up=1.05, down=0.95, add=0.25, scale=0.01)
    initial_factor: float = 1.3
    perpetual_share: float = 0.02
    base_share: float = 0.02
    option_share: float = 0.01
    """Of naked shorts."""
    doubt: Doubt = Doubt(threshold=0.6, factor=0.5)
    peg_threshold: float = 0.98
    peg_factor: float = 2.0


class PortfolioV1(msgspec.Struct, frozen=True):
    """A `truetape.margin.models.MarginModel` for one underlying; the only holding it knows is the underlying itself."""

    name: ClassVar[str] = "portfolio_v1"
    source: ClassVar[str] = "Derive v2-core, src/risk-managers/PMRMLib.sol; parameters of test/config-test.sol"
    underlying: str
    base_id: str
    """instrument_id of the underlying held as an asset; it is worth the spot."""
    parameters: PortfolioV1Parameters = PortfolioV1Parameters()

    @property
    def rules(self) -> Rules:
        """What the grid prices by."""
        ours = self.parameters
        return Rules(ours.scenarios, ours.vol, SkewShock(), ours.discount, ours.basis, is_discounted=False)

    def board(self, portfolios: tuple[Portfolio, ...], market: Market) -> Board:
        """The market of these portfolios, priced."""
        positions = [position for portfolio in portfolios for position in portfolio.positions]
        for position in positions:
            if isinstance(position, Holding) and position.instrument_id != self.base_id:
                raise MarginPositionUnfit(f"{position.instrument_id}: {self.name} margin takes only {self.base_id}")
        base = {self.base_id: market.spot(self.underlying)}
        return Board(self.underlying, positions, msgspec.structs.replace(market, collateral=base), self.rules)

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; see the interface for errors."""
        board = self.board((portfolio,), market)
        book = Book.of((portfolio,), board)
        swept = self.sweep(board, book)
        return swept.result(0, board.grid.rules, self._contributions(board, book, swept, portfolio))

    def sweep(self, board: Board, book: Book, *, together: bool = False) -> Margins:
        """Margin of every account in one pass; `together`: the rows are parts of one (`Board.confidence`)."""
        ours, spot = self.parameters, board.spot.value
        base = book.holdings.sum(axis=1)
        base_value = base * spot / board.peg
        confidence = board.confidence(book, together=together)
        options = board.grid.sweep(book.quantities, confidence, ours.doubt, together=together)
        profits = options.profits + (book.perpetuals * spot + base_value)[:, None] * board.grid.moves
        scanned = profits.min(axis=1)
        is_basis = options.basis <= scanned
        static = self._static(book, base, options.naked, spot)
        least = np.minimum(scanned, options.basis) - sum(static.values())
        doubt = (ours.doubt.share(confidence) * (np.abs(book.perpetuals) + base) + options.doubted) * spot
        value = options.value + base_value + book.unsettled
        factor = ours.initial_factor + max(ours.peg_threshold - board.peg, 0.0) * ours.peg_factor
        return Margins(
            equity=book.cash + value,
            initial_need=doubt - least * factor,
            maintenance_need=-least,
            worst=np.where(is_basis, len(ours.scenarios), profits.argmin(axis=1)),
            profits=profits,
            of_options=options,
            parts={
                "value": value,
                "scanned": scanned,
                "basis": options.basis,
                "confidence": doubt,
                "unsettled": book.unsettled,
                "factor": np.full(len(base), factor),
                **static,
            },
        )

    def _static(self, book: Book, base: Floats, naked: Floats, spot: float) -> dict[str, Floats]:
        ours = self.parameters
        return {
            "perpetual_contingency": np.abs(book.perpetuals) * ours.perpetual_share * spot,
            "base_contingency": base * ours.base_share * spot,
            "option_contingency": naked * ours.option_share * spot,
        }

    def _contributions(self, board: Board, book: Book, swept: Margins, portfolio: Portfolio) -> dict[str, float]:
        """One account's initial need by position."""
        ours, spot, grid = self.parameters, board.spot.value, board.grid
        held, size, base = book.quantities[0], float(book.perpetuals[0]), book.holdings[0]
        worst, factor = int(swept.worst[0]), float(swept.parts["factor"][0])
        is_basis = worst == len(ours.scenarios)
        moves = 0.0 if is_basis else float(grid.moves[worst])
        scanned = grid.basis_shares(held) if is_basis else grid.profit_shares(held, worst)
        confidence = board.confidence(book)
        doubt = float(ours.doubt.share(confidence)[0])
        doubted = grid.doubt_shares(held, confidence, ours.doubt)
        options = factor * (grid.naked_shares(held) * ours.option_share * spot - scanned) + doubted * spot
        perpetual = (factor * (abs(size) * ours.perpetual_share - size * moves) + doubt * abs(size)) * spot
        holdings = (factor * (ours.base_share - moves / board.peg) + doubt) * base * spot
        return by_instrument(portfolio, board, options, perpetual, holdings)
