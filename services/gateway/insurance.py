"""Routes of the insurance fund: what it has and where, money in and out."""

from typing import Final

from starlette.responses import Response

from services.gateway import requests as r
from services.gateway.funds import MOVING, moved
from services.gateway.member_requests import InsuranceRequest
from services.gateway.parsing import positive
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, rows_reply
from truetape import api_default, api_members
from truetape.money import from_e8

routes = Routes("defaults")
INSURANCE: Final = "house:insurance"
PARTS_MAX: Final = 10_000
PARTS: Final = Query(
    "parts of the insurance fund",
    "SELECT asset, partition, amount_e8 FROM view.balances WHERE account = %s AND amount_e8 <> 0 "
    "ORDER BY asset, partition LIMIT %s",
)
"""Arguments: the ledger account, how many."""


@routes.add("GET", "/v1/admin/insurance", "admin", query=r.ReportQuery, answers={200: api_members.Insurance},
            problems=("view_behind", "view_unavailable"), waits=True)  # fmt: skip
async def get_insurance(call: Call) -> Response:
    """The insurance fund: what it has, and which partition keeps how much of it; `form=csv` gives the parts."""
    form = call.query(r.ReportQuery).form
    await call.see_answers()
    rows = await call.gateway.reads.rows(PARTS, INSURANCE, PARTS_MAX)
    totals_e8: dict[str, int] = {}
    for row in rows:
        totals_e8[row["asset"]] = totals_e8.get(row["asset"], 0) + int(row["amount_e8"])
    parts = [api_members.InsurancePart(row["asset"], row["partition"], from_e8(int(row["amount_e8"]))) for row in rows]
    totals = {asset: from_e8(amount_e8) for asset, amount_e8 in totals_e8.items()}
    return rows_reply(form, api_members.InsurancePart, parts, api_members.Insurance(totals, parts))


@routes.add("POST", "/v1/admin/insurance/payments", "admin", body=InsuranceRequest,
            answers={200: api_default.FundMoved}, problems=MOVING)  # fmt: skip
async def pay_insurance(call: Call) -> Response:
    """Pay into the insurance fund. It is one fund: losses of every partition draw on it."""
    asked = call.body(InsuranceRequest)
    return await moved(call, INSURANCE, asked, "INSURANCE", positive("amount", asked.amount))


@routes.add("POST", "/v1/admin/insurance/withdrawals", "admin", body=InsuranceRequest,
            answers={202: api_default.FundMoved}, problems=MOVING)  # fmt: skip
async def withdraw_insurance(call: Call) -> Response:
    """Ask for money of the insurance fund: a round pays all of it, or nothing while a loss is open anywhere."""
    asked = call.body(InsuranceRequest)
    return await moved(call, INSURANCE, asked, "INSURANCE", -positive("amount", asked.amount))
