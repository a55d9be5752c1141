"""Clearing's state: the books of one partition, what is parked, and the facts that are being applied."""

from typing import Final

from msgspec import Struct, field

from services.clearing.across.pursuit import Brief, Pursuit
from services.clearing.across.remainderbook import Remainders
from services.clearing.across.roundbook import Request, Rounds
from services.clearing.booking.contracts import START, Held
from services.clearing.booking.ledger import Balances
from services.clearing.booking.netting import Payments
from services.clearing.booking.parked import Parked, Resolved
from services.clearing.booking.volume import Volumes
from services.clearing.closeout.deleverbook import Deleveragings
from services.clearing.defaults.portbook import Portings
from services.clearing.margining.watch import Watch
from services.clearing.otc.affirmation import Trade
from services.clearing.otc.bilateralbook import Claims, Runs, Uncleared
from truetape.cuts import Cut
from truetape.messages import (
    ApplyContractFact,
    AuctionChanged,
    DefaultChanged,
    LegChanged,
    MoveChanged,
    Parcel,
    ParcelAnswered,
    ParcelLeg,
    Position,
)
from truetape.recent import Recent

FILLS_KEPT: Final = 4_096
"""Fills per account whose ids are remembered. The tape answers every input once and the router books every execution
id once; this is the second line of defence, and a fill that it catches means that one of them is broken."""
GAPS_KEPT: Final = 64
"""Gaps of a contract's funding that are remembered, newest ones."""
FACTS_KEPT: Final = 4_096
"""Facts of contracts whose ids are remembered."""
TRADES_KEPT: Final = 4_096
"""Trades of two that have ended whose ids are remembered."""
LEGS_KEPT: Final = 4_096
"""Legs that were refused, declined or let go whose answer is remembered."""
ROUNDS_KEPT: Final = 4_096
"""Rounds whose ids are remembered after their end."""
INSURED_KEPT: Final = 4_096
"""Losses for which all parts of the insurance fund were asked, whose ids are remembered."""
PARCELS_KEPT: Final = 1_024
"""Parcels whose answer is remembered."""
AUCTIONS_KEPT: Final = 4_096
"""Bids and auctions that have ended whose ids are remembered."""
RUNS_KEPT: Final = 1_024
"""Runs of compression whose ids are remembered after their end."""
TRANSFERS_KEPT: Final = 4_096
"""Transfers per account whose ids are remembered."""


class Booked(Struct, array_like=True):
    """Ids of the entries booked last."""

    ids: dict[str, None] = {}
    recent: Recent = field(default_factory=Recent)

    def add(self, entry_id: str, kept: int) -> None:
        """Remember an id, and forget the oldest for it."""
        self.ids[entry_id] = None
        if (forgotten := self.recent.add(entry_id, kept)) is not None:
            del self.ids[forgotten]


class Account(Struct):
    """What clearing knows of a client beside its balances."""

    positions: dict[str, Position] = {}
    contracts: dict[str, Held] = {}
    """What is kept of positions in contracts beside the positions themselves."""
    fills: Booked = field(default_factory=Booked)
    transfers: Booked = field(default_factory=Booked)
    volumes: Volumes = {}
    """What it traded of late, for its fee tier."""
    cuts: dict[str, Cut] = {}
    """Long and short sides of its positions, by contract, where its terms ask for them."""


class Listed(Struct):
    """What this partition knows of a contract: how far facts have taken it."""

    funding_index_e18: str = START
    funded_at_us: int = 0
    """When the newest funding step holds."""
    gaps: list[tuple[int, int]] = []
    """Times between funding steps that no step covers: one that comes late may still fill them."""
    settled_at_us: int = 0
    """When the newest settlement price holds."""
    ended: ApplyContractFact | None = None
    """The fact that ended it, without an account: what still comes of it is ended by the same fact."""


class Pending(Struct):
    """A fact that is being applied: one entry per account, before anything else of the partition."""

    apply: ApplyContractFact
    """Without an account."""
    accounts: list[str]
    """In order; an empty name is the house."""
    done: int = 0
    late: str = ""
    """The entry that came after the fact had been applied, and made it apply once more."""
    then: list["Pending"] = []
    """What follows: the end of a contract into which a late trade was moved."""


class Captured(Pursuit, kw_only=True):
    """A trade of two at its home: open, or with legs that are asked for, booked or let go."""

    trade: Trade

    @property
    def brief(self) -> Brief:
        """What commands about its legs say."""
        terms, trade = self.trade.terms, self.trade
        return Brief(trade.trade_id, "NOVATION", terms.reference, trade.expires_at_us, trade.acted_at_us)


class Move(Pursuit, kw_only=True):
    """A give-up or allocation at its home, the partition of the account that gives."""

    event: MoveChanged
    """The newest decision about it."""

    @property
    def brief(self) -> Brief:
        """What commands about its legs say."""
        one = self.event
        at_us = one.meta.decided_at_us
        return Brief(one.move_id, one.kind, one.reference, one.expires_at_us, at_us, one.account_id)


class OpenLeg(Struct, frozen=True):
    """A trade of an account with the clearing house that nothing has ended."""

    leg_id: str
    trade_id: str
    """The trade, give-up, allocation or compression that it comes from."""
    instrument_id: str
    quantity_e8: int
    """Signed: positive where the account has bought."""
    cost_e8: int
    """Signed: positive where the account has paid."""
    price_e8: int


class Ended(Struct):
    """What ended last: the newest records by id."""

    events: dict[str, LegChanged] = {}
    recent: Recent = field(default_factory=Recent)

    def add(self, name: str, event: LegChanged, kept: int) -> None:
        """Remember one, and forget the oldest for it."""
        if name not in self.events and (forgotten := self.recent.add(name, kept)) is not None:
            del self.events[forgotten]
        self.events[name] = event


class Legs(Struct):
    """Legs of the partition's accounts."""

    asked: dict[str, LegChanged] = {}
    """Offered, in risk's hands or reserved: the newest record of each, by leg id."""
    ended: Ended = field(default_factory=Ended)
    """Refused, declined and let go."""
    open: dict[str, dict[str, OpenLeg]] = {}
    """Booked and not ended, by account and leg id."""
    agreed: dict[str, dict[str, None]] = {}
    """By receiving account, from whom it takes what he gives up or allocates without being asked."""


class Booking(Struct):
    """A parcel whose entries are being booked, before anything else of the partition."""

    parcel_id: str
    account_id: str
    home_id: str
    kind: str
    legs: tuple[ParcelLeg, ...]
    decided_at_us: int
    done: int = 0


class Asked(Struct):
    """A parcel at its home, that no partition has answered."""

    parcel: Parcel
    subject_id: str
    """The auction or deleveraging that it is of."""


class Pursued(Struct):
    """When the parcels of an auction or deleveraging were asked for last, and how often."""

    asked_at_us: int
    attempts: int = 0


class Parcels(Struct):
    """Parcels of this partition: being booked, asked for, answered."""

    booking: Booking | None = None
    asked: dict[str, Asked] = {}
    """By parcel id, at the home."""
    pursued: dict[str, Pursued] = {}
    """By auction or deleveraging."""
    answered: dict[str, ParcelAnswered] = {}
    """By parcel id, in the partition of who gets it: asked again, it answers again."""
    recent: Recent = field(default_factory=Recent)


class State(Struct):
    """The books of one partition."""

    balances: Balances = {}
    """By ledger account and asset."""
    accounts: dict[str, Account] = {}
    """By account id."""
    halted: dict[str, list[Parked]] = {}
    """Parked inputs by account, oldest first. An account that has some is halted: its later inputs park behind them.
    Risk takes no new order of it, so what its open orders may still fill bounds how many there are."""
    resolved: Resolved = field(default_factory=Resolved)
    contracts: dict[str, Listed] = {}
    """By instrument."""
    facts: Booked = field(default_factory=Booked)
    """Facts taken, and commands answered by an entry."""
    pending: Pending | None = None
    trades: dict[str, Captured] = {}
    """Trades of two whose home this partition is, by trade id."""
    traded: Booked = field(default_factory=Booked)
    """Trades that have ended."""
    legs: Legs = field(default_factory=Legs)
    moves: dict[str, Move] = {}
    """Give-ups and allocations whose home this partition is, by move id."""
    payments: dict[str, Payments] = {}
    """What accounts and the house owe each other, by account."""
    parcels: Parcels = field(default_factory=Parcels)
    auctions: dict[str, AuctionChanged] = {}
    """Auctions that go on, by auction id: the newest record of each says how it stands."""
    auctioned: Booked = field(default_factory=Booked)
    """Bids that were decided, and auctions that have ended."""
    entries: int = 0
    """Entries booked."""
    watch: Watch = field(default_factory=Watch)
    """Margin: doubts, calls, liquidations, and the decisions that are due."""
    rounds: Rounds = field(default_factory=Rounds)
    rounds_settled: Booked = field(default_factory=Booked)
    """Rounds whose legs this partition has booked."""
    rounds_ended: Booked = field(default_factory=Booked)
    """Rounds of homes here that are booked everywhere."""
    remainders: Remainders = field(default_factory=Remainders)
    """What rounds that end contracts have left with the house, and which rounds follow them."""
    requests: dict[str, Request] = {}
    """Rounds that this partition needs, by round id."""
    insured: Booked = field(default_factory=Booked)
    """Liquidations and auctions for which all parts of the insurance fund were asked."""
    portings: Portings = field(default_factory=Portings)
    """Windows of members in default, and where clients go."""
    defaults: dict[str, DefaultChanged] = {}
    """Defaults by account: the newest record of each says how it stands; one that has ended too, until the next."""
    borne: dict[str, dict[str, DefaultChanged]] = {}
    """By account and id, earlier defaults whose loss is borne and has not come back yet."""
    outcomes: dict[str, dict[str, int]] = {}
    """What rounds of defaults have come to, by round id, until the default says so."""
    assessed: dict[str, list[tuple[int, int]]] = {}
    """By ledger account and asset, when a member was assessed for how much, within the period."""
    deleveragings: Deleveragings = field(default_factory=Deleveragings)
    seized: dict[str, int] = {}
    """By account, what the collateral of one whose default is declared has brought."""
    uncleared: Uncleared = field(default_factory=Uncleared)
    """Bilateral trades."""
    compressions: Runs = field(default_factory=Runs)
    """Runs of compression whose home this partition is."""
    claims: dict[str, Claims] = {}
    """By run of compression, what its participants of this partition get and owe."""


UNKNOWN: Final = Account()
"""What decide sees of an account without history. Never changed."""
UNLISTED: Final = Listed()
"""What decide sees of a contract without a fact. Never changed."""
