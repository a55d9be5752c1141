"""Routes of margin: an account's report, and the margin classes and collateral that administrators set."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from msgspec import to_builtins
from starlette.responses import Response

from services.gateway import requests as r
from services.gateway.administration import PROBLEMS, by, changed, command_id_of, known_account
from services.gateway.margin_requests import CollateralRequest, MarginClassRequest
from services.gateway.problems import Problem, field_problem
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, reply, sheet_reply
from truetape import api as a
from truetape import api_reports as reports
from truetape import clock, ids
from truetape import messages as m
from truetape.errors import MarginError, MoneyError
from truetape.margin import report
from truetape.margin.account import Account
from truetape.margin.classed import Held
from truetape.margin.published import Published
from truetape.margin.terms import class_from, class_shown, collateral_from, collateral_shown
from truetape.topics import PARTITIONS

routes = Routes("margin")
HELD: Final = Query(
    "balances and positions in contracts",
    """
SELECT TRUE AS cash, asset AS name, sum(amount_e8) AS quantity_e8, 0 AS cost_e8, 0 AS unpaid_e8, '' AS since,
    '' AS newest
FROM view.balances WHERE account = %s GROUP BY asset
UNION ALL
SELECT FALSE, p.instrument_id, p.quantity_e8, p.cost_e8, p.realised_e8 - p.settled_e8,
    coalesce(p.funding_index_e18, ''), coalesce(f.index_e18, '')
FROM view.positions p LEFT JOIN LATERAL (
    SELECT e.body->>'funding_index_e18' AS index_e18 FROM view.events e
    WHERE e.type = 'ContractFactTaken' AND e.partition = %s
        AND coalesce(e.body->'fact'->>'instrument_id', e.body->>'instrument_id') = p.instrument_id
    ORDER BY e."offset" DESC LIMIT 1
) f ON TRUE
WHERE p.account_id = %s AND p.settled_e8 IS NOT NULL
""",
)
"""In one cut of the views, with the funding index up to which a position has paid, and the newest one. Arguments: the
account in the ledger, its partition, the account."""


@routes.add("GET", "/v1/margin", "read", query=r.ReportQuery, answers={200: reports.Margin},
            problems=("margin_unknown", "view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def get_margin(call: Call) -> Response:
    """The account's margin now: equity, needs, the worst scenario, each position's part.

    Per settlement asset, with the marks that were used. `form=csv` gives a table instead.
    """
    return await _margin(call, call.account_id)


@routes.add("GET", "/v1/admin/margin/{account_id}", "admin", query=r.ReportQuery, answers={200: reports.Margin},
            problems=("account_unknown", "margin_unknown", "view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def get_margin_of(call: Call) -> Response:
    """Any account's margin now, for the house; `form=csv` gives a table instead."""
    return await _margin(call, known_account(call))


async def _margin(call: Call, account_id: str) -> Response:
    form = call.query(r.ReportQuery).form
    await call.see_answers()
    partition = ids.partition_of(account_id, PARTITIONS)
    rows = await call.gateway.reads.rows(HELD, f"client:{account_id}", partition, account_id)
    balances = {row["name"]: int(row["quantity_e8"]) for row in rows if row["cash"]}
    held = [row for row in rows if not row["cash"] and (row["quantity_e8"] or row["unpaid_e8"])]
    positions = {row["name"]: _held(row) for row in held}
    indices = [{row["name"]: str(row[index]) for row in held if row[index]} for index in ("since", "newest")]
    tables = call.gateway.bus.tables
    seen = Published(tables.marks, tables.reference, clock.now_us())
    try:
        found = report.report(Account(balances, positions), seen, report.accrued(positions, *indices))
    except (MarginError, MoneyError) as error:
        raise Problem("margin_unknown", str(error)) from error
    if form == "csv":
        return sheet_reply(report.as_csv(found))
    return reply(msgspec.convert(report.plain(account_id, found, seen), reports.Margin))


def _held(row: dict[str, Any]) -> Held:
    return Held(int(row["quantity_e8"]), int(row["cost_e8"]), int(row["unpaid_e8"]))


@routes.add("POST", "/v1/admin/margin-classes", "admin", body=MarginClassRequest, answers={200: a.Changed},
            problems=PROBLEMS)  # fmt: skip
async def set_margin_class(call: Call) -> Response:
    """Define or change a margin class: a model with its parameters, which contracts name.

    Versions follow each other, so that nobody overwrites a change that he has not seen.
    """
    with _refusing("margin_class"):
        new = class_from(to_builtins(call.body(MarginClassRequest)))
    return await changed(call, m.SetMarginClass(command_id_of(call), by(call), new))


@routes.add("GET", "/v1/admin/margin-classes", "admin", answers={200: reports.MarginClasses})
async def list_margin_classes(call: Call) -> Response:
    """All margin classes that are set."""
    shown = [class_shown(one) for one in await call.listed(lambda known: known.margin_classes)]
    return reply(msgspec.convert({"margin_classes": shown}, reports.MarginClasses))


@routes.add("POST", "/v1/admin/collateral", "admin", body=CollateralRequest, answers={200: a.Changed},
            problems=PROBLEMS)  # fmt: skip
async def set_collateral(call: Call) -> Response:
    """Define or change how an asset counts as collateral for contracts that settle in another."""
    with _refusing("collateral"):
        new = collateral_from(to_builtins(call.body(CollateralRequest)))
    return await changed(call, m.SetCollateral(command_id_of(call), by(call), new))


@routes.add("GET", "/v1/admin/collateral", "admin", answers={200: reports.CollateralAssets})
async def list_collateral(call: Call) -> Response:
    """All that counts as collateral."""
    shown = [collateral_shown(one) for one in await call.listed(lambda known: known.collateral)]
    return reply(msgspec.convert({"collateral": shown}, reports.CollateralAssets))


@contextmanager
def _refusing(field: str) -> Iterator[None]:
    """Whatever cannot be read from a body is said of this field."""
    try:
        yield
    except (MoneyError, ValueError, TypeError) as error:
        raise field_problem(field, str(error)) from error
