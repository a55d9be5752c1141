"""The gateway's writer of commands on the simulated cluster: each command is given up by itself, after its time."""

from collections.abc import Callable, Sequence
from typing import Any

from truetape.happenings import Part, Report
from truetape.simlog import SimLog
from truetape.simproducer import Packet, Pipe, SimProducer


class CommandProducer(SimProducer):
    """A producer whose records are given up one by one: behind a lost one the others still arrive."""

    timeout_us = 5_000_000

    def append(self, part: Part, key: bytes | None, value: bytes | None, headers: Any, token: Any) -> None:
        super().append(part, key, value, headers, token)
        pipe = self._pipes[part]
        packet = pipe.packets[-1]
        self._broker.at(self._broker.now_us + self.timeout_us, lambda: self._give_up(pipe, packet))

    def _give_up(self, pipe: Pipe, packet: Packet) -> None:
        if self._alive and any(waiting is packet for waiting in pipe.packets):
            pipe.packets.remove(packet)
            self._answer(pipe, packet, None, "timed out")

    def _fail_all(self, pipe: Pipe, why: str) -> None:
        self._answer(pipe, pipe.packets.popleft(), None, why)


class SimCommandWriter:
    """As truetape.writer.CommandWriter, for one process. `reported` hears of each command once."""

    def __init__(self, log: SimLog, reported: Callable[[list[Report]], None]) -> None:
        self.producer = CommandProducer(log.broker, log, lambda report: reported([report]))

    def append(
        self, part: Part, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]], token: Any
    ) -> None:
        """Write a command; it is on its way at once."""
        self.producer.append(part, key, value, list(headers) or None, token)

    def close(self) -> None:
        """Send what waits."""
        self.producer.hurry()
