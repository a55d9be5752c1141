"""A service's snapshots built again: the whole fold, compared with what lay on the shelf, and a new snapshot of it."""

import hashlib
import time
from typing import Any

from truetape import snapshots
from truetape.audit import kept
from truetape.audit.difference import Difference
from truetape.audit.fold import BEYOND, DAMAGED, Fold
from truetape.audit.merge import Cursor, Given
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


def rebuild_snapshots(log: Log, service: Service[Any], settings: Settings, check: bool, told: Told) -> Rebuilt:
    """Fold every partition from its first record and put a snapshot of that in the place of all older ones.

    The owner may go on: it reads snapshots only when it takes a partition over, and its next one replaces ours.
    Raises TapeGap when records are missing, also those that a snapshot has seen: then nothing is replaced.
    """
    began, timeout = time.monotonic(), settings.restore_timeout_seconds
    shelf = kept.read(log, service, timeout)
    ends = log.ends([Part(service.owns.name, partition) for partition in range(service.owns.partitions)])
    folds = {part: _Folding(service, part, span, shelf.newest.get(part.partition)) for part, span in ends.items()}
    total, done = sum(end for _, end in ends.values()), 0
    for folding in folds.values():
        for _ in folding.steps(log, timeout):
            done += 1
            if done % TOLD_RECORDS == 0:
                told(f"folding {service.owns.name}", done, total)
    told(f"folding {service.owns.name}", done, total)
    found = [difference for folding in folds.values() for difference in folding.differences(shelf)]
    if not check:
        for folding in folds.values():
            _replace(log, service, folding)
        if not log.flush(FLUSH_SECONDS):
            raise TapeError(
                f"the snapshots of {service.name} were not all written: is the broker healthy? Rebuild again"
            )
    compared = len(shelf.newest) + len(shelf.damaged)
    digests = "".join(folding.fold.digest() for folding in folds.values())
    verdict = DIFFERS if found else EQUAL if compared else OUTDATED if shelf.outdated else NONE
    return Rebuilt(
        service.name, verdict, not check, done, compared, hashlib.sha256(digests.encode()).hexdigest(),
        round(time.monotonic() - began, 3), found[:SHOWN], len(found),
    )  # fmt: skip


class _Folding:
    """One partition on its way from offset 0 to its end."""

    def __init__(self, service: Service[Any], part: Part, span: tuple[int, int], old: snapshots.Kept | None) -> None:
        self.part, self.positions = part, dict[str, int]()
        self.fold = Fold(service, part.partition, snapshot=old)
        self.last = -1
        """Offset of the last record accepted."""
        self._cursor, self._end = Cursor(part, *span), span[1]

    def steps(self, log: Log, timeout_seconds: float) -> Any:
        """Fold record after record."""
        while (given := self._cursor.peek(log, timeout_seconds)) is not None:
            self._cursor.take()
            if given.accepted:
                self._take(given)
            yield
        if self._cursor.gap:
            raise TapeGap(self._cursor.gap)
        if self.fold.broken:
            raise TapeError(f"the tape cannot be folded: {self.fold.differences[-1]}")

    def _take(self, given: Given) -> None:
        self.fold.take(given)
        self.last = given.offset
        if not isinstance(given.message, Began):
            answered(self.positions, given.message.meta)

    def differences(self, shelf: kept.Shelf) -> list[Difference]:
        """Where the snapshot that there was differs. Raises TapeGap when it has seen records that are gone."""
        found = list(self.fold.end(self._end))
        if self.fold.snapshot_verdict == BEYOND:
            raise TapeGap(
                f"{self.part} ends at offset {self._end}, before its newest snapshot: records were lost. That snapshot "
                "is the witness and stays; restore the topic from a replica or backup first."
            )
        if (what := shelf.damaged.get(self.part.partition)) is not None:
            self.fold.snapshot_verdict = DAMAGED
            found.append(Difference("snapshot", self.fold.where, "", "its digest", "a whole snapshot", what))
        return found

    @property
    def place(self) -> Place:
        """Epoch and sequence of the last record."""
        return self.fold.place


def _replace(log: Log, service: Service[Any], folding: _Folding) -> None:
    """Take every snapshot of a partition off the shelf, and put the new one there."""
    partition = folding.part.partition
    part = Part(snapshots_of(service.owns).name, partition)
    old = log.read({part: log.ends([part])[part]}, FLUSH_SECONDS)
    for key in sorted({record.key for record in old if record.key and record.value}):
        log.append(part, key, None, [], None)
    if folding.place == START:
        return
    version = snapshots.version_of(service.state_type)
    new = snapshots.Kept(folding.place, folding.last, folding.positions, snapshots.pack(folding.fold.state))
    for key, record in snapshots.cut(service.name, partition, version, new):
        log.append(part, key, encode(record), [], None)
