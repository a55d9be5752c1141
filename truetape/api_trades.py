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
    bilateral: str = ""
    """OPEN where the trade stays between its two parties, by their wish or since it was refused."""


class LegOfTrade(Struct, frozen=True):
    """A leg, and how it stands."""

    leg_id: str
    account_id: str
    instrument_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    state: str
    """ASKED, OFFERED, RESERVING, RESERVED, REFUSED, DECLINED, RELEASED or BOOKED."""


class TradeStep(Struct, frozen=True):
    """One record about a trade, as the account may see it."""

    at: Time
    type: str
    account_id: str
    """Whose partition wrote it: the trade's home, or the account of a leg."""
    state: str
    reason: str
    detail: str
    event_id: str


class Trade(Struct, frozen=True):
    """A trade of two, a give-up or an allocation, as one of its accounts sees it now."""

    trade_id: str
    kind: str
    """NOVATION, GIVE_UP, ALLOCATION, or COMPRESSION for what a compression left."""
    reference: str
    state: str
    first_id: str
    """Who told it first, or gives."""
    buyer_id: str
    """Of a give-up or allocation the giving account, on whichever side its leg is."""
    seller_id: str
    instrument_id: str
    quantity: Decimal
    price: Decimal
    waits_for: list[str]
    """Accounts whose word, margin or leg is missing; empty when nothing is."""
    expires_at: Time
    updated_at: Time
    reason: str
    """Name of what was against it."""
    detail: str
    differences: list[TradeDifference]
    legs: list[LegOfTrade]
    """Of a give-up or allocation a receiving account sees its own alone."""
    bilateral: str = ""
    """Of a trade that stays between its parties: OPEN, TERMINATING, TERMINATED, COMPRESSED or ENDED; else empty."""
    ended_by: str = ""
    """The party that wants to end it, or the compression that did."""


class TradeHistory(Trade, frozen=True, kw_only=True):
    """A trade with every record about it, oldest first."""

    history: list[TradeStep]


class Trades(Struct, frozen=True):
    """Newest first."""

    trades: list[Trade]


class Leg(Struct, frozen=True):
    """A leg of the account: asked for, offered, open or ended."""

    leg_id: str
    trade_id: str
    kind: str
    from_id: str
    """The other party, or the account that gives; empty for a leg that a compression left."""
    instrument_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    cost: Decimal | None
    """Signed; null until it is booked."""
    state: str
    """OPEN once booked; CLOSED, COMPRESSED, CORRECTED or ENDED when something took its place."""
    reason: str
    updated_at: Time


class Legs(Struct, frozen=True):
    """Newest first."""

    legs: list[Leg]


class OpenBilateral(Struct, frozen=True):
    """A trade of two accounts that the clearing house does not stand between."""

    trade_id: str
    buyer_id: str
    seller_id: str
    instrument_id: str
    quantity: Decimal
    price: Decimal
    """Of what a compression left the average, rounded; 0 where the cost stands for no price."""
    cost: Decimal
    """What the buyer pays in all; signed. 0 for an option, whose premium was paid when it was traded."""
    reference: str
    origin: str
    """BILATERAL as both asked for, REFUSED by the clearing house, or COMPRESSION."""


class Compression(Struct, frozen=True):
    """A run of multilateral compression as one of its accounts sees it."""

    run_id: str
    instrument_id: str
    settlement_asset: str
    state: str
    """PROPOSED waits for participants; COMPRESSED, DECLINED or EXPIRED is the end."""
    waits_for: int
    """Participants that have not accepted."""
    accepted: bool
    """Whether this account has."""
    expires_at: Time
    updated_at: Time
    ended: list[OpenBilateral]
    """The account's trades that end."""
    left: list[OpenBilateral]
    """Its trades in their place."""
    payment: Decimal
    """What it gets for cost that ends without contracts; negative: what it pays."""
    net_quantity_before: Decimal
    net_quantity_after: Decimal
    net_cost_before: Decimal
    net_cost_after: Decimal
    """With the payment: the same as before."""
    gross_before: Decimal
    """Contracts of all trades of all participants that end."""
    gross_after: Decimal
    detail: str


class Compressions(Struct, frozen=True):
    """Newest change first."""

    compressions: list[Compression]


class CompressionStanding(Struct, frozen=True):
    """A run after what was asked."""

    run_id: str
    instrument_id: str
    state: str
    waits_for: int
    expires_at: Time
    detail: str
    event_id: str


class LegAnswer(Struct, frozen=True):
    """What became of a leg that was offered."""

    leg_id: str
    trade_id: str
    state: str
    """RESERVING: margin is asked next. DECLINED: nothing moves."""
    event_id: str


class Move(Struct, frozen=True):
    """A give-up or allocation after what was asked."""

    move_id: str
    kind: str
    state: str
    leg_id: str
    """The leg that moves."""
    expires_at: Time
    legs: list[TradeLeg]
    """The reversal for the giving account first, then what each account gets."""
    event_id: str


class Agreement(Struct, frozen=True):
    """Whether the account takes what another gives, without being asked."""

    from_id: str
    agreed: bool
    event_id: str


class Compressed(Struct, frozen=True):
    """Open legs that became one or none, and the proof: net quantity and cost are the same before and after."""

    instrument_id: str
    ended: list[str]
    left: list[TradeLeg]
    gross_before: Decimal
    gross_after: Decimal
    net_quantity: Decimal
    net_cost: Decimal
    ended_cost: Decimal
    """Of the net cost, what no leg carries any more: profit or loss of legs that offset."""
    event_id: str


class PaymentInstruction(Struct, frozen=True):
    """One payment between the account and the clearing house."""

    instruction_id: str
    value_date: str
    asset: str
    amount: Decimal
    """Positive: the house pays."""
    received: Decimal
    paid: Decimal
    parts: dict[str, Decimal]
    """By purpose; they sum to the amount."""
    payments: int
    run: int = 1
    """Which run of its value date: 2 and more where something came late and was netted after the others."""


class PaymentInstructions(Struct, frozen=True):
    """What a day that is over was netted into."""

    account_id: str
    value_date: str
    instructions: list[PaymentInstruction]
    event_id: str
