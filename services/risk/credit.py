"""Credit: what an order can cost, what is reserved for it, what an account may still use."""

from typing import Final

from services.risk import sides
from services.risk.account import Account, Reservation, Withdrawal, close
from truetape.messages import Fees, Instrument, OrderAccepted, Side
from truetape.money import ONE_E8, divide

BUY: Final = "BUY"


def fee_rate_e8(fees: Fees, instrument: Instrument) -> int:
    """The highest fee rate that a fill can meet: the house's and the dearest venue's; rebates count as zero."""
    venues_e8 = max((listing.taker_rate_e8 for listing in instrument.listings), default=0)
    return max(fees.maker_rate_e8, fees.taker_rate_e8, 0) + max(venues_e8, 0)


def asset_of(side: Side, instrument: Instrument) -> str:
    """What an order uses: a buy the quote asset, a sell the base asset; in a contract what it settles in."""
    if instrument.contract is not None:
        return instrument.contract.settlement_asset
    return instrument.quote if side == BUY else instrument.base


def cost_e8(buys: bool, quantity_e8: int, limit_price_e8: int, rate_e8: int) -> int:
    """Most that a quantity can use: a buy its notional at the limit and the fee on it, both rounded up; a sell itself.

    Not bound to 64 bits: checks.py refuses an order that costs more, and no part of an order costs more than the whole.
    """
    if not buys:
        return quantity_e8
    amount_e8 = notional_e8(limit_price_e8, quantity_e8)
    return amount_e8 + divide(amount_e8 * rate_e8, ONE_E8, "up")[0]


def notional_e8(price_e8: int, quantity_e8: int) -> int:
    """Price times quantity in the quote asset, rounded up; not bound to 64 bits."""
    return divide(price_e8 * quantity_e8, ONE_E8, "up")[0]


def left_e8(reservation: Reservation, quantity_e8: int, cleared_e8: int) -> int:
    """What a reservation must still hold when the order may fill quantity_e8 in all and cleared_e8 is cleared."""
    rest_e8 = quantity_e8 - cleared_e8
    if rest_e8 <= 0:
        return 0
    if reservation.contract:
        return times_e8(rest_e8, reservation.unit_cost_e8)
    return cost_e8(reservation.buys, rest_e8, reservation.limit_price_e8, reservation.fee_rate_e8)


def times_e8(quantity_e8: int, unit_e8: int) -> int:
    """So many contracts at so much each, rounded up."""
    return divide(quantity_e8 * unit_e8, ONE_E8, "up")[0]


def available_e8(account: Account, asset: str) -> int:
    """What an account may still commit."""
    return account.balances.get(asset, 0) - account.reserved.get(asset, 0)


# -- for evolve ----------------------------------------------------------------------------------------------------


def reserve(account: Account, accepted: OrderAccepted) -> None:
    """An accepted order holds what it can use."""
    order, margin = accepted.order, accepted.margin
    account.reservations[order.order_id] = Reservation(
        number=account.accepted,
        instrument_id=order.instrument_id,
        asset=accepted.reserved_asset,
        buys=order.side == BUY,
        limit_price_e8=accepted.limit_price_e8,
        fee_rate_e8=accepted.fee_rate_e8,
        quantity_e8=order.quantity_e8,
        reserved_e8=accepted.reserved_e8,
        contract=margin is not None,
        unit_cost_e8=margin.unit_cost_e8 if margin else 0,
        closes=order.position_effect == sides.CLOSE,
    )
    account.accepted += 1
    account.open_orders += 1
    hold(account, accepted.reserved_asset, accepted.reserved_e8)


def clear(account: Account, order_id: str, filled_e8: int, released_e8: int) -> None:
    """Clearing booked a fill of an order: its part of the reservation is used up."""
    reservation = account.reservations.get(order_id)
    if reservation is None:
        return
    reservation.cleared_e8 += filled_e8
    _free(account, reservation, released_e8)
    if reservation.cleared_e8 >= reservation.quantity_e8:
        _drop(account, order_id, reservation)


def end(account: Account, order_id: str, filled_e8: int, released_e8: int) -> None:
    """An order ended: it holds only what its fills that are not cleared yet may use."""
    reservation = account.reservations[order_id]
    assert not reservation.ended, f"{order_id} ends twice"
    reservation.ended = True
    reservation.quantity_e8 = min(filled_e8, reservation.quantity_e8)
    account.open_orders -= 1
    _free(account, reservation, released_e8)
    if reservation.cleared_e8 >= reservation.quantity_e8:
        _drop(account, order_id, reservation)


def hold_withdrawal(account: Account, transfer_id: str, asset: str, amount_e8: int) -> None:
    """An approved withdrawal holds its amount until it is booked."""
    account.withdrawals[transfer_id] = Withdrawal(asset, amount_e8)
    hold(account, asset, amount_e8)


def book_withdrawal(account: Account, transfer_id: str) -> None:
    """Clearing booked a transfer: what it held is free, since the balance has moved."""
    if (withdrawal := account.withdrawals.pop(transfer_id, None)) is not None:
        hold(account, withdrawal.asset, -withdrawal.reserved_e8)


def _drop(account: Account, order_id: str, reservation: Reservation) -> None:
    """All that the order filled is cleared: nothing is left of it but its decision."""
    assert reservation.reserved_e8 == 0, f"{order_id} leaves {reservation.reserved_e8}e-8 {reservation.asset} reserved"
    if not reservation.ended:
        account.open_orders -= 1
    del account.reservations[order_id]
    close(account, order_id)


def _free(account: Account, reservation: Reservation, released_e8: int) -> None:
    reservation.reserved_e8 -= released_e8
    assert reservation.reserved_e8 >= 0, f"{-reservation.reserved_e8}e-8 too much was released"
    hold(account, reservation.asset, -released_e8)


def hold(account: Account, asset: str, amount_e8: int) -> None:
    """Reserve so much more of an asset, or less."""
    held_e8 = account.reserved.get(asset, 0) + amount_e8
    assert held_e8 >= 0, f"{held_e8}e-8 {asset} reserved"
    if held_e8:
        account.reserved[asset] = held_e8
    else:
        account.reserved.pop(asset, None)
