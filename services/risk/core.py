"""Risk's pure core: the answer to every command, and credit that follows executions and entries.

Executions and entries come on two topics, in any order between them. What a reservation must hold therefore depends
on two numbers alone, how much the order may fill in all and how much of that is cleared (credit.left_e8), and never on
which of them was heard first. One venue order makes an order today, so that its end is the order's end.
"""

from collections.abc import Callable
from typing import Any, Final

from services.risk import checks, credit, holdings, legs, porting, transfers, waivers
from services.risk.account import (
    NOBODY,
    Account,
    Decision,
    State,
    close,
    count_message,
    differences,
    remember,
    remember_refused,
    remember_transfer,
    terms_of,
)
from services.risk.refusal import Refusal
from truetape import halts, liquidation
from truetape import messages as m
from truetape.codec import Message
from truetape.orders import advance
from truetape.service import Input, Service
from truetape.topics import CLEARING_ENTRIES, ORDERS_COMMANDS, ORDERS_DECISIONS, ORDERS_EXECUTIONS, REFERENCE_EVENTS

ORDER_LIFETIME_US: Final = 2_000_000
"""How long after its decision an order may still be sent to a venue."""


def decide(state: State, given: Input) -> Message | None:
    """The event that answers an input; None when it changes nothing."""
    rule = _RULES.get(type(given.message))
    return rule(state, given, given.message) if rule is not None else None


# -- commands ------------------------------------------------------------------------------------------------------


def _submit(state: State, given: Input, command: m.SubmitOrder) -> Message:
    order = command.order
    account = holdings.owing(state, order.account_id)
    if (decision := account.orders.get(order.order_id)) is not None:
        return _repeat(decision, order, given)
    house = command.key_id == liquidation.KEY
    asked = checks.asked(order, command.received_at_us, account, given, house)
    found = checks.examine(asked) if isinstance(asked, checks.Asked) else asked
    if isinstance(found, Refusal):
        return m.OrderRejected(
            meta=given.meta(order.order_id),
            order=order,
            reason=found.reason,
            numbers=found.numbers,
            reference_offset=given.tables.reference_offset,
            mark=found.mark,
        )
    return m.OrderAccepted(
        meta=given.meta(order.order_id),
        order=order,
        limit_price_e8=found.limit_price_e8,
        reserved_asset=credit.asset_of(order.side, found.asked.instrument),
        reserved_e8=found.cost_e8,
        fee_rate_e8=found.fee_rate_e8,
        reference_offset=given.tables.reference_offset,
        send_before_us=given.at_us + ORDER_LIFETIME_US,
        mark=found.mark,
        margin=found.margin,
    )


def _repeat(decision: Decision, order: m.OrderTerms, given: Input) -> m.DecisionRepeated:
    return m.DecisionRepeated(
        meta=given.meta(order.order_id),
        order_id=order.order_id,
        account_id=order.account_id,
        accepted=decision.reason is None,
        reason=decision.reason,
        numbers=decision.numbers or {},
        decision_event_id=decision.event_id,
        decided_at_us=decision.decided_at_us,
        differs=differences(decision, order),
    )


def _cancel(state: State, given: Input, command: m.CancelOrder) -> Message:
    account = state.accounts.get(command.account_id, NOBODY)
    reservation = account.reservations.get(command.order_id)
    meta = given.meta(command.order_id)
    if reservation is not None and not reservation.ended:
        return m.CancelRequested(meta, command.command_id, command.account_id, (command.order_id,))
    reason = "ORDER_CLOSED" if command.order_id in account.orders else "ORDER_UNKNOWN"
    return m.CancelRefused(meta, command.command_id, command.account_id, command.order_id, reason)


def _cancel_all(state: State, given: Input, command: m.CancelAllOrders) -> Message:
    account = state.accounts.get(command.account_id, NOBODY)
    order_ids = _open(account, command.instrument_id)
    quiet_for = _default_of(account) if waivers.done(account.reservations.values()) else ""
    meta = given.meta(command.command_id)
    return m.CancelRequested(meta, command.command_id, command.account_id, order_ids, "", quiet_for)


def _default_of(account: Account) -> str:
    """The default that has closed the account to its own orders for good; empty for none."""
    return account.halted_by if account.halted_by.startswith(halts.DEFAULT) else ""


def _open(account: Account, instrument_id: str | None = None) -> tuple[str, ...]:
    """Orders that have not ended, oldest first; of one instrument, or of all."""
    chosen = [
        (one.number, order_id)
        for order_id, one in account.reservations.items()
        if not one.ended and instrument_id in (None, one.instrument_id)
    ]
    return tuple(order_id for _, order_id in sorted(chosen))


def _transfer(state: State, given: Input, command: m.RequestTransfer) -> Message | None:
    """An approved transfer is not answered again. A refused deposit is decided anew, since it is a fact that may become
    bookable; a refused withdrawal stays refused: an earlier attempt may arrive after its client was told, and has asked
    under another reference."""
    terms = command.transfer
    account = holdings.owing(state, terms.account_id)
    if terms.transfer_id in account.transfers:
        return None
    meta = given.meta(terms.transfer_id)
    if terms.amount_e8 < 0 and (reason := account.refused.get(terms.transfer_id)) is not None:
        return m.TransferRejected(meta, terms, reason, {"refused_before": 1})
    refusal = transfers.examine_transfer(terms, account, given)
    if refusal is not None:
        return m.TransferRejected(meta, terms, refusal.reason, refusal.numbers)
    return m.TransferApproved(meta, terms)


# -- executions and entries ----------------------------------------------------------------------------------------

Ended = m.OrderCancelled | m.OrderExpired | m.OrderRejectedByVenue


def _ended(state: State, given: Input, event: Ended) -> Message | None:
    return _release(state, given, event, event.cumulative_quantity_e8)


def _not_routed(state: State, given: Input, event: m.OrderNotRouted) -> Message | None:
    return _release(state, given, event, 0)


def _filled(state: State, given: Input, event: m.OrderFilled) -> Message | None:
    return _release(state, given, event, event.cumulative_quantity_e8) if event.status == "FILLED" else None


def _release(
    state: State, given: Input, event: Ended | m.OrderNotRouted | m.OrderFilled, filled_e8: int
) -> m.ReservationReleased | None:
    account = state.accounts.get(event.account_id, NOBODY)
    reservation = account.reservations.get(event.order_id)
    if reservation is None or reservation.ended:
        return None
    may_fill_e8 = min(filled_e8, reservation.quantity_e8)
    remaining_e8 = credit.left_e8(reservation, may_fill_e8, reservation.cleared_e8)
    return m.ReservationReleased(
        meta=given.meta(event.order_id),
        account_id=event.account_id,
        order_id=event.order_id,
        status=advance("PARTIALLY_FILLED" if filled_e8 else "ACCEPTED", event),
        asset=reservation.asset,
        released_e8=reservation.reserved_e8 - remaining_e8,
        remaining_e8=remaining_e8,
        cumulative_quantity_e8=filled_e8,
        quiet_for=_quiet_for(account, event.order_id, may_fill_e8 <= reservation.cleared_e8),
    )


def _quiet_for(account: Account, order_id: str, done: bool) -> str:
    """The liquidation, or else the default, that may go on when `order_id`, the last order of the account, is done:
    ended and cleared."""
    others = (one for name, one in account.reservations.items() if name != order_id)
    quiet = done and order_id in account.reservations and waivers.done(others)
    return _waits(account) if quiet else ""


def _waits(account: Account) -> str:
    """The liquidation, or else the default, that waits for the account's orders to end; empty for none."""
    return account.liquidation_id or _default_of(account)


def _booked(state: State, given: Input, entry: m.EntryBooked) -> m.CreditUpdated | None:
    if not entry.account_id:  # The house's own.
        return None
    account = state.accounts.get(entry.account_id, NOBODY)
    asset, released_e8, filled_e8, quiet_for = "", 0, 0, ""
    if entry.kind == "TRADE" and entry.order_id is not None:
        filled_e8 = entry.filled_e8
        if (reservation := account.reservations.get(entry.order_id)) is not None:
            cleared_e8 = reservation.cleared_e8 + filled_e8
            asset = reservation.asset
            released_e8 = reservation.reserved_e8 - credit.left_e8(reservation, reservation.quantity_e8, cleared_e8)
            quiet_for = _quiet_for(account, entry.order_id, cleared_e8 >= reservation.quantity_e8)
    elif (withdrawal := account.withdrawals.get(entry.entry_id)) is not None:
        asset, released_e8 = withdrawal.asset, withdrawal.reserved_e8
    elif (leg := legs.booked(account, entry)) is not None:
        asset, released_e8 = leg.asset, leg.reserved_e8
    return m.CreditUpdated(
        meta=given.meta(entry.order_id or entry.entry_id),
        account_id=entry.account_id,
        entry_id=entry.entry_id,
        order_id=entry.order_id,
        changes=_changes(entry),
        released_asset=asset,
        released_e8=released_e8,
        filled_e8=filled_e8,
        reopens_account=_reopens(account, entry.release),
        contract=holdings.held(entry),
        quiet_for=quiet_for,
    )


def _parked(state: State, given: Input, parked: m.InputParked) -> m.AccountHalted | None:
    """Clearing halts the account: its later fills will not be booked either, so it takes no new risk."""
    account = state.accounts.get(parked.account_id, NOBODY)
    if not parked.halts_account or account.halted_by:
        return None
    return m.AccountHalted(given.meta(parked.account_id), parked.account_id, parked.meta.event_id)


def _defaulted(state: State, given: Input, event: m.DefaultChanged) -> m.AccountHalted | m.CancelRequested | None:
    account = state.accounts.get(event.account_id, NOBODY)
    return waivers.defaulted(account, given, event, _open(account), _waits(account))


def _dismissed(state: State, given: Input, event: m.ParkedDismissed) -> m.AccountReopened | None:
    account = state.accounts.get(event.account_id, NOBODY)
    if not _reopens(account, event.release):
        return None
    return m.AccountReopened(given.meta(event.account_id), event.account_id)


def _liquidated(state: State, given: Input, event: m.LiquidationChanged) -> m.CancelRequested | None:
    """A liquidation begins: from here on the account's own orders are refused, and all that are open are cancelled."""
    account = state.accounts.get(event.account_id, NOBODY)
    found, order_ids = event.liquidation_id, _open(account)
    again = account.liquidation_id == found
    if event.state != "CANCELLING" or (again and not order_ids):
        return None
    quiet_for = found if waivers.done(account.reservations.values()) else ""
    return m.CancelRequested(given.meta(found), found, event.account_id, order_ids, found, quiet_for)


def _liquidation_ended(state: State, given: Input, event: m.LiquidationEnded) -> m.RestrictionEnded | None:
    account = state.accounts.get(event.account_id, NOBODY)
    if account.liquidation_id != event.liquidation_id:
        return None
    return m.RestrictionEnded(given.meta(event.liquidation_id), event.account_id, event.liquidation_id)


def _ported(state: State, given: Input, event: m.PortingChanged) -> m.CancelRequested | m.RestrictionEnded | None:
    return porting.changed(state, given, event, _open(state.accounts.get(event.account_id, NOBODY)))


def _reopens(account: Account, release: m.Release | None) -> bool:
    """Whether clearing has resolved the last parked input of the account."""
    halted = bool(account.halted_by) and not account.halted_by.startswith(halts.DEFAULT)
    return release is not None and release.left == 0 and halted


def _closed_out(state: State, given: Input, event: m.SidesClosedOut) -> m.CreditUpdated:
    """Both sides of a position are smaller; the position is as it was."""
    return m.CreditUpdated(
        meta=given.meta(event.command_id), account_id=event.account_id, entry_id=event.command_id, order_id=None,
        changes=(), released_asset="", released_e8=0, filled_e8=0,
        contract=holdings.closed_out(state.accounts.get(event.account_id, NOBODY), event),
    )  # fmt: skip


def _changes(entry: m.EntryBooked) -> tuple[m.AssetChange, ...]:
    """What the entry does to the client's own balances."""
    client = "client:" + entry.account_id
    sums: dict[str, int] = {}
    for line in entry.lines:
        if line.account == client:
            sums[line.asset] = sums.get(line.asset, 0) + line.amount_e8
    return tuple(m.AssetChange(asset, amount_e8) for asset, amount_e8 in sums.items() if amount_e8)


_RULES: Final[dict[type, Callable[[State, Input, Any], Message | None]]] = {
    m.SubmitOrder: _submit,
    m.CancelOrder: _cancel,
    m.CancelAllOrders: _cancel_all,
    m.RequestTransfer: _transfer,
    m.OrderFilled: _filled,
    m.OrderCancelled: _ended,
    m.OrderExpired: _ended,
    m.OrderRejectedByVenue: _ended,
    m.OrderNotRouted: _not_routed,
    m.EntryBooked: _booked,
    m.SidesClosedOut: _closed_out,
    m.ContractFactTaken: holdings.accrued,
    m.InputParked: _parked,
    m.ParkedDismissed: _dismissed,
    m.DefaultChanged: _defaulted,
    m.LegChanged: legs.changed,
    m.LiquidationChanged: _liquidated,
    m.LiquidationEnded: _liquidation_ended,
    m.PortingChanged: _ported,
}


# -- evolve --------------------------------------------------------------------------------------------------------


def evolve(state: State, event: Any) -> State:
    """Apply one own event; never refuses."""
    change = _CHANGES.get(type(event))
    if change is not None:
        change(state, event)
    return state


def _accepted(state: State, event: m.OrderAccepted) -> None:
    order, meta = event.order, event.meta
    account = state.account(order.account_id)
    count_message(account, meta.decided_at_us)
    decision = Decision(terms_of(order), meta.event_id, meta.decided_at_us, position_effect=order.position_effect)
    remember(account, order.order_id, decision)
    credit.reserve(account, event)


def _rejected(state: State, event: m.OrderRejected) -> None:
    order, meta = event.order, event.meta
    account = state.account(order.account_id)
    count_message(account, meta.decided_at_us)
    decision = Decision(
        terms_of(order), meta.event_id, meta.decided_at_us, event.reason, event.numbers, order.position_effect
    )
    remember(account, order.order_id, decision)
    close(account, order.order_id)


def _answered(state: State, event: m.DecisionRepeated | m.CancelRequested | m.CancelRefused) -> None:
    count_message(state.account(event.account_id), event.meta.decided_at_us)


def _cancelled(state: State, event: m.CancelRequested) -> None:
    if event.waived:
        waivers.waived(state, event)
    elif event.liquidation_id:
        state.account(event.account_id).liquidation_id = event.liquidation_id
    elif event.porting_id:
        state.account(event.account_id).porting_id = event.porting_id
    else:
        _answered(state, event)


def _unrestricted(state: State, event: m.RestrictionEnded) -> None:
    account = state.account(event.account_id)
    if event.porting_id:
        account.porting_id = ""
    else:
        account.liquidation_id = ""


def _credited(state: State, event: m.CreditUpdated) -> None:
    account = state.account(event.account_id)
    for change in event.changes:
        account.balances[change.asset] = account.balances.get(change.asset, 0) + change.amount_e8
    if event.order_id is not None:
        credit.clear(account, event.order_id, event.filled_e8, event.released_e8)
    else:
        credit.book_withdrawal(account, event.entry_id)
        legs.free(account, event.entry_id)
    if event.reopens_account:
        account.halted_by = ""
    if event.contract is not None:
        holdings.hold(account, event.contract)


def _halted(state: State, event: m.AccountHalted) -> None:
    state.account(event.account_id).halted_by = event.parked_event_id
    waivers.halted(state, event)


def _reopened(state: State, event: m.AccountReopened) -> None:
    state.account(event.account_id).halted_by = ""


def _released(state: State, event: m.ReservationReleased) -> None:
    account = state.account(event.account_id)
    credit.end(account, event.order_id, event.cumulative_quantity_e8, event.released_e8)


def _transfer_refused(state: State, event: m.TransferRejected) -> None:
    terms, account = event.transfer, state.accounts.get(event.transfer.account_id)
    if terms.amount_e8 < 0 and account is not None:
        remember_refused(account, terms.transfer_id, event.reason)


def _approved(state: State, event: m.TransferApproved) -> None:
    terms = event.transfer
    account = state.account(terms.account_id)
    remember_transfer(account, terms.transfer_id)
    if terms.amount_e8 < 0:
        credit.hold_withdrawal(account, terms.transfer_id, terms.asset, -terms.amount_e8)


_CHANGES: Final[dict[type, Callable[[State, Any], None]]] = {
    m.OrderAccepted: _accepted,
    m.OrderRejected: _rejected,
    m.DecisionRepeated: _answered,
    m.CancelRequested: _cancelled,
    m.RestrictionEnded: _unrestricted,
    m.CancelRefused: _answered,
    m.CreditUpdated: _credited,
    m.AccountHalted: _halted,
    m.AccountReopened: _reopened,
    m.ReservationReleased: _released,
    m.TransferApproved: _approved,
    m.TransferRejected: _transfer_refused,
    m.FundingAccrued: holdings.move,
    m.LegAssessed: legs.assessed,
    m.LegReleased: lambda state, event: legs.free(state.account(event.account_id), event.leg_id),
}


def accounts(state: State) -> dict[str, Account]:
    """Credit by account, for the audit."""
    return state.accounts


SERVICE: Final[Service[State]] = Service(
    name="risk",
    owns=ORDERS_DECISIONS,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
    inputs=(ORDERS_COMMANDS, ORDERS_EXECUTIONS, CLEARING_ENTRIES),
    patience_ms=50,
    urgent=(ORDERS_COMMANDS, ORDERS_EXECUTIONS, CLEARING_ENTRIES, REFERENCE_EVENTS),
    tables=True,
    accounts=accounts,
)
