"""Bugs by name, each switched on alone, for the simulation to find by its general invariants.

`make planted-bugs` searches the seeds from 0 for each and prints which seed and which invariant found it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
from msgspec.structs import replace as replaced

from services.clearing.booking import ledger, positions
from services.gateway.projection.projector import Projector
from services.risk import checks, credit
from services.risk import core as risk
from services.router import choice, desk
from services.router import core as router
from tests.simulation import planted_loops as loops
from tests.simulation.bug import Bug, change, nothing, rule, rules
from tests.simulation.bugs_contracts import BUGS_OF_CONTRACTS
from tests.simulation.bugs_distress import BUGS_OF_DISTRESS
from tests.simulation.bugs_porting import BUGS_OF_PORTING
from tests.simulation.bugs_served import BUGS_OF_SERVERS
from tests.simulation.planted import judge_ignoring_epochs
from tests.simulation.system import System
from truetape import ids, snapshots, tape
from truetape import messages as m
from truetape.money import ONE_E8
from truetape.restore import readable
from truetape.runner import Runner
from truetape.venue import reports as r

BOUND: Final = 300
"""Every bug is found by a seed below this."""


def loop(runner: type[Any]) -> tuple[tuple[Any, str, Any], ...]:
    """A bug in the run loop."""
    return ((System, "runner_type", runner),)


def restoring(restorer: type[Any]) -> tuple[tuple[Any, str, Any], ...]:
    """A bug in the takeover."""
    return loop(loops.with_restorer(restorer))


# -- the router ----------------------------------------------------------------------------------------------------


def forgets_fills(right: Any, state: Any, event: m.OrderFilled) -> None:
    """Does not remember which fills are on the tape."""
    right(state, event)
    state.orders[event.order_id].legs[event.leg].executions.clear()


def refuses_what_is_doubtful(right: Any, state: Any, given: Any, report: Any) -> Any:
    """What is not known is taken for a refusal."""
    unknown = right(state, given, report)
    if unknown is None:
        return None
    return m.OrderRejectedByVenue(
        unknown.meta, unknown.order_id, unknown.account_id, unknown.leg, unknown.venue, 0, "TIMEOUT", "no answer"
    )


def ends_without_waiting(right: Any, state: Any, given: Any, report: Any) -> Any:
    """An end is believed before the fills that it implies have come."""
    found = router._find(state, report.client_order_id)
    if found is None or found[1].status not in router.OPEN:
        return None
    return right(state, given, replaced(report, cumulative_quantity_e8=found[1].filled_e8))


def fills_only_what_is_open(right: Any, state: Any, given: Any, fill: Any) -> Any:
    """What an order fills after its end does not count."""
    found = router._find(state, fill.client_order_id)
    return None if found is None or found[1].status not in router.OPEN else right(state, given, fill)


def gives_the_end(self: Any, tracked: Any, ended: Any) -> None:
    """The session does not wait either."""
    self._give(tracked, ended)


def drops_fills_in_doubt(right: Any, state: Any, given: Any, fill: Any) -> Any:
    """A fill of an order whose outcome is not known is not taken."""
    found = router._find(state, fill.client_order_id)
    return None if found is not None and found[1].status == "UNKNOWN" else right(state, given, fill)


_venue_client_order_id = ids.venue_client_order_id
_numbers = iter(range(10**9))


def numbered_id(partition: int, order_id: str, leg: int) -> str:
    """A counter in the place of what is derived from the order."""
    return f"TT{partition:03d}-{next(_numbers):024d}-{leg:02d}"


# -- risk ----------------------------------------------------------------------------------------------------------


def decides_again(right: Any, state: Any, given: Any, command: m.SubmitOrder) -> Any:
    """A repeated submission is a new order."""
    account = state.accounts.get(command.order.account_id)
    known = account.orders.pop(command.order.order_id, None) if account is not None else None
    event = right(state, given, command)
    if known is not None and account is not None and not isinstance(event, m.OrderAccepted):
        account.orders[command.order.order_id] = known
    return event


def without(name: str) -> tuple[tuple[Any, str, Any], ...]:
    """Risk without one of its checks."""
    patches = []
    for group in ("ORDER_CHECKS", "MARK_CHECKS", "PRICE_CHECKS"):
        kept = tuple(one for one in getattr(checks, group) if one[0] != name)
        if len(kept) < len(getattr(checks, group)):
            patches.append((checks, group, kept))
    assert patches, name
    return tuple(patches)


# -- clearing ------------------------------------------------------------------------------------------------------

_trade_lines = ledger.trade_lines


def fee_the_wrong_way(fill: m.OrderFilled, quote_e8: int, fee_e8: int) -> tuple[m.Line, ...]:
    """The venue's fee with the wrong sign: entries still sum to zero."""
    return _trade_lines(replaced(fill, fee_e8=-fill.fee_e8), quote_e8, fee_e8)


_house_fee_e8 = ledger.house_fee_e8


def fee_of_a_taker(amount_e8: int, fees: m.Fees, liquidity: m.Liquidity) -> int:
    """Who made the market pays as if he had taken."""
    return _house_fee_e8(amount_e8, fees, "TAKER")


def fee_rounded_down(amount_e8: int, fees: m.Fees, liquidity: m.Liquidity) -> int:
    """The house's fee, rounded for the client."""
    rate_e8 = fees.maker_rate_e8 if liquidity == "MAKER" else fees.taker_rate_e8
    return amount_e8 * rate_e8 // ONE_E8


def amount_as_float(price_e8: int, quantity_e8: int, rounding: str) -> int:
    """Price times quantity as floats."""
    amount = price_e8 / ONE_E8 * (quantity_e8 / ONE_E8)
    return round(amount * ONE_E8) if rounding == "half_even" else int(amount * ONE_E8) + (rounding == "up")


_trade = positions.trade


def forgets_to_flip(position: m.Position, quantity_e8: int, cost_e8: int) -> m.Position:
    """Realised profit counts the fee-less proceeds of the whole trade: right sums, wrong profit."""
    after = _trade(position, quantity_e8, cost_e8)
    shift_e8 = (after.realised_e8 - position.realised_e8) // 2
    return replaced(after, realised_e8=after.realised_e8 - shift_e8, cost_e8=after.cost_e8 - shift_e8)


def position_of_the_first_fill(position: m.Position, quantity_e8: int, cost_e8: int) -> m.Position:
    """Positions do not accumulate."""
    return _trade(positions.flat(position.instrument_id), quantity_e8, cost_e8)


# -- snapshots -----------------------------------------------------------------------------------------------------


class ForgetfulSnapshots(Runner[Any]):
    """A snapshot without the positions of the inputs that it holds."""

    def _publish(self, own: Any, clock: Any) -> None:
        clock.waiting = replace(clock.waiting, positions={})
        super()._publish(own, clock)


_pack = snapshots.pack


def pack_without_the_last_account(state: Any) -> bytes:
    """A snapshot that leaves something out."""
    plain = msgspec.msgpack.decode(_pack(state))
    if isinstance(plain.get("accounts"), dict) and len(plain["accounts"]) > 1:
        plain["accounts"].pop(sorted(plain["accounts"])[-1])
    return _pack(plain)


class SnapshotsWithAHole(Runner[Any]):
    """A snapshot without one of the accounts."""

    def _publish(self, own: Any, clock: Any) -> None:
        hole = pack_without_the_last_account(own.state) if not own.pending else clock.waiting.state
        clock.waiting = replace(clock.waiting, state=hole)
        super()._publish(own, clock)


# -- the gateway and its views -------------------------------------------------------------------------------------

_begin = Projector._begin


def trusts_its_memory(self: Any, reached: Any) -> Any:
    """A commit whose outcome is not known is taken for failed: what was in memory goes on."""
    return _begin(self, self._reached or reached)


def takes_every_record(self: Any, record: Any) -> Any:
    """The projection does not apply the reader's rule."""
    return readable(record)


_order_id = ids.order_id


def fresh_order_id(account_id: str, client_order_id: str) -> str:
    """A retry makes another order."""
    return _order_id(account_id, f"{client_order_id}{next(_numbers)}")


BUGS: Final[Mapping[str, Bug]] = {
    "reader ignores epochs": Bug("records of former owners count", ((tape, "judge", judge_ignoring_epochs),)),
    "delivery offsets not checked": Bug("any report is a good one", loop(loops.ReportsNotChecked)),
    "inputs resume at the committed offset": Bug("not at the cause on the tape", loop(loops.PositionsFromGroup)),
    "doubt is ignored": Bug("no step-down", loop(loops.NoStepDown)),
    "not taken over again after a step-down": Bug("waits for an assignment", loop(loops.NotRetaken)),
    "effect before acknowledgement": Bug("orders leave with the decision", loop(loops.ActsAtOnce)),
    "step-down keeps memory": Bug("the state in memory outlives it", loop(loops.MemoryKept)),
    "revocation ignored": Bug("what was handed out once is kept", loop(loops.RevocationIgnored)),
    "void inputs applied": Bug("the reader's rule is not applied to inputs", loop(loops.InputsNotJudged)),
    "snapshots ahead of acknowledgements": Bug("they hold what may never be", loop(loops.SnapshotsAhead)),
    "Began believed without reading it back": Bug("a rival may be first", restoring(loops.BeganBelieved)),
    "own Began judged by place": Bug("a rival's looks alike", restoring(loops.BeganJudgedByPlace)),
    "restore stops one record early": Bug("the end is taken for the last", restoring(loops.RestoreStopsEarly)),
    "snapshot without positions": Bug("inputs are answered again", loop(ForgetfulSnapshots)),
    "snapshot with a hole": Bug("one account is left out", loop(SnapshotsWithAHole)),
    "fills not remembered": Bug("a repeated fill is taken again", change(router, m.OrderFilled, forgets_fills)),
    "cancel lost": Bug("the router does not pass it on", rule(router, m.CancelRequested, nothing)),
    "unknown taken for refused": Bug("by a timeout", rule(router, r.VenueUnknown, refuses_what_is_doubtful)),
    '"no such order" believed too early': Bug(
        "before the deadline", ((router, "EVIDENCE_MARGIN_US", -(10**12)), (desk, "EVIDENCE_MARGIN_US", -(10**12)))
    ),
    "end believed before its fills": Bug(
        "they are lost",
        (
            *rules(router, {r.VenueExpired: ends_without_waiting, r.VenueFilled: fills_only_what_is_open}),
            (desk.Desk, "_end", gives_the_end),
        ),
    ),
    "fill in doubt dropped": Bug("evidence is not taken", rule(router, r.VenueFilled, drops_fills_in_doubt)),
    "client order id not derived": Bug("a counter", ((ids, "venue_client_order_id", numbered_id),)),
    "stale book used": Bug("the age of a book does not matter", ((choice, "BOOK_MAX_AGE_US", 10**15),)),
    "stale mark used": Bug("no check of the mark's age", without("MARK_STALE")),
    "collar not checked": Bug("any price", without("PRICE_OUTSIDE_COLLAR")),
    "funds not checked": Bug("no credit check", without("INSUFFICIENT_FUNDS")),
    "kill switch ignored": Bug("orders while halted", without("TRADING_HALTED")),
    "order decided twice": Bug("a repeated submission is new", rule(risk, m.SubmitOrder, decides_again)),
    "transfer approved twice": Bug("not remembered", ((risk, "remember_transfer", nothing),)),
    "reservation not released": Bug("after the end of an order", ((credit, "left_e8", lambda *_: 1),)),
    "reservation forgets the end": Bug("an end releases nothing", rule(risk, m.OrderExpired, nothing)),
    "venue fee with the wrong sign": Bug("sums are still zero", ((ledger, "trade_lines", fee_the_wrong_way),)),
    "maker pays as a taker": Bug("the fee's rate", ((ledger, "house_fee_e8", fee_of_a_taker),)),
    "house fee rounded down": Bug("for the client", ((ledger, "house_fee_e8", fee_rounded_down),)),
    "amounts as floats": Bug("price times quantity", ((ledger, "notional", amount_as_float),)),
    "profit wrong, sums right": Bug("half of it stays in cost", ((positions, "trade", forgets_to_flip),)),
    "positions do not accumulate": Bug("each fill is the first", ((positions, "trade", position_of_the_first_fill),)),
    "unknown commit taken for a failure": Bug("of the views", ((Projector, "_begin", trusts_its_memory),)),
    "void records projected": Bug("into the views", ((Projector, "_accepted", takes_every_record),)),
    "order id not derived": Bug("a retry makes a second order", ((ids, "order_id", fresh_order_id),)),
    "fill booked without its fees": Bug("fees are left out", ((ledger, "house_fee_e8", lambda *_: 0),)),
    **BUGS_OF_SERVERS,
    **BUGS_OF_CONTRACTS,
    **BUGS_OF_DISTRESS,
    **BUGS_OF_PORTING,
}
"""By name."""
