"""Gateways, projections, PostgreSQL and Redis under seeded faults: bugs of theirs are seen. That nothing is lost or
doubled, no answer untrue and every view the tape's fold, test_system.py shows over all seeds."""

import pytest

from tests.simulation.bugs_served import FOUND_BY, SERVED_BUGS
from tests.simulation.served import Served
from tests.simulation.simulate import run


@pytest.mark.parametrize("name", SERVED_BUGS)
def test_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with SERVED_BUGS[name].planted():
        seeds = range(FOUND_BY[name], FOUND_BY[name] + 20)
        found = next((one for seed in seeds if (one := run(seed, world=Served)).failure), None)
    assert found is not None, "no seed sees it"
    with capsys.disabled():
        print(f"\n  {name}: seed {found.seed}, {found.invariant}")
