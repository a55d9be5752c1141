"""Routes of trades of two accounts: each side tells its view; the clearing house steps between when both agree."""

from typing import Any, Final

from starlette.responses import Response

from services.gateway import rendering
from services.gateway import trade_requests as t
from services.gateway.administration import command_id_of
from services.gateway.ledger import carried_out
from services.gateway.parsing import decimal, positive
from services.gateway.problems import field_problem
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.trading import SENDING
from truetape import api_trades as a
from truetape import calendars, ids
from truetape import messages as m
from truetape.money import from_e8

routes = Routes("trades")
_PROBLEMS: Final = ("trade_refused", *SENDING)


@routes.add("POST", "/v1/trades", "trade", body=t.TradeRequest, answers={200: a.BilateralTrade}, problems=_PROBLEMS)
async def tell_trade(call: Call) -> Response:
    """Tell the account's side of a trade with another account.

    ALLEGED waits for the other side. MISMATCHED names the fields in which both differ: tell it again to mend it.
    AFFIRMED asks both accounts' margin: `GET /v1/trades/{trade_id}` says how it goes on. NOVATED has a leg with the
    clearing house for each side. REFUSED stays between the two, and says why. `clearing`
    BILATERAL keeps it between them from the start.
    """
    asked = call.body(t.TradeRequest)
    try:
        calendars.parsed(asked.traded_on)
    except ValueError as error:
        raise field_problem("traded_on", "must be a day such as 2026-11-26") from error
    buyer, seller = (call.account_id, asked.counterparty_id)[:: 1 if asked.side == "BUY" else -1]
    terms = m.TradeTerms(
        asked.reference, buyer, seller, asked.instrument_id, positive("quantity", asked.quantity),
        decimal("price", asked.price), asked.traded_on, asked.clearing,
    )  # fmt: skip
    home = min(buyer, seller)
    return await _told(call, m.TellTrade(command_id_of(call), home, call.account_id, terms, call.key.key_id))


@routes.add("POST", "/v1/trades/end", "trade", body=t.EndTradeRequest, answers={200: a.BilateralTrade},
            problems=_PROBLEMS)  # fmt: skip
async def end_trade(call: Call) -> Response:
    """Withdraw a trade that the account told first, reject one that the other side told, or end a bilateral one."""
    asked = call.body(t.EndTradeRequest)
    low, high = sorted((call.account_id, asked.counterparty_id))
    trade_id = ids.trade_id(asked.reference, low, high)
    if asked.action == "TERMINATE":
        return await _ended(
            call, m.EndBilateral(command_id_of(call), low, call.account_id, trade_id, asked.reason, call.key.key_id)
        )
    command = m.EndTrade(
        command_id_of(call), low, call.account_id, trade_id, asked.action, asked.reason, call.key.key_id
    )
    return await _told(call, command)


async def _ended(call: Call, command: m.EndBilateral) -> Response:
    answer = await carried_out(call, command, "trade_refused")
    event: Any = answer.event
    moment = rendering.moment(event.meta.decided_at_us)
    shown = a.BilateralTrade(
        event.trade.trade_id, event.trade.reference, "AFFIRMED", event.party_id, moment, [], [], event.reason,
        event.meta.event_id, event.state,
    )  # fmt: skip
    return reply(shown, 200, position((answer.part, answer.offset)))


async def _told(call: Call, command: m.TellTrade | m.EndTrade) -> Response:
    answer = await carried_out(call, command, "trade_refused")
    event: Any = answer.event
    return reply(_shown(event), 200, position((answer.part, answer.offset)))


def _shown(event: m.TradeChanged) -> a.BilateralTrade:
    legs = [
        a.TradeLeg(leg.leg_id, leg.account_id, leg.side, from_e8(leg.quantity_e8), from_e8(leg.price_e8))
        for leg in event.legs
    ]
    differences = [rendering.disagreement(one.field, one.first, one.other) for one in event.differences]
    return a.BilateralTrade(
        event.trade_id, event.views[event.first_id].reference, event.state, event.first_id,
        rendering.moment(event.expires_at_us), differences, legs, event.detail,
        event.meta.event_id, "OPEN" if event.bilateral is not None else "",
    )  # fmt: skip
