"""Porting: the clients of a defaulted member move, whole, to a member that takes them; who is not taken in time is
closed out for himself.

A client moves with all his positions and all his margin, or not at all: his margin backs his positions and nobody
else's, least of all the losses of the member that failed (EU 648/2012 Art. 39 and 48, PFMI principle 14).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, get_args

from msgspec import Struct

from truetape.transitions import CLOCK, HOUSE, LEDGER, Action, Transitions

PortState = Literal["REQUESTED", "ACCEPTED", "REFUSED", "MOVING", "PORTED", "EXPIRED"]
CLIENT: Final = "client"
RECEIVER: Final = "receiver"
TRANSITIONS: Final = Transitions(
    "REQUESTED",
    {
        "choose": Action(
            (CLIENT,), {"REQUESTED": "REQUESTED", "ACCEPTED": "REQUESTED", "REFUSED": "REQUESTED"},
            "the client names another member, or none",
        ),
        "accept": Action(
            (RECEIVER,), {"REQUESTED": "ACCEPTED", "REFUSED": "ACCEPTED"}, "the client's chosen member takes him"
        ),
        "refuse": Action((RECEIVER,), {"REQUESTED": "REFUSED", "ACCEPTED": "REFUSED"}, "it does not"),
        "move": Action(
            (CLOCK, HOUSE), {"ACCEPTED": "MOVING"}, "the window is over: decided, and reference data is asked"
        ),
        "expire": Action(
            (CLOCK, HOUSE),
            {"REQUESTED": "EXPIRED", "ACCEPTED": "EXPIRED", "REFUSED": "EXPIRED", "MOVING": "EXPIRED"},
            "the window is over, or the receiver defaults before it has him: closed out, with a reason",
        ),
        "port": Action(
            (LEDGER,),
            {"REQUESTED": "PORTED", "ACCEPTED": "PORTED", "REFUSED": "PORTED", "MOVING": "PORTED", "EXPIRED": "PORTED"},
            "reference data says that he has another member",
        ),
    },
)  # fmt: skip
Refusal = Literal["NO_RECEIVER_CHOSEN", "RECEIVER_DEFAULTED", "NOT_ACCEPTED", "UNDER_MARGINED", "RECEIVER_FULL"]
REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)


class Need(Struct, frozen=True):
    """A client in the contracts of one settlement asset."""

    margin_e8: int
    """His own margin, held apart: equity as margin counts it."""
    initial_e8: int
    """What his positions need; it fills the receiver's room."""
    maintenance_e8: int
    """Below this he is liquidated anyway, and moves nowhere."""


class Client(Struct, frozen=True):
    """A client of the defaulted member."""

    account_id: str
    positions: Mapping[str, int]
    """Signed quantity by instrument."""
    needs: Mapping[str, Need]
    """By settlement asset."""
    receiver_id: str = ""
    """The member that he has chosen; empty when none."""


class Receiver(Struct, frozen=True):
    """A member that may take clients."""

    member_id: str
    accepts: frozenset[str]
    """Clients that it has said yes to, by account."""
    room_e8: Mapping[str, int]
    """Initial need that it can take over in all, by settlement asset; none where there is nothing."""
    defaulted: bool = False


class Ported(Struct, frozen=True):
    """A client moves with all he has."""

    client: Client
    receiver_id: str


class ClosedOut(Struct, frozen=True):
    """A client is closed out, and what is left of his margin is his."""

    client: Client
    reason: Refusal


class Outcome(Struct, frozen=True):
    """Every client is in one of the two, once, as he was."""

    ported: tuple[Ported, ...]
    closed_out: tuple[ClosedOut, ...]


def port(clients: Sequence[Client], receivers: Sequence[Receiver], asset: str) -> Outcome:
    """Who moves and who is closed out, at the end of the window. Where a receiver has not room for all, smaller initial
    needs in `asset` (the member's default's) go first, since then more clients move, then the account id.
    """
    known = {receiver.member_id: receiver for receiver in receivers}
    room_e8 = {receiver.member_id: dict(receiver.room_e8) for receiver in receivers}
    assert len({client.account_id for client in clients}) == len(clients), "each client once"
    ported: list[Ported] = []
    closed: list[ClosedOut] = []
    for client in sorted(clients, key=lambda one: (_initial_e8(one, asset), one.account_id)):
        reason = refusal(client, known.get(client.receiver_id), room_e8)
        if reason is None:
            for name, need in client.needs.items():
                left_e8 = room_e8[client.receiver_id].get(name, 0)
                room_e8[client.receiver_id][name] = left_e8 - need.initial_e8
            ported.append(Ported(client, client.receiver_id))
        else:
            closed.append(ClosedOut(client, reason))
    assert len(ported) + len(closed) == len(clients), "nobody is lost"
    return Outcome(tuple(ported), tuple(closed))


def _initial_e8(client: Client, asset: str) -> int:
    need = client.needs.get(asset)
    return need.initial_e8 if need is not None else 0


def refusal(client: Client, receiver: Receiver | None, room_e8: Mapping[str, Mapping[str, int]]) -> Refusal | None:
    """Why a client cannot move; None when he can."""
    if receiver is None:
        return "NO_RECEIVER_CHOSEN"
    if receiver.defaulted:
        return "RECEIVER_DEFAULTED"
    if client.account_id not in receiver.accepts:
        return "NOT_ACCEPTED"
    if any(need.margin_e8 < need.maintenance_e8 for need in client.needs.values()):
        return "UNDER_MARGINED"
    return "RECEIVER_FULL" if any(_too_much(client, room_e8[receiver.member_id])) else None


def _too_much(client: Client, room_e8: Mapping[str, int]) -> Iterator[bool]:
    return (need.initial_e8 > room_e8.get(name, 0) for name, need in client.needs.items())
