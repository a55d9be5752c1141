"""Collateral in several assets, in integers: what it counts for, and what is sold first when money is short.

    value    = quantity x price, in the account's currency
    counted  = value less haircut (and less the mismatch rate where the asset is of another currency than the exposure),
               at most the asset's limit, at most its share of all collateral's value after haircuts
A risk-cancelling asset (the underlying of positions in the account) counts like any other at its own small haircut, and
goes into the margin model as a position too, where scenarios shock it with the rest; `cancelling` lists those.
Everything is rounded down: against the account. A price that is missing, zero, too old or of low confidence is a named
error or contingency, never full value. Sources: EU 153/2013 Articles 37 to 43 (haircuts, concentration, currency);
Derive `PMRM_2` (risk-cancelling collateral, confidence).
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from truetape.errors import CollateralRefused
from truetape.money import ONE_E8, divide, fits, notional, portion


class CollateralTerms(msgspec.Struct, frozen=True):
    """How an asset counts; rates in units of 1e-8."""

    haircut_e8: int
    currency: str
    """What its value moves with: the currency itself, or the underlying."""
    limit_e8: int | None = None
    """Most that it can count for in one account, in the account's currency."""
    share_max_e8: int = ONE_E8
    """Largest part of all collateral (after haircuts) that it can be."""
    cancels_risk: bool = False
    lot_e8: int = 1
    """Quantity step in which it can be sold."""
    confidence_min_e8: int = 0
    """Below this confidence, what is missing of full confidence is taken off its value."""

    def __post_init__(self) -> None:
        """Refuse terms that cannot be, by name."""
        if not (0 <= self.haircut_e8 <= ONE_E8 and 0 <= self.share_max_e8 <= ONE_E8 and self.lot_e8 > 0):
            raise CollateralRefused(f"{self}: haircut and share are within 0 and 1, the lot is above 0")


class Posted(msgspec.Struct, frozen=True):
    """What an account has posted of one asset, with its price in the account's currency."""

    asset: str
    quantity_e8: int
    price_e8: int
    confidence_e8: int = ONE_E8


class Counted(msgspec.Struct, frozen=True):
    """What one asset counts for, and what was taken off why."""

    asset: str
    value_e8: int
    haircut_e8: int
    concentration_e8: int
    counted_e8: int


class Valuation(msgspec.Struct, frozen=True):
    """All collateral of an account."""

    assets: tuple[Counted, ...]
    counted_e8: int
    cancelling: tuple[Posted, ...]


class Sale(msgspec.Struct, frozen=True):
    """What of an asset is sold, and what that brings at least."""

    asset: str
    quantity_e8: int
    brings_e8: int


def valued(
    posted: Iterable[Posted], terms: Mapping[str, CollateralTerms], currency: str, mismatch_rate_e8: int = 0
) -> Valuation:
    """What the collateral counts for in an account whose exposure is in `currency`.

    Raises CollateralRefused for an asset without terms, named twice, negative, or without a price above zero.
    """
    held = sorted(posted, key=lambda one: one.asset)
    _check(held, terms)
    values = {one.asset: notional(one.price_e8, one.quantity_e8, "down") for one in held}
    trimmed = {
        one.asset: _trimmed(one, values[one.asset], terms[one.asset], currency, mismatch_rate_e8) for one in held
    }
    whole_e8 = sum(trimmed.values())
    assets = tuple(_counted(asset, values[asset], trimmed[asset], whole_e8, terms[asset]) for asset in trimmed)
    cancelling = tuple(one for one in held if terms[one.asset].cancels_risk)
    return Valuation(assets, fits(sum(asset.counted_e8 for asset in assets)), cancelling)


def _check(held: Sequence[Posted], terms: Mapping[str, CollateralTerms]) -> None:
    if len({one.asset for one in held}) != len(held):
        raise CollateralRefused("an asset is listed twice: sum its balances first")
    for one in held:
        if one.asset not in terms:
            raise CollateralRefused(f"{one.asset} is not accepted as collateral: set its terms or give it back")
        if one.quantity_e8 < 0 or one.price_e8 <= 0 or not 0 <= one.confidence_e8 <= ONE_E8:
            raise CollateralRefused(f"{one.asset}: quantity, price or confidence is out of range; correct its source")


def _trimmed(one: Posted, value_e8: int, terms: CollateralTerms, currency: str, mismatch_rate_e8: int) -> int:
    """The value after haircut, currency mismatch and missing confidence."""
    rate_e8 = terms.haircut_e8
    if currency != terms.currency:
        rate_e8 += mismatch_rate_e8
    if one.confidence_e8 < terms.confidence_min_e8:
        rate_e8 += ONE_E8 - one.confidence_e8
    return portion(value_e8, max(ONE_E8 - rate_e8, 0), "down")


def _counted(asset: str, value_e8: int, trimmed_e8: int, whole_e8: int, terms: CollateralTerms) -> Counted:
    most_e8 = portion(whole_e8, terms.share_max_e8, "down")
    if terms.limit_e8 is not None:
        most_e8 = min(most_e8, terms.limit_e8)
    counted_e8 = min(trimmed_e8, most_e8)
    return Counted(asset, value_e8, value_e8 - trimmed_e8, trimmed_e8 - counted_e8, counted_e8)


def cover(
    shortfall_e8: int,
    posted: Iterable[Posted],
    terms: Mapping[str, CollateralTerms],
    currency: str,
    sale_cost_rate_e8: int = 0,
) -> tuple[list[Sale], int]:
    """What has to be sold to bring a shortfall of the account's currency, and what stays uncovered.

    The currency itself goes first, then the asset with the smallest haircut, then by name: least is lost that way. Each
    sale is the least whole number of lots that brings enough after cost, and never more lots than are there.
    """
    left_e8 = max(shortfall_e8, 0)
    sales = []
    held = list(posted)
    _check(held, terms)
    for one in sorted(held, key=lambda one: (one.asset != currency, terms[one.asset].haircut_e8, one.asset)):
        quantity_e8 = _least(one, left_e8, terms[one.asset].lot_e8, sale_cost_rate_e8)
        brings_e8 = brought(one, quantity_e8, sale_cost_rate_e8)
        if brings_e8 > 0:
            sales.append(Sale(one.asset, quantity_e8, brings_e8))
            left_e8 = max(left_e8 - brings_e8, 0)
    return sales, left_e8


def brought(one: Posted, quantity_e8: int, sale_cost_rate_e8: int) -> int:
    """What selling a quantity brings after cost, rounded down."""
    return portion(notional(one.price_e8, quantity_e8, "down"), ONE_E8 - sale_cost_rate_e8, "down")


def _least(one: Posted, needed_e8: int, lot_e8: int, sale_cost_rate_e8: int) -> int:
    """Least quantity in lots that brings what is needed, or all whole lots."""
    if needed_e8 == 0:
        return 0
    kept_e8 = one.price_e8 * (ONE_E8 - sale_cost_rate_e8)
    if kept_e8 <= 0:
        return 0
    # Both roundings of `brought` lose less than one unit each, so two units more are always enough.
    wanted_e8 = divide((needed_e8 + 2) * ONE_E8**2, kept_e8, "up")[0]
    lots = min(divide(wanted_e8, lot_e8, "up")[0], one.quantity_e8 // lot_e8)
    while lots > 0 and brought(one, (lots - 1) * lot_e8, sale_cost_rate_e8) >= needed_e8:
        lots -= 1
    return lots * lot_e8
