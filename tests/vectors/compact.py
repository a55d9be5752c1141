"""Reads families of small cases whose keys say what they are, as in `derivatives_compact.json`.

Numbers with a fraction are read as Decimal, so that their printed precision is known: one with four or more
significant digits was rounded or cut at its last digit and may be off by one unit there; a shorter one is exact.
Integers of integer families compare exactly.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.vectors.frame import Case, Check, documents, family
from tests.vectors.reading import NotUnderstood, Record, fully_read

EXACT: Final = "integers, exact"
PRINTED: Final = "1e-9 relative, or one unit of the last printed digit where four or more are printed"
Numbers = Mapping[str, Any]
ROUNDED_FROM_DIGITS: Final = 4


WORDS: Final = frozenset({"id", "note", "src", "comment"})
"""Keys of a case that name it or say what it is."""
ABOUT_FAMILY: Final = frozenset({"src", "formula", "setup", "params", "sens"})


def compact(name: str, precision: str) -> Callable[[Callable[[Numbers, Numbers], Iterable[Check]]], object]:
    """Register a family whose cases stand in a list called `cases`.

    The function gets one case and the family with all it says besides; it yields checks.
    """

    def register(run: Callable[[Numbers, Numbers], Iterable[Check]]) -> object:
        def cases(directory: Path) -> Iterator[Case]:
            for where, index, case, found in listed(directory, name):
                yield Case(
                    where + label(index, case),
                    lambda case=case, found=found: understood(case, run(case, found)),  # type: ignore[misc]
                )
            yield from other_lists(directory, name)

        return family(name, precision)(cases)

    return register


def listed(directory: Path, name: str, *lists: str) -> Iterator[tuple[str, int, Any, Record]]:
    """Where, index, case and family of each case that stands in these lists of a family (without: `cases`)."""
    for where, found in documents(directory, name):
        for key in lists or ("cases",):
            prefix = " ".join(filter(None, (where, key if lists else "")))
            yield from ((f"{prefix} ".lstrip(), index, case, found) for index, case in enumerate(found.get(key, ())))


def other_lists(directory: Path, name: str, *lists: str) -> Iterator[Case]:
    """A case that fails for each key of a family that is none of its lists and nothing about it."""
    for where, found in documents(directory, name):
        for key in sorted(found.keys() - ABOUT_FAMILY - set(lists or ("cases",))):
            reason = f"{name} has no list or parameter {key!r}"
            yield Case(f"{where} {key}".lstrip(), lambda reason=reason: refused(reason))  # type: ignore[misc]


def refused(reason: str) -> Iterator[Check]:
    """A case that nobody understands."""
    raise NotUnderstood(reason)


def understood(case: Any, checks: Iterable[Check]) -> Iterator[Check]:
    """The checks of a case; then NotUnderstood when it has a key that nothing has read."""
    yield from checks
    if isinstance(case, Record):
        fully_read(case, WORDS)


def label(index: int, case: Any) -> str:
    """A short name of a case: its id, or its place and its content."""
    if isinstance(case, Mapping):
        said = case.get("id") or " ".join(f"{key}={value}" for key, value in case.items())
        return f"{index + 1}: {said}"[:80]
    return f"{index + 1}: {case}"[:80]


def printed(name: str, expected: Decimal | int, found: float, absolute: float = 0.0) -> Check:
    """Compare a model's float with a printed number, at the precision it is printed with."""
    number = Decimal(expected)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), f"{name} is {number}"
    if exponent < 0 and len(number.as_tuple().digits) >= ROUNDED_FROM_DIGITS:
        absolute = max(absolute, float(Decimal(1).scaleb(exponent)) * (1 + 1e-6))
    return Check(name, float(number), float(found), absolute=absolute)


def first(case: Numbers, *names: str, default: Any = None) -> Any:
    """The value under the first of these names that the case has."""
    return next((case[name] for name in names if name in case), default)


def units(amount: Decimal | int | float, unit: int) -> int:
    """An amount as a whole number of units; what is finer is an error of the vector."""
    scaled = Decimal(str(amount)) * unit
    assert scaled == scaled.to_integral_value(), f"{amount} is finer than 1/{unit}"
    return int(scaled)
