"""Run seeds of the whole system: `make simulate SEEDS=1500`, `make simulate SEED=7`, `make soak MINUTES=60`."""

import argparse
import gc
import itertools
import logging
import multiprocessing
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import Final

import structlog

from tests.simulation import contract_rare, distress_rare, porting_rare, rare
from tests.simulation.cluster import Broken
from tests.simulation.contracts import ContractSystem
from tests.simulation.distress import DistressSystem
from tests.simulation.porting import PortingSystem
from tests.simulation.served import Served
from tests.simulation.swarm import SECOND
from tests.simulation.system import System
from truetape import codec

Missing = Callable[[Counter[str]], list[str]]
"""Says which rare situations none of the runs met."""
REPEAT: Final = "make simulate SEED={seed}"
WORLDS: Final[dict[str, type[System] | None]] = {
    "mixed": None, "services": System, "served": Served, "contracts": ContractSystem, "distress": DistressSystem,
    "porting": PortingSystem,
}  # fmt: skip
"""One seed in five has gateways, projections and their servers as well, one in ten has contracts, every second of
these in distress, and one in five of those clients of a member; the others have clients of spot on the bus. Or only
one kind of them."""
MET_IN: Final[tuple[tuple[type[System], frozenset[str]], ...]] = (
    (Served, frozenset(name for name in rare.names() if rare.COUNTED.get(name, name) in rare.SERVED)),
    (PortingSystem, frozenset(porting_rare.JUDGED)),
    (DistressSystem, frozenset(distress_rare.JUDGED)),
    (ContractSystem, frozenset(contract_rare.JUDGED)),
)
"""The rare situations that one kind of world alone can meet; the others come in each."""
UNEXPECTED: Final = "no process fails unexpectedly"
"""What is broken when something else than an invariant raises."""
ENOUGH: Final = 1_000
"""So many mixed seeds have to meet every rare situation; fewer are asked for less."""
FURTHER: Final = 1_500
"""Among so many seeds after the last one asked for, those whose world can meet a rare situation that was not met are
run until it is: which seed meets which shifts with every change of behaviour."""
BATCH: Final = 20
"""Of them at a time."""
WORKERS: Final = 2
DECODED_KEPT: Final = 1_000
"""Messages of one kind."""
GARBAGE: Final = (200_000, 20, 50)
"""New objects before the collector looks, and how often it looks at older ones."""


@dataclass(frozen=True)
class Outcome:
    """One run."""

    seed: int
    failure: str
    """Empty when all held."""
    invariant: str
    virtual_us: int
    digest: str
    seen: Counter[str]


@dataclass
class Total:
    """All runs together."""

    runs: int = 0
    virtual_us: int = 0
    shortest_us: int = 1 << 62
    failures: list[Outcome] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.runs += 1
        self.virtual_us += outcome.virtual_us
        self.shortest_us = min(self.shortest_us, outcome.virtual_us)
        self.seen.update(outcome.seen)
        if outcome.failure:
            self.failures.append(outcome)

    def crashes(self) -> int:
        """Processes that died; one that ends in good order does not count."""
        return self.seen["process killed"] - self.seen["graceful stop"]

    def told(self, seconds: float) -> str:
        """The figures."""
        hours, rate = self.virtual_us / SECOND / 3600, self.runs / max(seconds, 1e-9)
        return (
            f"{self.runs} seeds, {hours:.1f} virtual hours (each {self.shortest_us / SECOND:.0f} s or more), "
            f"{self.crashes() / max(self.runs, 1):.1f} crashes a seed, {seconds:.0f} s, {rate:.1f} seeds/s"
        )


def world_of(seed: int) -> type[System]:
    """What runs under a seed; each kind of plan comes with either (swarm.py)."""
    place = (seed + seed // 20) % 10
    if place == 3 and seed % 20 < 10:
        return PortingSystem if seed // 20 % 5 == 4 else DistressSystem
    if place == 3:
        return ContractSystem
    return Served if place % 5 == 0 else System


def run(seed: int, verbose: bool = False, world: type[System] | None = None) -> Outcome:
    """One seed."""
    silence()
    decode_once()
    kind = world or world_of(seed)
    system, failure, invariant = kind(seed, verbose), "", ""
    system.say(str(system.plan))
    try:
        system.run()
    except Broken as broken:
        failure, invariant = str(broken), broken.invariant
    except Exception:
        failure, invariant = traceback.format_exc(), UNEXPECTED
    return Outcome(seed, failure, invariant, system.broker.now_us, system.digest(), system.seen)


def run_many(seeds: Iterable[int], workers: int = WORKERS, world: type[System] | None = None) -> Iterator[Outcome]:
    """Many seeds, in as many processes as there are workers; in the order in which they end."""
    with multiprocessing.get_context("fork").Pool(workers, settle) as pool:
        yield from pool.imap_unordered(partial(run, world=world), seeds, chunksize=1)


def settle() -> None:
    """A worker process begins: what was imported is no garbage, and a run makes little that is."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


@cache
def decode_once() -> None:
    """Everybody who reads a record decodes the same bytes, to a message that nobody can change: keep it."""
    for schema_id, decoder in list(codec._DECODERS.items()):
        codec._DECODERS[schema_id] = lru_cache(DECODED_KEPT)(decoder)


def silence() -> None:
    """Thousands of simulated step-downs need no log lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def run_until_met(seeds: range, missing: Missing, world: type[System] | None = None) -> Total:
    """All the seeds, and further ones until none of the rare situations is missing."""
    total, rest = total_of(run_many(seeds, world=world)), range(seeds.stop, seeds.stop + FURTHER)
    while not total.failures and (unmet := missing(total.seen)):
        fit = [seed for seed in rest if may_meet(world or world_of(seed), unmet)][:BATCH]
        if not fit:
            break
        print(f"not met yet: {unmet}; seeds {fit[0]} to {fit[-1]}", flush=True)
        total_of(run_many(fit, world=world), total=total)
        rest = range(fit[-1] + 1, rest.stop)
    return total


def may_meet(world: type[System], unmet: list[str]) -> bool:
    """Whether a run of this world can meet one of these rare situations."""
    closed = frozenset(name for kind, names in MET_IN if not issubclass(world, kind) for name in names)
    return any(name not in closed for name in unmet)


def total_of(outcomes: Iterable[Outcome], until: float = float("inf"), total: Total | None = None) -> Total:
    """Add up, to what there is already, and tell every failure at once."""
    total = total or Total()
    for outcome in outcomes:
        total.add(outcome)
        if outcome.failure:
            print(f"seed {outcome.seed}: {outcome.failure}\n  repeat: {REPEAT.format(seed=outcome.seed)}", flush=True)
        if time.monotonic() > until:
            break
    return total


def main() -> int:
    """See --help."""
    chosen = arguments()
    world = WORLDS[chosen.world]
    if chosen.seed is not None:
        outcome = run(chosen.seed, True, world)
        print(outcome.failure or "everything holds", dict(sorted(outcome.seen.items())), outcome.digest, sep="\n")
        return bool(outcome.failure)
    if chosen.digests:
        for seed in range(chosen.first, chosen.first + chosen.digests):
            print(seed, run(seed, world=world).digest, flush=True)
        return 0
    began = time.monotonic()
    if chosen.minutes:
        total = total_of(run_many(itertools.count(chosen.first), world=world), began + chosen.minutes * 60)
    else:
        missing = rare.missing if chosen.seeds >= ENOUGH and world is None else nothing_missing
        total = run_until_met(range(chosen.first, chosen.first + chosen.seeds), missing, world)
    print(total.told(time.monotonic() - began))
    if unmet := rare.missing(total.seen):
        print(f"never met: {unmet}")
    return bool(total.failures or (unmet and total.runs >= ENOUGH and world is None))


def nothing_missing(seen: Counter[str]) -> list[str]:
    """What fewer seeds, or those of one world, have to meet."""
    return []


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Simulate the whole system from seeds.")
    parser.add_argument("--seed", type=int, help="one seed, told in full")
    parser.add_argument("--world", choices=WORLDS, default="mixed", help="which system")
    parser.add_argument("--seeds", type=int, default=1_500, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first one")
    parser.add_argument("--minutes", type=float, default=0, help="as many as fit, instead of --seeds")
    parser.add_argument("--digests", type=int, default=0, help="print the digests of so many seeds, in one process")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
