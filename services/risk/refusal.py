"""Why an order or a withdrawal is refused, with the numbers that were seen."""

from typing import NamedTuple

from truetape.errors import MarginError, MarginInputMissing, MarginOrdersTooMany, MarkWanted
from truetape.margin.pretrade import CORNER_ORDERS_MAX
from truetape.messages import MarkSeen, RejectReason

Numbers = dict[str, int]


class Refusal(NamedTuple):
    """Why an order is not accepted."""

    reason: RejectReason
    numbers: Numbers
    mark: MarkSeen | None = None


def unmarked(wanted: MarkWanted, max_age_us: int) -> Refusal:
    """A mark that margin needs is missing or stale."""
    if wanted.age_us is None:
        return Refusal("MARK_MISSING", {"marks": 0, "of_position": 1})
    return Refusal("MARK_STALE", {"age_us": wanted.age_us, "max_age_us": max_age_us, "of_position": 1})


def unmargined(error: MarginError) -> Refusal:
    """Margin that cannot be computed: the order is not let pass without."""
    if isinstance(error, MarginOrdersTooMany):
        return Refusal("TOO_MANY_OPEN_ORDERS", {"limit": CORNER_ORDERS_MAX, "of_margin_model": 1})
    return Refusal("MARK_MISSING" if isinstance(error, MarginInputMissing) else "TERMS_INCOMPATIBLE", {"margin": 0})
