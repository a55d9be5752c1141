"""A toy service as a process, for test_tape_broker.py: answers each command with the running count of its account.

`python tape_member.py EFFECTS_FILE [HOP]` with TRUETAPE_ settings in the environment. Each effect appends one line to
the file. HOP 1 (default) answers orders.commands on orders.decisions, HOP 2 answers these on orders.executions.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from truetape import topics
from truetape.errors import TruetapeError
from truetape.messages import CancelOrder, CancelRefused, CancelRejectedByVenue
from truetape.process import open_runner
from truetape.service import Input, Service
from truetape.settings import Settings


class Counts(Struct):
    """Answers given so far, by account."""

    of: dict[str, int] = {}


def decide(state: Counts, given: Input) -> CancelRefused | CancelRejectedByVenue | None:
    """The next number of the account; its state is wrong unless it was folded from every record before."""
    asked = given.message
    if isinstance(asked, CancelOrder):
        number = state.of.get(asked.account_id, 0) + 1
        return CancelRefused(
            given.meta(asked.order_id), asked.command_id, asked.account_id, asked.order_id, str(number)
        )
    if isinstance(asked, CancelRefused):
        number, meta = state.of.get(asked.account_id, 0) + 1, given.meta(asked.order_id)
        return CancelRejectedByVenue(meta, asked.order_id, asked.account_id, 0, "toy", str(number), asked.reason)
    return None


def evolve(state: Counts, event: Any) -> Counts:
    """Count."""
    if isinstance(event, CancelRefused | CancelRejectedByVenue):
        state.of[event.account_id] = state.of.get(event.account_id, 0) + 1
    return state


FIRST = Service("risk", topics.ORDERS_DECISIONS, Counts, decide, evolve, Counts, (topics.ORDERS_COMMANDS,))
SECOND = Service("router", topics.ORDERS_EXECUTIONS, Counts, decide, evolve, Counts, (topics.ORDERS_DECISIONS,))


class Written:
    """Effects: one line each, written at once, so that a killed process leaves what it did."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def act(self, partition: int, event: Any) -> None:
        """The event is in place."""
        os.write(self._file, f"{event.meta.event_id} {event.meta.epoch} {event.meta.sequence}\n".encode())

    def resume(self, partition: int, state: Any) -> None:
        """Nothing to take up."""

    def release(self, partition: int) -> None:
        """Nothing to leave."""


def main() -> None:
    """Run until SIGTERM."""
    path, service = Path(sys.argv[1]), SECOND if sys.argv[2:] == ["2"] else FIRST
    runner = open_runner(service, Settings(), lambda *_: Written(path))
    signal.signal(signal.SIGTERM, lambda *_: runner.stop())
    try:
        runner.run()
    except TruetapeError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
