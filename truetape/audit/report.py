"""What an audit found, for people and for scripts."""

from msgspec import Struct

from truetape.audit.difference import Difference


class PartitionReport(Struct, frozen=True):
    """One partition of one service."""

    service: str
    topic: str
    partition: int
    records: int
    """Accepted records."""
    void: int
    """Records of former owners, written after they had lost the partition."""
    stray: int
    """Bytes that are no records of this topic."""
    parked: int
    """Inputs that were set aside: a difference only where the books lack something for it."""
    epoch: int
    sequence: int
    digest: str
    snapshot: str
    """equal, differs, damaged, beyond the tape, outdated, none."""
    live: str
    """equal, differs, beyond the tape, moved on, not owned, not running."""


class ViewReport(Struct, frozen=True):
    """One view."""

    view: str
    verdict: str
    """equal, differs, or why it was not read."""
    rows: int


class EvidenceReport(Struct, frozen=True):
    """The tape against its signed checkpoints."""

    verdict: str
    """equal, differs, none (no checkpoint anywhere)."""
    checkpoints: int
    """Checkpoints on the topic."""
    witnessed: int
    """Testimonies of witnesses: lines of the notary's file, and of others that were given."""
    public_key: str
    """The key that all must be signed with."""
    pinned: bool
    """Whether that key was known before; else it is the first checkpoint's own word."""
    covered: int
    """Records that checkpoints cover."""
    uncovered: int
    """Records after the last checkpoint: nothing is proven of them yet."""
    seconds: float


class Report(Struct, frozen=True):
    """One audit."""

    equal: bool
    """No difference and no gap."""
    partitions: list[PartitionReport]
    views: list[ViewReport]
    gaps: list[str]
    differences: list[Difference]
    """The first of each kind."""
    differences_total: int
    evidence: EvidenceReport | None
    """What the signed checkpoints say; None when they were not asked."""
    silent: dict[str, str]
    """Services that did not answer, and why."""
    pending: dict[str, int]
    """What awaits its answer at the end of the tape: no difference."""
    rules: dict[str, int]
    """How often each rule was applied."""
    records: int
    seconds: float
