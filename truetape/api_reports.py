"""The gateway's answers that are reports: statements, open interest. Decimals and times as in truetape/api.py."""

from typing import Any

from msgspec import Struct

from truetape.api import Decimal, Time
from truetape.api_trades import PaymentInstruction


class StatementTotal(Struct, frozen=True):
    """One asset over the day: opening + entries = closing."""

    asset: str
    opening: Decimal
    entries: Decimal
    closing: Decimal


class StatementLine(Struct, frozen=True):
    """One line of the account, with the balance of its asset after it."""

    booked_at: Time
    transacted_at: Time
    entry_id: str
    kind: str
    purpose: str
    asset: str
    amount: Decimal
    balance: Decimal
    reference: str
    """The fill, transfer, order or corrected entry that it belongs to; empty when none."""
    rule: str


class StatementSides(Struct, frozen=True):
    """How a position in a contract is cut at the end of the day, by the account's own terms."""

    instrument_id: str
    positions: str
    """NETTING or HEDGING."""
    costs: str
    """AVERAGE or FIFO."""
    long: Decimal
    short: Decimal
    """Negative."""


class Sides(Struct, frozen=True):
    """Sides of contracts."""

    sides: list[StatementSides]


class Statement(Struct, frozen=True):
    """An account's day: every line that was booked in it (UTC)."""

    account_id: str
    day: str
    totals: list[StatementTotal]
    lines: list[StatementLine]
    sides: list[StatementSides] = []
    """Of contracts that are open under terms of the account's own."""
    instructions: list[PaymentInstruction] = []
    """What the day was netted into for settlement, once it is over and was netted; empty before."""


class Holder(Struct, frozen=True):
    """One account's part of an instrument."""

    account_id: str
    quantity: Decimal
    """Signed."""
    share: Decimal
    """Of all that is open on its side; 1 is everything."""


class Interest(Struct, frozen=True):
    """What is open of an instrument, and how it is spread. Shares and index are of the larger side."""

    instrument_id: str
    open_interest: Decimal
    longs: str
    """Accounts that are long."""
    shorts: str
    long: Decimal
    short: Decimal
    net: Decimal
    """What venues and the house hold against the clients."""
    largest_account: str
    largest_share: Decimal
    five_largest_share: Decimal
    concentration_index: Decimal
    """Herfindahl-Hirschman: the sum of squared shares; 1 when one account holds all."""
    holders: list[Holder]


class Interests(Struct, frozen=True):
    """Open interest of every instrument."""

    instruments: list[Interest]


class Fact(Struct, frozen=True):
    """A settlement price, funding step or end of a contract, or one that is missing."""

    fact_id: str
    instrument_id: str
    kind: str
    state: str
    """TAKEN by the ledger, or MISSING: recorded prices did not give it, and an operator has to name it."""
    effective_at: Time
    price: str
    """Decimal; empty when it is missing."""
    rate: str
    """Of FUNDING: per funding interval, decimal; else empty."""
    elapsed_seconds: str
    funding_index: str
    """Of FUNDING: what one contract has paid since its listing, decimal; else empty."""
    source: str
    """WINDOW: the mean of the window. LAST: the last price before. Empty: an operator's, or funding."""
    requested_by: str
    partitions: int
    """Of the ledger, that have taken it."""
    accounts: int
    """That it concerned."""
    numbers: dict[str, int]
    """Its evidence, by name with its unit."""
    ids: dict[str, str]
    reason: str
    """Why it is missing; else empty."""


class Facts(Struct, frozen=True):
    """Facts of a contract, newest first."""

    facts: list[Fact]
    next_cursor: str | None


class FactPublished(Struct, frozen=True):
    """What the partitions of the ledger did with a fact."""

    fact_id: str
    effective_at: Time
    taken: int
    """Partitions that took it now; those that had it already are not counted."""
    accounts: int
    """That it concerned in those."""
    funding_index: str
    """After it; decimal, empty when nobody took it now."""


class Corrected(Struct, frozen=True):
    """The entry that takes another one back."""

    entry_id: str
    corrects: str
    account_id: str
    event_id: str
    booked_at: Time


class ClosedOut(Struct, frozen=True):
    """Long contracts were closed against short ones."""

    command_id: str
    instrument_id: str
    quantity: Decimal
    realised: Decimal
    """Profit by the account's own cut of its position."""
    long: Decimal
    short: Decimal
    event_id: str


class MarginPosition(Struct, frozen=True):
    """A position's part of the initial need; negative: it relieves the others."""

    instrument_id: str
    contribution: Decimal
    funding: Decimal = "0"
    """Funding that has accrued and is not booked yet: negative is owed. The next entry of the position books it."""


class MarginCollateral(Struct, frozen=True):
    """What another asset counts for, and what was taken off."""

    asset: str
    value: Decimal
    haircut: Decimal
    concentration: Decimal
    counted: Decimal


class MarginMark(Struct, frozen=True):
    """A mark that the needs were computed from."""

    instrument_id: str
    price: Decimal
    observed_at: Time
    stale: bool
    """Older than it may be: the model has added its contingency."""


class MarginScenario(Struct, frozen=True):
    """Profit of the positions in a scenario of their model."""

    name: str
    profit: Decimal


class MarginAsset(Struct, frozen=True):
    """All contracts of the account that settle in one asset."""

    settlement_asset: str
    balance: Decimal
    gains: Decimal
    """What positions gained or lost and was not paid, funding up to now with it: as risk and clearing count."""
    collateral_counted: Decimal
    equity: Decimal
    """Balance, gains and collateral."""
    initial_need: Decimal
    maintenance_need: Decimal
    initial_excess: Decimal
    """Below zero: no new risk."""
    maintenance_excess: Decimal
    """Below zero: the account is called."""
    worst: str
    """The scenario or position that decides the initial need."""
    models: list[str]
    positions: list[MarginPosition]
    collateral: list[MarginCollateral]
    marks: list[MarginMark]
    scenarios: list[MarginScenario]
    funding: Decimal = "0"
    """Of the gains, funding that has accrued and is not booked yet."""


class Margin(Struct, frozen=True):
    """An account's margin now."""

    account_id: str
    at: Time
    assets: list[MarginAsset]


class MarginClassShown(Struct, frozen=True):
    """A margin class in force."""

    name: str
    model: str
    version: int
    rate: Decimal
    peg: str
    parameters: dict[str, Any]


class MarginClasses(Struct, frozen=True):
    """All margin classes."""

    margin_classes: list[MarginClassShown]


class CollateralShown(Struct, frozen=True):
    """How an asset counts as collateral."""

    asset: str
    counts_for: str
    version: int
    index: str
    haircut: Decimal
    share_max: Decimal
    limit: Decimal
    lot: Decimal
    mark_max_age_ms: int
    cancels_risk: bool


class CollateralAssets(Struct, frozen=True):
    """All that counts as collateral."""

    collateral: list[CollateralShown]


class SettlementCalendarShown(Struct, frozen=True):
    """On which days an asset is paid, and how long after booking."""

    asset: str
    version: int
    lag_days: int
    weekend: list[int]
    holidays: list[str]


class SettlementCalendars(Struct, frozen=True):
    """All settlement calendars."""

    calendars: list[SettlementCalendarShown]
