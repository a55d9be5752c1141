"""What clients send about auctions: bodies of services/gateway/auctions.py."""

from msgspec import UNSET, Struct, UnsetType

from services.gateway.requests import AccountId, Asset, Text
from truetape.api import Decimal


class BidRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A bid for a part of what is auctioned."""

    account_id: AccountId
    """The account that is sold, as the auction names it."""
    wanted: Decimal
    """Part of what is still there: above 0, and 1 is all of it."""
    price_max: Decimal | UnsetType = UNSET
    """The most that all of it may cost; negative: what it must pay. Without it the price of the moment holds."""


class AuctionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the house sells."""

    account_id: AccountId
    asset: Asset
    """Settlement asset of the contracts that are sold."""
    reason: Text
    forced: bool = False
    """Sell all of it whatever the margin."""
    insurance: Decimal = "0"
    """The most that the insurance fund pays to takers."""


class EndAuctionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Why an auction is stopped."""

    account_id: AccountId
    reason: Text
