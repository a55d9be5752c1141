"""Margin before the trade: what an order in a contract may need, and what the account has against it.

Of the flat schedule (`truetape.margin.flat`) initial margin is that of the worst position that fills of the open orders
can make, in whatever order they come. An order holds its fee and the loss between its limit and the mark besides; an
option that is bought costs its premium. So no fill of an accepted order leaves less equity than margin at that mark.
Rounding is up, against the account.
"""

from typing import NamedTuple

from services.risk.account import Account
from truetape import contracts
from truetape.contracts import Contract as Payoff
from truetape.margin import flat
from truetape.margin.published import Published
from truetape.messages import ContractTerms, Instrument, OrderMargin, Side
from truetape.money import ONE_E8, divide


class Standing(NamedTuple):
    """An account in one settlement asset."""

    equity_e8: int
    """Balance, profit not yet paid, and what positions gained or lost since their cost."""
    required_e8: int
    """Initial margin of the worst positions that open orders can make."""
    gains_e8: int
    """What of the equity is profit not yet paid: it margins contracts, and can be neither withdrawn nor spent."""


def standing(account: Account, asset: str, seen: Published) -> Standing:
    """Equity and margin of all positions that settle in an asset. Raises MarkWanted."""
    profit_e8 = required_e8 = 0
    names = account.contracts.keys() | {one.instrument_id for one in account.reservations.values() if one.contract}
    for name in sorted(names):
        terms = seen.terms_of(name)
        if terms is None or terms.settlement_asset != asset:
            continue
        required_e8 += exposed_margin_e8(exposure(account, name), terms, name, seen)
        if (held := account.contracts.get(name)) is not None:
            profit_e8 += held.unpaid_e8 + flat.gain_e8(terms, name, held.quantity_e8, held.cost_e8, seen)
    return Standing(account.balances.get(asset, 0) + profit_e8, required_e8, max(profit_e8, 0))


def free_e8(account: Account, asset: str, seen: Published, spends: bool) -> int:
    """What an account may still commit in an asset; `spends` leaves profit not yet paid out. Raises MarkWanted."""
    reserved_e8 = account.reserved.get(asset, 0)
    if not account.contracts and not any(one.contract for one in account.reservations.values()):
        return account.balances.get(asset, 0) - reserved_e8
    found = standing(account, asset, seen)
    return found.equity_e8 - found.required_e8 - reserved_e8 - (found.gains_e8 if spends else 0)


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


def exposed_margin_e8(exposed: Exposure, terms: ContractTerms, name: str, seen: Published) -> int:
    """Initial margin of the worst position that fills can make. Raises MarkWanted."""
    shorter = terms.kind == "OPTION" or exposed.short_e8 > exposed.long_e8
    worst_e8 = -exposed.short_e8 if shorter else exposed.long_e8
    return flat.need_e8(terms, name, worst_e8, terms.initial_rate_e8, seen)


def order_margin(
    account: Account, instrument: Instrument, side: Side, quantity_e8: int, limit_e8: int, rate_e8: int, seen: Published
) -> OrderMargin:
    """What an order needs, from its worst fills. Raises MarkWanted and MoneyError."""
    terms, name = instrument.contract, instrument.instrument_id
    assert terms is not None, "it is a contract"
    found = standing(account, terms.settlement_asset, seen)
    exposed = exposure(account, name)
    before_e8 = exposed_margin_e8(exposed, terms, name, seen)
    after_e8 = exposed_margin_e8(exposed.more(side, quantity_e8), terms, name, seen)
    bought_option = terms.kind == "OPTION" and side == "BUY"
    slip_e8 = _slip_e8(terms, side, limit_e8, seen.mark_e8(name, terms))
    return OrderMargin(
        unit_cost_e8=_unit_cost_e8(terms, bought_option, limit_e8, rate_e8) + slip_e8,
        adds_e8=after_e8 - before_e8,
        required_e8=found.required_e8,
        equity_e8=found.equity_e8,
        reserved_e8=account.reserved.get(terms.settlement_asset, 0),
    )


def only_reduces(
    made: OrderMargin, account: Account, instrument: Instrument, side: Side, quantity_e8: int, seen: Published
) -> bool:
    """Whether an order adds no margin, whatever is filled first, and frees at least what it can cost: then it passes
    even where margin is short. Raises MarkWanted."""
    terms, name = instrument.contract, instrument.instrument_id
    assert terms is not None, "it is a contract"
    if made.adds_e8 or quantity_e8 > reducible_e8(account, name, side) or terms.kind == "OPTION":
        return False
    return made.unit_cost_e8 <= flat.unit_e8(terms, name, terms.initial_rate_e8, seen)


def limit_notional_e8(terms: ContractTerms, quantity_e8: int, price_e8: int) -> int:
    """What limits on an order's notional count: the quote asset, of a quanto contract the settlement asset."""
    if terms.style == "INVERSE" and terms.kind != "OPTION":
        return divide(quantity_e8 * terms.multiplier_e8, ONE_E8, "up")[0]
    return flat.worth_e8(terms, quantity_e8, price_e8)


def reducible_e8(account: Account, name: str, side: Side) -> int:
    """Contracts that an order on this side would only reduce, and that no open order is going to."""
    held_e8, buys_e8, sells_e8 = exposure(account, name)
    return max(held_e8 - sells_e8, 0) if side == "SELL" else max(-held_e8 - buys_e8, 0)


def _slip_e8(terms: ContractTerms, side: Side, limit_e8: int, mark_e8: int) -> int:
    """Loss of one contract that is filled at its limit, against the mark; an option's premium is a cost of its own."""
    if terms.kind == "OPTION":
        lost_e8 = flat.worth_e8(terms, ONE_E8, mark_e8) - flat.worth_e8(terms, ONE_E8, limit_e8)
        return max(lost_e8, 0) if side == "SELL" else 0
    signed_e8 = ONE_E8 if side == "BUY" else -ONE_E8
    return max(-contracts.profit(Payoff(terms.style, terms.multiplier_e8), signed_e8, limit_e8, mark_e8, "down"), 0)


def _unit_cost_e8(terms: ContractTerms, bought_option: bool, limit_e8: int, rate_e8: int) -> int:
    payoff = Payoff("LINEAR" if terms.kind == "OPTION" else terms.style, terms.multiplier_e8)
    size_e8 = contracts.notional(payoff, ONE_E8, limit_e8)
    fee_e8 = divide(size_e8 * rate_e8, ONE_E8, "up")[0]
    return fee_e8 + (size_e8 if bought_option else 0)
