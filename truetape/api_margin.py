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


class Auction(Struct, frozen=True):
    """An auction as its newest record says, and the bid that this is about."""

    auction_id: str
    account_id: str
    """The account that is sold."""
    asset: str
    state: str
    """RUNNING, OFFERED (a bid is being decided) or ENDED."""
    change: str
    """BEGUN, CONVERTED, FUNDED, OFFERED, TAKEN, REFUSED, or the reason of the end: docs/clearing-house.md."""
    kind: str
    """solvent: takers pay. insolvent: takers are paid."""
    forced: bool
    begun_at: Time
    """When its price began to fall."""
    reserved: Decimal
    """What takers have paid; it is not for sale."""
    left: Decimal
    """Part of the original portfolio that is still there, rounded down."""
    insurance: Decimal
    """The most that the insurance fund still pays."""
    bidder_id: str
    """Of the newest bid; empty without one."""
    paid: Decimal
    received: Decimal
    """By the bidder, from the insurance fund."""
    contracts: dict[str, Decimal]
    """What the bidder gets or was to get, signed, by instrument."""
    detail: str
    changed_at: Time
    begun_by: str = ""
    """house, or clock after a liquidation."""
    insurance_wanted: Decimal = "0"
    """What all parts of the insurance fund are asked for besides, until they have answered."""


class Auctions(Struct, frozen=True):
    """Auctions, newest first."""

    auctions: list[Auction]
    next_cursor: str | None


class MarginCalls(Struct, frozen=True):
    """Calls, newest first."""

    calls: list[MarginCall]
    next_cursor: str | None


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
    alarm: bool = False
    """Whether it waits for an answer that has not come for so long that somebody has to look: `detail` says at what."""


class Liquidations(Struct, frozen=True):
    """Liquidations, newest first."""

    liquidations: list[Liquidation]
    next_cursor: str | None


class Deleveraging(Struct, frozen=True):
    """A position that nobody buys, closed against holders of the other side, as its newest record says."""

    deleveraging_id: str
    account_id: str
    """The account whose position is closed."""
    liquidation_id: str
    asset: str
    instrument_id: str
    method: str
    """DELEVERAGING: holders in profit, by rank, at the bankruptcy price. PARTIAL_TEAR_UP: all, pro rata, at marks."""
    state: str
    """RANKING, CLOSING or ENDED."""
    change: str
    """BEGUN, ASKED, DECIDED, TAKEN, REFUSED, AGAIN, CLOSED or LEFT."""
    price: Decimal
    """At which it is closed."""
    mark: Decimal
    quantity: Decimal
    """Signed position when these holders were asked for."""
    left: Decimal
    """Signed part of it that nobody has taken."""
    detail: str
    changed_at: Time


class Deleveragings(Struct, frozen=True):
    """Deleveragings, the one that changed last first."""

    deleveragings: list[Deleveraging]
    next_cursor: str | None


class DeleveragingPart(Struct, frozen=True):
    """One holder's part."""

    account_id: str
    rank: int
    """1 for whoever was asked first."""
    quantity: Decimal
    """Signed change of his position: toward zero."""
    paid: Decimal
    """Signed: what these contracts are worth to him at the price."""
    state: str
    """ASKED, TAKEN or REFUSED."""
    turn: int
    """Which ranking: 1, 2, 3 ...."""


class OwnPart(Struct, frozen=True):
    """What an account that holds the other side was asked to close; whose position that was is not said."""

    deleveraging_id: str
    instrument_id: str
    asset: str
    method: str
    """DELEVERAGING or PARTIAL_TEAR_UP."""
    price: Decimal
    """At which it is closed."""
    rank: int
    """1 for whoever was asked first."""
    quantity: Decimal
    """Signed change of the account's position: toward zero."""
    paid: Decimal
    """Signed: what these contracts are worth to it at the price."""
    state: str
    """ASKED, TAKEN or REFUSED: nothing is closed."""
    changed_at: Time


class OwnParts(Struct, frozen=True):
    """Parts of the account in deleveragings of others, the newest first."""

    parts: list[OwnPart]


class DeleveragingHistory(Struct, frozen=True):
    """A deleveraging and every holder's part."""

    deleveraging: Deleveraging
    parts: list[DeleveragingPart]
