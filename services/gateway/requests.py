"""What clients send: bodies and queries. OpenAPI's components are generated from these and from truetape/api.py.

Money, prices and quantities are decimal strings ("0.01"), never JSON numbers. Times are RFC 3339 in UTC.
"""

import re
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from truetape.api import Decimal, PositionEffect
from truetape.messages import (
    ContractKind,
    Delivery,
    OptionType,
    OrderType,
    SettlementStyle,
    Side,
    TimeInForce,
    TradingState,
)

END: Final = "$(?!\n)"
"""The end of the text: a bare $ would let a newline pass."""
ID_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,64}" + END
ID_REGEX: Final = re.compile(ID_PATTERN, re.ASCII)
INSTRUMENT_PATTERN: Final = r"^[A-Z0-9]{1,20}(-[A-Z0-9]{1,20}){1,4}" + END
ACCOUNT_PATTERN: Final = r"^[A-Za-z0-9_-]{1,40}" + END
ASSET_PATTERN: Final = r"^[A-Z0-9]{1,20}" + END
LOCATION_PATTERN: Final = r"^(venue|bank|custody):[a-z0-9_-]{1,32}" + END
REFERENCE_PATTERN: Final = r"^[A-Za-z0-9._:/-]{1,128}" + END

ClientOrderId = Annotated[str, Meta(pattern=ID_PATTERN, description="The client's own id", examples=["my-order-1"])]
InstrumentId = Annotated[str, Meta(pattern=INSTRUMENT_PATTERN, examples=["BTC-USDT"])]
AccountId = Annotated[str, Meta(pattern=ACCOUNT_PATTERN, examples=["acme"])]
AccountOrAll = Annotated[
    str,
    Meta(pattern=r"^(\*|[A-Za-z0-9_-]{1,40})" + END, description="An account, or * for everybody", examples=["acme"]),
]
Asset = Annotated[str, Meta(pattern=ASSET_PATTERN, examples=["USDT"])]
Expiry = Annotated[str, Meta(max_length=40, description="RFC 3339", examples=["2026-12-25T08:00:00Z"])]
Cursor = Annotated[str, Meta(pattern=r"^[0-9]{1,19}" + END, description="next_cursor of the page before")]
AsOf = Annotated[
    str, Meta(max_length=40, description="As it was at this time, RFC 3339", examples=["2026-11-26T12:00:00Z"])
]
At = Annotated[
    str,
    Meta(
        max_length=200,
        description="As it was after these records: topic/partition@offset, comma-separated",
        examples=["orders.decisions/3@1200"],
    ),
]
Limit = Annotated[int, Meta(ge=1, le=500, description="Rows per page")]
Text = Annotated[str, Meta(min_length=1, max_length=500)]
ParkedEventId = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="Event id of the InputParked, as `truetape parked` lists it",
         examples=["clearing.entries<orders.executions/3/1041"]),
]  # fmt: skip


# -- requests --------------------------------------------------------------------------------------------------------


class OrderRequest(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A new order."""

    instrument_id: InstrumentId
    side: Side
    order_type: OrderType
    quantity: Decimal
    """Of the base asset."""
    price: Decimal | UnsetType = UNSET
    """Limit price; a MARKET order has none."""
    time_in_force: TimeInForce | UnsetType = UNSET
    """GTC for LIMIT and IOC for MARKET when absent."""
    post_only: bool | UnsetType = UNSET
    """Reject rather than take liquidity; false when absent."""
    position_effect: PositionEffect | UnsetType = UNSET
    """Of a contract. OPEN opens a side, of an account that keeps long and short side by side. CLOSE closes the other
    side and only reduces. When absent a buy opens the long side of such an account, a sell the short one."""
    position_side: Literal["LONG", "SHORT"] | UnsetType = UNSET
    """The same said by the side: a buy opens LONG and closes SHORT, a sell the other way round."""
    client_order_id: ClientOrderId | UnsetType = UNSET
    """Makes a retry safe: the same id is the same order. Generated when absent."""


class TransferRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A deposit that arrived, or a withdrawal that shall leave."""

    account_id: AccountId
    asset: Asset
    amount: Decimal
    """Above zero, in both cases."""
    location: Annotated[str, Meta(pattern=LOCATION_PATTERN, examples=["venue:alpha", "bank:settlement"])]
    """The firm's account at which it arrives or leaves."""
    external_reference: Annotated[str, Meta(pattern=REFERENCE_PATTERN, examples=["wire-2026-0001"])]
    """The outside world's id; makes a retry safe."""


class WithdrawalRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A withdrawal from the key's own account."""

    asset: Asset
    amount: Decimal
    location: Annotated[str, Meta(pattern=LOCATION_PATTERN, examples=["venue:alpha"])]
    external_reference: Annotated[str, Meta(pattern=REFERENCE_PATTERN, examples=["withdrawal-1"])]


class ListingRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An instrument as one venue trades it."""

    venue: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}" + END, examples=["alpha"])]
    symbol: Annotated[str, Meta(min_length=1, max_length=40, examples=["BTCUSDT"])]
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    maker_rate: Decimal
    taker_rate: Decimal


class ContractRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of a derivative."""

    kind: ContractKind
    style: SettlementStyle
    multiplier: Decimal
    """LINEAR and QUANTO: settlement asset per contract and unit of price; INVERSE: quote asset per contract."""
    settlement_asset: Asset
    index: Annotated[str, Meta(min_length=1, max_length=40, examples=["BTC-USD"])]
    margin_class: Annotated[str, Meta(min_length=1, max_length=40, examples=["flat"])]
    initial_rate: Decimal
    maintenance_rate: Decimal
    delivery: Delivery = "CASH"
    funding_cap_rate: Decimal = "0"
    funding_interval_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 0
    settlement_fee_rate: Decimal = "0"
    liquidation_fee_rate: Decimal = "0"
    mark_max_age_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 60_000
    signed_price: bool = False
    expires_at: (
        Annotated[str, Meta(max_length=40, description="RFC 3339", examples=["2026-12-25T08:00:00Z"])] | UnsetType
    ) = UNSET
    strike: Decimal | UnsetType = UNSET
    option_type: OptionType | UnsetType = UNSET
    fixing_window_seconds: Annotated[int, Meta(ge=0, le=3_600)] | UnsetType = UNSET
    """Over how long prices are averaged before a settlement or expiry; 0 when an operator names every price."""
    fixing_rule: Literal["TIME", "SAMPLES"] = "TIME"
    fixing_samples: Annotated[int, Meta(ge=1, le=3_600)] = 300
    fixing_coverage: Decimal = "0.5"
    settlement_interval_seconds: Annotated[int, Meta(ge=0, le=86_400)] | UnsetType = UNSET
    settlement_offset_seconds: Annotated[int, Meta(ge=0, lt=86_400)] | UnsetType = UNSET
    funding_step_seconds: Annotated[int, Meta(ge=0, le=3_600)] | UnsetType = UNSET
    funding_rule: Literal["PREMIUM", "DERIBIT", "HYPERLIQUID", "DERIVE"] = "PREMIUM"
    funding_interest_rate: Decimal = "0"
    funding_damper_rate: Decimal = "0"
    exercise: Literal["EUROPEAN", "AMERICAN"] = "EUROPEAN"
    """Of an option. AMERICAN: it can be exercised before its expiry."""
    assignment: Literal["PRO_RATA", "LOT"] = "PRO_RATA"
    """Of an AMERICAN option, who of those that are short is assigned: in proportion, or by lot from a recorded seed."""


class MarkingRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How an instrument's mark is made of several venues' books."""

    venues_least: Annotated[int, Meta(ge=1, le=32)]
    """Fewest venues whose books have to count; with fewer there is no mark."""
    outlier_rate: Decimal = "0.05"
    """A book further from the median than this part of it does not count."""


class InstrumentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What can be traded, and where."""

    instrument_id: InstrumentId
    base: Asset
    quote: Asset
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    max_notional: Decimal
    tradable: bool
    listings: Annotated[tuple[ListingRequest, ...], Meta(max_length=32)]
    """At least one, but for contracts that are traded with the clearing house alone."""
    contract: ContractRequest | UnsetType = UNSET
    """Terms of a derivative; absent for spot."""
    marking: MarkingRequest | UnsetType = UNSET
    """Absent: one venue is enough, and 5 % from the median is too far."""
    settlement_lag_days: Annotated[int, Meta(ge=0, le=30)] | None = None
    """Business days from booking to value date of what a contract pays; absent: the settlement asset's."""


class AccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A client account to open."""

    account_id: AccountId
    name: Text


class LimitsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """All pre-trade limits of an account."""

    account_id: AccountOrAll
    max_order_notional: Decimal
    max_open_orders: Annotated[int, Meta(ge=0, le=1_000_000)]
    max_messages_per_second: Annotated[int, Meta(ge=0, le=1_000_000)]
    collar_rate: Decimal
    """Furthest a price may be from the mark: 0.1 is 10 %."""
    mark_max_age_ms: Annotated[int, Meta(ge=1, le=3_600_000)]


class FeeTierRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Other rates from a volume of the 30 days before."""

    asset: Asset
    """In which the volume is counted."""
    volume: Decimal
    maker_rate: Decimal
    """Negative is a rebate."""
    taker_rate: Decimal


class FeesRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the house charges on a fill, in the quote asset."""

    account_id: AccountOrAll
    maker_rate: Decimal
    """Negative is a rebate."""
    taker_rate: Decimal
    tiers: Annotated[list[FeeTierRequest], Meta(max_length=20)] = []


class AccountTermsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How an account's positions in contracts are cut; what is open keeps its cut until it is closed."""

    account_id: AccountId
    positions: Literal["NETTING", "HEDGING"] = "NETTING"
    """HEDGING: long and short stand side by side."""
    costs: Literal["AVERAGE", "FIFO"] = "AVERAGE"


class CloseOutRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Long contracts to be closed against short ones."""

    instrument_id: InstrumentId
    quantity: Decimal
    """Of each side."""


class FactRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A fact about a contract that concerns everybody who holds it."""

    kind: Literal["SETTLEMENT_PRICE", "FUNDING", "EXPIRY", "DELISTING", "RENAME", "CONTRACT_SIZE"]
    instrument_id: InstrumentId
    price: Decimal
    """Settlement price or fixing; of FUNDING the index price."""
    effective_at: Annotated[str, Meta(max_length=40, description="RFC 3339")] | UnsetType = UNSET
    """Where nothing is said: now, and of an EXPIRY the contract's expiry."""
    rate: Decimal | UnsetType = UNSET
    """Of FUNDING: per funding interval."""
    elapsed_seconds: Annotated[int, Meta(ge=1, le=604_800)] | UnsetType = UNSET
    """Of FUNDING: how long the rate has held."""
    new_instrument_id: InstrumentId | UnsetType = UNSET
    """Of RENAME and CONTRACT_SIZE: the contract that takes its place."""
    ratio: Annotated[int, Meta(ge=1, le=10**9)] = 1
    """So many new contracts ..."""
    ratio_per: Annotated[int, Meta(ge=1, le=10**9)] = 1
    """... for so many old ones."""
    fact_id: Annotated[str, Meta(pattern=REFERENCE_PATTERN)] | UnsetType = UNSET
    """Made of kind, contract and time where nothing is said. The same id has one effect."""


class CorrectionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry to be taken back."""

    account_id: AccountId
    entry_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="Of a venue's fill its execution id",
            examples=["alpha:BTCUSDT:17"],
        ),
    ]
    busted: bool
    """Whether the venue busted its trade; else it is a correction of ours."""
    reason: Text


CallId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}" + END, examples=["ef23dfbff260bee38cfd062e53605197"])]


class CallRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a member does about a margin call."""

    call_id: CallId
    action: Literal["acknowledge", "dispute"]
    reason: Annotated[str, Meta(max_length=500, description="A dispute needs one")] = ""


class HouseCallRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the house does about a margin call."""

    account_id: AccountId
    call_id: CallId
    action: Literal["reject_dispute", "uphold_dispute", "declare_default"]
    reason: Text


class CallTermsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How an account, or everybody (*), is called for margin."""

    account_id: AccountOrAll
    notice_seconds: Annotated[int, Meta(ge=1, le=2_592_000)]
    """From call to deadline."""
    grace_seconds: Annotated[int, Meta(ge=0, le=2_592_000)]
    """From deadline to default."""
    level_rate: Decimal
    """Where between maintenance need (0) and initial need (1) it is called, and a liquidation restores."""
    least: Decimal
    """Smallest amount that is called for."""


class TradingStateRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The kill switch of an account, or of everybody (*)."""

    account_id: AccountOrAll
    state: TradingState
    reason: Text


class ReleaseRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A parked input of the ledger to book."""

    account_id: AccountId
    parked_event_id: ParkedEventId


class DismissRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A parked input of the ledger that needs no entry."""

    account_id: AccountId
    parked_event_id: ParkedEventId
    reason: Text


class KeyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An API key to create."""

    scopes: Annotated[tuple[Literal["read", "trade", "admin"], ...], Meta(min_length=1, max_length=3)]
    account_id: AccountId | UnsetType = UNSET
    requests_per_second: Annotated[int, Meta(ge=1, le=100_000)] = 100
    expires_in_seconds: Annotated[int, Meta(ge=1, le=315_360_000)] | UnsetType = UNSET


# -- queries ---------------------------------------------------------------------------------------------------------


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A resource without parameters."""


class CancelAllQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which orders to cancel."""

    instrument_id: InstrumentId | UnsetType = UNSET


class PastQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which moment; now when neither is given."""

    as_of: AsOf | UnsetType = UNSET
    at: At | UnsetType = UNSET


class OrdersQuery(PastQuery, frozen=True, forbid_unknown_fields=True):
    """Which orders, newest first; of the past, those that were open then."""

    instrument_id: InstrumentId | UnsetType = UNSET
    status: Annotated[str, Meta(max_length=120, description="One or more states, comma-separated")] | UnsetType = UNSET
    side: Side | UnsetType = UNSET
    client_order_id: ClientOrderId | UnsetType = UNSET
    limit: Limit = 100
    cursor: Cursor | UnsetType = UNSET


class FillsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which fills, newest first."""

    instrument_id: InstrumentId | UnsetType = UNSET
    order_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}" + END)] | UnsetType = UNSET
    limit: Limit = 100
    cursor: Cursor | UnsetType = UNSET


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page, newest first."""

    limit: Limit = 100
    cursor: Cursor | UnsetType = UNSET


class ReportQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """In which form."""

    form: Annotated[Literal["json", "csv"], Meta(description="csv answers with text/csv")] = "json"


class FactsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which facts of a contract, newest first, and in which form."""

    kind: Literal["SETTLEMENT_PRICE", "FUNDING", "EXPIRY", "DELISTING", "RENAME", "CONTRACT_SIZE"] | UnsetType = UNSET
    limit: Limit = 100
    cursor: Cursor | UnsetType = UNSET
    form: Annotated[Literal["json", "csv"], Meta(description="csv answers with text/csv")] = "json"


class BreaksQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which breaks."""

    open: Annotated[bool, Meta(description="Only those that are not closed")] = True


class DigestQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the state."""

    accounts: Annotated[int, Meta(ge=0, le=1, description="1 adds what is set for each account")] = 0
