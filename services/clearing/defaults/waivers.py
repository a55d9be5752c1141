"""Waivers: the house's word that a default goes on though no end of some of its orders is known.

Nothing is said of such an order: it stays UNKNOWN, its reservation holds, and only its venue's word ends it. Risk,
which knows what is open, stops waiting for it (services/risk/waivers.py) and says that the rest has ended. What the
order fills later is booked to the account like any fill, since the house runs the account from the declaration on: a
loss by it is a further default, a gain goes to those who bore the first one.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from services.clearing.booking import trades
from services.clearing.margining.watch import Liquidation
from services.clearing.state import State
from truetape.liquidation import ALARM_ASKED
from truetape.messages import ClearingRefusal, ClearingRefused, DefaultChanged, WaiveOrders
from truetape.service import Input

WAIVED_MAX: Final = 200
"""Orders of one default that can be waived; more are more than an account has open."""
Wrong = tuple[ClearingRefusal, str]


def waive(state: State, given: Input, command: WaiveOrders) -> DefaultChanged | ClearingRefused:
    """The default no longer waits for these orders, or why it does."""
    if (wrong := next(_objections(state, command), None)) is not None:
        return trades.refused(given, command.command_id, command.account_id, command, *wrong)
    known = state.defaults[command.account_id]
    return replace(
        known, meta=given.meta(known.default_id), command_id=command.command_id,
        waived=(*known.waived, *command.order_ids), waived_by=command.requested_by,
        detail=command.reason[: trades.REASON_MAX],
    )  # fmt: skip


def _objections(state: State, command: WaiveOrders) -> Iterator[Wrong]:
    known = state.defaults.get(command.account_id)
    if command.command_id in state.facts.ids:
        yield "COMMAND_REPEATED", "it is waived already"
    if known is None or known.default_id != command.default_id:
        newest = f"its newest one is {known.default_id}" if known is not None else "it is not in default"
        yield "STATE_WRONG", f"{command.default_id} is no default of {command.account_id}: {newest}"
        return
    one = state.watch.liquidations.get(known.account_id)
    sold = one if one is not None and one.asset == known.asset else None
    if known.state != "DECLARED" or (known.quiet and sold is None):
        yield "STATE_WRONG", f"default {known.default_id} is {known.state} and waits for no order"
    if not command.reason.strip():
        yield "REASON_MISSING", "say why: it stands on the tape for ever"
    fresh = [name for name in command.order_ids if name.strip() and name not in known.waived]
    if not fresh or len(fresh) != len(command.order_ids) or len({*fresh}) != len(fresh):
        yield "NUMBERS_WRONG", "name the orders, each once, and none that is waived already"
    if len(known.waived) + len(fresh) > WAIVED_MAX:
        yield "NUMBERS_WRONG", f"at most {WAIVED_MAX} orders of a default can be waived"
    if (asked := _asked(known, sold)) < ALARM_ASKED:
        yield "STATE_WRONG", f"their end was asked for {asked} times of {ALARM_ASKED}: wait for the venue first"


def _asked(known: DefaultChanged, sold: Liquidation | None) -> int:
    """How often risk was asked whether they have ended, by the default or by the liquidation that comes before."""
    return max(known.attempt, sold.asked if sold is not None else 0)
