"""Partitions of the tape as columns, batch by batch, after the reader's rule."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from truetape.books.rule import Rule
from truetape.codec import decode as decode_one
from truetape.columns import Bools, Columns, Ints, Wire, decode
from truetape.errors import SchemaError, UndecodableRecord
from truetape.happenings import Part, Record
from truetape.messages import Began
from truetape.schema import released
from truetape.topics import BY_NAME

BATCH_RECORDS = 16_384
BATCHES = 16
"""Read with one deadline."""
HEADER_BYTES = 5
META = frozenset(
    {"meta.epoch", "meta.sequence", "meta.cause.source", "meta.cause.partition", "meta.cause.offset"}
)  # fmt: skip


class Batch:
    """Some records of one partition, in order. `accepted` says which count."""

    def __init__(self, offsets: Ints, values: Sequence[bytes], wire: Wire) -> None:
        self.offsets, self.values, self.wire = offsets, values, wire
        self.accepted: Bools = np.zeros(len(values), np.bool_)
        self.epochs: Ints = np.zeros(len(values), np.int64)
        self.sequences: Ints = np.zeros(len(values), np.int64)
        self.groups: dict[str, Columns] = {}
        """Columns of each type of record; `rows` of the same key says where they stand."""
        self.rows: dict[str, Ints] = {}

    def message(self, row: int) -> Any:
        """One record, decoded by itself."""
        return decode_one(self.values[row])


@cache
def _schemas() -> dict[int, tuple[str, Any]]:
    return {version.id: (version.record.removeprefix("truetape."), version.schema) for version in released()}


class Readable(Protocol):
    """What an audit needs of a log."""

    def ends(self, parts: Iterable[Part]) -> dict[Part, tuple[int, int]]:
        """First offset and high watermark of each partition."""

    def read(self, spans: Mapping[Part, tuple[int, int]], timeout_seconds: float) -> Iterator[Record]:
        """Records from offset to offset (exclusive) of each partition, in order within each."""


class Source:
    """One partition read from its first record to `end`, of which only `wanted` types are decoded beyond their meta."""

    def __init__(self, part: Part, end: int, wanted: dict[str, frozenset[str]]) -> None:
        self.part, self.end = part, end
        self.rule = Rule()
        self.records = self.stray = 0
        self.decode_seconds = 0.0
        self.gap = ""
        self._wanted = wanted
        names = {kind.__name__ for kind in BY_NAME[part.topic].types}
        self._known = {id for id, (name, _) in _schemas().items() if name in names}

    def batches(self, log: Readable, timeout_seconds: float) -> Iterator[Batch]:
        """All of it, up to the first gap."""
        start = 0
        while start < self.end and not self.gap:
            stop = min(self.end, start + BATCHES * BATCH_RECORDS)
            records = iter(log.read({self.part: (start, stop)}, timeout_seconds))
            while (some := list(itertools.islice(records, BATCH_RECORDS))) and not self.gap:
                yield from self._alike([record.offset for record in some], [record.value or b"" for record in some])
            start = stop

    def _alike(self, offsets: Sequence[int], values: Sequence[bytes]) -> Iterator[Batch]:
        """Batches of one version of each type: a new version of the owner writes new ones from some record on."""
        kinds = {bytes([0]) + id.to_bytes(4, "big"): _schemas()[id][0] for id in self._known}
        heads = {value[:HEADER_BYTES] for value in values} & kinds.keys()
        first = 0
        if len({kinds[head] for head in heads}) < len(heads):
            versions: dict[str, bytes] = {}
            for place, head in enumerate(value[:HEADER_BYTES] for value in values):
                if head in kinds and versions.setdefault(kinds[head], head) != head:
                    yield self.batch(offsets[first:place], values[first:place])
                    first, versions = place, {kinds[head]: head}
        if not self.gap:
            yield self.batch(offsets[first:], values[first:])

    def batch(self, offsets: Sequence[int], values: Sequence[bytes]) -> Batch:
        """Decode and judge records that follow each other."""
        began = time.perf_counter()
        try:
            return self._decoded(offsets, values)
        finally:
            self.decode_seconds += time.perf_counter() - began

    def _decoded(self, offsets: Sequence[int], values: Sequence[bytes]) -> Batch:
        try:
            return self._judged(offsets, values)
        except UndecodableRecord:
            good = [_is_record(value) for value in values]  # One of them is none: find out which.
            assert not all(good), "the columns know what the codec does not"
            return self._judged(offsets, [value if fine else b"" for value, fine in zip(values, good, strict=True)])

    def _judged(self, offsets: Sequence[int], values: Sequence[bytes]) -> Batch:
        wire = Wire(values)
        found = Batch(np.array(offsets, np.int64), values, wire)
        header = wire.word(wire.starts)
        ids = np.where(header & np.uint64(0xFF) == 0, (header >> np.uint64(8)) & np.uint64(0xFFFFFFFF), 0)
        ids = np.where(wire.ends - wire.starts > HEADER_BYTES, ids.astype(np.uint32).byteswap(), 0).astype(np.int64)
        epochs, sequences = found.epochs, found.sequences
        began, readable = np.zeros(len(values), np.bool_), np.zeros(len(values), np.bool_)
        for id in np.unique(ids).tolist():
            if id not in self._known:
                continue
            rows = np.flatnonzero(ids == id)
            name, schema = _schemas()[id]
            wanted = self._wanted.get(name)
            columns, behind = decode(
                wire, wire.starts[rows] + HEADER_BYTES, schema, META | (wanted or frozenset()), whole=wanted is not None
            )
            if np.any(behind > wire.ends[rows]) or (wanted is not None and np.any(behind != wire.ends[rows])):
                raise UndecodableRecord(f"{name}: cut off, or with bytes left over")
            epochs[rows], sequences[rows] = columns.ints["meta.epoch"], columns.ints["meta.sequence"]
            began[rows] = name == Began.__name__
            readable[rows] = True
            found.groups[name], found.rows[name] = columns, rows
        real = np.flatnonzero(readable)
        found.accepted[real] = self.rule.accept(epochs[real], sequences[real], began[real])
        self.records += int(found.accepted.sum())
        self.stray += len(values) - len(real)
        if self.rule.gap:
            self.gap = f"{self.part}: {self.rule.gap}"
        return found


def _is_record(value: bytes) -> bool:
    try:
        decode_one(value)
    except SchemaError:
        return False
    return True
