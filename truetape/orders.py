"""Order states and their legal transitions: one table for the code, the tests and docs/order-states.md.

A terminal state is final: a late fill changes quantities and balances, never the state. An order can thus end only
once, and "CANCELLED, filled 3 of 10" stays what it was when the fourth fill turns up.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final, get_args

from truetape import messages as m
from truetape.messages import OrderStatus

STATUSES: Final[tuple[OrderStatus, ...]] = get_args(OrderStatus)

STEPS: Final[Mapping[str, Mapping[OrderStatus, OrderStatus]]] = {
    "OrderAccepted": {"PENDING": "ACCEPTED"},
    "OrderRejected": {"PENDING": "REJECTED"},
    "OrderNotRouted": {"ACCEPTED": "REJECTED"},
    "OrderAcknowledged": {"ACCEPTED": "WORKING", "UNKNOWN": "WORKING"},
    "OrderAcknowledged after fills": {"ACCEPTED": "PARTIALLY_FILLED", "UNKNOWN": "PARTIALLY_FILLED"},
    "OrderFilled in part": {
        "ACCEPTED": "PARTIALLY_FILLED", "WORKING": "PARTIALLY_FILLED", "UNKNOWN": "PARTIALLY_FILLED",
    },
    "OrderFilled to the end": {
        "ACCEPTED": "FILLED", "WORKING": "FILLED", "PARTIALLY_FILLED": "FILLED", "UNKNOWN": "FILLED",
    },
    "OrderCancelled": {
        "ACCEPTED": "CANCELLED", "WORKING": "CANCELLED", "PARTIALLY_FILLED": "CANCELLED", "UNKNOWN": "CANCELLED",
    },
    "OrderExpired": {
        "ACCEPTED": "EXPIRED", "WORKING": "EXPIRED", "PARTIALLY_FILLED": "EXPIRED", "UNKNOWN": "EXPIRED",
    },
    "OrderRejectedByVenue": {"ACCEPTED": "REJECTED", "WORKING": "REJECTED", "UNKNOWN": "REJECTED"},
    "OrderRejectedByVenue after fills": {
        "ACCEPTED": "CANCELLED", "WORKING": "CANCELLED", "PARTIALLY_FILLED": "CANCELLED", "UNKNOWN": "CANCELLED",
    },
    "OutcomeUnknown": {"ACCEPTED": "UNKNOWN", "WORKING": "UNKNOWN", "PARTIALLY_FILLED": "UNKNOWN"},
}  # fmt: skip
"""What moves an order from which state to which. An event changes nothing in a state that its row does not name."""

LEGAL: Final[Mapping[OrderStatus, tuple[OrderStatus, ...]]] = {
    status: tuple(to for to in STATUSES if any(row.get(status) == to for row in STEPS.values())) for status in STATUSES
}
"""The states that may follow each state."""

TERMINAL: Final = frozenset(status for status in STATUSES if not LEGAL[status])
"""States that nothing leaves: REJECTED, FILLED, CANCELLED, EXPIRED."""

_IMPLY_ACCEPTANCE: Final = frozenset(
    {
        m.OrderRouted, m.OrderNotRouted, m.OrderAcknowledged, m.OrderFilled, m.OrderCancelled, m.OrderExpired,
        m.OrderRejectedByVenue, m.OutcomeUnknown,
    }
)  # fmt: skip
_NOTHING: Final[Mapping[OrderStatus, OrderStatus]] = {}


def advance(status: OrderStatus, event: Any, filled: bool = False) -> OrderStatus:
    """The state after one event of orders.decisions or orders.executions; unchanged by events that move no order.

    `filled` says whether the order has fills already: evidence after UNKNOWN then leads back to PARTIALLY_FILLED.
    An execution of a PENDING order counts as accepted first, for views that read executions ahead of decisions.
    """
    kind = type(event)
    if status == "PENDING" and kind in _IMPLY_ACCEPTANCE:
        status = "ACCEPTED"
    return STEPS.get(_row_of(kind, status, event, filled), _NOTHING).get(status, status)


def _row_of(kind: type, status: OrderStatus, event: Any, filled: bool) -> str:
    name = kind.__name__
    if kind is m.OrderFilled:
        return "OrderFilled to the end" if event.status == "FILLED" else "OrderFilled in part"
    if kind is m.OrderRejectedByVenue:
        filled = filled or status == "PARTIALLY_FILLED" or event.cumulative_quantity_e8 > 0
    return f"{name} after fills" if filled and f"{name} after fills" in STEPS else name


def markdown() -> str:
    """docs/order-states.md."""
    head = "| event | " + " | ".join(STATUSES) + " |\n|---|" + "---|" * len(STATUSES) + "\n"
    rows = "".join(
        f"| `{name}` | " + " | ".join(row.get(status, "") for status in STATUSES) + " |\n"
        for name, row in STEPS.items()
    )
    arrows = "".join(f"    {status} --> {to}\n" for status in STATUSES for to in LEGAL[status])
    ends = "".join(f"    {status} --> [*]\n" for status in STATUSES if status in TERMINAL)
    return _PAGE.format(table=head + rows, arrows=arrows, ends=ends, terminal=", ".join(sorted(TERMINAL)))


_PAGE: Final = """# Order states

Generated from `truetape/orders.py: STEPS` by `python -m truetape.orders > docs/order-states.md`; a test compares them.

Rows are events of `orders.decisions` and `orders.executions`, columns the state before, cells the state after. An empty
cell changes nothing: late, repeated and unrelated events are harmless.

{table}
Terminal: {terminal}. They are final. A late fill changes quantities and balances, never the state.

```mermaid
stateDiagram-v2
    [*] --> PENDING
{arrows}{ends}```

- **REJECTED** has three reasons that never mix: `OrderRejected` (risk, nothing was sent), `OrderNotRouted` (no venue
  could take it, nothing was sent) and `OrderRejectedByVenue` (the venue's word, also that it never had the order).
- **An order with fills is never REJECTED**: if a venue refuses the rest of it, it is CANCELLED.
- **UNKNOWN** is left only by evidence of the venue: an acknowledgement, a fill, an end. No timer leaves it.
- A view that reads executions before the decision sees PENDING first; an execution implies that the order was accepted.
"""

if __name__ == "__main__":
    sys.stdout.write(markdown())
