"""Where the clients of a member in default go, one client at a time; the rules are truetape/default/porting.py.

A client is an account of its own, with its own positions, margin and limits, whatever its member. So nothing of it is
moved in the ledger: what moves is the membership (reference data), and with it whose share of the clearing fund answers
for what the client cannot pay. Before that moves, the client's margin and the receiver's room are checked; whoever
cannot move is closed out by liquidation, down to nothing, and what is left of its money is its own.

    CHOSEN      beforehand: the member that the client would go to
    REQUESTED   its member is in default and the window is open; ACCEPTED, REFUSED: what the chosen member says
    MOVING      decided: reference data is asked for the new member, until it says so: PORTED
    EXPIRED     closed out, with a reason
"""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import to_builtins
from msgspec.structs import replace

from services.clearing.across import pursuit
from services.clearing.booking import trades
from services.clearing.defaults import portingrounds
from services.clearing.defaults.portbook import Verdict
from services.clearing.state import FACTS_KEPT, State
from truetape.default.porting import CLIENT, RECEIVER, TRANSITIONS
from truetape.messages import (
    ActOnPorting,
    ClearingRefusal,
    ClearingRefused,
    DefaultChanged,
    PortingChanged,
    ReviewMargin,
    RoundRequested,
    SetMember,
    SetMemberDefaulted,
)
from truetape.reference import Reference
from truetape.service import Input
from truetape.transitions import CLOCK, HOUSE, LEDGER, NotLegal

CHOSEN: Final = "CHOSEN"
EXPIRED: Final = "EXPIRED"
MOVING: Final = "MOVING"
PORTED: Final = "PORTED"
ACTIONS: Final = {"choose": CLIENT, "accept": RECEIVER, "refuse": RECEIVER, "end": HOUSE}
"""What may be asked for, and by whom."""


def closed_out(state: State, account_id: str) -> bool:
    """Whether a client's positions are all sold, since no member takes it."""
    known = state.portings.open.get(account_id)
    return known is not None and known.state == EXPIRED


# -- what somebody asks for --------------------------------------------------------------------------------------------


def act(state: State, given: Input, command: ActOnPorting) -> PortingChanged | RoundRequested | ClearingRefused:
    """A client chooses, a member accepts or refuses, the house ends the window."""

    def no(reason: ClearingRefusal, detail: str) -> ClearingRefused:
        return trades.refused(given, command.command_id, command.account_id, command, reason, detail)

    reference = given.tables.reference
    if command.command_id in state.facts.ids:
        return no("COMMAND_REPEATED", "it is answered already: see `truetape porting list`")
    if command.action not in ACTIONS:
        return no("UNSUPPORTED", f"action is one of {', '.join(ACTIONS)}")
    if command.account_id not in reference.accounts:
        return no("ACCOUNT_UNKNOWN", f"account {command.account_id} is not open")
    if ACTIONS[command.action] == HOUSE:
        if command.actor_id != HOUSE:
            return no("STATE_WRONG", "only the house ends a window")
        return portingrounds.end(state, given, command)
    if round_id := state.rounds.holding(command.account_id):
        return no("STATE_WRONG", f"round {round_id} decides about it now: see `truetape porting list`")
    if command.action == "choose" and (wrong := _unfit(reference, command)):
        return no("NUMBERS_WRONG", wrong)
    known = state.portings.open.get(command.account_id)
    if known is not None and known.state in portingrounds.UNDECIDED and given.at_us >= known.expires_at_us:
        return no("DEADLINE_PASSED", "the window is over, and is being decided")
    try:
        return _acted(state, given, command)
    except NotLegal as error:
        return no("STATE_WRONG", str(error))


def _unfit(reference: Reference, command: ActOnPorting) -> str:
    """Why a member cannot be chosen; empty when it can, or when a choice is taken back."""
    account_id, receiver_id = command.account_id, command.receiver_id
    if reference.member_of(account_id) == account_id:
        return f"{account_id} is a member itself: only a client chooses"
    if receiver_id and receiver_id not in reference.accounts:
        return f"account {receiver_id} is not open"
    if receiver_id and reference.member_of(receiver_id) != receiver_id:
        return f"{receiver_id} is itself a client of {reference.member_of(receiver_id)}: choose a member"
    if receiver_id == reference.member_of(account_id):
        return f"{receiver_id} is its member already: choose where it goes when that fails"
    if receiver_id in reference.defaulted:
        return f"{receiver_id} is in default ({reference.defaulted[receiver_id]}): choose another member"
    return ""


def _acted(state: State, given: Input, command: ActOnPorting) -> PortingChanged:
    """Raises NotLegal."""
    known, actor = state.portings.open.get(command.account_id), ACTIONS[command.action]
    if actor == CLIENT and command.actor_id != command.account_id:
        raise NotLegal(f"{command.account_id} alone chooses, and {command.actor_id} asked")
    if known is None and actor == CLIENT:
        return _chosen(given, command)
    if known is None:
        raise NotLegal(f"no window is open for {command.account_id}: its member is not in default")
    if actor == RECEIVER and command.actor_id != known.receiver_id:
        raise NotLegal(f"{command.account_id} has chosen {known.receiver_id or 'nobody'}, and {command.actor_id} asked")
    if command.action == "accept" and (default_id := given.tables.reference.defaulted.get(command.actor_id)):
        raise NotLegal(f"{command.actor_id} is in default ({default_id}) and takes nobody")
    after = TRANSITIONS.after(known.state, command.action, actor)
    receiver_id = command.receiver_id if actor == CLIENT else known.receiver_id
    return _changed(
        given, known, after, command.action, actor, command_id=command.command_id, receiver_id=receiver_id,
        detail=command.reason[: trades.REASON_MAX], requested_by=command.requested_by,
    )  # fmt: skip


def _chosen(given: Input, command: ActOnPorting) -> PortingChanged:
    """Beforehand."""
    return PortingChanged(
        meta=given.meta(command.account_id), command_id=command.command_id, account_id=command.account_id,
        member_id=given.tables.reference.member_of(command.account_id), default_id="", receiver_id=command.receiver_id,
        state=CHOSEN, change="choose", actor=CLIENT, reason="", expires_at_us=0, attempt=0, numbers={}, ids={},
        detail=command.reason[: trades.REASON_MAX], requested_by=command.requested_by,
    )  # fmt: skip


def _changed(
    given: Input, known: PortingChanged, state: str, change: str, actor: str, **changes: Any
) -> PortingChanged:
    """The next record; what it saw and why is its own."""
    fresh: dict[str, Any] = {
        "command_id": "", "reason": "", "attempt": 0, "numbers": {}, "ids": {}, "detail": "", "requested_by": "",
    }  # fmt: skip
    meta = given.meta(known.account_id)
    return replace(known, meta=meta, state=state, change=change, actor=actor, **(fresh | changes))


# -- what rounds have said, and what time does -------------------------------------------------------------------------


def review(state: State, given: Input, asked: ReviewMargin) -> PortingChanged | None:
    """The record of what a round has said about a client."""
    verdict = state.portings.verdicts.get(asked.account_id)
    if verdict is None:
        return None
    if verdict.kind == portingrounds.OPEN:
        return _opened(state, given, asked.account_id, verdict)
    known = state.portings.open.get(asked.account_id) or _opened(state, given, asked.account_id, verdict)
    moves, actor = verdict.kind == portingrounds.MOVE, verdict.terms.ids["actor"]
    change = "move" if moves else "expire"
    return _changed(
        given, known, TRANSITIONS.after(known.state, change, actor), change, actor,
        reason="" if moves else verdict.kind, numbers=portingrounds.evidence(state, given, asked.account_id),
        ids={"round_id": verdict.terms.round_id}, detail=verdict.terms.ids["reason"],
        requested_by=verdict.terms.requested_by,
    )  # fmt: skip


def _opened(state: State, given: Input, account_id: str, verdict: Verdict) -> PortingChanged:
    terms = verdict.terms
    return PortingChanged(
        meta=given.meta(account_id), command_id="", account_id=account_id, member_id=terms.ids["account_id"],
        default_id=terms.ids["default_id"], receiver_id=state.portings.chosen.get(account_id, ""), state="REQUESTED",
        change="open", actor=CLOCK, reason="", expires_at_us=terms.numbers["expires_at_us"], attempt=0,
        numbers=portingrounds.evidence(state, given, account_id), ids={"round_id": terms.round_id}, detail="",
        requested_by=terms.requested_by,
    )  # fmt: skip


def tick(state: State, given: Input) -> PortingChanged | None:
    """A client has another member now; or reference data is asked once more for it. Where that says that the receiver
    is in default and the client is not there, he never will be: he is closed out."""
    reference = given.tables.reference
    for account_id, known in sorted(state.portings.open.items()):
        member_id = reference.member_of(account_id)
        if member_id != known.member_id:
            return _changed(
                given, known, TRANSITIONS.after(known.state, "port", LEDGER), "port", LEDGER, receiver_id=member_id,
                numbers=portingrounds.evidence(state, given, account_id),
            )  # fmt: skip
        if known.state == MOVING and known.receiver_id in reference.defaulted:
            return _changed(
                given, known, TRANSITIONS.after(known.state, "expire", CLOCK), "expire", CLOCK,
                reason="RECEIVER_DEFAULTED", numbers=portingrounds.evidence(state, given, account_id),
                ids={"default_id": reference.defaulted[known.receiver_id]},
            )  # fmt: skip
        if known.state == MOVING and pursuit.overdue(known.meta.decided_at_us, known.attempt, given.at_us):
            return replace(known, meta=given.meta(account_id), attempt=known.attempt + 1)
    return None


# -- evolve ------------------------------------------------------------------------------------------------------------


def changed(state: State, event: PortingChanged) -> None:
    """Where a client goes, as it is now."""
    book, account_id = state.portings, event.account_id
    book.verdicts.pop(account_id, None)
    if event.command_id:
        state.facts.add(event.command_id, FACTS_KEPT)
    if event.change == "choose" and event.receiver_id:
        book.chosen[account_id] = event.receiver_id
    elif event.change == "choose" or event.state == PORTED:
        book.chosen.pop(account_id, None)
    if event.state == PORTED:
        book.open.pop(account_id, None)
    elif event.state != CHOSEN:
        book.open[account_id] = event


# -- effects -----------------------------------------------------------------------------------------------------------


def command_after(event: PortingChanged) -> SetMember | None:
    """What reference data is asked for. It names the member that is left, so a late copy changes nothing any more."""
    if event.state != MOVING:
        return None
    name = f"port:{event.default_id}:{event.account_id}:{event.attempt}"
    return SetMember(name, "clearing", event.account_id, event.receiver_id, event.member_id)


def barred(event: DefaultChanged) -> SetMemberDefaulted:
    """Reference data gives nobody to who is in default; told with each record of it, and it counts once."""
    return SetMemberDefaulted(f"bar:{event.meta.event_id}", "clearing", event.account_id, event.default_id)


def commands_left(state: State) -> Iterator[SetMember | SetMemberDefaulted]:
    """What the portings of a partition that was taken over still wait for, and who is in default there."""
    for _, newest in sorted(state.defaults.items()):
        yield barred(newest)
    for _, known in sorted(state.portings.open.items()):
        if (command := command_after(known)) is not None:
            yield command


def shown(state: State) -> Iterator[tuple[str, str, object]]:
    """What an operator sees, by account: account, name, content."""
    for account_id, receiver_id in state.portings.chosen.items():
        yield account_id, "chosen_member", receiver_id
    for account_id, known in state.portings.open.items():
        names = ("member_id", "receiver_id", "state", "reason", "expires_at_us", "default_id", "attempt", "numbers")
        yield account_id, "porting", {name: getattr(known, name) for name in names}
    for member_id, window in state.portings.windows.items():
        yield member_id, "porting_window", to_builtins(window)
