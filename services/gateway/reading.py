"""Routes that read. All but the reference data come from the views, once these hold what was answered before."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, Literal, get_args

from msgspec import UNSET
from starlette.responses import Response

from services.gateway import past, rendering
from services.gateway import requests as r
from services.gateway.history import history_of
from services.gateway.limits import HOT_BALANCES
from services.gateway.problems import field_problem
from services.gateway.projection.hot import VIEW_KEY, balances_key
from services.gateway.queries import CREDIT, HOLDINGS, LINES, ORDER, SUBMISSION, Page
from services.gateway.reads import Row
from services.gateway.redislink import LinkDown, RedisRefused
from services.gateway.routing import Call, Routes, reply
from services.gateway.trading import order_id_of, order_not_found
from truetape import api as a
from truetape import api_marks, ids
from truetape.messages import OrderStatus
from truetape.orders import TERMINAL
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS, ORDERS_EXECUTIONS, PARTITIONS

routes = Routes("reading")
VIEWS: Final = ("view_behind", "view_unavailable")
PAST: Final = (*VIEWS, "time_in_future", "past_too_far")


@routes.add("GET", "/v1/orders/{order_id}", "read", answers={200: a.Order}, problems=("order_not_found", *VIEWS),
            waits=True)  # fmt: skip
async def get_order(call: Call) -> Response:
    """One order, by its order id or by `client:` and its client order id."""
    order_id = order_id_of(call)
    await call.see_answers()
    rows = await call.gateway.reads.rows(ORDER, order_id, call.account_id)
    if rows:
        return reply(rendering.order(rows[0]))
    submitted = await call.gateway.reads.rows(SUBMISSION, order_id, call.account_id)
    if not submitted:
        raise order_not_found()
    return reply(rendering.undecided(submitted[0]))


@routes.add("GET", "/v1/orders", "read", query=r.OrdersQuery, answers={200: a.Orders}, problems=PAST, waits=True)
async def list_orders(call: Call) -> Response:
    """The account's orders, newest first.

    With `as_of` or `at`, the orders that were open then, as they were; no other filter goes with these.
    """
    query = call.query(r.OrdersQuery)
    if past.is_past(query):
        return await _open_then(call, query)
    await call.see_answers()
    page = _first("orders", call, query).only(**_given(instrument_id=query.instrument_id, side=query.side))
    if query.status is not UNSET:
        page = replace(page, statuses=_statuses(query.status))
    if query.client_order_id is not UNSET:
        page = page.only(order_id=ids.order_id(call.account_id, query.client_order_id))
    rows, cursor = await _read(call, page)
    return reply(a.Orders([rendering.order(row) for row in rows], cursor))


async def _open_then(call: Call, query: r.OrdersQuery) -> Response:
    for name in ("instrument_id", "status", "side", "client_order_id"):
        if getattr(query, name) is not UNSET:
            raise field_problem(name, "cannot be asked together with as_of or at")
    cut = await past.cuts(call, query, ORDERS_DECISIONS, ORDERS_EXECUTIONS)
    before = 2**63 - 1 if query.cursor is UNSET else min(int(query.cursor), 2**63 - 1)
    rows = await past.open_orders(call, cut, before, query.limit + 1)
    page = rows[: query.limit]
    cursor = str(page[-1]["decision_offset"]) if len(rows) > query.limit else None
    orders = [rendering.order(row) for row in page if row["status"] not in TERMINAL]
    return reply(a.Orders(orders, cursor), headers=past.header(cut))


@routes.add("GET", "/v1/fills", "read", query=r.FillsQuery, answers={200: a.Fills}, problems=VIEWS, waits=True)
async def list_fills(call: Call) -> Response:
    """The account's fills, newest first."""
    query = call.query(r.FillsQuery)
    await call.see_answers()
    page = _first("fills", call, query).only(**_given(instrument_id=query.instrument_id, order_id=query.order_id))
    rows, cursor = await _read(call, page)
    return reply(a.Fills([rendering.fill(row) for row in rows], cursor))


@routes.add("GET", "/v1/positions", "read", query=r.PastQuery, answers={200: a.Positions}, problems=PAST, waits=True)
async def list_positions(call: Call) -> Response:
    """The account's positions, with average cost and realised profit; with `as_of` or `at`, as they were then."""
    query = call.query(r.PastQuery)
    if past.is_past(query):
        cut = await past.cuts(call, query, CLEARING_ENTRIES)
        found = await past.positions(call, cut)
        return reply(a.Positions([rendering.position(row) for row in found]), headers=past.header(cut))
    await call.see_answers()
    rows = await call.gateway.reads.rows(HOLDINGS, call.account_id)
    return reply(a.Positions([rendering.position(row) for row in rows]))


@routes.add("GET", "/v1/balances", "read", query=r.PastQuery, answers={200: a.Balances}, problems=PAST, waits=True)
async def list_balances(call: Call) -> Response:
    """The account's balances: cleared, reserved by open orders, and available.

    With `as_of` or `at`, what they were then, as risk counted: `at` a place on orders.decisions is exact.
    """
    query = call.query(r.PastQuery)
    if past.is_past(query):
        cut = await past.cuts(call, query, ORDERS_DECISIONS)
        then = await past.balances(call, cut)
        return reply(a.Balances([rendering.balance(*row) for row in then]), headers=past.header(cut))
    found = await _hot_balances(call)
    if found is None:
        await call.see_answers()
        rows = await call.gateway.reads.rows(CREDIT, call.account_id)
        found = [(row["asset"], int(row["balance_e8"]), int(row["reserved_e8"])) for row in rows]
    return reply(a.Balances([rendering.balance(*row) for row in sorted(found)]))


async def _hot_balances(call: Call) -> list[tuple[str, int, int]] | None:
    """The balances from Redis, when its hot keys are complete and as far as this account was answered."""
    parts = list(call.answered.items())
    keys = (VIEW_KEY, balances_key(call.account_id))
    try:
        reached, kept = await call.gateway.limits.link.script(HOT_BALANCES, keys, *(str(part) for part, _ in parts))
    except (LinkDown, RedisRefused):
        return None
    if not reached or any(int(seen or 0) <= offset for seen, (_, offset) in zip(reached[1:], parts, strict=True)):
        return None
    pairs = [(asset, *map(int, amounts.split())) for asset, amounts in zip(kept[::2], kept[1::2], strict=True)]
    return [(asset, balance_e8, reserved_e8) for asset, balance_e8, reserved_e8 in pairs]


@routes.add("GET", "/v1/entries", "read", query=r.PageQuery, answers={200: a.Entries}, problems=VIEWS, waits=True)
async def list_entries(call: Call) -> Response:
    """The account's journal entries with all their lines, newest first."""
    query = call.query(r.PageQuery)
    await call.see_answers()
    rows, cursor = await _read(call, _first("entries", call, query))
    partition = ids.partition_of(call.account_id, PARTITIONS)
    lines = await call.gateway.reads.rows(LINES, partition, [row["place"] for row in rows])
    return reply(a.Entries([rendering.entry(row, _at(lines, row["place"])) for row in rows], cursor))


def _at(lines: Iterable[Row], place: int) -> list[Row]:
    return [line for line in lines if line["offset"] == place]


@routes.add("GET", "/v1/orders/{order_id}/history", "read", answers={200: a.History},
            problems=("order_not_found", *VIEWS), waits=True)  # fmt: skip
async def get_order_history(call: Call) -> Response:
    """Everything that the tape says of an order, causes before effects.

    Each event comes with its topic, partition and offset, the epoch and sequence of its writer, and the input that it
    answers, from the client's command to the journal entry and the credit that followed it.
    """
    order_id = order_id_of(call)
    await call.see_answers()
    events = await history_of(call.gateway.reads, call.account_id, order_id)
    if not events:
        raise order_not_found()
    return reply(a.History(order_id, [rendering.event(row) for row in events]))


@routes.add("GET", "/v1/instruments", "read", answers={200: a.Instruments})
async def list_instruments(call: Call) -> Response:
    """Everything that can be traded, and where."""
    known = await call.listed(lambda known: known.instruments)
    return reply(a.Instruments([rendering.instrument(one) for one in known]))


@routes.add("GET", "/v1/marks", "read", answers={200: api_marks.Marks})
async def list_marks(call: Call) -> Response:
    """The newest mark of each instrument with the venues that it was made of, and which instruments have none now."""
    newest = call.gateway.bus.tables.marks.newest
    without = call.gateway.bus.tables.marks.withheld
    shown = [rendering.mark(newest[name]) for name in sorted(newest)]
    return reply(api_marks.Marks(shown, [rendering.withheld(without[name]) for name in sorted(without)]))


# -- pages -----------------------------------------------------------------------------------------------------------


def _given(**wanted: Any) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if value is not UNSET}


def _statuses(text: str) -> tuple[str, ...]:
    found = text.split(",")
    if unknown := [status for status in found if status not in get_args(OrderStatus)]:
        raise field_problem("status", f"{unknown[0][:40]!r} is none of {', '.join(get_args(OrderStatus))}")
    return tuple(found)


def _first(table: Literal["orders", "fills", "entries"], call: Call, query: Any) -> Page:
    """The account's rows that a query asks for; one more than it wants, to know whether there are more."""
    before = None if query.cursor is UNSET else min(int(query.cursor), 2**63 - 1)
    return Page(table, (("account_id", call.account_id),), query.limit + 1, before=before)


async def _read(call: Call, page: Page) -> tuple[list[Row], str | None]:
    """Rows, newest first; the cursor is the last row's place."""
    found = await call.gateway.reads.page(page)
    rows = found[: page.limit - 1]
    return rows, str(rows[-1]["place"]) if len(found) > len(rows) else None
