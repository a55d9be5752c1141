"""The shared vectors as tests: one per case, skipped visibly where ../shared is absent."""

import pytest

from tests.vectors.families import FAMILIES
from tests.vectors.frame import SHARED, Case, outcome

CASES = (
    [(family.name, case) for family in FAMILIES.values() for case in family.cases(SHARED)] if SHARED.exists() else []
)


@pytest.mark.parametrize(("family", "case"), CASES, ids=[f"{family}-{case.name}" for family, case in CASES])
def test_vector(family: str, case: Case) -> None:
    found = outcome(family, case)
    if found.skipped:
        pytest.skip(found.skipped)
    assert not found.failures


@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is absent: the shared vectors are not part of the project")
def test_every_family_has_cases() -> None:
    assert set(FAMILIES) == {family for family, _ in CASES}
