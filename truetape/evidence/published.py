"""The checkpoints on their topic, read by the reader's rule; and how a proof's checkpoint and tree are found."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from truetape.errors import EvidenceError
from truetape.evidence import keys
from truetape.evidence.checkpoint import Head, SignedCheckpoint, parse
from truetape.evidence.forest import nodes_path
from truetape.evidence.leaf import leaf_of
from truetape.evidence.tree import Nodes
from truetape.happenings import Log, Part, Record
from truetape.messages import CheckpointSigned
from truetape.restore import readable
from truetape.tape import Reader
from truetape.topics import AUDIT_CHECKPOINTS

CHECKPOINTS: Final = Part(AUDIT_CHECKPOINTS.name, 0)
CHUNK_RECORDS: Final = 200_000
"""Read with one deadline."""


class Found(NamedTuple):
    """A checkpoint with a partition in it."""

    number: int
    signed: SignedCheckpoint
    head: Head


def published(log: Log, timeout_seconds: float) -> Iterator[tuple[int, CheckpointSigned]]:
    """(offset, checkpoint) of every checkpoint on the topic. Raises TapeGap or CorruptRecord where it is broken."""
    reader = Reader(*CHECKPOINTS)
    for record in records(log, CHECKPOINTS, *log.ends([CHECKPOINTS])[CHECKPOINTS], timeout_seconds):
        message = readable(record)
        accepted = message is not None and reader.accept(message, record.offset)
        if accepted and isinstance(message, CheckpointSigned):
            yield record.offset, message


def records(log: Log, part: Part, start: int, end: int, timeout_seconds: float) -> Iterator[Record]:
    """Records of one partition from start to end, a chunk with each deadline."""
    for first in range(start, end, CHUNK_RECORDS):
        yield from log.read({part: (first, min(end, first + CHUNK_RECORDS))}, timeout_seconds)


def signed_of(event: CheckpointSigned) -> SignedCheckpoint:
    """The signed checkpoint inside an event."""
    return SignedCheckpoint(event.note, event.signature, event.public_key)


def of_part(events: Iterable[CheckpointSigned], part: Part) -> list[Found]:
    """The checkpoints in which a partition is, oldest first. Raises EvidenceError when there is none."""
    found = [
        Found(event.number, signed_of(event), head)
        for event in events
        if (head := parse(event.note).heads.get(part)) is not None
    ]
    if not found:
        raise EvidenceError(f"no checkpoint covers {part}: does the notary run?")
    return found


def covering(found: list[Found], offset: int) -> Found:
    """The first checkpoint that covers an offset. Raises EvidenceError when none does yet."""
    for one in found:
        if one.head.size > offset:
            return one
    size, number = found[-1].head.size, found[-1].number
    raise EvidenceError(f"checkpoint {number}, the last, covers {size} records: offset {offset} is not covered yet")


def at_number(found: list[Found], number: int, part: Part) -> Found:
    """The newest checkpoint up to this number. Raises EvidenceError when the partition was empty then."""
    known = [one for one in found if one.number <= number]
    if not known:
        raise EvidenceError(f"{part} is in no checkpoint before {found[0].number}: it was empty")
    return known[-1]


def tree_of(log: Log, folder: Path | None, part: Part, head: Head, timeout_seconds: float) -> Nodes:
    """A partition's tree as it was signed: from the notary's folder when it is there, else from the tape.

    Raises EvidenceError when the tape is another.
    """
    path = nodes_path(folder, part) if folder is not None else None
    if path is not None and path.exists():
        nodes = Nodes(path.open("rb"))
        if nodes.size >= head.size and nodes.root(head.size).hex() == head.root:
            return nodes
        nodes.close()
    nodes = Nodes(tempfile.TemporaryFile())  # noqa: SIM115 (the tree closes it)
    for record in records(log, part, 0, head.size, timeout_seconds):
        nodes.append(leaf_of(record))
    if nodes.root().hex() != head.root:
        raise EvidenceError(f"{part} is not what was signed: `truetape audit --evidence-only` says where")
    return nodes


def known_key(folder: Path | None) -> str:
    """The public key in the notary's folder; empty when it is not here."""
    path = folder / keys.PUBLIC_FILE if folder is not None else None
    return path.read_text().strip() if path is not None and path.exists() else ""
