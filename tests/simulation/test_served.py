"""Gateways, projections, PostgreSQL and Redis under seeded faults: no order lost or doubled, no answer untrue, and
views that are the tape's fold whatever happened to them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulation.bugs_served import FOUND_BY, SERVED_BUGS
from tests.simulation.served import RARE, Served
from tests.simulation.simulate import run, run_many, total_of

ROOT = Path(__file__).parents[2]
SEEDS = int(os.environ.get("TRUETAPE_SERVED_SEEDS", "16"))


def test_answers_are_true_and_views_are_the_fold(capsys: pytest.CaptureFixture[str]) -> None:
    """Every invariant of the system, and these, under every seed; every rare situation met by some."""
    began = time.monotonic()
    total = total_of(run_many(range(0, 3 * SEEDS, 3), world=Served))
    with capsys.disabled():
        print(f"\n  {total.told(time.monotonic() - began)}")
    command = "python -m tests.simulation.simulate --world served --seed"
    failures = [f"{one.failure}\nrepeat: {command} {one.seed}" for one in total.failures]
    assert not failures, "\n".join(failures[:5])
    assert [what for what in RARE if not total.seen[what]] == []


@pytest.mark.parametrize("name", SERVED_BUGS)
def test_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SERVED_BUGS[name].planted():
        seeds = range(FOUND_BY[name], FOUND_BY[name] + 20)
        found = next((one for seed in seeds if (one := run(seed, world=Served)).failure), None)
    assert found is not None, "no seed sees it"
    with capsys.disabled():
        print(f"\n  {name}: seed {found.seed}, {found.invariant}")


def test_one_seed_is_one_course_of_events_in_every_process() -> None:
    """Whatever the order of hashes."""

    def digests(hash_seed: str) -> bytes:
        options = ["--world", "served", "--from", "4", "--digests", "4"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "tests.simulation.simulate", *options]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout

    first = digests("1")
    assert first == digests("4711")
    assert len(set(first.split())) == 8, "4 seeds and 4 different digests"
