"""What counts on the tape of a run, read as it grows by a reader that shares no rule with the services', and folded."""

from collections.abc import Sequence
from typing import Any

from truetape.codec import decode
from truetape.errors import SchemaError, TapeGap
from truetape.happenings import Part
from truetape.messages import Began
from truetape.service import Service
from truetape.simbroker import SimBroker
from truetape.topics import BY_NAME


class Tape:
    """One partition. With a service, its state is folded too."""

    def __init__(self, part: Part, service: Service[Any] | None = None) -> None:
        self.part, self.service = part, service
        self.place = (0, 0)
        """Epoch and sequence of the last record that counts."""
        self.void_count = 0
        self.found: list[tuple[int, Any]] = []
        """(offset, message) of all that is accepted, Began included."""
        self._events: list[Any] = []
        self.state: Any = service.initial() if service is not None else None
        self.void_begans = 0
        self._next = 0

    def read_on(self, broker: SimBroker) -> list[tuple[int, Any]]:
        """Read to the end; returns what is new."""
        before, partition = len(self.found), broker.partition(self.part)
        if partition.end <= self._next:
            return []
        for record in partition.slice(self._next, partition.end):
            self._next = record.offset + 1
            try:
                message: Any = decode(record.value or b"")
            except SchemaError:
                continue
            if BY_NAME[self.part.topic].owner is None or self._counts(message):
                self._accept(record.offset, message)
        return self.found[before:]

    def _counts(self, message: Any) -> bool:
        """The reader's rule, written down a second time. Raises TapeGap."""
        at: tuple[int, int] = (message.meta.epoch, message.meta.sequence)
        epoch, sequence = self.place
        if isinstance(message, Began):
            counts = at[0] > epoch
            self.void_begans += not counts
            self.place = (at[0], 0) if counts else self.place
        else:
            counts = at == (epoch, sequence + 1)
            if not counts and at > self.place:
                raise TapeGap(f"{self.part}: {at} follows {self.place}")
            self.place = at if counts else self.place
        self.void_count += not counts
        return counts

    def _accept(self, offset: int, message: Any) -> None:
        self.found.append((offset, message))
        if not isinstance(message, Began):
            self._events.append(message)
            if self.service is not None:
                self.state = self.service.evolve(self.state, message)

    def events(self) -> Sequence[Any]:
        """All that is accepted so far, without Began; it grows."""
        return self._events
