"""Checkpoints: what the tape was, as a short text that is signed.

    truetape checkpoint 17
    previous 5f1c…
    time 1795680000000000
    clearing.entries/3 1200 9d0e… 41aa…

A line per partition that grew since the checkpoint before: how many records it has, the root of its Merkle tree and
the end of its hash chain. `previous` is the SHA-256 of the text before, so that checkpoints are a chain themselves.
The text has one form only, and its bytes are what is signed.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec import Struct

from truetape.errors import EvidenceError
from truetape.happenings import Part

NO_PREVIOUS: Final = "0" * 64
"""`previous` of the first checkpoint."""
_NUMBER: Final = r"(0|[1-9][0-9]{0,18})"
_HEX: Final = r"([0-9a-f]{64})"
_HEAD: Final = re.compile(rf"truetape checkpoint {_NUMBER}\nprevious {_HEX}\ntime {_NUMBER}\n", re.ASCII)
_LINE: Final = re.compile(rf"([a-z.]{{1,64}})/{_NUMBER} {_NUMBER} {_HEX} {_HEX}\n", re.ASCII)


class Head(NamedTuple):
    """A partition at one moment: records, root of their tree, end of their chain, the latter two in hex."""

    size: int
    root: str
    chain: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a signed text says."""

    number: int
    previous: str
    """Digest of the checkpoint before."""
    at_us: int
    heads: Mapping[Part, Head]

    def text(self) -> str:
        """The text that is signed."""
        lines = [f"{part} {head.size} {head.root} {head.chain}\n" for part, head in sorted(self.heads.items())]
        return f"truetape checkpoint {self.number}\nprevious {self.previous}\ntime {self.at_us}\n{''.join(lines)}"


class SignedCheckpoint(Struct, frozen=True):
    """A checkpoint's text and its Ed25519 signature."""

    note: str
    signature: str
    """Of the text's UTF-8 bytes, in hex."""
    public_key: str
    """Whose signature it claims to be, in hex. Whoever verifies compares it with the key that they know."""

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return digest_of(self.note)


def digest_of(note: str) -> str:
    """SHA-256 of a checkpoint's text, in hex."""
    return hashlib.sha256(note.encode()).hexdigest()


def parse(note: str) -> Checkpoint:
    """The checkpoint that a text states. Raises EvidenceError when the text has not exactly the one form."""
    found = _HEAD.match(note)
    if found is None:
        raise EvidenceError(f"this is no checkpoint: {note[:80]!r}")
    heads: dict[Part, Head] = {}
    at = found.end()
    while (line := _LINE.match(note, at)) is not None:
        heads[Part(line[1], int(line[2]))] = Head(int(line[3]), line[4], line[5])
        at = line.end()
    checkpoint = Checkpoint(int(found[1]), found[2], int(found[3]), heads)
    if checkpoint.text() != note:
        raise EvidenceError(
            f"checkpoint {checkpoint.number} has lines that are not in the one form: {note[at:][:80]!r}"
        )
    return checkpoint
