"""What clients send about defaults, the clearing fund and lists of what stands: bodies and queries of
services/gateway/defaults.py, funds.py, calls.py and auctions.py.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from services.gateway.requests import END, ID_PATTERN, LOCATION_PATTERN, AccountId, Asset, Cursor, Limit, Text
from truetape.api import Decimal

Form = Annotated[Literal["json", "csv"], Meta(description="csv answers with text/csv")]
PlaceCursor = Annotated[
    str, Meta(pattern=r"^[0-9]{1,16}\.[0-9]{1,4}\.[0-9]{1,18}" + END, description="next_cursor of the page before")
]
Outside = Annotated[str, Meta(pattern=LOCATION_PATTERN, examples=["bank:main"])]
OrderId = Annotated[str, Meta(pattern=ID_PATTERN, description="An order, as its answer names it")]
Shocks = Annotated[
    str, Meta(max_length=200, description="Moves of all marks, separated by commas", examples=["-0.2,0.2"])
]


class ListQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page, and in which form."""

    limit: Limit = 100
    cursor: PlaceCursor | UnsetType = UNSET
    form: Form = "json"


class FundQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which page of movements, and in which form."""

    limit: Limit = 100
    cursor: Cursor | UnsetType = UNSET
    form: Form = "json"


class SizeQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What the size of the clearing fund is reckoned from."""

    asset: Asset = "USDT"
    """Settlement asset of the contracts."""
    shock: Shocks | UnsetType = UNSET
    """10, 20 and 30 % both ways when absent."""
    floor: Decimal = "0"
    """Least share of a member."""
    form: Form = "json"


class DrillQuery(SizeQuery, frozen=True, forbid_unknown_fields=True):
    """What a drill assumes."""

    member: Annotated[str, Meta(max_length=200, description="Who defaults, separated by commas")] | UnsetType = UNSET
    """The two that lose most beyond their margin when absent."""
    capital: Decimal | UnsetType = UNSET
    """The house's own capital; what it has earned in fees when absent."""
    assessment: Decimal = "1"
    """The most that a member is asked for on top, per its share."""


class DefaultRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An account that cannot pay."""

    account_id: AccountId
    asset: Asset
    """Settlement asset that it owes."""
    reason: Text


class WaiverRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Orders for whose end a default does not wait any more."""

    account_id: AccountId
    order_ids: Annotated[list[OrderId], Meta(min_length=1, max_length=200)]
    """Open orders of the account: UNKNOWN, or at a venue that does not answer."""
    reason: Text


class FundPaymentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money that comes in: a share, the payment of an assessment, or the house's capital."""

    asset: Asset
    amount: Decimal
    location: Outside
    """Account of the firm outside that it comes from."""
    reason: Text
    purpose: Literal["FUND", "ASSESSMENT", "CAPITAL"] = "FUND"
    account_id: AccountId | UnsetType = UNSET
    """The member; absent for CAPITAL."""


class FundWithdrawalRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A share, or the house's capital, that goes out."""

    asset: Asset
    amount: Decimal
    location: Outside
    """Account of the firm outside that it goes to."""
    reason: Text
    purpose: Literal["FUND", "CAPITAL"] = "FUND"
    account_id: AccountId | UnsetType = UNSET
    """The member; absent for CAPITAL."""


class RoundsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rounds, and in which form."""

    open: Annotated[bool, Meta(description="Only those that are not booked everywhere")] = True
    limit: Limit = 500
    form: Form = "json"
