"""Routes that trade: submit and cancel orders."""

import re
from typing import Final

from starlette.responses import Response

from services.gateway import requests as r
from services.gateway.bus import Answer, Waiter
from services.gateway.known import Decided
from services.gateway.problems import Problem
from services.gateway.queries import ORDER_EXISTS
from services.gateway.rendering import order_answer, refusal
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.submission import decide, decisions_part, terms_of, unknown_outcome
from truetape import api as a
from truetape import clock, ids
from truetape import messages as m
from truetape.messages import OrderTerms
from truetape.near import hint

routes = Routes("trading")
HIT: Final = {"Idempotency-Hit": "true"}
SENDING: Final = ("overloaded", "broker_unavailable", "outcome_unknown", "command_set_aside")
CLIENT_PREFIX: Final = "client:"
_ORDER_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_RISK: Final = ("insufficient_funds", "price_off_tick", "price_outside_collar", "instrument_unknown", "trading_halted")


@routes.add(
    "POST", "/v1/orders", "trade", body=r.OrderRequest, answers={201: a.Submitted, 202: a.Submitted},
    problems=("client_order_id_reused", *_RISK, *SENDING, "view_unavailable", "view_behind"),
)  # fmt: skip
async def submit_order(call: Call) -> Response:
    """Submit an order.

    The answer is risk's decision: 201 when it is accepted, 422 with the reason and the numbers when it is refused, 202
    when risk has not decided in time. The client order id (or the header Idempotency-Key) makes a retry safe: the same
    id gives the same order and the same bytes, with the header Idempotency-Hit, for ever. The answer's header
    Truetape-Position says where the decision stands on the tape.
    """
    order, chosen = terms_of(call)
    decision, hit = await decide(call.gateway, order, chosen, call.key.key_id)
    if isinstance(decision, Waiter):
        return await _undecided_order(call, order, decision)
    part = decisions_part(order.account_id)
    await call.gateway.limits.tell(order.account_id, part, decision.offset)
    headers = position((part, decision.offset)) | (HIT if hit else {})
    if decision.accepted:
        return reply(order_answer(order, decision), 201, headers)
    response = refusal(decision, await _known_then(call, decision)).response()
    response.headers.update(headers)
    return response


async def _known_then(call: Call, decision: Decided) -> str:
    """Of an unknown instrument, those near it that the decision could know: the same words for ever."""
    if decision.reason != "INSTRUMENT_UNKNOWN":
        return ""
    seen = int((decision.numbers or {}).get("reference_offset", -1))
    await call.reach_reference(seen)
    since = call.gateway.bus.tables.instruments_since
    known = [name for name, offset in since.items() if offset <= seen]
    return f"{hint(decision.order.instrument_id, known)}; GET /v1/instruments lists all"


async def _undecided_order(call: Call, order: OrderTerms, waiter: Waiter) -> Response:
    members = {"order_id": order.order_id, "client_order_id": order.client_order_id}
    return reply(order_answer(order, None), 202, await placed(call, waiter, order.account_id, "the order", **members))


async def placed(call: Call, waiter: Waiter, account_id: str, what: str, **members: str) -> dict[str, str]:
    """The position of a command that nobody has answered yet. Raises Problem outcome_unknown when that is not known."""
    if waiter.offset is None:
        raise unknown_outcome(what, **members)
    await call.gateway.limits.tell(account_id, waiter.part, waiter.offset)
    return position((waiter.part, waiter.offset))


@routes.add(
    "DELETE", "/v1/orders/{order_id}", "trade", answers={200: a.Cancelled, 202: a.Cancelled},
    problems=("order_not_found", "order_closed", *SENDING),
)  # fmt: skip
async def cancel_order(call: Call) -> Response:
    """Cancel an order.

    By its order id, or by `client:` and its client order id. 200 says that the cancel is on the tape and goes to the
    venue, where a fill may still come first; the order's end comes with the event stream.
    """
    order_id = order_id_of(call)
    command = m.CancelOrder(call.gateway.new_id(), call.account_id, order_id, call.key.key_id, clock.now_us())
    return await _cancel(call, command, [order_id])


@routes.add(
    "DELETE", "/v1/orders", "trade", query=r.CancelAllQuery, answers={200: a.Cancelled, 202: a.Cancelled},
    problems=SENDING,
)  # fmt: skip
async def cancel_all_orders(call: Call) -> Response:
    """Cancel all open orders, of one instrument or of all."""
    wanted = call.query(r.CancelAllQuery).instrument_id
    command = m.CancelAllOrders(
        command_id=call.gateway.new_id(),
        account_id=call.account_id,
        key_id=call.key.key_id,
        received_at_us=clock.now_us(),
        instrument_id=wanted if isinstance(wanted, str) else None,
    )
    return await _cancel(call, command, [])


async def _cancel(call: Call, command: m.CancelOrder | m.CancelAllOrders, order_ids: list[str]) -> Response:
    bus = call.gateway.bus
    waiter = bus.send_for_account(command.command_id, call.account_id, command)
    answer = await bus.answer(waiter)
    if answer is None:
        where = await placed(call, waiter, call.account_id, "the cancel", command_id=command.command_id)
        return reply(a.Cancelled(command.command_id, order_ids, "PENDING"), 202, where)
    await call.gateway.limits.tell(call.account_id, answer.part, answer.offset)
    return await _cancel_answer(call, answer)


async def _cancel_answer(call: Call, answer: Answer) -> Response:
    match answer.event:
        case m.CancelRequested(command_id=command_id, order_ids=order_ids):
            return reply(a.Cancelled(command_id, list(order_ids)), 200, position((answer.part, answer.offset)))
        case m.CancelRefused(reason="ORDER_CLOSED"):
            raise order_closed()
        case m.CancelRefused(order_id=order_id):  # Risk forgets orders that ended long ago; the views do not.
            raise order_closed() if await _in_views(call, order_id) else order_not_found()
        case event:
            raise Problem("command_set_aside", f"risk set the command aside: {getattr(event, 'reason', '')}")


async def _in_views(call: Call, order_id: str) -> bool:
    try:
        rows = await call.gateway.reads.rows(ORDER_EXISTS, order_id, call.account_id)
    except Problem:
        return False
    return bool(rows)


def order_closed() -> Problem:
    """The order has ended: nothing to cancel."""
    return Problem("order_closed", "the order has ended; there is nothing to cancel")


def order_not_found() -> Problem:
    """The same words for an unknown order and for another account's."""
    return Problem("order_not_found", "this account has no such order")


def order_id_of(call: Call) -> str:
    """The order that the path names: by its id, or by `client:` and the client's own id. Raises Problem."""
    named = call.path("order_id")
    if named.startswith(CLIENT_PREFIX):
        return ids.order_id(call.account_id, named.removeprefix(CLIENT_PREFIX))
    if not _ORDER_ID.fullmatch(named):
        raise order_not_found()
    return named
