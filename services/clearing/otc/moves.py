"""Give-ups and allocations: an open leg moves to other accounts at its own price and cost.

The executing account asks; its partition is the home, since the leg is there. Receiving accounts accept (or have agreed
beforehand, `AgreeMoves`), all of them reserve margin, and so does the giving account for what it is left with. Then one
record moves the leg: its reversal for the giving account and the new legs are booked as those of a novated trade are.
Names of states follow the give-up process of FIA and the allocation process of FIX (AllocStatus).
"""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.across.pursuit import ALLOCATION, GIVE_UP, Stage
from services.clearing.booking import trades
from services.clearing.otc import novation
from services.clearing.state import TRADES_KEPT, UNLISTED, Move, OpenLeg, State
from truetape import ids
from truetape.messages import (
    ClearingRefusal,
    ClearingRefused,
    EndMove,
    LegAnswered,
    LegConfirmed,
    MoveChanged,
    MoveLeg,
    TellLeg,
    TradeLeg,
)
from truetape.money import from_e8
from truetape.service import Input
from truetape.transitions import CLOCK, HOUSE, Action, NotLegal, Transitions

MOVE_WITHIN_US: Final = 2 * 3_600 * 1_000_000
"""How long receiving accounts have to accept."""
SHARES_MAX: Final = 100
MoveState = Literal["ASKED", "MOVED", "DECLINED", "REFUSED", "WITHDRAWN", "EXPIRED"]
GIVER: Final = "giving account"
RECEIVER: Final = "receiving account"
TRANSITIONS: Final = Transitions(
    "ASKED",
    {
        "move": Action((HOUSE,), {"ASKED": "MOVED"}, "all accept and have reserved margin: the leg moves"),
        "decline": Action((RECEIVER,), {"ASKED": "DECLINED"}, "one does not take it; nothing moves"),
        "refuse": Action((HOUSE,), {"ASKED": "REFUSED"}, "somebody's margin or limits forbid it; nothing moves"),
        "withdraw": Action((GIVER,), {"ASKED": "WITHDRAWN"}, "it was a mistake"),
        "pass_deadline": Action((CLOCK,), {"ASKED": "EXPIRED"}, "not everybody has answered in time"),
    },
)
STAGES: Final[dict[str, Stage]] = {"ASKED": "ASKING", "MOVED": "BOOKING"}


def move(state: State, given: Input, command: MoveLeg) -> MoveChanged | ClearingRefused:
    """Ask for a give-up or an allocation; refused by name when it cannot be."""
    leg = state.legs.open.get(command.account_id, {}).get(command.leg_id)
    if leg is None:
        return _no(given, command, "ENTRY_UNKNOWN", f"{command.account_id} has no open leg {command.leg_id}")
    if wrong := next(_objections(state, given, command, leg), None):
        return _no(given, command, *wrong)
    move_id = ids.leg_id(leg.leg_id, command.command_id)
    try:
        legs = tuple(_legs(command, leg, move_id))
    except NotLegal as error:
        return _no(given, command, "NUMBERS_WRONG", str(error))
    return MoveChanged(
        given.meta(move_id), command.command_id, command.account_id, move_id, command.kind, "ASKED",
        shown(leg, command.account_id), legs, command.account_id, "", "", given.at_us + MOVE_WITHIN_US,
        command.reference, command.requested_by,
    )  # fmt: skip


def _objections(state: State, given: Input, command: MoveLeg, leg: OpenLeg) -> Iterator[tuple[ClearingRefusal, str]]:
    reference, to = given.tables.reference, [share.account_id for share in command.shares]
    instrument = reference.instruments.get(leg.instrument_id)
    if command.kind not in (GIVE_UP, ALLOCATION):
        yield "UNSUPPORTED", f"kind is {GIVE_UP} or {ALLOCATION}"
    if moving := moved_by(state, leg.leg_id):
        yield "STATE_WRONG", f"leg {leg.leg_id} is being moved by {moving} already"
    if unknown := [name for name in to if name not in reference.accounts]:
        yield "ACCOUNT_UNKNOWN", f"account {unknown[0]} is not open"
    if command.kind == GIVE_UP and (len(to) != 1 or to == [command.account_id]):
        yield "NUMBERS_WRONG", "a give-up has one other account, which takes the whole leg; allocate to several"
    if len(to) > SHARES_MAX:
        yield "NUMBERS_WRONG", f"at most {SHARES_MAX} accounts share a leg; allocate in steps"
    if instrument is None or state.contracts.get(leg.instrument_id, UNLISTED).ended is not None:
        yield "CONTRACT_EXPIRED", f"{leg.instrument_id} has ended"
    elif odd := [share.account_id for share in command.shares if share.quantity_e8 % instrument.lot_e8]:
        yield "NUMBERS_WRONG", f"the quantity of {odd[0]} is no multiple of {from_e8(instrument.lot_e8)}"


def _legs(command: MoveLeg, leg: OpenLeg, move_id: str) -> Iterator[TradeLeg]:
    """The reversal of the leg first, then what each account gets. Raises NotLegal when the shares are wrong."""
    whole = novation.Leg(leg.leg_id, leg.trade_id, command.account_id, leg.instrument_id, leg.quantity_e8, leg.cost_e8)
    shares = [(share.account_id, share.quantity_e8) for share in command.shares]
    split = novation.allocate(whole, shares, move_id)
    for one in split.booked():
        closes = leg.leg_id if one.account_id == command.account_id and one not in split.opens else ""
        yield TradeLeg(
            ids.leg_id(move_id, "closed") if closes else one.leg_id, one.account_id, one.instrument_id,
            "BUY" if one.quantity_e8 > 0 else "SELL", abs(one.quantity_e8), leg.price_e8, one.cost_e8, closes,
        )  # fmt: skip


def moved_by(state: State, leg_id: str) -> str:
    """The give-up or allocation that has hold of a leg; empty for none."""
    return next((name for name, one in sorted(state.moves.items()) if one.event.leg.leg_id == leg_id), "")


def shown(leg: OpenLeg, account_id: str) -> TradeLeg:
    """An open leg as records have it."""
    return TradeLeg(
        leg.leg_id, account_id, leg.instrument_id, "BUY" if leg.quantity_e8 > 0 else "SELL", abs(leg.quantity_e8),
        leg.price_e8, leg.cost_e8,
    )  # fmt: skip


def tell(state: State, given: Input, known: Move, command: TellLeg) -> MoveChanged | LegAnswered | LegConfirmed | None:
    """A party's partition says how its leg stands."""
    if known.stage == "RELEASING":
        return pursuit.let_go(given, known, command)
    if known.stage == "BOOKING":
        return None
    if command.state != "RESERVED":
        action = "decline" if command.state == "DECLINED" else "refuse"
        others = tuple(leg for leg in known.legs if leg.leg_id != command.leg_id)
        actor = command.party_id if action == "decline" else HOUSE
        return _after(given, known, action, actor, others, command.reason, command.detail)
    if len(known.waiting) > 1:
        return pursuit.answered(given, known, command)
    if known.event.leg.leg_id not in state.legs.open.get(known.home_id, {}):
        detail = f"leg {known.event.leg.leg_id} is not open any more"
        return _after(given, known, "refuse", HOUSE, known.legs, "LEG_UNKNOWN", detail)
    return _after(given, known, "move", HOUSE, known.legs)


def end(state: State, given: Input, command: EndMove) -> MoveChanged | ClearingRefused:
    """The giving account takes it back."""
    known = state.moves.get(command.move_id)
    if known is None or known.event.state != "ASKED":
        return _no(given, command, "STATE_WRONG", f"{command.move_id} is not open")
    reason = command.reason[: trades.REASON_MAX]
    made = _after(given, known, "withdraw", command.account_id, known.legs, "", reason)
    return replace(made, command_id=command.command_id, requested_by=command.requested_by)


def expire(given: Input, known: Move) -> MoveChanged | None:
    """Time is over, or not yet."""
    if known.event.state != "ASKED" or given.at_us < known.event.expires_at_us:
        return None
    silent = sorted(leg.account_id for leg in known.waiting.values())
    detail = f"no answer for {', '.join(silent)}"
    return _after(given, known, "pass_deadline", CLOCK, known.legs, "DEADLINE_PASSED", detail)


def _after(
    given: Input, known: Move, action: str, actor: str, legs: tuple[TradeLeg, ...], reason: str = "", detail: str = ""
) -> MoveChanged:
    role = {"decline": RECEIVER, "withdraw": GIVER}.get(action, actor)
    state = TRANSITIONS.after(known.event.state, action, role)
    return replace(
        known.event, meta=given.meta(known.event.move_id), command_id="", state=state, legs=legs, actor=actor,
        reason=reason, detail=detail, requested_by="",
    )  # fmt: skip


def _no(given: Input, command: MoveLeg | EndMove, reason: ClearingRefusal, detail: str) -> ClearingRefused:
    return trades.refused(given, command.command_id, command.account_id, command, reason, detail)


# -- evolve ------------------------------------------------------------------------------------------------------------


def known_after(event: MoveChanged) -> Move:
    """A move as a record has left it."""
    found = Move(home_id=event.account_id, event=event)
    found.pursue(STAGES.get(event.state, "RELEASING"), event.legs, event.meta.decided_at_us)
    return found


def changed(state: State, event: MoveChanged) -> None:
    """A move as it is now; what has ended and waits for nothing is remembered by its id."""
    if event.legs:
        state.moves[event.move_id] = known_after(event)
    else:
        forget(state, event.move_id)


def forget(state: State, move_id: str) -> None:
    """Nothing of it is waited for any more."""
    state.moves.pop(move_id, None)
    state.traded.add(move_id, TRADES_KEPT)


def shown_move(known: Move) -> dict[str, object]:
    """What an operator sees of a give-up or allocation."""
    parties = sorted({known.event.account_id, *(leg.account_id for leg in known.event.legs)})
    return {
        "trade_id": known.event.move_id, "kind": known.event.kind, "state": known.event.state, "parties": parties,
        "first_id": known.event.account_id, "expires_at_us": known.event.expires_at_us,
        "waiting": sorted(known.waiting), "waits_for": sorted({leg.account_id for leg in known.waiting.values()}),
        "stage": known.stage if known.waiting else "", "differences": [],
    }  # fmt: skip
