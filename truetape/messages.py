"""Generated from schemas/*.avsc by `make schemas`; do not edit.

Units: *_e8 is 1e-8, *_us is microseconds UTC.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


Side = Literal["BUY", "SELL"]
"""Side of an order or fill."""

OrderType = Literal["LIMIT", "MARKET"]
"""How an order is priced."""

TimeInForce = Literal["GTC", "IOC", "FOK"]
"""How long an order stays."""

OrderStatus = Literal[
    "PENDING", "REJECTED", "ACCEPTED", "WORKING", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "EXPIRED", "UNKNOWN"
]
"""State of an order; legal transitions are in truetape/orders.py."""

Liquidity = Literal["MAKER", "TAKER"]
"""Whether a fill added or removed liquidity."""

TradingState = Literal["ACTIVE", "REDUCING", "HALTED"]
"""Kill switch: ACTIVE trades, REDUCING may only reduce, HALTED takes no new order; cancels always pass."""

ContractFactKind = Literal[
    "SETTLEMENT_PRICE",
    "FUNDING",
    "EXPIRY",
    "CONTRACT_SIZE",
    "RENAME",
    "DELISTING",
    "HAIRCUT",
    "TEAR_UP",
    "COMPRESSION",
    "PAYMENT_NETTING",
]
"""What a fact says of a contract."""

TradeAction = Literal["WITHDRAW", "REJECT"]
"""How a side ends a trade before it is affirmed."""

EntryKind = Literal["TRADE", "DEPOSIT", "WITHDRAWAL", "TRANSFER", "CORRECTION"]
"""What an entry books."""

ReleaseRefusal = Literal[
    "PARKED_UNKNOWN",
    "ALREADY_RESOLVED",
    "COMMAND_REPEATED",
    "NOT_THE_OLDEST",
    "NOTHING_TO_BOOK",
    "STILL_REFUSED",
    "REASON_MISSING",
]
"""Why a parked input was not resolved."""

ContractEvent = Literal[
    "TRADE",
    "VARIATION_MARGIN",
    "FUNDING",
    "EXPIRY",
    "EXERCISE",
    "ASSIGNMENT",
    "DELIVERY",
    "SETTLEMENT_FEE",
    "LIQUIDATION_FEE",
    "CONTRACT_SIZE",
    "RENAME",
    "DELISTING",
    "BUST",
    "CORRECTION",
    "ADJUSTMENT",
    "COLLATERAL",
    "INITIAL_MARGIN",
    "MARGIN_CALL",
    "MARGIN_RELEASE",
    "COLLATERAL_SEIZED",
    "COLLATERAL_CONVERTED",
    "INTEREST",
    "LIQUIDATION",
    "AUCTION_TRANSFER",
    "CLOSE_OUT",
    "AUTO_DELEVERAGING",
    "POSITION_TRANSFER",
    "PORTING",
    "INSURANCE_FUND",
    "FUND_CONTRIBUTION",
    "FUND_REPLENISHMENT",
    "DEFAULTER_MARGIN",
    "DEFAULTER_FUND",
    "HOUSE_CAPITAL",
    "MUTUAL_FUND",
    "ASSESSMENT",
    "VARIATION_MARGIN_HAIRCUT",
    "TEAR_UP",
    "SOCIALISED_LOSS",
    "NOVATION",
    "COMPRESSION",
    "GIVE_UP",
    "TAKE_UP",
    "ALLOCATION",
    "PAYMENT_NETTING",
    "SETTLEMENT_OBLIGATION",
    "SETTLEMENT_PAYMENT",
    "FEE",
    "REBATE",
    "HOUSE_TRANSFER",
    "ROUNDING_SWEEP",
]
"""What in the life of a contract, or of its margin, an entry books."""

ClearingRefusal = Literal[
    "COMMAND_REPEATED",
    "INSTRUMENT_UNKNOWN",
    "NOT_A_CONTRACT",
    "CONTRACT_EXPIRED",
    "NOT_YET_EXPIRED",
    "PRICE_MISSING",
    "PRICE_OUT_OF_RANGE",
    "RATE_OUT_OF_RANGE",
    "OUT_OF_ORDER",
    "TOO_OLD",
    "NUMBERS_WRONG",
    "ENTRY_UNKNOWN",
    "ENTRY_CORRECTED",
    "ENTRY_DIFFERENT",
    "ACCOUNT_UNKNOWN",
    "ACCOUNT_HALTED",
    "AMOUNT_TOO_LARGE",
    "REASON_MISSING",
    "TERMS_DIFFER",
    "DEADLINE_PASSED",
    "NOT_AFFIRMED",
    "INSUFFICIENT_MARGIN",
    "INSUFFICIENT_FUNDS",
    "COLLATERAL_REFUSED",
    "STATE_WRONG",
    "UNSUPPORTED",
]
"""Why clearing refused a command."""

TradeState = Literal["ALLEGED", "MISMATCHED", "AFFIRMED", "NOVATED", "REFUSED", "REJECTED", "WITHDRAWN", "EXPIRED"]
"""State of a trade of two; legal transitions are in services/clearing/otc/affirmation.py."""

RejectReason = Literal[
    "ACCOUNT_UNKNOWN",
    "INSTRUMENT_UNKNOWN",
    "INSTRUMENT_NOT_TRADABLE",
    "TRADING_HALTED",
    "TRADING_REDUCING",
    "PRICE_MISSING",
    "PRICE_NOT_ALLOWED",
    "TERMS_INCOMPATIBLE",
    "PRICE_OFF_TICK",
    "PRICE_NOT_POSITIVE",
    "QUANTITY_NOT_POSITIVE",
    "QUANTITY_OFF_LOT",
    "QUANTITY_BELOW_MINIMUM",
    "QUANTITY_ABOVE_MAXIMUM",
    "NOTIONAL_BELOW_MINIMUM",
    "NOTIONAL_ABOVE_MAXIMUM",
    "NOTIONAL_ABOVE_LIMIT",
    "NUMBER_TOO_LARGE",
    "MARK_MISSING",
    "MARK_STALE",
    "PRICE_OUTSIDE_COLLAR",
    "TOO_MANY_OPEN_ORDERS",
    "MESSAGE_RATE_EXCEEDED",
    "INSUFFICIENT_FUNDS",
    "COMMAND_EXPIRED",
]
"""Why risk refused; each with the numbers it saw."""

BreakClass = Literal[
    "MISSING_AT_VENUE",
    "MISSING_INTERNALLY",
    "QUANTITY",
    "PRICE",
    "FEE_AMOUNT",
    "FEE_ASSET",
    "SIDE",
    "DUPLICATE_INTERNAL",
    "UNBOOKED_FILL",
    "ORDER_STATE",
    "ORPHAN_AT_VENUE",
    "BALANCE",
]
"""What kind of difference."""

ContractKind = Literal["FUTURE", "PERPETUAL", "OPTION"]
"""What a derivative is."""

SettlementStyle = Literal["LINEAR", "INVERSE", "QUANTO"]
"""How price becomes money: LINEAR and QUANTO multiply, INVERSE divides by it."""

OptionType = Literal["CALL", "PUT"]
"""Right of an option's holder."""

Delivery = Literal["CASH", "PHYSICAL"]
"""What expiry moves: the profit, or the asset against its price."""


class Cause(Struct, frozen=True, gc=False):
    """The one input that an event answers."""

    source: str
    """Topic, venue session (venue:alpha) or timer that the input came from."""
    partition: int
    """Partition of the source topic; 0 where the source is no topic."""
    offset: int
    """Offset of the input on its topic; -1 where the source is no topic."""
    id: str
    """The source's own id of the input where it is no topic; else empty."""


class Meta(Struct, frozen=True, gc=False):
    """Where a record stands on its partition, and why it exists: first field of every record on an owned topic."""

    epoch: int
    """Which ownership of this partition wrote it; rises with each takeover."""
    sequence: int
    """1, 2, 3 ... within the epoch without gaps; 0 for Began."""
    cause: Cause
    """The input that this record answers."""
    decided_at_us: int
    """Time of the decision, given to it as data."""
    event_id: str
    """Deterministic id, derived from the cause."""
    correlation_id: str
    """The order or obligation that this belongs to."""


class Began(Struct, frozen=True, gc=False):
    """A new owner takes over this partition; its epoch is higher than every earlier one."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    instance: str
    """Name of the owning instance."""


class InputParked(Struct, frozen=True, gc=False):
    """An input that cannot be decoded or breaks an invariant was set aside, with its bytes; a copy is on the topic parked."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """Account (record key) of the input; empty where unknown."""
    reason: str
    """Name of the error and its message."""
    halts_account: bool
    """Whether later inputs of this account park behind it."""
    input: bytes | None = None
    """The input: a record's bytes, or a venue's report as JSON; null when longer than a record may be, then only its own topic has it."""


class CheckpointSigned(Struct, frozen=True, gc=False):
    """What the tape was at one moment, signed: nobody can change it later without being found out."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    number: int
    """1, 2, 3 and so on without gaps."""
    digest: str
    """SHA-256 of the note in hex; the next checkpoint names it."""
    note: str
    """The signed text: size, Merkle root and chain of each partition that grew (truetape/evidence/checkpoint.py)."""
    signature: str
    """Ed25519 signature of the note in hex."""
    public_key: str
    """The key that signed it in hex."""


class ReleaseParked(Struct, frozen=True, gc=False):
    """Book the oldest parked input of an account now."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The client's account."""
    parked_event_id: str
    """The InputParked that is meant."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class DismissParked(Struct, frozen=True, gc=False):
    """Resolve a parked input without booking it."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The client's account."""
    parked_event_id: str
    """The InputParked that is meant."""
    requested_by: str
    """Who asks: an operator or an API key's id."""
    reason: str
    """Why it needs no entry."""


class ContractFact(Struct, frozen=True, gc=False):
    """One fact that concerns every account with a contract."""

    fact_id: str
    """Id of this fact, the same in every partition; the same id has one effect."""
    kind: ContractFactKind
    """What it says."""
    instrument_id: str
    """The contract."""
    effective_at_us: int
    """When it holds."""
    observed_at_us: int
    """When its newest sample was seen."""
    requested_by: str
    """Who says so: an operator, an API key's id or a service."""
    price_e8: int | None = None
    """Settlement price, fixing, or price that funding refers to."""
    numbers: dict[str, int] = {}
    """Its numbers and evidence, by name with their unit."""
    ids: dict[str, str] = {}
    """Names that belong to it: a new instrument id, sources of prices."""


class TakeContractFact(Struct, frozen=True, gc=False):
    """Let a fact about a contract count; written to every partition."""

    fact: ContractFact
    """The fact."""


class ApplyContractFact(Struct, frozen=True, gc=False):
    """The part of one account in a fact; clearing asks it of itself, and holds it when it is set aside."""

    account_id: str
    """The account; empty for the house."""
    instrument_id: str
    """The contract whose position changes: the fact's own, or the one that it moves to."""
    fact: ContractFact
    """The fact."""
    funding_index_e18: str
    """Funding index at the fact; decimal digits."""


class BookTrade(Struct, frozen=True, gc=False):
    """Book one side of a trade between a client and the clearing house."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The client's account."""
    trade_id: str
    """The trade, with its side; the entry's id."""
    instrument_id: str
    """The contract."""
    side: Side
    """The client's side."""
    quantity_e8: int
    """Contracts."""
    price_e8: int
    """Price."""
    liquidity: Liquidity
    """Which of the house's fees it meets."""
    transacted_at_us: int
    """When it was agreed."""
    requested_by: str
    """Who asks: an operator or an API key's id."""
    reference: str
    """The trade as both sides know it."""
    cost_e8: int | None = None
    """Signed cost of a leg that moves; null: what quantity and price make."""
    event: str = "TRADE"
    """TRADE; of a leg that moves GIVE_UP, TAKE_UP or ALLOCATION."""
    closes: str = ""
    """Open leg that this one ends; empty for none."""


class CorrectEntry(Struct, frozen=True, gc=False):
    """Take an entry back, since its trade was busted or it was wrong."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The client's account."""
    entry_id: str
    """The entry."""
    entry: bytes
    """The entry as it stands on the tape."""
    busted: bool
    """Whether the venue busted its trade; else it is a correction of ours."""
    requested_by: str
    """Who asks: an operator or an API key's id."""
    reason: str
    """Why."""


class TradeTerms(Struct, frozen=True, gc=False):
    """A trade of two accounts, as one side sees it."""

    reference: str
    """Identifier (UTI) that both sides know."""
    buyer_id: str
    """Account that buys."""
    seller_id: str
    """Account that sells."""
    instrument_id: str
    """The contract."""
    quantity_e8: int
    """Contracts; positive."""
    price_e8: int
    """Price."""
    traded_on: str
    """Day of the trade, ISO 8601."""
    clearing: str = "HOUSE"
    """HOUSE: the clearing house is asked to step between; BILATERAL: it stays between the two."""


class TellTrade(Struct, frozen=True, gc=False):
    """One side tells its view of a trade of two."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    party_id: str
    """The account that tells."""
    terms: TradeTerms
    """Its view."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class EndTrade(Struct, frozen=True, gc=False):
    """One side takes its trade back, or says that there is none."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    party_id: str
    """The account that asks."""
    trade_id: str
    """Made of the trade's identifier and its two accounts."""
    action: TradeAction
    """Which of both."""
    reason: str
    """Why."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class EndBilateral(Struct, frozen=True, gc=False):
    """One party wants to end a bilateral trade before its time; it ends when the other one says so too."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    party_id: str
    """The account that asks."""
    trade_id: str
    """The trade."""
    reason: str
    """Why."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class ConfirmLeg(Struct, frozen=True, gc=False):
    """A leg of a novated trade is booked in its account's partition; clearing tells itself."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    trade_id: str
    """Made of the trade's identifier and its two accounts."""
    leg_id: str
    """The leg, and the id of its entry."""


class AskLeg(Struct, frozen=True, gc=False):
    """The home of a trade asks a party's partition for a leg: acceptance where it is the custom, and margin."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The party."""
    home_id: str
    """Account whose partition decides the trade."""
    trade_id: str
    """The trade, give-up or allocation."""
    kind: str
    """What the leg is part of: NOVATION, GIVE_UP or ALLOCATION."""
    from_id: str
    """The other party of a trade; of a give-up or allocation the account that gives."""
    leg: TradeLeg
    """What would be booked."""
    accept: bool
    """Whether the party has to accept it first."""
    expires_at_us: int
    """Until when it can be had."""
    reference: str
    """The trade as both sides know it."""


class AnswerLeg(Struct, frozen=True, gc=False):
    """A receiving account accepts a leg that it is offered, or declines it."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The receiving account."""
    leg_id: str
    """The leg."""
    accepted: bool
    """Whether it takes it."""
    reason: str
    """Why not."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class TellLeg(Struct, frozen=True, gc=False):
    """A party's partition tells the home how it stands with a leg; clearing tells itself."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of the trade."""
    trade_id: str
    """The trade, give-up or allocation."""
    leg_id: str
    """The leg."""
    party_id: str
    """Account of the leg."""
    state: str
    """RESERVED, REFUSED, DECLINED or RELEASED."""
    reason: str
    """Name of what is against it."""
    detail: str
    """Why."""


class ReleaseLeg(Struct, frozen=True, gc=False):
    """The home lets a leg go that will not be booked; clearing tells itself."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The party."""
    home_id: str
    """Account whose partition decides the trade."""
    trade_id: str
    """The trade, give-up or allocation."""
    kind: str
    """What the leg is part of: NOVATION, GIVE_UP or ALLOCATION."""
    leg: TradeLeg
    """What was asked for."""


class LegShare(Struct, frozen=True, gc=False):
    """What one account gets of a leg."""

    account_id: str
    """The account."""
    quantity_e8: int
    """Contracts; positive."""


class MoveLeg(Struct, frozen=True, gc=False):
    """Give an open leg up to another account, or allocate it among several."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The account whose leg it is; home of the move."""
    leg_id: str
    """The open leg."""
    kind: str
    """GIVE_UP or ALLOCATION."""
    shares: tuple[LegShare, ...]
    """Who gets how much; together the whole leg."""
    reference: str
    """The move as all sides know it."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class EndMove(Struct, frozen=True, gc=False):
    """The giving account takes a give-up or allocation back before it is decided."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The account whose leg it is."""
    move_id: str
    """The give-up or allocation."""
    reason: str
    """Why."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class AgreeMoves(Struct, frozen=True, gc=False):
    """An account accepts, from now on, whatever one other account gives up or allocates to it; or no more."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The receiving account."""
    from_id: str
    """The giving account."""
    agreed: bool
    """Whether it does."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class CompressLegs(Struct, frozen=True, gc=False):
    """Make one leg of all open legs of an account in a contract."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The account."""
    instrument_id: str
    """The contract."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class StartCompression(Struct, frozen=True, gc=False):
    """Propose to compress bilateral trades of a contract."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of all runs."""
    instrument_id: str
    """The contract."""
    participants: tuple[str, ...]
    """Only trades between these accounts; empty for all."""
    answer_within_us: int
    """How long participants have to accept."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class AnswerCompression(Struct, frozen=True, gc=False):
    """A participant accepts a proposed compression, or declines it, and then all of it falls."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of all runs."""
    run_id: str
    """The run."""
    party_id: str
    """The account that answers."""
    accepted: bool
    """Whether it accepts."""
    reason: str
    """Why not."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class NetPayments(Struct, frozen=True, gc=False):
    """Net what an account and the clearing house owe each other of a day that is over."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The account."""
    value_date: str
    """The day, ISO 8601."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class ReviewMargin(Struct, frozen=True, gc=False):
    """Decide about a listed account; clearing asks itself, nobody else."""

    account_id: str
    """The client's account."""
    asset: str
    """Settlement asset."""
    action: str
    """What it is listed for."""
    run_id: str
    """What listed it."""
    reason: str
    """Why, where a number does not say it."""
    amount_e8: int
    """Amount that it is about; 0 for none."""


class ActOnCall(Struct, frozen=True, gc=False):
    """A member or the house acts on a margin call."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The client's account."""
    call_id: str
    """The call."""
    action: str
    """acknowledge, dispute, reject_dispute, uphold_dispute or declare_default."""
    actor: str
    """member or house."""
    reason: str
    """In the actor's words."""
    requested_by: str
    """API key or operator."""


class CloseOut(Struct, frozen=True, gc=False):
    """Close long contracts of a hedging account against its short ones."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The client's account."""
    instrument_id: str
    """The contract."""
    quantity_e8: int
    """Contracts of each side."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class RoundTerms(Struct, frozen=True, gc=False):
    """A question to every partition, and what is made of the answers."""

    round_id: str
    """The round."""
    kind: str
    """What it is about, such as WATERFALL."""
    home_id: str
    """Whose partition decides it."""
    asset: str
    """Asset or instrument that it is about."""
    numbers: dict[str, int]
    """Numbers of its kind."""
    ids: dict[str, str]
    """Names of its kind."""
    requested_by: str
    """Who asked for it."""


class RoundHolding(Struct, frozen=True, gc=False):
    """What a partition states of one of its ledger accounts."""

    account_id: str
    """Whose; empty for the house."""
    asset: str
    """Asset or instrument."""
    numbers: dict[str, int]
    """Numbers of the round's kind."""
    ids: dict[str, str] = {}
    """Names of the round's kind."""


class RoundLeg(Struct, frozen=True, gc=False):
    """One entry that a decided round asks for."""

    leg_id: str
    """Also the id of its entry."""
    account_id: str
    """In whose books; empty for the house's own."""
    event: str
    """What it books, one of ContractEvent."""
    asset: str
    """Asset or instrument."""
    amount_e8: int
    """What moves, signed as its kind says."""
    numbers: dict[str, int]
    """Numbers of its kind."""
    partition: int
    """Where it is booked."""
    ids: dict[str, str] = {}
    """Names of its kind."""


class OpenRound(Struct, frozen=True, gc=False):
    """Open a round at its home; asking twice opens it once."""

    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round: RoundTerms
    """The round."""


class AskRound(Struct, frozen=True, gc=False):
    """Home asks a partition what it has."""

    round: RoundTerms
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""


class TellRound(Struct, frozen=True, gc=False):
    """A partition answers home."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round_id: str
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    holdings: tuple[RoundHolding, ...]
    """What it has."""


class SettleRound(Struct, frozen=True, gc=False):
    """Home tells a partition what was decided and which legs it books."""

    round: RoundTerms
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    legs: tuple[RoundLeg, ...]
    """The partition's legs."""
    outcome: dict[str, int]
    """The decision in numbers of its kind."""


class ConfirmRound(Struct, frozen=True, gc=False):
    """A partition has booked its legs."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round_id: str
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""


class RunRound(Struct, frozen=True, gc=False):
    """What the state itself asks for next in a round: DECIDE, BOOK or CLOSE; nobody sends it."""

    account_id: str
    """Account of the leg, else the home of the round."""
    round: RoundTerms
    """The round."""
    step: str
    """Which."""
    legs: tuple[RoundLeg, ...]
    """The leg to book; else none."""


class MoveFund(Struct, frozen=True, gc=False):
    """Pay into the clearing fund, the house's capital or the insurance fund, or out of it."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Whose share; house:capital or house:insurance for the house."""
    asset: str
    """Asset."""
    amount_e8: int
    """Positive is paid in, negative out."""
    location: str
    """Account of the firm outside where it comes from or goes to."""
    purpose: str
    """FUND, ASSESSMENT, CAPITAL or INSURANCE."""
    requested_by: str
    """API key or operator."""
    reason: str
    """Why."""


class DeclareDefault(Struct, frozen=True, gc=False):
    """An account cannot pay."""

    command_id: str
    """Id of this command."""
    account_id: str
    """Who."""
    asset: str
    """Settlement asset in which it cannot."""
    reason: str
    """Why."""
    requested_by: str
    """API key or operator, or clearing itself."""


class WaiveOrders(Struct, frozen=True, gc=False):
    """The default of an account goes on though no end of these orders is known; they stay as they are."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """Who is in default."""
    default_id: str
    """The default that waits."""
    order_ids: tuple[str, ...]
    """Orders for whose end it no longer waits."""
    reason: str
    """Why."""
    requested_by: str
    """API key or operator."""


class ParcelLeg(Struct, frozen=True, gc=False):
    """One thing that an account gets or gives in a decision about several accounts."""

    instrument_id: str
    """Contract; empty where money alone moves."""
    asset: str
    """Asset of its money."""
    quantity_e8: int
    """Signed contracts that the account gets; 0 where money alone moves."""
    price_e8: int
    """Price at which contracts change hands."""
    amount_e8: int
    """Signed money that `ledger` gets from `other`; 0 of contracts, whose money their price makes."""
    ledger: str
    """Ledger account that gets the money: client:ID or house:insurance."""
    other: str
    """Ledger account on the other side: house:clearing or house:insurance."""
    event: str
    """What the entry books: AUCTION_TRANSFER, AUTO_DELEVERAGING, TEAR_UP or INSURANCE_FUND."""
    numbers: dict[str, int] = {}
    """What its entry tells beside: of a deleveraging the holder's rank and what gave it."""


class Parcel(Struct, frozen=True, gc=False):
    """What one account gets and gives in a decision of another partition: all of it or none."""

    parcel_id: str
    """Id; the same parcel is taken once."""
    account_id: str
    """Who gets it."""
    home_id: str
    """Account whose partition has decided."""
    kind: str
    """AUCTION, DELEVERAGING or PARTIAL_TEAR_UP."""
    forced: bool
    """Whether it is taken without a look at margin, and as far as the position reaches."""
    expires_at_us: int
    """Until when it can be taken."""
    legs: tuple[ParcelLeg, ...]
    """What moves, in order."""


class TakeParcel(Struct, frozen=True, gc=False):
    """The home asks an account's partition to take a parcel; clearing tells itself."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """Who gets it."""
    parcel: Parcel
    """What."""


class TellParcel(Struct, frozen=True, gc=False):
    """A partition tells the home whether it has taken a parcel; clearing tells itself."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """Account whose partition has decided."""
    parcel_id: str
    """The parcel."""
    holder_id: str
    """Who was to get it."""
    state: str
    """TAKEN or REFUSED."""
    legs: tuple[ParcelLeg, ...]
    """What was taken."""
    reason: str
    """Name of what is against it."""
    detail: str
    """Why."""


class BookLeg(Struct, frozen=True, gc=False):
    """The next leg of a parcel; clearing asks it of itself, and holds it when it is set aside."""

    account_id: str
    """The account."""
    parcel_id: str
    """The parcel."""
    home_id: str
    """Account whose partition has decided."""
    kind: str
    """AUCTION, DELEVERAGING or PARTIAL_TEAR_UP."""
    number: int
    """Place of the leg in its parcel."""
    leg: ParcelLeg
    """What moves."""
    decided_at_us: int
    """When it was decided."""


class StartAuction(Struct, frozen=True, gc=False):
    """Sell what an account holds in contracts of one settlement asset, to whoever bids for all of it or a part."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The account that is sold."""
    asset: str
    """Settlement asset."""
    forced: bool
    """Whether all may be sold whatever the margin."""
    insurance_e8: int
    """The most that the insurance fund pays to takers."""
    reason: str
    """Why."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class BidAuction(Struct, frozen=True, gc=False):
    """Take a part of what is auctioned, at the price of the moment."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The account that is sold: home of the auction."""
    auction_id: str
    """The auction."""
    bidder_id: str
    """The account that takes."""
    wanted_e8: int
    """Part of what is still there; 1 is all of it."""
    requested_by: str
    """Who asks: an operator or an API key's id."""
    price_max_e8: int | None = None
    """The most that all of it may cost; negative: what it must pay; null: any price."""


class EndAuction(Struct, frozen=True, gc=False):
    """Stop an auction; what is not sold stays where it is."""

    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The account that is sold: home of the auction."""
    auction_id: str
    """The auction."""
    reason: str
    """Why."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class ActOnPorting(Struct, frozen=True, gc=False):
    """A client, the member that it chose, or the house acts on where the client goes when its member defaults."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The client; to end a window the member in default."""
    action: str
    """choose, accept, refuse or end."""
    actor_id: str
    """Who acts: the client, the receiving member, or house."""
    receiver_id: str
    """The member that is chosen; empty takes a choice back, and is empty in other actions."""
    reason: str
    """In the actor's words."""
    requested_by: str
    """API key or operator."""


class Line(Struct, frozen=True, gc=False):
    """One leg of an entry."""

    account: str
    """Ledger account: client:ID, venue:NAME, bank:NAME, custody:NAME, house:fees, house:rounding."""
    asset: str
    """Asset, or instrument id for a balance in contracts."""
    amount_e8: int
    """Change of the balance."""
    purpose: str
    """principal, venue_fee, house_fee, rounding, deposit, withdrawal."""


class Position(Struct, frozen=True, gc=False):
    """A position after an entry."""

    instrument_id: str
    """Instrument."""
    quantity_e8: int
    """Signed quantity."""
    cost_e8: int
    """Signed cost of the open quantity in the quote asset, fees excluded."""
    realised_e8: int
    """Realised profit in all, in the quote asset, fees excluded."""


class Release(Struct, frozen=True, gc=False):
    """A parked input is resolved, by an operator's command."""

    command_id: str
    """The command."""
    parked_event_id: str
    """The InputParked that is resolved."""
    requested_by: str
    """Who asked: an operator or an API key's id."""
    left: int
    """Inputs of the account that are still parked after this; 0 says that the account is no longer halted."""


class ContractBooking(Struct, frozen=True, gc=False):
    """What an entry does to a contract, with its evidence."""

    event: ContractEvent
    """What it books."""
    instrument_id: str
    """Contract; empty where money alone moves."""
    settlement_asset: str
    """Asset of its money."""
    counterparty: str
    """Ledger account on the other side of the contracts; empty where money alone moves."""
    fact_id: str
    """The market-wide fact that it applies to this account; empty for none."""
    quantity_e8: int
    """Signed change of the position in contracts."""
    paid_e8: int
    """Signed change of cost less realised profit: what the change is worth at its price, in the settlement asset."""
    settled_e8: int
    """Of the position's realised profit, what has been paid in cash, after this entry."""
    funding_index_e18: str
    """Funding index up to which the position is settled, after this entry; decimal digits, since it can pass 64 bits."""
    numbers: dict[str, int]
    """What the decision saw, by name with its unit."""
    ids: dict[str, str]
    """Names that the decision saw: other sides, trades, prices' sources."""


class EntryBooked(Struct, frozen=True, gc=False, kw_only=True):
    """A journal entry; its lines sum to zero per asset."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    entry_id: str
    """Deterministic id."""
    account_id: str
    """The client whose partition holds it; empty for an entry of the house's own accounts."""
    kind: EntryKind
    """What it books."""
    rule: str
    """The rule in services/clearing that made it."""
    lines: tuple[Line, ...]
    """Legs."""
    realised_e8: int
    """Profit realised by this entry, in the quote asset."""
    filled_e8: int
    """Quantity of the fill; 0 where there is none."""
    transacted_at_us: int
    """When it happened outside."""
    order_id: str | None = None
    """The order."""
    execution_id: str | None = None
    """The fill."""
    external_reference: str | None = None
    """The outside world's id."""
    corrects: str | None = None
    """The entry that this reverses."""
    position: Position | None = None
    """The client's position after a trade."""
    release: Release | None = None
    """Set when this books an input that was parked; null for all others."""
    contract: ContractBooking | None = None
    """What it does to a contract or to margin; null for spot and transfers."""


class ParkedDismissed(Struct, frozen=True, gc=False):
    """A parked input will not be booked, by an operator's decision."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    reason: str
    """Why, in the operator's words."""
    release: Release
    """Which input, and who decided."""


class ReleaseRefused(Struct, frozen=True, gc=False):
    """A command to book or dismiss a parked input changed nothing."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command."""
    account_id: str
    """The client's account."""
    parked_event_id: str
    """The InputParked that it names."""
    requested_by: str
    """Who asked: an operator or an API key's id."""
    reason: ReleaseRefusal
    """Why."""
    detail: str
    """What to do next."""
    decision_event_id: str | None = None
    """The event that resolved the input before; null when none did."""


class ContractFactTaken(Struct, frozen=True, gc=False):
    """A fact about a contract counts in this partition from here on; every account concerned gets its entry next."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    fact: ContractFact
    """The fact."""
    multiplier_e8: int
    """Multiplier of the contract."""
    funding_index_e18: str
    """Funding index after the fact; decimal digits."""
    due: tuple[str, ...]
    """Accounts that it concerns, in the order in which they are booked, twice where it moves positions; an empty name is the house."""


class ClearingRefused(Struct, frozen=True, gc=False):
    """A command about contracts, margin or default changed nothing."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command."""
    account_id: str
    """The client's account; empty for the house."""
    command: str
    """Type of the command."""
    requested_by: str
    """Who asked: an operator or an API key's id."""
    reason: ClearingRefusal
    """Why."""
    detail: str
    """What to do next."""
    numbers: dict[str, int]
    """The numbers that the refusal saw, by name."""


class TradeDifference(Struct, frozen=True, gc=False):
    """A field that two sides see differently."""

    field: str
    """Name of the field."""
    first: str
    """What the side says that told first."""
    other: str
    """What the other side says."""


class BilateralTrade(Struct, frozen=True, gc=False):
    """A trade of two accounts that the clearing house does not stand between."""

    trade_id: str
    """The trade."""
    home_id: str
    """Whichever of its two accounts comes first by name."""
    buyer_id: str
    """Account that has bought."""
    seller_id: str
    """Account that has sold."""
    instrument_id: str
    """The contract."""
    quantity_e8: int
    """Contracts; positive."""
    price_e8: int
    """Price; of what a compression left the average, rounded."""
    cost_e8: int
    """What the buyer pays in all, in the settlement asset; signed."""
    reference: str
    """Identifier that both sides know; the run's for what a compression left."""
    origin: str
    """BILATERAL as both asked for, REFUSED by the clearing house, or COMPRESSION."""


class TradeLeg(Struct, frozen=True, gc=False):
    """One open trade of an account with the clearing house."""

    leg_id: str
    """Id of the leg, and of the entry that books it."""
    account_id: str
    """The account."""
    instrument_id: str
    """The contract."""
    side: Side
    """The account's side."""
    quantity_e8: int
    """Contracts; positive."""
    price_e8: int
    """Price."""
    cost_e8: int | None = None
    """Signed cost, positive where the account pays; null: what quantity and price make."""
    closes: str = ""
    """Open leg that this one ends; empty for none."""


class TradeChanged(Struct, frozen=True, gc=False):
    """A trade of two was told, contradicted, ended or novated: the one decision about it."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command; empty for the clock."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    trade_id: str
    """Made of the trade's identifier and its two accounts."""
    first_id: str
    """The account that told it first."""
    actor: str
    """Who acted: an account, house or clock."""
    state: TradeState
    """State after this."""
    views: dict[str, TradeTerms]
    """By account, the newest view of each side."""
    differences: tuple[TradeDifference, ...]
    """Where the sides differ."""
    expires_at_us: int
    """Until when both sides must agree."""
    legs: tuple[TradeLeg, ...]
    """Of AFFIRMED: what is asked of each account; of NOVATED: what is booked; of an end after that: what is let go."""
    detail: str
    """Why; empty where nothing is to be said."""
    requested_by: str
    """Who asked: an operator or an API key's id; empty for the clock."""
    reason: str = ""
    """Of REFUSED: name of what is against it; empty otherwise."""
    bilateral: BilateralTrade | None = None
    """The trade that is open between the two from here on; none otherwise."""


class LegConfirmed(Struct, frozen=True, gc=False):
    """A leg is booked."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    trade_id: str
    """Made of the trade's identifier and its two accounts."""
    leg_id: str
    """The leg."""
    left: int
    """Legs of the trade that are not confirmed yet; 0 ends it."""


class LegsAskedAgain(Struct, frozen=True, gc=False):
    """Legs that nobody has confirmed are asked for once more."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    trade_id: str
    """Made of the trade's identifier and its two accounts."""
    attempt: int
    """1, 2, 3 ...."""


class LegChanged(Struct, frozen=True, gc=False):
    """A leg in the partition of its account: offered, accepted, reserved, refused or let go."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command that it answers; empty for risk's answer."""
    account_id: str
    """The party."""
    home_id: str
    """Account whose partition decides the trade."""
    trade_id: str
    """The trade, give-up or allocation."""
    kind: str
    """What the leg is part of: NOVATION, GIVE_UP or ALLOCATION."""
    from_id: str
    """The other party of a trade; of a give-up or allocation the account that gives."""
    leg: TradeLeg
    """The leg."""
    state: str
    """OFFERED, RESERVING, RESERVED, REFUSED, DECLINED or RELEASED: services/clearing/otc/legs.py."""
    reason: str
    """Name of what is against it."""
    detail: str
    """Why."""
    expires_at_us: int
    """Until when it can be had."""
    reference: str
    """The trade as both sides know it."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class LegAnswered(Struct, frozen=True, gc=False):
    """A party has reserved what its leg needs; others are still asked."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """Home of the trade."""
    trade_id: str
    """The trade, give-up or allocation."""
    leg_id: str
    """The leg."""
    party_id: str
    """Account of the leg."""
    left: int
    """Legs without an answer."""


class MoveChanged(Struct, frozen=True, gc=False):
    """A give-up or allocation was asked for, decided or ended: the one decision about it."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command; empty for the clock."""
    account_id: str
    """The account that gives: home of the move."""
    move_id: str
    """The give-up or allocation."""
    kind: str
    """GIVE_UP or ALLOCATION."""
    state: str
    """ASKED, MOVED, DECLINED, REFUSED, WITHDRAWN or EXPIRED: services/clearing/otc/moves.py."""
    leg: TradeLeg
    """The open leg that moves."""
    legs: tuple[TradeLeg, ...]
    """Of ASKED: what is asked of each account; of MOVED: what is booked; of another end: what is let go."""
    actor: str
    """Who acted: an account, house or clock."""
    reason: str
    """Name of what is against it."""
    detail: str
    """Why."""
    expires_at_us: int
    """Until when all must have answered."""
    reference: str
    """The move as all sides know it."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class MovesAgreed(Struct, frozen=True, gc=False):
    """An account accepts beforehand what another gives up or allocates to it, or no more."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command."""
    account_id: str
    """The receiving account."""
    from_id: str
    """The giving account."""
    agreed: bool
    """Whether it does."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class LegsCompressed(Struct, frozen=True, gc=False):
    """Open legs of an account in a contract became one or none; its position is as before."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command."""
    account_id: str
    """The account."""
    instrument_id: str
    """The contract."""
    ended: tuple[TradeLeg, ...]
    """Legs that ended."""
    left: tuple[TradeLeg, ...]
    """What stands in their place."""
    gross_before_e8: int
    """Contracts open before, both sides added."""
    gross_after_e8: int
    """The same after."""
    net_quantity_e8: int
    """Signed contracts, before and after."""
    net_cost_e8: int
    """Signed cost, before and after."""
    ended_cost_e8: int
    """Part of the cost that no leg carries any more: legs that offset; it is profit or loss of the position already."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class BilateralChanged(Struct, frozen=True, gc=False):
    """A bilateral trade: one party wants to end it, or both do."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command."""
    account_id: str
    """Home of the trade: whichever of its two accounts comes first by name."""
    trade: BilateralTrade
    """The trade."""
    state: str
    """TERMINATING: one party wants it; TERMINATED: both did."""
    party_id: str
    """The account that asked."""
    reason: str
    """Why."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class CompressionPayment(Struct, frozen=True, gc=False):
    """What a participant gets for cost that ends without contracts."""

    account_id: str
    """The participant."""
    amount_e8: int
    """Positive: gets; negative: pays."""
    instruction_id: str
    """Id of the payment, made of run and participant."""


class CompressionChanged(Struct, frozen=True, gc=False):
    """A run of multilateral compression as it is after this."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command; empty for the clock and for what follows by itself."""
    account_id: str
    """Home of all runs."""
    run_id: str
    """The run."""
    instrument_id: str
    """The contract."""
    settlement_asset: str
    """What is paid."""
    state: str
    """GATHERING, PROPOSED, COMPRESSED, DECLINED, EXPIRED or NOTHING."""
    participants: tuple[str, ...]
    """Of GATHERING: between whom, empty for all; then the accounts that have to accept."""
    accepted: tuple[str, ...]
    """Those that have."""
    ended: tuple[BilateralTrade, ...]
    """Trades that end."""
    left: tuple[BilateralTrade, ...]
    """Trades that stand in their place."""
    payments: tuple[CompressionPayment, ...]
    """They sum to zero."""
    gross_before_e8: int
    """Contracts of the trades that end."""
    gross_after_e8: int
    """Contracts of those in their place."""
    expires_at_us: int
    """Until when participants may accept."""
    actor: str
    """Who acted: a participant, house or clock."""
    detail: str
    """Why; empty where nothing is to be said."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class Instruction(Struct, frozen=True, gc=False):
    """One payment between an account and the clearing house, for settlement."""

    instruction_id: str
    """Made of account, asset and value date."""
    asset: str
    """What is paid."""
    amount_e8: int
    """Positive: the house pays; negative: the account pays; zero: all of it cancels out."""
    received_e8: int
    """Sum of what the account was due."""
    paid_e8: int
    """Sum of what it owed; positive."""
    parts: dict[str, int]
    """What it nets by purpose of the entries' lines, signed; they sum to the amount."""
    payments: int
    """Lines of entries that it nets."""
    run: int = 1
    """1; 2 and more where something came late for the value date, and was netted after it."""


class PaymentsNetted(Struct, frozen=True, gc=False):
    """What an account and the clearing house owed each other of a day, netted."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command."""
    account_id: str
    """The account."""
    value_date: str
    """The day, ISO 8601."""
    instructions: tuple[Instruction, ...]
    """One per asset."""
    requested_by: str
    """Who asks: an operator or an API key's id."""


class MarginSeen(Struct, frozen=True, gc=False):
    """Margin of an account in one settlement asset, with the evidence."""

    asset: str
    """Settlement asset."""
    balance_e8: int
    """Cash."""
    gains_e8: int
    """What positions gained or lost since their cost, and profit and funding not yet paid."""
    initial_e8: int
    """Initial need."""
    maintenance_e8: int
    """Maintenance need."""
    worst: str
    """Scenario or position that decides the initial need."""
    models: tuple[str, ...]
    """Margin models that were asked."""
    contributions: dict[str, int]
    """Each position's part of the initial need, in 1e-8, by instrument."""
    marks: dict[str, MarkSeen]
    """Marks used, by instrument or index."""


class MarginListed(Struct, frozen=True, gc=False):
    """An account that a margin run found something to do about."""

    account_id: str
    """The client's account."""
    asset: str
    """Settlement asset; empty where the account could not be assessed."""
    action: str
    """What is to be decided, or found out: services/clearing/margining/watch.py Action."""
    reason: str
    """Why, where a number does not say it."""
    equity_e8: int
    """What it has."""
    initial_e8: int
    """Initial need."""
    maintenance_e8: int
    """Maintenance need."""


class MarginRun(Struct, frozen=True, gc=False):
    """All accounts of a partition that hold contracts were margined, and some need an action; each gets its decision next."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    margined: int
    """Accounts that hold contracts."""
    listed: tuple[MarginListed, ...]
    """Accounts in the order in which they are decided."""


class MarginReviewed(Struct, frozen=True, gc=False):
    """The decision about a listed account was that there is nothing to do any more."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    asset: str
    """Settlement asset."""
    action: str
    """What it was listed for."""
    detail: str
    """Why there is nothing to do."""


class MarginCallChanged(Struct, frozen=True, gc=False):
    """A margin call was made, answered, paid, missed or ended; legal transitions are in truetape/default/calls.py."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command that it answers; empty for none."""
    account_id: str
    """The client's account."""
    call_id: str
    """The call."""
    asset: str
    """Asset that is called for."""
    amount_e8: int
    """What was called for."""
    paid_e8: int
    """Booked against it so far."""
    called_at_us: int
    """When it was called."""
    due_at_us: int
    """Deadline."""
    grace_us: int
    """Microseconds after the deadline until a default without anybody's word."""
    reason: str
    """What the call was made of."""
    state: str
    """State after this."""
    action: str
    """What happened: call, or an action of the table."""
    actor: str
    """member, house, ledger or clock."""
    detail: str
    """In the actor's words."""
    requested_by: str
    """API key or operator; empty when nobody asked."""
    seen: MarginSeen | None = None
    """Margin that the decision saw; null where it saw none."""


class LiquidationChanged(Struct, frozen=True, gc=False, kw_only=True):
    """A liquidation begins, sends an order, or has heard what became of it."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    liquidation_id: str
    """The liquidation."""
    asset: str
    """Settlement asset whose margin is short."""
    state: str
    """CANCELLING, SELLING or WAITING."""
    step: int
    """Orders sent so far, with this one."""
    attempt: int
    """Orders in a row that sold nothing; the price bound widens with it."""
    bankruptcy_price_e8: int
    """Price of the order's contract at which the account's share of what is left is used up; 0 without an order."""
    excess_e8: int
    """Equity over the level to be restored, before."""
    planned_e8: int
    """The same once the order has filled at its limit."""
    detail: str
    """What became of the last order, or why nothing is sent."""
    order: OrderTerms | None = None
    """Order that is sent to risk once this record is in place."""
    seen: MarginSeen | None = None
    """Margin that the decision saw; null where it saw none."""
    asked: int = 0
    """How often the same was asked again without an answer."""
    refusal: str = ""
    """Why risk has refused the order; empty: it has not."""


class LiquidationEnded(Struct, frozen=True, gc=False):
    """A liquidation is over; risk takes the account's own orders again."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    liquidation_id: str
    """The liquidation."""
    asset: str
    """Settlement asset."""
    outcome: str
    """RESTORED, or why the rest is for auction and default: services/clearing/margining/watch.py Outcome."""
    steps: int
    """Orders sent."""
    fees_e8: int
    """Liquidation fees paid to house:insurance."""
    covered_e8: int
    """Loss that house:insurance has paid."""
    shortfall_e8: int
    """Equity still missing to zero, positions at the last marks; 0 for none."""
    detail: str
    """What to do next."""
    seen: MarginSeen | None = None
    """Margin that the decision saw; null where it saw none."""


class SidesClosedOut(Struct, frozen=True, gc=False):
    """Long contracts of an account were closed against its short ones: profit is realised, no money moves."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """The client's account."""
    instrument_id: str
    """The contract."""
    quantity_e8: int
    """Contracts of each side."""
    requested_by: str
    """Who asked."""
    realised_e8: int
    """Profit that this realised."""
    long_e8: int
    """Contracts of the long side after it."""
    short_e8: int
    """Contracts of the short side after it, negative."""


class RoundOpened(Struct, frozen=True, gc=False):
    """A round waits its turn, or asks every partition."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round: RoundTerms
    """The round."""


class RoundAnswered(Struct, frozen=True, gc=False):
    """What this partition has, held for the round until it is settled."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    round: RoundTerms
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    holdings: tuple[RoundHolding, ...]
    """What it has."""


class RoundGathered(Struct, frozen=True, gc=False):
    """Home has a partition's answer."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round_id: str
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    holdings: tuple[RoundHolding, ...]
    """What it has."""
    left: int
    """Partitions that have not answered."""


class RoundDecided(Struct, frozen=True, gc=False):
    """What a round comes to, from the answers of all partitions."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round: RoundTerms
    """The round."""
    legs: tuple[RoundLeg, ...]
    """What is booked where."""
    outcome: dict[str, int]
    """The decision in numbers of its kind."""
    detail: str
    """Why nothing is booked; else empty."""


class RoundSettling(Struct, frozen=True, gc=False):
    """This partition books its legs next, before anything else."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    round: RoundTerms
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    legs: tuple[RoundLeg, ...]
    """In order."""
    outcome: dict[str, int]
    """The decision in numbers of its kind."""


class RoundSettled(Struct, frozen=True, gc=False):
    """All legs of a partition are booked, or set aside with their account."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    home_id: str
    """Home of the round."""
    round_id: str
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    booked: int
    """Entries."""
    set_aside: int
    """Legs that wait in the parked inputs of their account."""


class RoundConfirmed(Struct, frozen=True, gc=False):
    """Home knows that a partition has booked its legs."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round_id: str
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    left: int
    """Partitions that have not."""


class RoundAskedAgain(Struct, frozen=True, gc=False):
    """Home asks once more whoever has not answered or confirmed."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    account_id: str
    """Home of the round: what it must have for itself; rounds of one home run one after another."""
    round_id: str
    """The round."""
    phase: str
    """GATHERING or DECIDED: what is asked for."""
    attempt: int
    """How often."""


class RoundRepeated(Struct, frozen=True, gc=False):
    """A partition was asked again for what it had done, and tells home again."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    home_id: str
    """Home of the round."""
    round_id: str
    """The round."""
    partition: int
    """The partition that is asked, or that answers."""
    settled: bool
    """Whether its legs are booked; else it has answered."""


class DefaultStep(Struct, frozen=True, gc=False):
    """What one layer of the waterfall bore or got back."""

    layer: str
    """Layer."""
    payer_id: str
    """Who."""
    amount_e8: int
    """How much."""


class DefaultChanged(Struct, frozen=True, gc=False):
    """The default of an account as it is now."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    command_id: str
    """Id of this command."""
    account_id: str
    """Who."""
    default_id: str
    """The default."""
    asset: str
    """Settlement asset."""
    state: str
    """DECLARED, LOSS_FIXED, COVERED, UNCOVERED, RECOVERING or ENDED."""
    margin_e8: int
    """Cash of the defaulter when it was declared."""
    loss_e8: int
    """What closing cost in all; 0 until it is fixed."""
    steps: tuple[DefaultStep, ...]
    """Who has borne what, less what came back."""
    uncovered_e8: int
    """What no layer could bear."""
    recovered_e8: int
    """What came in afterwards."""
    round_id: str
    """The round that runs; else empty."""
    attempt: int
    """How often it was asked for."""
    detail: str
    """Why it waits, or why it was declared."""
    requested_by: str
    """Who asked."""
    member_id: str = ""
    """Clearing member whose share of the fund answers for it; empty: its own."""
    quiet: bool = False
    """Whether risk has said that all orders of the account have ended and are cleared, but for those that are waived."""
    waived: tuple[str, ...] = ()
    """Orders for whose end it does not wait, by the house's word; what they fill later is the account's, and a further default's."""
    waived_by: str = ""
    """Who waived them last; empty for nobody."""


class ParcelAnswered(Struct, frozen=True, gc=False):
    """A parcel is taken, or refused; its entries follow at once."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """Id of this command; the same id has one effect."""
    account_id: str
    """Who gets it."""
    parcel: Parcel
    """What was taken, or was asked."""
    state: str
    """TAKEN or REFUSED."""
    repeated: bool
    """Whether it was answered before: nothing follows."""
    reason: str
    """Name of what is against it; empty when taken."""
    detail: str
    """Why."""
    numbers: dict[str, int]
    """What the decision saw, by name with its unit."""
    ids: dict[str, str]
    """Names that the decision saw: marks with their place, models."""


class ParcelsAskedAgain(Struct, frozen=True, gc=False):
    """Parcels or rankings that nobody has answered are asked for once more."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """Account whose partition has decided."""
    subject_id: str
    """Auction or deleveraging."""
    attempt: int
    """1, 2, 3 ...."""


class AuctionBid(Struct, frozen=True, gc=False):
    """What one bidder takes."""

    bid_id: str
    """The bid, and its parcel."""
    bidder_id: str
    """The account that takes."""
    wanted_e8: int
    """Part of what was there that he wants."""
    part_e18: int
    """Part of what was there that he takes, in units of 1e-18."""
    paid_e8: int
    """By him to the account."""
    received_e8: int
    """By him from the insurance fund."""
    legs: tuple[ParcelLeg, ...]
    """What he gets and gives."""
    requested_by: str
    """Key or operator that has bid."""


class AuctionChanged(Struct, frozen=True, gc=False, kw_only=True):
    """An auction began, changed hands in part, went on or ended: the one decision about it."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command; empty for the clock, and for a bid that is not decided yet."""
    account_id: str
    """The account that is sold: home of the auction."""
    auction_id: str
    """The auction."""
    asset: str
    """Settlement asset."""
    state: str
    """RUNNING, OFFERED or ENDED: services/clearing/closeout/auction.py."""
    change: str
    """BEGUN, CONVERTED, FUNDED, OFFERED, TAKEN, REFUSED or the reason of the end."""
    actor: str
    """Who acted: an account, house or clock."""
    kind: str
    """solvent: takers pay; insolvent: takers are paid."""
    forced: bool
    """Whether all may be sold whatever the margin."""
    begun_at_us: int
    """When its price began to fall."""
    fee_e8: int
    """Paid to the insurance fund at the start."""
    lowest_e8: int
    """Insolvent: what the last moment pays for all of it; negative."""
    reserved_e8: int
    """What takers have paid: it stays with the account."""
    left_e18: int
    """Part of the original portfolio that is still there, in units of 1e-18."""
    insurance_e8: int
    """The most that the insurance fund still pays."""
    legs: tuple[ParcelLeg, ...]
    """What the account gives and gets by this; its entries follow at once."""
    detail: str
    """Why, in words."""
    numbers: dict[str, int]
    """What the decision saw, by name with its unit."""
    ids: dict[str, str]
    """Names that the decision saw: marks with their place, models."""
    requested_by: str
    """Who asked: an operator or an API key's id; empty for the clock."""
    bid: AuctionBid | None = None
    """The bid that this is about; null for none."""
    begun_by: str = ""
    """Who began it: house, or clock after a liquidation; empty in records from before this was kept."""
    insurance_wanted_e8: int = 0
    """What the fund's other parts are asked for besides, until they have answered."""


class DeleveragingPart(Struct, frozen=True, gc=False):
    """One holder's part of a deleveraging."""

    parcel_id: str
    """His parcel."""
    account_id: str
    """The holder."""
    rank: int
    """1 for whoever was asked first."""
    quantity_e8: int
    """Signed change of his position: toward zero."""
    paid_e8: int
    """Signed: what these contracts are worth to him at the price."""
    numbers: dict[str, int]
    """What he was ranked by: position, profit, cost, notional, equity, rate."""


class DeleveragingChanged(Struct, frozen=True, gc=False):
    """A position that nobody buys is closed against holders of the other side: it began, was decided, closed a part or ended."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The account whose position is closed."""
    deleveraging_id: str
    """The deleveraging."""
    liquidation_id: str
    """The liquidation that could not sell it."""
    asset: str
    """Settlement asset."""
    instrument_id: str
    """The contract."""
    method: str
    """DELEVERAGING: holders in profit, by rank, at the bankruptcy price. PARTIAL_TEAR_UP: all holders, pro rata, at the mark."""
    state: str
    """RANKING, CLOSING or ENDED."""
    change: str
    """BEGUN, ASKED, DECIDED, TAKEN, REFUSED, AGAIN, CLOSED or LEFT."""
    price_e8: int
    """Price at which it is closed."""
    mark_e8: int
    """Mark that it was decided by."""
    quantity_e8: int
    """Signed position when these holders were asked for."""
    left_e8: int
    """Signed part of it that nobody has taken."""
    round_id: str
    """The round that ranks holders."""
    turn: int
    """Which ranking: 1, 2, 3 ...."""
    attempt: int
    """How often the same was asked again."""
    parts: tuple[DeleveragingPart, ...]
    """Of DECIDED: all, the first rank first; of TAKEN and REFUSED: the one."""
    legs: tuple[ParcelLeg, ...]
    """What the account gives by this; its entries follow at once."""
    detail: str
    """Why, in words."""
    numbers: dict[str, int]
    """What the decision saw, by name with its unit."""
    ids: dict[str, str]
    """Names that the decision saw: the mark with its place on the tape."""


class RoundRequested(Struct, frozen=True, gc=False):
    """This partition needs a round, and asks its home for it until it is settled here."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    command_id: str
    """The command that needs it; empty when clearing itself does."""
    account_id: str
    """Whose need it is."""
    round: RoundTerms
    """The round."""
    attempt: int
    """How often it was asked for before."""


class PortingChanged(Struct, frozen=True, gc=False):
    """Where a client of a clearing member goes when that member defaults, as it stands now."""

    meta: Meta
    """Epoch, sequence, cause, time, ids."""
    command_id: str
    """The command that it answers; empty for the clock."""
    account_id: str
    """The client."""
    member_id: str
    """Its clearing member: the one in default once a window is open."""
    default_id: str
    """The default; empty while the choice is made beforehand."""
    receiver_id: str
    """The member that the client has chosen; empty for none."""
    state: str
    """CHOSEN, REQUESTED, ACCEPTED, REFUSED, PORTED or EXPIRED."""
    change: str
    """What has just happened."""
    actor: str
    """client, receiver, house or clock."""
    reason: str
    """Of EXPIRED: why it is closed out."""
    expires_at_us: int
    """End of the window."""
    attempt: int
    """How often reference data was asked to change the member."""
    numbers: dict[str, int]
    """Equity, needs, money and contracts as the decision saw them."""
    ids: dict[str, str]
    """Names that the decision saw."""
    detail: str
    """In words."""
    requested_by: str
    """Who asked."""


class MarkSource(Struct, frozen=True, gc=False):
    """A venue's book as a mark saw it."""

    venue: str
    """Venue."""
    bid_e8: int
    """Best bid; 0 where there was no live book."""
    ask_e8: int
    """Best ask; 0 where there was no live book."""
    book_sequence: int
    """The book's last update id."""
    observed_at_us: int
    """When that book was last known right."""
    status: str
    """COUNTED, or why not: OUTLIER, STALE, CROSSED, NO_BOOK."""


class MarkPublished(Struct, frozen=True, gc=False):
    """A mark of one instrument."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    instrument_id: str
    """Instrument."""
    price_e8: int
    """Median of the mids of the books that counted, rounded half to even; of one book its mid."""
    bid_e8: int
    """Median of the best bids that counted."""
    ask_e8: int
    """Median of the best asks that counted."""
    venue: str
    """Venue whose book it is; several in order of name, joined by +."""
    book_sequence: int
    """The last update id of the oldest book that counted."""
    observed_at_us: int
    """When the oldest book that counted was last known right."""
    age_us: int
    """How old that was when the mark was decided."""
    sources: tuple[MarkSource, ...] = ()
    """Every venue that lists it, with what its book said; empty where one venue does."""


class MarkWithheld(Struct, frozen=True, gc=False):
    """No mark, since too few books count: what is older goes stale."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    instrument_id: str
    """Instrument."""
    reason: str
    """TOO_FEW_VENUES, or VENUES_DISAGREE where half or more of the fresh books are outliers."""
    venues_least: int
    """Fewest venues that have to count."""
    outlier_rate_e8: int
    """The outlier rule."""
    sources: tuple[MarkSource, ...]
    """Every venue that lists it, with what its book said."""


class FixingDue(Struct, frozen=True, gc=False):
    """A fact about a contract that is to be made from recorded prices."""

    instrument_id: str
    """The contract."""
    kind: ContractFactKind
    """SETTLEMENT_PRICE, FUNDING or EXPIRY."""
    effective_at_us: int
    """When it holds."""
    since_us: int
    """When the one before it held, or since when the contract is followed."""


class FixingsDue(Struct, frozen=True, gc=False):
    """What contracts owe by their schedules: each is answered by the next records."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    looked_at_us: int
    """The time at which pricing looked."""
    followed: tuple[str, ...]
    """Contracts that are followed from here on."""
    due: tuple[FixingDue, ...]
    """What is due, in order."""


class ContractFixed(Struct, frozen=True, gc=False):
    """A settlement price or funding rate with what it was made of; the ledger is told once this stands."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    instrument_id: str
    """The contract."""
    fact: ContractFact
    """The fact, under an id made of contract, kind and time."""


class FixingMissing(Struct, frozen=True, gc=False):
    """Recorded prices give no settlement price or funding rate: an operator has to name it."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    instrument_id: str
    """The contract."""
    kind: ContractFactKind
    """SETTLEMENT_PRICE, FUNDING or EXPIRY."""
    effective_at_us: int
    """When it holds."""
    since_us: int
    """When the one before it held."""
    reason: str
    """Why, and what to do next."""
    numbers: dict[str, int]
    """What it saw, by name with its unit."""


class FactSent(Struct, frozen=True, gc=False):
    """Every partition of the ledger's commands holds the fact."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    instrument_id: str
    """The contract."""
    fact_id: str
    """The fact."""


class OrderTerms(Struct, frozen=True, gc=False):
    """What a client asked for."""

    order_id: str
    """Derived from account and client order id."""
    account_id: str
    """The client's account."""
    client_order_id: str
    """The client's own id."""
    instrument_id: str
    """What to trade."""
    side: Side
    """Buy or sell."""
    order_type: OrderType
    """Limit or market."""
    time_in_force: TimeInForce
    """How long it stays."""
    post_only: bool
    """Reject rather than take liquidity."""
    quantity_e8: int
    """Quantity of the base asset."""
    price_e8: int | None = None
    """Limit price; null for market."""
    position_effect: str = ""
    """OPEN or CLOSE a side of a position in contracts; CLOSE only reduces; empty where it is not said."""


class TransferTerms(Struct, frozen=True, gc=False):
    """A deposit (positive) or withdrawal (negative) of a client."""

    transfer_id: str
    """Derived from account and external reference."""
    account_id: str
    """The client's account."""
    asset: str
    """What moves."""
    amount_e8: int
    """Positive for a deposit, negative for a withdrawal."""
    location: str
    """Mirror account at which it arrives or leaves, for example venue:alpha or bank:settlement."""
    external_reference: str
    """The outside world's id of the movement."""


class SubmitOrder(Struct, frozen=True, gc=False):
    """Submit an order."""

    order: OrderTerms
    """The order."""
    key_id: str
    """API key that sent it."""
    received_at_us: int
    """When the gateway had it."""


class CancelOrder(Struct, frozen=True, gc=False):
    """Cancel one order."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The client's account."""
    order_id: str
    """The order."""
    key_id: str
    """API key that sent it."""
    received_at_us: int
    """When the gateway had it."""


class CancelAllOrders(Struct, frozen=True, gc=False, kw_only=True):
    """Cancel all open orders of an account."""

    command_id: str
    """Id of this command."""
    account_id: str
    """The client's account."""
    key_id: str
    """API key that sent it."""
    received_at_us: int
    """When the gateway had it."""
    instrument_id: str | None = None
    """Only of this instrument; null for all."""


class RequestTransfer(Struct, frozen=True, gc=False):
    """Record a deposit or ask for a withdrawal."""

    transfer: TransferTerms
    """The movement."""
    key_id: str
    """API key that sent it."""
    received_at_us: int
    """When the gateway had it."""


class MarkSeen(Struct, frozen=True, gc=False):
    """The mark that a decision used."""

    price_e8: int
    """Mark price."""
    sequence: int
    """Sequence of the mark on its topic."""
    epoch: int
    """Epoch of the mark on its topic."""
    observed_at_us: int
    """When the venue's book had it."""


class OrderMargin(Struct, frozen=True, gc=False):
    """What an order in a contract needs: cost that it holds, and margin that its worst fills add."""

    unit_cost_e8: int
    """Held for each contract: fee, loss between its limit and the mark, an option's premium when it is bought."""
    adds_e8: int
    """Margin that the worst fills of all open orders need more with this one."""
    required_e8: int
    """Margin that positions and open orders in the same settlement asset needed before it."""
    equity_e8: int
    """What the account had against it: balance and profit not yet paid."""
    reserved_e8: int
    """What its open orders and withdrawals held in that asset."""
    model: str = ""
    """Margin models that said so; empty: the flat schedule, where margin adds to what the order holds. Else adds is all that the order takes of the excess in the worst case."""


class OrderAccepted(Struct, frozen=True, gc=False, kw_only=True):
    """Risk accepted the order and reserved what it can use."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order: OrderTerms
    """The order."""
    limit_price_e8: int
    """Worst price at which it may fill: its limit, or the collar for a market order."""
    reserved_asset: str
    """Asset reserved."""
    reserved_e8: int
    """Most that the order can use, fees included."""
    fee_rate_e8: int
    """Fee rate that the reservation includes."""
    reference_offset: int
    """Offset of the last reference event that was known."""
    send_before_us: int
    """The router must not send it later."""
    mark: MarkSeen | None = None
    """The mark that the collar used."""
    margin: OrderMargin | None = None
    """How the reservation of an order in a contract is made up; null for spot."""


class OrderRejected(Struct, frozen=True, gc=False, kw_only=True):
    """Risk refused the order; nothing is reserved."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order: OrderTerms
    """The order."""
    reason: RejectReason
    """Why."""
    numbers: dict[str, int]
    """The numbers that the refusal saw, by name."""
    reference_offset: int
    """Offset of the last reference event that was known."""
    mark: MarkSeen | None = None
    """The mark that it saw."""


class DecisionRepeated(Struct, frozen=True, gc=False, kw_only=True):
    """A submission came again; the answer is the decision already made."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    accepted: bool
    """What was decided."""
    numbers: dict[str, int]
    """The numbers that a refusal saw."""
    decision_event_id: str
    """The decision."""
    decided_at_us: int
    """When it was decided."""
    differs: tuple[str, ...]
    """Fields in which the repeated submission differs from the decided one."""
    reason: RejectReason | None = None
    """Why it was refused."""


class CancelRequested(Struct, frozen=True, gc=False):
    """These open orders are to be cancelled."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    account_id: str
    """The client's account."""
    order_ids: tuple[str, ...]
    """Open orders, oldest first; empty when none is open."""
    liquidation_id: str = ""
    """Liquidation that closes the account to its own orders from here on; empty for a client's cancel."""
    quiet_for: str = ""
    """Liquidation or default that may go on, since with this no order of the account is open or not cleared any more; empty otherwise."""
    porting_id: str = ""
    """Default of the account's member, from which on its own orders only reduce, until it has another member; empty otherwise."""
    waived: tuple[str, ...] = ()
    """Open orders for whose end the account's default does not wait from here on, by the house's word; empty otherwise."""


class CancelRefused(Struct, frozen=True, gc=False):
    """There is nothing to cancel."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    account_id: str
    """The client's account."""
    order_id: str
    """The order."""
    reason: str
    """ORDER_UNKNOWN or ORDER_CLOSED."""


class AssetChange(Struct, frozen=True, gc=False):
    """A change of one asset."""

    asset: str
    """Asset."""
    amount_e8: int
    """Change; negative is less."""


class ContractHeld(Struct, frozen=True, gc=False):
    """A position in a contract as clearing has it, for margin."""

    instrument_id: str
    """Contract."""
    quantity_e8: int
    """Signed contracts."""
    cost_e8: int
    """Signed cost of what is open, in the settlement asset."""
    unpaid_e8: int
    """Realised profit that variation margin has not paid yet."""
    long_e8: int = 0
    """Contracts of the long side, of an account that keeps both."""
    short_e8: int = 0
    """Contracts of the short side, negative."""
    funding_index_e18: str = ""
    """Funding index up to which it has paid or received; empty where that is not known."""


class CreditUpdated(Struct, frozen=True, gc=False, kw_only=True):
    """Clearing booked an entry; the account's credit follows."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    entry_id: str
    """The entry."""
    changes: tuple[AssetChange, ...]
    """Changes of the account's balances."""
    released_asset: str
    """Asset of the reservation that was used; empty when none."""
    released_e8: int
    """How much of the reservation the entry used up."""
    filled_e8: int
    """Quantity of the order that the entry cleared."""
    order_id: str | None = None
    """The order whose fill it was."""
    reopens_account: bool = False
    """Whether this entry was the account's last parked input: new orders pass again."""
    contract: ContractHeld | None = None
    """The position after an entry about a contract; null for others."""
    quiet_for: str = ""
    """Liquidation or default that may go on, since with this no order of the account is open or not cleared any more; empty otherwise."""


class ReservationReleased(Struct, frozen=True, gc=False):
    """An order ended; what it can no longer use is free."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    order_id: str
    """The order."""
    status: OrderStatus
    """How it ended."""
    asset: str
    """Asset."""
    released_e8: int
    """Freed by this event."""
    remaining_e8: int
    """Held for fills not yet cleared."""
    cumulative_quantity_e8: int
    """Filled in all."""
    quiet_for: str = ""
    """Liquidation or default that may go on, since with this no order of the account is open or not cleared any more; empty otherwise."""


class TransferApproved(Struct, frozen=True, gc=False):
    """A deposit may be booked, or a withdrawal leave: its amount is reserved."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    transfer: TransferTerms
    """The movement."""


class TransferRejected(Struct, frozen=True, gc=False):
    """A transfer was refused."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    transfer: TransferTerms
    """The movement."""
    reason: RejectReason
    """Why."""
    numbers: dict[str, int]
    """The numbers that the refusal saw, by name."""


class AccountHalted(Struct, frozen=True, gc=False):
    """Clearing parked an input of this account: no new order and no withdrawal until the ledger has caught up; cancels pass."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    parked_event_id: str
    """The InputParked of clearing."""


class AccountReopened(Struct, frozen=True, gc=False):
    """Clearing resolved the account's last parked input without an entry: new orders pass again."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""


class LegAssessed(Struct, frozen=True, gc=False):
    """Risk reserved what a leg of a trade with the clearing house needs, or refused it."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The party."""
    leg_id: str
    """The leg."""
    trade_id: str
    """The trade, give-up or allocation."""
    accepted: bool
    """Whether it may be booked."""
    reason: str
    """Why not; empty when accepted."""
    numbers: dict[str, int]
    """The numbers that a refusal saw, by name."""
    instrument_id: str
    """The contract."""
    side: Side
    """The account's side."""
    quantity_e8: int
    """Contracts."""
    price_e8: int
    """Price of the leg."""
    reserved_asset: str
    """Asset that is reserved."""
    reserved_e8: int
    """Reserved for fee, premium and the loss against the mark."""
    fee_rate_e8: int
    """Fee rate that it counts with."""
    reference_offset: int
    """Newest reference event that the decision used."""
    mark: MarkSeen | None = None
    """The mark that the decision used."""
    margin: OrderMargin | None = None
    """How the need is made up; null when refused."""


class LegReleased(Struct, frozen=True, gc=False):
    """A leg will not be booked: what was reserved for it is free."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The party."""
    leg_id: str
    """The leg."""
    asset: str
    """Asset of the reservation."""
    released_e8: int
    """Amount that is free again."""


class RestrictionEnded(Struct, frozen=True, gc=False):
    """The account's liquidation is over, or it has another member after a porting: its own orders pass again."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    account_id: str
    """The client's account."""
    liquidation_id: str
    """The liquidation; empty where a porting is over."""
    porting_id: str = ""
    """Default whose porting is over for the account; empty where a liquidation is."""


class FundingAccrued(Struct, frozen=True, gc=False):
    """A contract's funding index has moved: what positions owe of it counts as profit not yet paid."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    instrument_id: str
    """The contract."""
    funding_index_e18: str
    """The index now, in 1e-18 of the settlement asset per contract."""
    fact_id: str
    """The fact that moved it."""


class BookSeen(Struct, frozen=True, gc=False, kw_only=True):
    """What the router saw of a venue's book when it chose."""

    venue: str
    """Venue."""
    sequence: int
    """The book's last update id."""
    age_us: int
    """Age of the book, in microseconds."""
    fillable_e8: int
    """Quantity fillable within the limit now."""
    best_bid_e8: int | None = None
    """Best bid."""
    best_ask_e8: int | None = None
    """Best ask."""
    cost_e8: int | None = None
    """Fee-inclusive cost (buy) or negative proceeds (sell) per unit of base for what is fillable; null when nothing is."""


class RoutedLeg(Struct, frozen=True, gc=False):
    """One venue order: the intent, on the tape before it is sent."""

    leg: int
    """From 0."""
    venue: str
    """Venue."""
    symbol: str
    """The venue's symbol."""
    venue_client_order_id: str
    """Client order id at the venue, derived from order and leg; carries the partition."""
    quantity_e8: int
    """Quantity."""
    price_e8: int
    """Limit price."""
    send_before_us: int
    """Not to be sent later."""


class OrderRouted(Struct, frozen=True, gc=False):
    """Intent to send an order to a venue."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order: OrderTerms
    """The order."""
    legs: tuple[RoutedLeg, ...]
    """Venue orders."""
    seen: tuple[BookSeen, ...]
    """The books that were compared."""


class OrderNotRouted(Struct, frozen=True, gc=False):
    """No venue can take the order; it ends here."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    reason: str
    """Why, by name."""
    seen: tuple[BookSeen, ...]
    """The books that were compared."""


class OrderAcknowledged(Struct, frozen=True, gc=False):
    """The venue has the order."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    leg: int
    """Which venue leg of the order, from 0."""
    venue: str
    """Venue."""
    venue_order_id: str
    """The venue's id of the order."""
    transacted_at_us: int
    """The venue's time."""


class OrderFilled(Struct, frozen=True, gc=False):
    """A fill with the venue's execution id."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    leg: int
    """Which venue leg of the order, from 0."""
    venue: str
    """Venue."""
    instrument_id: str
    """Instrument."""
    base: str
    """Base asset."""
    quote: str
    """Quote asset."""
    side: Side
    """Side of the order."""
    execution_id: str
    """The venue's id of the fill, made unique by venue and symbol."""
    venue_order_id: str
    """The venue's id of the order."""
    quantity_e8: int
    """Filled now."""
    price_e8: int
    """Price of the fill."""
    quote_amount_e8: int
    """Quote amount as the venue reports it."""
    cumulative_quantity_e8: int
    """Filled in all, over all legs."""
    leaves_quantity_e8: int
    """Still open, over all legs."""
    fee_asset: str
    """Asset of the venue's fee."""
    fee_e8: int
    """The venue's fee; negative is a rebate."""
    liquidity: Liquidity
    """Maker or taker."""
    status: OrderStatus
    """State of the order after it."""
    transacted_at_us: int
    """The venue's time."""
    source: str
    """Where the fill was first seen: reply, stream or query."""
    position_effect: str = ""
    """As its order says."""


class OrderCancelled(Struct, frozen=True, gc=False):
    """The venue order was cancelled."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    leg: int
    """Which venue leg of the order, from 0."""
    venue: str
    """Venue."""
    cumulative_quantity_e8: int
    """Filled in all, over all legs."""
    reason: str
    """Why, by name."""


class OrderExpired(Struct, frozen=True, gc=False):
    """The venue order expired (IOC or FOK remainder, or by the venue)."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    leg: int
    """Which venue leg of the order, from 0."""
    venue: str
    """Venue."""
    cumulative_quantity_e8: int
    """Filled in all, over all legs."""
    reason: str
    """Why, by name."""


class OrderRejectedByVenue(Struct, frozen=True, gc=False):
    """The venue refused the order, or evidence shows that it never had it."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    leg: int
    """Which venue leg of the order, from 0."""
    venue: str
    """Venue."""
    cumulative_quantity_e8: int
    """Filled in all, over all legs."""
    code: str
    """The venue's error code, or the name of the evidence."""
    reason: str
    """The venue's words."""


class OutcomeUnknown(Struct, frozen=True, gc=False):
    """It is not known whether the venue has the order; it keeps its reservation until the venue tells."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    leg: int
    """Which venue leg of the order, from 0."""
    venue: str
    """Venue."""
    reason: str
    """What happened: timeout, connection lost, 5xx."""


class CancelLeg(Struct, frozen=True, gc=False):
    """A cancel to send."""

    order_id: str
    """The order."""
    leg: int
    """Its leg."""
    venue: str
    """Venue."""
    symbol: str
    """The venue's symbol."""
    venue_client_order_id: str
    """Client order id at the venue."""


class CancelRouted(Struct, frozen=True, gc=False):
    """Intent to send cancels."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    account_id: str
    """The client's account."""
    legs: tuple[CancelLeg, ...]
    """Cancels to send."""


class CancelRejectedByVenue(Struct, frozen=True, gc=False):
    """The venue refused a cancel."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    order_id: str
    """The order."""
    account_id: str
    """The client's account."""
    leg: int
    """Which venue leg of the order, from 0."""
    venue: str
    """Venue."""
    code: str
    """The venue's error code."""
    reason: str
    """The venue's words."""


class ParkedRecord(Struct, frozen=True, gc=False, kw_only=True):
    """The bytes of an input that was set aside."""

    service: str
    """Who set it aside."""
    event_id: str
    """The InputParked event."""
    topic: str
    """Where it was."""
    partition: int
    """Its partition."""
    offset: int
    """Its offset."""
    reason: str
    """Name of the error and its message."""
    key: bytes | None = None
    """Its key."""
    value: bytes | None = None
    """Its bytes."""


class Break(Struct, frozen=True, gc=False):
    """A difference between the books and a venue."""

    break_id: str
    """Hash of venue, class and key: the same difference has the same id."""
    break_class: BreakClass
    """What kind."""
    venue: str
    """Venue."""
    key: str
    """Execution id, venue client order id or asset."""
    account_id: str
    """Account concerned; empty where it is not known."""
    ours_e8: int
    """What the books say."""
    theirs_e8: int
    """What the venue says."""
    first_seen_at_us: int
    """When the difference was first seen."""
    owner: str
    """Who must explain it."""
    evidence: str
    """The venue's row and ours, as JSON."""
    evidence_sha256: str
    """SHA-256 of the evidence."""


class BreakClosed(Struct, frozen=True, gc=False):
    """A difference that is gone."""

    break_id: str
    """The break."""
    reason: str
    """Why it is gone."""


class ReconciliationCompleted(Struct, frozen=True, gc=False):
    """One comparison with one venue, from a consistent cut."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    venue: str
    """Venue."""
    fills_matched: int
    """Fills equal on both sides, since the beginning."""
    orders_compared: int
    """Open orders compared."""
    balances_compared: int
    """Assets whose balance was compared."""
    pending: int
    """Differences younger than the grace period."""
    opened: tuple[Break, ...]
    """New breaks."""
    closed: tuple[BreakClosed, ...]
    """Breaks that are gone."""


class Listing(Struct, frozen=True, gc=False):
    """An instrument as one venue trades it."""

    venue: str
    """Venue's name."""
    symbol: str
    """The venue's own symbol."""
    tick_e8: int
    """Price step at the venue."""
    lot_e8: int
    """Quantity step at the venue."""
    min_quantity_e8: int
    """Smallest order at the venue."""
    min_notional_e8: int
    """Smallest price times quantity at the venue."""
    maker_rate_e8: int
    """Venue's fee for adding liquidity, as a rate."""
    taker_rate_e8: int
    """Venue's fee for taking liquidity, as a rate."""


class ContractTerms(Struct, frozen=True, gc=False):
    """What makes an instrument a derivative: fixed once it is set, but for rates."""

    kind: ContractKind
    """Future, perpetual or option."""
    style: SettlementStyle
    """How price becomes money."""
    multiplier_e8: int
    """LINEAR and QUANTO: settlement asset per contract and unit of price; INVERSE: quote asset per contract."""
    settlement_asset: str
    """Asset of margin, profit and fees."""
    index: str
    """Name of the index behind settlement and funding."""
    delivery: Delivery
    """What expiry moves."""
    margin_class: str
    """Name of the margin model's class."""
    initial_rate_e8: int
    """Initial margin as a rate of notional, first tier."""
    maintenance_rate_e8: int
    """Maintenance margin as a rate of notional, first tier."""
    funding_cap_rate_e8: int
    """Largest funding rate of one interval, either sign; 0 for contracts without funding."""
    funding_interval_us: int
    """Microseconds to which a funding rate refers; 0 for contracts without funding."""
    settlement_fee_rate_e8: int
    """House's fee on the notional that expires, delivers or is exercised."""
    liquidation_fee_rate_e8: int
    """Fee on the notional of a liquidation."""
    mark_max_age_us: int
    """Oldest mark or fixing that a settlement takes, in microseconds."""
    signed_price: bool = False
    """Whether a price may be zero or negative."""
    expires_at_us: int | None = None
    """When it expires; null for a perpetual."""
    strike_e8: int | None = None
    """Strike of an option."""
    option_type: OptionType | None = None
    """Call or put."""
    fixing_window_us: int = 0
    """Length of the window before a settlement price or expiry over which prices are averaged, in microseconds; 0 when an operator names every price."""
    fixing_rule: str = "TIME"
    """How its prices are averaged: TIME weighs each by how long it held, SAMPLES takes equal steps."""
    fixing_samples: int = 300
    """Equal steps of the window, for SAMPLES."""
    fixing_coverage_e8: int = 50000000
    """Least part of the window that prices must cover; else the last price counts while it is young enough."""
    settlement_interval_us: int = 0
    """Microseconds between settlements of variation margin; 0 when an operator settles."""
    settlement_offset_us: int = 0
    """When the first settlement of a day (UTC) is, in microseconds after midnight."""
    funding_step_us: int = 0
    """Microseconds between steps of the funding index; 0 when an operator makes each."""
    funding_rule: str = "PREMIUM"
    """How the rate follows from premiums: PREMIUM (their mean), DERIBIT, HYPERLIQUID, DERIVE."""
    funding_interest_rate_e8: int = 0
    """Added to the premium by the rules that have it."""
    funding_damper_rate_e8: int = 0
    """Premiums within this of zero cost nothing, by the rules that have it."""
    exercise: str = "EUROPEAN"
    """Of an option. EUROPEAN: at expiry; AMERICAN: at any time before it too."""
    assignment: str = "PRO_RATA"
    """Of an AMERICAN option, who of those that are short is assigned: PRO_RATA, or LOT by a recorded seed."""


class MarkTerms(Struct, frozen=True, gc=False):
    """How an instrument's mark is made of several venues' books."""

    venues_least: int
    """Fewest venues whose books have to count; with fewer there is no mark."""
    outlier_rate_e8: int
    """A book further from the median than this part of it does not count."""


class Instrument(Struct, frozen=True, gc=False):
    """What can be traded, independent of the venue."""

    instrument_id: str
    """For example BTC-USDT."""
    base: str
    """Asset bought or sold."""
    quote: str
    """Asset paid."""
    tick_e8: int
    """Price step."""
    lot_e8: int
    """Quantity step."""
    min_quantity_e8: int
    """Smallest order."""
    max_quantity_e8: int
    """Largest order."""
    min_notional_e8: int
    """Smallest price times quantity."""
    max_notional_e8: int
    """Largest price times quantity."""
    tradable: bool
    """Whether new orders are taken."""
    listings: tuple[Listing, ...]
    """Where it trades."""
    contract: ContractTerms | None = None
    """Terms of a derivative, quantities being contracts; null for spot."""
    marking: MarkTerms | None = None
    """How its mark is made; null: one venue is enough, and the outlier rule is the usual one."""
    settlement_lag_days: int | None = None
    """Business days from booking to value date of what it pays; null: the settlement asset's."""


class Limits(Struct, frozen=True, gc=False):
    """Pre-trade limits of an account."""

    max_order_notional_e8: int
    """Largest notional of one order, in the quote asset."""
    max_open_orders: int
    """Most orders open at once."""
    max_messages_per_second: int
    """Most commands a second, over a one-second bucket."""
    collar_rate_e8: int
    """Furthest a limit price may be from the mark, as a rate."""
    mark_max_age_us: int
    """Oldest mark that a decision may use, in microseconds."""


class FeeTier(Struct, frozen=True, gc=False):
    """Fee rates from a volume of the last 30 days."""

    asset: str
    """Asset in which the volume is counted: the quote asset of spot, the settlement asset of contracts."""
    volume_e8: int
    """Least notional of the account's trades in the 30 days (UTC) before the day of the trade."""
    maker_rate_e8: int
    """Rate when the fill added liquidity; negative is a rebate."""
    taker_rate_e8: int
    """Rate when the fill took liquidity."""


class Fees(Struct, frozen=True, gc=False):
    """What the house charges on a fill, in the quote asset."""

    maker_rate_e8: int
    """Rate when the fill added liquidity."""
    taker_rate_e8: int
    """Rate when the fill took liquidity."""
    tiers: tuple[FeeTier, ...] = ()
    """Other rates for those who trade much; the highest volume reached counts."""


class ApiKey(Struct, frozen=True, gc=False, kw_only=True):
    """An API key without its secret."""

    key_id: str
    """Public part."""
    secret_sha256: str
    """SHA-256 of the secret, hex."""
    account_id: str
    """The account it may act for; empty for none."""
    scopes: tuple[str, ...]
    """read, trade, admin."""
    requests_per_second: int
    """Rate limit at the gateway."""
    revoked: bool
    """Whether it was revoked."""
    expires_at_us: int | None = None
    """When it ends; null for never."""


class SetInstrument(Struct, frozen=True, gc=False):
    """Define or change an instrument."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    instrument: Instrument
    """The whole definition."""


class OpenAccount(Struct, frozen=True, gc=False):
    """Open a client account."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """Its id."""
    name: str
    """Its name."""


class SetLimits(Struct, frozen=True, gc=False):
    """Set an account's limits."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account; * sets the default."""
    limits: Limits
    """All limits."""


class SetFees(Struct, frozen=True, gc=False):
    """Set an account's fees."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account; * sets the default."""
    fees: Fees
    """All rates."""


class SetTradingState(Struct, frozen=True, gc=False):
    """Move the kill switch."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account; * for everybody."""
    state: TradingState
    """The new state."""
    reason: str
    """Why."""


class CreateApiKey(Struct, frozen=True, gc=False):
    """Create an API key."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    api_key: ApiKey
    """The key without its secret."""


class RevokeApiKey(Struct, frozen=True, gc=False):
    """Revoke an API key for ever."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    key_id: str
    """The key."""


class MarginClass(Struct, frozen=True, gc=False):
    """A margin model with its parameters, which contracts name as their margin class."""

    name: str
    """Its name."""
    model: str
    """Name of the model: truetape.margin.registry."""
    version: int
    """1 for the first, one more with each change."""
    parameters: str
    """JSON object of the model's parameters; {} is those of its publication."""
    rate_e8: int = 0
    """Yearly, continuous interest rate up to any expiry."""
    peg: str = ""
    """Mark that prices the settlement asset in its peg; empty: it is worth what it says."""


class CollateralAsset(Struct, frozen=True, gc=False):
    """An asset that counts as collateral."""

    asset: str
    """The asset."""
    counts_for: str
    """Settlement asset whose margin it backs; nothing else."""
    version: int
    """1 for the first, one more with each change."""
    index: str
    """Mark that prices one unit of it in counts_for."""
    haircut_e8: int
    """Part of its value that does not count."""
    share_max_e8: int
    """Largest part of all collateral, after haircuts, that it can be."""
    limit_e8: int
    """Most that it counts for in one account, in counts_for; 0: no limit."""
    lot_e8: int
    """Step in which it is sold."""
    mark_max_age_us: int
    """A mark older than this is stale, and it counts for nothing."""
    cancels_risk: bool = False
    """Whether portfolio margin shocks it with the positions on it."""


class SettlementCalendar(Struct, frozen=True, gc=False):
    """On which days payments in an asset are made, and how long after booking."""

    asset: str
    """The asset."""
    version: int
    """1 for the first, one more with each change."""
    lag_days: int
    """Business days from booking to value date."""
    weekend: tuple[int, ...]
    """Days of the week without payments, 1 is Monday."""
    holidays: tuple[str, ...]
    """Other days without payments, ISO 8601."""


class SetMarginClass(Struct, frozen=True, gc=False):
    """Define or change a margin class."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    margin_class: MarginClass
    """The whole class, with the version that follows the one known."""


class SetCollateral(Struct, frozen=True, gc=False):
    """Define or change how an asset counts as collateral."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    collateral: CollateralAsset
    """All terms, with the version that follows the one known."""


class CallTerms(Struct, frozen=True, gc=False):
    """How an account is called for margin."""

    notice_us: int
    """From call to deadline, in microseconds."""
    grace_us: int
    """From deadline to default, in microseconds."""
    level_rate_e8: int
    """Where between maintenance need (0) and initial need (1) an account is called, and a liquidation restores."""
    least_e8: int
    """Smallest amount that is called for, in the settlement asset."""


class SetCallTerms(Struct, frozen=True, gc=False):
    """Set how an account, or every other one (*), is called."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Who asked: an API key's id or a name."""
    account_id: str
    """Account; * for every other one."""
    terms: CallTerms
    """The terms."""


class AccountTerms(Struct, frozen=True, gc=False):
    """How an account's positions in contracts are cut."""

    positions: str
    """NETTING: a trade closes the other side first. HEDGING: long and short stand side by side."""
    costs: str
    """AVERAGE: one cost for each side. FIFO: lots, the oldest is closed first."""


class SetAccountTerms(Struct, frozen=True, gc=False):
    """Set how an account's positions are cut; what is open keeps its cut until it is closed."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Who asks: an operator or an API key's id."""
    account_id: str
    """The account."""
    terms: AccountTerms
    """Its terms."""


class SetMember(Struct, frozen=True, gc=False):
    """Say which clearing member an account belongs to."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account."""
    member_id: str
    """The account of its member; its own for a member."""
    from_member_id: str = ""
    """The member that it leaves: refused when it has another one; empty: whichever it has."""


class SetMemberLimit(Struct, frozen=True, gc=False):
    """Say how much of its clients' risk a clearing member may take over."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The member."""
    asset: str
    """Settlement asset."""
    initial_max_e8: int
    """Most initial need that all its clients together may have when it takes one over; 0: it takes nobody."""


class SetMemberDefaulted(Struct, frozen=True, gc=False):
    """Say that an account is in default: it takes no clients from here on. Clearing says so."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account in default."""
    default_id: str
    """Its default."""


class SetSettlementCalendar(Struct, frozen=True, gc=False):
    """Define or change an asset's settlement calendar."""

    command_id: str
    """Id of this command."""
    requested_by: str
    """Key id or operator."""
    calendar: SettlementCalendar
    """All of it, with the version that follows the one known."""


class InstrumentSet(Struct, frozen=True, gc=False):
    """An instrument is defined or changed."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    instrument: Instrument
    """The whole definition."""


class AccountOpened(Struct, frozen=True, gc=False):
    """A client account is open."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """Its id."""
    name: str
    """Its name."""


class LimitsSet(Struct, frozen=True, gc=False):
    """An account's limits are set."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account; * is the default."""
    limits: Limits
    """All limits."""


class FeesSet(Struct, frozen=True, gc=False):
    """An account's fees are set."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account; * is the default."""
    fees: Fees
    """All rates."""


class TradingStateSet(Struct, frozen=True, gc=False):
    """The kill switch moved."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account; * for everybody."""
    state: TradingState
    """The new state."""
    reason: str
    """Why."""


class ApiKeyCreated(Struct, frozen=True, gc=False):
    """An API key exists."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    api_key: ApiKey
    """The key without its secret."""


class ApiKeyRevoked(Struct, frozen=True, gc=False):
    """An API key is revoked for ever."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    key_id: str
    """The key."""


class ReferenceRejected(Struct, frozen=True, gc=False):
    """A reference command was refused."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    reason: str
    """Why, for a person."""


class MarginClassSet(Struct, frozen=True, gc=False):
    """A margin class is defined or changed."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    margin_class: MarginClass
    """The whole class."""


class CollateralSet(Struct, frozen=True, gc=False):
    """An asset counts as collateral, or in another way."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    collateral: CollateralAsset
    """All terms."""


class CallTermsSet(Struct, frozen=True, gc=False):
    """How an account, or every other one (*), is called."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Who asked."""
    account_id: str
    """Account; * for every other one."""
    terms: CallTerms
    """The terms."""


class AccountTermsSet(Struct, frozen=True, gc=False):
    """How an account's positions are cut from here on."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command."""
    requested_by: str
    """Who asked."""
    account_id: str
    """The account."""
    terms: AccountTerms
    """Its terms."""


class MemberSet(Struct, frozen=True, gc=False):
    """An account belongs to a clearing member."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The account."""
    member_id: str
    """The account of its member; its own for a member."""
    from_member_id: str = ""
    """The member that it had before."""


class MemberLimitSet(Struct, frozen=True, gc=False):
    """A clearing member may take over clients up to here."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    account_id: str
    """The member."""
    asset: str
    """Settlement asset."""
    initial_max_e8: int
    """Most initial need that all its clients together may have when it takes one over; 0: it takes nobody."""


class MemberDefaulted(Struct, frozen=True, gc=False):
    """An account is in default: it takes no clients any more."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Who said so."""
    account_id: str
    """The account in default."""
    default_id: str
    """Its default."""


class SettlementCalendarSet(Struct, frozen=True, gc=False):
    """An asset's settlement calendar was defined or changed."""

    meta: Meta
    """Where this record stands on its partition, and why it exists."""
    command_id: str
    """The command it answers."""
    requested_by: str
    """Key id or operator."""
    calendar: SettlementCalendar
    """All of it."""


class Snapshot(Struct, frozen=True, gc=False):
    """Part of a service's state at one place of its own topic: a cache, never the truth."""

    service: str
    """Whose state."""
    partition: int
    """Partition of the own topic."""
    epoch: int
    """Epoch of the last record in it."""
    sequence: int
    """Sequence of the last record in it."""
    offset: int
    """Offset of the last record in it."""
    state_version: str
    """Fingerprint of the state's type."""
    digest: str
    """SHA-256 of the whole state."""
    index: int
    """Which part, from 0."""
    count: int
    """Parts in all."""
    positions: dict[str, int]
    """Next offset of each input, by topic."""
    state: bytes
    """This part of the state."""


ROOTS: tuple[type[Struct], ...] = (
    Began,
    InputParked,
    CheckpointSigned,
    ReleaseParked,
    DismissParked,
    TakeContractFact,
    ApplyContractFact,
    BookTrade,
    CorrectEntry,
    TellTrade,
    EndTrade,
    EndBilateral,
    ConfirmLeg,
    AskLeg,
    AnswerLeg,
    TellLeg,
    ReleaseLeg,
    MoveLeg,
    EndMove,
    AgreeMoves,
    CompressLegs,
    StartCompression,
    AnswerCompression,
    NetPayments,
    ReviewMargin,
    ActOnCall,
    CloseOut,
    OpenRound,
    AskRound,
    TellRound,
    SettleRound,
    ConfirmRound,
    RunRound,
    MoveFund,
    DeclareDefault,
    WaiveOrders,
    TakeParcel,
    TellParcel,
    BookLeg,
    StartAuction,
    BidAuction,
    EndAuction,
    ActOnPorting,
    EntryBooked,
    ParkedDismissed,
    ReleaseRefused,
    ContractFactTaken,
    ClearingRefused,
    TradeChanged,
    LegConfirmed,
    LegsAskedAgain,
    LegChanged,
    LegAnswered,
    MoveChanged,
    MovesAgreed,
    LegsCompressed,
    BilateralChanged,
    CompressionChanged,
    PaymentsNetted,
    MarginRun,
    MarginReviewed,
    MarginCallChanged,
    LiquidationChanged,
    LiquidationEnded,
    SidesClosedOut,
    RoundOpened,
    RoundAnswered,
    RoundGathered,
    RoundDecided,
    RoundSettling,
    RoundSettled,
    RoundConfirmed,
    RoundAskedAgain,
    RoundRepeated,
    DefaultChanged,
    ParcelAnswered,
    ParcelsAskedAgain,
    AuctionChanged,
    DeleveragingChanged,
    RoundRequested,
    PortingChanged,
    MarkPublished,
    MarkWithheld,
    FixingsDue,
    ContractFixed,
    FixingMissing,
    FactSent,
    SubmitOrder,
    CancelOrder,
    CancelAllOrders,
    RequestTransfer,
    OrderAccepted,
    OrderRejected,
    DecisionRepeated,
    CancelRequested,
    CancelRefused,
    CreditUpdated,
    ReservationReleased,
    TransferApproved,
    TransferRejected,
    AccountHalted,
    AccountReopened,
    LegAssessed,
    LegReleased,
    RestrictionEnded,
    FundingAccrued,
    OrderRouted,
    OrderNotRouted,
    OrderAcknowledged,
    OrderFilled,
    OrderCancelled,
    OrderExpired,
    OrderRejectedByVenue,
    OutcomeUnknown,
    CancelRouted,
    CancelRejectedByVenue,
    ParkedRecord,
    ReconciliationCompleted,
    SetInstrument,
    OpenAccount,
    SetLimits,
    SetFees,
    SetTradingState,
    CreateApiKey,
    RevokeApiKey,
    SetMarginClass,
    SetCollateral,
    SetCallTerms,
    SetAccountTerms,
    SetMember,
    SetMemberLimit,
    SetMemberDefaulted,
    SetSettlementCalendar,
    InstrumentSet,
    AccountOpened,
    LimitsSet,
    FeesSet,
    TradingStateSet,
    ApiKeyCreated,
    ApiKeyRevoked,
    ReferenceRejected,
    MarginClassSet,
    CollateralSet,
    CallTermsSet,
    AccountTermsSet,
    MemberSet,
    MemberLimitSet,
    MemberDefaulted,
    SettlementCalendarSet,
    Snapshot,
)
"""Every record that travels on a topic."""
