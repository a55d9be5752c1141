"""Two writers on the real broker: an owner sleeps past its session under load, and wakes up when another owns."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import reader
from tests.chaos.criterion import received
from tests.chaos.scenario import scenario
from tests.chaos.stage import Stage, wait_until
from truetape.topics import PARTITIONS

pytestmark = pytest.mark.timeout(900)
OWNERS = ("router", "risk", "clearing")


def test_an_owner_that_slept_past_its_session_harms_nothing(stage: Stage, tmp_path: Path) -> None:
    with scenario(stage, "zombie", "SIGSTOP an owner past its session, another takes over, SIGCONT") as run:
        for service in OWNERS:
            second = stage.join(service)
            wait_until(lambda second=second: stage.owned(second) > 0, f"{second} owns partitions")  # type: ignore[misc]
            with run.fault(f"SIGSTOP {service} until {second} owns everything, SIGCONT"):
                try:
                    stage.signal(service, signal.SIGSTOP)
                    wait_until(
                        lambda second=second: stage.owned(second) == PARTITIONS,  # type: ignore[misc]
                        f"{second} owns everything",
                    )
                finally:
                    stage.signal(service, signal.SIGCONT)
            stage.stack.stop(second)
            wait_until(lambda service=service: stage.owned(service) == PARTITIONS, f"{service} owns everything")  # type: ignore[misc]
    assert independent_verdict(stage, tmp_path)["findings"] == []


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
