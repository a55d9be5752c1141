"""Routes of clearing members and porting: whose client an account is, and where it goes when its member defaults."""

from typing import Any, Final

import msgspec
from msgspec import UNSET
from starlette.responses import Response

from services.gateway import member_requests as r
from services.gateway import rendering
from services.gateway.administration import PROBLEMS, by, changed, command_id_of
from services.gateway.default_requests import ListQuery
from services.gateway.ledger import carried_out
from services.gateway.newest import listed
from services.gateway.parsing import decimal
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.trading import SENDING
from truetape import api, api_members
from truetape import messages as m
from truetape.money import from_e8
from truetape.reference import Reference
from truetape.transitions import HOUSE

routes = Routes("members")
_VIEWS: Final = ("view_behind", "view_unavailable")
_ACTING: Final = ("porting_refused", *SENDING)
PORTINGS: Final = Query(
    "portings",
    """
SELECT * FROM (
    SELECT DISTINCT ON (account_id) account_id, body::text AS body, at_us, partition, "offset",
        body->>'receiver_id' AS receiver_id
    FROM view.events WHERE type = 'PortingChanged' ORDER BY account_id, "offset" DESC
) newest WHERE (%s = '' OR %s IN (account_id, receiver_id)) AND (at_us, partition, "offset") < (%s, %s, %s)
ORDER BY at_us DESC, partition DESC, "offset" DESC LIMIT %s
""",
)
"""Arguments: client or receiver twice (empty: all), place before which, how many."""


@routes.add("POST", "/v1/admin/members", "admin", body=r.MemberRequest, answers={200: api.Changed}, problems=PROBLEMS)
async def set_member(call: Call) -> Response:
    """Say which clearing member an account belongs to. Its positions, money, margin and limits stay its own."""
    asked = call.body(r.MemberRequest)
    left = "" if asked.from_member_id is UNSET else asked.from_member_id
    return await changed(call, m.SetMember(command_id_of(call), by(call), asked.account_id, asked.member_id, left))


@routes.add("POST", "/v1/admin/members/limits", "admin", body=r.MemberLimitRequest, answers={200: api.Changed},
            problems=PROBLEMS)  # fmt: skip
async def set_member_limit(call: Call) -> Response:
    """Set how much initial need a member's clients may have when it takes some over from a member in default."""
    asked = call.body(r.MemberLimitRequest)
    most_e8 = decimal("initial_max", asked.initial_max)
    return await changed(call, m.SetMemberLimit(command_id_of(call), by(call), asked.account_id, asked.asset, most_e8))


@routes.add("GET", "/v1/admin/members", "admin", answers={200: api_members.Members})
async def list_members(call: Call) -> Response:
    """Clearing members with their clients and limits."""
    await call.see_reference()
    known = call.gateway.bus.reference
    clients: dict[str, list[str]] = {name: [] for name in _named(known)}
    for name, member_id in sorted(known.members.items()):
        if name != member_id:
            clients[member_id].append(name)
    limits = {name: {asset: from_e8(e8) for asset, e8 in own.items()} for name, own in known.member_limits.items()}
    found = [
        api_members.Member(name, own, limits.get(name, {}), known.defaulted.get(name, ""))
        for name, own in clients.items()
    ]
    return reply(api_members.Members(found))


def _named(known: Reference) -> list[str]:
    return sorted({*known.members.values(), *known.member_limits, *known.defaulted})


# -- porting ----------------------------------------------------------------------------------------------------------


@routes.add("GET", "/v1/portings", "read", query=ListQuery, answers={200: api_members.Portings}, problems=_VIEWS,
            waits=True)  # fmt: skip
async def list_portings(call: Call) -> Response:
    """The account's own porting, and the clients that want to go to it; `form=csv` gives a table instead."""
    return await _portings(call, call.account_id)


@routes.add("GET", "/v1/admin/portings", "admin", query=ListQuery, answers={200: api_members.Portings},
            problems=_VIEWS, waits=True)  # fmt: skip
async def list_all_portings(call: Call) -> Response:
    """Where the clients of all members go, the one that changed last first; `form=csv` gives a table instead."""
    return await _portings(call, "")


async def _portings(call: Call, account_id: str) -> Response:
    return await listed(call, PORTINGS, account_id, api_members.Porting, _shown, api_members.Portings)


@routes.add("POST", "/v1/portings/choose", "trade", body=r.ChoiceRequest, answers={200: api_members.Porting},
            problems=_ACTING)  # fmt: skip
async def choose_member(call: Call) -> Response:
    """Say where the account goes when its member defaults: beforehand, or while the window is open."""
    asked = call.body(r.ChoiceRequest)
    chosen = "" if asked.receiver_id is UNSET else asked.receiver_id
    return await _acted(call, call.account_id, "choose", chosen, asked.reason)


@routes.add("POST", "/v1/portings/answer", "trade", body=r.PortingAnswerRequest, answers={200: api_members.Porting},
            problems=_ACTING)  # fmt: skip
async def answer_porting(call: Call) -> Response:
    """Take a client over that has chosen this account as its member, or refuse."""
    asked = call.body(r.PortingAnswerRequest)
    return await _acted(call, asked.account_id, "accept" if asked.accepted else "refuse", "", asked.reason)


@routes.add("POST", "/v1/admin/portings/end", "admin", body=r.EndWindowRequest,
            answers={200: api_members.WindowEnded}, problems=_ACTING)  # fmt: skip
async def end_window(call: Call) -> Response:
    """End a window before its time: who is accepted, margined and has room moves now, who is not is closed out."""
    asked = call.body(r.EndWindowRequest)
    command = m.ActOnPorting(command_id_of(call), asked.account_id, "end", HOUSE, "", asked.reason, by(call))
    answer = await carried_out(call, command, "porting_refused")
    event: Any = answer.event
    ended = api_members.WindowEnded(
        asked.account_id, event.round.round_id, event.meta.event_id, rendering.moment(event.meta.decided_at_us)
    )
    return reply(ended, 200, position((answer.part, answer.offset)))


async def _acted(call: Call, account_id: str, action: str, receiver_id: str, reason: str) -> Response:
    command = m.ActOnPorting(
        command_id_of(call), account_id, action, call.account_id, receiver_id, reason, call.key.key_id
    )
    answer = await carried_out(call, command, "porting_refused")
    event: Any = answer.event
    shown = _shown(msgspec.to_builtins(event), event.meta.decided_at_us)
    return reply(shown, 200, position((answer.part, answer.offset)))


def _shown(body: dict[str, Any], at_us: int) -> api_members.Porting:
    return api_members.Porting(
        body["account_id"], body["member_id"], body["receiver_id"], body["state"], body["reason"],
        rendering.maybe_moment(body["expires_at_us"] or None), body["default_id"], body["actor"], body["detail"],
        body["requested_by"], rendering.moment(at_us),
    )  # fmt: skip
