"""Late fills: those of orders whose end is on the tape already, that the venue told while nobody listened.

The stream tells of them while it lives. After it was lost, and when a partition is taken over, the venue is asked
for its trades since the last one that was known before the oldest such order was sent.
"""

from collections.abc import Iterable
from typing import Final

import structlog

from services.router.tracked import Tracked
from truetape.venue import reports as r
from truetape.venue.adapter import Venue

LEGS_MAX: Final = 2_048
"""Ended legs that may still have fills, the newest: those before are the reconciler's."""
ASKED_ALONE_MAX: Final = 64
"""Legs that are asked for one by one, because no earlier trade or no order id of the venue is known."""
_log = structlog.get_logger()


class LateFills:
    """Legs of one venue that ended without being filled whole."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._legs: dict[str, Tracked] = {}
        self._newest: dict[str, int] = {}

    def saw(self, symbol: str, executions: Iterable[str]) -> None:
        """These fills are known."""
        newest = max(map(r.trade_id_of, executions), default=0)
        self._newest[symbol] = max(newest, self._newest.get(symbol, 0))

    def newest(self, symbol: str) -> int:
        """The highest trade id known on a symbol: a leg that is sent now fills later. 0 when none is known."""
        return self._newest.get(symbol, 0)

    def watch(self, tracked: Tracked) -> None:
        """The leg has ended; when it is not filled whole, it may have fills that nobody told."""
        if tracked.filled_e8 < tracked.quantity_e8:
            self._legs[tracked.client_order_id] = tracked
            if len(self._legs) > LEGS_MAX:
                del self._legs[next(iter(self._legs))]

    def forget(self, partition: int) -> None:
        """The partition is no longer ours."""
        self._legs = {name: one for name, one in self._legs.items() if one.partition != partition}

    async def ask(self) -> list[tuple[Tracked, r.VenueFilled]]:
        """Every fill that the venue has of the watched legs, known or not. Raises VenueError."""
        found: list[tuple[Tracked, r.VenueFilled]] = []
        for symbol in sorted({one.symbol for one in self._legs.values()}):
            legs = [one for one in self._legs.values() if one.symbol == symbol]
            listed = {one.venue_order_id: one for one in legs if one.venue_order_id and one.after_trade}
            if listed:
                first = min(one.after_trade for one in listed.values()) + 1
                for trade in await self._venue.trades(symbol, from_id=first):
                    if (tracked := listed.get(trade.venue_order_id)) is not None:
                        found.append((tracked, trade.filled(tracked.client_order_id)))
            found += await self._ask_alone([one for one in legs if one.venue_order_id not in listed])
        return found

    async def _ask_alone(self, legs: list[Tracked]) -> list[tuple[Tracked, r.VenueFilled]]:
        if len(legs) > ASKED_ALONE_MAX:
            _log.warning("ended orders not asked for; the reconciler compares them", count=len(legs) - ASKED_ALONE_MAX)
        found: list[tuple[Tracked, r.VenueFilled]] = []
        for tracked in legs[-ASKED_ALONE_MAX:]:
            order = await self._venue.order(tracked.symbol, tracked.client_order_id)
            if isinstance(order, r.VenueOrder) and order.cumulative_quantity_e8 > tracked.filled_e8:
                trades = await self._venue.trades(tracked.symbol, venue_order_id=order.venue_order_id)
                found += [(tracked, trade.filled(tracked.client_order_id)) for trade in trades]
        return found
