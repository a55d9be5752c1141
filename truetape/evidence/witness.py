"""The witness: checkpoints in a file outside Kafka, one JSON object a line, only ever appended to.

A line of the notary's log (`TRUETAPE_LOG_FORMAT=json`) with number and digest alone is a witness too, wherever it was
shipped: it cannot say what the tape was, but that another checkpoint of the same number is a lie.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from truetape.errors import EvidenceError
from truetape.evidence.checkpoint import SignedCheckpoint, digest_of

WITNESS_FILE: Final = "checkpoints.jsonl"
_TAIL_BYTES: Final = 256 * 1024


class Testimony(Struct, frozen=True, omit_defaults=True):
    """One line: a checkpoint's number and digest, and the checkpoint itself where the witness has it."""

    number: int
    digest: str
    note: str = ""
    signature: str = ""
    public_key: str = ""

    @property
    def signed(self) -> SignedCheckpoint | None:
        """The checkpoint; None where there is only its digest."""
        return SignedCheckpoint(self.note, self.signature, self.public_key) if self.note else None


def testimony(number: int, signed: SignedCheckpoint) -> Testimony:
    """A checkpoint as a line."""
    return Testimony(number, signed.digest, signed.note, signed.signature, signed.public_key)


def append(path: Path, line: Testimony) -> None:
    """Add a line, and return when it is on disk. What a crash left of a line before is cut off."""
    with path.open("ab") as file:
        whole = _whole_bytes(path)
        file.truncate(whole)
        file.write(msgspec.json.encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def last(path: Path) -> Testimony | None:
    """The newest whole line; None when there is none."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        file.seek(max(0, _whole_bytes(path) - _TAIL_BYTES))
        lines = file.read().split(b"\n")[:-1]
    return _read(lines[-1], str(path)) if lines else None


def read(path: Path) -> Iterator[Testimony]:
    """All whole lines that testify, in order; other lines of a log are passed over.

    Raises EvidenceError for a line that is not JSON, or that does not have its own digest.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n") and b'"digest"' in line and b'"number"' in line:
                yield _read(line, f"{path} line {number}")


def _read(line: bytes, where: str) -> Testimony:
    try:
        found = msgspec.json.decode(line, type=Testimony)
    except msgspec.MsgspecError as error:
        raise EvidenceError(f"{where} is no testimony of a checkpoint: {error}") from error
    if found.note and digest_of(found.note) != found.digest:
        raise EvidenceError(f"{where}: the checkpoint does not have its own digest: somebody changed this file")
    return found


def _whole_bytes(path: Path) -> int:
    """Length of the file up to its last newline."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while size:
            start = max(0, size - _TAIL_BYTES)
            file.seek(start)
            if (at := file.read(size - start).rfind(b"\n")) >= 0:
                return start + at + 1
            size = start
    return 0
