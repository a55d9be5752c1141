"""Names near one that is not known: what a typing error may have meant."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

NEAR_MAX: Final = 3
_SEPARATORS: Final = re.compile(r"[^A-Z0-9]+")


def near(wanted: str, known: Iterable[str]) -> list[str]:
    """The known names that look most like it, the likest first; capitals and separators make no difference."""
    folded: dict[str, list[str]] = {}
    for name in sorted(known):
        folded.setdefault(_folded(name), []).append(name)
    found = difflib.get_close_matches(_folded(wanted[:64]), folded, NEAR_MAX, 0.75)
    return [name for one in found for name in folded[one]][:NEAR_MAX]


def hint(wanted: str, known: Iterable[str]) -> str:
    """ "`; near it: A, B`, or nothing where no name is near."""
    found = near(wanted, known)
    return f"; near it: {', '.join(found)}" if found else ""


def _folded(name: str) -> str:
    return _SEPARATORS.sub("", name.upper())
