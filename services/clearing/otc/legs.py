"""Legs in the partition of their account: asked for by the home of a trade, accepted where that is the custom, and
reserved by risk before anything is booked.

    OFFERED    the receiving account has to accept it
    RESERVING  risk is asked for its margin: it reads this record (services/risk/legs.py)
    RESERVED   it may be booked; the home is told
    REFUSED    by risk or by the ledger, with the reason's name
    DECLINED   by the receiving account
    RELEASED   the home has let it go

A leg that ended is remembered with how it ended: a home that asks again gets the same answer. A leg that is booked is
open until another one ends it, a compression replaces it, its contract ends or its entry is taken back.
"""

from typing import Final, Literal

from msgspec.structs import replace

from services.clearing.across.pursuit import whose
from services.clearing.booking import trades
from services.clearing.otc import uncleared
from services.clearing.state import LEGS_KEPT, UNLISTED, OpenLeg, State
from truetape.cuts import ENDS
from truetape.messages import (
    AgreeMoves,
    AnswerLeg,
    AskLeg,
    BookTrade,
    ClearingRefused,
    ContractFactTaken,
    EntryBooked,
    LegAssessed,
    LegChanged,
    MovesAgreed,
    ReleaseLeg,
)
from truetape.service import Input

LegState = Literal["OFFERED", "RESERVING", "RESERVED", "REFUSED", "DECLINED", "RELEASED"]
ASKED: Final = ("OFFERED", "RESERVING", "RESERVED")
"""States of legs that may still be booked."""
OPEN_MAX: Final = 10_000
"""Open legs of one account; then compression is due."""
REASON_MAX: Final = 500


def ask(state: State, given: Input, command: AskLeg) -> LegChanged | None:
    """A home asks for a leg: it is offered, or goes to risk at once; what is known already is said again."""
    leg = command.leg
    if (known := state.legs.asked.get(leg.leg_id)) is not None:
        return _again(given, known) if known.state == "RESERVED" else None
    if (ended := state.legs.ended.events.get(leg.leg_id)) is not None:
        return _again(given, ended)
    if leg.leg_id in state.legs.open.get(leg.account_id, {}) or leg.leg_id in _booked(state, leg.account_id):
        return None  # The home has decided long ago.
    asked = LegChanged(
        given.meta(command.trade_id), command.command_id, leg.account_id, command.home_id, command.trade_id,
        command.kind, command.from_id, leg, "RESERVING", "", "", command.expires_at_us, command.reference, "",
    )  # fmt: skip
    if wrong := _objection(state, given, command):
        return replace(asked, state="REFUSED", reason=wrong[0], detail=wrong[1])
    if command.accept and command.from_id not in state.legs.agreed.get(leg.account_id, {}):
        return replace(asked, state="OFFERED")
    return asked


def _booked(state: State, account_id: str) -> dict[str, None]:
    account = state.accounts.get(account_id)
    return account.fills.ids if account is not None else {}


def _objection(state: State, given: Input, command: AskLeg) -> tuple[str, str] | None:
    """What of the account's own books is against a leg. Margin is risk's matter."""
    leg, reference = command.leg, given.tables.reference
    if leg.account_id not in reference.accounts:
        return "ACCOUNT_UNKNOWN", f"account {leg.account_id} is not open"
    if leg.account_id in state.halted:
        return "ACCOUNT_HALTED", f"see `truetape parked --account {leg.account_id}`"
    instrument = reference.instruments.get(leg.instrument_id)
    if instrument is None or instrument.contract is None:
        return "NOT_A_CONTRACT", f"{leg.instrument_id} is no contract of the reference data"
    if state.contracts.get(leg.instrument_id, UNLISTED).ended is not None:
        return "CONTRACT_EXPIRED", f"{leg.instrument_id} has ended"
    if leg.closes and leg.closes not in state.legs.open.get(leg.account_id, {}):
        return "LEG_UNKNOWN", f"leg {leg.closes} is not open any more"
    if not leg.closes and len(state.legs.open.get(leg.account_id, {})) >= OPEN_MAX:
        return "TOO_MANY_LEGS", f"{OPEN_MAX} legs are open: compress them first (`truetape trades compress`)"
    return None


def _again(given: Input, known: LegChanged) -> LegChanged:
    return replace(known, meta=given.meta(known.trade_id), command_id="")


def answer(state: State, given: Input, command: AnswerLeg) -> LegChanged | ClearingRefused:
    """The receiving account takes a leg that it is offered, or does not."""
    known = state.legs.asked.get(command.leg_id)
    if known is None or known.state != "OFFERED" or known.account_id != command.account_id:
        detail = f"leg {command.leg_id} is not offered to {command.account_id}"
        return trades.refused(given, command.command_id, command.account_id, command, "STATE_WRONG", detail)
    if given.at_us >= known.expires_at_us:
        detail = "its time is over; ask the other side to give it once more"
        return trades.refused(given, command.command_id, command.account_id, command, "DEADLINE_PASSED", detail)
    said = replace(
        known, meta=given.meta(known.trade_id), command_id=command.command_id, requested_by=command.requested_by
    )
    if command.accepted:
        return replace(said, state="RESERVING")
    detail = command.reason[:REASON_MAX]
    return replace(said, state="DECLINED", reason="DECLINED", detail=detail)


def assessed(state: State, given: Input, event: LegAssessed) -> LegChanged | None:
    """Risk has reserved what a leg needs, or refused it; nothing when it was let go meanwhile."""
    known = state.legs.asked.get(event.leg_id)
    if known is None or known.state != "RESERVING":
        return None
    said = replace(known, meta=given.meta(known.trade_id), command_id="")
    if event.accepted:
        return replace(said, state="RESERVED")
    numbers = ", ".join(f"{name} {value}" for name, value in sorted(event.numbers.items()))
    return replace(said, state="REFUSED", reason=event.reason, detail=numbers)


def release(state: State, given: Input, command: ReleaseLeg) -> LegChanged | None:
    """A home lets a leg go: what risk reserved for it is free, and it can be asked for no more."""
    leg = command.leg
    if (ended := state.legs.ended.events.get(leg.leg_id)) is not None:
        return _again(given, ended)
    if leg.leg_id in _booked(state, leg.account_id):
        return None
    known = state.legs.asked.get(leg.leg_id)
    if known is not None:
        return replace(known, meta=given.meta(known.trade_id), command_id=command.command_id, state="RELEASED")
    return LegChanged(
        given.meta(command.trade_id), command.command_id, leg.account_id, command.home_id, command.trade_id,
        command.kind, leg.account_id, leg, "RELEASED", "", "", given.at_us, "", "",
    )  # fmt: skip


def agree(state: State, given: Input, command: AgreeMoves) -> MovesAgreed | ClearingRefused:
    """An account takes whatever another one gives up or allocates to it, from now on; or no more."""
    wrong = [one for one in (command.account_id, command.from_id) if one not in given.tables.reference.accounts]
    if wrong or command.account_id == command.from_id:
        detail = f"account {wrong[0]} is not open" if wrong else "nobody gives to himself"
        return trades.refused(given, command.command_id, command.account_id, command, "ACCOUNT_UNKNOWN", detail)
    return MovesAgreed(
        given.meta(command.command_id), command.command_id, command.account_id, command.from_id, command.agreed,
        command.requested_by,
    )  # fmt: skip


def not_reserved(state: State, command: BookTrade) -> str:
    """Why a leg that a home asks to book may not be booked; empty when it may. Every other trade may."""
    if whose(command.requested_by) is None:
        moves = command.event != "TRADE" or command.cost_e8 is not None or command.closes
        return "only the home of a give-up or allocation moves a leg at its cost" if moves else ""
    known = state.legs.asked.get(command.trade_id)
    if known is None or known.state != "RESERVED":
        return f"leg {command.trade_id} is not reserved"
    leg = known.leg
    told = (leg.instrument_id, leg.side, leg.quantity_e8, leg.price_e8, leg.cost_e8, leg.closes)
    same = told == (
        command.instrument_id, command.side, command.quantity_e8, command.price_e8, command.cost_e8, command.closes,
    )  # fmt: skip
    return "" if same else f"leg {command.trade_id} was reserved with other terms"


def shown(known: LegChanged) -> dict[str, object]:
    """What an operator sees of a leg that may still be booked."""
    leg = known.leg
    return {
        "state": known.state, "kind": known.kind, "trade_id": known.trade_id, "from_id": known.from_id,
        "instrument_id": leg.instrument_id, "side": leg.side, "quantity_e8": leg.quantity_e8,
        "price_e8": leg.price_e8, "expires_at_us": known.expires_at_us,
    }  # fmt: skip


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: LegChanged) -> None:
    """A leg as it is now."""
    if event.state in ASKED:
        state.legs.asked[event.leg.leg_id] = event
    else:
        state.legs.asked.pop(event.leg.leg_id, None)
        state.legs.ended.add(event.leg.leg_id, event, LEGS_KEPT)


def agreed(state: State, event: MovesAgreed) -> None:
    """From whom an account takes without being asked."""
    known = state.legs.agreed.setdefault(event.account_id, {})
    if event.agreed:
        known[event.from_id] = None
    else:
        known.pop(event.from_id, None)


def booked(state: State, entry: EntryBooked) -> None:
    """An entry that opens a leg, ends one, or takes one back."""
    if entry.contract is None:
        return
    if entry.kind == "CORRECTION":
        state.legs.open.get(entry.account_id, {}).pop(entry.corrects or "", None)
        return
    if (home := whose(entry.contract.ids.get("requested_by", ""))) is None:
        return
    state.legs.asked.pop(entry.entry_id, None)
    opened = state.legs.open.setdefault(entry.account_id, {})
    contract = entry.contract
    if closes := contract.ids.get("closes", ""):
        opened.pop(closes, None)  # Its contract may have ended meanwhile.
    elif state.contracts.get(contract.instrument_id, UNLISTED).ended is None:
        opened[entry.entry_id] = OpenLeg(
            entry.entry_id, home[0], contract.instrument_id, contract.quantity_e8, contract.paid_e8,
            contract.numbers["price_e8"],
        )  # fmt: skip


def ended(state: State, event: ContractFactTaken) -> None:
    """A contract ends, and its legs with it: what they are worth is settled with the positions."""
    uncleared.ended(state, event)
    if event.fact.kind not in ENDS:
        return
    for known in state.legs.open.values():
        for leg_id in [one.leg_id for one in known.values() if one.instrument_id == event.fact.instrument_id]:
            del known[leg_id]
