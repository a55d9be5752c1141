"""Routes of compression runs: an account sees those that have trades of its own, and answers; the house starts them."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import astuple
from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway import trade_requests as t
from services.gateway.administration import command_id_of
from services.gateway.ledger import carried_out
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, position, reply, sheet_reply
from services.gateway.trading import SENDING
from truetape import api_trades as a
from truetape import messages as m
from truetape.money import from_e8
from truetape.sheets import sheet

routes = Routes("trades")
HOME: Final = "house:compression"
"""Home of all runs (services/clearing/otc/multilateral.py)."""
SECOND_US: Final = 1_000_000
RUNS_MAX: Final = 1_000
"""Records of runs that one answer is made of, newest first."""
_ACTING: Final = ("compression_refused", *SENDING)
RUNS: Final = Query(
    "compressions of account",
    """
SELECT body::text AS body, at_us FROM view.events
WHERE type = 'CompressionChanged' AND body->>'state' <> 'GATHERING'
    AND (body->'participants')::jsonb @> to_jsonb(ARRAY[%s::text])
ORDER BY at_us DESC, "offset" DESC LIMIT %s
""",
)
"""Arguments: account, how many."""
Body = dict[str, Any]


@routes.add("GET", "/v1/compressions", "read", query=r.ReportQuery, answers={200: a.Compressions},
            problems=("view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def list_compressions(call: Call) -> Response:
    """Runs of compression in which the account has trades, newest change first; PROPOSED waits for participants.

    Of the trades the account sees its own, with its net quantity and cost before and after as the proof. `form=csv`
    gives a line per trade.
    """
    form = call.query(r.ReportQuery).form
    await call.see_answers()
    rows = await call.gateway.reads.rows(RUNS, call.account_id, RUNS_MAX)
    found: dict[str, tuple[Body, list[Body]]] = {}
    for row in rows:
        body = msgspec.json.decode(row["body"]) | {"at_us": row["at_us"]}
        found.setdefault(body["run_id"], (body, []))[1].append(body)
    shown = [compression(now, bodies, call.account_id) for now, bodies in found.values()]
    return sheet_reply(compressions_csv(shown)) if form == "csv" else reply(a.Compressions(shown))


@routes.add("POST", "/v1/compressions/answer", "trade", body=t.CompressionAnswerRequest,
            answers={200: a.CompressionStanding}, problems=_ACTING)  # fmt: skip
async def answer_compression(call: Call) -> Response:
    """Accept a proposed compression, or decline it: then all of it falls."""
    asked = call.body(t.CompressionAnswerRequest)
    command = m.AnswerCompression(
        command_id_of(call), HOME, asked.run_id, call.account_id, asked.accepted, asked.reason, call.key.key_id
    )
    return await _answered(call, command)


@routes.add("POST", "/v1/admin/compression-runs", "admin", body=t.CompressionRunRequest,
            answers={200: a.CompressionStanding}, problems=_ACTING)  # fmt: skip
async def start_compression(call: Call) -> Response:
    """Gather the open bilateral trades of a contract and propose to their parties what could replace them."""
    asked = call.body(t.CompressionRunRequest)
    command = m.StartCompression(
        command_id_of(call), HOME, asked.instrument_id, asked.participants, asked.answer_within_seconds * SECOND_US,
        call.key.key_id,
    )  # fmt: skip
    return await _answered(call, command)


async def _answered(call: Call, command: m.StartCompression | m.AnswerCompression) -> Response:
    answer = await carried_out(call, command, "compression_refused")
    event: Any = answer.event
    waits = sorted(set(event.participants) - set(event.accepted)) if event.state == "PROPOSED" else []
    shown = a.CompressionStanding(
        event.run_id, event.instrument_id, event.state, len(waits), rendering.moment(event.expires_at_us), event.detail,
        event.meta.event_id,
    )  # fmt: skip
    return reply(shown, 200, position((answer.part, answer.offset)))


def compression(now: Body, bodies: Iterable[Body], account_id: str) -> a.Compression:
    """A run as one of its accounts sees it: how it stands, and the trades as the record that names them has them."""
    named = next((body for body in bodies if body["ended"]), now)
    ended, left = ([one for one in named[side] if account_id in parties(one)] for side in ("ended", "left"))
    paid_e8 = sum(int(one["amount_e8"]) for one in named["payments"] if one["account_id"] == account_id)
    before, after = (net(side, account_id) for side in (ended, left))
    return a.Compression(
        now["run_id"], now["instrument_id"], now["settlement_asset"], now["state"],
        len(set(now["participants"]) - set(now["accepted"])) if now["state"] == "PROPOSED" else 0,
        account_id in now["accepted"], rendering.moment(now["expires_at_us"]), rendering.moment(now["at_us"]),
        [trade(one) for one in ended], [trade(one) for one in left], from_e8(paid_e8), from_e8(before[0]),
        from_e8(after[0]), from_e8(before[1]), from_e8(after[1] - paid_e8), from_e8(int(named["gross_before_e8"])),
        from_e8(int(named["gross_after_e8"])), now["detail"],
    )  # fmt: skip


def parties(one: Body) -> tuple[str, str]:
    """Who trades."""
    return one["buyer_id"], one["seller_id"]


def net(side: Iterable[Body], account_id: str) -> tuple[int, int]:
    """Signed quantity and cost of an account's trades."""
    quantity_e8 = cost_e8 = 0
    for one in side:
        sign = 1 if one["buyer_id"] == account_id else -1
        quantity_e8, cost_e8 = quantity_e8 + sign * int(one["quantity_e8"]), cost_e8 + sign * int(one["cost_e8"])
    return quantity_e8, cost_e8


def trade(one: Body) -> a.OpenBilateral:
    """A bilateral trade of a record."""
    return a.OpenBilateral(
        one["trade_id"], one["buyer_id"], one["seller_id"], one["instrument_id"], from_e8(int(one["quantity_e8"])),
        from_e8(int(one["price_e8"])), from_e8(int(one["cost_e8"])), one["reference"], one["origin"],
    )  # fmt: skip


def compressions_csv(runs: Iterable[a.Compression]) -> str:
    """One line per trade that ends or stands in its place."""
    names = ("run_id", "state", "change", *a.OpenBilateral.__struct_fields__)
    rows = [
        (run.run_id, run.state, change, *astuple(one))
        for run in runs
        for change, side in (("ends", run.ended), ("left", run.left))
        for one in side
    ]
    return sheet(names, rows)
