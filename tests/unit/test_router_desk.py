"""The desk where orders of events matter that no real venue produces on demand: a venue that follows a script."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.router import desk as desk_module
from services.router.core import EVIDENCE_MARGIN_US
from services.router.desk import Desk
from services.router.tracked import Tracked
from truetape import ids
from truetape.venue import reports as r
from truetape.venue.adapter import Listener
from truetape.venue.book import BookView
from truetape.venue.errors import VenueDoubtful

PARTITION = 5
ORDER_ID = "0123456789abcdef" * 2
LEG = ids.venue_client_order_id(PARTITION, ORDER_ID, 0)
DEADLINE_US = 5_000_000
ACK = r.VenueAcknowledged("alpha", LEG, "28", 1)
UNKNOWN = r.VenueUnknown("alpha", LEG, "timeout")
REJECTED = r.VenueRejected("alpha", LEG, "-2010", "no")
REQUEST = r.OrderRequest("BTCUSDT", LEG, "BUY", "GTC", False, 10, 100, DEADLINE_US)


def fill(trade: int, quantity: int, source: r.FillSource = "stream") -> r.VenueFilled:
    return r.VenueFilled(
        "alpha", "BTCUSDT", LEG, "28", f"alpha:BTCUSDT:{trade}:B", "BUY", quantity, 100, 1, "BTC", 0, "TAKER", 1, source
    )


def shown(status: r.VenueOrderStatus, filled: int) -> r.VenueOrder:
    return r.VenueOrder("alpha", "BTCUSDT", "28", LEG, "BUY", status, status, 10, 100, filled, 1, 1, 1)


def trade_of(one: r.VenueFilled) -> r.VenueTrade:
    return r.VenueTrade(
        one.venue, one.symbol, 1, one.execution_id, one.venue_order_id, one.side, one.quantity_e8, one.price_e8,
        one.quote_amount_e8, one.fee_asset, one.fee_e8, one.liquidity, one.transacted_at_us,
    )  # fmt: skip


class ScriptedVenue:
    """Answers what the test says, when it says so; keeps the calls."""

    name = "alpha"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answer: asyncio.Future[Sequence[r.Report]] = asyncio.get_running_loop().create_future()
        self.cancel_answer: Sequence[r.Report] = ()
        self.found: r.VenueOrder | r.VenueExpired | Exception | None = None
        self.next_found: list[r.VenueOrder | Exception | None] = []
        """Answered first, one by one."""
        self.open: list[r.VenueOrder] | Exception = []
        self.own_trades: list[r.VenueTrade] = []
        self.now_us = 0

    async def submit(self, order: r.OrderRequest) -> Sequence[r.Report]:
        self.calls.append("submit")
        return await self.answer

    async def cancel(self, symbol: str, client_order_id: str) -> Sequence[r.Report]:
        self.calls.append("cancel")
        return self.cancel_answer

    async def order(self, symbol: str, client_order_id: str) -> r.VenueOrder | r.VenueExpired | None:
        self.calls.append("order")
        found = self.next_found.pop(0) if self.next_found else self.found
        if isinstance(found, Exception):
            raise found
        return found

    async def open_orders(self, symbol: str) -> Sequence[r.VenueOrder]:
        self.calls.append("open_orders")
        if isinstance(self.open, Exception):
            raise self.open
        return self.open

    async def trades(self, symbol: str, *, venue_order_id: str | None = None, from_id: int = 0) -> list[r.VenueTrade]:
        self.calls.append(f"trades from {from_id}" if from_id else "trades")
        return self.own_trades

    async def balances(self) -> Sequence[r.VenueBalance]:
        return ()

    async def server_time_us(self) -> int:
        self.calls.append("time")
        return self.now_us

    def venue_now_us(self) -> int:
        return self.now_us

    def accepts_orders(self) -> bool:
        return True

    async def follow_books(self, symbols: Callable[[], Iterable[str]], publish: Callable[[BookView], None]) -> None:
        await asyncio.Event().wait()

    async def user_stream(self, listener: Listener) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is open."""


class Bench:
    """A desk, its venue, and what it offered."""

    def __init__(self) -> None:
        self.venue = ScriptedVenue()
        self.offered: list[Any] = []
        self.ids: list[str] = []
        self.desk = Desk(self.venue, self._take, Counter())
        self.desk.own(PARTITION, [])
        self.work = asyncio.create_task(self.desk.work())

    def _take(self, partition: int, source: str, id: str, report: Any) -> None:
        assert (partition, source) == (PARTITION, "venue:alpha")
        self.offered.append(report)
        self.ids.append(id)

    def tracked(self, **changed: Any) -> Tracked:
        return Tracked(PARTITION, ORDER_ID, "BTCUSDT", LEG, DEADLINE_US, **changed)

    async def sent(self) -> None:
        self.desk.send(self.tracked(), REQUEST)
        await self.until(lambda: "submit" in self.venue.calls)

    async def answered(self, *told: r.Report) -> None:
        self.venue.answer.set_result(told)
        await asyncio.sleep(0.005)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(desk_module, "GRACE_SECONDS", 0.02)
    monkeypatch.setattr(desk_module, "ASK_AGAIN_SECONDS", (0.01, 0.02))
    one = Bench()
    yield one
    one.work.cancel()
    await asyncio.gather(one.work, return_exceptions=True)


async def test_evidence_before_a_lost_answer_leaves_no_doubt(bench: Bench) -> None:
    await bench.sent()
    bench.desk.told(ACK)
    assert bench.offered == [], "the answer may say more"
    await bench.answered(UNKNOWN)
    assert bench.offered == [ACK]


async def test_an_acknowledgement_is_not_repeated(bench: Bench) -> None:
    await bench.sent()
    bench.desk.told(ACK)
    await bench.answered(ACK)
    bench.desk.told(ACK)
    assert bench.offered == [ACK]


async def test_a_fill_is_offered_once_whichever_way_it_comes(bench: Bench) -> None:
    await bench.sent()
    bench.desk.told(fill(1, 4))
    await bench.answered(fill(1, 4, "reply"), fill(2, 6, "reply"))
    for one in (fill(1, 4), fill(2, 6), ACK):
        bench.desk.told(one)
    assert bench.offered == [fill(1, 4), fill(2, 6, "reply")]
    bench.desk.end(LEG)
    bench.desk.told(fill(2, 6))
    assert len(bench.offered) == 2
    bench.desk.told(fill(3, 1))
    bench.desk.told(fill(3, 1))
    assert bench.offered[2:] == [fill(3, 1)], "a late fill is a fact"


async def test_a_refusal_against_the_evidence_is_asked_about(bench: Bench) -> None:
    await bench.sent()
    bench.desk.told(ACK)
    bench.venue.found = shown("OPEN", 0)
    await bench.answered(REJECTED)
    await bench.until(lambda: "order" in bench.venue.calls)
    assert bench.offered == [ACK]


async def test_an_end_is_held_until_its_fills_came(bench: Bench) -> None:
    await bench.sent()
    await bench.answered(ACK)
    bench.desk.told(r.VenueCancelled("alpha", LEG, 10, "CANCELED"))
    bench.desk.told(fill(1, 4))
    assert bench.offered == [ACK, fill(1, 4)]
    bench.desk.told(fill(2, 6))
    assert bench.offered[-1] == r.VenueCancelled("alpha", LEG, 10, "CANCELED")


async def test_fills_that_do_not_come_are_asked_for_before_the_end(bench: Bench) -> None:
    await bench.sent()
    await bench.answered(ACK)
    bench.venue.found = shown("EXPIRED", 10)
    bench.desk.told(r.VenueExpired("alpha", LEG, 10, "EXPIRED"))
    await bench.until(lambda: "trades" in bench.venue.calls)
    assert bench.offered == [ACK], "the venue's list of trades may lag too"
    bench.venue.own_trades = [trade_of(fill(1, 10))]
    await bench.until(lambda: len(bench.offered) >= 3)
    assert bench.offered[1:3] == [fill(1, 10, "query"), r.VenueExpired("alpha", LEG, 10, "EXPIRED")]


async def test_no_such_order_is_proof_only_after_the_deadline_by_the_venues_clock(bench: Bench) -> None:
    await bench.sent()
    await bench.answered(UNKNOWN)
    await bench.until(lambda: bench.venue.calls.count("order") >= 3)
    assert bench.offered == [UNKNOWN]
    bench.venue.now_us = DEADLINE_US + EVIDENCE_MARGIN_US + 1
    bench.venue.calls.clear()
    await bench.until(lambda: len(bench.offered) > 1)
    assert bench.offered[1] == r.VenueNotFound("alpha", LEG, bench.venue.now_us)
    asked = bench.venue.calls.index("time")
    assert bench.venue.calls[asked : asked + 2] == ["time", "order"], "the clock is read before the question"


async def test_what_was_seen_there_is_never_absent(bench: Bench) -> None:
    bench.venue.now_us = 10**12
    bench.desk.own(PARTITION, [bench.tracked(venue_order_id="28")])
    await bench.until(lambda: bench.venue.calls.count("order") >= 2)
    assert bench.offered == []


async def test_a_failing_question_is_asked_again_and_leaves_the_order_unknown(bench: Bench) -> None:
    bench.venue.found = VenueDoubtful("HTTP 500")
    bench.desk.own(PARTITION, [bench.tracked()])
    await bench.until(lambda: bench.venue.calls.count("order") >= 5)
    assert bench.offered == [r.VenueUnknown("alpha", LEG, "HTTP 500")]
    assert "submit" not in bench.venue.calls
    bench.venue.found = shown("OPEN", 0)
    await bench.until(lambda: len(bench.offered) > 1)
    assert bench.offered[1] == ACK
    asked = bench.venue.calls.count("order")
    await asyncio.sleep(0.1)
    assert bench.venue.calls.count("order") == asked, "an open order waits for its events"


async def test_an_intent_without_outcome_is_asked_for_although_open_orders_cannot_be_listed(bench: Bench) -> None:
    bench.venue.open, bench.venue.found = VenueDoubtful("HTTP 500"), shown("OPEN", 0)
    bench.desk.own(PARTITION, [bench.tracked()])
    await bench.until(lambda: bench.offered == [ACK])


async def test_two_failed_questions_are_no_doubt_yet(bench: Bench) -> None:
    bench.venue.next_found = [VenueDoubtful("HTTP 500"), VenueDoubtful("HTTP 500")]
    bench.venue.found = shown("OPEN", 0)
    bench.desk.own(PARTITION, [bench.tracked()])
    await bench.until(lambda: bool(bench.offered))
    assert bench.offered == [ACK]


async def test_a_cancel_waits_for_the_answer_to_its_order(bench: Bench) -> None:
    await bench.sent()
    bench.desk.cancel(LEG, "c1")
    await asyncio.sleep(0.01)
    assert "cancel" not in bench.venue.calls
    bench.venue.cancel_answer = (r.VenueCancelled("alpha", LEG, 0, "CANCELED"),)
    await bench.answered(ACK)
    await bench.until(lambda: len(bench.offered) == 2)
    assert bench.offered == [ACK, r.VenueCancelled("alpha", LEG, 0, "CANCELED")]


async def test_a_cancel_of_an_order_in_doubt_is_sent_again_when_it_turns_up(bench: Bench) -> None:
    await bench.sent()
    await bench.answered(UNKNOWN)
    bench.venue.cancel_answer = (r.VenueCancelRejected("alpha", LEG, "-2011", "Unknown order sent."),)
    bench.desk.cancel(LEG, "c1")
    await bench.until(lambda: "cancel" in bench.venue.calls)
    await asyncio.sleep(0.02)
    assert bench.offered == [UNKNOWN]
    bench.venue.found = shown("OPEN", 0)
    bench.venue.cancel_answer = (r.VenueCancelled("alpha", LEG, 0, "CANCELED"),)
    await bench.until(lambda: len(bench.offered) == 3)
    assert bench.offered[1:] == [ACK, r.VenueCancelled("alpha", LEG, 0, "CANCELED")]


async def test_a_cancel_that_the_venue_refuses_for_good_is_told(bench: Bench) -> None:
    await bench.sent()
    await bench.answered(ACK)
    refusal = r.VenueCancelRejected("alpha", LEG, "-2015", "no permission")
    bench.venue.cancel_answer, bench.venue.found = (refusal,), shown("OPEN", 0)
    bench.desk.cancel(LEG, "c1")
    await bench.until(lambda: len(bench.offered) == 2)
    assert (bench.offered[1], bench.ids[1]) == (refusal, f"{LEG}:VenueCancelRejected:c1")
    assert bench.venue.calls.count("cancel") == desk_module.CANCEL_TRIES


async def test_too_many_orders_under_way_are_a_definite_outcome(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "UNDER_WAY_MAX", 1)
    await bench.sent()
    bench.desk.send(bench.tracked(), REQUEST)
    await asyncio.sleep(0.01)
    assert [type(one).__name__ for one in bench.offered] == ["VenueRejected"]
    assert bench.offered[0].code == "OVERLOADED"
    assert bench.venue.calls.count("submit") == 1


@pytest.mark.parametrize("listed", [[], [shown("OPEN", 4)]], ids=["gone", "filled more"])
async def test_what_the_stream_lost_shows_in_the_open_orders(bench: Bench, listed: list[r.VenueOrder]) -> None:
    bench.venue.open = [shown("OPEN", 0)]
    bench.desk.own(PARTITION, [bench.tracked(venue_order_id="28")])
    await bench.until(lambda: bench.venue.calls.count("open_orders") == 1)
    await asyncio.sleep(0.05)
    assert "order" not in bench.venue.calls, "here and there agree"
    bench.venue.open = listed
    bench.venue.found = listed[0] if listed else shown("FILLED", 10)
    bench.venue.own_trades = [trade_of(fill(1, 4 if listed else 10))]
    bench.desk.connected("alpha")
    await bench.until(lambda: bool(bench.offered))
    assert bench.offered == [fill(1, 4 if listed else 10, "query")]


async def test_a_partition_given_up_is_left_alone(bench: Bench) -> None:
    bench.desk.own(PARTITION, [bench.tracked()])
    bench.desk.disown(PARTITION)
    bench.desk.told(fill(1, 4))
    await asyncio.sleep(0.05)
    assert bench.offered == []
    assert "order" not in bench.venue.calls


def ended(**changed: Any) -> Tracked:
    """A leg that was cancelled after 4 of 10."""
    known: dict[str, Any] = {"venue_order_id": "28", "filled_e8": 4, "quantity_e8": 10, "after_trade": 6} | changed
    return Tracked(PARTITION, ORDER_ID, "BTCUSDT", LEG, DEADLINE_US, executions={"alpha:BTCUSDT:7:B": None}, **known)


async def test_a_new_owner_finds_the_fills_that_came_while_nobody_listened(bench: Bench) -> None:
    """The venue is asked for trades since the one that was known before the order: the booked ones come again."""
    stranger = msgspec.structs.replace(trade_of(fill(8, 3)), venue_order_id="of another key's partition")
    bench.venue.own_trades = [trade_of(fill(7, 4)), stranger, trade_of(fill(9, 2))]
    bench.desk.own(PARTITION, [], [ended()])
    await bench.until(lambda: bool(bench.offered))
    assert "trades from 7" in bench.venue.calls
    assert bench.offered == [fill(9, 2, "query")]
    bench.desk.told(fill(9, 2))
    bench.desk.connected("alpha")
    await bench.until(lambda: bench.venue.calls.count("trades from 7") == 2)
    await asyncio.sleep(0.005)
    assert len(bench.offered) == 1, "it is offered once"


@pytest.mark.parametrize("unknown", [{"after_trade": 0}, {"venue_order_id": ""}])
async def test_an_ended_order_of_which_too_little_is_known_is_asked_for_itself(
    bench: Bench, unknown: dict[str, Any]
) -> None:
    bench.venue.found, bench.venue.own_trades = shown("CANCELLED", 6), [trade_of(fill(7, 4)), trade_of(fill(9, 2))]
    bench.desk.own(PARTITION, [], [ended(**unknown)])
    await bench.until(lambda: bool(bench.offered))
    assert bench.offered == [fill(9, 2, "query")]


async def test_after_a_lost_stream_ended_orders_are_asked_for_until_the_venue_answers(bench: Bench) -> None:
    await bench.until(lambda: not bench.desk._missed)
    bench.desk.own(PARTITION, [bench.tracked(venue_order_id="28", quantity_e8=10)])
    bench.desk.end(LEG)
    bench.venue.next_found, bench.venue.found = [VenueDoubtful("HTTP 500")], shown("CANCELLED", 2)
    bench.venue.own_trades = [trade_of(fill(9, 2))]
    bench.desk.connected("alpha")
    await bench.until(lambda: bool(bench.offered))
    assert bench.offered == [fill(9, 2, "query")]


async def test_a_partition_that_was_given_away_is_not_asked_for(bench: Bench) -> None:
    bench.desk.own(PARTITION, [], [ended()])
    bench.desk.disown(PARTITION)
    bench.venue.own_trades = [trade_of(fill(9, 2))]
    bench.desk.connected("alpha")
    await bench.until(lambda: not bench.desk._missed)
    assert bench.offered == [] and not any(call.startswith("trades") for call in bench.venue.calls)
