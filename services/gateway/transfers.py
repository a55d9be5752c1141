"""Deposits and withdrawals: both go through risk, since a withdrawal needs the same credit as an order."""

from typing import Any, Final

from starlette.responses import Response

from services.gateway import rendering
from services.gateway import requests as r
from services.gateway.parsing import positive
from services.gateway.problems import Problem
from services.gateway.queries import APPROVED_TRANSFER, CREDIT
from services.gateway.routing import Call, Routes, position, reply
from services.gateway.submission import decisions_part
from services.gateway.trading import HIT, SENDING, placed
from truetape import api as a
from truetape import clock, ids
from truetape import messages as m
from truetape.errors import AssetUnknown
from truetape.messages import TransferTerms

routes = Routes("transfers")
_PROBLEMS: Final = (
    "external_reference_reused", "insufficient_funds", "account_unknown", "asset_unknown", *SENDING, "view_unavailable",
    "view_behind",
)  # fmt: skip


@routes.add(
    "POST", "/v1/withdrawals", "trade", body=r.WithdrawalRequest, answers={201: a.Transfer, 202: a.Transfer},
    problems=_PROBLEMS,
)  # fmt: skip
async def request_withdrawal(call: Call) -> Response:
    """Withdraw from the key's own account.

    The amount is reserved at once and booked by clearing. The external reference makes a retry safe; what was refused
    under one stays refused.
    """
    asked = call.body(r.WithdrawalRequest)
    return await _transfer(call, call.account_id, asked, -positive("amount", asked.amount))


@routes.add(
    "POST", "/v1/admin/deposits", "admin", body=r.TransferRequest, answers={201: a.Transfer, 202: a.Transfer},
    problems=_PROBLEMS,
)  # fmt: skip
async def record_deposit(call: Call) -> Response:
    """Record a deposit that arrived. The external reference makes a retry safe."""
    asked = call.body(r.TransferRequest)
    return await _transfer(call, asked.account_id, asked, positive("amount", asked.amount))


@routes.add(
    "POST", "/v1/admin/withdrawals", "admin", body=r.TransferRequest, answers={201: a.Transfer, 202: a.Transfer},
    problems=_PROBLEMS,
)  # fmt: skip
async def record_withdrawal(call: Call) -> Response:
    """Withdraw from any account. The external reference makes a retry safe; one that was refused stays refused."""
    asked = call.body(r.TransferRequest)
    return await _transfer(call, asked.account_id, asked, -positive("amount", asked.amount))


async def _transfer(
    call: Call, account_id: str, asked: r.TransferRequest | r.WithdrawalRequest, amount_e8: int
) -> Response:
    transfer_id = ids.transfer_id(account_id, asked.external_reference)
    terms = TransferTerms(
        transfer_id, account_id, asked.asset, amount_e8, asked.location, asked.external_reference
    )  # fmt: skip
    if (earlier := await _approved(call, terms)) is not None:
        return earlier
    await _require_asset(call, terms)
    bus = call.gateway.bus
    command = m.RequestTransfer(terms, call.key.key_id, clock.now_us())
    waiter = bus.send_for_account(transfer_id, account_id, command)
    answer = await bus.answer(waiter)
    if answer is None:
        where = await placed(call, waiter, account_id, "the transfer", transfer_id=transfer_id)
        return reply(rendering.transfer(terms, None, None), 202, where)
    await call.gateway.limits.tell(account_id, answer.part, answer.offset)
    event: Any = answer.event
    if isinstance(event, m.InputParked):
        raise Problem("command_set_aside", f"risk set the command aside: {event.reason}", transfer_id=transfer_id)
    if isinstance(event, m.TransferRejected):
        if event.transfer != terms:
            detail = "another transfer with this external reference was refused: ask again, this one may come to pass"
            raise Problem("outcome_unknown", detail, transfer_id=transfer_id)
        raise _refusal(event)
    return _approval(terms, event.transfer, event.meta.decided_at_us, event.meta.event_id, call, answer.offset)


async def _require_asset(call: Call, terms: TransferTerms) -> None:
    """Raises Problem asset_unknown, but for what an account has of it already: that may leave."""
    await call.see_reference()
    try:
        call.gateway.bus.reference.require_asset(terms.asset)
    except AssetUnknown as error:
        held = await call.gateway.reads.rows(CREDIT, terms.account_id) if terms.amount_e8 < 0 else []
        if not any(row["asset"] == terms.asset and row["balance_e8"] > 0 for row in held):
            raise Problem("asset_unknown", str(error), field="asset") from error


async def _approved(call: Call, terms: TransferTerms) -> Response | None:
    """The answer to a transfer that was approved before: risk does not answer that one again.

    The views are asked once they are as far as this process has read: a "none" is then true.
    """
    gateway, part = call.gateway, decisions_part(terms.account_id)
    await gateway.reads.reach({part: gateway.bus.tail.next_offsets[part] - 1})
    rows = await gateway.reads.rows(APPROVED_TRANSFER, terms.transfer_id)
    if not rows:
        return None
    row = rows[0]
    decided = TransferTerms(**{name: row[name] for name in TransferTerms.__struct_fields__})
    response = _approval(
        terms, decided, row["decided_at_us"], row["decision_event_id"], call, row["decision_offset"]
    )  # fmt: skip
    response.headers.update(HIT)
    return response


def _approval(
    asked: TransferTerms, decided: TransferTerms, at_us: int, event_id: str, call: Call, offset: int
) -> Response:
    if asked != decided:
        fields = [name for name in ("asset", "amount_e8", "location") if getattr(asked, name) != getattr(decided, name)]
        named = [name.removesuffix("_e8") for name in fields]
        detail = f"the external reference belongs to a transfer with another {', '.join(named)}"
        raise Problem("external_reference_reused", detail, fields=named, transfer_id=asked.transfer_id)
    where = position((decisions_part(asked.account_id), offset))
    return reply(rendering.transfer(decided, at_us, event_id), 201, where)


def _refusal(event: m.TransferRejected) -> Problem:
    seen = rendering.numbers(event.numbers)
    detail = f"risk refused the transfer: {event.reason}"
    if event.transfer.amount_e8 < 0:
        detail += "; it stays refused under this external reference: ask again under another"
    return Problem(
        event.reason.lower(), detail, reason=event.reason, numbers=seen, transfer_id=event.transfer.transfer_id
    )
