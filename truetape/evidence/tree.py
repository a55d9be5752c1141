"""The Merkle tree of RFC 9162 §2.1: roots, inclusion proofs, consistency proofs and their verification.

Leaf SHA-256(0x00 ‖ data), node SHA-256(0x01 ‖ left ‖ right); the left subtree holds the largest power of two of leaves
below the size, so that an odd node is promoted and never doubled.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from truetape.errors import ProofInvalid

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of a tree without leaves."""


def leaf(data: bytes) -> bytes:
    """Hash of one leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Peaks:
    """A tree that only grows, as the roots of its whole subtrees, largest first: log2(size) hashes."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, hashed: bytes) -> list[bytes]:
        """Add a leaf's hash; returns it and the roots of all subtrees that it made whole, from below."""
        whole, index = [hashed], self.size
        while index & 1:
            whole.append(node(self.hashes.pop(), whole[-1]))
            index >>= 1
        self.hashes.append(whole[-1])
        self.size += 1
        return whole

    def root(self) -> bytes:
        """Root over all leaves."""
        if not self.hashes:
            return EMPTY_ROOT
        found = self.hashes[-1]
        for peak in reversed(self.hashes[:-1]):
            found = node(peak, found)
        return found


class Nodes:
    """Hashes of all whole subtrees of a growing tree in a file, 64 bytes per leaf, each in the order in which it
    became whole: so any proof takes O(log n) reads, and the file is only ever appended to. A file that is open for
    reading alone shows the tree as it was then. Not thread-safe."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        count = file.seek(0, 2) // HASH_BYTES
        size = count // 2
        while _before(size + 1) <= count:
            size += 1
        self.cut(size)

    @property
    def size(self) -> int:
        """Leaves."""
        return self._peaks.size

    def cut(self, size: int) -> None:
        """Forget leaves from `size` on, and whatever was written in part."""
        if self._file.writable():
            self._file.truncate(_before(size) * HASH_BYTES)
        self._peaks = Peaks(size, [self.at(level, index) for level, index in _whole(0, size)])
        self._file.seek(0, 2)

    def append(self, hashed: bytes) -> None:
        """Add a leaf's hash."""
        self._file.write(b"".join(self._peaks.append(hashed)))

    def at(self, level: int, index: int) -> bytes:
        """Root of the whole subtree of 2**level leaves that begins at leaf index * 2**level."""
        last = ((index + 1) << level) - 1
        self._file.seek((_before(last) + level) * HASH_BYTES)
        found = self._file.read(HASH_BYTES)
        self._file.seek(0, 2)
        if len(found) != HASH_BYTES:
            raise ProofInvalid(f"the tree has no whole subtree {index} of level {level}: it has too few leaves")
        return found

    def root(self, size: int | None = None) -> bytes:
        """Root over the first `size` leaves; over all when not given."""
        return self._peaks.root() if size is None or size == self.size else self.span(0, size)

    def span(self, first: int, last: int) -> bytes:
        """Root over leaves first to last (exclusive), a subtree as the tree has it."""
        peaks = [self.at(level, index) for level, index in _whole(first, last)]
        return Peaks(last - first, peaks).root()

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _before(leaves: int) -> int:
    """Whole subtrees among the first so many leaves."""
    return 2 * leaves - leaves.bit_count()


def _whole(first: int, last: int) -> Iterator[tuple[int, int]]:
    """(level, index) of the largest whole subtrees that together are leaves first to last, from the left."""
    while first < last:
        level = (last - first).bit_length() - 1
        yield level, first >> level
        first += 1 << level


def _split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Proof that leaf `index` is in the tree of the first `size` leaves, from below (RFC 9162 §2.1.3.1)."""
    if not 0 <= index < size <= nodes.size:
        raise ProofInvalid(f"leaf {index} is not in a tree of {size} leaves, of which {nodes.size} are known")
    return _path(nodes, index, 0, size)


def _path(nodes: Nodes, index: int, first: int, last: int) -> list[bytes]:
    if last - first == 1:
        return []
    middle = first + _split(last - first)
    if index < middle:
        return [*_path(nodes, index, first, middle), nodes.span(middle, last)]
    return [*_path(nodes, index, middle, last), nodes.span(first, middle)]


def root_of_inclusion(hashed: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 §2.1.3.2): the caller compares it with the signed one."""
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} cannot be in a tree of {size} leaves")
    here, last, found = index, size - 1, hashed
    for sibling in path:
        if last == 0:
            raise ProofInvalid("the proof is longer than the tree is high")
        if here & 1 or here == last:
            found = node(sibling, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node(found, sibling)
        here, last = here >> 1, last >> 1
    if last:
        raise ProofInvalid("the proof is shorter than the tree is high")
    return found


def consistency(nodes: Nodes, first: int, second: int) -> list[bytes]:
    """Proof that the tree of `first` leaves is the beginning of the tree of `second` leaves (RFC 9162 §2.1.4.1)."""
    if not 0 <= first <= second <= nodes.size:
        raise ProofInvalid(f"sizes {first} and {second} are not in order, or beyond the {nodes.size} leaves known")
    return _subproof(nodes, first, 0, second, whole=True) if first else []


def _subproof(nodes: Nodes, size: int, first: int, last: int, *, whole: bool) -> list[bytes]:
    """`size` counts from leaf 0; `whole` says that the verifier has the root of first to size already."""
    if size == last:
        return [] if whole else [nodes.span(first, last)]
    middle = first + _split(last - first)
    if size <= middle:
        return [*_subproof(nodes, size, first, middle, whole=whole), nodes.span(middle, last)]
    return [*_subproof(nodes, size, middle, last, whole=False), nodes.span(first, middle)]


def is_consistent(first: int, second: int, first_root: bytes, second_root: bytes, proof: list[bytes]) -> bool:
    """Whether a consistency proof holds (RFC 9162 §2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first in (0, second):
        return not proof and (first_root == second_root if first == second else first_root == EMPTY_ROOT)
    if not proof:
        return False
    path = [first_root, *proof] if first & (first - 1) == 0 else proof
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = path[0]
    for hashed in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node(hashed, old), node(hashed, new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = node(new, hashed)
        here, last = here >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
