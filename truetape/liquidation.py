"""Arithmetic of liquidation, in integers: at which price an account is bankrupt, at which it is worth filling, how much
has to go, and what the insurance fund gets or pays.

All amounts are in one quote asset in whatever unit the caller counts (1e-8 here, 1e-6 in dYdX); notional and collateral
are signed, maintenance margins are not negative. Rates are in parts per million where dYdX publishes them so, else in
units of 1e-8. Sources: dYdX v4 `x/clob/keeper/liquidations.go`; Drift protocol-v2 `math/liquidation.rs`.
"""

from fractions import Fraction
from typing import Final

import msgspec

from truetape.errors import ContractError
from truetape.money import ONE_E8, Rounding, divide, fits

MILLION: Final = 1_000_000
KEY: Final = "clearing:liquidation"
"""Who submits a liquidation's orders: no API key can be called so, since key ids have no colon."""
CLIENT_ORDER_PREFIX: Final = "liquidation-"
"""How their client order ids begin; the gateway takes no order of a client's that begins so."""
ALARM_ASKED: Final = 4
"""How often one thing is asked for without an answer before somebody has to look: that is after 75 seconds."""


class Standing(msgspec.Struct, frozen=True):
    """Where an account stands: collateral with all positions at their marks, and all maintenance margins."""

    collateral: int
    maintenance: int

    def __post_init__(self) -> None:
        """Refuse an account that nothing can be liquidated of."""
        if self.maintenance <= 0:
            raise ContractError("an account without maintenance margin has no position to liquidate")


def bankruptcy_value(standing: Standing, notional_change: int, maintenance_change: int) -> int:
    """What closing a part of a position has to bring (negative: may cost) so that the account ends with its share of
    what is left.

    -(change of notional) - collateral x |change of maintenance| / maintenance, rounded up: for the fund. The change of
    maintenance is not positive, since a position only gets smaller.
    """
    if maintenance_change > 0:
        raise ContractError("closing cannot raise maintenance margin: give the change from before to after")
    share = divide(standing.collateral * -maintenance_change, standing.maintenance, "down")[0]
    return -notional_change - share


def fillable_price(
    standing: Standing,
    notional: int,
    maintenance: int,
    size: int,
    adjustment_ppm: int = MILLION,
    spread_ppm: int = 100_000,
) -> Fraction:
    """The worst price at which a position may be filled, in amount per unit of size: exact.

    (notional - rating x spread x maintenance) / size, with rating = adjustment x (1 - collateral / all maintenance)
    held within 0 and 1. It is the mark while the account just fails its margin and moves away as it gets worse.
    """
    if size == 0:
        raise ContractError("a position of no size has no fillable price")
    missing = 1 - Fraction(standing.collateral, standing.maintenance)
    rating = max(Fraction(0), min(missing * Fraction(adjustment_ppm, MILLION), Fraction(1)))
    return (notional - rating * Fraction(spread_ppm, MILLION) * maintenance) / Fraction(size)


def insurance_delta(received: int, bankruptcy: int, fee_ppm: int) -> int:
    """What the insurance fund gets from a liquidation fill (negative: pays); `received` is negative for a purchase.

    What was got beyond the bankruptcy value, but at most the fee, rounded down; all that is missing below it.
    """
    beyond = received - bankruptcy
    return beyond if beyond <= 0 else min(beyond, abs(received) * fee_ppm // MILLION)


def quantity_to_cover(
    shortage_e8: int,
    price_e8: int,
    margin_rate_e8: int,
    liquidator_rate_e8: int = 0,
    insurance_rate_e8: int = 0,
    quote_price_e8: int = ONE_E8,
    rounding: Rounding = "up",
) -> int | None:
    """Least quantity whose liquidation restores the margin that is missing; None when no quantity does.

    shortage / (price x quote price x (margin rate - liquidator's fee) - price x insurance fee): each unit sold frees
    its margin and costs the two fees. Source: Drift `calculate_base_asset_amount_to_cover_margin_shortage`.
    """
    if shortage_e8 <= 0:
        return 0
    freed = price_e8 * (quote_price_e8 * (margin_rate_e8 - liquidator_rate_e8) - ONE_E8 * insurance_rate_e8)
    if freed <= 0:
        return None
    return fits(divide(shortage_e8 * ONE_E8**3, freed, rounding)[0])


def borrow_to_repay(
    shortage_e8: int,
    price_e8: int,
    asset_weight_e8: int,
    liability_weight_e8: int,
    asset_multiplier_e8: int = ONE_E8,
    liability_multiplier_e8: int = ONE_E8,
    insurance_rate_e8: int = 0,
    weight_step_e8: int | None = None,
    rounding: Rounding = "up",
) -> int | None:
    """Least quantity of a borrowed asset whose repayment out of collateral restores the margin that is missing.

    shortage / (price x (liability weight - asset weight x asset multiplier / liability multiplier) - price x insurance
    fee x liability weight); the multipliers are 1 + and 1 - the liquidator's fees. None when no quantity does. Source:
    Drift `calculate_liability_transfer_to_cover_margin_shortage`, which cuts the asset's share to steps of 1e-5
    (`weight_step_e8` 1 000); exact without.
    """
    if shortage_e8 <= 0:
        return 0
    paid = Fraction(asset_weight_e8 * asset_multiplier_e8, liability_multiplier_e8)
    if weight_step_e8 is not None:
        paid = Fraction(paid // weight_step_e8 * weight_step_e8)
    weight = liability_weight_e8 - paid
    freed = price_e8 * (weight - Fraction(insurance_rate_e8 * liability_weight_e8, ONE_E8))
    if freed <= 0:
        return None
    exact = Fraction(shortage_e8 * ONE_E8**2) / freed
    return fits(divide(exact.numerator, exact.denominator, rounding)[0])


def socialised_per_unit(loss: int, long: int, short: int, unit: int) -> int:
    """What every open unit, long and short, has to bear of a loss, rounded up so that the loss is covered.

    `unit` is how many of the sizes' units make one contract; what is paid beyond the loss stays with the fund. Source:
    Drift `calculate_funding_rate_deltas_to_resolve_bankruptcy`.
    """
    whole = abs(long) + abs(short)
    if whole == 0:
        raise ContractError("a loss cannot be socialised over no open interest: take it from the fund")
    return divide(abs(loss) * unit, whole, "up")[0]
