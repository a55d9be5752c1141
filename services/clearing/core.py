"""Clearing's pure core: one entry per fill and per approved transfer, and the fold of all entries."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct, field

from services.clearing import ledger, positions
from services.clearing.ledger import AccountHalted, Balances, EntryRepeated
from truetape.codec import Message
from truetape.messages import EntryBooked, InputParked, OrderFilled, Position, TransferApproved
from truetape.recent import Recent
from truetape.service import Input, Service
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

FILLS_KEPT: Final = 4_096
"""Fills per account whose ids are remembered. The tape answers every input once and the router books every execution
id once; this is the second line of defence, and a fill that it catches means that one of them is broken."""
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
    fills: Booked = field(default_factory=Booked)
    transfers: Booked = field(default_factory=Booked)


class State(Struct):
    """The books of one partition."""

    balances: Balances = {}
    """By ledger account and asset."""
    accounts: dict[str, Account] = {}
    """By account id."""
    halted: dict[str, str] = {}
    """Accounts whose inputs park, with the event that halted them."""
    entries: int = 0
    """Entries booked."""


_UNKNOWN: Final = Account()


def accounts(state: State) -> dict[str, Any]:
    """The books cut by account: clients with balances, positions and whether they are halted, then the others."""
    found: dict[str, Any] = {
        account_id: {
            "balances": state.balances.get(ledger.client(account_id), {}),
            "positions": account.positions,
            "halted_by": state.halted.get(account_id),
        }
        for account_id, account in state.accounts.items()
    }
    others = {name: assets for name, assets in state.balances.items() if not name.startswith("client:")}
    return found | {name: {"balances": assets} for name, assets in others.items()}


def decide(state: State, given: Input) -> Message | None:
    """The entry that books an input; None when there is nothing to book.

    Raises AccountHalted, EntryRepeated, QuoteContradicted or MoneyError: the input is parked and the account halts.
    """
    rule = _RULES.get(type(given.message))
    return rule(state, given, given.message) if rule is not None else None


def _fill(state: State, given: Input, fill: OrderFilled) -> EntryBooked:
    account = _open(state, fill.account_id)
    if fill.execution_id in account.fills.ids:
        raise EntryRepeated(f"fill {fill.execution_id} is booked already; find out who wrote it twice")
    assert fill.quantity_e8 > 0 and fill.price_e8 > 0, "a fill has a quantity and a price"
    fees = given.tables.reference.fees_of(fill.account_id)
    quote_e8 = ledger.client_quote_e8(fill)
    lines = ledger.trade_lines(fill, quote_e8, ledger.house_fee_e8(quote_e8, fees, fill.liquidity))
    ledger.assert_balanced(lines)
    ledger.assert_fitting(state.balances, lines)
    before = account.positions.get(fill.instrument_id) or positions.flat(fill.instrument_id)
    after = positions.trade(before, lines[0].amount_e8, -lines[1].amount_e8)
    return EntryBooked(
        meta=given.meta(fill.order_id),
        entry_id=fill.execution_id,
        account_id=fill.account_id,
        kind="TRADE",
        rule=ledger.trade_rule(fill.liquidity, fees),
        lines=lines,
        realised_e8=after.realised_e8 - before.realised_e8,
        filled_e8=fill.quantity_e8,
        transacted_at_us=fill.transacted_at_us,
        order_id=fill.order_id,
        execution_id=fill.execution_id,
        position=after,
    )


def _transfer(state: State, given: Input, approved: TransferApproved) -> EntryBooked:
    terms = approved.transfer
    account = _open(state, terms.account_id)
    if terms.transfer_id in account.transfers.ids:
        raise EntryRepeated(f"transfer {terms.transfer_id} is booked already; find out who approved it twice")
    lines = ledger.transfer_lines(terms)
    ledger.assert_balanced(lines)
    ledger.assert_fitting(state.balances, lines)
    return EntryBooked(
        meta=given.meta(terms.transfer_id),
        entry_id=terms.transfer_id,
        account_id=terms.account_id,
        kind="DEPOSIT" if terms.amount_e8 > 0 else "WITHDRAWAL",
        rule="transfer",
        lines=lines,
        realised_e8=0,
        filled_e8=0,
        transacted_at_us=approved.meta.decided_at_us,
        external_reference=terms.external_reference,
    )


def _open(state: State, account_id: str) -> Account:
    """The account as it is, empty when it is new."""
    if account_id in state.halted:
        raise AccountHalted(
            f"account {account_id} is halted by {state.halted[account_id]}, and what comes later waits behind it; "
            "docs/ledger.md says how to resolve a parked input"
        )
    return state.accounts.get(account_id, _UNKNOWN)


_RULES: Final[dict[type, Callable[[State, Input, Any], EntryBooked]]] = {
    OrderFilled: _fill,
    TransferApproved: _transfer,
}


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses, but asserts that what the tape says sums to zero."""
    if type(event) is EntryBooked:
        _book(state, event)
    elif type(event) is InputParked and event.halts_account:
        state.halted.setdefault(event.account_id, event.meta.event_id)
    return state


def _book(state: State, entry: EntryBooked) -> None:
    ledger.assert_balanced(entry.lines)
    ledger.post(state.balances, entry.lines)
    account = state.accounts.get(entry.account_id)
    if account is None:
        account = state.accounts[entry.account_id] = Account()
    if entry.position is not None:
        account.positions[entry.position.instrument_id] = entry.position
    if entry.kind == "TRADE":
        account.fills.add(entry.entry_id, FILLS_KEPT)
    elif entry.kind != "CORRECTION":
        account.transfers.add(entry.entry_id, TRANSFERS_KEPT)
    state.entries += 1


SERVICE: Final[Service[State]] = Service(
    name="clearing",
    owns=CLEARING_ENTRIES,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    inputs=(ORDERS_EXECUTIONS, ORDERS_DECISIONS),
    tables=True,
    halts_account=True,
    accounts=accounts,
)
