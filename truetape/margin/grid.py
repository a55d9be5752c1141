"""Options priced once under every scenario, and the sweep that makes each account's profits of them.

A grid holds each distinct option; an account is a row of quantities. What is linear (values) becomes one matrix product
per expiry; what is not (discounts by sign, skew, basis, naked shorts) is exact, per account and expiry, in numpy.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple, cast

import numpy as np

from truetape.errors import MarginPositionUnfit
from truetape.margin.black76 import Floats
from truetape.margin.market import Market
from truetape.margin.portfolio import Option
from truetape.margin.pricer import Terms, pricer_of
from truetape.margin.scenarios import Doubt, Rules

ROWS_MAX: Final = 128
"""Accounts that are swept at a time: what is computed of them stays in the processor's cache."""


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
    worth: "Worth | None" = None
    """What the profits were made of, where all accounts were swept at once."""


class Worth(NamedTuple):
    """What the options of each account are worth, by expiry (E of them)."""

    shocked: Floats
    """[E, A, S] in each scenario."""
    marked: Floats
    """[E, A, 1] at the marks."""
    moved: Floats
    """[E, A, 2] with the basis up and down."""


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
        pricer = pricer_of(rules)
        self.is_skew, self.damping, self.moves = pricer.is_skew, pricer.damping, pricer.moves
        spans = list(_runs(_begins([option.expires_us for option in self.options]), len(self.options)))
        terms = [
            Terms(*dated, option.strike, option.is_call, vol.value)
            for begin, end in spans
            for dated in [_dated(self.options[begin], market)]
            for option, vol in zip(self.options[begin:end], vols[begin:end], strict=True)
        ]
        self.values, self.marks, self.basis, discounts, self._table = pricer.prices(terms)
        """Of one option each."""
        self.slices = tuple(self._slice(begin, end, market, float(discounts[begin])) for begin, end in spans)
        by_sign = [(each.long_discount, each.short_discount, each.basis_share) for each in self.slices]
        self.longs, self.shorts, self._shares = np.array(by_sign, dtype=np.float64).reshape(-1, 3, 1, 1).swapaxes(0, 1)
        """[E, 1, 1] discounts of positive and of negative values, and shares of the basis."""
        self.strike_begins = _begins([(option.expires_us, option.strike) for option in self.options])

    def _slice(self, begin: int, end: int, market: Market, discount: float) -> ExpirySlice:
        option = self.options[begin]
        seconds = market.seconds_to(option.expires_us)
        rate = market.rate(option.underlying, option.expires_us)
        forward = market.expiry(option.underlying, option.expires_us).forward
        return ExpirySlice(
            begin,
            end,
            *self.rules.discount.factors(max(rate.value, 0.0), seconds, discount),
            basis_share=self.rules.basis.share(seconds),
            confidence=min(forward.confidence, rate.confidence),
            vol_confidence=float(self.vol_confidence[begin:end].min()),
        )

    def worth(self, quantities: Floats) -> Worth:
        """What accounts with these quantities [A, I] have by expiry, before discounts by sign."""
        found = np.empty((len(self.slices), len(quantities), len(self.rules.scenarios) + 3))
        for place, each in enumerate(self.slices):
            np.matmul(quantities[:, each.begin : each.end], self._table[each.begin : each.end], out=found[place])
        return Worth(found[:, :, :-3], found[:, :, -3:-2], found[:, :, -2:])

    def sweep(self, quantities: Floats, confidence: Floats, doubt: Doubt, *, together: bool = False) -> Swept:
        """Profits of accounts with these quantities [A, I].

        `confidence` [A] is that of the account's other inputs; `together` gives every row the least confidence of the
        expiry, as if it held all its options.
        """
        blocks = [slice(begin, begin + ROWS_MAX) for begin in range(0, max(len(quantities), 1), ROWS_MAX)]
        swept = [self._swept(quantities[rows], confidence[rows], doubt, together) for rows in blocks]
        if len(swept) == 1:
            return swept[0]
        value, profits, basis, naked, doubted = map(np.concatenate, zip(*(one[:5] for one in swept), strict=True))
        return Swept(value, profits, basis, naked, doubted)

    def _swept(self, quantities: Floats, confidence: Floats, doubt: Doubt, together: bool) -> Swept:
        worth = self.worth(quantities)
        losses = (worth.moved - worth.marked).min(axis=2, initial=0) * self._shares[:, :, 0]
        return Swept(
            worth.marked[:, :, 0].sum(axis=0),
            self._profits(worth).sum(axis=0),
            losses.sum(axis=0),
            self._naked(quantities),
            self._doubted(quantities, confidence, doubt, together),
            worth,
        )

    def _profits(self, worth: Worth) -> Floats:
        """[E, A, S] discounted by sign, less the mark, damped; a loss in any case where skew is shocked."""
        shocked = worth.shocked
        profits = shocked * np.where(shocked >= 0, self.longs, self.shorts)
        profits -= worth.marked
        profits *= self.damping
        if self.is_skew.any():
            profits[:, :, self.is_skew] = -np.abs(profits[:, :, self.is_skew])
        return profits

    def _doubted(self, quantities: Floats, confidence: Floats, doubt: Doubt, together: bool) -> Floats:
        found, least = np.zeros(len(quantities)), float(confidence.min(initial=1.0))
        doubted = [each for each in self.slices if min(least, each.confidence, each.vol_confidence) < doubt.threshold]
        for each in doubted:
            found += self._doubt(quantities[:, each.begin : each.end], each, confidence, doubt, together)
        return found

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


def _dated(option: Option, market: Market) -> tuple[float, float, float, float]:
    """Forward, its fixed part, seconds and rate of an option's expiry."""
    expiry = market.expiry(option.underlying, option.expires_us)
    rate = market.rate(option.underlying, option.expires_us)
    return expiry.forward.value, expiry.fixed, market.seconds_to(option.expires_us), rate.value


def _begins(keys: list[object] | list[int] | list[tuple[int, float]]) -> list[int]:
    """Where each run of equal keys begins."""
    return [place for place, key in enumerate(keys) if place == 0 or key != keys[place - 1]]


def _runs(begins: list[int], size: int) -> Iterable[tuple[int, int]]:
    """(begin, end) of each run."""
    return pairwise([*begins, size])
