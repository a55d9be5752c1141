"""The gateway's answers about clearing members, porting and the insurance fund. Decimals and times as in api.py."""

from msgspec import Struct

from truetape.api import Decimal, Time


class Member(Struct, frozen=True):
    """A clearing member: an account that answers for others beside its own."""

    member_id: str
    clients: list[str]
    limits: dict[str, Decimal]
    """By settlement asset, most initial need of its clients when it takes some over; none: it takes nobody."""
    default_id: str = ""
    """Its default: it takes no clients any more; empty for none."""


class Members(Struct, frozen=True):
    """Members that have clients or limits; every other account is a member of its own."""

    members: list[Member]


class Porting(Struct, frozen=True):
    """Where a client goes when its member defaults, as its newest record says."""

    account_id: str
    """The client."""
    member_id: str
    """Its clearing member: the one in default, once a window is open."""
    receiver_id: str
    """The member that it has chosen; empty for none."""
    state: str
    """CHOSEN (beforehand), REQUESTED, ACCEPTED, REFUSED, MOVING, PORTED or EXPIRED: docs/clearing-house.md."""
    reason: str
    """Of EXPIRED: why it is closed out."""
    expires_at: Time | None
    """End of the window."""
    default_id: str
    actor: str
    """Who did this last: client, receiver, house, clock or ledger."""
    detail: str
    requested_by: str
    changed_at: Time


class Portings(Struct, frozen=True):
    """Clients, the one that changed last first."""

    portings: list[Porting]
    next_cursor: str | None


class WindowEnded(Struct, frozen=True):
    """A window is over: a round decides about all its clients."""

    account_id: str
    """The member in default."""
    round_id: str
    event_id: str
    asked_at: Time


class InsurancePart(Struct, frozen=True):
    """What one partition keeps of the insurance fund."""

    asset: str
    partition: int
    amount: Decimal


class Insurance(Struct, frozen=True):
    """The insurance fund: one fund, kept in parts."""

    totals: dict[str, Decimal]
    """By asset."""
    parts: list[InsurancePart]
