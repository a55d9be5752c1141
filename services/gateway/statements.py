"""Routes of reports: an account's statement of a day, and what is open of each instrument. JSON or CSV."""

from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from services.gateway import otcview
from services.gateway import requests as r
from services.gateway.administration import known_account
from services.gateway.problems import Problem, field_problem
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, reply, rows_reply, sheet_reply
from truetape import api_reports as a
from truetape import interest, statement
from truetape.errors import SetupError
from truetape.statement import Booked, Sides

routes = Routes("reports")
LINES_MAX: Final = 50_000
NEVER: Final = 2**63 - 1
HELD_MAX: Final = 1_000_000
_VIEWS: Final = ("view_behind", "view_unavailable", "report_too_large")

OPENING: Final = Query(
    "opening balances",
    """
SELECT l.asset, sum(l.amount_e8) AS amount_e8 FROM view.entries e JOIN view.lines l USING (partition, "offset")
WHERE e.account_id = %s AND l.account = %s AND e.booked_at_us < %s GROUP BY l.asset
""",
)
LINES: Final = Query(
    "lines of a day",
    """
SELECT l.entry_id, e.kind, e.rule,
    coalesce(e.execution_id, e.external_reference, e.corrects, e.order_id, '') AS reference,
    l.asset, l.amount_e8, l.purpose, e.booked_at_us, e.transacted_at_us
FROM view.entries e JOIN view.lines l USING (partition, "offset")
WHERE e.account_id = %s AND l.account = %s AND e.booked_at_us >= %s AND e.booked_at_us < %s
ORDER BY e."offset", l.line LIMIT %s
""",
)
INSTRUCTIONS: Final = Query(
    "instructions of a day",
    "SELECT * FROM view.instructions WHERE account_id = %s AND value_date = %s ORDER BY asset, run",
)
SIDES: Final = Query(
    "sides at the end of a day",
    """
SELECT DISTINCT ON (s.instrument_id) s.instrument_id, t.positions, t.costs, s.long_e8, s.short_e8
FROM view.sides s JOIN LATERAL (
    SELECT positions, costs FROM view.sides WHERE account_id = s.account_id AND instrument_id = s.instrument_id
        AND positions IS NOT NULL AND "offset" <= s."offset" ORDER BY "offset" DESC LIMIT 1
) t ON TRUE WHERE s.account_id = %s AND s.at_us < %s AND NOT EXISTS (
    SELECT 1 FROM view.events e
    WHERE e.type = 'ContractFactTaken' AND e.at_us < %s
        AND coalesce(e.body->'fact'->>'instrument_id', e.body->>'instrument_id') = s.instrument_id
        AND e.body->'fact'->>'kind' IN ('EXPIRY', 'DELISTING', 'RENAME', 'CONTRACT_SIZE')
)
ORDER BY s.instrument_id, s."offset" DESC
""",
)
"""Arguments: account, the day's end twice."""
HELD: Final = Query(
    "everybody's positions",
    "SELECT account_id, instrument_id, quantity_e8 FROM view.positions WHERE quantity_e8 <> 0 LIMIT %s",
)


@routes.add("GET", "/v1/statements/{day}", "read", query=r.ReportQuery, answers={200: a.Statement}, problems=_VIEWS,
            waits=True)  # fmt: skip
async def get_statement(call: Call) -> Response:
    """The account's day: opening balances, every line booked with the balance after it, closing balances, sides.

    The day is in UTC, such as 2026-11-26, and holds the entries booked in it. `form=csv` gives a table instead.
    """
    return await _statement(call, call.account_id)


@routes.add("GET", "/v1/admin/statements/{account_id}/{day}", "admin", query=r.ReportQuery,
            answers={200: a.Statement}, problems=("account_unknown", *_VIEWS), waits=True)  # fmt: skip
async def get_statement_of(call: Call) -> Response:
    """Any account's day, for the house; `form=csv` gives a table instead."""
    return await _statement(call, known_account(call))


async def _statement(call: Call, account_id: str) -> Response:
    form, day = call.query(r.ReportQuery).form, call.path("day")
    try:
        start_us, end_us = statement.span_of(day)
    except SetupError as error:
        raise field_problem("day", str(error)) from error
    await call.see_answers()
    reads, whose = call.gateway.reads, (account_id, f"client:{account_id}")
    before = await reads.rows(OPENING, *whose, start_us)
    lines = await reads.rows(LINES, *whose, start_us, end_us, LINES_MAX + 1)
    _bound(len(lines), LINES_MAX, "lines; `truetape statement` has no such bound")
    opening = {row["asset"]: int(row["amount_e8"]) for row in before}
    sides = await _sides(call, account_id, end_us)
    found = statement.build(account_id, day, opening, (Booked(**row) for row in lines), sides)
    netted = await reads.rows(INSTRUCTIONS, account_id, day)
    shown = msgspec.convert(statement.plain(found), a.Statement)
    instructions = [otcview.instruction(row) for row in netted]
    return _as(form, statement.as_csv(found), replace(shown, instructions=instructions))


@routes.add("GET", "/v1/sides", "read", query=r.ReportQuery, answers={200: a.Sides}, problems=_VIEWS[:2], waits=True)
async def list_sides(call: Call) -> Response:
    """Long and short side of each contract that is open under terms of the account's own, such as HEDGING.

    `form=csv` gives a table instead.
    """
    form = call.query(r.ReportQuery).form
    await call.see_answers()
    shown = [
        msgspec.convert(one, a.StatementSides) for one in map(statement.shown, await _sides(call, call.account_id))
    ]
    return rows_reply(form, a.StatementSides, shown, a.Sides(shown))


async def _sides(call: Call, account_id: str, before_us: int = NEVER) -> list[Sides]:
    cut = [Sides(**row) for row in await call.gateway.reads.rows(SIDES, account_id, before_us, before_us)]
    return [one for one in cut if one.long_e8 or one.short_e8]


@routes.add("GET", "/v1/admin/interest", "admin", query=r.ReportQuery, answers={200: a.Interests}, problems=_VIEWS)
async def get_interest(call: Call) -> Response:
    """Open interest and concentration of every instrument, from the views as they are.

    `form=csv` gives a table instead.
    """
    form = call.query(r.ReportQuery).form
    rows = await call.gateway.reads.rows(HELD, HELD_MAX + 1)
    _bound(len(rows), HELD_MAX, "positions; `truetape interest` has no such bound")
    found = interest.interest({(row["account_id"], row["instrument_id"]): row["quantity_e8"] for row in rows})
    return _as(form, interest.as_csv(found), a.Interests(msgspec.convert(interest.plain(found), list[a.Interest])))


def _bound(count: int, limit: int, words: str) -> None:
    if count > limit:
        raise Problem("report_too_large", f"there are more than {limit} {words}", limit=limit)


def _as(form: str, table: str, answer: Any) -> Response:
    return sheet_reply(table) if form == "csv" else reply(answer)
