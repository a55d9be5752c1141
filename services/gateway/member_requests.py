"""What clients send about clearing members, porting and the insurance fund: bodies of services/gateway/members.py,
portings.py and insurance.py.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from services.gateway.default_requests import Outside
from services.gateway.requests import AccountId, Asset, Text
from truetape.api import Decimal

Remark = Annotated[str, Meta(max_length=500)]


class MemberRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Which clearing member an account belongs to."""

    account_id: AccountId
    member_id: AccountId
    """Its own id: it is a member."""
    from_member_id: AccountId | UnsetType = UNSET
    """Refused when it belongs to another one by now."""


class MemberLimitRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of its clients' risk a member may have when it takes some over."""

    account_id: AccountId
    asset: Asset
    initial_max: Decimal
    """Initial need of all its clients; 0: it takes nobody over."""


class ChoiceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the account goes when its member defaults."""

    receiver_id: AccountId | UnsetType = UNSET
    """The member; absent takes the choice back."""
    reason: Remark = ""


class PortingAnswerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the member takes a client that has chosen it."""

    account_id: AccountId
    """The client."""
    accepted: bool
    reason: Remark = ""


class EndWindowRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A porting window that is over before its time."""

    account_id: AccountId
    """The member in default."""
    reason: Text


class InsuranceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money that comes into the insurance fund, or goes out of it."""

    asset: Asset
    amount: Decimal
    location: Outside
    """Account of the firm outside."""
    reason: Text
