"""Proofs as files: that a record is in the tape of a checkpoint, and that one checkpoint's tape begins another's.

Such a file is checked with the notary's public key alone: `examples/check_proof.py` does, without Truetape or Kafka.
"""

import base64
from typing import Literal

from msgspec import Struct

from truetape.errors import ProofInvalid
from truetape.evidence import keys, tree
from truetape.evidence.checkpoint import Checkpoint, Head, SignedCheckpoint
from truetape.evidence.leaf import leaf_of
from truetape.happenings import Part, Record


class ProvenRecord(Struct, frozen=True):
    """A record's place and bytes; bytes in base64, null where there are none."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None
    headers: list[tuple[str, str | None]]


class InclusionProof(Struct, frozen=True):
    """A record is in the tape that a checkpoint saw."""

    record: ProvenRecord
    path: list[str]
    """Hashes from the leaf's sibling up to the root, in hex."""
    checkpoint: SignedCheckpoint
    format: Literal["truetape-inclusion/1"] = "truetape-inclusion/1"


class ConsistencyProof(Struct, frozen=True):
    """The tape of one checkpoint is the beginning of the tape of another, on one partition."""

    part: str
    path: list[str]
    first: SignedCheckpoint
    second: SignedCheckpoint
    format: Literal["truetape-consistency/1"] = "truetape-consistency/1"


def include(record: Record, nodes: tree.Nodes, checkpoint: SignedCheckpoint, size: int) -> InclusionProof:
    """Prove a record by the tree of its partition; `size` is what the checkpoint says of it."""
    path = [hashed.hex() for hashed in tree.inclusion(nodes, record.offset, size)]
    return InclusionProof(proven(record), path, checkpoint)


def check_inclusion(proof: InclusionProof, public_key: str) -> Checkpoint:
    """The checkpoint in whose tape the record is. Raises ProofInvalid or EvidenceError."""
    checkpoint = keys.opened(proof.checkpoint, public_key)
    record = record_of(proof.record)
    part = Part(record.topic, record.partition)
    root = tree.root_of_inclusion(leaf_of(record), record.offset, _head(checkpoint, part).size, _path(proof.path))
    if root.hex() != _head(checkpoint, part).root:
        raise ProofInvalid(
            f"{part}@{record.offset} is not in checkpoint {checkpoint.number}: the proof leads elsewhere"
        )
    return checkpoint


def extend(
    part: Part, nodes: tree.Nodes, first: SignedCheckpoint, second: SignedCheckpoint, sizes: tuple[int, int]
) -> ConsistencyProof:
    """Prove that the tree of a partition at the first checkpoint begins that at the second."""
    path = [hashed.hex() for hashed in tree.consistency(nodes, *sizes)]
    return ConsistencyProof(str(part), path, first, second)


def check_consistency(proof: ConsistencyProof, public_key: str) -> tuple[Checkpoint, Checkpoint]:
    """Both checkpoints, the second of which only added. Raises ProofInvalid or EvidenceError."""
    first, second = keys.opened(proof.first, public_key), keys.opened(proof.second, public_key)
    part = Part.parse(proof.part)
    old, new = _head(first, part), _head(second, part)
    roots = bytes.fromhex(old.root), bytes.fromhex(new.root)
    if not tree.is_consistent(old.size, new.size, *roots, _path(proof.path)):
        raise ProofInvalid(f"{part}: checkpoint {second.number} is no continuation of checkpoint {first.number}")
    return first, second


def _head(checkpoint: Checkpoint, part: Part) -> Head:
    head = checkpoint.heads.get(part)
    if head is None:
        raise ProofInvalid(f"checkpoint {checkpoint.number} says nothing of {part}")
    return head


def _path(path: list[str]) -> list[bytes]:
    try:
        return [bytes.fromhex(hashed) for hashed in path]
    except ValueError as error:
        raise ProofInvalid(f"the path is not hashes in hex: {error}") from error


def proven(record: Record) -> ProvenRecord:
    """A record as a proof holds it."""
    headers = [(name, _text(value)) for name, value in record.headers or ()]
    return ProvenRecord(record.topic, record.partition, record.offset, _text(record.key), _text(record.value), headers)


def record_of(given: ProvenRecord) -> Record:
    """The record that a proof holds. Raises ProofInvalid when it is not base64."""
    try:
        headers = [(name, _bytes(value)) for name, value in given.headers]
        return Record(given.topic, given.partition, given.offset, _bytes(given.key), _bytes(given.value), headers)
    except ValueError as error:
        raise ProofInvalid(f"the record's bytes are not base64: {error}") from error


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
