"""Routes of margin calls and liquidations: the member sees and answers its own, the house all of them."""

from typing import Any, Final

import msgspec
from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.administration import command_id_of
from services.gateway.default_requests import ListQuery
from services.gateway.ledger import carried_out
from services.gateway.newest import listed, newest
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.trading import SENDING
from truetape import api_margin as a
from truetape import messages as m
from truetape.liquidation import ALARM_ASKED
from truetape.money import from_e8

routes = Routes("margin")
_VIEWS: Final = ("view_behind", "view_unavailable")
_ACTING: Final = ("call_refused", *SENDING)

CALLS: Final = newest("margin calls", "call_id", "MarginCallChanged")
LIQUIDATIONS: Final = newest("liquidations", "liquidation_id", "LiquidationChanged", "LiquidationEnded")


@routes.add("GET", "/v1/calls", "read", query=ListQuery, answers={200: a.MarginCalls}, problems=_VIEWS, waits=True)
async def list_calls(call: Call) -> Response:
    """Margin calls of the account, newest first: how much is called for, by when, and what has become of it.

    `form=csv` gives a table instead.
    """
    return await _calls(call, call.account_id)


@routes.add("GET", "/v1/admin/calls", "admin", query=ListQuery, answers={200: a.MarginCalls}, problems=_VIEWS,
            waits=True)  # fmt: skip
async def list_all_calls(call: Call) -> Response:
    """Margin calls of all accounts, the one that changed last first; `form=csv` gives a table instead."""
    return await _calls(call, "")


@routes.add("GET", "/v1/liquidations", "read", query=ListQuery, answers={200: a.Liquidations}, problems=_VIEWS,
            waits=True)  # fmt: skip
async def list_liquidations(call: Call) -> Response:
    """Liquidations of the account, newest first. Their orders are among its orders, their fees in its statement.

    `form=csv` gives a table instead.
    """
    return await _liquidations(call, call.account_id)


@routes.add("GET", "/v1/admin/liquidations", "admin", query=ListQuery, answers={200: a.Liquidations},
            problems=_VIEWS, waits=True)  # fmt: skip
async def list_all_liquidations(call: Call) -> Response:
    """Liquidations of all accounts, the one that changed last first; `form=csv` gives a table instead."""
    return await _liquidations(call, "")


async def _calls(call: Call, account_id: str) -> Response:
    return await listed(call, CALLS, account_id, a.MarginCall, _shown, a.MarginCalls)


async def _liquidations(call: Call, account_id: str) -> Response:
    return await listed(call, LIQUIDATIONS, account_id, a.Liquidation, _liquidation, a.Liquidations)


@routes.add("POST", "/v1/calls/act", "trade", body=r.CallRequest, answers={200: a.MarginCall}, problems=_ACTING)
async def act_on_call(call: Call) -> Response:
    """Acknowledge a margin call, or dispute it. A dispute does not move the deadline: pay first, argue after."""
    asked = call.body(r.CallRequest)
    command = m.ActOnCall(
        command_id_of(call), call.account_id, asked.call_id, asked.action, "member", asked.reason, call.key.key_id
    )
    return await _acted(call, command)


@routes.add("POST", "/v1/admin/calls/act", "admin", body=r.HouseCallRequest, answers={200: a.MarginCall},
            problems=_ACTING)  # fmt: skip
async def judge_call(call: Call) -> Response:
    """Reject or uphold a dispute, or declare a default after the deadline without waiting for the end of grace."""
    asked = call.body(r.HouseCallRequest)
    command = m.ActOnCall(
        command_id_of(call), asked.account_id, asked.call_id, asked.action, "house", asked.reason, call.key.key_id
    )
    return await _acted(call, command)


async def _acted(call: Call, command: m.ActOnCall) -> Response:
    answer = await carried_out(call, command, "call_refused")
    event: Any = answer.event
    shown = _shown(msgspec.to_builtins(event), event.meta.decided_at_us)
    return reply(shown, 200, position((answer.part, answer.offset)))


def _shown(body: dict[str, Any], at_us: int) -> a.MarginCall:
    return a.MarginCall(
        body["call_id"], body["account_id"], body["asset"], body["state"], from_e8(body["amount_e8"]),
        from_e8(body["paid_e8"]), rendering.moment(body["called_at_us"]), rendering.moment(body["due_at_us"]),
        body["grace_us"] // 1_000_000, body["reason"], body["actor"], body["detail"], rendering.moment(at_us),
    )  # fmt: skip


def _liquidation(body: dict[str, Any], at_us: int) -> a.Liquidation:
    ended = "outcome" in body
    return a.Liquidation(
        body["liquidation_id"], body["account_id"], body["asset"], "ENDED" if ended else body["state"],
        body.get("outcome", ""), body["steps"] if ended else body["step"], from_e8(body.get("fees_e8", 0)),
        from_e8(body.get("covered_e8", 0)), from_e8(body.get("shortfall_e8", 0)), body["detail"],
        rendering.moment(at_us), body.get("asked", 0) >= ALARM_ASKED,
    )  # fmt: skip
