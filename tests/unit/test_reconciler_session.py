"""The reconciler's session on a true tape and a venue in memory: it asks, compares, offers, and can do nothing else."""

import ast
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import services.reconciler
from services.reconciler.books import Books
from services.reconciler.core import Comparison
from services.reconciler.session import Session
from tests.unit.audit_stage import ONE_VENUE, Stage
from tests.unit.desk import ANN
from truetape.errors import BrokerUnavailable, TopicMissing, VenueError
from truetape.happenings import Part
from truetape.ids import break_id
from truetape.money import to_e8
from truetape.simlog import SimLog
from truetape.topics import ORDERS_EXECUTIONS
from truetape.venue.reports import VenueBalance, VenueFilled, VenueOrder, VenueTrade

PATIENCE_SECONDS = 20.0


class Asked:
    """A venue that only answers questions; anything else is an error of the test."""

    name = "alpha"

    def __init__(self, fills: list[VenueFilled], deposits: dict[str, int]) -> None:
        self.listed = [of_fill(one) for one in fills]
        self.deposits = deposits
        self.open: list[VenueOrder] = []
        self.failing = 0

    async def trades(self, symbol: str, *, venue_order_id: str | None = None, from_id: int = 0) -> list[VenueTrade]:
        if self.failing:
            self.failing -= 1
            raise VenueError("no answer")
        return [one for one in self.listed if one.symbol == symbol and one.trade_id >= from_id]

    async def balances(self) -> list[VenueBalance]:
        held = dict(self.deposits)
        for one in self.listed:
            sign = 1 if one.side == "BUY" else -1
            for asset, amount_e8 in (
                ("BTC", sign * one.quantity_e8), ("USDT", -sign * one.quote_amount_e8), (one.fee_asset, -one.fee_e8),
            ):  # fmt: skip
                held[asset] = held.get(asset, 0) + amount_e8
        return [VenueBalance(asset, amount_e8, 0) for asset, amount_e8 in held.items()]

    async def open_orders(self, symbol: str) -> list[VenueOrder]:
        return self.open

    async def close(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the reconciler must not ask for {name}")


def of_fill(fill: VenueFilled) -> VenueTrade:
    """The fill as the venue lists it later."""
    number = int(fill.execution_id.split(":")[2])
    return VenueTrade(
        fill.venue, fill.symbol, number, fill.execution_id, fill.venue_order_id, fill.side, fill.quantity_e8,
        fill.price_e8, fill.quote_amount_e8, fill.fee_asset, fill.fee_e8, fill.liquidity, fill.transacted_at_us,
    )  # fmt: skip


class Desk:
    """A session that runs, and what it offered."""

    def __init__(self, stage: Stage, venue: Asked) -> None:
        self.stage, self.venue = stage, venue
        self.offered: list[Comparison] = []
        self.ended = threading.Event()
        self.log = ReadOnly(stage.broker.log("reader"))
        self.session = Session(
            self._offer, lambda: {"alpha": venue}, lambda: Books(self.log), lambda: (ONE_VENUE,), 0.01, 0.0,
            self.ended.set,
        )  # fmt: skip

    def _offer(self, partition: int, source: str, id: str, message: Any) -> None:
        assert (partition, source) == (0, "venue:alpha")
        self.offered.append(message)

    def wait(self, holds: Callable[[], object]) -> None:
        """Until something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, self.offered[-1:]
            time.sleep(0.005)

    def next(self) -> Comparison:
        """A comparison that began after this call."""
        before = len(self.offered)
        self.wait(lambda: len(self.offered) > before + 1)
        return self.offered[-1]

    def classes(self) -> list[tuple[str, str]]:
        """(class, key) of each difference of the next comparison."""
        return sorted((one.break_class, one.key) for one in self.next().differences.values())


class ReadOnly:
    """A log of which only reading is allowed."""

    def __init__(self, log: SimLog) -> None:
        self._log = log
        self.ends, self.read = log.ends, log.read

    def close(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the reconciler must not {name}")


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Ann holds an order that rests; everything else has happened on both sides."""
    stage = Stage()
    stage.trade()
    deposits = {"USDT": to_e8("2000000"), "BTC": to_e8("38")}
    venue = Asked(stage.venue.fills, deposits)
    for name, quantity_e8 in resting(stage).items():
        venue.open.append(VenueOrder("alpha", "BTCUSDT", "v-1", name, "BUY", "OPEN", "NEW", quantity_e8, 1, 0, 0, 0, 0))
    found = Desk(stage, venue)
    found.session.start()
    yield found
    found.session.close()


def resting(stage: Stage) -> dict[str, int]:
    """Open orders as the router's state has them."""
    owned = stage.runners["router"]._owned.values()
    legs = [leg for own in owned for order in own.state.orders.values() for leg in order.legs]
    return {leg.client_order_id: leg.quantity_e8 for leg in legs if leg.status in ("SENT", "WORKING", "UNKNOWN")}


def test_a_true_tape_matches_its_venue(desk: Desk) -> None:
    desk.session.resume(0, None)
    found = desk.next()
    assert found.differences == {}
    assert found.fills_matched == len(desk.stage.venue.fills) > 10
    assert (found.balances_compared, found.orders_compared) == (2, len(desk.venue.open))
    assert desk.venue.open, "or no order was compared"


def test_nothing_is_compared_while_somebody_else_owns_the_breaks(desk: Desk) -> None:
    time.sleep(0.1)
    assert desk.offered == []
    desk.session.resume(0, None)
    desk.next()
    desk.session.release(0)
    time.sleep(0.1)
    before = len(desk.offered)
    time.sleep(0.1)
    assert len(desk.offered) == before


def test_what_happens_behind_our_back_is_found(desk: Desk) -> None:
    desk.session.resume(0, None)
    assert desk.classes() == []
    by_hand = VenueTrade("alpha", "BTCUSDT", 900, "alpha:BTCUSDT:900:S", "9", "SELL", 5, 1, 7, "BNB", 3, "TAKER", 0)
    desk.venue.listed.append(by_hand)
    assert desk.classes() == [("MISSING_INTERNALLY", by_hand.execution_id)]
    desk.venue.deposits["DOGE"] = 1
    desk.venue.open.append(VenueOrder("alpha", "BTCUSDT", "9", "by-hand", "BUY", "OPEN", "NEW", 2, 1, 0, 0, 0, 0))
    desk.venue.open.pop(0)
    assert [one for one, _ in desk.classes()] == ["BALANCE", "MISSING_INTERNALLY", "ORDER_STATE", "ORPHAN_AT_VENUE"]


def test_the_age_of_a_difference_counts_from_its_first_sight(desk: Desk) -> None:
    desk.session.resume(0, None)
    desk.next()
    desk.venue.deposits["DOGE"] = 1
    name = break_id("alpha", "BALANCE", "DOGE")
    desk.wait(lambda: name in desk.offered[-1].differences)
    first = desk.offered[-1].first_seen_us[name]
    assert desk.next().first_seen_us[name] == first
    del desk.venue.deposits["DOGE"]
    desk.wait(lambda: name not in desk.offered[-1].differences)
    desk.venue.deposits["DOGE"] = 1
    desk.wait(lambda: name in desk.offered[-1].differences)
    assert desk.offered[-1].first_seen_us[name] > first


def test_a_venue_that_does_not_answer_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.reconciler.session.RETRY_SECONDS", 0.01)
    desk.venue.failing = 3
    desk.session.resume(0, None)
    assert desk.next().differences == {}


def test_a_broker_that_has_just_come_back_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may not know its topics yet; they were there when the process began."""
    monkeypatch.setattr("services.reconciler.session.RETRY_SECONDS", 0.01)
    answers: list[Exception] = [TopicMissing("clearing.entries/0 does not exist"), BrokerUnavailable("away")]
    catch_up = desk.session._open_books

    def open_books() -> Books:
        if answers:
            raise answers.pop()
        return catch_up()

    monkeypatch.setattr(desk.session, "_open_books", open_books)
    desk.session.resume(0, None)
    assert desk.next().differences == {}
    assert answers == []
    assert not desk.ended.is_set()


def test_a_gap_ends_the_process(desk: Desk) -> None:
    desk.stage.broker.partition(Part(ORDERS_EXECUTIONS.name, desk.stage.partition(ANN))).expire(2)
    desk.session.resume(0, None)
    assert desk.ended.wait(PATIENCE_SECONDS)
    assert desk.offered == []


def test_it_reports_and_can_do_nothing_else(desk: Desk) -> None:
    """The venue and the log of this desk raise at anything but a question, and nothing is written anywhere."""
    before = ends(desk.stage)
    desk.session.resume(0, None)
    desk.venue.deposits["USDT"] -= 5
    assert desk.classes() == [("BALANCE", "USDT")]
    assert ends(desk.stage) == before


def ends(stage: Stage) -> Mapping[Part, int]:
    return {part: partition.end for part, partition in stage.broker._partitions.items()}


def test_no_line_of_it_calls_what_writes() -> None:
    folder = Path(services.reconciler.__file__).parent
    called = {
        (path.name, node.func.attr)
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert ("session.py", "trades") in called, "or nothing was searched"
    assert not {name for _, name in called} & {"submit", "cancel", "produce", "post_order", "delete", "execute"}
    assert ("books.py", "append") not in called and ("session.py", "append") not in called
