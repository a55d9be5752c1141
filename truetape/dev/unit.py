"""What a stack is made of: units, each a process (or a step) with what it needs, how it starts and when it is ready."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from truetape.dev.process import Command
from truetape.errors import SetupError

Stage = Literal["waiting", "ready", "unchanged", "stopped", "killed"]


@dataclass(frozen=True)
class Progress:
    """One thing that happened to one unit, for whoever shows it."""

    unit: str
    stage: Stage
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Status:
    """How one unit is: `state` is ready, starting (runs but is not ready; `missing` says why) or stopped."""

    unit: str
    state: Literal["ready", "starting", "stopped"]
    pid: int | None
    port: int | None
    seconds: float | None
    memory_bytes: int | None
    missing: str


def _nothing() -> None: ...


def _done() -> str | None:
    return None


@dataclass(frozen=True)
class Unit:
    """One process of the stack. Without `command` it is a step: `prepare` is all of it."""

    name: str
    ports: Sequence[int] = ()
    """Ports it listens on, the one that clients use first."""
    needs: Sequence[str] = ()
    """Units that must be ready before."""
    prepare: Callable[[], None] = _nothing
    """Whatever comes before the process: formats, initdb, configuration. Raises SetupError."""
    command: Callable[[], Command] | None = None
    missing: Callable[[], str | None] = _done
    """None when ready, else what it still waits for."""
    ended: Callable[[], None] = _nothing
    """What is left to do after the process has ended in order."""
    stop_signal: signal.Signals = signal.SIGTERM
    start_seconds: float = 120
    stop_seconds: float = 15
    advice: str = ""
    """What to do when it does not start, beyond reading its log."""


def in_order(units: Sequence[Unit]) -> list[list[Unit]]:
    """Layers of units, each needing only units of earlier layers (needs outside `units` count as met).

    Raises SetupError when units need each other in a circle.
    """
    left = {unit.name: unit for unit in units}
    layers: list[list[Unit]] = []
    while left:
        layer = [unit for unit in left.values() if not any(need in left for need in unit.needs)]
        if not layer:
            raise SetupError(f"units need each other in a circle: {', '.join(left)}")
        for unit in layer:
            del left[unit.name]
        layers.append(layer)
    return layers
