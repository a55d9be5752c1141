"""Routes of deleveragings and partial tear-ups: how each stands, and which holder closed how much, by which rank."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.default_requests import ListQuery
from services.gateway.newest import listed, newest
from services.gateway.problems import Problem
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, rows_reply
from truetape import api_margin as a
from truetape.money import from_e8

routes = Routes("defaults")
RECORDS_MAX: Final = 10_000
_VIEWS: Final = ("view_behind", "view_unavailable")
DELEVERAGINGS: Final = newest("deleveragings", "deleveraging_id", "DeleveragingChanged")
RECORDS: Final = Query(
    "records of a deleveraging",
    """
SELECT body::text AS body, at_us FROM view.events
WHERE type = 'DeleveragingChanged' AND body->>'deleveraging_id' = %s ORDER BY "offset" DESC LIMIT %s
""",
)
"""Arguments: deleveraging, how many. Newest first."""
PARTS: Final = Query(
    "parts of an account in deleveragings",
    """
SELECT body::text AS body, at_us FROM view.events
WHERE type = 'DeleveragingChanged'
    AND (body->'parts')::jsonb @> jsonb_build_array(jsonb_build_object('account_id', %s::text))
ORDER BY at_us DESC, partition DESC, "offset" DESC LIMIT %s
""",
)
"""Arguments: the holder, how many. Newest first."""


@routes.add("GET", "/v1/admin/deleveragings", "admin", query=ListQuery, answers={200: a.Deleveragings},
            problems=_VIEWS, waits=True)  # fmt: skip
async def list_deleveragings(call: Call) -> Response:
    """Deleveragings and partial tear-ups, the one that changed last first; `form=csv` gives a table instead."""
    return await _listed(call, "")


@routes.add("GET", "/v1/deleveragings", "read", query=ListQuery, answers={200: a.Deleveragings},
            problems=_VIEWS, waits=True)  # fmt: skip
async def list_own_deleveragings(call: Call) -> Response:
    """Positions of the account that nobody bought, closed against holders of the other side, newest change first.

    `form=csv` gives a table instead.
    """
    return await _listed(call, call.account_id)


@routes.add("GET", "/v1/deleveragings/parts", "read", query=r.ReportQuery, answers={200: a.OwnParts},
            problems=("report_too_large", *_VIEWS), waits=True)  # fmt: skip
async def list_own_parts(call: Call) -> Response:
    """What the account was asked to close as a holder of the other side, newest change first.

    `form=csv` gives a table instead.
    """
    form = call.query(r.ReportQuery).form
    await call.see_answers()
    rows = await call.gateway.reads.rows(PARTS, call.account_id, RECORDS_MAX + 1)
    if len(rows) > RECORDS_MAX:
        raise Problem("report_too_large", f"there are more than {RECORDS_MAX} records", limit=RECORDS_MAX)
    bodies = [(msgspec.json.decode(row["body"]), row["at_us"]) for row in rows]
    shown = own_parts(bodies[::-1], call.account_id)
    return rows_reply(form, a.OwnPart, shown, a.OwnParts(shown))


async def _listed(call: Call, account_id: str) -> Response:
    return await listed(call, DELEVERAGINGS, account_id, a.Deleveraging, _shown, a.Deleveragings)


@routes.add("GET", "/v1/admin/deleveragings/{deleveraging_id}", "admin", query=r.ReportQuery,
            answers={200: a.DeleveragingHistory}, problems=("deleveraging_not_found", *_VIEWS),
            waits=True)  # fmt: skip
async def get_deleveraging(call: Call) -> Response:
    """One of them with each holder's part: rank, quantity, money, taken or not; `form=csv` gives the parts."""
    form, name = call.query(r.ReportQuery).form, call.path("deleveraging_id")
    await call.see_answers()
    rows = await call.gateway.reads.rows(RECORDS, name, RECORDS_MAX)
    if not rows:
        raise Problem("deleveraging_not_found", f"there is no deleveraging {name[:64]!r}")
    bodies = [msgspec.json.decode(row["body"]) for row in rows]
    parts = parts_of(bodies[::-1])
    now = _shown(bodies[0], rows[0]["at_us"])
    return rows_reply(form, a.DeleveragingPart, parts, a.DeleveragingHistory(now, parts))


def own_parts(bodies: Iterable[tuple[dict[str, Any], int]], account_id: str) -> list[a.OwnPart]:
    """An account's parts from (record, its time), oldest first: as each stands now, the newest change first."""
    found: dict[str, a.OwnPart] = {}
    for body, at_us in bodies:
        for one in body["parts"]:
            if one["account_id"] != account_id:
                continue
            found.pop(one["parcel_id"], None)
            found[one["parcel_id"]] = a.OwnPart(
                body["deleveraging_id"], body["instrument_id"], body["asset"], body["method"],
                from_e8(body["price_e8"]), one["rank"], from_e8(one["quantity_e8"]), from_e8(one["paid_e8"]),
                _state(body), rendering.moment(at_us),
            )  # fmt: skip
    return list(found.values())[::-1]


def _state(body: dict[str, Any]) -> str:
    """Of the parts that a record has."""
    return "ASKED" if body["change"] == "DECIDED" else str(body["change"])


def parts_of(bodies: list[dict[str, Any]]) -> list[a.DeleveragingPart]:
    """Holders' parts from the records of a deleveraging, oldest first: as decided, then as taken or refused."""
    found: dict[str, a.DeleveragingPart] = {}
    for body in bodies:
        if body["change"] not in ("DECIDED", "TAKEN", "REFUSED"):
            continue
        for one in body["parts"]:
            found[one["parcel_id"]] = a.DeleveragingPart(
                one["account_id"],
                one["rank"],
                from_e8(one["quantity_e8"]),
                from_e8(one["paid_e8"]),
                _state(body),
                body["turn"],
            )
    return sorted(found.values(), key=lambda part: (part.turn, part.rank))


def _shown(body: dict[str, Any], at_us: int) -> a.Deleveraging:
    return a.Deleveraging(
        body["deleveraging_id"], body["account_id"], body["liquidation_id"], body["asset"], body["instrument_id"],
        body["method"], body["state"], body["change"], from_e8(body["price_e8"]), from_e8(body["mark_e8"]),
        from_e8(body["quantity_e8"]), from_e8(body["left_e8"]), body["detail"], rendering.moment(at_us),
    )  # fmt: skip
