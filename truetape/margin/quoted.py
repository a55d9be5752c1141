"""Contracts as margin models see them: positions in units of the underlying, and a market of published marks.

    spot, perpetual, future    their marks
    forward of an option       the mark of a future on the same underlying and expiry, else spot x exp(rate x T)
    volatility of an option    what Black-76 implies of its mark, discounted where the model discounts
    rate, peg                  as the margin class says

Time counts in whole seconds, so that what is decided within one second has one market (`Published.second_us`).

A mark that is missing is MarkWanted. A stale one is used without confidence, so that the model's own contingency
applies; the same where an option's mark is below what exercise is worth or beyond any volatility.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from truetape.contracts import Contract, value
from truetape.errors import MarginInputInvalid
from truetape.margin import black76
from truetape.margin.black76 import Bools, Floats
from truetape.margin.listing import listing_of
from truetape.margin.market import YEAR_SECONDS, Expiry, Market, Reading
from truetape.margin.memo import Memo
from truetape.margin.portfolio import Future, Option, Perpetual, Position
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.published import MarkUsed, Published
from truetape.margin.risk_arrays import RiskArrayMargin
from truetape.messages import ContractTerms, MarginClass
from truetape.money import ONE_E8, from_e8

VOLATILITY_MAX: Final = 10.0
"""1 000 % a year: what a mark beyond it is taken for, without confidence."""
E8: Final = float(ONE_E8)
_IMPLIED: Final = Memo(1)


class Quoted(NamedTuple):
    """One contract at its mark."""

    name: str
    base: str
    terms: ContractTerms
    named: MarginClass
    used: MarkUsed
    unit: float
    """What one contract is in the model's units: of the underlying, or 1."""

    @property
    def price(self) -> float:
        """The mark."""
        return self.used.price_e8 / E8

    @property
    def confidence(self) -> float:
        """None in a stale mark."""
        return 0.0 if self.used.stale else 1.0

    @property
    def is_option(self) -> bool:
        """Its premium is paid, so all that it is worth is a gain."""
        return self.terms.kind == "OPTION"

    @property
    def size(self) -> int | None:
        """Worth of one contract in 1e-16 of the settlement asset; None where it is not in proportion to the price."""
        if self.terms.style == "INVERSE" and not self.is_option:
            return None
        return self.terms.multiplier_e8 * self.used.price_e8

    @property
    def unit_price(self) -> float:
        """Of an option: what one of the model's units is worth at the mark."""
        return self.price * self.terms.multiplier_e8 / E8 / self.unit

    @property
    def expires_us(self) -> int:
        """When it expires; 0 for a perpetual."""
        return self.terms.expires_at_us or 0

    def position(self, quantity_e8: int, gain_e8: int = 0) -> Position:
        """A position as the model sees it."""
        quantity, gain = quantity_e8 / E8 * self.unit, gain_e8 / E8
        match self.terms.kind:
            case "PERPETUAL":
                return Perpetual(self.name, self.base, quantity, gain)
            case "FUTURE":
                return Future(self.name, self.base, self.expires_us, quantity, gain)
            case "OPTION":
                strike, is_call = (self.terms.strike_e8 or 0) / E8, self.terms.option_type == "CALL"
                return Option(self.name, self.base, self.expires_us, strike, is_call, quantity)

    def worth_e8(self, quantity_e8: int) -> int:
        """What a position is worth at the mark, against the account: of an option its premium."""
        return value(payoff(self.terms), quantity_e8, self.used.price_e8, "down")


def payoff(terms: ContractTerms) -> Contract:
    """What a position is worth: of an option its premium, which is quoted in the settlement asset."""
    return Contract("LINEAR" if terms.kind == "OPTION" else terms.style, terms.multiplier_e8)


def quoted(name: str, terms: ContractTerms, named: MarginClass, seen: Published) -> Quoted:
    """A contract of a margin class at its mark. Raises MarkWanted, and MarginInputInvalid for a price that it cannot
    have."""
    used = seen.used(name, terms)
    base = seen.reference.instruments[name].base
    multiplier = terms.multiplier_e8 / E8
    if named.model == RiskArrayMargin.name:
        unit = 1.0
    elif terms.style == "INVERSE" and terms.kind != "OPTION":
        if used.price_e8 <= 0:
            raise MarginInputInvalid(f"{name}: an inverse contract has no worth at a mark of {from_e8(used.price_e8)}")
        unit = multiplier * E8 / used.price_e8
    else:
        unit = multiplier
    return Quoted(name, base, terms, named, used, unit)


def market_of(
    contracts: Iterable[Quoted], named: MarginClass, seen: Published, collateral: Mapping[str, Reading]
) -> tuple[Market, dict[str, MarkUsed]]:
    """The market of some contracts of one class and settlement asset, and the marks that it is made of."""
    lines = list(contracts)
    marks = {line.name: line.used for line in lines}
    spots: dict[str, Reading] = {}
    for line in lines:
        if line.base not in spots:
            marks[line.terms.index] = index = seen.used(line.terms.index, line.terms)
            spots[line.base] = _reading(index)
    rate = named.rate_e8 / E8
    expiries = _expiries(lines, spots, rate, seen, marks)
    stable = Reading(1.0)
    if named.peg:
        marks[named.peg] = peg = seen.used(named.peg, lines[0].terms)
        stable = _reading(peg)
    return Market(
        now_us=seen.second_us,
        spots=spots,
        perpetuals={line.base: _reading(line.used) for line in lines if line.terms.kind == "PERPETUAL"},
        expiries=expiries,
        vols=_volatilities([line for line in lines if line.terms.kind == "OPTION"], expiries, rate, seen.second_us),
        collateral=dict(collateral),
        stable=stable,
    ), marks


def _reading(used: MarkUsed) -> Reading:
    return Reading(used.price_e8 / E8, 0.0 if used.stale else 1.0)


def _expiries(
    lines: list[Quoted], spots: Mapping[str, Reading], rate: float, seen: Published, marks: dict[str, MarkUsed]
) -> dict[tuple[str, int], Expiry]:
    dated = {(line.base, line.expires_us): line for line in lines if line.terms.kind != "PERPETUAL"}
    futures = {(line.base, line.expires_us): line.used for line in lines if line.terms.kind == "FUTURE"}
    if dated.keys() - futures.keys():
        futures = _listed_futures(dated, seen) | futures
    expiries = {}
    for key, line in dated.items():
        if (future := futures.get(key)) is not None and future.price_e8 > 0:
            marks[future.instrument_id] = future
            forward = _reading(future)
        else:
            spot = spots[line.base]
            forward = Reading(spot.value * math.exp(rate * _years(line.expires_us, seen.second_us)), spot.confidence)
        expiries[key] = Expiry(forward, 0.0, Reading(rate))
    return expiries


def _listed_futures(dated: Mapping[tuple[str, int], Quoted], seen: Published) -> dict[tuple[str, int], MarkUsed]:
    """Marks of futures that nobody here holds, by underlying and expiry; stale ones say less than the spot."""
    listed, found = listing_of(seen.reference.instruments).futures, {}
    for key, line in dated.items():
        for name, terms in listed.get(key, ()):
            if (terms.style, terms.index) == (line.terms.style, line.terms.index):
                used = seen.fresh(name, terms)
                if used is not None:
                    found[key] = used
    return found


def _volatilities(
    options: list[Quoted], expiries: Mapping[tuple[str, int], Expiry], rate: float, at_us: int
) -> dict[str, Reading]:
    if not options:
        return {}
    forwards = np.array([expiries[line.base, line.expires_us].forward.value for line in options])
    strikes = np.array([(line.terms.strike_e8 or 0) / E8 for line in options])
    years = np.array([_years(line.expires_us, at_us) for line in options])
    is_call = np.array([line.terms.option_type == "CALL" for line in options])
    inverse = np.array([line.terms.style == "INVERSE" for line in options])
    prices = np.array([line.price for line in options]) * np.where(inverse, forwards, 1.0)
    if options[0].named.model == PortfolioV2.name:
        prices = prices * np.exp(np.maximum(rate, 0.0) * years)
    roots = np.sqrt(years)
    most = VOLATILITY_MAX * np.maximum(roots, 1e-6)
    deviations = _deviations(forwards, strikes, prices, is_call, most)
    lowest = np.maximum(np.where(is_call, 1.0, -1.0) * (forwards - strikes), 0.0)
    bounded = np.where(np.isnan(deviations), np.where(prices <= lowest, 0.0, most), deviations)
    live = years > 0
    vols = np.where(live, bounded / np.where(live, roots, 1.0), 0.0)
    trusted = ~np.isnan(deviations) | ~live
    return {
        line.name: Reading(float(vol), line.confidence if trust else 0.0)
        for line, vol, trust in zip(options, vols, trusted, strict=True)
    }


def _deviations(forwards: Floats, strikes: Floats, prices: Floats, is_call: Bools, most: Floats) -> Floats:
    """What the prices imply; kept by the numbers that it follows from."""
    columns = (forwards, strikes, prices, is_call, most)

    def sought(places: list[int]) -> Floats:
        return black76.implied(*(column[places] for column in columns))[:, None]

    return _IMPLIED.rows(list(zip(*(column.tolist() for column in columns), strict=True)), sought)[:, 0]


def _years(expires_us: int, at_us: int) -> float:
    return max(expires_us - at_us, 0) / 1e6 / YEAR_SECONDS
