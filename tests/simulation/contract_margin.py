"""Initial margin of every accepted order in a contract, computed again: from what risk's tape says the account held and
had open, and from all marks around the decision, since a decision names the mark of its own contract alone."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from services.risk import holdings
from services.risk.core import SERVICE as RISK
from tests.simulation.derivatives import ASSET
from tests.simulation.evidence import Evidence
from tests.simulation.reference import PARTITIONS
from truetape import messages as m
from truetape.messages import Began
from truetape.money import ONE_E8
from truetape.topics import MARKET_MARKS, ORDERS_DECISIONS

if TYPE_CHECKING:
    from tests.simulation.contracts import ContractSystem

AROUND_US: Final = 61_000_000
"""No mark older than a minute counts for margin (derivatives.py)."""
ROUNDING_E8: Final = 50


class Span(NamedTuple):
    """Least and greatest mark of a contract around a decision."""

    low_e8: int
    high_e8: int


def accepted_orders_keep_initial_margin(found: Evidence, system: "ContractSystem") -> Iterator[str]:
    """No accepted order leaves less equity than the margin of the worst fills of all open orders, at its marks."""
    marks: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for event in system.events(MARKET_MARKS):
        if isinstance(event, m.MarkPublished):
            marks[event.instrument_id].append((event.observed_at_us, event.price_e8))
    for partition in range(PARTITIONS):
        state = RISK.initial()
        for _, event in found.system.tape(ORDERS_DECISIONS, partition).found:
            if isinstance(event, Began):
                continue
            if isinstance(event, m.OrderAccepted) and event.margin is not None and not of_liquidation(event.order):
                account = holdings.owing(state, event.order.account_id)
                yield from _wrong(account, event, event.margin, spans(marks, event.meta.decided_at_us), system)
            state = RISK.evolve(state, event)


def of_liquidation(order: m.OrderTerms) -> bool:
    """Whether clearing asked for it: it may leave an account short, as long as it makes that less."""
    return order.client_order_id.startswith("liquidation-")


def spans(marks: dict[str, list[tuple[int, int]]], at_us: int) -> dict[str, Span]:
    """What each mark may have been; clocks differ by seconds, in trouble by more."""
    found = {}
    for name, seen in marks.items():
        if prices := [price_e8 for observed_us, price_e8 in seen if abs(observed_us - at_us) <= AROUND_US]:
            found[name] = Span(min(prices), max(prices))
    return found


def _wrong(
    account: Any, event: m.OrderAccepted, margin: m.OrderMargin, marks: dict[str, Span], system: "ContractSystem"
) -> Iterator[str]:
    order, cost_e8 = event.order, -(-event.order.quantity_e8 * margin.unit_cost_e8 // ONE_E8)
    left_e8 = margin.equity_e8 - margin.required_e8 - margin.reserved_e8 - margin.adds_e8 - cost_e8
    if left_e8 < 0 and margin.adds_e8:
        yield f"{order.order_id} was accepted and leaves {left_e8} of margin: {margin}"
    held = {name: one.quantity_e8 for name, one in account.contracts.items()}
    after = {name: open_e8(account, name, order) for name in system.contracts}
    if any(name not in marks for name, (buys, sells) in after.items() if buys or sells or held.get(name)):
        return  # Marks older than this minute by a clock that was set back: what they were is not known here.
    need = sum(need_e8(system, name, held.get(name, 0), *after[name], marks) for name in system.contracts)
    if margin.required_e8 + margin.adds_e8 < need - ROUNDING_E8:
        yield f"{order.order_id} needs {float(need)} at least with all open orders, risk counted {margin}"
    gained = sum(gain_e8(system, name, one, marks) for name, one in account.contracts.items())
    most = account.balances.get(ASSET, 0) + gained
    if margin.equity_e8 > most + ROUNDING_E8:
        yield f"{order.order_id}: equity is {float(most)} at most, risk counted {margin}"


def open_e8(account: Any, name: str, order: m.OrderTerms) -> tuple[int, int]:
    """What open orders, this one included, may still buy and sell of a contract."""
    buys = sells = 0
    for one in account.reservations.values():
        if one.instrument_id == name:
            left = max(one.quantity_e8 - one.cleared_e8, 0)
            buys, sells = (buys + left, sells) if one.buys else (buys, sells + left)
    mine = order.quantity_e8 if order.instrument_id == name else 0
    return (buys + mine, sells) if order.side == "BUY" else (buys, sells + mine)


def need_e8(
    system: "ContractSystem", name: str, held_e8: int, buys_e8: int, sells_e8: int, marks: dict[str, Span]
) -> Fraction:
    """Margin of the worst position by the flat schedule, at the least mark."""
    terms = system.contracts[name].terms
    long_e8, short_e8 = max(held_e8 + buys_e8, 0), max(sells_e8 - held_e8, 0)
    least = {mark: span.low_e8 for mark, span in marks.items()}
    worst_e8, price_e8 = max(long_e8, short_e8), least.get(name, 0)
    if terms.kind == "OPTION":
        worst_e8, price_e8 = short_e8, max(least.get(terms.index, 0), terms.strike_e8 or 0)
    return Fraction(worst_e8 * price_e8 * terms.multiplier_e8 * terms.initial_rate_e8, ONE_E8**3)


def gain_e8(system: "ContractSystem", name: str, held: Any, marks: dict[str, Span]) -> Fraction:
    """The most that a position can have gained since its cost; of an option what a short one owes."""
    terms, quantity_e8 = system.contracts[name].terms, held.quantity_e8
    if quantity_e8 == 0 or (terms.kind == "OPTION" and quantity_e8 > 0):
        return Fraction(held.unpaid_e8)
    price_e8 = marks[name].high_e8 if quantity_e8 > 0 else marks[name].low_e8
    value = Fraction(quantity_e8 * price_e8 * terms.multiplier_e8, ONE_E8**2)
    return Fraction(held.unpaid_e8) + value - (0 if terms.kind == "OPTION" else held.cost_e8)
