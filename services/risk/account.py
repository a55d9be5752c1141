"""What risk remembers of an account. Nothing depends on the order of dict keys, which snapshots sort."""

from typing import Any, Final

from msgspec import Struct, field

from truetape.margin.account import Held
from truetape.messages import OrderTerms, RejectReason
from truetape.recent import Recent

CLOSED_ORDERS_KEPT: Final = 10_000
"""Rejected orders, and accepted ones that ended and are cleared, whose decision is repeated when asked again. The one
that closed first is forgotten first; an order that is open or not cleared is never forgotten."""
TRANSFERS_KEPT: Final = 10_000
"""Approved transfers that are not approved again."""
REFUSED_KEPT: Final = 1_000
"""Refused withdrawals that stay refused."""
SECOND_US: Final = 1_000_000

TERMS: Final = (
    "instrument_id", "side", "order_type", "time_in_force", "post_only", "quantity_e8", "price_e8",
)  # fmt: skip
"""Fields in which two submissions of one order id can differ."""


class Decision(Struct, frozen=True, array_like=True, gc=False):
    """What was decided about an order, and about which terms: enough to answer the same submission again."""

    terms: tuple[str, str, str, str, bool, int, int | None]
    """In the order of TERMS."""
    event_id: str
    decided_at_us: int
    reason: RejectReason | None = None
    """None when it was accepted."""
    numbers: dict[str, int] | None = None
    position_effect: str = ""


class Reservation(Struct, array_like=True, gc=False):
    """What an accepted order holds until it has ended and its fills are cleared."""

    number: int
    """Orders of the account are numbered as they are accepted."""
    instrument_id: str
    asset: str
    buys: bool
    limit_price_e8: int
    fee_rate_e8: int
    quantity_e8: int
    """What it may fill: ordered, or filled in all once it has ended."""
    reserved_e8: int
    cleared_e8: int = 0
    ended: bool = False
    contract: bool = False
    unit_cost_e8: int = 0
    """Of an order in a contract: what it holds for each; its margin is counted with the position's."""
    leg: bool = False
    """Whether it is no order's, but that of a trade with the clearing house."""
    closes: bool = False
    """Whether it is an order's that only closes the other side (position effect CLOSE)."""
    waived: bool = False
    """Whether the default of its account does not wait for its end (waivers.py)."""


class Withdrawal(Struct, array_like=True, gc=False):
    """An approved withdrawal that clearing has not booked yet."""

    asset: str
    reserved_e8: int


class Account(Struct):
    """An account's credit and memory."""

    balances: dict[str, int] = {}
    """By asset, as clearing booked them."""
    contracts: dict[str, Held] = {}
    """Positions in contracts by instrument, as the last entry left them, but for those without quantity and unpaid
    profit; what funding they owe since then, `holdings.owing` says."""
    funded: dict[str, str] = {}
    """The funding index up to which a position has paid, in 1e-18, by instrument."""
    sides: dict[str, tuple[int, int]] = {}
    """Contracts long and short (negative) by instrument, of an account that keeps both side by side."""
    reserved: dict[str, int] = {}
    """By asset: the sum over reservations and withdrawals."""
    reservations: dict[str, Reservation] = {}
    """By order id."""
    withdrawals: dict[str, Withdrawal] = {}
    """By transfer id."""
    orders: dict[str, Decision] = {}
    """By order id."""
    closed: Recent = field(default_factory=Recent)
    transfers: dict[str, None] = {}
    transfers_known: Recent = field(default_factory=Recent)
    open_orders: int = 0
    """Accepted and not ended."""
    accepted: int = 0
    """Orders ever accepted."""
    second_began_us: int = 0
    messages: int = 0
    """Commands decided since second_began_us."""
    halted_by: str = ""
    """The InputParked by which clearing halted its ledger; empty while clearing keeps up."""
    liquidation_id: str = ""
    """The liquidation that closes it to its own orders; empty for none."""
    porting_id: str = ""
    """The default of its member because of which its own orders only reduce; empty for none."""
    refused: dict[str, RejectReason] = {}
    """Why a withdrawal was refused, by transfer id."""
    refused_known: Recent = field(default_factory=Recent)


class State(Struct):
    """Every account of one partition, by id."""

    accounts: dict[str, Account] = {}
    funding: dict[str, str] = {}
    """Newest funding index by contract, in 1e-18 of the settlement asset per contract."""

    def account(self, account_id: str) -> Account:
        """The account, new when it was not known: for evolve alone."""
        account = self.accounts.get(account_id)
        if account is None:
            account = self.accounts[account_id] = Account()
        return account


NOBODY: Final = Account()
"""What decide sees of an account without history. Never changed."""


def terms_of(order: OrderTerms) -> tuple[str, str, str, str, bool, int, int | None]:
    """The order's terms in the order of TERMS."""
    return (
        order.instrument_id, order.side, order.order_type, order.time_in_force, order.post_only, order.quantity_e8,
        order.price_e8,
    )  # fmt: skip


def differences(decision: Decision, order: OrderTerms) -> tuple[str, ...]:
    """Names of the fields in which a repeated submission differs from the decided one."""
    pairs: Any = zip(TERMS, decision.terms, terms_of(order), strict=True)
    found = tuple(name for name, decided, repeated in pairs if decided != repeated)
    return found if decision.position_effect == order.position_effect else (*found, "position_effect")


def messages_in_second(account: Account, at_us: int) -> int:
    """Commands decided in the second that at_us falls into.

    A second begins with the first command after the last one ended. A clock that went back stays in it: nobody gains
    messages, and nobody waits longer than a second of the new clock.
    """
    return account.messages if at_us < account.second_began_us + SECOND_US else 0


def count_message(account: Account, at_us: int) -> None:
    """A command was decided at at_us."""
    account.messages = messages_in_second(account, at_us) + 1
    if account.messages == 1 or at_us < account.second_began_us:
        account.second_began_us = at_us


def remember(account: Account, order_id: str, decision: Decision) -> None:
    """Keep what was decided about an order."""
    account.orders[order_id] = decision


def close(account: Account, order_id: str) -> None:
    """An order is rejected, or has ended and is cleared: it may be forgotten when its turn comes."""
    if (forgotten := account.closed.add(order_id, CLOSED_ORDERS_KEPT)) is not None:
        del account.orders[forgotten]


def remember_transfer(account: Account, transfer_id: str) -> None:
    """An approved transfer is not approved again."""
    account.transfers[transfer_id] = None
    if (forgotten := account.transfers_known.add(transfer_id, TRANSFERS_KEPT)) is not None:
        del account.transfers[forgotten]


def remember_refused(account: Account, transfer_id: str, reason: RejectReason) -> None:
    """A withdrawal that was refused once is refused for good."""
    if transfer_id in account.refused:
        return
    account.refused[transfer_id] = reason
    if (forgotten := account.refused_known.add(transfer_id, REFUSED_KEPT)) is not None:
        del account.refused[forgotten]
