"""A writer of commands, for any thread. Their topics have many writers and no epochs, so a hole between two harms
nobody: a command that Kafka does not take in time is given up by itself, and its outcome is unknown.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from truetape.happenings import Part, Report
from truetape.log import open_producer, try_produce

PUMP_SECONDS: Final = 0.1
FLUSH_SECONDS: Final = 2.0
GATHER_SECONDS: Final = 0.005
"""Reports are told so much later at most, in company: the answers that clients wait for come by the tape."""


class CommandWriter:
    """Writes commands. `reported` hears of each once: in the pump's thread, or in the writer's if it was not taken."""

    def __init__(self, bootstrap: str, timeout_ms: int, reported: Callable[[list[Report]], None]) -> None:
        self._bootstrap, self._timeout_ms, self._tell = bootstrap, timeout_ms, reported
        self._reports: deque[Report] = deque()
        self._broken = False
        self._stopping = threading.Event()
        self._producer = open_producer(bootstrap, timeout_ms)
        self._pump = threading.Thread(target=self._serve, name="kafka-commands", daemon=True)
        self._pump.start()

    def append(
        self, part: Part, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]], token: Any
    ) -> None:
        """Write a command; it is on its way at once."""

        def delivered(error: Any, message: Any) -> None:
            offset = message.offset() if error is None else None
            known = offset is not None and offset >= 0
            self._broken = self._broken or (error is not None and error.fatal())
            self._reports.append(Report(part, offset if known else None, error.str() if error else None, token))

        if self._broken:
            self._renew()
        refusal = try_produce(self._producer, part, key, value, headers, delivered)
        if refusal:
            self._tell([Report(part, None, refusal, token)])

    def close(self) -> None:
        """Send what waits, at most for seconds."""
        self._producer.flush(FLUSH_SECONDS)
        self._stopping.set()
        self._pump.join(FLUSH_SECONDS)

    def _renew(self) -> None:
        """A fatal error ends a producer for good: what it still had is unknown."""
        old, self._broken = self._producer, False
        self._producer = open_producer(self._bootstrap, self._timeout_ms)
        old.purge(in_queue=True, in_flight=True)
        old.flush(0)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if self._producer.poll(PUMP_SECONDS):
                self._stopping.wait(GATHER_SECONDS)
                self._producer.poll(0)
            reports = [self._reports.popleft() for _ in range(len(self._reports))]
            if reports:
                self._tell(reports)
