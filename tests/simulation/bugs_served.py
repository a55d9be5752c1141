"""Bugs of gateways and projections by name, for the general invariants of served.py to find."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from services.gateway import streaming, submission, tail, transfers
from services.gateway.known import Decided
from services.gateway.projection.projector import Projector
from services.gateway.reads import Reads
from tests.simulation.bug import Bug
from truetape import clock
from truetape import messages as m
from truetape.tape import Verdict

_begin = Projector._begin
_same = submission._same
_parsed = streaming._parsed
_approval = transfers._approval


def begins_from_memory(self: Projector, reached: Any) -> Any:
    """Where it goes on is kept beside the database, not in it."""
    return _begin(self, {part: self._reached.get(part, stored) for part, stored in reached.items()})


def told_anew(earlier: Decided, terms: m.OrderTerms) -> Decided:
    """A retry is answered with its own time, not with the decision's."""
    return replace(_same(earlier, terms), decided_at_us=clock.now_us())


async def waits_for_nothing(self: Reads, wanted: Any, seconds: float = 0.0) -> None:
    """A read does not wait for what was answered."""


def resumes_behind(last_event_id: str) -> dict[Any, int]:
    """The id of the last event is taken for the place of the next one."""
    return {part: offset + 1 for part, offset in _parsed(last_event_id).items()}


def tells_again(last_event_id: str) -> dict[Any, int]:
    """The last event comes once more."""
    return {part: offset - 1 for part, offset in _parsed(last_event_id).items()}


def takes_behind_the_gap(self: streaming.Subscription, row: Any) -> None:
    """What finds no room is left out, and the stream goes on."""
    if len(self.queue) < streaming.QUEUE_MAX:
        self.queue.append(row)
        self._arrived.set()


def tells_at_once(self: streaming.Merger, row: Any) -> bool:
    """Effects are told as they come, before their causes."""
    return True


def approves_anything(asked: Any, decided: Any, *more: Any) -> Any:
    """Nobody compares what was asked for with what was decided under that reference."""
    return _approval(decided, decided, *more)


async def never_approved(*_: Any) -> None:
    """An approved transfer is not looked for: risk does not answer it again."""


def _bug(what: str, target: Any, name: str, wrong: Any) -> Bug:
    return Bug(what, ((target, name, wrong),), world="served")


BUGS_OF_SERVERS: Final[Mapping[str, Bug]] = {
    "position kept beside the views": _bug("and an older backup comes", Projector, "_begin", begins_from_memory),
    "retry answered anew": _bug("not with the same bytes", submission, "_same", told_anew),
    "retry makes a new order": _bug("the client's id is not looked at", submission, "_chosen_id", lambda *_: ""),
    "answers believe void records": _bug("of risk's", tail, "judge", lambda *_: Verdict.ACCEPT),
    "reads wait for nothing": _bug("and do not see what was answered", Reads, "reach", waits_for_nothing),
    "reads are not confirmed": _bug("views were dropped meanwhile", Reads, "confirm", waits_for_nothing),
    "stream resumes one too late": _bug("after the event's id", streaming, "_parsed", resumes_behind),
    "stream tells one event again": _bug("when it is resumed", streaming, "_parsed", tells_again),
    "slow reader loses events": _bug("the stream goes on", streaming.Subscription, "push", takes_behind_the_gap),
    "stream tells effects first": _bug("as they come", streaming.Merger, "_ready", tells_at_once),
    "transfer's terms not compared": _bug("one reference, two amounts", transfers, "_approval", approves_anything),
    "approved transfer not looked up": _bug("risk is silent", transfers, "_approved", never_approved),
}
"""By name."""
