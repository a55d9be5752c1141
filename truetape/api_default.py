"""The gateway's answers about defaults, the clearing fund, rounds and the drill. Decimals and times as in api.py."""

from msgspec import Struct

from truetape.api import Decimal, Time


class DefaultStep(Struct, frozen=True):
    """What one layer of the waterfall has borne of a loss, less what came back."""

    layer: str
    payer_id: str
    amount: Decimal


class Default(Struct, frozen=True):
    """The default of an account as its newest record says."""

    default_id: str
    account_id: str
    asset: str
    """Settlement asset in which it cannot pay."""
    state: str
    """DECLARED, LOSS_FIXED, COVERED, UNCOVERED, RECOVERING or ENDED: docs/clearing-house.md."""
    margin: Decimal
    """Cash of the defaulter when it was declared."""
    loss: Decimal
    """What closing cost in all; zero until it is fixed."""
    uncovered: Decimal
    """What no layer could bear."""
    recovered: Decimal
    """What came in afterwards."""
    steps: list[DefaultStep]
    round_id: str
    """The round that is out; empty without one."""
    requested_by: str
    detail: str
    changed_at: Time
    waived: list[str] = []
    """Orders for whose end it does not wait, by the house's word."""
    waived_by: str = ""
    """Who waived them last."""


class Defaults(Struct, frozen=True):
    """Defaults, the one that changed last first."""

    defaults: list[Default]
    next_cursor: str | None


class DefaultRecord(Struct, frozen=True):
    """One record of a default: how it stood from then on."""

    at: Time
    state: str
    loss: Decimal
    uncovered: Decimal
    recovered: Decimal
    round_id: str
    detail: str
    event_id: str
    waived: list[str] = []
    waived_by: str = ""


class DefaultHistory(Struct, frozen=True):
    """A default as it is now, and every record of it, oldest first."""

    default: Default
    records: list[DefaultRecord]


class FundShare(Struct, frozen=True):
    """A member's part of the clearing fund, or the house's capital."""

    account_id: str
    """The member; `house:capital` is the house's."""
    asset: str
    share: Decimal
    owed: Decimal
    """Of assessments, not paid yet."""


class Unborne(Struct, frozen=True):
    """What nobody has borne yet of all losses in an asset."""

    asset: str
    amount: Decimal


class FundShares(Struct, frozen=True):
    """The whole clearing fund."""

    shares: list[FundShare]
    unborne: list[Unborne]
    """Minus the balance of `house:default` over all partitions; empty when every loss is borne."""


class FundMovement(Struct, frozen=True):
    """A line that moved a member's share, what it owes, or what it was cut by."""

    booked_at: Time
    entry_id: str
    account: str
    """Of the ledger: `fund:` its share, `assessment:` what it owes (negative), `client:` its own cash."""
    purpose: str
    """fund_contribution, fund_replenishment, mutual_fund, assessment, haircut and so on."""
    asset: str
    amount: Decimal
    """Signed, as booked: negative left the account."""


class MemberFund(Struct, frozen=True):
    """A member's share of the clearing fund, and what it has paid and got back, newest first."""

    account_id: str
    shares: list[FundShare]
    movements: list[FundMovement]
    next_cursor: str | None


class FundMoved(Struct, frozen=True):
    """What was paid into a fund, or is asked for out of it."""

    state: str
    """BOOKED; or ASKED: a round pays all of it or nothing, and GET /v1/admin/rounds says why."""
    entry_id: str
    """Empty while it is asked for."""
    round_id: str
    """The round that decides what goes out."""
    account_id: str
    asset: str
    amount: Decimal
    """Negative: paid out."""
    purpose: str
    event_id: str
    booked_at: Time


class Round(Struct, frozen=True):
    """A round: every partition is asked, then all book what its home has decided."""

    round_id: str
    home_id: str
    kind: str
    """WATERFALL, HAIRCUT, RECOVERY ...: docs/clearing-house.md."""
    asset: str
    phase: str
    """WAITING for its turn, GATHERING answers, DECIDED and being booked, or BOOKED."""
    waiting: list[int]
    """Partitions that have not answered, or not confirmed."""
    opened_at: Time
    changed_at: Time
    detail: str
    """Why nothing is booked; else empty."""


class Rounds(Struct, frozen=True):
    """Rounds, newest first."""

    rounds: list[Round]


class FundMember(Struct, frozen=True):
    """What a member would have to bring."""

    member: str
    initial_margin: Decimal
    beyond_margin: Decimal
    """Its loss beyond margin in the scenario that decides; zero for all but the two that decide."""
    share: Decimal


class FundSize(Struct, frozen=True):
    """How large the clearing fund must be, and whose it is."""

    size: Decimal
    scenario: str
    """That decides it."""
    members: list[FundMember]


class DrillStep(Struct, frozen=True):
    """What one payer bears in one layer of one member's default."""

    default: str
    """1 is the first default, 2 the second."""
    member: str
    layer: str
    payer: str
    amount: Decimal


class DrillDefault(Struct, frozen=True):
    """One member's default in the drill."""

    member: str
    loss: Decimal
    uncovered: Decimal
    borne_by_layer: dict[str, Decimal]


class DrillCovered(Struct, frozen=True):
    """A member whose loss beyond its margin decides the fund's size."""

    member: str
    beyond_margin: Decimal


class DrillFund(Struct, frozen=True):
    """The clearing fund that the drill sizes and shares."""

    size: Decimal
    covered: list[DrillCovered]
    shares: dict[str, Decimal]


class Drill(Struct, frozen=True):
    """What would happen if the members that a stress hits hardest defaulted now. Nothing is written."""

    asset: str
    scenario: str
    fund: DrillFund
    initial_margins: dict[str, Decimal]
    defaults: list[DrillDefault]
    steps: list[DrillStep]
    left_by_layer: dict[str, Decimal]
