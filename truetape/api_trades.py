"""The gateway's answers about trades of two. Decimals and times as in truetape/api.py."""

from msgspec import Struct

from truetape.api import Decimal, Time
from truetape.messages import Side, TradeState


class TradeDifference(Struct, frozen=True):
    """A field that the sides see differently."""

    field: str
    first: str
    """What the side says that told the trade first."""
    other: str


class TradeLeg(Struct, frozen=True):
    """One open trade of an account with the clearing house."""

    leg_id: str
    """Also the id of the entry that books it."""
    account_id: str
    side: Side
    quantity: Decimal
    price: Decimal


class BilateralTrade(Struct, frozen=True):
    """A trade of two accounts as it is after what was told."""

    trade_id: str
    reference: str
    state: TradeState
    first_id: str
    """The account that told it first."""
    expires_at: Time
    """Until when both sides must agree."""
    differences: list[TradeDifference]
    legs: list[TradeLeg]
    """Of a NOVATED trade: each is booked in its own account's partition."""
    detail: str
    """Why it was refused or ended; else empty."""
    event_id: str
