"""The notary's session: a thread with a log of its own, driven by what the run loop says."""

import os
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

import structlog

from services.notary.core import State, evolve
from services.notary.sealer import Sealer
from truetape.codec import Message
from truetape.errors import TruetapeError
from truetape.messages import CheckpointSigned

PARTITION: Final = 0
TURN_SECONDS: Final = 0.2
Offer = Callable[[int, str, str, Any], None]
_log = structlog.get_logger()


class Session:
    """Effects of the notary: what the run loop says is heard between two turns of the sealer."""

    def __init__(self, offer: Offer, open_sealer: Callable[[], Sealer], end: Callable[[], None] | None = None) -> None:
        self._offer, self._open, self._end = offer, open_sealer, end or end_process
        self._heard: queue.SimpleQueue[State | Message | None] = queue.SimpleQueue()
        self._state: State | None = None
        self._owning = False

    # -- called by the run loop ------------------------------------------------------------------------------

    def start(self) -> "Session":
        """Start the thread."""
        threading.Thread(target=self._run, name="notary", daemon=True).start()
        return self

    def act(self, partition: int, event: Message) -> None:
        """A checkpoint is in place: the witness hears of it."""
        self._heard.put(event)

    def resume(self, partition: int, state: State) -> None:
        """The partition of checkpoints is ours."""
        self._owning = True
        self._heard.put(state)

    def release(self, partition: int) -> None:
        """Somebody else signs."""
        self._owning = False
        self._heard.put(None)

    def missing(self) -> list[str]:
        """What the process waits for before it is ready."""
        return ["the trees have not been taken up"] if self._owning and self._state is None else []

    # -- in the session's thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            sealer = self._open()
            while True:
                self.turn(sealer)
        except TruetapeError as error:  # Nothing true can be signed any more: the process ends, and says why.
            _log.error("ended", error=type(error).__name__, detail=str(error))
        except Exception:
            _log.exception("ended")
        self._end()

    def turn(self, sealer: Sealer, seconds: float = TURN_SECONDS) -> None:
        """Hear what was said, then read on while the partition is ours; either waits at most so long."""
        try:
            while True:
                self._hear(sealer, self._heard.get(self._state is None, seconds))
        except queue.Empty:
            pass
        if self._state is not None and (drafted := sealer.turn(seconds)) is not None:
            self._offer(PARTITION, "notary", drafted.signed.digest, drafted)

    def _hear(self, sealer: Sealer, said: State | Message | None) -> None:
        match said:
            case None:
                self._state = None
                sealer.release()
            case State():
                sealer.resume(said)
                self._state = said
            case CheckpointSigned() if self._state is not None:
                self._state = evolve(self._state, said)
                sealer.signed(self._state, said)


def end_process() -> None:
    """As the watchdog does: there is no one to hand an exception to."""
    os._exit(1)
