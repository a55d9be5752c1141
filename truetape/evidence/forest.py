"""The trees of all partitions in the notary's folder: one file of hashes each, and its end of the chain in memory."""

from dataclasses import dataclass, field
from pathlib import Path

from truetape.errors import TapeGap
from truetape.evidence.checkpoint import Head
from truetape.evidence.leaf import CHAIN_START, leaf_of, linked
from truetape.evidence.tree import Nodes
from truetape.happenings import Part, Record


def nodes_path(folder: Path, part: Part) -> Path:
    """The file of a partition's tree."""
    return folder / "trees" / f"{part.topic}-{part.partition}"


def open_nodes(folder: Path, part: Part) -> Nodes:
    """The file of a partition's tree, to be appended to; made when it is absent."""
    path = nodes_path(folder, part)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch()
    return Nodes(path.open("r+b"))


@dataclass(slots=True)
class Sealed:
    """One partition: its tree, and the end of its hash chain."""

    part: Part
    nodes: Nodes
    chain: bytes = field(default=CHAIN_START)

    def take(self, record: Record) -> None:
        """The partition's next record. Raises TapeGap when another comes."""
        if record.offset != self.nodes.size:
            raise TapeGap(
                f"{self.part}: expected offset {self.nodes.size}, found offset {record.offset}: records are missing; "
                "restore the topic before anything reads on"
            )
        hashed = leaf_of(record)
        self.nodes.append(hashed)
        self.chain = linked(self.chain, hashed)

    def head(self) -> Head:
        """The partition as it is now."""
        return Head(self.nodes.size, self.nodes.root().hex(), self.chain.hex())

    def restart(self) -> None:
        """Forget everything, to be filled again from the first record."""
        self.nodes.cut(0)
        self.chain = CHAIN_START
