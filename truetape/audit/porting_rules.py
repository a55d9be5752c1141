"""What must hold for porting: a client moves as he is, with all that he holds and nothing booked, to a member that took
him and has room; windows are kept; and meanwhile he only reduces."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from truetape import ids
from truetape import messages as m
from truetape.audit.membership import Membership
from truetape.default.porting import TRANSITIONS
from truetape.topics import PARTITIONS
from truetape.transitions import CLOCK, HOUSE, NotLegal

Expect = Callable[..., None]
OPENING, DECIDING = "PORTING_WINDOW", "PORTING"
"""Kinds of rounds: one opens a window, one decides about its clients."""
MOVE, LEFT, LIMIT, RECEIVER = "MOVE", "left", "limit_e8", "receiver/"
"""Names in what a round states and decides."""
UNDECIDED: Final = frozenset({"REQUESTED", "ACCEPTED", "REFUSED"})
OTHERS: Final = ("defaulted", "unsure", "taken_e8")
"""What a partition states beside the clients."""


class PortingRules:
    """Clients of one partition whose member is in default, and windows of its members."""

    def __init__(self, expect: Expect, positions: dict[tuple[str, str], m.Position], members: Membership) -> None:
        self._expect, self._positions, self._members = expect, positions, members
        self._open: dict[str, m.PortingChanged] = {}
        self._told: dict[str, tuple[str, str]] = {}
        """What a round has said of a client whose record comes next: what, and to whom."""
        self._windows: dict[str, m.RoundTerms] = {}
        """By member in default, the newest round that opens or decides."""
        self._reducing: dict[str, str] = {}
        """The default because of which an account only reduces, as risk was told."""
        self._held: dict[tuple[str, str], int] = {}
        """Contracts as risk was told."""
        self._rules: dict[type, Callable[[str, Any], None]] = {
            m.PortingChanged: self._changed,
            m.RoundRequested: self._requested,
            m.RoundSettling: self._settling,
            m.CancelRequested: self._restricted,
            m.RestrictionEnded: self._freed,
            m.CreditUpdated: self._credited,
            m.OrderAccepted: self._accepted,
            m.LegAssessed: self._assessed,
        }

    def take(self, where: str, event: Any) -> None:
        """One accepted record of the decisions or the journal."""
        if (rule := self._rules.get(type(event))) is not None:
            rule(where, event)

    def end(self, where: str) -> None:
        """At the end: everybody was told what was decided about him."""
        self._expect(not self._told, "a client is told what is decided", where, "", "nobody", sorted(self._told))

    # -- one client ------------------------------------------------------------------------------------------

    def _changed(self, where: str, event: m.PortingChanged) -> None:
        account, before = event.account_id, self._open.get(event.account_id)
        legal = _legal(before, event)
        self._expect(legal, "a porting follows its table", where, account, before and before.state, event.change)
        if event.change in TRANSITIONS.actions and before is not None and event.actor in ("client", "receiver"):
            in_time = before.state not in UNDECIDED or event.meta.decided_at_us < before.expires_at_us
            self._expect(in_time, "who is asked answers in the window", where, account, before.expires_at_us,
                         event.meta.decided_at_us)  # fmt: skip
        if event.change in ("move", "expire") and not event.attempt and "round_id" in event.ids:
            says = (MOVE, event.receiver_id) if event.change == "move" else (event.reason, "")
            told = self._told.pop(account, ("", ""))
            self._expect(says == told, "a client is told what is decided", where, account, told, says)
        if event.state in ("MOVING", "PORTED") and "doubt" not in event.numbers:
            self._whole(where, event)
        if event.state == "PORTED":
            given = (account, event.receiver_id) in self._members.given
            self._expect(given or event.receiver_id == account, "a client is whose reference data says", where, account,
                         "a MemberSet", event.receiver_id)  # fmt: skip
            self._open.pop(account, None)
        elif event.state != "CHOSEN":
            self._open[account] = event

    def _whole(self, where: str, event: m.PortingChanged) -> None:
        """All positions that the journal gives the client are with him; asking again says what the first asking saw."""
        if event.attempt:
            return
        account, held = event.account_id, dict[str, int]()
        for (who, name), position in self._positions.items():
            if who == account and position.quantity_e8:
                held[name] = position.quantity_e8
        says = {
            name.removeprefix("quantity_e8/"): amount_e8
            for name, amount_e8 in event.numbers.items()
            if name.startswith("quantity_e8/")
        }
        self._expect(held == says, "a client moves with all that he holds", where, account, held, says)

    # -- windows ---------------------------------------------------------------------------------------------

    def _requested(self, where: str, event: m.RoundRequested) -> None:
        terms, member = event.round, event.account_id
        if event.attempt or terms.kind not in (OPENING, DECIDING):
            return
        before, self._windows[member] = self._windows.get(member), terms
        if terms.kind == OPENING:
            return
        opened = before is not None and before.ids["default_id"] == terms.ids["default_id"]
        self._expect(opened, "a window opens before it is decided", where, member, "a window", terms.round_id)
        if terms.ids["actor"] == CLOCK:
            due_us, at_us = terms.numbers["expires_at_us"], event.meta.decided_at_us
            same = before is None or before.kind == DECIDING or before.numbers["expires_at_us"] == due_us
            self._expect(same and at_us >= due_us, "a window is kept to its end", where, member, due_us, at_us)
        else:
            why = terms.ids["actor"] == HOUSE and bool(terms.ids["reason"].strip())
            self._expect(why, "who ends a window says why", where, member, "the house's reason", terms.ids)

    def _settling(self, where: str, event: m.RoundSettling) -> None:
        if event.round.kind not in (OPENING, DECIDING):
            return
        self._expect(event.legs == (), "porting books nothing", where, "", "no legs", event.legs)
        if event.round.kind == DECIDING:
            here = {who: said for who, said in verdicts(event.outcome) if ids.partition_of(who, PARTITIONS) ==
                    event.partition}  # fmt: skip
            self._told |= here

    # -- what risk lets through --------------------------------------------------------------------------------

    def _restricted(self, where: str, event: m.CancelRequested) -> None:
        if event.porting_id:
            self._reducing[event.account_id] = event.porting_id

    def _freed(self, where: str, event: m.RestrictionEnded) -> None:
        if event.porting_id:
            self._reducing.pop(event.account_id, None)

    def _credited(self, where: str, event: m.CreditUpdated) -> None:
        if event.contract is not None:
            self._held[event.account_id, event.contract.instrument_id] = event.contract.quantity_e8

    def _accepted(self, where: str, event: m.OrderAccepted) -> None:
        order = event.order
        if order.account_id in self._reducing:
            contract = event.margin is not None
            self._reduces(where, order.account_id, order.instrument_id, order.side, order.quantity_e8, contract)

    def _assessed(self, where: str, event: m.LegAssessed) -> None:
        if event.accepted and event.account_id in self._reducing:
            self._reduces(where, event.account_id, event.instrument_id, event.side, event.quantity_e8, True)

    def _reduces(self, where: str, account: str, name: str, side: str, quantity_e8: int, contract: bool) -> None:
        held_e8 = self._held.get((account, name), 0)
        free_e8 = held_e8 if side == "SELL" else -held_e8
        only = quantity_e8 <= free_e8 if contract else side == "SELL"
        self._expect(only, "a client in a window only reduces", where, account, held_e8, f"{side} {quantity_e8}")


def _legal(before: m.PortingChanged | None, event: m.PortingChanged) -> bool:
    """Whether the table leads to this record; opening and choosing beforehand begin one."""
    if event.change == "open":
        return event.state == TRANSITIONS.begins and (before is None or before.default_id != event.default_id)
    if event.state == "CHOSEN":
        return before is None and event.change == "choose"
    if before is None:
        return False
    if event.attempt:
        return before.state == event.state == "MOVING" and event.attempt == before.attempt + 1
    try:
        return TRANSITIONS.after(before.state, event.change, event.actor) == event.state
    except NotLegal:
        return False


def verdicts(outcome: dict[str, int]) -> Iterator[tuple[str, tuple[str, str]]]:
    """By client: what a round says of him, and to whom he moves."""
    for name in outcome:
        kind, _, rest = name.partition("/")
        who, _, receiver = rest.partition("/")
        if who and kind != LIMIT:
            yield who, (kind, receiver)


def judge(expect: Expect, where: str, event: m.RoundDecided, stated: list[m.RoundHolding], members: Membership) -> None:
    """A decision about a window, from what all partitions have stated."""
    home = event.account_id
    clients = {one.account_id: one for one in stated if not any(name in one.numbers for name in OTHERS)}
    said = list(verdicts(event.outcome))
    moved = {who: receiver for who, (kind, receiver) in said if kind == MOVE}
    once = {who for who, _ in said} <= clients.keys() and len(said) + event.outcome.get(LEFT, 0) == len(clients)
    expect(once, "each client of a window is decided once", where, home, sorted(clients), sorted(event.outcome))
    defaulted = {one.account_id for one in stated if "defaulted" in one.numbers}
    for who, receiver in moved.items():
        numbers = clients[who].numbers if who in clients else {}
        fine = numbers.get(f"{RECEIVER}{receiver}") == 1 and receiver not in defaulted and margined(numbers)
        expect(fine, "who moves is taken and margined", where, who, "accepted, above maintenance", numbers)
    for (receiver, asset), needed_e8 in _needs(clients, moved, stated).items():
        limit_e8 = event.outcome.get(f"{LIMIT}/{receiver}/{asset}", 0)
        known = (receiver, asset, limit_e8) in members.limits or not limit_e8
        expect(known, "a receiver's limit is reference data's", where, receiver, "a MemberLimitSet", limit_e8)
        expect(needed_e8 <= limit_e8, "a receiver's limit is held", where, receiver, limit_e8, needed_e8)


def margined(numbers: dict[str, int]) -> bool:
    """Whether a client's equity covers its maintenance need in every asset."""
    if "doubt" in numbers:
        return False
    assets = [name.removeprefix("margin_e8/") for name in numbers if name.startswith("margin_e8/")]
    return all(numbers[f"margin_e8/{asset}"] >= numbers[f"maintenance_e8/{asset}"] for asset in assets)


def _needs(
    clients: dict[str, m.RoundHolding], moved: dict[str, str], stated: Iterable[m.RoundHolding]
) -> dict[tuple[str, str], int]:
    """Initial need of all that a receiver has then, by asset: of those who take somebody."""
    found: dict[tuple[str, str], int] = {}
    for who, receiver in moved.items():
        for name, need_e8 in clients[who].numbers.items() if who in clients else ():
            if name.startswith("initial_e8/") and need_e8:
                key = receiver, name.removeprefix("initial_e8/")
                found[key] = found.get(key, 0) + need_e8
    for one in stated:
        if (one.account_id, one.asset) in found and "taken_e8" in one.numbers:
            found[one.account_id, one.asset] += one.numbers["taken_e8"]
    return found
