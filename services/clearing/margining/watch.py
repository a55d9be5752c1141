"""What clearing watches of accounts that are short of margin: doubts about marks, calls, liquidations, and the
decisions that are due."""

from typing import Final, Literal

from msgspec import Struct, field

from truetape.default.calls import Call
from truetape.messages import OrderTerms, ReviewMargin
from truetape.recent import Recent

Action = Literal[
    "DOUBT", "TRUST", "CALL", "RECOVER", "DEADLINE", "GRACE", "PAY", "LIQUIDATE", "STEP", "ASK", "FEE",
    "DEFAULT", "PORT",
]  # fmt: skip
"""What a listed account is listed for. DOUBT and TRUST are said by the run itself; each other is decided next."""
Outcome = Literal["RESTORED", "COVERED", "UNSOLD", "UNSELLABLE", "BANKRUPT", "LOSS"]
"""How a liquidation ends. RESTORED: margin is there. COVERED: all is sold, and the insurance fund has paid the loss.
The others are for auction and default. UNSOLD: no venue took an order down to the bankruptcy price. UNSELLABLE: nothing
of what is left can be sold, or would help. BANKRUPT: equity and the whole insurance fund are below zero while positions
are open. LOSS: all is sold, and the fund cannot pay what is missing."""
GOOD: Final = ("RESTORED", "COVERED")
ENDED_KEPT: Final = 4_096
"""Calls that have ended, and commands that were answered, whose ids are remembered."""


class Ids(Struct, array_like=True):
    """The ids that came last."""

    ids: dict[str, None] = {}
    recent: Recent = field(default_factory=Recent)

    def add(self, name: str) -> None:
        """Remember an id, and forget the oldest for it."""
        self.ids[name] = None
        if (forgotten := self.recent.add(name, ENDED_KEPT)) is not None:
            del self.ids[forgotten]


class Due(Struct, frozen=True):
    """A decision that comes before any other input, under the id of its cause."""

    name: str
    review: ReviewMargin


class Liquidation(Struct):
    """A liquidation that runs: one order at a time."""

    liquidation_id: str
    account_id: str
    asset: str
    state: str
    """CANCELLING: risk closes the account and cancels its orders. SELLING: an order is out. WAITING: the next run."""
    at_us: int
    """When it was asked last."""
    asked: int = 0
    """How often the same was asked again, as its newest record says."""
    step: int = 0
    attempt: int = 0
    """Orders in a row that were open and sold nothing: each is offered further from the mark."""
    refused: int = 0
    """Orders in a row that risk refused for a reason that stays."""
    put_off: int = 0
    """Orders in a row that risk refused for a reason that passes by itself."""
    put_off_since_us: int = 0
    """When it refused the first of these; 0 for none."""
    order: OrderTerms | None = None
    ordered_at_us: int = 0
    bankruptcy_price_e8: int = 0
    fills: list[tuple[int, int]] = []
    """Quantity and price of what the order sold and no fee was taken for yet."""
    sold_e8: int = 0
    """What the order sold."""
    fees_e8: int = 0
    covered_e8: int = 0
    auctioned: bool = False
    """Whether what an earlier one could not sell was auctioned, and that is over: what is left now is deleveraged."""
    deleveraged: list[str] = []
    """How and what was deleveraged: METHOD/instrument."""


class HandedOver(Struct, frozen=True):
    """What a liquidation could not restore: for auction and default."""

    liquidation_id: str
    asset: str
    outcome: str
    at_us: int
    shortfall_e8: int


class Watch(Struct):
    """What is watched in one partition."""

    doubts: dict[str, str] = {}
    """Accounts that could not be margined, with the reason that was told."""
    due: list[Due] = []
    calls: dict[str, Call] = {}
    """Calls that have not ended well, by id; those in DEFAULT stay."""
    ended: Ids = field(default_factory=Ids)
    """Calls that ended, and commands about calls that were answered."""
    quiet_until_us: dict[str, int] = {}
    """By account and asset: a dispute was upheld, and until then nothing is called."""
    liquidations: dict[str, Liquidation] = {}
    """By account."""
    handed_over: dict[str, HandedOver] = {}
    """By account."""
    owing: dict[str, dict[str, None]] = {}
    """By account, settlement assets of which it has less than nothing."""


def ask(
    watch: Watch, run_id: str, account_id: str, asset: str, action: Action, reason: str, amount_e8: int = 0
) -> None:
    """Make a decision due."""
    review = ReviewMargin(account_id, asset, action, run_id, reason, amount_e8)
    watch.due.append(Due(f"margin/{run_id}/{account_id}/{asset}/{action}", review))


def place(account_id: str, asset: str) -> str:
    """The key of an account's margin in one settlement asset."""
    return f"{account_id}/{asset}"
