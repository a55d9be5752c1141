"""One venue's orders in flight: sends them once, cancels, and asks the venue whenever something is doubtful.

Nothing here decides what is true. Every answer, event and query result becomes a report that is offered to the core;
what is remembered here only avoids offering the same twice, and knows what must be asked for. It is rebuilt from
the tape whenever the partition is taken over.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import structlog

from services.router.core import EVIDENCE_MARGIN_US
from services.router.late import LateFills
from services.router.tracked import Tracked
from truetape import ids
from truetape.errors import VenueError
from truetape.venue import reports as r
from truetape.venue.adapter import Venue

UNDER_WAY_MAX: Final = 2_000
"""Orders that wait for their answer; more are not sent, and that is a definite outcome."""
SETTLE_AT_ONCE: Final = 8
ENDED_MAX: Final = 4_096
"""Ended legs whose executions are remembered, so that their repeated events are not offered again."""
GRACE_SECONDS: Final = 0.1
"""How long fills may lag behind an end, or behind a list of open orders, before they are asked for."""
ASK_AGAIN_SECONDS: Final = (0.2, 5.0)
"""First and longest wait between two questions about one order; doubled in between."""
DOUBT_AFTER: Final = 2
"""Questions that may fail before an intent without outcome is put on the tape as unknown."""
VERIFY_SECONDS: Final = 10.0
"""Between comparisons with the venue's open orders: a stream that lives may still have lost something."""
CANCEL_TRIES: Final = 5
_log = structlog.get_logger()
Offer = Callable[[int, str, str, Any], None]


class Desk:
    """All legs of one venue that this process works on. Lives in the session's event loop."""

    def __init__(self, venue: Venue, offer: Offer, counts: Counter[str]) -> None:
        self.venue = venue
        self._source = f"venue:{venue.name}"
        self._offer = offer
        self._counts = counts
        self._legs: dict[str, Tracked] = {}
        self._ended: dict[str, dict[str, None]] = {}
        self._partitions: set[int] = set()
        self._under_way = 0
        self._settling = asyncio.Semaphore(SETTLE_AT_ONCE)
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._verify_now = asyncio.Event()
        self._late = LateFills(venue)
        self._missed = False
        """Whether fills of ended legs may have been missed since they were asked for last."""
        self._loop = asyncio.get_running_loop()

    # -- what the session tells ------------------------------------------------------------------------------

    def own(self, partition: int, legs: Iterable[Tracked], ended: Iterable[Tracked] = ()) -> None:
        """Take up a partition: its legs without an end are asked for, never sent again; those that ended last are
        asked for fills that came while nobody listened."""
        self._partitions.add(partition)
        for tracked in ended:
            self._late.saw(tracked.symbol, tracked.executions)
            self._finish(tracked)
        for tracked in legs:
            self._late.saw(tracked.symbol, tracked.executions)
            self._legs[tracked.client_order_id] = tracked
            if not tracked.venue_order_id:
                self._ask(tracked, 0.0)
            elif tracked.cancel_command_id:
                self._start_cancel(tracked)
        self._missed = True
        self._verify_now.set()

    def disown(self, partition: int) -> None:
        """Forget a partition."""
        self._partitions.discard(partition)
        self._late.forget(partition)
        for tracked in [one for one in self._legs.values() if one.partition == partition]:
            self._forget(tracked)
        for name in [one for one in self._ended if ids.partition_of_venue_order(one) == partition]:
            del self._ended[name]  # A late fill offered while nobody owned the partition may come again.

    def send(self, tracked: Tracked, request: r.OrderRequest) -> None:
        """Send an order whose intent is on the tape."""
        tracked.after_trade = self._late.newest(tracked.symbol)
        self._legs[tracked.client_order_id] = tracked
        if self._under_way >= UNDER_WAY_MAX:
            reason = f"not sent: {UNDER_WAY_MAX} orders await the venue's answer"
            self._give(tracked, r.VenueRejected(self.venue.name, tracked.client_order_id, "OVERLOADED", reason))
            return
        self._under_way += 1
        tracked.sending = True
        self._spawn(self._send(tracked, request))

    def cancel(self, client_order_id: str, command_id: str) -> None:
        """Cancel a leg; while its order is on the way, as soon as that is answered."""
        if (tracked := self._legs.get(client_order_id)) is not None:
            tracked.cancel_command_id = command_id
            self._start_cancel(tracked)

    def end(self, client_order_id: str) -> None:
        """The tape has the leg's end."""
        tracked = self._legs.get(client_order_id)
        if tracked is None:
            return
        self._forget(tracked)
        self._finish(tracked)

    def _finish(self, tracked: Tracked) -> None:
        self._remember(tracked.client_order_id, tracked.executions)
        self._late.watch(tracked)

    # -- what the account's stream tells ---------------------------------------------------------------------

    def connected(self, venue: str) -> None:
        """Events may have been missed: compare what is open, and ask for fills of what has ended."""
        _log.info("venue user stream connected", venue=venue)
        self._missed = True
        self._verify_now.set()

    def lost(self, venue: str) -> None:
        """The next connection will compare what is open."""
        _log.warning("venue user stream lost", venue=venue)

    def told(self, event: r.UserEvent) -> None:
        """One event of the account; those of other routers' partitions are theirs."""
        tracked = self._legs.get(event.client_order_id)
        if tracked is not None:
            self._take(tracked, event)
            return
        partition = ids.partition_of_venue_order(event.client_order_id)
        if partition in self._partitions and isinstance(event, r.VenueFilled):
            assert partition is not None
            self._filled_late(partition, event)

    def _filled_late(self, partition: int, fill: r.VenueFilled) -> None:
        """A fill of a leg whose end is on the tape, whichever way it came."""
        known = self._ended.get(fill.client_order_id)
        if known is None:
            known = self._remember(fill.client_order_id, {})
        if fill.execution_id not in known:
            known[fill.execution_id] = None
            self._late.saw(fill.symbol, (fill.execution_id,))
            self._counts["venue_late_fills"] += 1
            self._offer(partition, self._source, r.report_id(fill), fill)

    # -- sending and cancelling ------------------------------------------------------------------------------

    async def _send(self, tracked: Tracked, request: r.OrderRequest) -> None:
        try:
            told = await self.venue.submit(request)
        finally:
            self._under_way -= 1
            tracked.sending = False
        self._counts["venue_orders"] += 1
        held, tracked.acknowledged = tracked.acknowledged, None
        if held is not None and isinstance(told[0], r.VenueUnknown | r.VenueRejected):
            told = (held,) if isinstance(told[0], r.VenueUnknown) else (held, *told)
        for report in told:
            self._take(tracked, report)
        if tracked.cancel_command_id:
            self._start_cancel(tracked)

    def _start_cancel(self, tracked: Tracked) -> None:
        if not tracked.sending and not tracked.cancelling:
            tracked.cancelling = True
            self._spawn(self._cancel(tracked))

    async def _cancel(self, tracked: Tracked) -> None:
        """Cancelling twice does no harm, so a doubtful cancel is sent again; the order itself tells the outcome."""
        command_id, wait = tracked.cancel_command_id, ASK_AGAIN_SECONDS[0]
        try:
            for _ in range(CANCEL_TRIES):
                told = await self.venue.cancel(tracked.symbol, tracked.client_order_id)
                ended = [report for report in told if isinstance(report, r.VenueCancelled | r.VenueExpired)]
                if ended:
                    self._take(tracked, ended[0])
                    return
                if await self._settle(tracked) != "OPEN":
                    return
                await asyncio.sleep(wait)
                wait *= 2
            refused = [report for report in told if isinstance(report, r.VenueCancelRejected)]
            code, reason = (refused[0].code, refused[0].reason) if refused else ("DOUBTFUL", "no answer to the cancel")
            report = r.VenueCancelRejected(self.venue.name, tracked.client_order_id, code, reason)
            tracked.cancel_command_id = ""
            self._offer(tracked.partition, self._source, f"{r.report_id(report)}:{command_id}", report)
        finally:
            tracked.cancelling = False

    # -- reports ---------------------------------------------------------------------------------------------

    def _take(self, tracked: Tracked, report: r.Report) -> None:
        """One report of a leg, whichever way it came: offer it when it is new and its time has come."""
        match report:
            case r.VenueFilled():
                self._filled(tracked, report)
            case r.VenueAcknowledged():
                if tracked.sending:
                    tracked.acknowledged = report
                elif not tracked.venue_order_id:
                    tracked.venue_order_id = report.venue_order_id
                    self._give(tracked, report)
            case r.VenueCancelled() | r.VenueExpired():
                self._end(tracked, report)
            case r.VenueUnknown():
                self._doubt(tracked, report)
            case r.VenueRejected() if tracked.venue_order_id or tracked.filled_e8:
                self._ask(tracked, 0.0)  # It contradicts what came before.
            case _:
                self._give(tracked, report)

    def _filled(self, tracked: Tracked, fill: r.VenueFilled) -> None:
        tracked.venue_order_id = fill.venue_order_id
        if fill.execution_id in tracked.executions:
            return
        tracked.executions[fill.execution_id] = None
        self._late.saw(fill.symbol, (fill.execution_id,))
        tracked.filled_e8 += fill.quantity_e8
        self._give(tracked, fill)
        if tracked.ended is not None:
            self._end(tracked, tracked.ended)

    def _end(self, tracked: Tracked, ended: r.Ended) -> None:
        """An end goes after the fills that it implies; those that do not come are asked for."""
        if ended.cumulative_quantity_e8 == tracked.filled_e8:
            tracked.ended = None
            self._give(tracked, ended)
        elif tracked.ended is None:
            tracked.ended = ended
            self._ask(tracked, GRACE_SECONDS)

    def _doubt(self, tracked: Tracked, report: r.VenueUnknown) -> None:
        """Doubtful, unless the venue already showed that it has the order."""
        _log.warning("venue outcome unknown", order_id=tracked.order_id, venue=report.venue, reason=report.reason)
        self._doubted(tracked, report.reason)
        self._ask(tracked, 0.0)

    def _doubted(self, tracked: Tracked, reason: str) -> None:
        if not tracked.venue_order_id and not tracked.doubted:
            tracked.doubted = True
            self._counts["venue_unknown"] += 1
            self._give(tracked, r.VenueUnknown(self.venue.name, tracked.client_order_id, reason))

    def _give(self, tracked: Tracked, report: r.Report) -> None:
        self._counts["venue_reports"] += 1
        self._offer(tracked.partition, self._source, r.report_id(report), report)

    # -- asking the venue ------------------------------------------------------------------------------------

    def _ask(self, tracked: Tracked, delay_seconds: float) -> None:
        """Ask for the order after a while; an earlier question takes the place of a later one."""
        at = self._loop.time() + delay_seconds
        if tracked.timer is not None:
            if tracked.timer.when() <= at:
                return
            tracked.timer.cancel()
        tracked.timer = self._loop.call_at(at, self._due, tracked)

    def _due(self, tracked: Tracked) -> None:
        tracked.timer = None
        if self._legs.get(tracked.client_order_id) is tracked and not tracked.sending and not tracked.settling:
            self._spawn(self._question(tracked))

    async def _question(self, tracked: Tracked) -> None:
        status = await self._settle(tracked)
        if status == "OPEN" and tracked.cancel_command_id:
            self._start_cancel(tracked)

    async def _settle(self, tracked: Tracked) -> str:
        """Ask the venue what became of a leg and offer it. Returns the order's status, "" while that is not known.

        Until the tape has the leg's end it is asked again, at growing intervals; an open order waits for its events.
        """
        tracked.settling = True
        self._counts["venue_questions"] += 1
        status = ""
        try:
            async with self._settling:
                status = await self._inquire(tracked)
        except VenueError as error:
            _log.warning("venue question failed", order_id=tracked.order_id, reason=str(error))
            if tracked.questions >= DOUBT_AFTER:
                self._doubted(tracked, str(error))
        finally:
            tracked.settling = False
        if status == "OPEN" and tracked.ended is None:
            tracked.questions = 0
        elif self._legs.get(tracked.client_order_id) is tracked:
            first, longest = ASK_AGAIN_SECONDS
            self._ask(tracked, min(first * 2**tracked.questions, longest))
            tracked.questions = min(tracked.questions + 1, 10)
        return status

    async def _inquire(self, tracked: Tracked) -> str:
        deadline_us = tracked.send_before_us + EVIDENCE_MARGIN_US
        venue_time_us = 0
        if not tracked.venue_order_id and self.venue.venue_now_us() > deadline_us:
            venue_time_us = await self.venue.server_time_us()  # Read before the question, so that the answer is later.
        found = await self.venue.order(tracked.symbol, tracked.client_order_id)
        if found is None:
            return self._absent(tracked, venue_time_us)
        if isinstance(found, r.VenueExpired):
            self._take(tracked, found)
            return "EXPIRED"
        if found.cumulative_quantity_e8 > tracked.filled_e8:
            for trade in await self.venue.trades(tracked.symbol, venue_order_id=found.venue_order_id):
                self._take(tracked, trade.filled(tracked.client_order_id))
        self._take_status(tracked, found)
        return found.status

    def _absent(self, tracked: Tracked, venue_time_us: int) -> str:
        name, client_order_id = self.venue.name, tracked.client_order_id
        if tracked.venue_order_id:
            _log.error("the venue no longer knows an order that it had", order_id=tracked.order_id, venue=name)
        elif venue_time_us:
            self._take(tracked, r.VenueNotFound(name, client_order_id, venue_time_us))
        else:
            self._doubted(tracked, "the venue does not know the order, and its deadline has not passed")
        return ""

    def _take_status(self, tracked: Tracked, found: r.VenueOrder) -> None:
        name, client_order_id, filled_e8 = self.venue.name, tracked.client_order_id, found.cumulative_quantity_e8
        match found.status:
            case "OPEN" | "FILLED":
                acknowledged = r.VenueAcknowledged(name, client_order_id, found.venue_order_id, found.created_at_us)
                self._take(tracked, acknowledged)
            case "CANCELLED":
                self._take(tracked, r.VenueCancelled(name, client_order_id, filled_e8, found.reason))
            case "EXPIRED":
                self._take(tracked, r.VenueExpired(name, client_order_id, filled_e8, found.reason))
            case "REJECTED":
                reason = "the venue rejected the order"
                self._take(tracked, r.VenueRejected(name, client_order_id, found.reason, reason))

    # -- comparing with the venue's open orders --------------------------------------------------------------

    async def work(self) -> None:
        """For ever: compare what is open here and there, at intervals and when events may have been missed.

        Its end is the desk's: everything under way is given up.
        """
        try:
            await self._verify()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _verify(self) -> None:
        while True:
            try:
                async with asyncio.timeout(VERIFY_SECONDS):
                    await self._verify_now.wait()
            except TimeoutError:
                pass
            self._verify_now.clear()
            try:
                for symbol in sorted({one.symbol for one in self._legs.values()}):
                    await self._compare(symbol)
                await self._fetch_late()
            except VenueError as error:
                _log.warning("orders not compared", venue=self.venue.name, reason=str(error))
                self._loop.call_later(1.0, self._verify_now.set)

    async def _fetch_late(self) -> None:
        if not self._missed:
            return
        self._missed = False
        try:
            found = await self._late.ask()
        except BaseException:
            self._missed = True
            raise
        for tracked, fill in found:
            if tracked.partition in self._partitions and tracked.client_order_id not in self._legs:
                self._filled_late(tracked.partition, fill)

    async def _compare(self, symbol: str) -> None:
        resting = [one for one in self._legs.values() if one.symbol == symbol and not one.sending]
        shown = {order.client_order_id: order for order in await self.venue.open_orders(symbol)}
        for tracked in resting:
            order = shown.get(tracked.client_order_id)
            if order is None or order.cumulative_quantity_e8 > tracked.filled_e8:
                self._ask(tracked, GRACE_SECONDS)

    # -- bookkeeping -----------------------------------------------------------------------------------------

    def _remember(self, client_order_id: str, executions: dict[str, None]) -> dict[str, None]:
        self._ended[client_order_id] = executions
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]
        return executions

    def _forget(self, tracked: Tracked) -> None:
        del self._legs[tracked.client_order_id]
        if tracked.timer is not None:
            tracked.timer.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("venue desk task failed", venue=self.venue.name, exc_info=error)
