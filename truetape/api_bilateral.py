"""The gateway's answers about margin of bilateral trades, pair by pair."""

from msgspec import Struct

from truetape.api import Decimal, Time


class BilateralTradeMargin(Struct, frozen=True):
    """A trade, and its part of its pair's margin; parts sum to the pair's."""

    trade_id: str
    buyer_id: str
    seller_id: str
    instrument_id: str
    quantity: Decimal
    mark: Decimal | None
    """Of the contract, else of its index."""
    stale: bool
    notional: Decimal
    present_value: Decimal
    """To the pair's first account."""
    product: str | None
    """Product class of the schedule."""
    rate: Decimal
    """The schedule's, of the notional."""
    simm: Decimal
    """Negative: it offsets others."""
    schedule_first: Decimal
    schedule_second: Decimal
    left_out: list[str]
    """Of which method, and why."""


class BilateralPair(Struct, frozen=True):
    """Two accounts' bilateral trades with each other; the first one comes first by name."""

    first_id: str
    second_id: str
    currency: str
    complete: bool
    """Whether both methods have counted every trade."""
    notional: Decimal
    present_value: Decimal
    """To the first account, net."""
    simm: Decimal
    """What each side secures the other with, by SIMM's FX delta."""
    sensitivities: dict[str, Decimal]
    """By currency: what the first account gains when it rises by 1 %."""
    schedule_first: Decimal
    """What the first account is secured with, by the schedule."""
    schedule_second: Decimal
    net_to_gross_first: Decimal
    net_to_gross_second: Decimal
    trades: list[BilateralTradeMargin]


class BilateralMargin(Struct, frozen=True):
    """Margin of bilateral trades, for information: the clearing house asks for none."""

    at: Time
    currency: str
    """The calculation currency."""
    classes: list[str]
    """Margin classes whose parameters were used; empty: as published."""
    pairs: list[BilateralPair]
