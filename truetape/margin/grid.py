"""Options priced once under every scenario, and the sweep that makes each account's profits of them.

A grid holds each distinct option; an account is a row of quantities. What is linear (values) becomes one matrix product
per expiry; what is not (discounts by sign, skew, basis, naked shorts) is exact, per account and expiry, in numpy.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np

from truetape.errors import MarginPositionUnfit
from truetape.margin import black76
from truetape.margin.black76 import Floats
from truetape.margin.market import YEAR_SECONDS, Market
from truetape.margin.portfolio import Option
from truetape.margin.scenarios import Doubt, Rules, Shock


class ExpirySlice(NamedTuple):
    """The columns of one expiry and what is the same for all its options."""

    begin: int
    end: int
    long_discount: float
    short_discount: float
    basis_share: float
    confidence: float
    """Of the forward and the rate."""
    vol_confidence: float
    """The least of its options' volatilities."""


class Swept(NamedTuple):
    """What the options of each account (A of them) do in each scenario (S of them)."""

    value: Floats
    """[A] at the marks."""
    profits: Floats
    """[A, S], discounted and damped."""
    basis: Floats
    """[A], zero or negative."""
    naked: Floats
    """[A] short options not covered by a long one of the same expiry and strike."""
    doubted: Floats
    """[A] gross quantity times the contingency's share for inputs of low confidence."""


class Grid:
    """The distinct options of one underlying, sorted by expiry, strike and kind, with their values by scenario."""

    def __init__(self, options: Iterable[Option], market: Market, rules: Rules) -> None:
        distinct = {option.instrument_id: option for option in options}
        self.options = tuple(sorted(distinct.values(), key=lambda each: (each.expires_us, each.strike, each.is_call)))
        self.column = {option.instrument_id: place for place, option in enumerate(self.options)}
        self.rules = rules
        for option in self.options:
            if not (math.isfinite(option.strike) and option.strike > 0):
                raise MarginPositionUnfit(f"{option.instrument_id}: an option's strike is a positive price")
        vols = [market.vol(option.instrument_id) for option in self.options]
        self.vol_confidence: Floats = np.array([vol.confidence for vol in vols], dtype=np.float64)
        self.is_skew = np.array([scenario.is_skew for scenario in rules.scenarios])
        self.damping = np.array([scenario.damping for scenario in rules.scenarios])
        self.moves = np.array([scenario.spot - 1 for scenario in rules.scenarios]) * self.damping
        """[S] what a unit of value that moves with the spot gains, damped."""
        columns = _Columns(self.options, market, rules, np.array([vol.value for vol in vols], dtype=np.float64))
        self.marks = columns.price(1.0, "none")
        self.values = np.column_stack([columns.price(each.spot, each.vol) for each in rules.scenarios])
        self.basis = np.column_stack([columns.price(shock, "none") for shock in (rules.basis.up, rules.basis.down)])
        self.slices = tuple(self._slices(market, columns.discounts))
        self.strike_begins = _begins([(option.expires_us, option.strike) for option in self.options])

    def _slices(self, market: Market, discounts: Floats) -> Iterable[ExpirySlice]:
        begins = _begins([option.expires_us for option in self.options])
        for begin, end in _runs(begins, len(self.options)):
            option = self.options[begin]
            seconds = market.seconds_to(option.expires_us)
            rate = market.rate(option.underlying, option.expires_us)
            forward = market.expiry(option.underlying, option.expires_us).forward
            factors = self.rules.discount.factors(max(rate.value, 0.0), seconds, float(discounts[begin]))
            yield ExpirySlice(
                begin,
                end,
                *factors,
                basis_share=self.rules.basis.share(seconds),
                confidence=min(forward.confidence, rate.confidence),
                vol_confidence=float(self.vol_confidence[begin:end].min()),
            )

    def sweep(self, quantities: Floats, confidence: Floats, doubt: Doubt, *, together: bool = False) -> Swept:
        """Profits of accounts with these quantities [A, I].

        `confidence` [A] is that of the account's other inputs; `together` gives every row the least confidence of the
        expiry, as if it held all its options.
        """
        accounts = len(quantities)
        value, basis, doubted = np.zeros(accounts), np.zeros(accounts), np.zeros(accounts)
        profits = np.zeros((accounts, len(self.rules.scenarios)))
        for each in self.slices:
            held = quantities[:, each.begin : each.end]
            marked = held @ self.marks[each.begin : each.end]
            value += marked
            profits += self._profit(held, marked, each)
            moved = held @ self.basis[each.begin : each.end] - marked[:, None]
            basis += moved.min(axis=1, initial=0) * each.basis_share
            doubted += self._doubt(held, each, confidence, doubt, together)
        return Swept(value, profits, basis, self._naked(quantities), doubted)

    def _profit(self, held: Floats, marked: Floats, each: ExpirySlice) -> Floats:
        """[A, S] of one expiry: discounted by sign, less the mark, damped; a loss in any case where skew is shocked."""
        shocked = held @ self.values[each.begin : each.end]
        shocked *= np.where(shocked >= 0, each.long_discount, each.short_discount)
        shocked -= marked[:, None]
        shocked *= self.damping
        shocked[:, self.is_skew] = -np.abs(shocked[:, self.is_skew])
        return shocked

    def _doubt(
        self, held: Floats, each: ExpirySlice, confidence: Floats, doubt: Doubt, together: bool = False
    ) -> Floats:
        least = np.minimum(confidence, each.confidence)
        if each.vol_confidence < doubt.threshold:
            trust = self.vol_confidence[each.begin : each.end]
            least = np.minimum(least, np.where((held != 0) | together, trust, 1.0).min(axis=1))
        if not (least < doubt.threshold).any():
            return np.zeros(len(held))
        return doubt.share(least) * cast(Floats, np.abs(held).sum(axis=1))

    def _naked(self, quantities: Floats) -> Floats:
        if not self.options:
            return np.zeros(len(quantities))
        nets = np.add.reduceat(quantities, self.strike_begins, axis=1)
        return cast(Floats, -nets.clip(max=0).sum(axis=1))

    # How one account's numbers fall to its positions

    def profit_shares(self, quantities: Floats, scenario: int) -> Floats:
        """[I] of one account's profit in a scenario; sums to its profit there."""
        shares = np.zeros(len(self.options))
        skewed = self.rules.scenarios[scenario].is_skew
        for each in self.slices:
            held, marks = quantities[each.begin : each.end], self.marks[each.begin : each.end]
            shocked = held * self.values[each.begin : each.end, scenario]
            shocked *= each.long_discount if shocked.sum() >= 0 else each.short_discount
            own = (shocked - held * marks) * self.damping[scenario]
            shares[each.begin : each.end] = -own if skewed and own.sum() > 0 else own
        return shares

    def basis_shares(self, quantities: Floats) -> Floats:
        """[I] of one account's basis contingency; sums to it."""
        shares = np.zeros(len(self.options))
        for each in self.slices:
            held, marks = quantities[each.begin : each.end], self.marks[each.begin : each.end]
            losses = held[:, None] * (self.basis[each.begin : each.end] - marks[:, None])
            worst = losses[:, int(losses.sum(axis=0).argmin())]
            if worst.sum() < 0:
                shares[each.begin : each.end] = worst * each.basis_share
        return shares

    def naked_shares(self, quantities: Floats) -> Floats:
        """[I] of one account's naked shorts, by the size of the shorts of a strike; sums to them."""
        shares = np.zeros(len(self.options))
        for begin, end in _runs(self.strike_begins, len(self.options)):
            net, shorts = quantities[begin:end].sum(), -quantities[begin:end].clip(max=0)
            if net < 0:
                shares[begin:end] = -net * shorts / shorts.sum()
        return shares

    def doubt_shares(self, quantities: Floats, confidence: Floats, doubt: Doubt) -> Floats:
        """[I] of one account's doubted quantity; sums to it."""
        shares = np.zeros(len(self.options))
        for each in self.slices:
            held = quantities[None, each.begin : each.end]
            gross = np.abs(held[0])
            doubted = self._doubt(held, each, confidence, doubt)[0]
            if gross.sum():
                shares[each.begin : each.end] = doubted * gross / gross.sum()
        return shares


class _Columns:
    """The options as arrays [I], and their price under one shock."""

    def __init__(self, options: tuple[Option, ...], market: Market, rules: Rules, vols: Floats) -> None:
        expiries = [market.expiry(option.underlying, option.expires_us) for option in options]
        seconds = [market.seconds_to(option.expires_us) for option in options]
        rates = [market.rate(option.underlying, option.expires_us).value for option in options]
        self.vols, self.rules = vols, rules
        self.strikes: Floats = np.array([option.strike for option in options], dtype=np.float64)
        self.is_call = np.array([option.is_call for option in options], dtype=np.bool_)
        self.moving: Floats = np.array([expiry.forward.value for expiry in expiries], dtype=np.float64)
        self.fixed: Floats = np.array([expiry.fixed for expiry in expiries], dtype=np.float64)
        self.roots = np.sqrt(np.array(seconds, dtype=np.float64) / YEAR_SECONDS)
        grown = np.exp(-np.maximum(np.array(rates, dtype=np.float64), 0.0) * self.roots**2)
        self.discounts = grown if rules.is_discounted else np.ones(len(options))
        self.multipliers = np.array([rules.vol.multipliers(each) for each in seconds], dtype=np.float64).reshape(-1, 2)
        self.shapes = np.array([rules.skew.shape(each) for each in seconds], dtype=np.float64).reshape(-1, 3)

    def price(self, spot: float, shock: Shock) -> Floats:
        """[I] the value of one option each."""
        moved = 1.0 if shock in ("linear", "abs") else spot
        forwards = self.moving * moved + self.fixed
        deviations = self._vols(shock) * self.roots
        return black76.value(forwards, self.strikes, deviations, self.is_call) * self.discounts

    def _vols(self, shock: Shock) -> Floats:
        match shock:
            case "none":
                return self.vols
            case "up":
                return np.maximum(self.vols * self.multipliers[:, 0], self.rules.vol.floor_up)
            case "down":
                return self.vols * self.multipliers[:, 1]
            case "linear" | "abs":
                return self.vols * self._skew(shock == "linear")

    def _skew(self, is_linear: bool) -> Floats:
        """[I] 1 plus log-moneyness over k*, times the cap and within it; never negative."""
        caps, k_stars = self.shapes[:, 0 if is_linear else 1], self.shapes[:, 2]
        moneyness = np.log(self.strikes / (self.moving + self.fixed))
        k = moneyness if is_linear else np.abs(moneyness)
        tilt = k * caps / np.where(k_stars > 0, k_stars, 1.0)  # no width at expiry: volatility does not matter
        return np.asarray(np.maximum(1 + np.where(k >= 0, np.minimum(caps, tilt), np.maximum(-caps, tilt)), 0.0))


def _begins(keys: list[object] | list[int] | list[tuple[int, float]]) -> list[int]:
    """Where each run of equal keys begins."""
    return [place for place, key in enumerate(keys) if place == 0 or key != keys[place - 1]]


def _runs(begins: list[int], size: int) -> Iterable[tuple[int, int]]:
    """(begin, end) of each run."""
    return pairwise([*begins, size])
