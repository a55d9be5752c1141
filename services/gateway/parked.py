"""Routes that resolve what the ledger has parked: book it now, or dismiss it. `truetape parked` lists it."""

from typing import Any, Final

from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.administration import command_id_of
from services.gateway.ledger import ask_ledger
from services.gateway.problems import Problem
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.trading import HIT, SENDING
from truetape import api as a
from truetape import messages as m

routes = Routes("administration")
_PROBLEMS: Final = ("release_refused", *SENDING)


@routes.add("POST", "/v1/admin/parked/release", "admin", body=r.ReleaseRequest, answers={200: a.ParkedResolved},
            problems=_PROBLEMS)  # fmt: skip
async def release_parked(call: Call) -> Response:
    """Book the oldest parked input of a halted account now.

    The ledger refuses any other input, and one that it still cannot book. With the last one resolved the account
    takes orders again.
    """
    asked = call.body(r.ReleaseRequest)
    command = m.ReleaseParked(command_id_of(call), asked.account_id, asked.parked_event_id, call.key.key_id)
    return await _resolved(call, command)


@routes.add("POST", "/v1/admin/parked/dismiss", "admin", body=r.DismissRequest, answers={200: a.ParkedResolved},
            problems=_PROBLEMS)  # fmt: skip
async def dismiss_parked(call: Call) -> Response:
    """Resolve a parked input without booking it; the reason stands on the tape."""
    asked = call.body(r.DismissRequest)
    command = m.DismissParked(
        command_id_of(call), asked.account_id, asked.parked_event_id, call.key.key_id, asked.reason
    )
    return await _resolved(call, command)


async def _resolved(call: Call, command: m.ReleaseParked | m.DismissParked) -> Response:
    answer = await ask_ledger(call, command)
    event: Any = answer.event
    where = position((answer.part, answer.offset))
    if not isinstance(event, m.ReleaseRefused):
        at = rendering.moment(event.meta.decided_at_us)
        left = event.release.left
        return reply(
            a.ParkedResolved(command.command_id, command.parked_event_id, event.meta.event_id, at, left), 200, where
        )
    if event.reason == "COMMAND_REPEATED" and event.decision_event_id is not None:
        again = a.ParkedResolved(command.command_id, command.parked_event_id, event.decision_event_id)
        return reply(again, 200, where | HIT)
    raise Problem(
        "release_refused", event.detail, command_id=command.command_id, reason=event.reason,
        parked_event_id=command.parked_event_id,
    )  # fmt: skip
