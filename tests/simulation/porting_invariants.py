"""What must hold of members, their clients and windows in the end, by name: computed from the tape alone; nothing here
is taken from services/clearing or truetape/default."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.derivatives import ASSET
from tests.simulation.distress_invariants import Wrong
from tests.simulation.evidence import Evidence
from tests.simulation.reference import PARTITIONS
from truetape import messages as m
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS

if TYPE_CHECKING:
    from tests.simulation.porting import PortingSystem

AFTER: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"CHOSEN", "REQUESTED", "MOVING", "EXPIRED"}),
    "CHOSEN": frozenset({"CHOSEN", "REQUESTED", "MOVING", "EXPIRED"}),
    "REQUESTED": frozenset({"REQUESTED", "ACCEPTED", "REFUSED", "EXPIRED", "PORTED"}),
    "ACCEPTED": frozenset({"REQUESTED", "REFUSED", "MOVING", "EXPIRED", "PORTED"}),
    "REFUSED": frozenset({"REQUESTED", "ACCEPTED", "EXPIRED", "PORTED"}),
    "MOVING": frozenset({"MOVING", "EXPIRED", "PORTED"}),
    "EXPIRED": frozenset({"PORTED"}),
    "PORTED": frozenset({"CHOSEN", "REQUESTED", "MOVING", "EXPIRED"}),
}
"""What may follow each state of a client, within one default."""


def each_client_of_a_window_comes_to_one_end(found: Evidence, system: "PortingSystem") -> Wrong:
    """By steps that may follow each other; and whoever was a client when the window opened has an end, once for each
    default."""
    newest: dict[str, m.PortingChanged] = {}
    opened: Counter[tuple[str, str]] = Counter()
    for event in system.answers(m.PortingChanged):
        before = newest.get(event.account_id)
        fresh = before is None or before.default_id != event.default_id
        if event.state not in AFTER["" if before is None or fresh else before.state]:
            yield f"{event.account_id} went from {before} to {event}"
        opened[event.account_id, event.default_id] += event.change == "open"
        newest[event.account_id] = event
    if twice := [key for key, times in opened.items() if times > 1]:
        yield f"opened twice: {twice}"
    for client, event in newest.items():
        if event.state not in ("CHOSEN", "PORTED", "EXPIRED"):
            yield f"{client} is still {event.state}"
    for answer in system.answers(m.RoundAnswered):
        if answer.round.kind == "PORTING_WINDOW":
            missing = [one.account_id for one in answer.holdings
                       if not opened[one.account_id, answer.round.ids["default_id"]]]  # fmt: skip
            if missing:
                yield f"{missing} have no window in {answer.round.round_id}"


def members_in_default_get_nobody(found: Evidence, system: "PortingSystem") -> Wrong:
    """Reference data hears of each default, and from there on gives that account to nobody; whoever is PORTED is whose
    reference data says."""
    barred, given = set[str](), set[tuple[str, str]]()
    for event in system.desk.events:
        if isinstance(event, m.MemberDefaulted):
            barred.add(event.account_id)
        elif isinstance(event, m.MemberSet):
            given.add((event.account_id, event.member_id))
            if event.member_id in barred and event.member_id != event.account_id:
                yield f"{event.account_id} was given to {event.member_id}, which is in default"
    declared = {event.account_id for event in system.answers(m.DefaultChanged)}
    if declared != barred:
        yield f"declared in default are {declared}, reference data knows {barred}"
    for ported in system.answers(m.PortingChanged):
        if ported.state == "PORTED" and (ported.account_id, ported.receiver_id) not in given:
            yield f"{ported.account_id} is said to belong to {ported.receiver_id}"


def clients_in_a_window_only_reduce(found: Evidence, system: "PortingSystem") -> Wrong:
    """From the record that restricts an account to the one that frees it, risk accepts what only reduces; and in the
    end it restricts those, and for that default, of whom clearing says so."""
    for partition in range(PARTITIONS):
        restricted: dict[str, str] = {}
        held: Counter[tuple[str, str]] = Counter()
        for event in system.tape(ORDERS_DECISIONS, partition).events():
            match event:
                case m.CancelRequested() if event.porting_id:
                    restricted[event.account_id] = event.porting_id
                case m.RestrictionEnded() if event.porting_id:
                    restricted.pop(event.account_id, None)
                case m.CreditUpdated() if event.contract is not None:
                    held[event.account_id, event.contract.instrument_id] = event.contract.quantity_e8
                case m.OrderAccepted() if event.order.account_id in restricted:
                    if opens(system, held, event.order.account_id, event.order):
                        yield f"{event.order} was accepted in a window, held is {held}"
                case m.LegAssessed(accepted=True) if event.account_id in restricted:
                    if opens(system, held, event.account_id, event):
                        yield f"{event} was reserved in a window, held is {held}"
        state = system.tape(CLEARING_ENTRIES, partition).state
        clients = {name: known.default_id for name, known in state.portings.open.items()}
        if restricted != clients:
            yield f"risk restricts {restricted}, in a window or closed out are {clients}"


def opens(system: "PortingSystem", held: Mapping[tuple[str, str], int], account: str, asked: Any) -> bool:
    """Whether an order or leg does more than to reduce; a spot order: whether it buys."""
    if asked.instrument_id not in system.contracts:
        return bool(asked.side == "BUY")
    now_e8 = held[account, asked.instrument_id]
    return bool(asked.quantity_e8 > (now_e8 if asked.side == "SELL" else -now_e8))


def clients_move_with_all_that_they_hold(found: Evidence, system: "PortingSystem") -> Wrong:
    """What a client's records say when he moves and has moved are the positions that his entries made, and no round of
    porting books anything: so nothing leaves and nothing comes."""
    for partition in range(PARTITIONS):
        held: dict[str, Counter[str]] = defaultdict(Counter)
        for event in system.tape(CLEARING_ENTRIES, partition).events():
            if isinstance(event, m.EntryBooked):
                for line in event.lines:
                    if line.asset in system.contracts:
                        held[line.account][line.asset] += line.amount_e8
            elif isinstance(event, m.PortingChanged) and event.state in ("MOVING", "PORTED") and not event.attempt:
                mine = {name: e8 for name, e8 in held[f"client:{event.account_id}"].items() if e8}
                if "doubt" not in event.numbers and mine != told(system, event):
                    yield f"{event.account_id} holds {mine} and moves with {event.numbers}"
    for decided in system.answers(m.RoundDecided):
        if decided.round.kind.startswith("PORTING") and decided.legs:
            yield f"{decided.round.round_id} books {decided.legs}"


def told(system: "PortingSystem", event: m.PortingChanged) -> dict[str, int]:
    """Contracts that a record says."""
    named = {name.partition("/")[2]: e8 for name, e8 in event.numbers.items() if name.startswith("quantity_e8/")}
    return {name: e8 for name, e8 in named.items() if name in system.contracts}


def receivers_stay_within_their_limits(found: Evidence, system: "PortingSystem") -> Wrong:
    """Whoever moves was accepted by the one that he has chosen, covers his maintenance need, and all that a receiver's
    clients need is within the limit that reference data gave it."""
    limits = {e.account_id: e.initial_max_e8 for e in system.desk.events if isinstance(e, m.MemberLimitSet)}
    for name, decided, stated in decisions(system):
        needed: Counter[str] = Counter()
        for one in stated:
            needed[one.account_id] += one.numbers.get("taken_e8", 0) * (one.asset == ASSET)
        clients = {one.account_id: one.numbers for one in stated}
        moves = [key.split("/") for key in decided.outcome if key.startswith("MOVE/")]
        for _, client, receiver in moves:
            numbers = clients[client]
            needed[receiver] += numbers.get(f"initial_e8/{ASSET}", 0)
            short = numbers.get(f"margin_e8/{ASSET}", 0) < numbers.get(f"maintenance_e8/{ASSET}", 0)
            if numbers.get(f"receiver/{receiver}") != 1 or short or "doubt" in numbers:
                yield f"{name}: {client} moves to {receiver} with {numbers}"
        for _, _, receiver in moves:
            if needed[receiver] > limits.get(receiver, 0):
                yield f"{name}: {receiver}'s clients need {needed[receiver]}, its limit is {limits.get(receiver)}"


def decisions(system: "PortingSystem") -> Iterator[tuple[str, m.RoundDecided, list[m.RoundHolding]]]:
    """Rounds that decided about clients: name, decision, all that was stated."""
    stated: dict[str, list[m.RoundHolding]] = defaultdict(list)
    for event in system.answers(m.RoundAnswered):
        stated[event.round.round_id] += event.holdings
    for decided in system.answers(m.RoundDecided):
        if decided.round.kind == "PORTING" and not decided.detail:
            yield decided.round.round_id, decided, stated[decided.round.round_id]


def windows_are_kept(found: Evidence, system: "PortingSystem") -> Wrong:
    """The member's default opens a window for its clients; nobody decides before its end but the house, and why."""
    ends: dict[str, int] = {}
    for event in system.answers(m.RoundRequested):
        terms, default_id = event.round, event.round.ids.get("default_id", "")
        if terms.kind == "PORTING_WINDOW":
            ends.setdefault(default_id, terms.numbers["expires_at_us"])
        elif terms.kind == "PORTING" and not event.attempt:
            early = event.meta.decided_at_us < ends.get(default_id, 1 << 62)
            if early and (terms.ids["actor"] != "house" or not terms.ids["reason"]):
                yield f"{terms.round_id} decides at {event.meta.decided_at_us}, the window ends at {ends}"
    had = {event.member_id for event in system.desk.events if isinstance(event, m.MemberSet)}
    for default in system.answers(m.DefaultChanged):
        one = system.membership
        if default.account_id == one.member in had and not any(
            event.member_id == one.member and event.default_id for event in system.answers(m.PortingChanged)
        ):
            yield f"{one.member} is in default and its clients {one.clients} have no window"


PORTING: Final[Mapping[str, Callable[[Evidence, "PortingSystem"], Wrong]]] = {
    one.__name__.replace("_", " "): one
    for one in (
        each_client_of_a_window_comes_to_one_end,
        members_in_default_get_nobody,
        clients_in_a_window_only_reduce,
        clients_move_with_all_that_they_hold,
        receivers_stay_within_their_limits,
        windows_are_kept,
    )
}
"""All are checked once all is quiet, beside those of every run in distress."""
