"""Parked inputs of halted accounts: what is kept of each, and why a command to resolve one is refused."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, field

from services.clearing.booking.ledger import LedgerError
from truetape.codec import Message, decode
from truetape.messages import DismissParked, Release, ReleaseParked, ReleaseRefusal, ReleaseRefused
from truetape.recent import Recent
from truetape.service import Input

RESOLVED_KEPT: Final = 4_096
"""Resolved inputs whose resolution is told when it is asked for again; an older one is unknown, and stays resolved."""
DETAIL_MAX: Final = 1_000
Command = ReleaseParked | DismissParked


class InputTooLong(LedgerError):
    """A parked input whose bytes its event does not hold."""


class Parked(Struct, frozen=True, array_like=True, gc=False):
    """One input that was set aside, as its InputParked has it."""

    event_id: str
    source: str
    offset: int
    reason: str
    parked_at_us: int
    input: bytes | None

    def shown(self) -> dict[str, Any]:
        """What an operator sees of it."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "input"}

    def message(self) -> Message:
        """The input as this version reads it. Raises InputTooLong or SchemaError."""
        if self.input is None:
            raise InputTooLong(
                f"only {self.source} holds the bytes of {self.event_id}: they cannot be booked from here"
            )
        return decode(self.input)


class Resolved(Struct, array_like=True):
    """The parked inputs resolved last: the command that did it and the event that says so, by InputParked."""

    events: dict[str, tuple[str, str]] = {}
    recent: Recent = field(default_factory=Recent)

    def add(self, release: Release, event_id: str) -> None:
        """Remember one, and forget the oldest for it."""
        self.events[release.parked_event_id] = (release.command_id, event_id)
        if (forgotten := self.recent.add(release.parked_event_id, RESOLVED_KEPT)) is not None:
            del self.events[forgotten]


def unresolvable(given: Input, command: Command, queue: Sequence[Parked], resolved: Resolved) -> ReleaseRefused | None:
    """Why there is nothing to resolve; None when there is."""
    if any(one.event_id == command.parked_event_id for one in queue):
        return None
    if (known := resolved.events.get(command.parked_event_id)) is not None:
        command_id, event_id = known
        reason: ReleaseRefusal = "COMMAND_REPEATED" if command_id == command.command_id else "ALREADY_RESOLVED"
        return refused(given, command, reason, f"{event_id} resolved it", event_id)
    parked = f"account {command.account_id} has {len(queue)} parked inputs, and this is none of them"
    return refused(given, command, "PARKED_UNKNOWN", parked)


def refused(
    given: Input, command: Command, reason: ReleaseRefusal, detail: str, decision_event_id: str | None = None
) -> ReleaseRefused:
    """The answer to a command that changes nothing."""
    return ReleaseRefused(
        given.meta(command.command_id), command.command_id, command.account_id, command.parked_event_id,
        command.requested_by, reason, detail[:DETAIL_MAX], decision_event_id,
    )  # fmt: skip


def release_of(command: Command, queue: Sequence[Parked]) -> Release:
    """That the input which a command names is resolved, and how many the account has left."""
    return Release(command.command_id, command.parked_event_id, command.requested_by, len(queue) - 1)
