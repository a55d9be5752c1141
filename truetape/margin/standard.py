"""Standard margin: per expiry the better of isolated and bounded margin; perpetuals and holdings by themselves.

Source: Derive v2-core, `StandardManager.sol` (method and parameters as published; the formulae are in docs/margin.md).
All underlyings of an account are margined side by side, without offsets between them.
"""

from collections import defaultdict
from typing import ClassVar, NamedTuple

import msgspec
import numpy as np

from truetape.errors import MarginPositionUnfit
from truetape.margin import black76
from truetape.margin.black76 import Floats
from truetape.margin.market import YEAR_SECONDS, Market
from truetape.margin.models import MarginResult
from truetape.margin.portfolio import Future, Holding, Option, Perpetual, Portfolio, netted


class StandardParameters(msgspec.Struct, frozen=True):
    """Parameters of all underlyings; shares are of the spot unless said otherwise."""

    perpetual_initial: float = 0.065
    perpetual_maintenance: float = 0.05
    """Shares of the perpetual's notional."""
    option_initial_most: float = 0.15
    option_initial_least: float = 0.10
    """Initial need of a short option at the money, and what remains of it far out of the money."""
    call_maintenance: float = 0.075
    put_maintenance: float = 0.075
    put_maintenance_of_value: float = 0.075
    """Maintenance of a short put is the larger of a share of the spot and this share of its value."""
    put_initial_of_maintenance: float = 1.05
    unpaired_initial: float = 1.2
    unpaired_maintenance: float = 1.1
    """Times the forward: what a call sold beyond those bought needs under bounded margin."""
    holding_factors: dict[str, float] = {}
    """Share of a holding's value that counts, by its instrument_id."""
    perpetual_confidence: float = 0.4
    option_confidence: float = 0.4
    holding_confidence: float = 0.4
    """Below this confidence the contingency applies; 0 turns it off."""
    confidence_factor: float = 0.4
    peg_threshold: float = 0.98
    peg_factor: float = 1.2


class _Piece(NamedTuple):
    """What one position or expiry adds. `shares` is its part of the initial need by instrument."""

    equity: float
    initial: float
    maintenance: float
    shares: dict[str, float]
    parts: dict[str, float]
    worst: str = ""


class StandardMargin(msgspec.Struct, frozen=True):
    """The standard model of `truetape.margin.models.MarginModel`."""

    name: ClassVar[str] = "standard"
    source: ClassVar[str] = "Derive v2-core, src/risk-managers/StandardManager.sol; parameters of test/config-test.sol"
    parameters: StandardParameters = StandardParameters()

    def margin(self, portfolio: Portfolio, market: Market) -> MarginResult:
        """Margin of one account; see the interface for errors."""
        pieces = self._pieces(portfolio, market)
        parts: dict[str, float] = defaultdict(float)
        shares: dict[str, float] = defaultdict(float)
        for piece in pieces:
            for name, amount in piece.parts.items():
                parts[name] += amount
            for instrument_id, amount in piece.shares.items():
                shares[instrument_id] += amount
        heaviest = max(pieces, key=lambda piece: piece.initial, default=None)
        return MarginResult(
            equity=portfolio.cash + sum(piece.equity for piece in pieces),
            initial_need=sum(piece.initial for piece in pieces),
            maintenance_need=sum(piece.maintenance for piece in pieces),
            worst=heaviest.worst if heaviest else "nothing held",
            parts=dict(parts),
            contributions=dict(shares),
        )

    def _pieces(self, portfolio: Portfolio, market: Market) -> list[_Piece]:
        pieces: list[_Piece] = []
        by_expiry: dict[tuple[str, int], list[Option]] = defaultdict(list)
        for position in netted(portfolio.positions):
            match position:
                case Option():
                    by_expiry[position.underlying, position.expires_us].append(position)
                case Perpetual():
                    pieces.append(self._perpetual(position, market))
                case Holding():
                    pieces.append(self._holding(position, market))
                case Future():
                    raise MarginPositionUnfit(f"{position.instrument_id}: {self.name} margin has no dated futures")
        pieces.extend(self._expiry(options, market) for options in by_expiry.values())
        return pieces

    def _perpetual(self, position: Perpetual, market: Market) -> _Piece:
        """Shares of the notional; initial also for doubtful prices and a broken peg. The index price scales those."""
        ours, spot, mark = self.parameters, market.spot(position.underlying), market.perpetual(position.underlying)
        size = abs(position.quantity)
        notional = size * mark.value
        doubt = _doubt(ours, min(mark.confidence, spot.confidence), ours.perpetual_confidence) * spot.value * size
        peg = _peg(ours, market) * spot.value * size
        unsettled = position.unrealised_pnl + position.unsettled_funding
        initial = notional * ours.perpetual_initial + doubt + peg
        return _Piece(
            equity=unsettled,
            initial=initial,
            maintenance=notional * ours.perpetual_maintenance,
            shares={position.instrument_id: initial},
            parts={
                "perpetual_initial": notional * ours.perpetual_initial,
                "perpetual_maintenance": notional * ours.perpetual_maintenance,
                "unsettled": unsettled,
                "confidence": doubt,
                "peg": peg,
            },
            worst=f"{position.instrument_id}: share of notional",
        )

    def _holding(self, position: Holding, market: Market) -> _Piece:
        """Counts for a share of its value; what does not count is the need of holding it."""
        ours, price = self.parameters, market.price(position.instrument_id)
        if position.quantity < 0:
            raise MarginPositionUnfit(f"{position.instrument_id}: {self.name} margin has no borrowed holdings")
        worth = position.quantity * price.value
        counted = worth * ours.holding_factors.get(position.instrument_id, 0.0)
        equity = worth / market.peg().value
        doubt = _doubt(ours, price.confidence, ours.holding_confidence) * worth
        return _Piece(
            equity=equity,
            initial=equity - counted + doubt,
            maintenance=equity - counted,
            shares={position.instrument_id: equity - counted + doubt},
            parts={"holdings_counted": counted, "holdings": equity, "confidence": doubt},
            worst=f"{position.instrument_id}: share that does not count",
        )

    def _expiry(self, options: list[Option], market: Market) -> _Piece:
        """All options of one underlying and expiry."""
        ours, expiry = self.parameters, ExpiryMargin(self.parameters, options, market)
        underlying = expiry.underlying
        initial, how = expiry.margin(is_initial=True)
        maintenance, _ = expiry.margin(is_initial=False)
        needs = expiry.values - initial + expiry.per_short * expiry.shorts
        return _Piece(
            equity=float(expiry.values.sum()),
            initial=float(needs.sum()),
            maintenance=float((expiry.values - maintenance).sum()),
            shares={option.instrument_id: float(need) for option, need in zip(options, needs, strict=True)},
            parts={
                "option_value": float(expiry.values.sum()),
                f"option_initial:{underlying}": float(initial.sum()),
                f"option_maintenance:{underlying}": float(maintenance.sum()),
                f"option_isolated_initial:{underlying}": float(expiry.isolated(is_initial=True).sum()),
                f"option_isolated_maintenance:{underlying}": float(expiry.isolated(is_initial=False).sum()),
                f"option_bounded_initial:{underlying}": float(expiry.bounded(ours.unpaired_initial)[0].sum()),
                f"option_bounded_maintenance:{underlying}": float(expiry.bounded(ours.unpaired_maintenance)[0].sum()),
                "confidence": expiry.doubt * float(expiry.shorts.sum()),
                "peg": expiry.peg * float(expiry.shorts.sum()),
            },
            worst=f"{underlying} {expiry.expires_us}: {how}",
        )


def _doubt(ours: StandardParameters, confidence: float, threshold: float) -> float:
    return (1 - confidence) * ours.confidence_factor if confidence < threshold else 0.0


def _peg(ours: StandardParameters, market: Market) -> float:
    return max(ours.peg_threshold - market.peg().value, 0.0) * ours.peg_factor


class ExpiryMargin:
    """The options of one underlying and expiry as arrays; margins are negative where margin is needed."""

    def __init__(self, ours: StandardParameters, options: list[Option], market: Market) -> None:
        self.ours = ours
        self.underlying, self.expires_us = options[0].underlying, options[0].expires_us
        spot, expiry = market.spot(self.underlying), market.expiry(self.underlying, self.expires_us)
        vols = [market.vol(option.instrument_id) for option in options]
        confidence = min(spot.confidence, expiry.forward.confidence, *(vol.confidence for vol in vols))
        self.spot, self.forward = spot.value, expiry.fixed + expiry.forward.value
        self.doubt = _doubt(ours, confidence, ours.option_confidence) * self.spot
        self.peg = _peg(ours, market) * self.spot
        self.per_short = self.doubt + self.peg
        """Initial need of each option sold, for doubtful inputs and a broken peg."""
        self.strikes: Floats = np.array([option.strike for option in options], dtype=np.float64)
        self.is_call = np.array([option.is_call for option in options])
        self.quantities: Floats = np.array([option.quantity for option in options], dtype=np.float64)
        self.shorts = np.maximum(-self.quantities, 0.0)
        deviations = np.array([vol.value for vol in vols]) * np.sqrt(market.seconds_to(self.expires_us) / YEAR_SECONDS)
        self.values = black76.value(self.forward, self.strikes, deviations, self.is_call) * self.quantities
        self.settlements = np.unique(np.append(self.strikes, 0.0))
        """The settlement prices where the payoff of the whole can be least: 0 and every strike."""
        self.payoffs = np.maximum(np.where(self.is_call, 1.0, -1.0) * (self.settlements[:, None] - self.strikes), 0.0)
        """[settlements, options] of one option each."""

    def margin(self, *, is_initial: bool) -> tuple[Floats, str]:
        """The better of both ways for each position, and its name."""
        ours = self.ours
        isolated = self.isolated(is_initial=is_initial)
        bounded, price = self.bounded(ours.unpaired_initial if is_initial else ours.unpaired_maintenance)
        if isolated.sum() >= bounded.sum():
            return isolated, "isolated"
        return bounded, f"settled at {price:.12g}"

    def isolated(self, *, is_initial: bool) -> Floats:
        """Each short for itself; a long needs nothing and helps nothing."""
        ours, shorts, values = self.ours, -self.shorts, self.values
        puts = np.minimum(ours.put_maintenance * self.spot * shorts, ours.put_maintenance_of_value * values) + values
        maintenance = np.where(self.is_call, ours.call_maintenance * self.spot * shorts + values, puts)
        if is_initial:
            out = np.where(self.is_call, self.strikes - self.spot, self.spot - self.strikes) / self.spot
            share = np.maximum(ours.option_initial_most - np.maximum(out, 0.0), ours.option_initial_least)
            initial = share * self.spot * shorts + values
            floor = np.where(self.is_call, np.inf, maintenance * ours.put_initial_of_maintenance)
            return np.where(self.quantities < 0, np.minimum(initial, floor), 0.0)
        return np.where(self.quantities < 0, maintenance, 0.0)

    def bounded(self, unpaired: float) -> tuple[Floats, float]:
        """The largest loss at expiry over settlement prices 0 and every strike; calls sold in excess cost extra."""
        payoffs = self.payoffs * self.quantities
        worst = int(payoffs.sum(axis=1).argmin())
        losses = payoffs[worst] if payoffs[worst].sum() < 0 else np.zeros_like(self.quantities)
        calls = np.where(self.is_call, self.quantities, 0.0)
        if calls.sum() < 0:
            losses = losses + unpaired * self.forward * calls
        return losses, float(self.settlements[worst])
