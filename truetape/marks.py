"""The table of marks: the newest mark of each instrument."""

import msgspec

from truetape.messages import Began, InputParked, MarkPublished

MarkEvent = MarkPublished | InputParked | Began


class Marks(msgspec.Struct):
    """Newest mark by instrument id."""

    newest: dict[str, MarkPublished] = {}


def fold(marks: Marks, event: MarkEvent) -> Marks:
    """Apply one accepted event of market.marks."""
    if isinstance(event, MarkPublished):
        marks.newest[event.instrument_id] = event
    return marks
