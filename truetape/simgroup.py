"""The group coordinator of the simulated cluster: static members, generations, cooperative rebalances, sessions.

A partition moves in steps: its holder is asked, gives it up at its next poll, and only then it is granted. A member
that was silent for longer than its session loses its partitions at once and learns of it later.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from truetape.happenings import Assigned, Revoked

if TYPE_CHECKING:
    from truetape.simbroker import SimBroker
    from truetape.simlog import SimLog

JOIN_US = (20_000, 300_000)
"""How long after a join or an expiry the coordinator rebalances."""
MISSED_POLLS_US = 60_000_000
HEARTBEAT_US = 1_500_000


@dataclass(eq=False)
class Member:
    """One static instance of the group; `view` is what it has been told that it holds."""

    instance: str
    log: "SimLog"
    session_us: int
    waiting: list[tuple[int, Assigned | Revoked]] = field(default_factory=list)
    view: set[int] = field(default_factory=set)
    expired: bool = False
    told_us: int | None = None
    """When an expired member learns of it: with the first heartbeat that it can send."""


class SimGroup:
    """Shares out the partitions of one topic among its members."""

    def __init__(self, broker: "SimBroker", name: str, partitions: int) -> None:
        self.name = name
        self.generation = 0
        self.members: dict[str, Member] = {}
        self.holders: dict[int, str | None] = dict.fromkeys(range(partitions))
        self.committed: dict[object, int] = {}
        self._targets: dict[int, str | None] = dict.fromkeys(range(partitions))
        self._asked: set[int] = set()
        self._broker = broker
        self._rebalance_due = False

    def join(self, log: "SimLog", instance: str, session_us: int) -> Member:
        """A new member, or a static one that comes back: it keeps its partitions, and fences its former self."""
        former = self.members.get(instance)
        member = self.members[instance] = Member(instance, log, session_us)
        if former is not None:
            former.log.fenced = former.log is not log
            held = frozenset(p for p, holder in self.holders.items() if holder == instance)
            self._asked -= held
            self._tell(member, Assigned(held))
        self.rebalance_soon()
        return member

    def rebalance_soon(self) -> None:
        """Rebalance after the usual delay; calls until then count as one."""
        if not self._rebalance_due:
            self._rebalance_due = True
            delay = self._broker.random.randint(*JOIN_US)
            self._broker.at(self._broker.now_us + delay, lambda: self.rebalance(self.balanced()))

    def balanced(self) -> dict[int, str | None]:
        """A sticky assignment: as even as possible, moving as little as possible."""
        names = sorted(self.members)
        if not names:
            return dict.fromkeys(self.holders)
        least, extra = divmod(len(self.holders), len(names))
        loads = dict.fromkeys(names, 0)
        target: dict[int, str | None] = {}
        for partition, holder in self.holders.items():
            if holder in loads and loads[holder] < least + (extra > 0):
                extra -= loads[holder] == least
                loads[holder] += 1
                target[partition] = holder
        for partition in self.holders:
            if partition not in target:
                target[partition] = min(names, key=lambda name: (loads[name], name))
                loads[target[partition] or ""] += 1
        return target

    def rebalance(self, targets: dict[int, str | None]) -> None:
        """A new generation with these targets (partition to instance); everybody hears of it, even without change."""
        self._rebalance_due = False
        self.generation += 1
        self._targets = targets
        moved = [p for p, holder in self.holders.items() if holder is not None and holder != targets[p]]
        for name in sorted(self.members):
            taken = frozenset(p for p in moved if self.holders[p] == name and p not in self._asked)
            if taken:
                self._asked |= taken
                self._tell(self.members[name], Revoked(taken, lost=False))
        self._grant()

    def _grant(self) -> None:
        """Give what nobody holds to its target; all others of the generation are told of nothing new."""
        free = [p for p, holder in self.holders.items() if holder is None]
        for name in sorted(self.members):
            given = frozenset(p for p in free if self._targets[p] == name)
            for partition in given:
                self.holders[partition] = name
            self._tell(self.members[name], Assigned(given))

    def double(self, partition: int, instance: str, for_us: int, anew: bool = False) -> None:
        """For a while hand a partition to a second member as well: a coordinator that is in two minds. Anew: its
        holder loses it and gets it back at once, so that both begin together."""
        holder = self.holders[partition]
        if holder == instance:
            return
        if anew and holder is not None and partition not in self._asked:
            self._tell(self.members[holder], Revoked(frozenset({partition}), lost=True))
            self._tell(self.members[holder], Assigned(frozenset({partition})))
        member = self.members[instance]
        self._tell(member, Assigned(frozenset({partition})))

        def withdraw() -> None:
            if self.holders[partition] != instance:
                self._tell(member, Revoked(frozenset({partition}), lost=True))

        self._broker.at(self._broker.now_us + for_us, withdraw)

    def _tell(self, member: Member, what: Assigned | Revoked) -> None:
        due = max(self._broker.now_us + self._broker.latency_us(), member.waiting[-1][0] if member.waiting else 0)
        member.waiting.append((due, what))
        member.log.wake(due)

    def poll(self, member: Member) -> list[Assigned | Revoked]:
        """What this member learns now. One that lost everything says so and joins anew."""
        now_us = self._broker.now_us
        if member.expired:
            if member.told_us is None:
                member.told_us = now_us + self._broker.random.randint(0, HEARTBEAT_US)
            if now_us < member.told_us:
                return []
            lost = Revoked(frozenset(member.view), lost=True)
            member.log.member = self.join(member.log, member.instance, member.session_us)
            return [lost]
        if not member.waiting:
            return []
        due = [what for at, what in member.waiting if at <= now_us]
        member.waiting = [(at, what) for at, what in member.waiting if at > now_us]
        for what in due:
            if isinstance(what, Revoked):
                member.view -= what.partitions
                freed = partial(self._freed, member, what.partitions)
                self._broker.at(now_us + self._broker.latency_us(), freed)
            else:
                member.view |= what.partitions
        return due

    def _freed(self, member: Member, partitions: frozenset[int]) -> None:
        mine = [p for p in sorted(partitions & self._asked) if self.holders[p] == member.instance]
        if self.members.get(member.instance) is member and not member.expired:
            for partition in mine:
                self._asked.discard(partition)
                self.holders[partition] = None
            self._grant()

    def check_sessions(self) -> None:
        """Expire members that have been silent for too long."""
        now_us = self._broker.now_us
        for name in sorted(self.members):
            member = self.members[name]
            silent_us = now_us - max(member.log.heard_us(), self._broker.up_since_us)
            missed_us = now_us - max(member.log.polled_us, self._broker.up_since_us)
            if silent_us > member.session_us or missed_us > MISSED_POLLS_US:
                self._expire(member)

    def _expire(self, member: Member) -> None:
        member.expired = True
        del self.members[member.instance]
        for partition, holder in self.holders.items():
            if holder == member.instance:
                self.holders[partition] = None
                self._asked.discard(partition)
        self.rebalance_soon()
