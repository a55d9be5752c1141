"""Rare situations of clients whose member is in default, by name, as distress_rare.py has those of every distress."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.distress_rare import said, taken_over_after
from truetape import messages as m
from truetape.topics import ORDERS_DECISIONS

if TYPE_CHECKING:
    from tests.simulation.porting import PortingSystem

Judge = Callable[["PortingSystem"], Iterator[Any]]


def met(system: "PortingSystem") -> Counter[str]:
    """Which of them a finished run met."""
    return Counter({name: sum(1 for _ in judge(system)) for name, judge in JUDGED.items()})


def missing(seen: Mapping[str, int]) -> list[str]:
    """Those that no run met, given what all runs together counted."""
    return [name for name in JUDGED if not seen.get(name)]


def closed_out(reason: str) -> Judge:
    """A client was closed out for this reason."""
    return said(m.PortingChanged, lambda event: event.change == "expire" and event.reason == reason)


def refused_in_a_window(system: "PortingSystem") -> Iterator[Any]:
    """Risk has refused an order that would have opened something."""
    for event in system.events(ORDERS_DECISIONS):
        if isinstance(event, m.OrderRejected) and event.numbers.get("member_in_default"):
            yield event


def nobody_given(system: "PortingSystem") -> Iterator[Any]:
    """Reference data has refused to give somebody to a member in default."""
    for event in system.desk.events:
        if isinstance(event, m.ReferenceRejected) and "is in default" in event.reason:
            yield event


JUDGED: Final[Mapping[str, Judge]] = {
    "client ported": said(
        m.PortingChanged, lambda event: event.state == "PORTED" and event.receiver_id != event.account_id
    ),
    "client ported with contracts": said(
        m.PortingChanged,
        lambda event: event.state == "PORTED" and any(name.startswith("quantity_e8/") for name in event.numbers),
    ),
    "closed out, nobody chosen": closed_out("NO_RECEIVER_CHOSEN"),
    "closed out, not accepted": closed_out("NOT_ACCEPTED"),
    "closed out, no room": closed_out("RECEIVER_FULL"),
    "closed out, receiver in default": closed_out("RECEIVER_DEFAULTED"),
    "window ended by the house": said(
        m.RoundRequested, lambda event: event.round.kind == "PORTING" and event.round.ids["actor"] == "house"
    ),
    "order refused in a window": refused_in_a_window,
    "attached to a member in default, refused": nobody_given,
    "crash in the middle of a porting": taken_over_after((m.PortingChanged, m.RoundRequested)),
}
"""Judged by the tape of a finished run."""
