"""How an order gets its one decision, whatever is repeated, lost or restarted."""

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.bus import Answer, Waiter
from services.gateway.known import COMPARED, Decided, decided, differences, repeated
from services.gateway.parsing import decimal
from services.gateway.problems import Problem, field_problem
from services.gateway.queries import DECISION
from services.gateway.routing import Call
from services.gateway.tail import REMEMBERED
from truetape import clock, ids
from truetape import messages as m
from truetape.liquidation import CLIENT_ORDER_PREFIX
from truetape.log import Part
from truetape.messages import OrderTerms
from truetape.topics import ORDERS_DECISIONS

if TYPE_CHECKING:
    from services.gateway.gateway import Gateway

_API_NAMES = {field: name for name, field in COMPARED.items()}


def terms_of(call: Call) -> tuple[OrderTerms, bool]:
    """The order asked for, and whether the client chose its id. Raises Problem naming the field."""
    asked = call.body(r.OrderRequest)
    chosen = _chosen_id(call, asked)
    client_order_id = chosen or call.gateway.new_id()
    default = "GTC" if asked.order_type == "LIMIT" else "IOC"
    terms = OrderTerms(
        order_id=ids.order_id(call.account_id, client_order_id),
        account_id=call.account_id,
        client_order_id=client_order_id,
        instrument_id=asked.instrument_id,
        side=asked.side,
        order_type=asked.order_type,
        time_in_force=default if asked.time_in_force is UNSET else asked.time_in_force,  # type: ignore[arg-type]
        post_only=asked.post_only is True,
        quantity_e8=decimal("quantity", asked.quantity),
        price_e8=None if asked.price is UNSET else decimal("price", asked.price),
        position_effect=_effect(asked),
    )
    return terms, bool(chosen)


def _effect(asked: r.OrderRequest) -> str:
    """OPEN, CLOSE or nothing, from the effect or the side that is named. Raises Problem where they contradict."""
    said = "" if asked.position_effect is UNSET else asked.position_effect
    if asked.position_side is UNSET:
        return said
    meant = "OPEN" if (asked.side == "BUY") == (asked.position_side == "LONG") else "CLOSE"
    if said not in ("", meant):
        raise field_problem("position_side", f"a {asked.side} that is said to {said} is of the other side")
    return meant


def _chosen_id(call: Call, asked: r.OrderRequest) -> str:
    """The client's id, from the body or the header Idempotency-Key; empty when it gave none."""
    header = idempotency_key(call)
    if (header if asked.client_order_id is UNSET else asked.client_order_id).startswith(CLIENT_ORDER_PREFIX):
        raise field_problem("client_order_id", f"ids that begin with {CLIENT_ORDER_PREFIX} are the clearing house's")
    if asked.client_order_id is UNSET:
        return header
    if header and header != asked.client_order_id:
        raise field_problem("client_order_id", "the header Idempotency-Key says something else")
    return asked.client_order_id


def idempotency_key(call: Call) -> str:
    """The header Idempotency-Key, with or without quotes; empty when it was not sent. Raises Problem."""
    header = call.header(b"idempotency-key")
    if not header:
        return ""
    bare = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not r.ID_REGEX.fullmatch(bare):
        raise Problem("invalid_header", "Idempotency-Key must be 1 to 64 letters, digits, . _ : or -")
    return bare


async def decide(gateway: "Gateway", terms: OrderTerms, chosen: bool, key_id: str) -> tuple[Decided | Waiter, bool]:
    """The order's decision, and whether it was made for an earlier submission; a Waiter when none came in time.

    Raises Problem client_order_id_reused when the id belongs to an order with other terms.
    """
    known, bus = gateway.known, gateway.bus
    if (earlier := known.recent.get(terms.order_id)) is not None:
        return _same(earlier, terms), True
    if (waiter := bus.waits_for(terms.order_id)) is not None:
        if await bus.join(waiter) is None:
            return waiter, True
        if (earlier := known.recent.get(terms.order_id)) is not None:
            return _same(earlier, terms), True
    if chosen and known.must_look_up(terms.order_id) and (found := await look_up(gateway, terms)) is not None:
        known.keep(found)
        return _same(found, terms), True
    command = m.SubmitOrder(terms, key_id, clock.now_us())
    waiter = bus.send_for_account(terms.order_id, terms.account_id, command)
    answer = await bus.answer(waiter)
    if answer is None:
        return waiter, False
    return _heard(gateway, terms, answer)


def _heard(gateway: "Gateway", terms: OrderTerms, answer: Answer) -> tuple[Decided, bool]:
    event: Any = answer.event
    if isinstance(event, m.DecisionRepeated):
        if event.differs:
            raise reused(terms, [_API_NAMES.get(name, name) for name in event.differs])
        found = repeated(event, terms, answer.offset)
        gateway.known.keep(found)
        return found, True
    if isinstance(event, m.InputParked):
        raise Problem("command_set_aside", f"risk set the command aside: {event.reason}", order_id=terms.order_id)
    return _same(decided(event, answer.offset), terms), False


def _same(earlier: Decided, terms: OrderTerms) -> Decided:
    if found := differences(earlier.order, terms):
        raise reused(terms, found)
    return earlier


def reused(terms: OrderTerms, fields: list[str]) -> Problem:
    """The client order id belongs to an order with other terms."""
    detail = f"order {terms.client_order_id} exists with another {', '.join(fields)}; choose a new client order id"
    return Problem("client_order_id_reused", detail, fields=fields, order_id=terms.order_id)


async def look_up(gateway: "Gateway", terms: OrderTerms) -> Decided | None:
    """The decision as the views have it; None means that it is new, or in risk's memory.

    Risk remembers what has few records after it, so the views must only reach that far, and are not asked at all
    where the whole partition is so short. Raises Problem view_behind or view_unavailable.
    """
    part = decisions_part(terms.account_id)
    before = gateway.bus.tail.next_offsets[part] - REMEMBERED
    if before <= 0:
        return None
    await gateway.reads.reach({part: before - 1})
    rows = await gateway.reads.rows(DECISION, terms.order_id)
    return rendering.decision_of(rows[0]) if rows else None


def decisions_part(account_id: str) -> Part:
    """Where the decisions about an account stand."""
    return Part(ORDERS_DECISIONS.name, ids.partition_of(account_id, ORDERS_DECISIONS.partitions))


def unknown_outcome(what: str, **members: Any) -> Problem:
    """Nobody knows whether Kafka has the command; it is never told as failed."""
    detail = f"{what} was sent, and Kafka has not confirmed it: ask again, or repeat it with the same id"
    return Problem("outcome_unknown", detail, **members)
