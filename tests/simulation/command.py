"""The command that repeats a run by its seed."""

import argparse
import logging
from collections.abc import Callable

import structlog

from tests.simulation.cluster import Cluster


def repeat(kind: Callable[..., Cluster]) -> None:
    """Run seeds and print their digests; a single one says what happens."""
    parser = argparse.ArgumentParser(description="Repeat simulated runs by seed.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--quiet", action="store_true", help="print digests only")
    chosen = parser.parse_args()
    if chosen.quiet:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for seed in range(chosen.seed, chosen.seed + chosen.count):
        cluster = kind(seed, verbose=not chosen.quiet)
        cluster.say(str(cluster.plan))
        cluster.run()
        print(seed, cluster.digest())
        cluster.say(str(dict(cluster.seen)))
