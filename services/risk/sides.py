"""Position effects: whether an order opens a side of a position in contracts, or closes the other one (FIX tag 77).

An account that nets has one side: CLOSE means that an order only reduces, whatever is filled first. One that keeps
long and short side by side (its terms say HEDGING) opens by default, and by CLOSE closes what the other side holds,
less what other orders are about to close.
"""

from typing import TYPE_CHECKING, Final

from services.risk import margin
from services.risk.account import Account
from services.risk.refusal import Numbers
from truetape.messages import Side

if TYPE_CHECKING:
    from services.risk.checks import Asked

OPEN: Final = "OPEN"
CLOSE: Final = "CLOSE"
HEDGING: Final = "HEDGING"


def position_effect_impossible(one: "Asked") -> Numbers | None:
    """The order closes more than the account holds on the other side and no other order closes; or it says OPEN where
    long and short are not kept side by side, or an effect on spot."""
    order, account, name = one.order, one.account, one.order.instrument_id
    if not order.position_effect:
        return None
    if one.instrument.contract is None or order.position_effect not in (OPEN, CLOSE):
        return {"contract": int(one.instrument.contract is not None)}
    terms, known = one.reference.account_terms.get(order.account_id), name in account.sides
    if order.position_effect == OPEN:
        hedging = known or (terms is not None and terms.positions == HEDGING)
        return None if hedging else {"opens": 1, "hedging": 0}
    held_e8 = (closable_e8 if known else margin.reducible_e8)(account, name, order.side)
    return None if order.quantity_e8 <= held_e8 else {"quantity_e8": order.quantity_e8, "held_e8": held_e8}


def closable_e8(account: Account, instrument_id: str, side: Side) -> int:
    """Contracts of the side that an order of this side closes, and that no open order is going to close."""
    long_e8, short_e8 = account.sides.get(instrument_id, (0, 0))
    pending_e8 = sum(
        one.quantity_e8 - one.cleared_e8
        for one in account.reservations.values()
        if one.closes and one.instrument_id == instrument_id and one.buys == (side == "BUY")
    )
    return max((long_e8 if side == "SELL" else -short_e8) - pending_e8, 0)
