"""Two writers on the real broker: an owner sleeps past its session under load, and wakes up when another owns."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.chaos import reader
from tests.chaos.catalogue import Trial
from tests.chaos.criterion import received
from tests.chaos.scenario import Run, scenario
from tests.chaos.stage import Stage, wait_until
from truetape.topics import PARTITIONS

pytestmark = pytest.mark.timeout(900)
OWNERS = ("router", "risk", "clearing")


def test_owners_that_slept_past_their_sessions_harm_nothing(stage: Stage, trial: Trial, tmp_path: Path) -> None:
    """All at once: each wakes up while others own what it believes to own."""
    with scenario(stage, trial) as run:
        asleep(run, OWNERS)
    assert independent_verdict(stage, tmp_path)["findings"] == []


def asleep(run: Run, services: Sequence[str]) -> None:
    """Stop these until second instances own everything, and let them go on."""
    stage = run.stage
    seconds = {service: stage.join(service, wait=False) for service in services}
    for second in seconds.values():
        stage.stack.start(second)  # Waits until it is ready.
    wait_until(lambda: all(stage.owned(second) > 0 for second in seconds.values()), "the second instances own")
    with run.fault(f"SIGSTOP {', '.join(services)} until others own everything, SIGCONT"):
        try:
            for service in services:
                stage.signal(service, signal.SIGSTOP)
            wait_until(lambda: own_everything(stage, seconds.values()), "the second instances own everything")
        finally:
            for service in services:
                stage.signal(service, signal.SIGCONT)
    for second in seconds.values():
        stage.stack.stop(second)
    wait_until(lambda: own_everything(stage, services), "the first instances own everything again")


def own_everything(stage: Stage, units: Iterable[str]) -> bool:
    return all(stage.owned(unit) == PARTITIONS for unit in units)


def independent_verdict(stage: Stage, folder: Path) -> dict[str, object]:
    """What the independent reader says, run as the script that it is."""
    told = folder / "received.json"
    told.write_text(json.dumps([{"client_order_id": name} for name in received(stage)]))
    command = [sys.executable, str(Path(reader.__file__)), stage.kafka, "--received", str(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.stdout.strip(), done.stderr[-1_000:]
    verdict: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode == 0) == (verdict["findings"] == [])
    return verdict
