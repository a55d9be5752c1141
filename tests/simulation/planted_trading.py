"""Trading systems with one bug each, for the seeded simulation of the real services to find."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest import mock

from msgspec.structs import replace as replaced

from services.clearing import ledger
from services.risk import credit
from services.router import core
from services.router.core import State, open_legs
from tests.simulation.exchange import Session
from tests.simulation.planted_runners import ActsAtOnce, ReportsNotChecked
from tests.simulation.trading import Trading, small
from truetape import messages as m
from truetape.runner import Runner
from truetape.venue import reports as r

Plant = Callable[[int], Trading]


class SendsAgain(Session):
    """After a takeover an intent without an outcome is sent once more."""

    def resume(self, partition: int, state: State) -> None:
        super().resume(partition, state)
        for order, leg in open_legs(state):
            if leg.status == "SENT":
                self.send(
                    r.OrderRequest(
                        leg.symbol, leg.client_order_id, order.side, "GTC", False, leg.quantity_e8, leg.price_e8,
                        leg.send_before_us,
                    )
                )  # fmt: skip


class SendingAgain(Trading):
    session = SendsAgain


def forgetful(state: State, event: Any) -> State:
    """Does not remember which fills are booked."""
    core.evolve(state, event)
    if isinstance(event, m.OrderFilled):
        state.orders[event.order_id].legs[event.leg].executions.clear()
    return state


class Forgetting(Trading):
    services = (Trading.services[0], small(replace(core.SERVICE, evolve=forgetful)), Trading.services[2])


@contextmanager
def patched(name: str) -> Iterator[None]:
    """The named bug inside a service."""
    target, attribute, value = INSIDE[name]
    with mock.patch.object(target, attribute, value):
        yield


def fee_the_wrong_way(fill: m.OrderFilled, quote_e8: int, fee_e8: int) -> tuple[m.Line, ...]:
    """The venue's fee with the wrong sign: entries still sum to zero."""
    return _trade_lines(replaced(fill, fee_e8=-fill.fee_e8), quote_e8, fee_e8)


_trade_lines = ledger.trade_lines

INSIDE: Final[Mapping[str, tuple[Any, str, Any]]] = {
    '"no such order" believed before the deadline': (core, "EVIDENCE_MARGIN_US", -(10**12)),
    "venue fee with the wrong sign": (ledger, "trade_lines", fee_the_wrong_way),
    "reservation kept for ever": (credit, "left_e8", lambda reservation, quantity_e8, cleared_e8: 1),
}
"""Bugs that replace one name of a module."""
AROUND: Final[Mapping[str, Plant]] = {
    "intent sent again after a takeover": SendingAgain,
    "fills not remembered": Forgetting,
    "effects at once": lambda seed: Trading(seed, ActsAtOnce),
    "reports not checked": lambda seed: Trading(seed, ReportsNotChecked),
}
"""Bugs that replace a part."""


def run(name: str, seed: int) -> None:
    """One run with the named bug. Raises Broken when it is seen."""
    if name in AROUND:
        AROUND[name](seed).run()
    else:
        with patched(name):
            Trading(seed, Runner).run()
