"""Margin calls as events: made by a margin run, answered by the member and the house, met by booked deposits, ended by
time. The table of what may happen is truetape/default/calls.py.

A call is for what is missing to the initial need, when equity is below the call level. Only what is booked meets it.
When equity is back at the initial need without a payment, the house withdraws it: there is nothing left to secure. The
gap between the level and the need keeps a price that trembles from calling and withdrawing every second.
"""

from typing import Any, Final, get_args

from msgspec.structs import replace

from services.clearing.booking import ledger, trades
from services.clearing.margining import margin
from services.clearing.margining.watch import ask, place
from services.clearing.state import State
from truetape.default import calls
from truetape.default.calls import Call, CallState
from truetape.margin.account import AssetMargin
from truetape.messages import (
    ActOnCall,
    CallTerms,
    ClearingRefused,
    EntryBooked,
    MarginCallChanged,
    ReviewMargin,
)
from truetape.money import from_e8
from truetape.service import Input
from truetape.transitions import CLOCK, HOUSE, NotLegal

MEMBER_ACTIONS: Final = ("acknowledge", "dispute")
HOUSE_ACTIONS: Final = ("reject_dispute", "uphold_dispute", "declare_default")
CLOSED: Final = ("MET", "WITHDRAWN")


def open_call(state: State, account_id: str, asset: str) -> Call | None:
    """The call of an account in an asset that has not ended well; there is at most one."""
    found = (one for one in state.watch.calls.values() if (one.account_id, one.asset) == (account_id, asset))
    return next(found, None)


def wanted(state: State, account_id: str, found: AssetMargin, terms: CallTerms, at_us: int) -> tuple[str, int]:
    """What a run lists an account for: CALL with its amount, RECOVER, or nothing."""
    known = open_call(state, account_id, found.asset)
    if known is not None:
        return ("RECOVER", 0) if known.state != "DEFAULT" and found.initial_excess_e8 >= 0 else ("", 0)
    amount_e8 = -found.initial_excess_e8
    quiet = at_us < state.watch.quiet_until_us.get(place(account_id, found.asset), 0)
    if quiet or found.equity_e8 >= margin.level_e8(found, terms) or amount_e8 < terms.least_e8:
        return "", 0
    return "CALL", amount_e8


def time_due(state: State, at_us: int) -> list[tuple[Call, str]]:
    """Calls whose deadline or grace has passed."""
    names = {"pass_deadline": "DEADLINE", "pass_grace": "GRACE"}
    found = ((one, calls.due(one, at_us)) for one in sorted(state.watch.calls.values(), key=lambda one: one.call_id))
    return [(one, names[what]) for one, what in found if what is not None]


# -- decisions ---------------------------------------------------------------------------------------------------------


def make(state: State, given: Input, asked: ReviewMargin, found: AssetMargin) -> MarginCallChanged | None:
    """A new call, if it still is wanted."""
    terms = given.tables.reference.call_terms_of(asked.account_id)
    action, amount_e8 = wanted(state, asked.account_id, found, terms, given.at_us)
    if action != "CALL":
        return None
    equity, need = from_e8(found.equity_e8), from_e8(found.initial_e8)
    reason = f"equity {equity} {found.asset} against an initial need of {need}, {found.worst} deciding"
    call = calls.called(asked.account_id, found.asset, amount_e8, given.at_us, terms.notice_us, terms.grace_us, reason)
    return _changed(given, call, "call", found=found)


def recover(state: State, given: Input, asked: ReviewMargin, found: AssetMargin) -> MarginCallChanged | None:
    """The house withdraws a call that there is no need for any more."""
    call = open_call(state, asked.account_id, found.asset)
    if call is None or found.initial_excess_e8 < 0 or call.state == "DEFAULT":
        return None
    detail = "equity has reached the initial need without a payment"
    return _changed(given, calls.act(call, "recover", HOUSE, given.at_us, detail), "recover", found=found)


def pass_time(state: State, given: Input, asked: ReviewMargin) -> MarginCallChanged | None:
    """The deadline or the grace of a call has passed."""
    call = open_call(state, asked.account_id, asked.asset)
    what = calls.due(call, given.at_us) if call is not None else None
    if call is None or what is None:
        return None
    return _changed(given, calls.act(call, what, CLOCK, given.at_us), what)


def pay(state: State, given: Input, asked: ReviewMargin) -> MarginCallChanged | None:
    """A deposit that was booked counts against the call of its asset."""
    call = open_call(state, asked.account_id, asked.asset)
    if call is None or call.state == "DEFAULT":
        return None
    paid, _ = calls.pay(call, asked.amount_e8, given.at_us)
    detail = f"{from_e8(asked.amount_e8)} booked by {asked.reason}"
    return _changed(given, replace(paid, detail=detail), "meet" if paid.state == "MET" else "pay")


def act(state: State, given: Input, command: ActOnCall) -> MarginCallChanged | ClearingRefused:
    """A member or the house acts on a call; a command that comes twice acts once."""
    watch = state.watch
    call = watch.calls.get(command.call_id)
    if command.command_id in watch.ended.ids:
        return _no(given, command, "COMMAND_REPEATED", "it was carried out already")
    if call is None or call.account_id != command.account_id:
        ended = "it has ended" if command.call_id in watch.ended.ids else "the account has no such call"
        return _no(given, command, "STATE_WRONG", f"call {command.call_id} is not open: {ended}")
    allowed = {calls.MEMBER: MEMBER_ACTIONS, HOUSE: HOUSE_ACTIONS}.get(command.actor, ())
    if command.action not in allowed:
        return _no(given, command, "UNSUPPORTED", f"{command.actor} may: {', '.join(allowed) or 'nothing'}")
    if command.action != "acknowledge" and not command.reason.strip():
        return _no(given, command, "REASON_MISSING", "say why: it stands on the tape for ever")
    try:
        changed = calls.act(call, command.action, command.actor, given.at_us, command.reason[: trades.REASON_MAX])
    except NotLegal as error:
        return _no(given, command, "STATE_WRONG", str(error))
    return _changed(given, changed, command.action, command=command)


def _no(given: Input, command: ActOnCall, reason: Any, detail: str) -> ClearingRefused:
    return trades.refused(given, command.command_id, command.account_id, command, reason, detail)


def _changed(
    given: Input, call: Call, action: str, *, found: AssetMargin | None = None, command: ActOnCall | None = None
) -> MarginCallChanged:
    return MarginCallChanged(
        given.meta(call.call_id), command.command_id if command else "", call.account_id, call.call_id, call.asset,
        call.amount_e8, call.paid_e8, call.called_at_us, call.due_at_us, call.grace_us, call.reason, call.state,
        action, call.actor, call.detail, command.requested_by if command else "",
        margin.evidence(found) if found is not None else None,
    )  # fmt: skip


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: MarginCallChanged) -> None:
    """A call as it is now; one that ended well is remembered by its id alone."""
    watch = state.watch
    if event.command_id:
        watch.ended.add(event.command_id)
    if event.action == "uphold_dispute":
        watch.quiet_until_us[place(event.account_id, event.asset)] = event.due_at_us
    elif event.action == "call":
        watch.quiet_until_us.pop(place(event.account_id, event.asset), None)
    if event.state in CLOSED:
        watch.calls.pop(event.call_id, None)
        watch.ended.add(event.call_id)
    else:
        watch.calls[event.call_id] = call_of(event)
    if event.state == "DEFAULT":
        run_id = f"{event.meta.epoch}.{event.meta.sequence}"
        ask(watch, run_id, event.account_id, event.asset, "DEFAULT", f"margin call {event.call_id} was not met")


def call_of(event: MarginCallChanged) -> Call:
    """The call that an event leaves."""
    known: dict[str, CallState] = {name: name for name in get_args(CallState)}
    return Call(
        event.call_id, event.account_id, event.asset, event.amount_e8, event.called_at_us, event.due_at_us,
        event.grace_us, event.reason, known[event.state], event.paid_e8, event.actor, event.meta.decided_at_us,
        event.detail,
    )  # fmt: skip


def booked(state: State, entry: EntryBooked) -> None:
    """A deposit: the call of its asset is due to be looked at."""
    if entry.kind != "DEPOSIT":
        return
    client, meta = ledger.client(entry.account_id), entry.meta
    for line in entry.lines:
        if line.account != client or open_call(state, entry.account_id, line.asset) is None:
            continue
        run_id = f"{meta.epoch}.{meta.sequence}"
        ask(state.watch, run_id, entry.account_id, line.asset, "PAY", entry.entry_id, line.amount_e8)
