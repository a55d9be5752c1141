"""The frame of the vectors: families of cases, their registry, and the comparison.

A family is a function that reads a directory and yields its cases; each case, when run, yields checks. An adapter
registers itself with `@family(...)` and is imported by `tests/vectors/families.py`.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.vectors.reading import LARGE, Record, library

SHARED: Final = Path(__file__).parents[2].parent / "shared" / "vectors"
RELATIVE: Final = 1e-9


class Check(NamedTuple):
    """One number: what the vector says and what the model found. Integers and texts compare exactly."""

    name: str
    expected: float | int | str
    found: float | int | str
    relative: float = RELATIVE
    absolute: float = 0.0
    """Floats may differ by this even where the expected one is 0."""

    def failure(self) -> str | None:
        """Say what is wrong, or None."""
        if self._agrees():
            return None
        off = ""
        if not isinstance(self.expected, str) and not isinstance(self.found, str):
            off = f", off by {self.found - self.expected:.6g}"
        return f"{self.name}: expected {self.expected!r}, found {self.found!r}{off}"

    def _agrees(self) -> bool:
        if isinstance(self.expected, float) and isinstance(self.found, float | int):
            return math.isclose(self.found, self.expected, rel_tol=self.relative, abs_tol=self.absolute)
        return self.found == self.expected


class Case(NamedTuple):
    """One named case; `run` computes and yields its checks. `skip` says why it is not run."""

    name: str
    run: Callable[[], Iterable[Check]]
    skip: str = ""


class Family(NamedTuple):
    """All cases of one method."""

    name: str
    precision: str
    """How exact the file's own numbers are, and therefore how they are compared."""
    cases: Callable[[Path], Iterable[Case]]


class Outcome(NamedTuple):
    """What came of one case."""

    family: str
    case: str
    checks: int
    failures: tuple[str, ...]
    skipped: str = ""


FAMILIES: Final[dict[str, Family]] = {}


def family(name: str, precision: str) -> Callable[[Callable[[Path], Iterable[Case]]], Callable[[Path], Iterable[Case]]]:
    """Register a function from a directory to the cases found there; none where the file is absent."""

    def register(cases: Callable[[Path], Iterable[Case]]) -> Callable[[Path], Iterable[Case]]:
        assert name not in FAMILIES, f"two families are called {name}"
        FAMILIES[name] = Family(name, precision, cases)
        return cases

    return register


def compact_names() -> frozenset[str]:
    """The families whose cases are small and stand together in one document."""
    return frozenset(FAMILIES) - {name for name, _ in LARGE}


def documents(directory: Path, name: str) -> Iterator[tuple[str, Record]]:
    """Each case of one of the large families, by name."""
    yield from library(directory, compact_names()).sources.get(name, ())


def outcome(family_name: str, case: Case) -> Outcome:
    """Run one case; an exception is its failure, never the run's."""
    if case.skip:
        return Outcome(family_name, case.name, 0, (), case.skip)
    checks = 0
    failures: list[str] = []
    try:
        for check in case.run():
            checks += 1
            said = check.failure()
            if said is not None:
                failures.append(said)
    except Exception as error:  # whatever a stranger's vector raises, the others still run
        failures.append(f"{type(error).__name__}: {error}")
    if not checks and not failures:
        failures.append("the case checks nothing")
    return Outcome(family_name, case.name, checks, tuple(failures))


STRANGE: Final = "not understood"
"""What is no vector of any family is listed under this name, as failed."""


def outcomes(directory: Path, only: str | None = None) -> Iterator[Outcome]:
    """Run every case found of every family, or of one; then whatever else stands in the directory, as failed."""
    for each in FAMILIES.values():
        if only in (None, each.name):
            for case in each.cases(directory):
                yield outcome(each.name, case)
    if only is None:
        for where, why in library(directory, compact_names()).strange:
            yield Outcome(STRANGE, where, 0, (why,))
