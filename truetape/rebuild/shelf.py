"""A service's snapshots built again: the whole fold, compared with what lay on the shelf, and a new snapshot of it."""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from truetape import snapshots
from truetape.audit import kept
from truetape.audit.difference import Difference
from truetape.audit.fold import BEYOND, Fold
from truetape.audit.merge import Cursor
from truetape.codec import encode
from truetape.errors import TapeError, TapeGap
from truetape.happenings import Log, Part
from truetape.messages import Began
from truetape.rebuild.result import DIFFERS, EQUAL, NONE, OUTDATED, SHOWN, Rebuilt, Told
from truetape.service import Service
from truetape.settings import Settings
from truetape.tape import START, Place, answered
from truetape.topics import snapshots_of

FLUSH_SECONDS = 60.0
TOLD_RECORDS = 2_000
APART_RECORDS = 300_000
"""A shorter tape is folded before other processes have begun."""


def rebuild_snapshots(
    log: Log, service: Service[Any], settings: Settings, check: bool, told: Told, fold_all: "FoldAll | None" = None
) -> Rebuilt:
    """Fold every partition from its first record and put a snapshot of that in the place of all older ones.

    The owner may go on: it reads snapshots only when it takes a partition over, and its next one replaces ours.
    `fold_all` folds the partitions of a long tape elsewhere, say in several processes; else they are folded here, one
    after the other.
    Raises TapeGap when records are missing, also those that a snapshot has seen: then nothing is replaced.
    """
    began, timeout = time.monotonic(), settings.restore_timeout_seconds
    shelf = kept.read(log, service, timeout)
    ends = log.ends([Part(service.owns.name, partition) for partition in range(service.owns.partitions)])
    spans = [Span(part, *span, shelf.newest.get(part.partition)) for part, span in ends.items()]
    total, done = sum(span.end for span in spans), 0

    def more(records: int) -> None:
        nonlocal done
        done += records
        told(f"folding {service.owns.name}", done, total)

    more(0)
    if fold_all is not None and total >= APART_RECORDS:
        folded = fold_all(spans, more)
    else:
        folded = [fold(log, service, span, timeout, more) for span in spans]
    found = [difference for one in folded for difference in one.differences(service, shelf)]
    if not check:
        for one in folded:
            _replace(log, service, one)
        if not log.flush(FLUSH_SECONDS):
            raise TapeError(
                f"the snapshots of {service.name} were not all written: is the broker healthy? Rebuild again"
            )
    compared = len(shelf.newest) + len(shelf.damaged)
    digests = "".join(one.digest for one in folded)
    verdict = DIFFERS if found else EQUAL if compared else OUTDATED if shelf.outdated else NONE
    return Rebuilt(
        service.name, verdict, not check, done, compared, hashlib.sha256(digests.encode()).hexdigest(),
        round(time.monotonic() - began, 3), found[:SHOWN], len(found),
    )  # fmt: skip


class Span(NamedTuple):
    """A partition to fold, and the snapshot of it that there is."""

    part: Part
    low: int
    end: int
    old: snapshots.Kept | None


class Folded(NamedTuple):
    """What the tape of a partition comes to. It can travel from process to process."""

    part: Part
    place: Place
    """Epoch and sequence of the last record."""
    last: int
    """Offset of the last record accepted."""
    positions: dict[str, int]
    packed: bytes
    found: list[Difference]

    @property
    def digest(self) -> str:
        """Digest of the state."""
        return hashlib.sha256(self.packed).hexdigest()

    def differences(self, service: Service[Any], shelf: kept.Shelf) -> list[Difference]:
        """Where the snapshot that there was differs."""
        if (what := shelf.damaged.get(self.part.partition)) is None:
            return self.found
        where = f"{service.name}/{self.part.partition}"
        return [*self.found, Difference("snapshot", where, "", "its digest", "a whole snapshot", what)]


FoldAll = Callable[[Sequence[Span], Callable[[int], None]], list[Folded]]
"""Folds partitions, in their order, and tells how many records more are folded."""


def fold(
    log: Log, service: Service[Any], span: Span, timeout_seconds: float, more: Callable[[int], None] = lambda _: None
) -> Folded:
    """One partition from offset 0 to its end. Raises TapeGap when records are missing, also those that a snapshot has
    seen, and TapeError when they cannot be folded."""
    cursor, positions, last, told = Cursor(span.part, span.low, span.end), dict[str, int](), -1, 0
    folding = Fold(service, span.part.partition, snapshot=span.old)
    while (given := cursor.peek(log, timeout_seconds)) is not None:
        cursor.take()
        if given.accepted:
            folding.take(given)
            last = given.offset
            if not isinstance(given.message, Began):
                answered(positions, given.message.meta)
        if cursor.next - told >= TOLD_RECORDS:
            more(cursor.next - told)
            told = cursor.next
    more(cursor.next - told)
    if cursor.gap:
        raise TapeGap(cursor.gap)
    if folding.broken:
        raise TapeError(f"the tape cannot be folded: {folding.differences[-1]}")
    found = list(folding.end(span.end))
    if folding.snapshot_verdict == BEYOND:
        raise TapeGap(
            f"{span.part} ends at offset {span.end}, before its newest snapshot: records were lost. That snapshot "
            "is the witness and stays; restore the topic from a replica or backup first."
        )
    return Folded(span.part, folding.place, last, positions, snapshots.pack(folding.state), found)


def _replace(log: Log, service: Service[Any], folded: Folded) -> None:
    """Take every snapshot of a partition off the shelf, and put the new one there."""
    partition = folded.part.partition
    part = Part(snapshots_of(service.owns).name, partition)
    old = log.read({part: log.ends([part])[part]}, FLUSH_SECONDS)
    for key in sorted({record.key for record in old if record.key and record.value}):
        log.append(part, key, None, [], None)
    if folded.place == START:
        return
    version = snapshots.version_of(service.state_type)
    new = snapshots.Kept(folded.place, folded.last, folded.positions, folded.packed)
    for key, record in snapshots.cut(service.name, partition, version, new):
        log.append(part, key, encode(record), [], None)
