"""The tables that every instance reads whole beside its inputs: reference data and marks."""

from typing import Any

from truetape import marks, reference
from truetape.codec import Message
from truetape.errors import TapeGap
from truetape.log import Log, Part, Record
from truetape.messages import InstrumentSet
from truetape.restore import accepted
from truetape.service import Tables
from truetape.tape import Reader
from truetape.topics import MARKET_MARKS, REFERENCE_EVENTS

MARKS_TAIL = 2_000
"""Of marks only the newest count, so their reader joins this many records before the end."""


class TableReader:
    """Keeps `Tables` at the end of reference.events and market.marks."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._readers: dict[str, Reader] = {}

    def read_all(self, log: Log, timeout_seconds: float) -> None:
        """Read both topics to their ends and follow them from there."""
        spans = log.ends([Part(REFERENCE_EVENTS.name, 0), Part(MARKET_MARKS.name, 0)])
        part = Part(MARKET_MARKS.name, 0)
        low, high = spans[part]
        spans[part] = (max(low, high - MARKS_TAIL), high)
        self._readers = {
            part.topic: Reader(*part, joining=part.topic == MARKET_MARKS.name and start > 0)
            for part, (start, _) in spans.items()
        }
        for record in log.read(spans, timeout_seconds):
            self.take(record, joining=spans[Part(record.topic, record.partition)][0] > 0)
        log.follow({part: end for part, (_, end) in spans.items()})

    def wants(self, record: Record) -> bool:
        """Whether the record is of a table."""
        return record.topic in self._readers

    def take(self, record: Record, joining: bool = False) -> None:
        """Apply one record by the reader's rule. One that joins in the middle may have joined on a void record: until
        it is at the end it takes a higher epoch as it comes."""
        message: Any = self._accepted(record, joining)
        if message is None:
            return
        if record.topic == REFERENCE_EVENTS.name:
            reference.fold(self.tables.reference, message)
            self.tables.reference_offset = record.offset
            if isinstance(message, InstrumentSet):
                self.tables.instruments_since.setdefault(message.instrument.instrument_id, record.offset)
        else:
            marks.fold(self.tables.marks, message)

    def _accepted(self, record: Record, joining: bool) -> Message | None:
        try:
            return accepted(record, self._readers[record.topic])
        except TapeGap:
            if not joining:
                raise
        self._readers[record.topic] = Reader(record.topic, record.partition, joining=True)
        return accepted(record, self._readers[record.topic])
