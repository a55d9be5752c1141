"""Price of an auction and what a bid takes: the method of truetape/margin/auction.py, in integers and whole lots."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Final

from msgspec import Struct

from services.clearing.margining.standing import Holding, Standing
from truetape.margin import auction as method
from truetape.margin.auction import Auction, AuctionParameters
from truetape.margin.models import to_money_e8
from truetape.messages import AuctionChanged
from truetape.money import ONE_E8

PARAMETERS: Final = AuctionParameters()
ONE_E18: Final = 10**18


class Priced(Struct, frozen=True):
    """A bid as the method sees it, with what is handed over."""

    bid: method.Bid
    part: Fraction
    """What is taken of what is there."""
    quantities: Mapping[str, int]
    """Signed contracts that the bidder gets."""


def priced(known: AuctionChanged, stands: Standing, seconds: float, wanted_e8: int) -> Priced | None:
    """The bid by the method, in whole lots; None when it is less than one.

    Who takes all that restores margin gets contracts rounded up to lots, so that it does. Else they are rounded down,
    and the part that counts is the least that any of them makes of its position.
    """
    wanted = wanted_e8 / ONE_E8
    made = method.bid(auction_of(known), floats(stands), seconds, wanted, PARAMETERS)
    part, capped = Fraction(made.part), made.part < wanted or made.part >= 1
    quantities = {name: _lots(held, part, up=capped) for name, held in stands.holdings.items()}
    if not capped:
        part = min(Fraction(quantities[name], held.quantity_e8) for name, held in stands.holdings.items())
    if part <= 0:
        return None
    if not capped:
        made = method.bid(auction_of(known), floats(stands), seconds, float(part), PARAMETERS)
    return Priced(made, part, {name: quantity_e8 for name, quantity_e8 in quantities.items() if quantity_e8})


def _lots(held: Holding, part: Fraction, *, up: bool) -> int:
    """A part of a position in whole lots, signed as the position and never more than it."""
    if part >= 1:
        return held.quantity_e8
    exact = abs(held.quantity_e8) * part / held.lot_e8
    size_e8 = min((ceil(exact) if up else floor(exact)) * held.lot_e8, abs(held.quantity_e8))
    return size_e8 if held.quantity_e8 > 0 else -size_e8


def floats(stands: Standing) -> method.Standing:
    """What the method sees: amounts of the settlement asset."""
    return method.Standing(stands.value_e8 / ONE_E8, stands.maintenance_e8 / ONE_E8)


def auction_of(known: AuctionChanged) -> Auction:
    """An auction as the method knows it."""
    assert known.kind in ("solvent", "insolvent"), "there are two"
    return Auction(
        "solvent" if known.kind == "solvent" else "insolvent", known.fee_e8 / ONE_E8, known.lowest_e8 / ONE_E8,
        known.reserved_e8 / ONE_E8, known.left_e18 / ONE_E18, known.forced,
    )  # fmt: skip


def elapsed(known: AuctionChanged, at_us: int) -> float:
    """Seconds since the price began to fall."""
    return max(at_us - known.begun_at_us, 0) / 1e6


def price_e8(known: AuctionChanged, stands: Standing, at_us: int) -> int:
    """What all of it costs now, rounded up; negative: what its taker is paid."""
    return to_money_e8(method.price(auction_of(known), floats(stands), elapsed(known, at_us), PARAMETERS), owed=True)
