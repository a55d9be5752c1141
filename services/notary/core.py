"""The notary's pure core: a drafted checkpoint follows the last one, or it is not written."""

from typing import Any, Final

from msgspec import Struct

from truetape.codec import Message
from truetape.evidence.checkpoint import NO_PREVIOUS, Checkpoint, Head, SignedCheckpoint, parse
from truetape.happenings import Part
from truetape.messages import CheckpointSigned
from truetape.service import Input, Service
from truetape.topics import AUDIT_CHECKPOINTS


class Drafted(Struct, frozen=True):
    """An input: the session asks to put this checkpoint on the tape."""

    signed: SignedCheckpoint


class State(Struct, frozen=True):
    """The last checkpoint, and what all of them together say of each partition."""

    number: int = 0
    digest: str = NO_PREVIOUS
    public_key: str = ""
    heads: dict[str, Head] = {}
    """By topic/partition."""


def follows(state: State, checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is the next one: its number, its previous digest, and every partition in it has grown."""
    if (checkpoint.number, checkpoint.previous) != (state.number + 1, state.digest):
        return False
    return all(head.size > size_of(state, part) for part, head in checkpoint.heads.items())


def size_of(state: State, part: Part) -> int:
    """Records of a partition that the checkpoints cover."""
    head = state.heads.get(str(part))
    return head.size if head is not None else 0


def decide(state: State, given: Input) -> Message | None:
    """The checkpoint that the session drafted, when it follows; an old draft is passed over."""
    if type(given.message) is not Drafted:
        return None
    signed: SignedCheckpoint = given.message.signed
    checkpoint = parse(signed.note)
    if not follows(state, checkpoint):
        return None
    return CheckpointSigned(
        meta=given.meta(""), number=checkpoint.number, digest=signed.digest, note=signed.note,
        signature=signed.signature, public_key=signed.public_key,
    )  # fmt: skip


def evolve(state: State, event: Any) -> State:
    """Apply one own event. A new state each time: the session reads the one that it was given in a thread."""
    if type(event) is not CheckpointSigned:
        return state
    checkpoint = parse(event.note)
    assert follows(state, checkpoint), f"checkpoint {event.number} does not follow {state.number}"
    heads = state.heads | {str(part): head for part, head in checkpoint.heads.items()}
    return State(event.number, event.digest, event.public_key, heads)


SERVICE: Final[Service[State]] = Service(
    name="notary",
    owns=AUDIT_CHECKPOINTS,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_type=State,
)
