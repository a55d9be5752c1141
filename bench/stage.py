"""What every benchmark needs: servers of its own, child processes, quantiles, and how a result is printed."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from truetape.dev import Stack, free_base


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def publish(name: str, figures: Mapping[str, Any], baseline: Mapping[str, Any], ratio: float | None) -> None:
    """The result: one JSON object as the last line of stdout."""
    print(json.dumps({"name": name, "figures": figures, "baseline": baseline, "ratio": ratio}), flush=True)


@contextmanager
def stage(*only: str, extra: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A native stack of its own (all units, or only these), erased at the end."""
    with tempfile.TemporaryDirectory(prefix="truetape-bench-") as folder:
        stack = Stack(Path(folder) / "home", free_base(), only or None, extra=extra)
        say(f"starting {', '.join(only) or 'the whole stack'} on port base {stack.port_base}")
        try:
            stack.up()
            yield stack
        finally:
            stack.erase()


@contextmanager
def children(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str]
) -> Iterator[list[subprocess.Popen[str]]]:
    """Python child processes that print one line when they are ready; ended at the end."""
    started = [
        subprocess.Popen(
            [sys.executable, *command], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    try:
        for child in started:
            assert child.stdout is not None
            line = child.stdout.readline().strip()
            if line != "ready":
                raise RuntimeError(f"{child.args!r} said {line!r} instead of ready")
        yield started
    finally:
        for child in started:
            child.terminate()
        for child in started:
            child.wait(20)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and the worst, in milliseconds."""
    return {
        "p50_ms": round(quantile(seconds, 0.5) * 1e3, 3),
        "p90_ms": round(quantile(seconds, 0.9) * 1e3, 3),
        "p99_ms": round(quantile(seconds, 0.99) * 1e3, 3),
        "max_ms": round(max(seconds) * 1e3, 3),
        "count": len(seconds),
    }
