"""The tape against its signed checkpoints: what was changed, removed, put in between, cut off or forked, and where.

Checkpoints come from their topic and from witnesses outside Kafka. All that are validly signed are claims on the tape,
also those that the topic no longer has: so a head that was cut off and signed again is found by the witness.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from truetape.audit.difference import Difference
from truetape.audit.findings import Findings
from truetape.audit.report import EvidenceReport
from truetape.errors import CorruptRecord, EvidenceError, TapeGap
from truetape.evidence import keys, witness
from truetape.evidence.checkpoint import NO_PREVIOUS, Head, SignedCheckpoint, digest_of
from truetape.evidence.forest import nodes_path
from truetape.evidence.leaf import CHAIN_START, leaf_of, linked
from truetape.evidence.published import CHECKPOINTS, known_key, published, records, signed_of
from truetape.evidence.tree import Nodes, Peaks
from truetape.happenings import Log, Part, Record
from truetape.messages import CheckpointSigned

PROGRESS_RECORDS: Final = 5_000
EQUAL, DIFFERS, NONE = "equal", "differs", "none"


class Claim(NamedTuple):
    """What a signed checkpoint says of one partition."""

    head: Head
    number: int
    source: str
    """The topic, or the witness."""


@dataclass
class Claims:
    """Every validly signed claim, by partition and size."""

    public_key: str
    findings: Findings
    by_part: dict[Part, dict[int, Claim]] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    """Digest of each checkpoint on the topic, by number."""
    witnessed: int = 0
    forked_at: int = 1 << 62
    """The first number of which the topic and a witness have different checkpoints."""

    def add(self, where: str, what: str, tape: object, other: object) -> None:
        """One finding."""
        self.findings.add(Difference("evidence", where, "", what, str(tape), str(other)))

    def claim(self, signed: SignedCheckpoint, source: str, where: str) -> None:
        """Take up what a checkpoint says, when the key signed it."""
        try:
            checkpoint = keys.opened(signed, self.public_key)
        except EvidenceError as error:
            self.add(where, "the signature", "a checkpoint of the notary", error)
            return
        for part, head in checkpoint.heads.items():
            known = self.by_part.setdefault(part, {}).setdefault(head.size, Claim(head, checkpoint.number, source))
            if known.head != head:
                self.add(
                    f"{part}@{head.size}", f"two checkpoints of {head.size} records",
                    f"checkpoint {known.number} of {known.source}: root {known.head.root}",
                    f"checkpoint {checkpoint.number} of {source}: root {head.root}",
                )  # fmt: skip

    def written(self, offset: int, event: CheckpointSigned) -> None:
        """A checkpoint of the topic: the next number, naming the one before."""
        where = f"{CHECKPOINTS}@{offset}"
        previous = self.digests.get(event.number - 1, NO_PREVIOUS)
        expected = (max(self.digests, default=0) + 1, previous, digest_of(event.note))
        found = (event.number, _previous(event.note), event.digest)
        if found != expected:
            self.add(where, "number, previous digest, own digest", expected, found)
        self.digests[event.number] = event.digest
        self.claim(signed_of(event), "the topic", where)

    def testified(self, line: witness.Testimony, source: str) -> None:
        """A line of a witness, against the topic."""
        self.witnessed += 1
        where = f"{source}, checkpoint {line.number}"
        ours = self.digests.get(line.number)
        if ours is None:
            ends = f"{CHECKPOINTS} ends at checkpoint {max(self.digests, default=0)}"
            self.add(where, "a checkpoint that is no longer on the tape", ends, f"digest {line.digest}")
        elif ours != line.digest:
            self.forked_at = min(self.forked_at, line.number)
            self.add(where, "another checkpoint of this number", f"digest {ours}", f"digest {line.digest}")
        if line.signed is not None and ours != line.digest:
            self.claim(line.signed, source, where)


def _previous(note: str) -> str:
    return note.split("\n")[1].removeprefix("previous ") if note.count("\n") > 1 else ""


class EvidenceAudit:
    """Reads the checkpoints, then every partition that they cover, and compares. `run` gives the report."""

    def __init__(
        self,
        folder: Path | None,
        public_key: str = "",
        witnesses: Iterable[Path] = (),
        required: bool = False,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        """`folder` is the notary's, if it can be read here: its witness file, public key and trees are used.

        `required` makes it a difference when there is no checkpoint at all.
        """
        self._folder, self._public_key, self._required, self._progress = folder, public_key, required, progress
        own = [folder / witness.WITNESS_FILE] if folder is not None else []
        self._witnesses = [*(path for path in own if path.exists()), *witnesses]
        self._done = self._all = 0

    def run(self, log: Log, findings: Findings, timeout_seconds: float) -> EvidenceReport:
        """Compare; differences go to the findings. Raises what the log raises, but for what is a finding."""
        began, before = time.monotonic(), findings.total
        self._log, self._timeout = log, timeout_seconds
        heard = list(self._witness_lines(findings))  # First: the topic has all that a witness was told before.
        events = list(self._checkpoints(findings))
        pinned = self._public_key or known_key(self._folder)
        claims = Claims(pinned or (events[0][1].public_key if events else ""), findings)
        for offset, event in events:
            claims.written(offset, event)
        for source, line in heard:
            claims.testified(line, source)
        if self._required and not claims.digests:
            claims.add(str(CHECKPOINTS), "checkpoints", "none", "required: does the notary run?")
        covered, uncovered = self._check_all(claims)
        known = bool(claims.digests or claims.witnessed)
        verdict = DIFFERS if findings.total > before else EQUAL if known else NONE
        seconds = round(time.monotonic() - began, 3)
        return EvidenceReport(
            verdict, len(claims.digests), claims.witnessed, claims.public_key, bool(pinned), covered, uncovered, seconds
        )

    def _checkpoints(self, findings: Findings) -> Iterator[tuple[int, CheckpointSigned]]:
        """What the topic holds, up to the first place where it is broken."""
        try:
            yield from published(self._log, self._timeout)
        except (TapeGap, CorruptRecord) as error:
            findings.add(Difference("evidence", str(CHECKPOINTS), "", "its records", "complete", str(error)))

    def _witness_lines(self, findings: Findings) -> Iterator[tuple[str, witness.Testimony]]:
        for path in self._witnesses:
            try:
                yield from ((str(path), line) for line in witness.read(path))
            except (OSError, EvidenceError) as error:
                findings.add(Difference("evidence", str(path), "", "the witness", "can be read", str(error)))

    # -- partitions ------------------------------------------------------------------------------------------

    def _check_all(self, claims: Claims) -> tuple[int, int]:
        """(covered, uncovered) records of all partitions with claims."""
        ends = self._log.ends(claims.by_part)
        self._all = sum(high for _, high in ends.values())
        covered = uncovered = 0
        for part, by_size in sorted(claims.by_part.items()):
            low, high = ends[part]
            newest = max(by_size)
            covered, uncovered = covered + newest, uncovered + max(0, high - newest)
            if low > 0:
                claims.add(f"{part}@0", "its first records", f"begins at offset {low}", f"{_of(by_size[newest])}")
            else:
                self._check(claims, part, by_size, high)
        return covered, uncovered

    def _check(self, claims: Claims, part: Part, by_size: dict[int, Claim], high: int) -> None:
        peaks, chain, good = Peaks(), CHAIN_START, list[Claim]()
        last = max((size for size in by_size if size <= high), default=0)
        try:
            for record in self._records(part, 0, last):
                if record.offset != peaks.size:
                    gone = f"offset {record.offset} follows {peaks.size - 1}"
                    claims.add(f"{part}@{peaks.size}", "records that are gone", gone, _of(by_size[last]))
                    return
                hashed = leaf_of(record)
                peaks.append(hashed)
                chain = linked(chain, hashed)
                if (claim := by_size.get(peaks.size)) is not None:
                    if (peaks.root().hex(), chain.hex()) != (claim.head.root, claim.head.chain):
                        self._locate(claims, part, _common(claims, good, claim), claim)
                        return
                    good.append(claim)
        except CorruptRecord as error:
            claims.add(f"{part}@{peaks.size}", "a record's bytes", "their checksum", error)
            return
        newest = by_size[max(by_size)]
        if high < newest.head.size and not self._located(claims, part, _common(claims, good, newest), newest, high):
            claims.add(f"{part}@{high}", "records that are cut off", f"ends at offset {high}", _of(newest))

    def _locate(self, claims: Claims, part: Part, good: int, claim: Claim) -> None:
        """A root that is not what was signed: name the record, or between which checkpoints it is."""
        size = claim.head.size
        if not self._located(claims, part, good, claim, size):
            why = "the notary's tree is not what was signed" if self._tree(part) is not None else ""
            what = f"one of the records {good} to {size - 1} ({why or 'the notary has no tree here'})"
            claims.add(f"{part}@{good}", what, "another root", f"root {claim.head.root}, {_of(claim)}")

    def _located(self, claims: Claims, part: Part, good: int, claim: Claim, end: int) -> bool:
        """Whether the notary's tree, when it is here and is what was signed, shows which record before `end` is the
        first that is not what it was."""
        path, size = self._tree(part), claim.head.size
        if path is None:
            return False
        with closing(Nodes(path.open("rb"))) as nodes:
            if nodes.size < size or _root_of_leaves(nodes, size) != claim.head.root:
                return False
            for offset, record in enumerate(self._records(part, good, end), good):
                hashed, was = leaf_of(record), nodes.at(0, offset)
                if hashed != was:
                    what = "the record" if record.offset == offset else "records that are gone"
                    claims.add(f"{part}@{offset}", what, f"leaf {hashed.hex()}", f"leaf {was.hex()}, {_of(claim)}")
                    return True
        return False

    def _tree(self, part: Part) -> Path | None:
        path = nodes_path(self._folder, part) if self._folder is not None else None
        return path if path is not None and path.exists() else None

    def _records(self, part: Part, start: int, end: int) -> Iterator[Record]:
        for record in records(self._log, part, start, end, self._timeout):
            self._done += 1
            if self._done % PROGRESS_RECORDS == 0:
                self._progress(self._done, max(self._all, self._done))
            yield record


def _of(claim: Claim) -> str:
    return f"{claim.head.size} records in checkpoint {claim.number} of {claim.source}"


def _root_of_leaves(nodes: Nodes, size: int) -> str:
    """The root that a tree's leaves give, not what the file says of the nodes above them."""
    peaks = Peaks()
    for offset in range(size):
        peaks.append(nodes.at(0, offset))
    return peaks.root().hex()


def _common(claims: Claims, good: list[Claim], bad: Claim) -> int:
    """Records that are as this claim's signer saw them: up to the last claim that holds, of the same source or from
    before the sources differ."""
    return max((one.head.size for one in good if one.source == bad.source or one.number < claims.forked_at), default=0)
