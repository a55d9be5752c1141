"""Turns the tape into checkpoints: reads every covered partition on, and drafts what is due. One thread."""

from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.notary.core import Drafted, State
from truetape.errors import EvidenceError, TapeGap
from truetape.evidence import keys, witness
from truetape.evidence.checkpoint import Checkpoint, Head
from truetape.evidence.forest import Sealed, open_nodes
from truetape.evidence.published import published, records, signed_of
from truetape.happenings import Log, Part, Record
from truetape.messages import CheckpointSigned
from truetape.topics import AUDIT_CHECKPOINTS, SEALED

PARTS: Final = tuple(Part(topic.name, partition) for topic in SEALED for partition in range(topic.partitions))
READ_SECONDS: Final = 60.0
OFFER_AGAIN_SECONDS: Final = 30.0
_log = structlog.get_logger()


class Sealer:
    """The notary's session while its partition is owned. Raises the named errors of the tape, and EvidenceError."""

    def __init__(
        self, log: Log, folder: Path, key: Ed25519PrivateKey, every_seconds: float, every_records: int
    ) -> None:
        self._log, self._folder, self._key = log, folder, key
        self._every_seconds, self._every_records = every_seconds, every_records
        self._state = State()
        self._sealed: dict[Part, Sealed] = {}
        self._new = 0
        """Records since the last checkpoint."""
        self._drafted: Drafted | None = None
        self._drafted_at = self._signed_at = 0.0

    # -- beginning and end -----------------------------------------------------------------------------------

    def resume(self, state: State) -> None:
        """The partition of checkpoints is ours, and this is its state: go on from there."""
        self.release()
        self._state = state
        ours = keys.public_of(self._key)
        if state.number and state.public_key != ours:
            raise EvidenceError(
                f"checkpoint {state.number} is signed by key {state.public_key}, and this notary holds {ours}: restore "
                f"{self._folder / keys.KEY_FILE} from its backup"
            )
        self._remind_witness()
        ends = self._log.ends(PARTS)
        for part in PARTS:
            self._open(part, *ends[part])
        self._log.follow({part: sealed.nodes.size for part, sealed in self._sealed.items()})
        self._new, self._signed_at = 0, self._log.monotonic()
        _log.info("sealing", public_key=ours, checkpoints=state.number, partitions=len(PARTS))

    def release(self) -> None:
        """Stop, and forget what was drafted."""
        if self._sealed:
            self._log.unfollow(PARTS)
        for sealed in self._sealed.values():
            sealed.nodes.close()
        self._sealed, self._drafted = {}, None

    def _open(self, part: Part, low: int, high: int) -> None:
        head = self._state.heads.get(str(part), Head(0, "", ""))
        if low > 0 or high < head.size:
            raise TapeGap(
                f"{part} has offsets {low} to {high}, but checkpoint {self._state.number} covers {head.size} records "
                "from offset 0: records were lost. Restore the topic from a replica or backup."
            )
        sealed = self._sealed[part] = Sealed(part, open_nodes(self._folder, part))
        if head.size:
            self._find(sealed, head)
        else:
            sealed.restart()

    def _find(self, sealed: Sealed, head: Head) -> None:
        """Take the tree up where the checkpoint left it; from the tape when its file is not what was signed."""
        if sealed.nodes.size >= head.size:
            sealed.nodes.cut(head.size)
        if sealed.nodes.size == head.size and sealed.nodes.root().hex() == head.root:
            sealed.chain = bytes.fromhex(head.chain)
            return
        _log.warning("tree built again from the tape", part=str(sealed.part), records=head.size)
        sealed.restart()
        for record in records(self._log, sealed.part, 0, head.size, READ_SECONDS):
            sealed.take(record)
        if sealed.head() != head:
            raise EvidenceError(
                f"{sealed.part}: its first {head.size} records are not those of checkpoint {self._state.number}: "
                "`truetape audit` says more; restore the topic from a replica or backup"
            )

    # -- the witness -----------------------------------------------------------------------------------------

    def _remind_witness(self) -> None:
        """The witness file is what the tape says, or behind it: then it is told what it missed."""
        path, state = self._folder / witness.WITNESS_FILE, self._state
        known = witness.last(path)
        number = known.number if known is not None else 0
        if number > state.number:
            raise TapeGap(
                f"{path} has checkpoint {number}, and {AUDIT_CHECKPOINTS.name} ends at {state.number}: checkpoints "
                "were lost. Restore the topic from a replica or backup; `truetape audit` says what else is missing."
            )
        if known is not None and number == state.number and known.digest != state.digest:
            raise EvidenceError(f"{path} has another checkpoint {number} than {AUDIT_CHECKPOINTS.name}: one is forged")
        if number < state.number:
            for _, event in published(self._log, READ_SECONDS):
                if number < event.number <= state.number:  # A takeover may write on while we read.
                    self._testify(event)

    def _testify(self, event: CheckpointSigned) -> None:
        line = witness.testimony(event.number, signed_of(event))
        witness.append(self._folder / witness.WITNESS_FILE, line)
        _log.info("checkpoint", number=event.number, digest=event.digest)

    # -- sealing ---------------------------------------------------------------------------------------------

    def turn(self, timeout_seconds: float) -> Drafted | None:
        """Read on; what is to be offered to the run loop, if anything is due."""
        for happening in self._log.poll(timeout_seconds):
            if isinstance(happening, Record):
                self._sealed[Part(happening.topic, happening.partition)].take(happening)
                self._new += 1
        now = self._log.monotonic()
        if self._drafted is None and self._due(now):
            self._drafted, self._drafted_at = self._draft(), now
            return self._drafted
        if self._drafted is not None and now - self._drafted_at > OFFER_AGAIN_SECONDS:
            self._drafted_at = now
            return self._drafted
        return None

    def _due(self, now: float) -> bool:
        return bool(self._new) and (self._new >= self._every_records or now - self._signed_at >= self._every_seconds)

    def _draft(self) -> Drafted:
        heads: dict[Part, Head] = {}
        for part, sealed in self._sealed.items():
            known = self._state.heads.get(str(part))
            if sealed.nodes.size > (known.size if known is not None else 0):
                sealed.nodes.flush()
                heads[part] = sealed.head()
        self._new = 0
        checkpoint = Checkpoint(self._state.number + 1, self._state.digest, self._log.now_us(), heads)
        return Drafted(keys.sign(self._key, checkpoint))

    def signed(self, state: State, event: CheckpointSigned) -> None:
        """A checkpoint is on the tape: tell the witness; `state` is after it."""
        self._testify(event)
        self._state, self._drafted, self._signed_at = state, None, self._log.monotonic()
