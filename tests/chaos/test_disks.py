"""Disks that are full: Kafka's and PostgreSQL's, each on a file system of fixed size: catalogue 13 and 14."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.catalogue import Trial
from tests.chaos.scenario import scenario
from tests.chaos.stage import Stage, bring_up

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.only_make_chaos,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system of fixed size"),
]
DISK_BYTES = 512 * 2**20
FULL_SECONDS = 8.0
SERVERS = ("kafka", "postgres")


@pytest.fixture(scope="module")
def cramped() -> Iterator[Stage]:
    """A stage of its own whose Kafka and PostgreSQL each have a small disk."""
    folder = Path(tempfile.mkdtemp(prefix="truetape-disks-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user.
    places = [folder / "home" / server for server in SERVERS]
    try:
        for place in places:
            place.mkdir(parents=True)
            command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
            subprocess.run(command, check=True, timeout=30)
        with Stage.open(folder) as stage:
            yield stage
    finally:
        for place in places:
            subprocess.run(["umount", str(place)], check=False, timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def fill(filler: Path) -> None:
    """Not a page is left: what the server writes next fails."""
    with filler.open("ab", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def filled_up(stage: Stage, trial: Trial, server: str) -> None:
    """Load goes on while the disk is full. The server may end, and starts again when there is space."""
    with scenario(stage, trial) as run:
        filler, log = stage.stack.home.data(server) / "filler", stage.stack.home.log(server)
        with run.fault(f"no space left for {server} for {FULL_SECONDS:g} s") as fault:
            try:
                until = time.monotonic() + FULL_SECONDS
                while time.monotonic() < until:
                    fill(filler)  # Again: a file that the server cut or deleted makes room.
                    time.sleep(0.2)
            finally:
                filler.unlink(missing_ok=True)
            run.notes["ended_by_itself"] = [one.unit for one in stage.stack.status() if one.state == "stopped"]
            bring_up(stage.stack)
        run.notes["complaints"] = log.read_text(errors="replace").count("No space left on device")
        assert run.notes["complaints"], f"{server} never noticed"
        told = [one for one in run.attempts_since(fault.at_s) if one.status == 503]
        run.notes["told_to_come_back"] = len(told)
        assert all(one.retry_after for one in told), "a 503 without Retry-After"


def test_the_brokers_disk_is_full(cramped: Stage, trial: Trial) -> None:
    """Nobody is told of an order that is not on the tape, and no segment is torn."""
    filled_up(cramped, trial, "kafka")


def test_the_view_databases_disk_is_full(cramped: Stage, trial: Trial) -> None:
    """The tape goes on without the views, whose half-done transaction leaves nothing; they catch up."""
    filled_up(cramped, trial, "postgres")
