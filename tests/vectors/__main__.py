"""Run the shared vectors against the models: passed, failed and skipped per family, with the numbers that differ.

The last line of stdout with --json is one JSON object. Exit status 1 when a case fails or nothing was found.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.vectors.families import FAMILIES
from tests.vectors.frame import SHARED, Outcome, outcomes


def tally(found: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """Passed, failed, skipped and checks by family."""
    totals = {outcome.family: Counter[str](passed=0, failed=0, skipped=0, checks=0) for outcome in found}
    for outcome in found:
        what = "skipped" if outcome.skipped else "failed" if outcome.failures else "passed"
        totals[outcome.family][what] += 1
        totals[outcome.family]["checks"] += outcome.checks
    return {family: dict(total) for family, total in totals.items()}


def show(found: Sequence[Outcome]) -> None:
    """A line per family, and under it each failure and each reason for a skip."""
    for family, total in tally(found).items():
        print(
            f"{family:32} {total['passed']:4} passed {total['failed']:4} failed {total['skipped']:4} skipped"
            f"  ({total['checks']} numbers)"
        )
        for outcome in found:
            if outcome.family == family and (outcome.failures or outcome.skipped):
                print(f"    {outcome.case}: {outcome.skipped or ''}{'; '.join(outcome.failures)}")


def main() -> int:
    """Run and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.vectors", description=__doc__)
    parser.add_argument("--dir", type=Path, default=SHARED, help="where the vectors are (default: %(default)s)")
    parser.add_argument("--family", choices=sorted(FAMILIES), help="only this family")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    found = list(outcomes(options.dir, options.family))
    if options.json:
        failures = {f"{each.family}/{each.case}": each.failures for each in found if each.failures}
        skipped = {f"{each.family}/{each.case}": each.skipped for each in found if each.skipped}
        print(json.dumps({"families": tally(found), "failures": failures, "skipped": skipped}))
    else:
        show(found)
    if not found:
        print(f"no vectors in {options.dir}", file=sys.stderr)
    return 1 if not found or any(each.failures for each in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
