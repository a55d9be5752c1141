"""Entries of contracts judged by themselves, in fractions: what each must say, line by line, from the terms, the facts
and the fill. docs/derivatives.md is the rule book; nothing here is taken from services/clearing or truetape/contracts.

What an event of another kind moves (collateral, novation, the waterfall) is judged as far as every entry can be: its
lines sum to zero, and its position follows what it says it moves.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import floor
from typing import NamedTuple

from truetape import messages as m
from truetape.books import judge
from truetape.books.judge import Fill, Holding, Wrong

Terms = Mapping[str, m.ContractTerms]
Lines = dict[tuple[str, str, str], int]
HOUSE, ROUNDING, FEES = "house:clearing", "house:rounding", "house:fees"
ONE = 10**8
ONE_E18 = 10**18


class Kept(NamedTuple):
    """Of a position in contracts: profit paid so far, and the funding index up to which it has paid."""

    settled_e8: int = 0
    index_e18: int = 0


NEW = Kept()


class Made(NamedTuple):
    """What an entry must say."""

    lines: Lines
    holding: Holding
    kept: Kept


class Contracts:
    """Contracts of one partition: indices and facts as the journal tells them, and what is kept of each position."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._kept: dict[tuple[str, str], Kept] = {}
        self._index_e18: dict[str, int] = {}
        self._facts: dict[str, m.ContractFact] = {}

    def taken(self, event: m.ContractFactTaken) -> Iterator[Wrong]:
        """A fact that counts; funding moves the index by rate times time on the notional of one contract."""
        fact, terms = event.fact, self._terms.get(event.fact.instrument_id)
        self._facts[fact.fact_id] = fact
        index_e18 = self._index_e18.get(fact.instrument_id, 0)
        if terms is None:
            yield "instrument", "a contract of the reference data", fact.instrument_id
        elif fact.kind == "FUNDING":
            unit_e18 = _half_even(abs(_worth(terms, ONE, fact.price_e8 or 0)) * Fraction(ONE_E18, ONE))
            accrued = Fraction(fact.numbers["rate_e18"] * fact.numbers["elapsed_us"] * unit_e18)
            index_e18 += _half_even(accrued / (terms.funding_interval_us * ONE_E18))
            if abs(fact.numbers["rate_e18"]) > terms.funding_cap_rate_e8 * 10**10:
                yield "funding rate", f"at most {terms.funding_cap_rate_e8}e-8", fact.numbers["rate_e18"]
        if event.funding_index_e18 != str(index_e18):
            yield "funding index", index_e18, event.funding_index_e18
        self._index_e18[fact.instrument_id] = index_e18

    def fact(self, fact_id: str) -> m.ContractFact | None:
        """A fact that was taken."""
        return self._facts.get(fact_id)

    def judge(
        self, entry: m.EntryBooked, booked: m.ContractBooking, held: Holding, fill: Fill | None, source: Holding
    ) -> tuple[list[Wrong], Holding]:
        """What is wrong with an entry, and the position as it should be after it; `source` is what moves in."""
        key = (entry.account_id, booked.instrument_id)
        kept, terms = self._kept.get(key, NEW), self._terms.get(booked.instrument_id)
        made = self._made(entry, booked, terms, held, kept, fill, source) if terms is not None else None
        if made is None:
            said, position = Kept(booked.settled_e8, int(booked.funding_index_e18)), entry.position
            moved = _moved(held, booked, entry.realised_e8) if position is not None else held
            wrong = list(judge.summing(entry)) + list(_position(entry, booked, moved, held, said))
            self._kept[key] = said
            return wrong, moved
        wrong = list(judge.lines(entry, made.lines)) + list(_position(entry, booked, made.holding, held, made.kept))
        self._kept[key] = made.kept
        return wrong, made.holding

    def _made(
        self, entry: m.EntryBooked, booked: m.ContractBooking, terms: m.ContractTerms, held: Holding, kept: Kept,
        fill: Fill | None, source: Holding,
    ) -> Made | None:  # fmt: skip
        fact = self._facts.get(booked.fact_id)
        if not entry.account_id:
            return None
        works = _Work(entry.account_id, booked.instrument_id, terms, held, kept)
        works.fund(self._index_e18.get(booked.instrument_id, 0))
        match booked.event:
            case "TRADE":
                works.trade(booked, entry.rule, fill)
            case "VARIATION_MARGIN" if fact is not None and fact.price_e8 is not None:
                works.settle(fact.price_e8)
            case "DELISTING" if fact is not None and fact.price_e8 is not None:
                works.end(fact.price_e8, "delisting")
            case "EXPIRY" | "EXERCISE" | "ASSIGNMENT" | "DELIVERY" if fact is not None and fact.price_e8 is not None:
                works.expire(fact.price_e8, booked)
            case "RENAME" | "CONTRACT_SIZE" if fact is not None and fact.price_e8 is not None:
                works.move(fact, source)
            case _:
                return None
        return Made(works.lines, works.held, works.kept())


class _Work:
    """One entry computed again."""

    def __init__(self, account_id: str, instrument_id: str, terms: m.ContractTerms, held: Holding, kept: Kept) -> None:
        self._client, self._name, self._terms = f"client:{account_id}", instrument_id, terms
        self.held, self._settled_e8, self._index_e18 = held, kept.settled_e8, kept.index_e18
        self._option = terms.kind == "OPTION"
        self.lines: Lines = {}

    def kept(self) -> Kept:
        """Where it leaves what was paid, and funding."""
        return Kept(self.held.realised_e8 if self._option else self._settled_e8, self._index_e18)

    def fund(self, index_e18: int) -> None:
        """Longs pay what the index rose, each rounded down."""
        exact = Fraction(-self.held.quantity_e8 * (index_e18 - self._index_e18), ONE_E18)
        self._pay(floor(exact), _half_even(exact), "funding")
        self._index_e18 = index_e18

    def trade(self, booked: m.ContractBooking, rule: str, fill: Fill | None) -> None:
        """Contracts against the venue's mirror or the house, an option's premium with them; then fees."""
        quantity_e8, price_e8 = booked.numbers.get("quantity_e8", 0), booked.numbers.get("price_e8", 0)
        other, liquidity = HOUSE, booked.ids.get("liquidity", "")
        if fill is not None:
            quantity_e8, price_e8, other = fill.sign * fill.quantity_e8, fill.price_e8, f"venue:{fill.venue}"
            liquidity = fill.liquidity
        worth = _premium(self._terms, quantity_e8, price_e8) if self._option else _worth(
            self._terms, quantity_e8, price_e8
        )  # fmt: skip
        self._hand(quantity_e8, other, "principal")
        paid_e8 = _half_even(worth)
        if self._option:
            self._pay(floor(-worth), -_half_even(worth), "premium", other)
            paid_e8 = -floor(-worth)
        self.held = judge.after(self.held, quantity_e8, paid_e8)
        if fill is not None and fill.fee_e8:
            self._add(self._client, fill.fee_asset, "venue_fee", -fill.fee_e8)
            self._add(other, fill.fee_asset, "venue_fee", fill.fee_e8)
        ruled = judge.RULE.fullmatch(rule)
        rate_e8 = int(ruled[2]) if ruled is not None and ruled[1] == liquidity else 0
        self._fee(-floor(-Fraction(-floor(-abs(worth)) * rate_e8, ONE)), "house_fee")

    def settle(self, price_e8: int) -> None:
        """All profit up to the price is paid."""
        worth = _worth(self._terms, self.held.quantity_e8, price_e8)
        realised_e8 = self.held.realised_e8 + _half_even(worth) - self.held.cost_e8
        self.held = Holding(self.held.quantity_e8, _half_even(worth), realised_e8)
        due_e8 = realised_e8 - self._settled_e8
        self._pay(due_e8 - _half_even(worth) + floor(worth), due_e8, "variation_margin")
        self._settled_e8 = realised_e8

    def end(self, price_e8: int, purpose: str) -> None:
        """The contracts go back to the house at this price."""
        received_e8 = 0
        if self._option:
            worth = _premium(self._terms, self.held.quantity_e8, price_e8)
            received_e8 = floor(worth)
            self._pay(received_e8, _half_even(worth), "premium")
        else:
            self.settle(price_e8)
            received_e8 = self.held.cost_e8
        self._back(received_e8, purpose)

    def expire(self, price_e8: int, booked: m.ContractBooking) -> None:
        """Cash or the underlying; a fee on what expires."""
        delivered, quantity_e8 = "underlying_e8" in booked.numbers, self.held.quantity_e8
        fee = abs(_worth(self._terms, quantity_e8, price_e8))
        if self._option and self._terms.style == "INVERSE":  # Its multiplier is in what it settles in.
            fee = Fraction(abs(quantity_e8) * self._terms.multiplier_e8, ONE)
        if not self._option:
            self.settle(price_e8)
            self._expiry_fee(fee, None)
            self._deliver(price_e8, delivered, booked)
            self._back(self.held.cost_e8, "expiry")
            return
        if delivered:
            self._deliver(self._terms.strike_e8 or 0, True, booked)
            self._back(0, "expiry")
            return
        payoff = _payoff(self._terms, quantity_e8, price_e8)
        self._pay(floor(payoff), _half_even(payoff), "exercise")
        self._back(floor(payoff), "expiry")
        self._expiry_fee(fee, floor(payoff))

    def move(self, fact: m.ContractFact, source: Holding) -> None:
        """Out of the old contract at cost, or into the new one at the old one's."""
        if self._name == fact.instrument_id:
            if not self._option:
                self.settle(fact.price_e8 or 0)
            self._back(self.held.cost_e8, "adjustment")
            return
        by, per = fact.numbers.get("ratio", 1), fact.numbers.get("ratio_per", 1)
        size_e8 = abs(source.quantity_e8) * by // per
        quantity_e8 = size_e8 if source.quantity_e8 > 0 else -size_e8
        worth_e8 = _half_even(_worth(self._terms, quantity_e8, fact.price_e8 or 0))
        self._hand(quantity_e8, HOUSE, "adjustment")
        self.held = judge.after(self.held, quantity_e8, source.cost_e8 if self._option else worth_e8)

    def _deliver(self, price_e8: int, delivered: bool, booked: m.ContractBooking) -> None:
        if not delivered:
            return
        terms, quantity_e8 = self._terms, self.held.quantity_e8
        sign = -1 if terms.option_type == "PUT" else 1
        lot = Fraction(sign * quantity_e8 * terms.multiplier_e8, ONE)
        money = (_premium if self._option else _worth)(terms, sign * quantity_e8, price_e8)
        linear = terms.style == "LINEAR" or self._option
        base_e8, quote_e8 = (floor(lot), -_ceiling(money)) if linear else (-_ceiling(money), floor(-lot))
        if terms.option_type is not None and _payoff(terms, ONE, booked.numbers.get("price_e8", 0)) == 0:
            base_e8 = quote_e8 = 0
        base, quote = self._name.split("-")[:2]
        for asset, amount_e8 in ((base, base_e8), (quote, quote_e8)):
            self._add(self._client, asset, "delivery", amount_e8)
            self._add(HOUSE, asset, "delivery", -amount_e8)

    def _expiry_fee(self, size: Fraction, payoff_e8: int | None) -> None:
        fee_e8 = _ceiling(Fraction(_ceiling(size) * self._terms.settlement_fee_rate_e8, ONE))
        if payoff_e8 is not None:
            fee_e8 = min(fee_e8, floor(Fraction(abs(payoff_e8), 8)))
        self._fee(fee_e8, "settlement_fee")

    def _back(self, received_e8: int, purpose: str) -> None:
        quantity_e8 = self.held.quantity_e8
        if quantity_e8:
            self._hand(-quantity_e8, HOUSE, purpose)
            self.held = judge.after(self.held, -quantity_e8, -received_e8)

    def _fee(self, fee_e8: int, purpose: str) -> None:
        self._add(self._client, self._terms.settlement_asset, purpose, -fee_e8)
        self._add(FEES, self._terms.settlement_asset, purpose, fee_e8)

    def _hand(self, quantity_e8: int, other: str, purpose: str) -> None:
        self._add(self._client, self._name, purpose, quantity_e8)
        self._add(other, self._name, purpose, -quantity_e8)

    def _pay(self, amount_e8: int, exact_e8: int, purpose: str, other: str = HOUSE) -> None:
        asset = self._terms.settlement_asset
        self._add(self._client, asset, purpose, amount_e8)
        self._add(other, asset, purpose, -exact_e8)
        self._add(ROUNDING, asset, purpose, exact_e8 - amount_e8)

    def _add(self, account: str, asset: str, purpose: str, amount_e8: int) -> None:
        key = (account, asset, purpose)
        total = self.lines.pop(key, 0) + amount_e8
        if total:
            self.lines[key] = total


def _moved(held: Holding, booked: m.ContractBooking, realised_e8: int) -> Holding:
    return Holding(
        held.quantity_e8 + booked.quantity_e8, held.cost_e8 + booked.paid_e8 + realised_e8,
        held.realised_e8 + realised_e8,
    )  # fmt: skip


def _position(
    entry: m.EntryBooked, booked: m.ContractBooking, new: Holding, held: Holding, kept: Kept
) -> Iterator[Wrong]:
    if entry.position is None:
        return
    yield from judge.position(entry, booked.instrument_id, new, new.realised_e8 - held.realised_e8)
    if booked.quantity_e8 != new.quantity_e8 - held.quantity_e8:
        yield "contract.quantity_e8", new.quantity_e8 - held.quantity_e8, booked.quantity_e8
    if (said := Kept(booked.settled_e8, int(booked.funding_index_e18))) != kept:
        yield "settled profit and funding index", kept, said


def _worth(terms: m.ContractTerms, quantity_e8: int, price_e8: int) -> Fraction:
    """In units of 1e-8 of the settlement asset."""
    size = Fraction(quantity_e8 * terms.multiplier_e8)
    return -size / price_e8 if terms.style == "INVERSE" else size * price_e8 / ONE**2


def _premium(terms: m.ContractTerms, quantity_e8: int, price_e8: int) -> Fraction:
    return Fraction(quantity_e8 * terms.multiplier_e8 * price_e8, ONE**2)


def _payoff(terms: m.ContractTerms, quantity_e8: int, price_e8: int) -> Fraction:
    over = price_e8 - (terms.strike_e8 or 0)
    unit = max(over if terms.option_type == "CALL" else -over, 0)
    exact = _premium(terms, quantity_e8, unit)
    return exact * ONE / price_e8 if terms.style == "INVERSE" else exact


def _half_even(exact: Fraction) -> int:
    return round(exact)


def _ceiling(exact: Fraction) -> int:
    return -floor(-exact)
