"""Rare situations of accounts in distress by name, as rare.py has those of every run."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.distress_invariants import LIQUIDATION
from truetape import messages as m
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS

if TYPE_CHECKING:
    from tests.simulation.distress import DistressSystem

Met = Iterator[Any]
Judge = Callable[["DistressSystem"], Met]


def met(system: "DistressSystem") -> Counter[str]:
    """Which of them a finished run met."""
    return Counter({name: sum(1 for _ in judge(system)) for name, judge in JUDGED.items()})


def missing(seen: Mapping[str, int]) -> list[str]:
    """Those that no run met, given what all runs together counted."""
    return [name for name in JUDGED if not seen.get(name)]


def said(kind: type[Any], holds: Callable[[Any], bool] = lambda _: True) -> Judge:
    """Clearing has written a record of a kind of which something holds."""
    return lambda system: (event for event in system.answers(kind) if holds(event))


def call_met(state: str) -> Judge:
    """A call was met that had come to a state before."""

    def judge(system: "DistressSystem") -> Met:
        was: dict[str, str] = {}
        for event in system.answers(m.MarginCallChanged):
            if event.state == "MET" and was.get(event.call_id) == state:
                yield event
            was[event.call_id] = event.state

    return judge


def orders_of_liquidations(system: "DistressSystem") -> set[str]:
    """Their ids."""
    changed = system.answers(m.LiquidationChanged)
    return {event.order.order_id for event in changed if event.order is not None}


def executed(kind: type[Any] | tuple[type[Any], ...], holds: Callable[[Any], bool] = lambda _: True) -> Judge:
    """Something happened to an order of a liquidation on its way to the venue."""

    def judge(system: "DistressSystem") -> Met:
        mine = orders_of_liquidations(system)
        for event in system.events(ORDERS_EXECUTIONS):
            if isinstance(event, kind) and event.order_id in mine and holds(event):
                yield event

    return judge


def decided(kind: type[Any], reason: str, of_liquidation: bool) -> Judge:
    """Risk has said so of a liquidation's order, or of an account's own while it is liquidated."""

    def judge(system: "DistressSystem") -> Met:
        for event in system.events(ORDERS_DECISIONS):
            if isinstance(event, kind) and event.reason == reason:
                own = not event.order.client_order_id.startswith(LIQUIDATION)
                if own != of_liquidation and (of_liquidation or event.numbers.get("liquidation")):
                    yield event

    return judge


def refused_order(system: "DistressSystem") -> Met:
    """Risk has refused an order of a liquidation."""
    for event in system.events(ORDERS_DECISIONS):
        if isinstance(event, m.OrderRejected) and event.order.client_order_id.startswith(LIQUIDATION):
            yield event


def taken_over_after(kind: type[Any] | tuple[type[Any], ...], *states: str) -> Judge:
    """The record after one of a kind is a new owner's first: its writer has not, or hardly, told anybody."""

    def judge(system: "DistressSystem") -> Met:
        for part, tape in system.tapes.items():
            if part.topic == CLEARING_ENTRIES.name:
                messages = [message for _, message in tape.found]
                for before, after in pairwise(messages):
                    hit = isinstance(before, kind) and (not states or before.state in states)
                    if hit and isinstance(after, m.Began):
                        yield before

    return judge


def default_found_orders(system: "DistressSystem") -> Met:
    """Orders were open when a default was declared: its loss had to wait for them."""
    for event in system.events(ORDERS_DECISIONS):
        if isinstance(event, m.CancelRequested) and event.command_id.startswith("default:") and event.order_ids:
            yield event


def second_default_in_flight(system: "DistressSystem") -> Met:
    """A default was declared while another one's loss was not borne yet."""
    open_ones: dict[str, str] = {}
    for event in sorted(system.answers(m.DefaultChanged), key=lambda one: one.meta.decided_at_us):
        if event.state == "DECLARED" and any(name != event.account_id for name in open_ones):
            yield event
        if event.state in ("DECLARED", "LOSS_FIXED"):
            open_ones[event.account_id] = event.state
        else:
            open_ones.pop(event.account_id, None)


def borne(layer: str) -> Judge:
    """A layer has borne something."""
    return said(m.RoundDecided, lambda event: any(name.startswith(f"{layer}/") for name in event.outcome))


JUDGED: Final[Mapping[str, Judge]] = {
    "call met": call_met("CALLED"),
    "call met late": call_met("MISSED"),
    "call paid in part": said(m.MarginCallChanged, lambda event: event.action == "pay"),
    "call withdrawn, margin came back": said(m.MarginCallChanged, lambda event: event.action == "recover"),
    "dispute upheld": said(m.MarginCallChanged, lambda event: event.action == "uphold_dispute"),
    "call ended in default": said(m.MarginCallChanged, lambda event: event.state == "DEFAULT"),
    "liquidation restored margin": said(m.LiquidationEnded, lambda event: event.outcome == "RESTORED" and event.steps),
    "liquidation of several orders": said(m.LiquidationEnded, lambda event: event.steps > 1),
    "liquidation handed over": said(m.LiquidationEnded, lambda event: event.outcome in ("UNSOLD", "BANKRUPT")),
    "liquidation ended in a loss": said(m.LiquidationEnded, lambda event: event.outcome == "LOSS"),
    "insurance fund covered a loss": said(m.LiquidationEnded, lambda event: event.covered_e8 > 0),
    "another partition's part of the insurance fund paid": said(
        m.RoundDecided, lambda event: event.round.kind == "INSURANCE" and event.legs
    ),
    "liquidation's order UNKNOWN": executed(m.OutcomeUnknown),
    "liquidation's order filled in part": executed(
        (m.OrderCancelled, m.OrderExpired), lambda event: event.cumulative_quantity_e8 > 0
    ),
    "liquidation's order refused by risk": refused_order,
    "liquidation asked again": said(m.LiquidationChanged, lambda event: event.detail == "asked again"),
    "liquidation's order refused for what passes": said(
        m.LiquidationChanged, lambda event: event.refusal in ("MARK_STALE", "PRICE_OUTSIDE_COLLAR", "COMMAND_EXPIRED")
    ),
    "liquidation raised an alarm": said(m.LiquidationChanged, lambda event: "after 2 questions" in event.detail),
    "default found orders open": default_found_orders,
    "default asked risk again": said(m.DefaultChanged, lambda event: event.state == "DECLARED" and event.attempt > 0),
    "own order refused while liquidated": decided(m.OrderRejected, "TRADING_REDUCING", False),
    "crash between a liquidation's record and its order": taken_over_after(m.LiquidationChanged, "SELLING"),
    "crash right after a bid was offered or taken": taken_over_after(m.AuctionChanged, "OFFERED", "RUNNING"),
    "crash in the middle of a round": taken_over_after(
        (m.RoundOpened, m.RoundGathered, m.RoundAnswered, m.RoundDecided, m.RoundSettling)
    ),
    "bid taken": said(m.AuctionChanged, lambda event: event.change == "TAKEN"),
    "bid refused by the bidder's partition": said(m.AuctionChanged, lambda event: event.change == "REFUSED"),
    "parcel asked for again": said(m.ParcelsAskedAgain),
    "takers were paid by other parts of the insurance fund": said(
        m.AuctionChanged, lambda event: event.change == "FUNDED" and event.insurance_e8 > 0
    ),
    "auction restored margin": said(m.AuctionChanged, lambda event: event.change == "RESTORED"),
    "deleveraged against holders of the other side": said(m.DeleveragingChanged, lambda event: event.change == "TAKEN"),
    "second default in flight": second_default_in_flight,
    "house's capital bore a loss": borne("HOUSE_CAPITAL"),
    "members' shares bore a loss": borne("OTHERS_FUND"),
    "members were assessed": borne("ASSESSMENTS"),
    "gains were cut": borne("HAIRCUT"),
    "round asked again": said(m.RoundAskedAgain),
    "trades compressed": said(m.CompressionChanged, lambda event: event.state == "COMPRESSED"),
    "compression declined": said(m.CompressionChanged, lambda event: event.state == "DECLINED"),
    "compression expired": said(m.CompressionChanged, lambda event: event.state == "EXPIRED"),
    "crash in the middle of a compression": taken_over_after(m.CompressionChanged, "GATHERING", "PROPOSED"),
    "claim of a compression paid": said(
        m.EntryBooked, lambda event: event.contract and event.contract.event == "SETTLEMENT_PAYMENT" and event.lines
    ),
    "payment recovered a default": said(m.DefaultChanged, lambda event: event.recovered_e8 > 0),
}
"""Judged by the tape of a finished run."""
