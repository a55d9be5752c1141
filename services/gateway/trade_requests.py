"""Bodies and queries about trades of two, legs and payments; see requests.py."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from services.gateway.requests import (
    END,
    REFERENCE_PATTERN,
    AccountId,
    InstrumentId,
    Limit,
    ReportQuery,
    Text,
)
from truetape.api import Decimal
from truetape.messages import Side

TradeAction = Literal["WITHDRAW", "REJECT", "TERMINATE"]
TradeReference = Annotated[
    str, Meta(pattern=REFERENCE_PATTERN, description="Identifier (UTI) that both sides know", examples=["UTI-2026-1"])
]
LegId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}" + END, examples=["0f4fa9f0a1b2c3d4e5f60718293a4b5c"])]


class TradeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The account's side of a trade with another account."""

    reference: TradeReference
    counterparty_id: AccountId
    side: Side
    """The account's own."""
    instrument_id: InstrumentId
    quantity: Decimal
    price: Decimal
    traded_on: Annotated[str, Meta(max_length=10, description="Day of the trade", examples=["2026-11-26"])]
    clearing: Literal["HOUSE", "BILATERAL"] = "HOUSE"
    """BILATERAL: the trade stays between the two. Both sides have to say the same."""


class EndTradeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A trade that is taken back, or that does not exist."""

    reference: TradeReference
    counterparty_id: AccountId
    action: TradeAction
    """WITHDRAW what the account told first, REJECT what the other side told; TERMINATE a bilateral trade before its
    time, which it does when both sides have said so."""
    reason: Text


class GiveUpRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An open leg of the account that goes to another one, whole."""

    leg_id: LegId
    to_account_id: AccountId
    reference: TradeReference


class ShareRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What one account gets of a leg."""

    account_id: AccountId
    quantity: Decimal


class AllocationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An open leg of the account that is cut among several; the account may keep a share."""

    leg_id: LegId
    shares: Annotated[tuple[ShareRequest, ...], Meta(min_length=1, max_length=100)]
    """Together the whole leg."""
    reference: TradeReference


class EndMoveRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A give-up or allocation that the account takes back before it is decided."""

    move_id: LegId
    reason: Text


class LegAnswerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A leg that the account is offered."""

    leg_id: LegId
    accepted: bool
    reason: Annotated[str, Meta(max_length=500)] = ""
    """Why not."""


class AgreementRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to take whatever one account gives up or allocates, without being asked."""

    from_account_id: AccountId
    agreed: bool


class CompressionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The contract whose open legs become one."""

    account_id: AccountId
    instrument_id: InstrumentId


class CompressionRunRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The contract whose bilateral trades could become fewer."""

    instrument_id: InstrumentId
    participants: Annotated[tuple[AccountId, ...], Meta(max_length=500)] = ()
    """Only trades between these accounts; empty for all."""
    answer_within_seconds: Annotated[int, Meta(ge=60, le=604_800)] = 86_400
    """How long participants have to accept."""


class CompressionAnswerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A participant's word about a proposed compression."""

    run_id: LegId
    accepted: bool
    reason: Annotated[str, Meta(max_length=500)] = ""
    """Why not."""


class NettingRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An account's day that is over."""

    account_id: AccountId
    value_date: Annotated[str, Meta(max_length=10, examples=["2026-11-26"])]


class TradesQuery(ReportQuery, frozen=True, forbid_unknown_fields=True):
    """Which trades, newest first."""

    state: Annotated[str, Meta(max_length=120, description="One or more states, comma-separated")] | UnsetType = UNSET
    limit: Limit = 100


class LegsQuery(TradesQuery, frozen=True, forbid_unknown_fields=True):
    """Which legs, newest first."""
