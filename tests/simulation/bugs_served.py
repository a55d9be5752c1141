"""Bugs of gateways and projections by name, for the general invariants of served.py to find."""

from typing import Any, Final

from msgspec.structs import replace

from services.gateway import submission, tail
from services.gateway.known import Decided
from services.gateway.projection import projector
from services.gateway.reads import Reads
from tests.simulation.bug import Bug
from truetape import clock
from truetape import messages as m
from truetape.restore import readable
from truetape.tape import Verdict

_begin = projector.Projector._begin
_accepted = projector.Projector._accepted
_same = submission._same


def begins_from_memory(self: projector.Projector, reached: Any) -> Any:
    """Where it goes on is kept beside the database, not in it."""
    return _begin(self, {part: self._reached.get(part, stored) for part, stored in reached.items()})


def takes_void_records(self: projector.Projector, record: Any) -> Any:
    """The reader's rule is not applied to what is written into the views."""
    _accepted(self, record)
    return readable(record)


def told_anew(earlier: Decided, terms: m.OrderTerms) -> Decided:
    """A retry is answered with its own time, not with the decision's."""
    return replace(_same(earlier, terms), decided_at_us=clock.now_us())


async def waits_for_nothing(self: Reads, wanted: Any, seconds: float = 0.0) -> None:
    """A read does not wait for what was answered."""


SERVED_BUGS: Final[dict[str, Bug]] = {
    "position kept beside the views": Bug(
        "After an older backup the views go on from where the process was, not from where their rows end",
        ((projector.Projector, "_begin", begins_from_memory),),
    ),
    "views take void records": Bug(
        "A zombie's records count in the views", ((projector.Projector, "_accepted", takes_void_records),)
    ),
    "retry answered anew": Bug("A retry does not get the same bytes", ((submission, "_same", told_anew),)),
    "retry makes a new order": Bug(
        "The client's own order id is not looked at", ((submission, "_chosen_id", lambda call, asked: ""),)
    ),
    "answers believe void records": Bug(
        "The gateway answers by decisions that do not count", ((tail, "judge", lambda *_: Verdict.ACCEPT),)
    ),
    "reads wait for nothing": Bug("A read after an answer does not see it", ((Reads, "reach", waits_for_nothing),)),
    "reads are not confirmed": Bug(
        "Views that were dropped or replaced are read as if they were whole", ((Reads, "confirm", waits_for_nothing),)
    ),
}
FOUND_BY: Final = {
    "position kept beside the views": 4, "views take void records": 29, "retry answered anew": 4,
    "retry makes a new order": 4, "answers believe void records": 48, "reads wait for nothing": 5,
    "reads are not confirmed": 126,
}  # fmt: skip
"""Where the search for a bug begins: the seed that found it last. Any of the next twenty will do."""
