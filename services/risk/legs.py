"""Legs of trades with the clearing house: their margin is reserved here, before clearing books anything.

Clearing asks by its record `LegChanged` RESERVING, after the account has said yes where it must. From then on a leg
holds credit as an order does that may be filled: orders, withdrawals and other legs count with it. It is free when
clearing has booked the leg, since the position counts from then on, or when the trade's home has let it go.
"""

from typing import Final

from msgspec.structs import replace

from services.risk import checks, credit, holdings
from services.risk.account import Account, Reservation, State
from services.risk.refusal import Refusal
from truetape.messages import EntryBooked, LegAssessed, LegChanged, LegReleased, OrderTerms
from truetape.reference import Reference
from truetape.service import Input

LEG_CHECKS: Final[checks.Checks[checks.Asked]] = (
    ("TRADING_HALTED", checks.trading_halted),
    ("TRADING_HALTED", checks.ledger_halted),
    ("TRADING_REDUCING", checks.liquidated),
    ("TRADING_REDUCING", checks.trading_reducing),
    ("NUMBER_TOO_LARGE", checks.number_too_large),
)
"""A leg is no order and goes to no venue: its home has looked at price and size."""
PRICE_CHECKS: Final[checks.Checks[checks.Priced]] = (
    ("NUMBER_TOO_LARGE", checks.cost_too_large),
    ("INSUFFICIENT_FUNDS", checks.insufficient_funds),
)


def changed(state: State, given: Input, event: LegChanged) -> LegAssessed | LegReleased | None:
    """Reserve, refuse or release; nothing where clearing only says what risk has said."""
    account = holdings.owing(state, event.account_id)
    held = account.reservations.get(event.leg.leg_id)
    if event.state == "RESERVING" and held is None:
        return _assess(account, given, event)
    if event.state == "RELEASED" and held is not None:
        meta = given.meta(event.trade_id)
        return LegReleased(meta, event.account_id, event.leg.leg_id, held.asset, held.reserved_e8)
    return None


def _assess(account: Account, given: Input, event: LegChanged) -> LegAssessed:
    reference, leg = given.tables.reference, event.leg
    asked = checks.asked(_order(event), given.at_us, account, given)
    if isinstance(asked, checks.Asked):
        asked.fee_rate_e8 = _fee_rate_e8(reference, event)
    found = checks.examine_by(asked, LEG_CHECKS, PRICE_CHECKS) if isinstance(asked, checks.Asked) else asked
    said = LegAssessed(
        meta=given.meta(event.trade_id),
        account_id=event.account_id,
        leg_id=leg.leg_id,
        trade_id=event.trade_id,
        accepted=False,
        reason="",
        numbers={},
        instrument_id=leg.instrument_id,
        side=leg.side,
        quantity_e8=leg.quantity_e8,
        price_e8=leg.price_e8,
        reserved_asset="",
        reserved_e8=0,
        fee_rate_e8=0,
        reference_offset=given.tables.reference_offset,
        mark=found.mark,
    )
    if isinstance(found, Refusal):
        return replace(said, reason=found.reason, numbers=found.numbers)
    asset = credit.asset_of(leg.side, found.asked.instrument)
    return replace(
        said, accepted=True, reserved_asset=asset, reserved_e8=found.cost_e8, fee_rate_e8=found.fee_rate_e8,
        margin=found.margin,
    )  # fmt: skip


def _order(event: LegChanged) -> OrderTerms:
    """A leg in the words that the checks know: an order at the leg's price."""
    leg = event.leg
    return OrderTerms(
        leg.leg_id, leg.account_id, leg.leg_id, leg.instrument_id, leg.side, "LIMIT", "IOC", False, leg.quantity_e8,
        leg.price_e8,
    )  # fmt: skip


def _fee_rate_e8(reference: Reference, event: LegChanged) -> int:
    """A trade pays the house's fee once; a leg that moves pays none. A rebate is none that one could count on."""
    return max(reference.fees_of(event.account_id).taker_rate_e8, 0) if event.kind == "NOVATION" else 0


def booked(account: Account, entry: EntryBooked) -> Reservation | None:
    """What the leg of an entry has held."""
    return account.reservations.get(entry.entry_id)


# -- for evolve ------------------------------------------------------------------------------------------------------


def assessed(state: State, event: LegAssessed) -> None:
    """A leg holds what it can use; it has no open quantity at a venue, so it counts as ended."""
    if not event.accepted:
        return
    account, margin = state.account(event.account_id), event.margin
    assert margin is not None, "it is a contract"
    account.reservations[event.leg_id] = Reservation(
        number=account.accepted, instrument_id=event.instrument_id, asset=event.reserved_asset,
        buys=event.side == credit.BUY, limit_price_e8=event.price_e8, fee_rate_e8=event.fee_rate_e8,
        quantity_e8=event.quantity_e8, reserved_e8=event.reserved_e8, ended=True, contract=True,
        unit_cost_e8=margin.unit_cost_e8, leg=True,
    )  # fmt: skip
    credit.hold(account, event.reserved_asset, event.reserved_e8)


def free(account: Account, leg_id: str) -> None:
    """A leg is booked, or let go: it holds nothing any more."""
    if (held := account.reservations.pop(leg_id, None)) is not None:
        credit.hold(account, held.asset, -held.reserved_e8)
