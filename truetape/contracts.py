"""Contracts: what a position in a derivative is worth, in integers: linear, inverse, quanto; futures and options.

The *value* of a position at a price is what it would settle for: quantity x multiplier x price, or for an inverse
contract minus quantity x multiplier / price. A trade's cost is its value at the traded price, so profit is always
value now minus cost, and average cost (`services.clearing.booking.positions`) works for every payoff.

    payoff    multiplier of one contract                      settles in   example
    LINEAR    units of the underlying                         quote        BTC-USDT perpetual, 0.001 BTC
    INVERSE   units of the quote currency (futures)           underlying   BTC-USD perpetual, 10 USD
              units of the underlying (options)               underlying   BTC option, 1 BTC
    QUANTO    units of the settlement asset per price point   third asset  ETH-USD paid in BTC, 0.000001 BTC

Rounding: two sides of a trade must mirror each other, so a cost is rounded once and negated for the other side. What
an account is paid or pays at settlement is rounded `down` (toward minus infinity: against the account); what is left
over belongs to the clearing house and is booked there.
"""

from typing import Literal, assert_never

import msgspec

from truetape.errors import ContractError, PriceNotPositive
from truetape.money import ONE_E8, Rounding, divide, fits

Payoff = Literal["LINEAR", "INVERSE", "QUANTO"]
Right = Literal["CALL", "PUT"]

ONE_E18 = 10**18


class Contract(msgspec.Struct, frozen=True):
    """The terms that decide what a position is worth; the table above gives the multiplier's unit."""

    payoff: Payoff
    multiplier_e8: int


class Delivery(msgspec.Struct, frozen=True):
    """Signed amounts that an account receives when an option or future is delivered physically."""

    underlying_e8: int
    quote_e8: int


def value(contract: Contract, quantity_e8: int, price_e8: int, rounding: Rounding) -> int:
    """Signed value of a position in the settlement asset (1e-8).

    Linear and quanto take any price, zero and negative too. Raises PriceNotPositive for an inverse contract, and
    MoneyError beyond 64 bits.
    """
    size = quantity_e8 * contract.multiplier_e8
    match contract.payoff:
        case "LINEAR" | "QUANTO":
            return fits(divide(size * price_e8, ONE_E8**2, rounding)[0])
        case "INVERSE":
            return fits(divide(-size, positive(price_e8), rounding)[0])
        case _:
            assert_never(contract.payoff)


def price_of(contract: Contract, quantity_e8: int, value_e8: int) -> int:
    """The price at which a position has this value, to the nearest 1e-8: an average price where the value is a cost.

    Raises PriceNotPositive for an inverse position without value, and MoneyError beyond 64 bits.
    """
    size = quantity_e8 * contract.multiplier_e8
    if contract.payoff == "INVERSE":
        return fits(divide(size, positive(-value_e8), "half_even")[0])
    return fits(divide(value_e8 * ONE_E8**2, size, "half_even")[0])


def profit(contract: Contract, quantity_e8: int, entry_e8: int, exit_e8: int, rounding: Rounding) -> int:
    """Signed profit from one price to another in the settlement asset, rounded once.

    Also the variation margin of a position between two settlement prices.
    """
    moved = quantity_e8 * contract.multiplier_e8 * (exit_e8 - entry_e8)
    match contract.payoff:
        case "LINEAR" | "QUANTO":
            return fits(divide(moved, ONE_E8**2, rounding)[0])
        case "INVERSE":
            return fits(divide(moved, positive(entry_e8) * positive(exit_e8), rounding)[0])
        case _:
            assert_never(contract.payoff)


def notional(contract: Contract, quantity_e8: int, price_e8: int) -> int:
    """Size of a position in the settlement asset, never negative, rounded up: what limits, fees and margin apply to."""
    return max(abs(value(contract, quantity_e8, price_e8, rounding)) for rounding in ("down", "up"))


def unit_notional_e18(contract: Contract, price_e8: int) -> int:
    """Notional of one contract in 1e-18 of the settlement asset, half to even: what funding accrues on."""
    match contract.payoff:
        case "LINEAR" | "QUANTO":
            return divide(contract.multiplier_e8 * price_e8 * ONE_E18, ONE_E8**2, "half_even")[0]
        case "INVERSE":
            return divide(contract.multiplier_e8 * ONE_E18, positive(price_e8), "half_even")[0]
        case _:
            assert_never(contract.payoff)


def intrinsic(right: Right, strike_e8: int, price_e8: int) -> int:
    """What exercising one unit is worth in the quote currency, never negative."""
    return max(price_e8 - strike_e8 if right == "CALL" else strike_e8 - price_e8, 0)


def exercise(
    contract: Contract, right: Right, strike_e8: int, settlement_e8: int, quantity_e8: int, rounding: Rounding = "down"
) -> int:
    """What an option position receives at expiry in the settlement asset; a short position's is negative.

    European and cash settled. An inverse option pays its intrinsic value divided by the settlement price. Source:
    https://support.deribit.com/hc/en-us/articles/25944688327069. Raises PriceNotPositive for an inverse option.
    """
    paid = quantity_e8 * contract.multiplier_e8 * intrinsic(right, strike_e8, settlement_e8)
    match contract.payoff:
        case "LINEAR" | "QUANTO":
            return fits(divide(paid, ONE_E8**2, rounding)[0])
        case "INVERSE":
            return fits(divide(paid, positive(settlement_e8) * ONE_E8, rounding)[0])
        case _:
            assert_never(contract.payoff)


def deliver_option(contract: Contract, right: Right, strike_e8: int, quantity_e8: int) -> Delivery:
    """Physical delivery of an exercised option: the underlying against the strike.

    A long call and a short put take the underlying in. Both amounts are rounded down: against the account. An inverse
    option's multiplier is of the underlying too, so it delivers as a linear one. Raises ContractError for quanto.
    """
    bought_e8 = quantity_e8 if right == "CALL" else -quantity_e8
    payoff: Payoff = "LINEAR" if contract.payoff == "INVERSE" else contract.payoff
    return deliver_future(Contract(payoff, contract.multiplier_e8), strike_e8, bought_e8)


def exercised_notional(contract: Contract, quantity_e8: int, settlement_e8: int) -> int:
    """Size of an option position at expiry in the settlement asset, never negative, rounded up: of the underlying, in
    which an inverse option counts already."""
    if contract.payoff == "INVERSE":
        return fits(divide(abs(quantity_e8) * contract.multiplier_e8, ONE_E8, "up")[0])
    return notional(contract, quantity_e8, settlement_e8)


def deliver_future(contract: Contract, price_e8: int, quantity_e8: int) -> Delivery:
    """Physical delivery of a future: the underlying against the settlement price. Both amounts are rounded down.

    An inverse future's quantity is money, so its underlying is what that money buys at the price.
    """
    match contract.payoff:
        case "LINEAR":
            underlying_e8 = fits(divide(quantity_e8 * contract.multiplier_e8, ONE_E8, "down")[0])
            return Delivery(underlying_e8, -value(contract, quantity_e8, price_e8, "up"))
        case "INVERSE":
            paid_e8 = fits(divide(-quantity_e8 * contract.multiplier_e8, ONE_E8, "down")[0])
            return Delivery(-value(contract, quantity_e8, price_e8, "up"), paid_e8)
        case "QUANTO":
            raise ContractError("the underlying of a quanto contract cannot be delivered: settle it in cash")
        case _:
            assert_never(contract.payoff)


def positive(price_e8: int) -> int:
    """The price, or PriceNotPositive: an inverse contract divides by it."""
    if price_e8 <= 0:
        raise PriceNotPositive(f"an inverse contract cannot be priced at {price_e8} (1e-8): give a price above zero")
    return price_e8
