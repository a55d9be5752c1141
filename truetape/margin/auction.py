"""Dutch auction of a whole portfolio in liquidation, as numbers: price, largest part, fee, and who pays.

Source: Derive v2-core, `DutchAuction.sol` and its liquidation simulations (method and parameters as published; the
formulae are in docs/margin.md). All amounts are floats of the settlement currency; nothing here knows a clock: the
caller says how many seconds have gone by.
"""

import math
from typing import Literal

import msgspec
from msgspec.structs import replace

from truetape.errors import MarginInputInvalid
from truetape.margin.portfolio import Future, Holding, Option, Perpetual, Portfolio, Position


class AuctionParameters(msgspec.Struct, frozen=True):
    """Defaults are those of the published simulations."""

    start: float = 0.98
    """Share of the value that the first price asks."""
    cutoff: float = 0.80
    """Share at the end of the fast part; the slow part falls from there to nothing."""
    fast_seconds: float = 100.0
    slow_seconds: float = 14_400.0
    buffer: float = 0.2
    """How far beyond maintenance an auction goes: share of what maintenance margin needs."""
    fee_rate: float = 0.02
    insolvent_seconds: float = 100.0
    insolvent_scale: float = 1.1
    """The most that an insolvent account's taker is paid: times the buffer margin at the start."""


class Standing(msgspec.Struct, frozen=True):
    """What margin says of the account now."""

    value: float
    """Equity at the marks."""
    maintenance: float
    """Maintenance excess; negative: liquidate."""

    def buffer_margin(self, parameters: AuctionParameters) -> float:
        """Maintenance excess after a further share of the maintenance need: what the auction restores to zero."""
        return self.maintenance + parameters.buffer * (self.maintenance - self.value)


class Auction(msgspec.Struct, frozen=True):
    """A running auction; it changes only by `bid`."""

    kind: Literal["solvent", "insolvent"]
    fee: float
    """Taken from the account at the start, before its standing is looked at again."""
    lowest: float
    """Insolvent: what the last moment pays for all of it, negative; solvent: 0."""
    reserved: float = 0.0
    """Cash paid by earlier takers: it stays with the account and is not for sale."""
    left: float = 1.0
    """Part of the original portfolio that is still there."""
    is_forced: bool = False
    """Ordered whatever the margin: no fee is taken, and all of the account may be sold."""


class Bid(msgspec.Struct, frozen=True):
    """The outcome of one bid. The taker gets `part` of every position and of the cash that is not reserved."""

    part: float
    """Of what the account has now."""
    of_original: float
    paid: float
    """By the taker to the account."""
    received: float
    """By the taker from the insurance fund; 0 in a solvent auction."""
    auction: Auction
    """How the auction stands after it."""


def begin(standing: Standing, parameters: AuctionParameters, *, is_forced: bool = False) -> Auction:
    """Open an auction. Raises MarginInputInvalid when the account is not below maintenance, unless it is forced."""
    _check(standing)
    if standing.maintenance >= 0 and not is_forced:
        raise MarginInputInvalid(f"maintenance excess is {standing.maintenance}: there is nothing to liquidate")
    if standing.value > 0:
        part = 0.0 if is_forced else largest_part(standing, 1.0, 0.0, parameters)
        return Auction("solvent", part * standing.value * parameters.fee_rate, lowest=0.0, is_forced=is_forced)
    lowest = min(standing.buffer_margin(parameters), 0.0) * parameters.insolvent_scale
    return Auction("insolvent", fee=0.0, lowest=lowest, is_forced=is_forced)


def discount(seconds: float, parameters: AuctionParameters) -> float:
    """The share of the value asked after so many seconds: fast to the cutoff, slowly to zero."""
    _check_seconds(seconds)
    if seconds < parameters.fast_seconds:
        return parameters.start - (parameters.start - parameters.cutoff) * seconds / parameters.fast_seconds
    slow = (seconds - parameters.fast_seconds) / parameters.slow_seconds
    return max(parameters.cutoff * (1 - slow), 0.0)


def largest_part(standing: Standing, share: float, reserved: float, parameters: AuctionParameters) -> float:
    """The part of the account whose sale at this share of its value brings buffer margin to zero; 0 to 1."""
    short = min(standing.buffer_margin(parameters), 0.0)
    if short == 0:
        return 0.0
    below = short - standing.value * share - reserved * (1 - share)
    return min(short / below, 1.0) if below < 0 else 1.0


def price(auction: Auction, standing: Standing, seconds: float, parameters: AuctionParameters) -> float:
    """What all of the account costs now; negative: what its taker is paid.

    Solvent: a falling share of the value that is not reserved. Insolvent: from zero down to `lowest` on a line.
    """
    _check(standing)
    match auction.kind:
        case "solvent":
            return max(standing.value - auction.reserved, 0.0) * discount(seconds, parameters)
        case "insolvent":
            _check_seconds(seconds)
            return auction.lowest * min(seconds / parameters.insolvent_seconds, 1.0)


def bid(auction: Auction, standing: Standing, seconds: float, wanted: float, parameters: AuctionParameters) -> Bid:
    """Take up to `wanted` of what the account has now.

    In a solvent auction that is not forced, not more than restores buffer margin is sold. Raises MarginInputInvalid for
    a wanted part outside 0 to 1 or when the account needs no more selling.
    """
    if not 0 < wanted <= 1:
        raise MarginInputInvalid(f"a bid is for more than nothing and not more than all of an account, not {wanted}")
    if standing.maintenance >= 0 and standing.buffer_margin(parameters) >= 0 and not auction.is_forced:
        raise MarginInputInvalid("the account is above its margin again: end the auction")
    asked = price(auction, standing, seconds, parameters)
    match auction.kind:
        case "solvent":
            share = discount(seconds, parameters)
            most = 1.0 if auction.is_forced else largest_part(standing, share, auction.reserved, parameters)
            part = min(wanted, most)
            paid, received = asked * part, 0.0
        case "insolvent":
            part, paid = wanted, 0.0
            received = -asked * part * auction.left
    after = replace(auction, reserved=auction.reserved + paid, left=auction.left * (1 - part))
    return Bid(part, part * auction.left, paid, received, after)


def remaining(portfolio: Portfolio, made: Bid, reserved: float) -> Portfolio:
    """The account after a bid: its part of every position and of the cash not reserved is gone, the payment came in."""
    kept = 1 - made.part
    positions = tuple(_scaled(position, kept) for position in portfolio.positions)
    return Portfolio(positions, (portfolio.cash - reserved) * kept + reserved + made.paid)


def _scaled(position: Position, kept: float) -> Position:
    quantity = position.quantity * kept
    match position:
        case Perpetual():
            pnl, funding = position.unrealised_pnl * kept, position.unsettled_funding * kept
            return replace(position, quantity=quantity, unrealised_pnl=pnl, unsettled_funding=funding)
        case Future():
            return replace(position, quantity=quantity, unrealised_pnl=position.unrealised_pnl * kept)
        case Option() | Holding():
            return replace(position, quantity=quantity)


def _check(standing: Standing) -> None:
    if not (math.isfinite(standing.value) and math.isfinite(standing.maintenance)):
        raise MarginInputInvalid(f"{standing}: an auction needs a margin that could be computed")


def _check_seconds(seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds >= 0):
        raise MarginInputInvalid(f"an auction that began {seconds} seconds ago is not possible")
