"""What a rebuild tells, on the way and in the end."""

from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from truetape.audit.difference import Difference
from truetape.settings import Settings

EQUAL, DIFFERS, NONE, OUTDATED = "equal", "differs", "none", "outdated"
SHOWN: Final = 20
Told = Callable[[str, int, int], None]
"""(what is being done, how much of it is done, of how much)."""


class Rebuilt(Struct, frozen=True):
    """One rebuild."""

    target: str
    verdict: str
    """What there was against what the tape gives: equal, differs, none (nothing there), outdated (another version)."""
    replaced: bool
    """Whether the new one stands in the old one's place."""
    records: int
    """Records of the tape that were read."""
    compared: int
    """Rows, keys or partitions that were compared."""
    digest: str
    """SHA-256 of what was built."""
    seconds: float
    differences: list[Difference] = []
    """The first of them."""
    differences_total: int = 0


class Rebuild(Protocol):
    """Builds one view again. Raises TruetapeError."""

    def __call__(self, settings: Settings, check: bool, told: Told) -> Rebuilt:
        """With check the new view is compared and thrown away, and the old one stays."""
