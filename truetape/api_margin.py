"""The gateway's answers about margin calls and liquidations. Decimals and times as in truetape/api.py."""

from msgspec import Struct

from truetape.api import Decimal, Time


class MarginCall(Struct, frozen=True):
    """A margin call as it is now."""

    call_id: str
    account_id: str
    asset: str
    state: str
    """CALLED, ACKNOWLEDGED, DISPUTED, MISSED, MET, WITHDRAWN or DEFAULT: docs/clearing-house.md."""
    amount: Decimal
    """What was called for."""
    paid: Decimal
    """Booked against it so far."""
    called_at: Time
    due_at: Time
    grace_seconds: int
    """From the deadline to the default."""
    reason: str
    actor: str
    """Who acted last: member, house, ledger or clock."""
    detail: str
    """In the actor's words."""
    changed_at: Time


class MarginCalls(Struct, frozen=True):
    """Calls, newest first."""

    calls: list[MarginCall]


class Liquidation(Struct, frozen=True):
    """A liquidation as it is now."""

    liquidation_id: str
    account_id: str
    asset: str
    state: str
    """CANCELLING, SELLING, WAITING or ENDED."""
    outcome: str
    """How it ended; empty while it runs."""
    steps: int
    """Orders sent."""
    fees: Decimal
    """Liquidation fees; zero while it runs."""
    covered: Decimal
    """Loss that the insurance fund has paid."""
    shortfall: Decimal
    """What is missing to zero; for auction and default."""
    detail: str
    changed_at: Time


class Liquidations(Struct, frozen=True):
    """Liquidations, newest first."""

    liquidations: list[Liquidation]
