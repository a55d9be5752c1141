"""Routes that read trades of two, give-ups, allocations and legs: each account sees its own, and who waits for whom."""

from typing import Any, Final

from msgspec import UNSET
from starlette.responses import Response

from services.gateway import otcview
from services.gateway import requests as r
from services.gateway import trade_requests as t
from services.gateway.problems import Problem
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, reply, sheet_reply
from truetape import api_trades as a

routes = Routes("trades")
_VIEWS: Final = ("view_behind", "view_unavailable")

_TRADE: Final = """
SELECT t.trade_id, t.kind, t.state, t.updated_at_us, to_json(b) AS bilateral, EXISTS (
    SELECT 1 FROM view.events e
    WHERE e.type = 'ContractFactTaken'
        AND coalesce(e.body->'fact'->>'instrument_id', e.body->>'instrument_id') = b.instrument_id
        AND e.body->'fact'->>'kind' IN ('EXPIRY', 'DELISTING', 'RENAME', 'CONTRACT_SIZE')
) AS over
FROM view.trade_parties p JOIN view.trades t USING (trade_id) LEFT JOIN view.bilateral b USING (trade_id)
"""
TRADES: Final = Query(
    "trades of account",
    _TRADE
    + """
WHERE p.account_id = %s AND (%s::text[] IS NULL OR t.state = ANY(%s) OR b.state = ANY(%s))
ORDER BY greatest(t.updated_at_us, b.updated_at_us) DESC, t.trade_id LIMIT %s
""",
)
"""Arguments: account, states (null: all) three times, how many."""
ONE_TRADE: Final = Query(
    "trade of account",
    _TRADE
    + """
WHERE p.account_id = %s AND t.trade_id = %s
""",
)
EVENTS: Final = Query(
    "events of trades",
    """
SELECT type, account_id, at_us, event_id, body, coalesce(body->>'trade_id', body->>'move_id') AS trade_id
FROM view.events
WHERE type IN ('TradeChanged', 'MoveChanged', 'LegChanged', 'LegAnswered', 'LegConfirmed')
    AND coalesce(body->>'trade_id', body->>'move_id') = ANY(%s)
ORDER BY at_us, partition, "offset"
""",
)
"""Argument: trade ids."""
LEGS: Final = Query(
    "legs of account",
    """
SELECT l.*, EXISTS (
    SELECT 1 FROM view.events e
    WHERE e.type = 'ContractFactTaken'
        AND coalesce(e.body->'fact'->>'instrument_id', e.body->>'instrument_id') = l.instrument_id
        AND e.body->'fact'->>'kind' IN ('EXPIRY', 'DELISTING', 'RENAME', 'CONTRACT_SIZE')
) AS ended
FROM view.legs l WHERE l.account_id = %s AND (%s::text[] IS NULL OR l.state = ANY(%s))
ORDER BY l.updated_at_us DESC, l.leg_id LIMIT %s
""",
)
"""Arguments as of TRADES."""


@routes.add("GET", "/v1/trades", "read", query=t.TradesQuery, answers={200: a.Trades}, problems=_VIEWS, waits=True)
async def list_trades(call: Call) -> Response:
    """The account's trades of two, give-ups and allocations, newest change first, with whom each waits for.

    `state=ALLEGED` lists what was told and not affirmed: also by the other side, so that an account sees what others
    say it has traded; `state=OPEN` what stays between the two and has not ended. `form=csv` gives a table instead.
    """
    asked = call.query(t.TradesQuery)
    states = _states(asked)
    await call.see_answers()
    found = await call.gateway.reads.rows(TRADES, call.account_id, states, states, states, asked.limit)
    events = await call.gateway.reads.rows(EVENTS, [row["trade_id"] for row in found])
    shown = [otcview.trade(row, events, call.account_id) for row in found]
    if asked.form == "csv":
        return sheet_reply(otcview.trades_csv(shown))
    return reply(a.Trades(shown))


@routes.add("GET", "/v1/trades/{trade_id}", "read", query=r.ReportQuery, answers={200: a.TradeHistory},
            problems=("trade_not_found", *_VIEWS), waits=True)  # fmt: skip
async def get_trade(call: Call) -> Response:
    """One trade of the account: its legs, whom it waits for, and every record about it, oldest first.

    `form=csv` gives its history as a table.
    """
    trade_id, form = call.path("trade_id"), call.query(r.ReportQuery).form
    await call.see_answers()
    rows = await call.gateway.reads.rows(ONE_TRADE, call.account_id, trade_id)
    if not rows:
        raise Problem("trade_not_found", f"the account is in no trade {trade_id[:64]!r}")
    events = await call.gateway.reads.rows(EVENTS, [trade_id])
    shown = otcview.history(rows[0], events, call.account_id)
    if form == "csv":
        return sheet_reply(otcview.history_csv(shown))
    return reply(shown)


@routes.add("GET", "/v1/legs", "read", query=t.LegsQuery, answers={200: a.Legs}, problems=_VIEWS, waits=True)
async def list_legs(call: Call) -> Response:
    """The account's legs, newest change first: `state=OFFERED` what it may accept, `state=OPEN` what it has.

    `form=csv` gives a table instead.
    """
    asked = call.query(t.LegsQuery)
    states = _states(asked)
    await call.see_answers()
    rows = await call.gateway.reads.rows(LEGS, call.account_id, states, states, asked.limit)
    shown = [otcview.leg(row) for row in rows]
    if asked.form == "csv":
        return sheet_reply(otcview.legs_csv(shown))
    return reply(a.Legs(shown))


def _states(asked: Any) -> list[str] | None:
    return None if asked.state is UNSET else asked.state.split(",")
