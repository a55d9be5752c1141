"""Porting: the clients of a defaulted member move, whole, to a member that takes them; who is not taken in time is
closed out for himself.

A client moves with all his positions and all his margin, or not at all: his margin backs his positions and nobody
else's, least of all the losses of the member that failed (EU 648/2012 Art. 39 and 48, PFMI principle 14).
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

from msgspec import Struct

from truetape.transitions import CLOCK, HOUSE, Action, Transitions

PortState = Literal["REQUESTED", "ACCEPTED", "PORTED", "REFUSED", "EXPIRED"]
RECEIVER: Final = "receiver"
TRANSITIONS: Final = Transitions(
    "REQUESTED",
    {
        "accept": Action((RECEIVER,), {"REQUESTED": "ACCEPTED"}, "the client's chosen member takes him"),
        "refuse": Action((RECEIVER,), {"REQUESTED": "REFUSED", "ACCEPTED": "REFUSED"}, "it does not"),
        "port": Action((HOUSE,), {"ACCEPTED": "PORTED"}, "positions and margin have moved, in one entry"),
        "pass_deadline": Action(
            (CLOCK,), {"REQUESTED": "EXPIRED", "ACCEPTED": "EXPIRED"}, "the porting window has closed"
        ),
    },
)
Refusal = Literal["NO_RECEIVER_CHOSEN", "RECEIVER_DEFAULTED", "NOT_ACCEPTED", "UNDER_MARGINED", "RECEIVER_FULL"]
REFUSALS: Final[tuple[Refusal, ...]] = get_args(Refusal)


class Client(Struct, frozen=True):
    """A client of the defaulted member."""

    account_id: str
    positions: Mapping[str, int]
    """Signed quantity by instrument."""
    margin_e8: int
    """His own margin, held apart."""
    required_e8: int
    """What his positions need."""
    receiver_id: str = ""
    """The member that he has chosen beforehand; empty when none."""


class Receiver(Struct, frozen=True):
    """A member that may take clients."""

    member_id: str
    accepts: frozenset[str]
    """Clients that it has said yes to, by account."""
    capacity_e8: int
    """Requirement that it can take over in all."""
    defaulted: bool = False


class Ported(Struct, frozen=True):
    """A client moves with all he has."""

    account_id: str
    receiver_id: str
    positions: Mapping[str, int]
    margin_e8: int


class ClosedOut(Struct, frozen=True):
    """A client is closed out, and what is left of his margin is his."""

    account_id: str
    reason: Refusal
    positions: Mapping[str, int]
    margin_e8: int


class Outcome(Struct, frozen=True):
    """Every client is in one of the two, once."""

    ported: tuple[Ported, ...]
    closed_out: tuple[ClosedOut, ...]


def port(clients: Sequence[Client], receivers: Sequence[Receiver]) -> Outcome:
    """Who moves and who is closed out, at the end of the window. Where a receiver has not room for all, smaller
    requirements go first (more clients move), then the account id.
    """
    known = {receiver.member_id: receiver for receiver in receivers}
    room_e8 = {receiver.member_id: receiver.capacity_e8 for receiver in receivers}
    assert len({client.account_id for client in clients}) == len(clients), "each client once"
    ported: list[Ported] = []
    closed: list[ClosedOut] = []
    for client in sorted(clients, key=lambda one: (one.required_e8, one.account_id)):
        reason = _refusal(client, known.get(client.receiver_id), room_e8)
        if reason is None:
            room_e8[client.receiver_id] -= client.required_e8
            ported.append(Ported(client.account_id, client.receiver_id, client.positions, client.margin_e8))
        else:
            closed.append(ClosedOut(client.account_id, reason, client.positions, client.margin_e8))
    assert _sums(clients) == _sums([*ported, *closed]), "nobody's margin and no contract is lost"
    return Outcome(tuple(ported), tuple(closed))


def _refusal(client: Client, receiver: Receiver | None, room_e8: Mapping[str, int]) -> Refusal | None:
    if receiver is None:
        return "NO_RECEIVER_CHOSEN"
    if receiver.defaulted:
        return "RECEIVER_DEFAULTED"
    if client.account_id not in receiver.accepts:
        return "NOT_ACCEPTED"
    if client.margin_e8 < client.required_e8:
        return "UNDER_MARGINED"
    return None if client.required_e8 <= room_e8[receiver.member_id] else "RECEIVER_FULL"


def _sums(held: Sequence[Client | Ported | ClosedOut]) -> tuple[int, dict[str, int]]:
    quantities: dict[str, int] = {}
    for one in held:
        for instrument_id, quantity_e8 in one.positions.items():
            quantities[instrument_id] = quantities.get(instrument_id, 0) + quantity_e8
    return sum(one.margin_e8 for one in held), quantities
