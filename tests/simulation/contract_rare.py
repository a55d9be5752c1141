"""Rare situations of contracts by name, as rare.py has those of every run."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from services.clearing.across.pursuit import whose
from truetape import messages as m
from truetape.service import DUE
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS

if TYPE_CHECKING:
    from tests.simulation.contracts import ContractSystem

Met = Iterator[Any]


def met(system: "ContractSystem") -> Counter[str]:
    """Which of them a finished run met."""
    return Counter({name: sum(1 for _ in judge(system)) for name, judge in JUDGED.items()})


def refused(command: type[Any], *reasons: str) -> Callable[["ContractSystem"], Met]:
    """A command was refused for one of these reasons."""
    return lambda system: (
        event for event in system.answers(m.ClearingRefused)
        if event.command == command.__name__ and event.reason in reasons
    )  # fmt: skip


def changed(*states: str) -> Callable[["ContractSystem"], Met]:
    """A trade of two came into one of these states."""
    return lambda system: (event for event in system.answers(m.TradeChanged) if event.state in states)


def booked(*events: str) -> Callable[["ContractSystem"], Met]:
    """An entry books one of these."""
    return lambda system: (
        entry for _, entry in system.evidence.entries if entry.contract is not None and entry.contract.event in events
    )


def taken_over_within_a_fact(system: "ContractSystem") -> Met:
    """A new owner went on with a fact that its predecessor had begun to apply."""
    for part, tape in system.tapes.items():
        if part.topic == CLEARING_ENTRIES.name:
            messages = [message for _, message in tape.found]
            for before, began, after in zip(messages, messages[1:], messages[2:], strict=False):
                if isinstance(began, m.Began) and not isinstance(before, m.Began) and after.meta.cause.source == DUE:
                    yield after


def trade_after_the_end(system: "ContractSystem") -> Met:
    """A fill from before a contract's end was booked after it, and ended by the same fact."""
    return (e for _, e in system.evidence.entries if e.meta.cause.source == DUE and e.meta.cause.id.count("/") > 1)


def leg_asked_twice(system: "ContractSystem") -> Met:
    """A leg that was booked already was asked for once more."""
    return (
        event for event in system.answers(m.ClearingRefused)
        if event.reason == "COMMAND_REPEATED" and whose(event.requested_by) is not None
    )  # fmt: skip


def netted(event: m.PaymentsNetted, run: int) -> bool:
    """Whether a netting run has an instruction of this number."""
    return any(one.run >= run for one in event.instructions)


def order_refused(reason: str, *kinds: str) -> Callable[["ContractSystem"], Met]:
    """An order for a contract of these kinds was refused for a reason."""
    return lambda system: (
        event for event in system.events(ORDERS_DECISIONS)
        if isinstance(event, m.OrderRejected) and event.reason == reason
        and event.order.instrument_id in system.contracts
        and system.contracts[event.order.instrument_id].terms.kind in kinds
    )  # fmt: skip


JUDGED: Final[Mapping[str, Callable[["ContractSystem"], Met]]] = {
    "fact refused, a later one was there": refused(m.TakeContractFact, "OUT_OF_ORDER"),
    "fact told twice": refused(m.TakeContractFact, "COMMAND_REPEATED"),
    "expiry refused before its time": refused(m.TakeContractFact, "NOT_YET_EXPIRED"),
    "takeover in the middle of a fact": taken_over_within_a_fact,
    "fill from before the end came after it": trade_after_the_end,
    "trade with the house told twice": refused(m.BookTrade, "COMMAND_REPEATED"),
    "trade with the house after the end": refused(m.BookTrade, "CONTRACT_EXPIRED"),
    "trade busted": booked("BUST"),
    "option exercised": booked("EXERCISE"),
    "option assigned": booked("ASSIGNMENT"),
    "trade of two novated": changed("NOVATED"),
    "sides of a trade contradict each other": changed("MISMATCHED"),
    "trade of two refused by the house": changed("REFUSED"),
    "trade of two rejected or withdrawn": changed("REJECTED", "WITHDRAWN"),
    "legs asked for again": lambda system: iter(system.answers(m.LegsAskedAgain)),
    "leg asked for once more after it was booked": leg_asked_twice,
    "value date netted": lambda system: (e for e in system.answers(m.PaymentsNetted) if netted(e, 1)),
    "value date netted again for what came late": lambda system: (
        e for e in system.answers(m.PaymentsNetted) if netted(e, 2)
    ),
    "netting refused, more may come": refused(m.NetPayments, "TOO_OLD"),
    "order refused for want of margin": order_refused("INSUFFICIENT_FUNDS", "PERPETUAL", "FUTURE", "OPTION"),
    "order for what has expired refused": order_refused("INSTRUMENT_NOT_TRADABLE", "FUTURE", "OPTION"),
}
"""Judged by the tape of a finished run."""
