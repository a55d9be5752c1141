"""`make planted-bugs`: search the seeds from 0 for every planted bug; say which seed and which invariant found it."""

import sys
import time
from typing import NamedTuple

from tests.simulation.bugs import BOUND, BUGS
from tests.simulation.simulate import run


class Found(NamedTuple):
    """The run that saw a bug."""

    seed: int
    invariant: str
    failure: str


def search(name: str, seeds: range) -> Found | None:
    """The first of these seeds that sees the named bug."""
    with BUGS[name].planted():
        for seed in seeds:
            outcome = run(seed)
            if outcome.failure:
                return Found(seed, outcome.invariant, outcome.failure)
    return None


def main(names: list[str]) -> int:
    """All, or those named."""
    missed = 0
    for name in names or BUGS:
        began = time.monotonic()
        found = search(name, range(BOUND))
        missed += found is None
        what = f"seed {found.seed:3d}  {found.invariant}" if found else f"NOT FOUND below {BOUND}"
        print(f"{name:45s} {what}  ({time.monotonic() - began:.1f} s)", flush=True)
        if found and len(names) == 1:
            print(found.failure)
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
