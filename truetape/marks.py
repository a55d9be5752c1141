"""The table of marks: the newest mark of each instrument, and which instruments have none now."""

import msgspec

from truetape.messages import Began, InputParked, MarkPublished, MarkWithheld

MarkEvent = MarkPublished | MarkWithheld | InputParked | Began


class Marks(msgspec.Struct):
    """Newest mark by instrument id."""

    newest: dict[str, MarkPublished] = {}
    withheld: dict[str, MarkWithheld] = {}
    """Of instruments whose books make no mark, since then."""


def fold(marks: Marks, event: MarkEvent) -> Marks:
    """Apply one accepted event of market.marks."""
    if isinstance(event, MarkPublished):
        marks.newest[event.instrument_id] = event
        if marks.withheld:
            marks.withheld.pop(event.instrument_id, None)
    elif isinstance(event, MarkWithheld):
        marks.withheld[event.instrument_id] = event
    return marks
