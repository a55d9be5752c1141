"""Steps shown on a terminal: a line per unit that is done, and what the others wait for meanwhile."""

from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from truetape.dev.unit import Progress

_MARKS = {
    "ready": ("green", "✔"),
    "unchanged": ("dim", "·"),
    "stopped": ("green", "✔"),
    "killed": ("yellow", "!"),
}


class Steps:
    """Shows Progress reports; spinners in a terminal, plain lines elsewhere. Safe to call from several threads."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self._bars = Bars(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=self.console, transient=True
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._bars.stop()

    def report(self, step: Progress) -> None:
        """Show one report."""
        with self._lock:
            self._show(step)

    def _show(self, step: Progress) -> None:
        if step.stage == "waiting":
            self._wait(step)
            return
        if step.unit in self._tasks:
            self._bars.remove_task(self._tasks.pop(step.unit))
        colour, mark = _MARKS[step.stage]
        line = f"{mark} {step.unit:<11} {step.stage:<9} {step.seconds:5.1f} s  {step.detail}"
        self.console.print(Text(line.rstrip(), style=colour))

    def _wait(self, step: Progress) -> None:
        text = f"{step.unit:<11} waits for {step.detail}"
        if step.unit in self._tasks:
            self._bars.update(self._tasks[step.unit], description=text)
        else:
            self._tasks[step.unit] = self._bars.add_task(text, total=None)
