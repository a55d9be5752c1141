"""Clearing members, porting and the insurance fund in the Python client."""

from collections.abc import Iterator
from typing import Any

from truetape.api import Changed
from truetape.api_default import FundMoved
from truetape.api_members import Insurance, Member, Porting, WindowEnded
from truetape.connection import Connection

LISTED: int = 500
"""Rows that one request of a list asks for."""


class MembersClient(Connection):
    """Whose client an account is, where it goes when its member defaults, and the insurance fund."""

    def members(self) -> list[Member]:
        """Clearing members with their clients and limits (scope admin)."""
        return self._list("/v1/admin/members", "members", Member)

    def set_member(self, account_id: str, member_id: str) -> Changed:
        """Say which member answers for an account; its own id: it is a member (scope admin)."""
        return self._command("/v1/admin/members", Changed, {"account_id": account_id, "member_id": member_id})

    def set_member_limit(self, account_id: str, asset: str, initial_max: str) -> Changed:
        """Set how much initial need a member's clients may have when it takes some over (scope admin)."""
        body = {"account_id": account_id, "asset": asset, "initial_max": initial_max}
        return self._command("/v1/admin/members/limits", Changed, body)

    def portings(self) -> Iterator[Porting]:
        """The account's own porting, and the clients that want to go to it."""
        return self._pages("/v1/portings", "portings", Porting, {}, LISTED)

    def all_portings(self) -> Iterator[Porting]:
        """Where the clients of all members go (scope admin)."""
        return self._pages("/v1/admin/portings", "portings", Porting, {}, LISTED)

    def choose_member(self, receiver_id: str = "", reason: str = "") -> Porting:
        """Say where the account goes when its member defaults; empty takes the choice back."""
        body: dict[str, Any] = {"reason": reason} | ({"receiver_id": receiver_id} if receiver_id else {})
        return self._command("/v1/portings/choose", Porting, body)

    def answer_porting(self, account_id: str, accepted: bool, reason: str = "") -> Porting:
        """Take a client over that has chosen this account, or refuse."""
        body = {"account_id": account_id, "accepted": accepted, "reason": reason}
        return self._command("/v1/portings/answer", Porting, body)

    def end_window(self, account_id: str, reason: str) -> WindowEnded:
        """End the window of a member in default before its time (scope admin)."""
        return self._command("/v1/admin/portings/end", WindowEnded, {"account_id": account_id, "reason": reason})

    def insurance(self) -> Insurance:
        """The insurance fund and its parts (scope admin)."""
        return self._ask("GET", "/v1/admin/insurance", Insurance)

    def pay_insurance(self, asset: str, amount: str, location: str, reason: str) -> FundMoved:
        """Pay into the insurance fund (scope admin)."""
        body = {"asset": asset, "amount": amount, "location": location, "reason": reason}
        return self._command("/v1/admin/insurance/payments", FundMoved, body)

    def withdraw_insurance(self, asset: str, amount: str, location: str, reason: str) -> FundMoved:
        """Ask for money of the insurance fund (scope admin): a round pays all of it, or nothing and says why."""
        body = {"asset": asset, "amount": amount, "location": location, "reason": reason}
        return self._command("/v1/admin/insurance/withdrawals", FundMoved, body)
