"""The clearing fund, the house's capital and the insurance fund: money put aside, in ledger accounts of its own.

It comes from an account of the firm outside and goes back there, never from a client's trading cash, so risk's credit
is not touched. It goes out by a round (withdrawals.py): every partition says first whether a loss may still need it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from services.clearing.across import requests
from services.clearing.across.parcels import INSURANCE
from services.clearing.booking import contracts, trades
from services.clearing.defaults.waterfalls import ASSESSMENT, ASSESSMENT_PERIOD_US, CAPITAL, FUND, HOME, in_default
from services.clearing.state import FACTS_KEPT, State
from truetape.errors import AssetUnknown, TruetapeError
from truetape.messages import (
    ClearingRefusal,
    ClearingRefused,
    ContractEvent,
    EntryBooked,
    Line,
    MoveFund,
    RoundRequested,
    RoundTerms,
)
from truetape.money import fits, from_e8
from truetape.service import Input

OUTSIDE: Final = ("bank:", "custody:")
COMMAND: Final = "command_id"
"""Under which name an entry keeps the command that it answers."""
ASSESSED_MAX: Final = 64
"""Assessments of a member and asset that are remembered; older ones within the period count as the newest of them."""
_ACCOUNTS: Final[Mapping[str, Callable[[str], str]]] = {
    "FUND": lambda account_id: FUND + account_id,
    "ASSESSMENT": lambda account_id: ASSESSMENT + account_id,
    "CAPITAL": lambda _: CAPITAL,
    "INSURANCE": lambda _: INSURANCE,
}
_HOUSES: Final = {"CAPITAL": CAPITAL, "INSURANCE": INSURANCE}
"""Money that is the house's own, by purpose."""
EVENTS: Final[Mapping[str, ContractEvent]] = {
    "FUND": "FUND_CONTRIBUTION",
    "ASSESSMENT": "FUND_REPLENISHMENT",
    "CAPITAL": "HOUSE_TRANSFER",
    "INSURANCE": "INSURANCE_FUND",
}
WITHDRAWAL: Final = "WITHDRAWAL"
Wrong = tuple[ClearingRefusal, str]


def account_of(purpose: str, account_id: str) -> str:
    """The ledger account that a purpose is about."""
    return _ACCOUNTS[purpose](account_id)


def move(state: State, given: Input, command: MoveFund) -> EntryBooked | RoundRequested | ClearingRefused:
    """What comes in is booked: a share, an assessment, the house's money. What goes out is decided by a round."""
    if (wrong := next(_objections(state, given, command), None)) is not None:
        return trades.refused(given, command.command_id, command.account_id, command, *wrong)
    try:
        if command.amount_e8 < 0:
            return _asked(given, command)
        return trades.checked(state, entry(given, command, f"fund:{command.command_id}", command.command_id))
    except TruetapeError as error:
        return trades.refused(given, command.command_id, command.account_id, command, "AMOUNT_TOO_LARGE", str(error))


def _objections(state: State, given: Input, command: MoveFund) -> Iterator[Wrong]:
    house, account_id = _HOUSES.get(command.purpose), command.account_id
    if command.command_id in state.facts.ids:
        yield "COMMAND_REPEATED", "it is booked already"
    if command.purpose not in _ACCOUNTS:
        yield "UNSUPPORTED", f"purpose is one of {', '.join(_ACCOUNTS)}"
        return
    if account_id != house if house else account_id not in given.tables.reference.accounts:
        yield "ACCOUNT_UNKNOWN", f"{account_id} is no open account; the house's money is {CAPITAL}'s and {INSURANCE}'s"
    if not command.location.startswith(OUTSIDE):
        yield "NUMBERS_WRONG", f"location must be an account of the firm outside: {', '.join(OUTSIDE)} and its name"
    if not command.reason.strip():
        yield "REASON_MISSING", "say why: it stands on the tape for ever"
    if command.amount_e8 == 0:
        yield "NUMBERS_WRONG", "amount must not be zero"
    if command.amount_e8 > 0:
        yield from _unknown(given, command)
    yield from _not_free(state, command)


def _unknown(given: Input, command: MoveFund) -> Iterator[Wrong]:
    try:
        given.tables.reference.require_asset(command.asset)
    except AssetUnknown as error:
        yield "NUMBERS_WRONG", str(error)


def _not_free(state: State, command: MoveFund) -> Iterator[Wrong]:
    """Why money may not go out, as far as this partition knows: the others are asked next. Of an assessment no more
    comes in than is owed, and nothing goes out."""
    have_e8 = state.balances.get(account_of(command.purpose, command.account_id), {}).get(command.asset, 0)
    if command.purpose == "ASSESSMENT":
        if not 0 < command.amount_e8 <= -have_e8:
            yield "NUMBERS_WRONG", f"{from_e8(-have_e8)} {command.asset} is owed: pay at most that"
        return
    if command.amount_e8 > 0:
        return
    if command.purpose == "INSURANCE":
        return  # It is kept in parts: what there is, the round finds out.
    if have_e8 + command.amount_e8 < 0:
        yield "INSUFFICIENT_FUNDS", f"the share is {from_e8(have_e8)} {command.asset}"
    holder = "" if command.account_id == CAPITAL else command.account_id
    if round_id := state.rounds.holding(holder):
        yield "STATE_WRONG", f"round {round_id} holds it: see `truetape rounds`"
    if holder and in_default(state, holder):
        yield "STATE_WRONG", f"{holder} is in default: its share is there for its loss"
    if any(one.state in ("DECLARED", "LOSS_FIXED") for one in state.defaults.values()):
        yield "STATE_WRONG", "a default is open: nothing goes out until its loss is borne"


def _asked(given: Input, command: MoveFund) -> RoundRequested:
    """The record that asks all partitions for it. Raises AmountTooLarge."""
    names = {
        "account_id": command.account_id, "command_id": command.command_id, "purpose": command.purpose,
        "location": command.location, "reason": command.reason,
    }  # fmt: skip
    terms = RoundTerms(
        f"{command.command_id}/{WITHDRAWAL}", WITHDRAWAL, HOME, command.asset, {"amount_e8": fits(-command.amount_e8)},
        names, command.requested_by,
    )  # fmt: skip
    return requests.request(given, command.account_id, terms, command.command_id)


def entry(given: Input, command: MoveFund, entry_id: str, correlation_id: str) -> EntryBooked:
    """Money between the firm's account outside and what it is put aside for."""
    name, event = account_of(command.purpose, command.account_id), EVENTS[command.purpose]
    purpose = event.lower()
    lines = (
        Line(name, command.asset, command.amount_e8, purpose),
        Line(command.location, command.asset, -command.amount_e8, purpose),
    )
    return contracts.money_entry(
        given.meta(correlation_id), entry_id, "" if command.purpose in _HOUSES else command.account_id, event,
        command.asset, command.location, lines, command.purpose.lower(), given.at_us,
        numbers={"amount_e8": fits(command.amount_e8)},
        ids={COMMAND: command.command_id, "requested_by": command.requested_by, "reason": command.reason},
    )  # fmt: skip


def booked(state: State, entry: EntryBooked) -> None:
    """What an entry of the fund leaves beside balances: its command, and what a member was asked for."""
    booking = entry.contract
    if booking is None or booking.instrument_id:
        return
    if (command_id := booking.ids.get(COMMAND)) is not None:
        state.facts.add(command_id, FACTS_KEPT)
    if booking.event == "ASSESSMENT" and (amount_e8 := booking.numbers["amount_e8"]) > 0:
        now_us, key = entry.meta.decided_at_us, f"{entry.account_id}/{booking.settlement_asset}"
        asked = [one for one in state.assessed.get(key, []) if one[0] > now_us - ASSESSMENT_PERIOD_US]
        state.assessed[key] = [*asked, (now_us, amount_e8)][-ASSESSED_MAX:]
