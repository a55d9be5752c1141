"""Routes of bilateral exposure: what pairs of accounts would secure each other's uncleared trades with."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, convert
from starlette.responses import Response

from services.gateway.administration import known_account
from services.gateway.problems import Problem
from services.gateway.queries import Query
from services.gateway.requests import END
from services.gateway.routing import Call, Routes, reply, sheet_reply
from truetape import clock
from truetape import messages as m
from truetape.api_bilateral import BilateralMargin
from truetape.errors import MarginError, MoneyError
from truetape.margin import bilateral
from truetape.margin.published import Published

routes = Routes("trades")
_PROBLEMS: Final = ("margin_unknown", "view_behind", "view_unavailable")
OPEN: Final = Query(
    "open bilateral trades",
    """
SELECT b.trade_id, b.home_id, b.buyer_id, b.seller_id, b.instrument_id, b.quantity_e8, b.price_e8, b.cost_e8,
    b.reference, b.origin
FROM view.bilateral b
WHERE b.state IN ('OPEN', 'TERMINATING') AND (%s::text IS NULL OR %s IN (b.buyer_id, b.seller_id)) AND NOT EXISTS (
    SELECT 1 FROM view.events e
    WHERE e.type = 'ContractFactTaken'
        AND coalesce(e.body->'fact'->>'instrument_id', e.body->>'instrument_id') = b.instrument_id
        AND e.body->'fact'->>'kind' IN ('EXPIRY', 'DELISTING', 'RENAME', 'CONTRACT_SIZE')
)
ORDER BY b.trade_id LIMIT 100000
""",
)
"""Argument, twice: an account, or null for all."""


class ExposureQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """In which currency and form."""

    currency: Annotated[str, Meta(pattern=r"^([A-Z0-9]{1,20})?" + END, examples=["USD"])] = ""
    """Calculation currency; absent: the margin class's, else the only one in which the trades are quoted."""
    form: Annotated[Literal["json", "csv"], Meta(description="csv answers with text/csv")] = "json"


@routes.add("GET", "/v1/bilateral-margin", "read", query=ExposureQuery, answers={200: BilateralMargin},
            problems=_PROBLEMS, waits=True)  # fmt: skip
async def get_bilateral_margin(call: Call) -> Response:
    """What the account and each of its parties would secure their bilateral trades with: SIMM and schedule, by trade.

    For information: the clearing house asks for no margin of trades that it does not clear. `form=csv` has one line per
    trade.
    """
    return await _report(call, call.account_id)


@routes.add("GET", "/v1/admin/bilateral-margin", "admin", query=ExposureQuery, answers={200: BilateralMargin},
            problems=_PROBLEMS, waits=True)  # fmt: skip
async def get_all_bilateral_margin(call: Call) -> Response:
    """The same of all pairs of accounts, for the house and supervisors; `form=csv` has one line per trade."""
    return await _report(call, None)


@routes.add("GET", "/v1/admin/bilateral-margin/{account_id}", "admin", query=ExposureQuery,
            answers={200: BilateralMargin}, problems=("account_unknown", *_PROBLEMS), waits=True)  # fmt: skip
async def get_bilateral_margin_of(call: Call) -> Response:
    """The same of one account and its parties; `form=csv` has one line per trade."""
    return await _report(call, known_account(call))


async def _report(call: Call, account_id: str | None) -> Response:
    asked = call.query(ExposureQuery)
    await call.see_answers()
    trades = [_trade(row) for row in await call.gateway.reads.rows(OPEN, account_id, account_id)]
    tables = call.gateway.bus.tables
    seen = Published(tables.marks, tables.reference, clock.now_us())
    try:
        methods = bilateral.methods_of(tables.reference, trades, asked.currency)
        found = bilateral.report(trades, seen, methods)
    except (MarginError, MoneyError) as error:
        raise Problem("margin_unknown", str(error)) from error
    if asked.form == "csv":
        return sheet_reply(bilateral.as_csv(found))
    return reply(convert(bilateral.plain(found, seen, methods), BilateralMargin))


def _trade(row: dict[str, Any]) -> m.BilateralTrade:
    return convert({name: row[name] for name in m.BilateralTrade.__struct_fields__}, m.BilateralTrade)
