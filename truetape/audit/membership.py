"""What reference data has ever said of clearing members: few records, so all are kept."""

from typing import Any

from truetape.messages import MemberLimitSet, MemberSet


class Membership:
    """Who was given to whom, and up to which limits."""

    def __init__(self) -> None:
        self.given: set[tuple[str, str]] = set()
        """(account, member)."""
        self.limits: set[tuple[str, str, int]] = set()
        """(member, asset, most initial need)."""

    def take(self, event: Any) -> None:
        """One accepted record of the reference data."""
        if isinstance(event, MemberSet):
            self.given.add((event.account_id, event.member_id))
        elif isinstance(event, MemberLimitSet):
            self.limits.add((event.account_id, event.asset, event.initial_max_e8))
