"""Routes of legs: give them up, allocate them, accept what is offered, compress what is open, net a day's payments."""

from typing import Any, Final

from starlette.responses import Response

from services.gateway import otcview, rendering
from services.gateway import trade_requests as t
from services.gateway.administration import command_id_of
from services.gateway.bus import Answer
from services.gateway.ledger import carried_out
from services.gateway.parsing import positive
from services.gateway.problems import Problem
from services.gateway.queries import Query
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.trading import SENDING
from truetape import api_trades as a
from truetape import messages as m
from truetape.money import from_e8

routes = Routes("trades")
_PROBLEMS: Final = ("move_refused", *SENDING)
LEGS_BY_ID: Final = Query("leg by id", "SELECT * FROM view.legs WHERE account_id = %s AND leg_id = ANY(%s)")


@routes.add("POST", "/v1/trades/give-up", "trade", body=t.GiveUpRequest, answers={200: a.Move}, problems=_PROBLEMS)
async def give_up(call: Call) -> Response:
    """Give an open leg up to another account, whole, at its own price and cost.

    The other account accepts it (`POST /v1/legs/answer`) or has agreed beforehand; both reserve margin; then it moves.
    """
    asked = call.body(t.GiveUpRequest)
    quantity_e8 = await _quantity_e8(call, asked.leg_id)
    shares = (m.LegShare(asked.to_account_id, quantity_e8),)
    return await _move(call, asked.leg_id, "GIVE_UP", shares, asked.reference)


@routes.add("POST", "/v1/trades/allocate", "trade", body=t.AllocationRequest, answers={200: a.Move}, problems=_PROBLEMS)
async def allocate(call: Call) -> Response:
    """Allocate an open leg among accounts: quantities add up to it, and all get the same average price.

    Whole or nothing: one account that declines, or whose margin does not reach, stops all of it.
    """
    asked = call.body(t.AllocationRequest)
    shares = tuple(m.LegShare(one.account_id, positive("quantity", one.quantity)) for one in asked.shares)
    return await _move(call, asked.leg_id, "ALLOCATION", shares, asked.reference)


async def _quantity_e8(call: Call, leg_id: str) -> int:
    """Contracts of an open leg; the ledger decides whether it is one."""
    await call.see_answers()
    rows = await call.gateway.reads.rows(LEGS_BY_ID, call.account_id, [leg_id])
    if not rows:
        raise Problem("move_refused", f"the account has no leg {leg_id}", reason="ENTRY_UNKNOWN")
    return int(rows[0]["quantity_e8"])


async def _move(call: Call, leg_id: str, kind: str, shares: tuple[m.LegShare, ...], reference: str) -> Response:
    command = m.MoveLeg(command_id_of(call), call.account_id, leg_id, kind, shares, reference, call.key.key_id)
    return _answered(await carried_out(call, command, "move_refused"), _move_shown)


@routes.add("POST", "/v1/trades/moves/end", "trade", body=t.EndMoveRequest, answers={200: a.Move}, problems=_PROBLEMS)
async def end_move(call: Call) -> Response:
    """Take a give-up or allocation back before it is decided."""
    asked = call.body(t.EndMoveRequest)
    command = m.EndMove(command_id_of(call), call.account_id, asked.move_id, asked.reason, call.key.key_id)
    return _answered(await carried_out(call, command, "move_refused"), _move_shown)


@routes.add("POST", "/v1/legs/answer", "trade", body=t.LegAnswerRequest, answers={200: a.LegAnswer},
            problems=_PROBLEMS)  # fmt: skip
async def answer_leg(call: Call) -> Response:
    """Accept a leg that another account gives up or allocates to this one, or decline it."""
    asked = call.body(t.LegAnswerRequest)
    command = m.AnswerLeg(
        command_id_of(call), call.account_id, asked.leg_id, asked.accepted, asked.reason, call.key.key_id
    )
    return _answered(
        await carried_out(call, command, "move_refused"),
        lambda event: a.LegAnswer(event.leg.leg_id, event.trade_id, event.state, event.meta.event_id),
    )


@routes.add("POST", "/v1/legs/agreements", "trade", body=t.AgreementRequest, answers={200: a.Agreement},
            problems=_PROBLEMS)  # fmt: skip
async def agree_moves(call: Call) -> Response:
    """Take whatever one account gives up or allocates to this one, without being asked; or no more."""
    asked = call.body(t.AgreementRequest)
    command = m.AgreeMoves(command_id_of(call), call.account_id, asked.from_account_id, asked.agreed, call.key.key_id)
    return _answered(
        await carried_out(call, command, "move_refused"),
        lambda event: a.Agreement(event.from_id, event.agreed, event.meta.event_id),
    )


@routes.add("POST", "/v1/admin/compressions", "admin", body=t.CompressionRequest, answers={200: a.Compressed},
            problems=_PROBLEMS)  # fmt: skip
async def compress_legs(call: Call) -> Response:
    """Make one leg of all open legs of an account in a contract; its position stays as it is."""
    asked = call.body(t.CompressionRequest)
    command = m.CompressLegs(command_id_of(call), asked.account_id, asked.instrument_id, call.key.key_id)
    return _answered(await carried_out(call, command, "move_refused"), _compressed)


@routes.add("POST", "/v1/admin/nettings", "admin", body=t.NettingRequest, answers={200: a.PaymentInstructions},
            problems=("netting_refused", *SENDING))  # fmt: skip
async def net_payments(call: Call) -> Response:
    """Net what an account and the house owe each other on a value date into one instruction per asset.

    Once nothing more can fall on that date; of each asset the oldest first.
    """
    asked = call.body(t.NettingRequest)
    command = m.NetPayments(command_id_of(call), asked.account_id, asked.value_date, call.key.key_id)
    return _answered(await carried_out(call, command, "netting_refused"), _netted)


def _answered(answer: Answer, shown: Any) -> Response:
    return reply(shown(answer.event), 200, position((answer.part, answer.offset)))


def leg_shown(leg: m.TradeLeg) -> a.TradeLeg:
    """A leg of a record."""
    return a.TradeLeg(leg.leg_id, leg.account_id, leg.side, from_e8(leg.quantity_e8), from_e8(leg.price_e8))


def _move_shown(event: m.MoveChanged) -> a.Move:
    legs = [leg_shown(leg) for leg in event.legs]
    expires_at = rendering.moment(event.expires_at_us)
    return a.Move(event.move_id, event.kind, event.state, event.leg.leg_id, expires_at, legs, event.meta.event_id)


def _compressed(event: m.LegsCompressed) -> a.Compressed:
    return a.Compressed(
        event.instrument_id, [leg.leg_id for leg in event.ended], [leg_shown(leg) for leg in event.left],
        from_e8(event.gross_before_e8), from_e8(event.gross_after_e8), from_e8(event.net_quantity_e8),
        from_e8(event.net_cost_e8), from_e8(event.ended_cost_e8), event.meta.event_id,
    )  # fmt: skip


def _netted(event: m.PaymentsNetted) -> a.PaymentInstructions:
    rows = [{"value_date": event.value_date} | _plain(one) for one in event.instructions]
    shown = [otcview.instruction(row) for row in rows]
    return a.PaymentInstructions(event.account_id, event.value_date, shown, event.meta.event_id)


def _plain(one: m.Instruction) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}
