"""The gateway's answers over HTTP: what the gateway encodes and the client decodes. OpenAPI is generated from these.

Money, prices and quantities are decimal strings ("0.01"), never JSON numbers. Times are RFC 3339 in UTC.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from truetape.halts import Halt
from truetape.messages import Liquidity, OrderStatus, OrderType, Side, TimeInForce, TradingState

Decimal = Annotated[
    str,
    Meta(
        description="Plain decimal string: at most 8 decimals, no exponent, no sign but a leading minus",
        examples=["60000.5"],
        max_length=60,
    ),
]
Time = Annotated[str, Meta(description="RFC 3339, UTC, microseconds", examples=["2026-11-21T09:00:00.000000Z"])]


PositionEffect = Literal["OPEN", "CLOSE"]
"""What an order in a contract does to the position: opens a side, or closes one and only reduces."""


class Submitted(Struct, frozen=True, gc=False):
    """Answer to a submission. The same submission always has the same bytes."""

    order_id: str
    client_order_id: str
    account_id: str
    instrument_id: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    quantity: Decimal
    price: Decimal | None
    status: Literal["ACCEPTED", "PENDING"]
    """PENDING: risk has not decided yet; ask again, or retry with the same client order id."""
    decided_at: Time | None = None
    decision_id: str | None = None
    """Names the decision on the tape."""
    position_effect: PositionEffect | UnsetType = UNSET
    """As the order said; absent where it did not."""


class Order(Struct, frozen=True):
    """An order as the views have it."""

    order_id: str
    client_order_id: str
    account_id: str
    instrument_id: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    quantity: Decimal
    price: Decimal | None
    status: OrderStatus
    filled: Decimal
    average_price: Decimal | None
    """Of the fills, rounded half to even; null without one."""
    limit_price: Decimal | None
    """Worst price at which it may fill."""
    reason: str | None
    """Risk's reason of a rejection, or the reason of the end."""
    numbers: dict[str, Any] | None
    """The numbers that a rejection saw."""
    decided_at: Time | None
    updated_at: Time
    decision_id: str | None
    position_effect: PositionEffect | UnsetType = UNSET
    """As the order said; absent where it did not."""


class Orders(Struct, frozen=True):
    """A page of orders."""

    orders: list[Order]
    next_cursor: str | None


class Fill(Struct, frozen=True):
    """A fill with the venue's execution id."""

    execution_id: str
    order_id: str
    instrument_id: str
    side: Side
    venue: str
    quantity: Decimal
    price: Decimal
    quote_amount: Decimal
    fee_asset: str
    fee: Decimal
    liquidity: Liquidity
    transacted_at: Time


class Fills(Struct, frozen=True):
    """A page of fills."""

    fills: list[Fill]
    next_cursor: str | None


class Position(Struct, frozen=True):
    """A position."""

    instrument_id: str
    quantity: Decimal
    cost: Decimal
    average_price: Decimal | None
    realised: Decimal
    updated_at: Time | None
    """Null in an answer about the past, where later records were unwound."""


class Positions(Struct, frozen=True):
    """All positions of the account."""

    positions: list[Position]


class Balance(Struct, frozen=True):
    """What the account has of one asset."""

    asset: str
    balance: Decimal
    """Cleared."""
    reserved: Decimal
    """What open orders and withdrawals may use."""
    available: Decimal


class Balances(Struct, frozen=True):
    """All balances of the account."""

    balances: list[Balance]


class Line(Struct, frozen=True):
    """One leg of an entry."""

    account: str
    asset: str
    amount: Decimal
    purpose: str


class Entry(Struct, frozen=True):
    """A journal entry; its lines sum to zero per asset."""

    entry_id: str
    kind: str
    rule: str
    order_id: str | None
    execution_id: str | None
    external_reference: str | None
    realised: Decimal
    transacted_at: Time
    booked_at: Time
    lines: list[Line]


class Entries(Struct, frozen=True):
    """A page of journal entries."""

    entries: list[Entry]
    next_cursor: str | None


class Listing(Struct, frozen=True):
    """An instrument as one venue trades it."""

    venue: str
    symbol: str
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    maker_rate: Decimal
    taker_rate: Decimal


class Contract(Struct, frozen=True):
    """Terms of a derivative."""

    kind: Literal["FUTURE", "PERPETUAL", "OPTION"]
    style: Literal["LINEAR", "INVERSE", "QUANTO"]
    multiplier: Decimal
    """LINEAR and QUANTO: settlement asset per contract and unit of price; INVERSE: quote asset per contract."""
    settlement_asset: str
    index: str
    delivery: Literal["CASH", "PHYSICAL"]
    margin_class: str
    initial_rate: Decimal
    maintenance_rate: Decimal
    funding_cap_rate: Decimal
    funding_interval_seconds: int
    settlement_fee_rate: Decimal
    liquidation_fee_rate: Decimal
    mark_max_age_ms: int
    signed_price: bool
    expires_at: Time | None
    strike: Decimal | None
    option_type: Literal["CALL", "PUT"] | None
    fixing_window_seconds: int
    """Over how long prices are averaged before a settlement or expiry; 0 when an operator names every price."""
    fixing_rule: str
    fixing_samples: int
    fixing_coverage: Decimal
    settlement_interval_seconds: int
    settlement_offset_seconds: int
    funding_step_seconds: int
    funding_rule: str
    funding_interest_rate: Decimal
    funding_damper_rate: Decimal
    exercise: str = "EUROPEAN"
    assignment: str = "PRO_RATA"


class Marking(Struct, frozen=True):
    """How an instrument's mark is made of several venues' books."""

    venues_least: int
    outlier_rate: Decimal


class Instrument(Struct, frozen=True):
    """What can be traded, and where."""

    instrument_id: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    max_notional: Decimal
    tradable: bool
    listings: list[Listing]
    contract: Contract | None = None
    """Terms of a derivative, whose quantities are contracts; null for spot."""
    marking: Marking | None = None
    """Null: one venue is enough, and 5 % from the median is too far."""
    settlement_lag_days: int | None = None
    """Null: the settlement asset's."""


class Instruments(Struct, frozen=True):
    """Everything that can be traded."""

    instruments: list[Instrument]


class Cancelled(Struct, frozen=True):
    """A cancel was requested for these orders; their end comes from the venue."""

    command_id: str
    order_ids: list[str]
    status: Literal["REQUESTED", "PENDING"] = "REQUESTED"


class Cause(Struct, frozen=True):
    """The input that an event answers."""

    source: str
    partition: int
    offset: int | None
    id: str | None


class Event(Struct, frozen=True):
    """One record of the tape."""

    topic: str
    partition: int
    offset: int
    type: str
    at: Time
    epoch: int | None
    sequence: int | None
    event_id: str | None
    cause: Cause | None
    fields: Any
    """The record's own fields; *_e8 is in units of 1e-8."""
    says: str = ""
    """The same for a person, money as decimals; empty where the type says all."""


class History(Struct, frozen=True):
    """Everything that the tape says of an order, causes before effects."""

    order_id: str
    events: list[Event]


class Transfer(Struct, frozen=True):
    """A deposit or withdrawal, as risk decided it."""

    transfer_id: str
    account_id: str
    asset: str
    amount: Decimal
    """Negative for a withdrawal."""
    location: str
    external_reference: str
    status: Literal["APPROVED", "PENDING"]
    decided_at: Time | None = None
    decision_id: str | None = None


class Changed(Struct, frozen=True):
    """A reference command was carried out."""

    command_id: str
    event_id: str
    decided_at: Time


class ParkedResolved(Struct, frozen=True):
    """A parked input of the ledger is booked or dismissed."""

    command_id: str
    parked_event_id: str
    event_id: str
    """The event that resolved it."""
    decided_at: Time | UnsetType = UNSET
    """Absent when the command was answered before."""
    left: int | UnsetType = UNSET
    """Inputs of the account that are still parked: 0 says that it takes orders again. Absent as above."""


class KeyCreated(Struct, frozen=True):
    """A new API key. The secret is shown this once."""

    key_id: str
    key: str
    """key_id.secret, as the Authorization header carries it after Bearer."""
    account_id: str
    scopes: list[str]
    requests_per_second: int
    expires_at: Time | None
    command_id: str


class Key(Struct, frozen=True):
    """An API key without its secret."""

    key_id: str
    account_id: str
    scopes: list[str]
    requests_per_second: int
    revoked: bool
    expires_at: Time | None


class Keys(Struct, frozen=True):
    """All API keys."""

    keys: list[Key]


class Account(Struct, frozen=True):
    """A client account and what is set for it."""

    account_id: str
    name: str
    trading_state: TradingState
    limits: dict[str, Any]
    fees: dict[str, Any]
    terms: dict[str, str] = {}
    """How its positions in contracts are cut: positions and costs."""
    call_terms: dict[str, Any] = {}
    """How it is called for margin, as the admin API takes it."""
    halts: list[Halt] = []
    """Why it takes no orders, or only those that reduce: the operator's word, and what risk has restricted."""


class Accounts(Struct, frozen=True):
    """All client accounts."""

    trading_state: TradingState
    """Of everybody."""
    accounts: list[Account]


class Break(Struct, frozen=True):
    """A difference between the books and a venue."""

    break_id: str
    break_class: str
    venue: str
    key: str
    account_id: str
    ours: Decimal
    theirs: Decimal
    first_seen_at: Time
    owner: str
    evidence: str
    closed_at: Time | None
    closed_reason: str | None


class Breaks(Struct, frozen=True):
    """Breaks, oldest first."""

    breaks: list[Break]


class ProblemDocument(Struct, frozen=True, rename={"type_": "type"}):
    """RFC 9457 problem document."""

    type_: str
    title: str
    status: int
    detail: str
    code: str
    """Stable name of the problem."""
    request_id: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    """The field at fault."""
    order_id: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    numbers: dict[str, Any] | UnsetType = UNSET
    """The numbers that a refusal saw."""


class Health(Struct, frozen=True):
    """Readiness."""

    ready: bool
    missing: list[str] = field(default_factory=list)
