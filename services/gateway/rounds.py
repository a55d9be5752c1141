"""Route of rounds: which wait for their turn, for answers of partitions, or for their legs to be booked."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace
from starlette.responses import Response

from services.gateway import rendering
from services.gateway.default_requests import RoundsQuery
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, rows_reply
from truetape import api_default as a
from truetape.topics import PARTITIONS

routes = Routes("defaults")
OPENED: Final = Query(
    "rounds opened",
    """
SELECT body->'round'->>'round_id' AS round_id FROM view.events o WHERE type = 'RoundOpened' AND (NOT %s OR NOT EXISTS (
    SELECT 1 FROM view.events c WHERE c.type = 'RoundConfirmed' AND (c.body->>'left')::integer = 0
        AND coalesce(c.body->'round'->>'round_id', c.body->>'round_id') = o.body->'round'->>'round_id'
)) ORDER BY at_us DESC, partition DESC, "offset" DESC LIMIT %s
""",
)
"""Arguments: whether only those that are not booked everywhere, how many."""
RECORDS: Final = Query(
    "records of rounds",
    """
SELECT type, at_us, coalesce(body->'round'->>'round_id', body->>'round_id') AS round_id, account_id AS home_id,
    body->'round'->>'kind' AS kind, body->'round'->>'asset' AS asset, (body->>'partition')::integer AS partition,
    body->>'detail' AS detail
FROM view.events
WHERE type IN ('RoundOpened', 'RoundGathered', 'RoundDecided', 'RoundConfirmed')
    AND coalesce(body->'round'->>'round_id', body->>'round_id') = ANY(%s)
ORDER BY view.events.partition, "offset"
""",
)
"""Argument: rounds. All of one round are records of its home, so they come in order."""
Row = dict[str, Any]


@routes.add("GET", "/v1/admin/rounds", "admin", query=RoundsQuery, answers={200: a.Rounds},
            problems=("view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def list_rounds(call: Call) -> Response:
    """Rounds that are not booked everywhere, with the partitions that they wait for, newest first.

    `open=false` lists those that are booked too; `form=csv` gives a table instead.
    """
    asked = call.query(RoundsQuery)
    await call.see_answers()
    names = [row["round_id"] for row in await call.gateway.reads.rows(OPENED, asked.open, asked.limit)]
    found = folded(await call.gateway.reads.rows(RECORDS, names))
    shown = [found[name] for name in names]
    return rows_reply(asked.form, a.Round, shown, a.Rounds(shown))


def folded(records: Iterable[Row]) -> dict[str, a.Round]:
    """Rounds as their homes' records leave them, in the order of the tape."""
    found: dict[str, a.Round] = {}
    for row in records:
        name, at = row["round_id"], rendering.moment(row["at_us"])
        if row["type"] == "RoundOpened":
            found[name] = a.Round(name, row["home_id"], row["kind"], row["asset"], "WAITING", [], at, at, "")
        else:
            found[name] = replace(_after(found[name], row), changed_at=at)
    for name in _running(found.values()):
        found[name] = replace(found[name], phase="GATHERING", waiting=list(range(PARTITIONS)))
    return found


def _after(known: a.Round, row: Row) -> a.Round:
    everybody = list(range(PARTITIONS))
    if row["type"] == "RoundDecided":
        return replace(known, phase="DECIDED", waiting=everybody, detail=row["detail"])
    before = everybody if known.phase == "WAITING" else known.waiting
    waiting = [partition for partition in before if partition != row["partition"]]
    if row["type"] == "RoundGathered":
        return replace(known, phase="GATHERING", waiting=waiting)
    return replace(known, phase="DECIDED" if waiting else "BOOKED", waiting=waiting)


def _running(rounds: Iterable[a.Round]) -> list[str]:
    """Rounds that were opened and have no answer yet, but whose turn it is: the oldest of each home."""
    oldest: dict[str, a.Round] = {}
    for one in rounds:
        if one.phase != "BOOKED":
            oldest.setdefault(one.home_id, one)
    return [one.round_id for one in oldest.values() if one.phase == "WAITING"]
