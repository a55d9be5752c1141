"""Lists of what stands as its newest record says (calls, liquidations, auctions, defaults), page by page."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct
from starlette.responses import Response

from services.gateway.default_requests import ListQuery
from services.gateway.queries import Query
from services.gateway.routing import Call, rows_reply

Row = TypeVar("Row", bound=Struct)
START: Final = (2**63 - 1, 2**31 - 1, 2**63 - 1)
"""Behind every record: where the first page begins."""


def newest(name: str, key: str, *types: str) -> Query:
    """The newest record of each subject, which its body names by `key`; the one that changed last first.

    Arguments: account twice (empty: all), place (time, partition, offset) before which, how many.
    """
    among = ", ".join(f"'{one}'" for one in types)
    text = f"""
SELECT * FROM (
    SELECT DISTINCT ON (body->>'{key}') body::text AS body, at_us, partition, "offset" FROM view.events
    WHERE type IN ({among}) AND (%s = '' OR account_id = %s) ORDER BY body->>'{key}', "offset" DESC
) newest WHERE (at_us, partition, "offset") < (%s, %s, %s) ORDER BY at_us DESC, partition DESC, "offset" DESC LIMIT %s
"""
    return Query(name, text)


async def listed(
    call: Call, query: Query, account_id: str, row: type[Row], shown: Callable[[dict[str, Any], int], Row],
    whole: Callable[[list[Row], str | None], Struct],
) -> Response:  # fmt: skip
    """The page that was asked for, once it shows what the caller was answered: rows of (body, time of its record)."""
    asked = call.query(ListQuery)
    await call.see_answers()
    found, cursor = await _page(call, query, account_id, asked)
    rows = [shown(*one) for one in found]
    return rows_reply(asked.form, row, rows, whole(rows, cursor))


async def _page(
    call: Call, query: Query, account_id: str, asked: ListQuery
) -> tuple[list[tuple[dict[str, Any], int]], str | None]:
    """(body, time of its record) of each subject on this page, and where the next page begins."""
    before = START if asked.cursor is UNSET else tuple(map(int, asked.cursor.split(".")))
    rows = await call.gateway.reads.rows(query, account_id, account_id, *before, asked.limit + 1)
    shown = rows[: asked.limit]
    cursor = None
    if len(rows) > asked.limit:
        last = shown[-1]
        cursor = f"{last['at_us']}.{last['partition']}.{last['offset']}"
    return [(msgspec.json.decode(row["body"]), row["at_us"]) for row in shown], cursor
