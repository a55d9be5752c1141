"""`make planted-bugs`: search the seeds from 0 for every planted bug; say which seed and which invariant found it.

With --write the table in docs/simulation.md is made anew; its test runs each bug with the seed that the table names.
"""

import argparse
import multiprocessing
import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.simulation.bugs import BOUND, BUGS
from tests.simulation.simulate import WORKERS, run, settle

PAGE: Final = Path(__file__).parents[2] / "docs" / "simulation.md"
HEAD: Final = "| bug | what is wrong | seed | found by |\n|---|---|---|---|\n"
_TABLE: Final = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")


class Found(NamedTuple):
    """The run that saw a bug."""

    seed: int
    invariant: str
    failure: str


def search(name: str, seeds: range) -> Found | None:
    """The first of these seeds that sees the named bug."""
    with BUGS[name].planted():
        for seed in seeds:
            outcome = run(seed, world=BUGS[name].system)
            if outcome.failure:
                return Found(seed, outcome.invariant, outcome.failure)
    return None


def _named(name: str) -> tuple[str, Found | None]:
    return name, search(name, range(BOUND))


def table(found: dict[str, Found]) -> str:
    """The table of docs/simulation.md."""
    rows = [f"| {name} | {BUGS[name].what} | {one.seed} | {one.invariant} |\n" for name, one in found.items()]
    return HEAD + "".join(rows)


def told() -> dict[str, tuple[int, str]]:
    """Seed and invariant of each bug, as docs/simulation.md says."""
    match = _TABLE.search(PAGE.read_text())
    assert match is not None, f"{PAGE} has no table of planted bugs"
    rows = [line.strip("| ").split(" | ") for line in match.group().splitlines()[2:]]
    return {row[0]: (int(row[2]), row[3]) for row in rows}


def main() -> int:
    """All, or those named; the exit status is the number of those that nobody found."""
    parser = argparse.ArgumentParser(description="Let the simulation find each planted bug.")
    parser.add_argument("names", nargs="*", help="which; all when none is named")
    parser.add_argument("--write", action="store_true", help="write the table of docs/simulation.md")
    chosen = parser.parse_args()
    names, results = chosen.names or list(BUGS), dict[str, Found]()
    with multiprocessing.get_context("fork").Pool(WORKERS, settle) as pool:
        for name, found in pool.imap_unordered(_named, names, chunksize=1):
            what = f"seed {found.seed:3d}  {found.invariant}" if found else f"NOT FOUND below {BOUND}"
            print(f"{name:45s} {what}", flush=True)
            if found is not None:
                results[name] = found
            if found and len(chosen.names) == 1:
                print(found.failure)
    if chosen.write:
        in_order = {name: results[name] for name in BUGS if name in results}
        PAGE.write_text(_TABLE.sub(lambda _: table(in_order), PAGE.read_text()))
    return len(names) - len(results)


if __name__ == "__main__":
    sys.exit(main())
