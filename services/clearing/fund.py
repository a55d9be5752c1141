"""The clearing fund and the house's capital: money that members and the house put aside, in ledger accounts of its own.

It comes from an account of the firm outside and goes back there, never from a client's trading cash, so risk's credit
is not touched. A share goes out only when it is free: no round holds it, and its member is not in default.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from services.clearing import contracts, trades
from services.clearing.state import FACTS_KEPT, State
from services.clearing.waterfalls import ASSESSMENT, ASSESSMENT_PERIOD_US, CAPITAL, FUND, in_default
from truetape.errors import TruetapeError
from truetape.messages import (
    ClearingRefusal,
    ClearingRefused,
    ContractBooking,
    ContractEvent,
    EntryBooked,
    Line,
    MoveFund,
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
}
_EVENTS: Final[Mapping[str, ContractEvent]] = {
    "FUND": "FUND_CONTRIBUTION",
    "ASSESSMENT": "FUND_REPLENISHMENT",
    "CAPITAL": "HOUSE_TRANSFER",
}
Wrong = tuple[ClearingRefusal, str]


def move(state: State, given: Input, command: MoveFund) -> EntryBooked | ClearingRefused:
    """A contribution, the payment of an assessment, the house's capital; or a share that goes out."""
    if (wrong := next(_objections(state, given, command), None)) is not None:
        return trades.refused(given, command.command_id, command.account_id, command, *wrong)
    try:
        return trades.checked(state, _entry(given, command))
    except TruetapeError as error:
        return trades.refused(given, command.command_id, command.account_id, command, "AMOUNT_TOO_LARGE", str(error))


def _objections(state: State, given: Input, command: MoveFund) -> Iterator[Wrong]:
    house, account_id = command.purpose == "CAPITAL", command.account_id
    if command.command_id in state.facts.ids:
        yield "COMMAND_REPEATED", "it is booked already"
    if command.purpose not in _ACCOUNTS:
        yield "UNSUPPORTED", f"purpose is one of {', '.join(_ACCOUNTS)}"
        return
    if (account_id == CAPITAL) != house or (not house and account_id not in given.tables.reference.accounts):
        yield "ACCOUNT_UNKNOWN", f"{account_id} is no open account; the house's capital is {CAPITAL}'s"
    if not command.location.startswith(OUTSIDE):
        yield "NUMBERS_WRONG", f"location must be an account of the firm outside: {', '.join(OUTSIDE)} and its name"
    if not command.reason.strip():
        yield "REASON_MISSING", "say why: it stands on the tape for ever"
    if command.amount_e8 == 0:
        yield "NUMBERS_WRONG", "amount must not be zero"
    yield from _not_free(state, command, "" if house else account_id)


def _not_free(state: State, command: MoveFund, holder: str) -> Iterator[Wrong]:
    """Why money may not go out; of an assessment no more comes in than is owed, and nothing goes out."""
    have_e8 = state.balances.get(_ACCOUNTS[command.purpose](command.account_id), {}).get(command.asset, 0)
    if command.purpose == "ASSESSMENT":
        if not 0 < command.amount_e8 <= -have_e8:
            yield "NUMBERS_WRONG", f"{from_e8(-have_e8)} {command.asset} is owed: pay at most that"
        return
    if command.amount_e8 > 0:
        return
    if have_e8 + command.amount_e8 < 0:
        yield "INSUFFICIENT_FUNDS", f"the share is {from_e8(have_e8)} {command.asset}"
    if round_id := state.rounds.holding(holder):
        yield "STATE_WRONG", f"round {round_id} holds it: see `truetape rounds`"
    if holder and in_default(state, holder):
        yield "STATE_WRONG", f"{holder} is in default: its share is there for its loss"
    if any(one.state in ("DECLARED", "LOSS_FIXED") for one in state.defaults.values()):
        yield "STATE_WRONG", "a default is open: nothing goes out until its loss is borne"


def _entry(given: Input, command: MoveFund) -> EntryBooked:
    name, event = _ACCOUNTS[command.purpose](command.account_id), _EVENTS[command.purpose]
    purpose = event.lower()
    lines = (
        Line(name, command.asset, command.amount_e8, purpose),
        Line(command.location, command.asset, -command.amount_e8, purpose),
    )
    booking = ContractBooking(
        event=event, instrument_id="", settlement_asset=command.asset, counterparty=command.location, fact_id="",
        quantity_e8=0, paid_e8=0, settled_e8=0, funding_index_e18=contracts.START,
        numbers={"amount_e8": fits(command.amount_e8)},
        ids={COMMAND: command.command_id, "requested_by": command.requested_by, "reason": command.reason},
    )  # fmt: skip
    return EntryBooked(
        meta=given.meta(command.command_id), entry_id=f"fund:{command.command_id}",
        account_id="" if command.purpose == "CAPITAL" else command.account_id, kind="TRANSFER",
        rule=command.purpose.lower(), lines=lines, realised_e8=0, filled_e8=0, transacted_at_us=given.at_us,
        contract=booking,
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
