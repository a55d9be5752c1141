"""The real adapter against the real simulated exchange, over a simulated network."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.loop import Process, SimLoop, simulated
from tests.simulation.network import Line, Network
from tests.simulation.venue import SimVenue, VenueOptions
from truetape.simbroker import SimBroker
from truetape.venue import reports as r
from truetape.venue.binance import Binance
from truetape.venue.book import BookView
from venues.faults import Rule
from venues.limits import Limits

SECOND = 1_000_000
TICK_E8 = 10**6


@pytest.fixture(autouse=True)
def seam() -> Iterator[None]:
    with simulated():
        yield


class Desk:
    """A client process with the adapter, following one book and the account's events."""

    def __init__(self, line: Line = Line(), seed: int = 1, **options: Any) -> None:
        self.broker = SimBroker(seed)
        self.network = Network(self.broker, seed, line)
        self.exchange = SimVenue(self.network, "alpha", seed, VenueOptions(**options))
        self.exchange.start()
        self.events: list[Any] = []
        self.views: list[BookView] = []
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.process = Process(self.broker, "router0", self.broker.now_us)
        self.loop: SimLoop = self.process.loop()
        self.process.run(self.loop.create_task, self._follow())
        self.broker.advance(3 * SECOND)

    async def _follow(self) -> None:
        known = self.exchange.settings()
        http = lambda: self.network.http(self.process, "router0")  # noqa: E731
        self.venue = Binance("alpha", known, known.api_key, known.api_secret, http)
        await asyncio.gather(
            self.venue.follow_books(lambda: ["BTCUSDT"], self.views.append), self.venue.user_stream(self)
        )

    def connected(self, venue: str) -> None:
        self.events.append("connected")

    def told(self, event: r.UserEvent) -> None:
        self.events.append(event)

    def lost(self, venue: str) -> None:
        self.events.append("lost")

    def buy(self, name: str, over_e8: int = 0, quantity_e8: int = 10**6) -> list[r.Report]:
        """A limit order that takes at once when its price is over the best."""
        price_e8 = ([view for view in self.views if view.usable][-1].asks[0][0] + over_e8) // TICK_E8 * TICK_E8

        async def submit() -> list[r.Report]:
            until_us = self.venue.venue_now_us() + 2 * SECOND
            order = r.OrderRequest("BTCUSDT", name, "BUY", "GTC", False, quantity_e8, price_e8, until_us)
            return list(await self.venue.submit(order))

        return self.loop.run(submit(), 60)


def kinds(found: list[Any]) -> list[str]:
    return [one if isinstance(one, str) else type(one).__name__ for one in found]


def test_an_order_goes_the_real_way_there_and_back() -> None:
    desk = Desk()
    told = desk.buy("TT000-a-00", over_e8=10 * TICK_E8)
    desk.broker.advance(SECOND)
    [fill] = told
    assert isinstance(fill, r.VenueFilled)
    assert desk.views[-1].usable
    assert kinds(desk.events) == ["connected", "VenueAcknowledged", "VenueFilled"]
    [(execution_id, (name, true))] = desk.exchange.fills().items()
    assert (execution_id, name, true.quantity_e8) == (fill.execution_id, "TT000-a-00", fill.quantity_e8)
    had = dict(desk.exchange.options.deposits_e8)
    moved = {"BTC": 10**6 - fill.fee_e8, "USDT": -fill.quote_amount_e8}
    assert desk.exchange.balances_e8() == {asset: had[asset] + moved[asset] for asset in had}
    assert [name for _, name in desk.exchange.received] == ["TT000-a-00"]


@pytest.mark.parametrize(
    ("line", "accepted"), [(Line(lost_request=1.0), 0), (Line(lost_reply=1.0), 1), (Line(silent=1.0), 1)]
)
def test_a_broken_exchange_of_words_is_a_doubt(line: Line, accepted: int) -> None:
    desk = Desk()
    desk.network.line = line
    assert kinds(list(desk.buy("TT000-a-00", -(10**9)))) == ["VenueUnknown"]
    assert len(desk.exchange.orders()) == accepted


def test_a_partition_lets_orders_arrive_too_late_or_not_go_at_all() -> None:
    desk = Desk()
    desk.network.cut("router0", "alpha", 60 * SECOND)
    [refused] = desk.buy("TT000-a-00")
    assert isinstance(refused, r.VenueRejected)
    assert refused.code == "VENUE_UNREACHABLE"
    desk.broker.advance(10 * SECOND)
    assert kinds(desk.events) == ["connected", "lost"]
    assert not desk.views[-1].usable
    desk.broker.advance(80 * SECOND)
    assert kinds(desk.events) == ["connected", "lost", "connected"]
    assert desk.views[-1].usable
    assert desk.exchange.orders() == []


def test_a_half_open_connection_is_noticed_by_its_silence() -> None:
    desk = Desk()
    desk.network.line = Line(half_open=1.0)
    desk.broker.advance(8 * SECOND)
    desk.network.line = Line()
    assert kinds(desk.events) == ["connected", "lost"]
    desk.broker.advance(20 * SECOND)
    assert kinds(desk.events)[-1] == "connected"


def test_a_restarted_exchange_has_forgotten_nothing() -> None:
    desk = Desk()
    desk.buy("TT000-a-00", -(10**10))
    desk.buy("TT000-b-00", 10 * TICK_E8)
    truth, balances = desk.exchange.fills(), desk.exchange.balances_e8()
    desk.exchange.kill()
    desk.broker.advance(2 * SECOND)
    assert kinds(desk.events)[-1] == "lost"
    [refused] = desk.buy("TT000-c-00")
    assert isinstance(refused, r.VenueRejected)
    desk.exchange.start()
    desk.broker.advance(15 * SECOND)
    assert kinds(desk.events)[-1] == "connected"
    assert desk.views[-1].usable
    assert (desk.exchange.fills(), desk.exchange.balances_e8()) == (truth, balances)
    assert desk.exchange.open_orders() == {"TT000-a-00"}
    desk.exchange.cancel_all()
    desk.broker.advance(SECOND)
    assert kinds(desk.events)[-1] == "VenueCancelled"


def test_a_killed_client_leaves_its_order_there_and_its_connections_end() -> None:
    desk = Desk()
    assert len(desk.exchange.venue.users.sessions()) == 1
    desk.buy("TT000-a-00", -(10**10))
    desk.process.kill()
    desk.broker.advance(SECOND)
    assert desk.exchange.venue.users.sessions() == []
    assert desk.exchange.open_orders() == {"TT000-a-00"}
    desk.begin()
    assert len(desk.exchange.venue.users.sessions()) == 1


def test_planted_faults_and_limits_of_the_exchange_strike() -> None:
    desk = Desk(rules=(Rule("error_after", method="POST", code=-1007, count=1),), limits=Limits(orders_10s=2))
    assert kinds(list(desk.buy("TT000-a-00", -(10**9)))) == ["VenueUnknown"]
    assert kinds(list(desk.buy("TT000-b-00", -(10**9)))) == ["VenueAcknowledged"]
    [limited] = desk.buy("TT000-c-00", -(10**9))
    assert isinstance(limited, r.VenueRejected)
    assert limited.code in ("RATE_LIMITED", "-1015")
    assert len(desk.exchange.orders()) == 2


def digest(seed: int) -> tuple[Any, ...]:
    line = replace(Line(), slow=0.1, lost_reply=0.1, lost_request=0.1, reset=0.01, half_open=0.01)
    desk = Desk(line, seed, rules=(Rule("duplicate_event", 0.3), Rule("reorder_event", 0.3), Rule("late_event", 0.2)))
    told: list[Any] = []
    for number in range(20):
        if any(view.usable for view in desk.views[-1:]):
            told += desk.buy(f"TT000-{number}-00", (number % 5 - 2) * 10 * TICK_E8)
        desk.broker.advance(SECOND)
    return told, desk.events, desk.exchange.fills(), desk.views, desk.network.broken


def test_the_same_seed_gives_the_same_course() -> None:
    assert digest(7) == digest(7)
    assert digest(7) != digest(8)
