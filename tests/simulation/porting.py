"""The world in distress with a clearing member that has clients: it defaults, its clients look for another member,
which takes them or does not, or defaults itself; windows end by the clock or the house, and processes die in between.

`python -m tests.simulation.simulate --world porting --seed N` repeats a run and says what happened.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from unittest import mock

from services.clearing.defaults import portingrounds
from services.gateway import core as gateway
from tests.simulation import porting_rare
from tests.simulation.cluster import Broken
from tests.simulation.derivatives import ASSET
from tests.simulation.distress import PERILS, DistressSystem
from tests.simulation.node import Node
from tests.simulation.porting_invariants import PORTING
from tests.simulation.reference import ACCOUNTS, PARTITIONS
from tests.simulation.swarm import MS, SECOND
from truetape import ids
from truetape import messages as m
from truetape.codec import decode, encode
from truetape.happenings import Part
from truetape.marks import Marks
from truetape.money import ONE_E8
from truetape.reference import Reference, fold
from truetape.service import Input, Tables
from truetape.topics import CLEARING_ENTRIES, REFERENCE_COMMANDS, REFERENCE_EVENTS

WINDOW_US: Final = 9 * SECOND
AGAIN_US: Final = 3 * SECOND
DESK_MS: Final = (50, 900)
"""How long the gateway takes for a command about reference data."""
AGAIN: Final = 0.2
PORTING_PERILS: Final = (m.PortingChanged, m.RoundRequested)
"""Records before whose effects clearing's process may die, beside those of distress; they are few."""


@dataclass(frozen=True)
class Membership:
    """What is drawn for one run beside its distress."""

    member: str
    clients: tuple[str, ...]
    receiver: str
    limit_e8: int
    """Most initial need of the receiver's clients; none where it is below zero."""
    declared_us: int
    """When the house declares the member's default, of virtual time."""
    receiver_declared_us: int
    """The same of the receiver; 0: never."""


def membership_of(system: DistressSystem, chance: Random) -> Membership:
    """The rich account takes clients over, somebody poor defaults."""
    receiver = next(name for name in ACCOUNTS if name not in system.distress.cash_e8)
    others = [name for name in ACCOUNTS if name != receiver]
    member = chance.choice(others)
    clients = tuple(name for name in others if name != member)
    limit_e8 = chance.choice((-1, chance.randint(1, 300), chance.randint(1, 300), 10**6, 10**6, 10**6)) * ONE_E8
    declared_us = chance.randint(14, 34) * SECOND
    late_us = declared_us + WINDOW_US + chance.randint(-4_000, 1_500) * MS
    return Membership(
        member, clients, receiver, limit_e8, declared_us, late_us if chance.random() < 0.3 else 0
    )  # fmt: skip


class PortingSystem(DistressSystem):
    """One run of everything, with contracts, in distress, and with clients of a member."""

    def __init__(self, seed: int, verbose: bool = False) -> None:
        super().__init__(seed, verbose)
        self.own = Random(seed ^ 0x9047)
        self.membership = membership_of(self, self.own)
        self.asked = 0
        for client in self.membership.clients:
            self._set(m.MemberSet, client, self.membership.member, client)
        if self.membership.limit_e8 >= 0:
            self._set(m.MemberLimitSet, self.membership.receiver, ASSET, self.membership.limit_e8)
        self.desk = ReferenceDesk(self)
        self._read = dict.fromkeys(range(PARTITIONS), 0)
        self.say(str(self.membership))

    def _set(self, kind: Callable[..., Any], *fields: Any) -> None:
        self.reference.append(kind(self.reference.next_meta(), "k", "x", *fields))

    def run(self) -> None:
        with small_windows():
            super().run()

    def begin(self) -> None:
        super().begin()
        one = self.membership
        self.desk.begin()
        for client in one.clients:
            if self.own.random() < 0.4:
                self._soon(self._port, client, "choose", client, one.receiver, at_us=self.own.randint(4, 12) * SECOND)
        self.later(one.declared_us, lambda: self._declare(one.member))
        if one.receiver_declared_us:
            self.later(one.receiver_declared_us, lambda: self._declare(one.receiver))
        for _ in range(3):
            self.later(self.own.randint(12, 50) * SECOND, self._attach)

    def peril(self, node: Node, event: Any) -> None:
        super().peril(node, event)
        few = isinstance(event, PORTING_PERILS) and not isinstance(event, PERILS) and node.log is not None
        if few and self.troubled and self.own.random() < 3 * self.distress.peril:
            self.seen[f"dies after {type(event).__name__}"] += 1
            assert node.log is not None
            node.log.fuse, node.log.blow = self.own.randrange(3), node._kill

    # -- what the house and members do -----------------------------------------------------------------------

    def look(self) -> None:
        super().look()
        for partition in self._read:
            found = self.tape(CLEARING_ENTRIES, partition).found
            new, self._read[partition] = found[self._read[partition] :], len(found)
            for _, event in new:
                if isinstance(event, m.PortingChanged) and self.troubled:
                    self._hear(event)

    def _hear(self, event: m.PortingChanged) -> None:
        client, draw = event.account_id, self.own.random()
        if event.change == "open" and draw < 0.2:
            self._soon(self._port, event.member_id, "end", "house", "")
        if event.state == "REQUESTED" and not event.receiver_id and draw < 0.8:
            self._soon(self._port, client, "choose", client, self.membership.receiver)
        elif event.state == "REQUESTED" and event.receiver_id and draw < 0.85:
            self._soon(self._port, client, "refuse" if draw < 0.15 else "accept", event.receiver_id, "")
        elif event.state == "ACCEPTED" and draw < 0.1:
            self._soon(self._port, client, "refuse", event.receiver_id, "")
        elif event.state == "REFUSED" and draw < 0.5:
            self._soon(self._port, client, "accept", event.receiver_id, "")
        elif event.state == "EXPIRED" and draw < 0.3:
            self._soon(self._refer, m.SetMember(self._name("own"), "desk", client, client))

    def _soon(self, what: Callable[..., None], *asked: Any, at_us: int = 0) -> None:
        self.later(at_us or self.own.randint(100 * MS, WINDOW_US * 7 // 10), lambda: what(*asked))

    def _port(self, account: str, action: str, actor: str, receiver: str) -> None:
        command = m.ActOnPorting(self._name("port"), account, action, actor, receiver, "simulated", actor)
        for _ in range(1 + (self.own.random() < AGAIN)):
            self._clearing(account, command)

    def _declare(self, account: str) -> None:
        self._clearing(account, m.DeclareDefault(self._name("default"), account, ASSET, "simulated", "desk"))

    def _attach(self) -> None:
        """Somebody is to become the member's client: refused once its default is known."""
        one = self.membership
        who = self.own.choice([name for name in ACCOUNTS if name not in (one.member, one.receiver)])
        self._refer(m.SetMember(self._name("attach"), "desk", who, one.member))

    def _name(self, what: str) -> str:
        self.asked += 1
        return f"{what}-p{self.asked}"

    def _clearing(self, account: str, command: Any) -> None:
        if self.troubled:
            self.operator.ask(ids.partition_of(account, 8), account, command)

    def _refer(self, command: Any) -> None:
        if self.troubled:
            self.broker.produce(Part(REFERENCE_COMMANDS.name, 0), b"", encode(command))

    # -- the end ---------------------------------------------------------------------------------------------

    def _unfinished(self) -> str:
        """Besides: windows that are open, clients who are not where they go, or hold what is closed out."""
        if missing := super()._unfinished():
            return missing
        for partition in range(PARTITIONS):
            state = self.tape(CLEARING_ENTRIES, partition).state
            if opened := [name for name, window in state.portings.windows.items() if not window.closed]:
                return f"windows of {opened} are open"
            for name, known in state.portings.open.items():
                held = [one for one in self.contracts if self._held_e8(state, name, one)]
                if known.state != "EXPIRED" or held:
                    return f"client {name} is {known.state} and holds {held}"
        return self.desk.behind()

    def _held_e8(self, state: Any, account: str, name: str) -> int:
        known = state.accounts.get(account)
        position = known.positions.get(name) if known is not None else None
        return position.quantity_e8 if position is not None else 0

    def audit(self) -> None:
        super().audit()
        for name, invariant in PORTING.items():
            for wrong in invariant(self.evidence, self):
                raise Broken(name, wrong)
        self.seen.update(porting_rare.met(self))


class ReferenceDesk:
    """The gateway's decisions about what clearing and the desk ask of reference data: its real core, each command once,
    some time after it came. Its own crashes are no subject here: it is one partition that anybody may read again."""

    def __init__(self, system: PortingSystem) -> None:
        self._system = system
        self.state = gateway.State(Reference())
        self._tables = Tables(self.state.reference, Marks())
        self._heard, self._asked = 0, 0
        self.events: list[Any] = []
        """All of reference data, in order."""

    def begin(self) -> None:
        """Look again and again, to the end of the run."""
        self._system.later(self._system.own.randint(*DESK_MS) * MS, self._turn)

    def _turn(self) -> None:
        self.read_on()
        commands = self._system.broker.partition(Part(REFERENCE_COMMANDS.name, 0))
        for record in commands.slice(self._asked, commands.end):
            self._asked = record.offset + 1
            self._decide(record.offset, decode(record.value or b""))
        self.begin()

    def _decide(self, offset: int, command: Any) -> None:
        cause = m.Cause(REFERENCE_COMMANDS.name, 0, offset, "")
        now_us = self._system.broker.wall_us()
        given = Input(command, cause, now_us, REFERENCE_EVENTS.name, 1, 1, self._tables, 0)
        event: Any = gateway.decide(self.state, given)
        if event is not None:
            self._system.say(str(event))
            self._system.reference.append(event)
            self.read_on()

    def read_on(self) -> None:
        """Fold what was written, by whomever."""
        written = self._system.broker.partition(Part(REFERENCE_EVENTS.name, 0))
        for record in written.slice(self._heard, written.end):
            self._heard = record.offset + 1
            event: Any = decode(record.value or b"")
            self.events.append(event)
            fold(self.state.reference, event)
            if hasattr(event, "command_id") and event.requested_by != "x":
                self.state.commands.append(event.command_id)

    def behind(self) -> str:
        """What waits for it; empty when nothing does."""
        commands = self._system.broker.partition(Part(REFERENCE_COMMANDS.name, 0))
        return f"{commands.end - self._asked} commands about reference data" if commands.end > self._asked else ""


@contextmanager
def small_windows() -> Iterator[None]:
    """Windows that fit into a minute."""
    with (
        mock.patch.object(portingrounds, "WINDOW_US", WINDOW_US),
        mock.patch.object(portingrounds, "AGAIN_US", AGAIN_US),
    ):
        yield
