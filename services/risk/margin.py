"""Margin before the trade: what an order in a contract may need, and what the account has against it.

A simple schedule, per contract of the reference data: initial margin is its initial rate of the notional at the mark,
of the worst position that fills of the open orders can make, in whatever order they come. An order holds its fee and
the loss between its limit and the mark besides. So no fill of an accepted order leaves less equity than margin at that
mark. Rounding is up, against the account. An option that is bought costs its premium; one that is sold needs the rate
of the underlying at the index (or the strike, if higher) and its value at the mark.
"""

from typing import NamedTuple

from services.risk.account import Account, Contract
from services.risk.credit import times_e8
from truetape import contracts
from truetape.contracts import Contract as Payoff
from truetape.marks import Marks
from truetape.messages import ContractTerms, Instrument, OrderMargin, Side
from truetape.money import ONE_E8, divide
from truetape.reference import Reference


class MarkWanted(Exception):
    """There is no mark, or no fresh one, for a position that counts."""

    def __init__(self, instrument_id: str, age_us: int | None) -> None:
        super().__init__(instrument_id)
        self.instrument_id, self.age_us = instrument_id, age_us


class Market(NamedTuple):
    """What margin sees: marks, reference data, and how old a mark may be."""

    marks: Marks
    reference: Reference
    at_us: int
    max_age_us: int

    def mark_e8(self, name: str) -> int:
        """The newest mark of an instrument or index. Raises MarkWanted when there is none, or no fresh one."""
        mark = self.marks.newest.get(name)
        if mark is None:
            raise MarkWanted(name, None)
        age_us = self.at_us - mark.observed_at_us
        if abs(age_us) > self.max_age_us:
            raise MarkWanted(name, age_us)
        return mark.price_e8


class Standing(NamedTuple):
    """An account in one settlement asset."""

    equity_e8: int
    """Balance, profit not yet paid, and what positions gained or lost since their cost."""
    required_e8: int
    """Initial margin of the worst positions that open orders can make."""
    gains_e8: int
    """What of the equity is profit not yet paid: it margins contracts, and can be neither withdrawn nor spent."""


def standing(account: Account, asset: str, market: Market) -> Standing:
    """Equity and margin of all positions that settle in an asset. Raises MarkWanted."""
    profit_e8 = required_e8 = 0
    names = account.contracts.keys() | {one.instrument_id for one in account.reservations.values() if one.contract}
    for name in sorted(names):
        terms = terms_of(market.reference, name)
        if terms is None or terms.settlement_asset != asset:
            continue
        required_e8 += exposed_margin_e8(exposure(account, name), terms, name, market)
        if (held := account.contracts.get(name)) is not None:
            profit_e8 += held.unpaid_e8 + _gain_e8(held, terms, name, market)
    return Standing(account.balances.get(asset, 0) + profit_e8, required_e8, max(profit_e8, 0))


def free_e8(account: Account, asset: str, market: Market, spends: bool) -> int:
    """What an account may still commit in an asset; `spends` leaves profit not yet paid out. Raises MarkWanted."""
    reserved_e8 = account.reserved.get(asset, 0)
    if not account.contracts and not any(one.contract for one in account.reservations.values()):
        return account.balances.get(asset, 0) - reserved_e8
    found = standing(account, asset, market)
    return found.equity_e8 - found.required_e8 - reserved_e8 - (found.gains_e8 if spends else 0)


def terms_of(reference: Reference, instrument_id: str) -> ContractTerms | None:
    """The terms of a contract."""
    instrument = reference.instruments.get(instrument_id)
    return instrument.contract if instrument is not None else None


class Exposure(NamedTuple):
    """A position, and what open orders may still buy and sell of its contract."""

    held_e8: int
    buys_e8: int
    sells_e8: int

    def more(self, side: Side, quantity_e8: int) -> "Exposure":
        """With one more order."""
        if side == "BUY":
            return self._replace(buys_e8=self.buys_e8 + quantity_e8)
        return self._replace(sells_e8=self.sells_e8 + quantity_e8)

    @property
    def long_e8(self) -> int:
        """The longest position that fills can make."""
        return max(self.held_e8 + self.buys_e8, 0)

    @property
    def short_e8(self) -> int:
        """The shortest one, as a positive number."""
        return max(self.sells_e8 - self.held_e8, 0)


def exposure(account: Account, name: str) -> Exposure:
    """What an account holds of a contract, and what its open orders may still fill."""
    held = account.contracts.get(name)
    buys_e8 = sells_e8 = 0
    for one in account.reservations.values():
        if one.instrument_id == name:
            left_e8 = max(one.quantity_e8 - one.cleared_e8, 0)
            buys_e8, sells_e8 = (buys_e8 + left_e8, sells_e8) if one.buys else (buys_e8, sells_e8 + left_e8)
    return Exposure(held.quantity_e8 if held is not None else 0, buys_e8, sells_e8)


def exposed_margin_e8(exposed: Exposure, terms: ContractTerms, name: str, market: Market) -> int:
    """Initial margin of the worst position that fills can make; none for long options, whose premium is paid."""
    worst_e8 = exposed.short_e8 if terms.kind == "OPTION" else max(exposed.long_e8, exposed.short_e8)
    return times_e8(worst_e8, unit_margin_e8(terms, name, market)) if worst_e8 else 0


def unit_margin_e8(terms: ContractTerms, name: str, market: Market) -> int:
    """Initial margin of one contract at the mark. Raises MarkWanted."""
    if terms.kind == "OPTION":
        index_e8 = max(market.mark_e8(terms.index), terms.strike_e8 or 0)
        size_e8 = terms.multiplier_e8 if terms.style == "INVERSE" else _worth(terms, ONE_E8, index_e8)
    else:
        size_e8 = contracts.notional(Payoff(terms.style, terms.multiplier_e8), ONE_E8, market.mark_e8(name))
    return divide(size_e8 * terms.initial_rate_e8, ONE_E8, "up")[0]


def order_margin(
    account: Account, instrument: Instrument, side: Side, quantity_e8: int, limit_e8: int, rate_e8: int, market: Market
) -> OrderMargin:
    """What an order needs, from its worst fills. Raises MarkWanted and MoneyError."""
    terms, name = instrument.contract, instrument.instrument_id
    assert terms is not None, "it is a contract"
    found = standing(account, terms.settlement_asset, market)
    exposed = exposure(account, name)
    before_e8 = exposed_margin_e8(exposed, terms, name, market)
    after_e8 = exposed_margin_e8(exposed.more(side, quantity_e8), terms, name, market)
    bought_option = terms.kind == "OPTION" and side == "BUY"
    slip_e8 = _slip_e8(terms, side, limit_e8, market.mark_e8(name))
    return OrderMargin(
        unit_cost_e8=_unit_cost_e8(terms, bought_option, limit_e8, rate_e8) + slip_e8,
        adds_e8=after_e8 - before_e8,
        required_e8=found.required_e8,
        equity_e8=found.equity_e8,
        reserved_e8=account.reserved.get(terms.settlement_asset, 0),
    )


def only_reduces(
    made: OrderMargin, account: Account, instrument: Instrument, side: Side, quantity_e8: int, market: Market
) -> bool:
    """Whether an order adds no margin, whatever is filled first, and frees at least what it can cost: then it passes
    even where margin is short. Raises MarkWanted."""
    terms, name = instrument.contract, instrument.instrument_id
    assert terms is not None, "it is a contract"
    if made.adds_e8 or quantity_e8 > reducible_e8(account, name, side) or terms.kind == "OPTION":
        return False
    return made.unit_cost_e8 <= unit_margin_e8(terms, name, market)


def limit_notional_e8(terms: ContractTerms, quantity_e8: int, price_e8: int) -> int:
    """What limits on an order's notional count: the quote asset, of a quanto contract the settlement asset."""
    if terms.style == "INVERSE" and terms.kind != "OPTION":
        return times_e8(quantity_e8, terms.multiplier_e8)
    return _worth(terms, quantity_e8, price_e8)


def reducible_e8(account: Account, name: str, side: Side) -> int:
    """Contracts that an order on this side would only reduce, and that no open order is going to."""
    held_e8, buys_e8, sells_e8 = exposure(account, name)
    return max(held_e8 - sells_e8, 0) if side == "SELL" else max(-held_e8 - buys_e8, 0)


def _gain_e8(held: Contract, terms: ContractTerms, name: str, market: Market) -> int:
    """Profit since the cost; of an option only what a short one owes: a long one's value backs nothing."""
    if held.quantity_e8 == 0 or (terms.kind == "OPTION" and held.quantity_e8 > 0):
        return 0
    mark_e8 = market.mark_e8(name)
    if terms.kind == "OPTION":
        return contracts.value(Payoff("LINEAR", terms.multiplier_e8), held.quantity_e8, mark_e8, "down")
    worth_e8 = contracts.value(Payoff(terms.style, terms.multiplier_e8), held.quantity_e8, mark_e8, "down")
    return worth_e8 - held.cost_e8


def _slip_e8(terms: ContractTerms, side: Side, limit_e8: int, mark_e8: int) -> int:
    """Loss of one contract that is filled at its limit, against the mark; an option's premium is a cost of its own."""
    if terms.kind == "OPTION":
        return 0 if side == "BUY" else max(_worth(terms, ONE_E8, mark_e8) - _worth(terms, ONE_E8, limit_e8), 0)
    signed_e8 = ONE_E8 if side == "BUY" else -ONE_E8
    return max(-contracts.profit(Payoff(terms.style, terms.multiplier_e8), signed_e8, limit_e8, mark_e8, "down"), 0)


def _unit_cost_e8(terms: ContractTerms, bought_option: bool, limit_e8: int, rate_e8: int) -> int:
    payoff = Payoff("LINEAR" if terms.kind == "OPTION" else terms.style, terms.multiplier_e8)
    size_e8 = contracts.notional(payoff, ONE_E8, limit_e8)
    fee_e8 = divide(size_e8 * rate_e8, ONE_E8, "up")[0]
    return fee_e8 + (size_e8 if bought_option else 0)


def _worth(terms: ContractTerms, quantity_e8: int, price_e8: int) -> int:
    return contracts.notional(Payoff("LINEAR", terms.multiplier_e8), quantity_e8, price_e8)
