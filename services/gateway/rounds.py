"""Route of rounds: which wait for their turn, for answers of partitions, or for their legs to be booked."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from services.gateway import rendering
from services.gateway.default_requests import RoundsQuery
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, rows_reply
from truetape import api_default as a
from truetape.topics import PARTITIONS

routes = Routes("defaults")
LOOKED_MAX: Final = 1_000
"""Newest rounds that are looked through; a home lets at most 256 of its own wait."""
OPENED: Final = Query(
    "rounds opened",
    """
SELECT body->'round'->>'round_id' AS round_id FROM view.events WHERE type = 'RoundOpened'
ORDER BY at_us DESC, partition, "offset" DESC LIMIT %s
""",
)
"""Argument: how many."""
RECORDS: Final = Query(
    "records of rounds",
    """
SELECT type, body::text AS body, at_us FROM view.events
WHERE type IN ('RoundOpened', 'RoundGathered', 'RoundDecided', 'RoundConfirmed')
    AND coalesce(body->'round'->>'round_id', body->>'round_id') = ANY(%s)
ORDER BY partition, "offset"
""",
)
"""Argument: rounds. All of one round are records of its home, so they come in order."""


@routes.add("GET", "/v1/admin/rounds", "admin", query=RoundsQuery, answers={200: a.Rounds},
            problems=("view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def list_rounds(call: Call) -> Response:
    """Rounds that are not booked everywhere, with the partitions that they wait for, newest first.

    `open=false` lists the newest 1 000 of all; `form=csv` gives a table instead.
    """
    asked = call.query(RoundsQuery)
    await call.see_answers()
    names = [row["round_id"] for row in await call.gateway.reads.rows(OPENED, LOOKED_MAX)]
    rows = await call.gateway.reads.rows(RECORDS, names)
    found = folded((row["type"], msgspec.json.decode(row["body"]), row["at_us"]) for row in rows)
    shown = [one for one in (found[name] for name in names) if not asked.open or one.phase != "BOOKED"]
    return rows_reply(asked.form, a.Round, shown, a.Rounds(shown))


def folded(records: Iterable[tuple[str, dict[str, Any], int]]) -> dict[str, a.Round]:
    """Rounds as their homes' records leave them, from (type, body, time) in the order of the tape."""
    found: dict[str, a.Round] = {}
    for kind, body, at_us in records:
        at = rendering.moment(at_us)
        if kind == "RoundOpened":
            terms = body["round"]
            found[terms["round_id"]] = a.Round(
                terms["round_id"], terms["home_id"], terms["kind"], terms["asset"], "WAITING", [], at, at, ""
            )
            continue
        name = body["round"]["round_id"] if "round" in body else body["round_id"]
        found[name] = replace(_after(found[name], kind, body), changed_at=at)
    for name in _running(found.values()):
        found[name] = replace(found[name], phase="GATHERING", waiting=found[name].waiting or list(range(PARTITIONS)))
    return found


def _after(known: a.Round, kind: str, body: dict[str, Any]) -> a.Round:
    everybody = list(range(PARTITIONS))
    if kind == "RoundDecided":
        return replace(known, phase="DECIDED", waiting=everybody, detail=body["detail"])
    before = everybody if known.phase == "WAITING" else known.waiting
    waiting = [partition for partition in before if partition != body["partition"]]
    if kind == "RoundGathered":
        return replace(known, phase="GATHERING", waiting=waiting)
    return replace(known, phase="DECIDED" if waiting else "BOOKED", waiting=waiting)


def _running(rounds: Iterable[a.Round]) -> Iterable[str]:
    """Rounds that were opened and have no answer yet, but whose turn it is: the oldest of each home."""
    seen: set[str] = set()
    for one in rounds:
        if one.phase != "BOOKED" and one.home_id not in seen:
            seen.add(one.home_id)
            if one.phase == "WAITING":
                yield one.round_id
