"""Nodes of the real run loop under seeded faults: everything answered once and in order, and every planted bug seen."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation import toys
from tests.simulation.cluster import MS, SECOND, Broken
from tests.simulation.planted_runners import PLANTED
from tests.simulation.swarm import EVENTS, NETWORK, plan_of
from tests.simulation.world import World
from truetape.errors import TapeGap
from truetape.happenings import Part
from truetape.runner import Runner

ROOT = Path(__file__).parents[2]
SEEDS = int(os.environ.get("TRUETAPE_SEEDS", "200"))
SEEDS_FOR_A_BUG = 300
RARE = (
    "step_downs",
    "takeover",
    "release",
    "snapshots",
    "parked",
    "void_records",
    "void on the tape",
    "void takeovers",
    "ended by name",
)
"""States without which a run proves little; all seeds together must meet each."""


def run(seed: int, runner: type[Runner[object]] = Runner) -> World:
    """One run; a failure says how to repeat it."""
    world = World(seed, runner)
    try:
        world.run()
    except Broken as broken:
        raise AssertionError(f"{broken}\nrepeat: python -m tests.simulation.world --seed {seed}") from broken
    return world


def test_every_input_is_answered_once_in_order_under_every_seed(capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()
    virtual_us = 0
    for seed in range(SEEDS):
        world = run(seed)
        seen.update(world.seen)
        virtual_us += world.broker.now_us
    with capsys.disabled():
        print(f"\n  {SEEDS} seeds, {virtual_us / SECOND / 60:.0f} virtual minutes: {dict(seen)}")
    assert {what: seen[what] for what in RARE if not seen[what]} == {}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(SEEDS_FOR_A_BUG):
        try:
            World(seed, PLANTED[name]).run()
        except Broken as broken:
            with capsys.disabled():
                print(f"\n  {name}: found by seed {seed}: {str(broken)[:150]}")
            return
    pytest.fail(f"no seed below {SEEDS_FOR_A_BUG} sees it")


def test_each_kind_of_fault_has_a_seed_of_its_own() -> None:
    """So that a failure points at one kind."""
    kinds = [plan_of(seed) for seed in range(3, 3 + len(NETWORK) + len(EVENTS))]
    alone = [
        *(name for plan in kinds for name in NETWORK if getattr(plan.network, name)),
        *(n for p in kinds for n in p.events),
    ]
    assert sorted(alone) == sorted([*NETWORK, *EVENTS])


def test_one_seed_is_one_course_of_events_in_every_process() -> None:
    """Whatever the order of hashes."""

    def digests(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "tests.simulation.world", "--seed", "18", "--count", "20", "--quiet"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout

    first = digests("1")
    assert first == digests("4711")
    assert len(set(first.split())) == 40, "20 seeds and 20 different digests"


def test_a_producer_that_skips_a_lost_record_stops_every_reader() -> None:
    """Why nothing may follow a record that is missing: one writer's hole is everybody's gap, for ever."""
    world = World(0)
    world.broker.faults = replace(world.broker.faults, lost_packets=0.1, skipping=True)
    with pytest.raises(Broken, match="a gap although nothing was lost"):
        world.run()


def test_lost_records_stop_every_reader_that_had_read_further() -> None:
    """An unclean election drops the newest records of the first service's topic."""
    world = run(0)
    part = Part(toys.FIRST.owns.name, 0)
    world.broker.truncate(part, 3)
    with pytest.raises(TapeGap, match=str(part)):
        turns(world, 2)


def test_lost_records_are_noticed_after_a_restart_while_the_topic_is_shorter_than_what_was_answered() -> None:
    """Nobody saw it happen, but snapshots and the causes on the next topic stand beyond the end."""
    world = run(0)
    part = Part(toys.FIRST.owns.name, 0)
    for node in world.nodes:
        node.crash(0)
    world.broker.truncate(part, 10, silently=True)
    with pytest.raises(TapeGap, match=str(part)):
        turns(world, 20)


def turns(world: World, seconds: int) -> None:
    """Let all nodes go on, with new inputs."""
    for _ in range(seconds * 50):
        world.ask()
        world.broker.advance(20 * MS)
        for node in world.nodes:
            node.turn()
