"""Reads `derivatives_compact.json`: families of small cases whose keys say what they are.

Numbers with a fraction are read as Decimal, so that their printed precision is known: one with four or more
significant digits was rounded or cut at its last digit and may be off by one unit there; a shorter one is exact.
Integers of integer families compare exactly.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.vectors.frame import Case, Check, family

FILE: Final = "derivatives_compact.json"
EXACT: Final = "integers, exact"
PRINTED: Final = "1e-9 relative, or one unit of the last printed digit where four or more are printed"
Numbers = Mapping[str, Any]
ROUNDED_FROM_DIGITS: Final = 4


def compact(name: str, precision: str) -> Callable[[Callable[[Numbers, Numbers], Iterable[Check]]], object]:
    """Register a family of the file whose cases stand in a list called `cases`.

    The function gets one case and the family with all it says besides; it yields checks.
    """

    def register(run: Callable[[Numbers, Numbers], Iterable[Check]]) -> object:
        def cases(directory: Path) -> Iterator[Case]:
            found = section(directory, name)
            for index, case in enumerate(found.get("cases", ())):
                yield Case(label(index, case), lambda case=case, found=found: run(case, found))  # type: ignore[misc]

        return family(name, precision)(cases)

    return register


def section(directory: Path, name: str) -> Numbers:
    """One family of the file, or nothing."""
    path = directory / FILE
    if not path.exists():
        return {}
    found: Numbers = json.loads(path.read_text(), parse_float=Decimal).get(name, {})
    return found


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
