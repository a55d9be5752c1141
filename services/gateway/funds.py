"""Routes of the clearing fund: shares, money in and out, what a member has paid, its size, and the drill."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET
from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.administration import command_id_of
from services.gateway.default_requests import (
    DrillQuery,
    FundPaymentRequest,
    FundQuery,
    FundWithdrawalRequest,
    SizeQuery,
)
from services.gateway.ledger import carried_out
from services.gateway.member_requests import InsuranceRequest
from services.gateway.parsing import decimal, positive
from services.gateway.problems import Problem, field_problem
from services.gateway.queries import Query
from services.gateway.reads import Row
from services.gateway.routing import Call, Routes, position, reply, rows_reply, sheet_reply
from services.gateway.trading import SENDING
from truetape import api_default as a
from truetape import clock, ids
from truetape import messages as m
from truetape.default import drill
from truetape.errors import SetupError
from truetape.money import from_e8
from truetape.sheets import sheet
from truetape.topics import PARTITIONS

routes = Routes("defaults")
Moving = FundPaymentRequest | FundWithdrawalRequest | InsuranceRequest
CAPITAL: Final = "house:capital"
NEVER: Final = 2**63 - 1
SHARES_MAX: Final = 10_000
HELD_MAX: Final = 1_000_000
_VIEWS: Final = ("view_behind", "view_unavailable")
MOVING: Final = ("fund_refused", *SENDING)
CUTS: Final = ("assessment", "mutual_fund", "haircut", "variation_margin_haircut", "tear_up")
"""Purposes of lines on a member's own cash by which it has borne a loss, or got back what it bore."""

SHARES: Final = Query(
    "shares of the fund",
    """
SELECT account, asset, sum(amount_e8) AS amount_e8 FROM view.balances
WHERE split_part(account, ':', 1) IN ('fund', 'assessment') OR account IN ('house:capital', 'house:default')
GROUP BY account, asset HAVING sum(amount_e8) <> 0 ORDER BY account, asset LIMIT %s
""",
)
"""Argument: how many."""
MEMBER: Final = Query(
    "a member's share",
    "SELECT account, asset, sum(amount_e8) AS amount_e8 FROM view.balances WHERE account = ANY(%s) "
    "GROUP BY account, asset HAVING sum(amount_e8) <> 0 ORDER BY account, asset",
)
"""Argument: its accounts."""
MOVEMENTS: Final = Query(
    "what a member has paid",
    """
SELECT e.entry_id, e.booked_at_us, l.account, l.asset, l.amount_e8, l.purpose, e."offset" * 10000 + l.line AS place
FROM view.entries e JOIN view.lines l USING (partition, "offset")
WHERE e.account_id = %s AND (l.account = ANY(%s) OR (l.account = %s AND l.purpose = ANY(%s)))
    AND e."offset" * 10000 + l.line < %s
ORDER BY e."offset" DESC, l.line DESC LIMIT %s
""",
)
"""Arguments: member, its accounts of the fund, its own account, purposes there, before which place, how many."""
BALANCES: Final = Query(
    "everybody's balances in an asset",
    """
SELECT account, sum(amount_e8) AS amount_e8 FROM view.balances
WHERE asset = %s AND (account = 'house:fees' OR split_part(account, ':', 1) = 'client') GROUP BY account
""",
)
"""Argument: the asset."""
HELD: Final = Query(
    "everybody's positions in contracts",
    "SELECT account_id, instrument_id, quantity_e8, cost_e8, realised_e8 - settled_e8 AS unpaid_e8, funding_index_e18 "
    "FROM view.positions "
    "WHERE settled_e8 IS NOT NULL AND (quantity_e8 <> 0 OR realised_e8 <> settled_e8) LIMIT %s",
)
"""Argument: how many."""
INDICES: Final = Query(
    "the newest funding index of each contract",
    """
SELECT DISTINCT ON (instrument_id, partition) instrument_id, partition, index_e18 FROM (
    SELECT coalesce(body->'fact'->>'instrument_id', body->>'instrument_id') AS instrument_id, partition, "offset",
        body->>'funding_index_e18' AS index_e18
    FROM view.events WHERE type = 'ContractFactTaken'
        AND coalesce(body->'fact'->>'instrument_id', body->>'instrument_id') = ANY(%s)
) f ORDER BY instrument_id, partition, "offset" DESC
""",
)
"""By partition. Argument: the contracts."""


@routes.add("GET", "/v1/admin/fund", "admin", query=r.ReportQuery, answers={200: a.FundShares},
            problems=("report_too_large", *_VIEWS), waits=True)  # fmt: skip
async def get_fund(call: Call) -> Response:
    """The clearing fund: every share, the house's capital, what is owed of assessments, what nobody has borne yet.

    `form=csv` gives the shares as a table.
    """
    form = call.query(r.ReportQuery).form
    await call.see_answers()
    rows = await call.gateway.reads.rows(SHARES, SHARES_MAX + 1)
    _bound(len(rows), SHARES_MAX, "balances of the fund; `truetape fund list` has no such bound")
    shares = _shares(row for row in rows if row["account"] != "house:default")
    lost = [row for row in rows if row["account"] == "house:default"]
    unborne = [a.Unborne(row["asset"], from_e8(-int(row["amount_e8"]))) for row in lost]
    return rows_reply(form, a.FundShare, shares, a.FundShares(shares, unborne))


@routes.add("GET", "/v1/fund", "read", query=FundQuery, answers={200: a.MemberFund}, problems=_VIEWS, waits=True)
async def get_own_fund(call: Call) -> Response:
    """The account's share of the clearing fund, and what it has paid, borne and got back, newest first.

    `form=csv` gives the movements as a table.
    """
    asked, account_id = call.query(FundQuery), call.account_id
    await call.see_answers()
    names = [f"fund:{account_id}", f"assessment:{account_id}"]
    before = NEVER if asked.cursor is UNSET else min(int(asked.cursor), NEVER)
    arguments = (account_id, names, f"client:{account_id}", list(CUTS), before, asked.limit + 1)
    rows = await call.gateway.reads.rows(MOVEMENTS, *arguments)
    shown = [_movement(row) for row in rows[: asked.limit]]
    cursor = str(rows[asked.limit - 1]["place"]) if len(rows) > asked.limit else None
    shares = _shares(await call.gateway.reads.rows(MEMBER, names))
    return rows_reply(asked.form, a.FundMovement, shown, a.MemberFund(account_id, shares, shown, cursor))


def _shares(rows: Iterable[dict[str, Any]]) -> list[a.FundShare]:
    """One per member and asset; what is owed stands as a negative balance of `assessment:`."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        kind, _, name = row["account"].partition(":")
        key = (row["account"] if kind == "house" else name, row["asset"])
        owed, amount_e8 = kind == "assessment", int(row["amount_e8"])
        found.setdefault(key, [0, 0])[owed] += -amount_e8 if owed else amount_e8
    return [
        a.FundShare(account_id, asset, from_e8(share_e8), from_e8(owed_e8))
        for (account_id, asset), (share_e8, owed_e8) in sorted(found.items())
    ]


def _movement(row: dict[str, Any]) -> a.FundMovement:
    return a.FundMovement(
        rendering.moment(row["booked_at_us"]), row["entry_id"], row["account"], row["purpose"], row["asset"],
        from_e8(row["amount_e8"]),
    )  # fmt: skip


@routes.add("POST", "/v1/admin/fund/payments", "admin", body=FundPaymentRequest, answers={200: a.FundMoved},
            problems=MOVING)  # fmt: skip
async def pay_fund(call: Call) -> Response:
    """Pay into the clearing fund or the house's capital, or what a member was assessed for."""
    asked = call.body(FundPaymentRequest)
    return await _moved(call, asked, positive("amount", asked.amount))


@routes.add("POST", "/v1/admin/fund/withdrawals", "admin", body=FundWithdrawalRequest, answers={202: a.FundMoved},
            problems=MOVING)  # fmt: skip
async def withdraw_fund(call: Call) -> Response:
    """Ask for a share or the house's capital: a round pays all of it, or nothing while a loss is open anywhere."""
    asked = call.body(FundWithdrawalRequest)
    return await _moved(call, asked, -positive("amount", asked.amount))


async def _moved(call: Call, asked: FundPaymentRequest | FundWithdrawalRequest, amount_e8: int) -> Response:
    house = asked.purpose == "CAPITAL"
    if (asked.account_id is UNSET) != house:
        raise field_problem("account_id", "name the member; CAPITAL is the house's, and has none")
    return await moved(
        call, CAPITAL if asked.account_id is UNSET else asked.account_id, asked, asked.purpose, amount_e8
    )


async def moved(call: Call, whose: str, asked: Moving, purpose: str, amount_e8: int) -> Response:
    """Send the command; what comes in is booked, for what goes out a round is asked. Raises Problem."""
    command = m.MoveFund(
        command_id_of(call), whose, asked.asset, amount_e8, asked.location, purpose, call.key.key_id, asked.reason
    )
    answer = await carried_out(call, command, "fund_refused")
    event: Any = answer.event
    entry_id, round_id = getattr(event, "entry_id", ""), ""
    if isinstance(event, m.RoundRequested):
        round_id = event.round.round_id
    shown = a.FundMoved(
        "ASKED" if round_id else "BOOKED", entry_id, round_id, whose, asked.asset, from_e8(amount_e8), purpose,
        event.meta.event_id, rendering.moment(event.meta.decided_at_us),
    )  # fmt: skip
    return reply(shown, 202 if round_id else 200, position((answer.part, answer.offset)))


# -- what would be ----------------------------------------------------------------------------------------------------


@routes.add("GET", "/v1/admin/fund/size", "admin", query=SizeQuery, answers={200: a.FundSize},
            problems=("drill_refused", "report_too_large", *_VIEWS))  # fmt: skip
async def size_fund(call: Call) -> Response:
    """How large the clearing fund must be for the two members with the largest losses beyond their margin.

    From the views and the newest marks; `form=csv` gives the members as a table.
    """
    asked = call.query(SizeQuery)
    found = await _drilled(call, asked, _setting(asked))
    rows = drill.sized(found)
    if asked.form == "csv":
        return sheet_reply(sheet(drill.SIZE_COLUMNS, rows))
    members = [a.FundMember(*row) for row in rows]
    return reply(a.FundSize(from_e8(found.sizing.size_e8), found.sizing.scenario, members))


@routes.add("GET", "/v1/admin/drills/default", "admin", query=DrillQuery, answers={200: a.Drill},
            problems=("drill_refused", "report_too_large", *_VIEWS))  # fmt: skip
async def drill_default(call: Call) -> Response:
    """Let the two members that a stress hits hardest default now, and see who would bear it. Nothing is written.

    From the views and the newest marks; `form=csv` gives the steps as a table.
    """
    asked = call.query(DrillQuery)
    found = await _drilled(call, asked, _drill_setting(asked), asked.capital is UNSET)
    if asked.form == "csv":
        return sheet_reply(sheet(drill.COLUMNS, drill.rows(found)))
    return reply(msgspec.convert(drill.plain(found), a.Drill))


def _setting(asked: SizeQuery) -> drill.Setting:
    texts = [] if asked.shock is UNSET else asked.shock.split(",")
    shocks_e8 = tuple(decimal("shock", text) for text in texts) or drill.SHOCKS_E8
    return drill.Setting(
        asset=asked.asset, shocks_e8=shocks_e8, floor_e8=decimal("floor", asked.floor), at_us=clock.now_us()
    )


def _drill_setting(asked: DrillQuery) -> drill.Setting:
    return msgspec.structs.replace(
        _setting(asked),
        capital_e8=0 if asked.capital is UNSET else decimal("capital", asked.capital),
        assessment_rate_e8=decimal("assessment", asked.assessment),
        defaulters=() if asked.member is UNSET else tuple(asked.member.split(",")),
    )


async def _drilled(call: Call, asked: SizeQuery, setting: drill.Setting, earned: bool = False) -> drill.Drill:
    """The drill on the views' books; the house's capital is what it has earned when nothing else is said."""
    await call.see_answers()
    balances = await call.gateway.reads.rows(BALANCES, asked.asset)
    held = await call.gateway.reads.rows(HELD, HELD_MAX + 1)
    _bound(len(held), HELD_MAX, "positions; `truetape drill` has no such bound")
    funded = sorted({row["instrument_id"] for row in held if row["funding_index_e18"]})
    books = _books(balances, held, await call.gateway.reads.rows(INDICES, funded) if funded else [], asked.asset)
    if earned:
        capital_e8 = max(0, books.balances.get(drill.whose("house:fees"), {}).get(asked.asset, 0))
        setting = msgspec.structs.replace(setting, capital_e8=capital_e8)
    tables = call.gateway.bus.tables
    prices_e8 = {name: one.price_e8 for name, one in tables.marks.newest.items()}
    try:
        return drill.run(books, tables.reference, prices_e8, setting)
    except SetupError as error:
        raise Problem("drill_refused", str(error)) from error


def _books(balances: Iterable[Row], held: Iterable[Row], indices: Iterable[Row], asset: str) -> drill.Books:
    """What the views have, as the drill takes it."""
    books = drill.Books(newest={(row["partition"], row["instrument_id"]): row["index_e18"] for row in indices})
    for row in balances:
        books.balances[drill.whose(row["account"])] = {asset: int(row["amount_e8"])}
    for row in held:
        account_id, name = row["account_id"], row["instrument_id"]
        one = drill.Held(row["quantity_e8"], row["cost_e8"], row["unpaid_e8"])
        books.held.setdefault(account_id, {})[name] = one
        if since_e18 := row["funding_index_e18"]:
            books.since.setdefault(account_id, {})[name] = ids.partition_of(account_id, PARTITIONS), since_e18
    return books


def _bound(count: int, limit: int, words: str) -> None:
    if count > limit:
        raise Problem("report_too_large", f"there are more than {limit} {words}", limit=limit)
