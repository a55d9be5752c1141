"""An idempotent producer of the simulated cluster: per partition in order, never twice, and cut off cleanly.

What survives a dead producer is a prefix of what it had under way, and that may arrive much later.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from truetape.happenings import Part, Report

if TYPE_CHECKING:
    from truetape.simbroker import SimBroker
    from truetape.simlog import SimLog


class Packet(NamedTuple):
    """A record under way."""

    key: bytes | None
    value: bytes | None
    headers: Any
    token: Any


@dataclass(eq=False)
class Pipe:
    """What is under way to one partition. Each packet has one arrival event; an arrival takes the oldest packet."""

    part: Part
    packets: deque[Packet] = field(default_factory=deque)
    due_us: int = 0
    reported_us: int = 0
    failed: bool = False
    in_socket: int = 0
    """While its process is frozen: how many packets the kernel still delivers."""


class SimProducer:
    """One producer instance of one process; a renewed one is another instance."""

    def __init__(self, broker: "SimBroker", log: "SimLog", report: Callable[[Report], None]) -> None:
        self._broker, self._log = broker, log
        self._report = report
        self._pipes: dict[Part, Pipe] = {}
        self._stalled: list[Pipe] = []
        self._frozen = False
        self._alive = True

    def append(self, part: Part, key: bytes | None, value: bytes | None, headers: Any, token: Any) -> None:
        """Send a record; its report follows, also when it failed."""
        pipe = self._pipes.setdefault(part, Pipe(part))
        packet = Packet(key, value, headers, token)
        if pipe.failed:
            self._answer(pipe, packet, None, "an earlier record of this producer failed")
            return
        pipe.packets.append(packet)
        pipe.due_us = max(pipe.due_us, self._broker.now_us + self._broker.latency_us())
        self._broker.at(pipe.due_us, partial(self._arrive, pipe))

    def under_way(self) -> int:
        """Records that have neither arrived nor failed."""
        return sum(len(pipe.packets) for pipe in self._pipes.values())

    def hurry(self) -> bool:
        """Deliver everything now, as if time had passed; False when the cluster cannot be reached."""
        for pipe in self._pipes.values():
            while pipe.packets:
                if self._reachable_us(pipe) > self._broker.now_us:
                    return False
                self._write(pipe, pipe.packets.popleft())
        return True

    def die(self) -> None:
        """Purged, or its process crashed: no more reports. Of each pipe a prefix may arrive, late."""
        self._alive = False
        chance = self._broker.random
        for part in sorted(self._pipes):
            left, pipe = self._pipes[part].packets, Pipe(part)
            if left and chance.random() < self._broker.faults.late_packets:
                pipe.packets.extend(list(left)[: chance.randint(1, len(left))])
            left.clear()
            due = self._broker.now_us
            for _ in pipe.packets:
                due += self._broker.lateness_us()
                self._broker.at(due, partial(self._arrive, pipe))
        self._pipes.clear()

    def freeze(self) -> None:
        """The process was stopped; what its kernel holds still goes out."""
        self._frozen = True
        for part in sorted(self._pipes):
            self._pipes[part].in_socket = self._broker.random.randint(0, len(self._pipes[part].packets))

    def thaw(self) -> None:
        """The process goes on."""
        self._frozen = False
        stalled, self._stalled = self._stalled, []
        for pipe in stalled:
            self._broker.at(self._broker.now_us + self._broker.latency_us(), partial(self._arrive, pipe))

    def refuse(self, part: Part) -> None:
        """The partition no longer knows this producer (its records were truncated): all that follows fails."""
        pipe = self._pipes.setdefault(part, Pipe(part))
        self._fail_all(pipe, "out of order sequence")

    def _arrive(self, pipe: Pipe) -> None:
        if not pipe.packets:
            return
        if self._frozen and pipe.in_socket <= 0:
            self._stalled.append(pipe)
            return
        reachable_us = self._reachable_us(pipe)
        if self._lost():
            self._fail(pipe, "given up")
        elif reachable_us > self._broker.now_us:
            self._broker.at(reachable_us + self._broker.latency_us(), partial(self._arrive, pipe))
        else:
            pipe.in_socket -= 1
            self._write(pipe, pipe.packets.popleft())

    def _reachable_us(self, pipe: Pipe) -> int:
        """From when on a packet of this node gets through; one of a dead process is already beyond the cut."""
        broker_us = self._broker.reachable_us(pipe.part)
        return max(broker_us, self._log.unreachable_until_us) if self._alive else broker_us

    def _lost(self) -> bool:
        return self._alive and self._broker.random.random() < self._broker.faults.lost_packets

    def _write(self, pipe: Pipe, packet: Packet) -> None:
        offset = self._broker.write(pipe.part, packet.key, packet.value, packet.headers, self)
        lost = self._broker.random.random() < self._broker.faults.lost_reports
        self._answer(pipe, packet, None if lost else offset, "acknowledgement lost" if lost else None)

    def _fail(self, pipe: Pipe, why: str) -> None:
        if self._broker.faults.skipping:
            self._answer(pipe, pipe.packets.popleft(), None, why)
        else:
            self._fail_all(pipe, why)

    def _fail_all(self, pipe: Pipe, why: str) -> None:
        pipe.failed = True
        while pipe.packets:
            self._answer(pipe, pipe.packets.popleft(), None, why)

    def _answer(self, pipe: Pipe, packet: Packet, offset: int | None, error: str | None) -> None:
        if packet.token is None or not self._alive:
            return
        report = Report(pipe.part, offset, error, packet.token)
        sent_us = max(self._broker.now_us, self._log.unanswered_until_us)
        pipe.reported_us = max(pipe.reported_us, sent_us + self._broker.report_latency_us())
        self._broker.at(pipe.reported_us, partial(self._deliver, report))

    def _deliver(self, report: Report) -> None:
        if self._alive:
            if report.offset is not None:
                self._broker.partition(report.part).show(report.offset + 1)
            self._report(report)
