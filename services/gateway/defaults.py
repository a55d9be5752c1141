"""Routes of defaults: the house declares one, and sees how each stands, who has borne what, and every record of it."""

from typing import Any, Final

import msgspec
from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.administration import command_id_of
from services.gateway.default_requests import DefaultRequest, ListQuery, WaiverRequest
from services.gateway.ledger import carried_out
from services.gateway.newest import listed, newest
from services.gateway.problems import Problem
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, position, reply, rows_reply
from services.gateway.trading import SENDING
from truetape import api_default as a
from truetape import messages as m
from truetape.money import from_e8

routes = Routes("defaults")
RECORDS_MAX: Final = 1_000
"""Of one default: a round asked again every half minute for hours has fewer."""
_VIEWS: Final = ("view_behind", "view_unavailable")
DEFAULTS: Final = newest("defaults", "default_id", "DefaultChanged")
RECORDS: Final = Query(
    "records of a default",
    """
SELECT body::text AS body, at_us, event_id FROM view.events
WHERE type = 'DefaultChanged' AND body->>'default_id' = %s ORDER BY "offset" DESC LIMIT %s
""",
)
"""Arguments: default, how many. Newest first."""


@routes.add("POST", "/v1/admin/defaults", "admin", body=DefaultRequest, answers={200: a.Default},
            problems=("default_refused", *SENDING))  # fmt: skip
async def declare_default(call: Call) -> Response:
    """Declare the default of an account that cannot pay: its orders are cancelled and refused from here on.

    Once it holds no contract of the asset, its loss is fixed and the waterfall bears it.
    """
    asked = call.body(DefaultRequest)
    command = m.DeclareDefault(command_id_of(call), asked.account_id, asked.asset, asked.reason, call.key.key_id)
    return await _changed(call, command)


@routes.add("POST", "/v1/admin/defaults/{default_id}/waivers", "admin", body=WaiverRequest, answers={200: a.Default},
            problems=("default_refused", *SENDING))  # fmt: skip
async def waive_orders(call: Call) -> Response:
    """Let a default go on though no end of some orders is known, once it was asked for in vain for 75 seconds.

    The orders stay as they are. What they fill later is booked to the account; a loss by it is a further default.
    """
    asked = call.body(WaiverRequest)
    command = m.WaiveOrders(
        command_id_of(call), asked.account_id, call.path("default_id"), tuple(asked.order_ids), asked.reason,
        call.key.key_id,
    )  # fmt: skip
    return await _changed(call, command)


async def _changed(call: Call, command: m.DeclareDefault | m.WaiveOrders) -> Response:
    answer = await carried_out(call, command, "default_refused")
    event: Any = answer.event
    shown = _shown(msgspec.to_builtins(event), event.meta.decided_at_us)
    return reply(shown, 200, position((answer.part, answer.offset)))


@routes.add("GET", "/v1/admin/defaults", "admin", query=ListQuery, answers={200: a.Defaults}, problems=_VIEWS,
            waits=True)  # fmt: skip
async def list_defaults(call: Call) -> Response:
    """Defaults of all accounts, the one that changed last first: loss, who has borne what, what nobody has borne.

    `form=csv` gives a table instead.
    """
    return await listed(call, DEFAULTS, "", a.Default, _shown, a.Defaults)


@routes.add("GET", "/v1/admin/defaults/{default_id}", "admin", query=r.ReportQuery, answers={200: a.DefaultHistory},
            problems=("default_not_found", *_VIEWS), waits=True)  # fmt: skip
async def get_default(call: Call) -> Response:
    """One default with every record of it, oldest first; `form=csv` gives who has borne what as a table."""
    form, default_id = call.query(r.ReportQuery).form, call.path("default_id")
    await call.see_answers()
    rows = await call.gateway.reads.rows(RECORDS, default_id, RECORDS_MAX)
    if not rows:
        raise Problem("default_not_found", f"there is no default {default_id[:64]!r}; GET /v1/admin/defaults lists all")
    bodies = [msgspec.json.decode(row["body"]) for row in rows]
    now = _shown(bodies[0], rows[0]["at_us"])
    records = [_record(body, row) for body, row in zip(bodies, rows, strict=True)]
    steps = [*now.steps, a.DefaultStep("UNCOVERED", "", now.uncovered)]
    return rows_reply(form, a.DefaultStep, steps, a.DefaultHistory(now, records[::-1]))


def _shown(body: dict[str, Any], at_us: int) -> a.Default:
    steps = [a.DefaultStep(one["layer"], one["payer_id"], from_e8(one["amount_e8"])) for one in body["steps"]]
    return a.Default(
        body["default_id"], body["account_id"], body["asset"], body["state"], from_e8(body["margin_e8"]),
        from_e8(body["loss_e8"]), from_e8(body["uncovered_e8"]), from_e8(body["recovered_e8"]), steps,
        body["round_id"], body["requested_by"], body["detail"], rendering.moment(at_us), list(body.get("waived", ())),
        body.get("waived_by", ""),
    )  # fmt: skip


def _record(body: dict[str, Any], row: dict[str, Any]) -> a.DefaultRecord:
    return a.DefaultRecord(
        rendering.moment(row["at_us"]), body["state"], from_e8(body["loss_e8"]), from_e8(body["uncovered_e8"]),
        from_e8(body["recovered_e8"]), body["round_id"], body["detail"], row["event_id"],
        list(body.get("waived", ())), body.get("waived_by", ""),
    )  # fmt: skip
