"""Two routers with their real sessions at two real exchanges, under faults between them: nothing is sent unrecorded,
no fill is lost or told twice, and nothing stays in doubt."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, Final

import pytest
from msgspec.structs import replace as changed

from services.router.core import SERVICE as ROUTER
from services.router.core import open_legs
from services.router.desk import Desk
from services.router.tracked import Tracked
from tests.simulation.loop import Process, bury, simulated
from tests.simulation.network import Line, Network
from tests.simulation.reference import BTC, LISTING, ReferenceData
from tests.simulation.sessions import venue_effects
from tests.simulation.tape import Tape
from tests.simulation.venue import SimVenue, VenueOptions
from truetape import ids
from truetape import messages as m
from truetape.codec import encode
from truetape.happenings import Part
from truetape.runner import Runner
from truetape.settings import Settings
from truetape.simbroker import SimBroker
from truetape.simlog import SimLog
from truetape.topics import ORDERS_DECISIONS, ORDERS_EXECUTIONS
from truetape.venue import reports as r
from venues.faults import Rule

MS, SECOND = 1_000, 1_000_000
VENUES: Final = ("alpha", "beta")
INSTRUMENT: Final = changed(BTC, listings=tuple(changed(LISTING, venue=name) for name in VENUES))
TURN_US: Final = 25 * MS
TROUBLE_US: Final = 45 * SECOND
QUIET_US: Final = 60 * SECOND
SEEDS: Final = 10
SEEDS_FOR_A_BUG: Final = 24


class Broken(Exception):
    """Something that must hold does not."""


class Router:
    """A node that runs one router at a time."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.process: Process | None = None
        self.start()

    def start(self) -> None:
        """A new process, and its turns for as long as it lives."""
        world = self.world
        process = self.process = Process(world.broker, self.name, world.seed)
        log = world.broker.log(self.name, clock=process.clock)
        settings = world.settings.model_copy(update={"instance": self.name})
        runner: Runner[Any] = Runner(world.service, log, settings)
        runner.effects = venue_effects(process, runner, world.network, settings, 1)
        process.at_end.append(log.crash)
        process.at_end.append(lambda: world.seen.update(runner.counts))
        process.run(runner.start)
        self._turn(process, log, runner)

    def _turn(self, process: Process, log: SimLog, runner: Runner[Any]) -> None:
        if process.alive:
            if not process.paused and log.busy_until_us <= self.world.broker.now_us:
                process.run(runner.turn, 0.0)
            self.world.later(TURN_US, partial(self._turn, process, log, runner))

    def kill(self, for_us: int) -> None:
        """kill -9 between any two steps of the session, and a new process later."""
        process = self.process
        if process is not None and not process.paused:
            self.process = None
            process.after_steps(self.world.chance.randrange(40), partial(self._killed, process, for_us))

    def _killed(self, process: Process, for_us: int) -> None:
        self.world.seen["router killed"] += 1
        process.kill()
        self.world.later(for_us, self.start)

    def pause(self, for_us: int) -> None:
        """Stop it, longer than a lease perhaps; then it goes on."""
        process = self.process
        if process is not None and not process.paused:
            process.pause()
            self.world.later(for_us, process.resume)


class World:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.seed, self.chance = seed, Random(f"{seed}:world")
        self.seen: Counter[str] = Counter()
        self.broker = SimBroker(seed)
        self.network = Network(self.broker, seed, self._line() if seed else Line())
        options = VenueOptions(rules=self._rules() if seed else ())
        self.venues = {name: SimVenue(self.network, name, seed, options) for name in VENUES}
        self.settings = Settings(venues={name: venue.settings() for name, venue in self.venues.items()})
        self.service = replace(
            ROUTER,
            owns=replace(ROUTER.owns, partitions=1),
            inputs=tuple(replace(topic, partitions=1) for topic in ROUTER.inputs),
        )
        self.tape = Tape(Part(ORDERS_EXECUTIONS.name, 0), self.service)
        self.accepted: dict[str, m.OrderAccepted] = {}
        self.sequence = 0
        reference = ReferenceData(self.broker)
        reference.append(m.InstrumentSet(self._meta("reference"), "k", "x", INSTRUMENT))
        self._write(m.Began(self._meta("risk"), "0"))

    def _line(self) -> Line:
        draw = self.chance.random
        return Line(
            slow=draw() * 0.2,
            lost_request=draw() * 0.2,
            lost_reply=draw() * 0.2,
            silent=draw() * 0.1,
            reset=draw() * 0.02,
            half_open=draw() * 0.005,
        )

    def _rules(self) -> tuple[Rule, ...]:
        draw = self.chance.random
        return (
            Rule("drop_event", draw() * 0.2),
            Rule("late_event", draw() * 0.3, delay_ms=900),
            Rule("duplicate_event", draw() * 0.4),
            Rule("reorder_event", draw() * 0.3),
            Rule("error_after", draw() * 0.1, code=-1007, method="POST"),
            Rule("delay", draw() * 0.2, delay_ms=600, method="POST"),
            Rule("rate_limit", draw() * 0.03),
            Rule("depth_gap", draw() * 0.05),
        )

    # -- the run ---------------------------------------------------------------------------------------------

    def later(self, after_us: int, action: Any) -> None:
        self.broker.at(self.broker.now_us + after_us, action)

    def run(self) -> None:
        """Raises Broken."""
        for venue in self.venues.values():
            venue.start()
        self.routers = [Router(self, f"router{number}") for number in range(2)]
        self.often(1.0, self._order)
        self.often(0.2, self._cancel)
        if self.seed:
            self.often(0.1, lambda: self.chance.choice(self.routers).kill(self._span_us(5, 6.8)))
            self.often(0.06, lambda: self.chance.choice(self.routers).pause(self._span_us(5, 7.2)))
            self.often(0.05, self._restart)
            self.often(0.08, self._cut)
        self.broker.advance(TROUBLE_US)
        self._calm_down()
        self._audit()

    def often(self, per_second: float, action: Any) -> None:
        """As long as there is trouble."""

        def happen() -> None:
            if self.broker.now_us < TROUBLE_US:
                action()
                self.often(per_second, action)

        self.later(int(self.chance.expovariate(per_second) * SECOND), happen)

    def _span_us(self, least: float, most: float) -> int:
        return int(10 ** self.chance.uniform(least, most))

    def _order(self) -> None:
        book = self.venues["alpha"].venue.exchange.markets["BTCUSDT"].book
        price_e8 = (book.bids.best() or (60_000 * 10**8, 0))[0] + self.chance.randint(-40, 40) * 10**6
        name = f"c{len(self.accepted)}"
        in_force: m.TimeInForce = self.chance.choice(["GTC", "GTC", "IOC", "FOK"])
        terms = m.OrderTerms(
            ids.order_id("leo", name), "leo", name, BTC.instrument_id, self.chance.choice(["BUY", "SELL"]), "LIMIT",
            in_force, False, self.chance.randint(1, 3_000) * 10_000, price_e8 // 10**6 * 10**6,
        )  # fmt: skip
        accepted = m.OrderAccepted(
            meta=self._meta(terms.order_id), order=terms, limit_price_e8=terms.price_e8 or 0, reserved_asset="USDT",
            reserved_e8=10**15, fee_rate_e8=100_000, reference_offset=0,
            send_before_us=self.broker.wall_us() + 2 * SECOND,
        )  # fmt: skip
        self.accepted[terms.order_id] = accepted
        self._write(accepted)

    def _cancel(self) -> None:
        if self.accepted:
            order_id = self.chance.choice(list(self.accepted)[-10:])
            command = f"x{self.sequence}"
            self._write(m.CancelRequested(self._meta(order_id), command, "leo", (order_id,)))

    def _restart(self) -> None:
        venue = self.venues[self.chance.choice(VENUES)]
        if venue.process is not None:
            self.seen["venue restarted"] += 1
            venue.kill()
            self.later(self._span_us(5, 6.8), venue.start)

    def _cut(self) -> None:
        ways = [self.chance.choice(self.routers).name, self.chance.choice(VENUES)]
        self.chance.shuffle(ways)
        self.network.cut(ways[0], ways[1], self._span_us(5, 7), both=self.chance.random() < 0.5)

    def _meta(self, correlation_id: str) -> m.Meta:
        cause = m.Cause("orders.commands", 0, self.sequence, "")
        return m.Meta(1, self.sequence, cause, self.broker.wall_us(), f"e{self.sequence}", correlation_id)

    def _write(self, event: Any) -> None:
        self.sequence += 1
        self.broker.produce(Part(ORDERS_DECISIONS.name, 0), b"leo", encode(event))

    # -- the end ---------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        self.network.heal()
        for venue in self.venues.values():
            venue.calm()
        self.broker.advance(20 * SECOND)  # All that was down is back.
        for venue in self.venues.values():
            venue.cancel_all()
        deadline_us = self.broker.now_us + QUIET_US
        while missing := self._missing():
            if self.broker.now_us > deadline_us:
                raise Broken(missing)
            self.broker.advance(SECOND)

    def _missing(self) -> str:
        self.tape.read_on(self.broker)
        known = self.tape.state.orders.keys() | {getattr(event, "order_id", "") for event in self.events()}
        if unanswered := [name for name in self.accepted if name not in known and name not in self._routed_orders()]:
            return f"orders without an answer: {unanswered[:3]}"
        legs = [f"{leg.client_order_id} {leg.status}" for _, leg in open_legs(self.tape.state)]
        return f"without an end: {legs[:3]}" if legs else ""

    def events(self) -> list[Any]:
        """What counts on the routers' tape."""
        return [event for _, event in self.tape.found]

    def _routed_orders(self) -> set[str]:
        return {event.order.order_id for event in self.events() if isinstance(event, m.OrderRouted)}

    def _audit(self) -> None:
        routed = {leg.venue_client_order_id for e in self.events() if isinstance(e, m.OrderRouted) for leg in e.legs}
        arrived = Counter(name for venue in self.venues.values() for _, name in venue.received)
        if stray := arrived.keys() - routed:
            raise Broken(f"at a venue without a record: {sorted(stray)[:3]}")
        if twice := [name for name, count in arrived.items() if count > 1]:
            raise Broken(f"sent twice: {twice[:3]}")
        if parked := [event.reason for event in self.events() if isinstance(event, m.InputParked)]:
            raise Broken(f"set aside: {parked[:3]}")
        told = Counter(event.execution_id for event in self.events() if isinstance(event, m.OrderFilled))
        true = {name: fill for venue in self.venues.values() for name, (_, fill) in venue.fills().items()}
        if told != Counter(true.keys()):
            raise Broken(f"fills too many {told - Counter(true.keys())}, missing {Counter(true.keys()) - told}")
        for event in self.events():
            if isinstance(event, m.OrderFilled):
                fill = true[event.execution_id]
                if (event.quantity_e8, event.price_e8, event.fee_e8) != (fill.quantity_e8, fill.price_e8, fill.fee_e8):
                    raise Broken(f"{event} is not {fill}")
        self.seen.update(type(event).__name__ for event in self.events())
        self.seen["fills"] += len(true)

    def digest(self) -> list[tuple[bytes | None, Any]]:
        """All that the routers wrote."""
        return [(record.value, record.offset) for record in self.broker.records(self.tape.part)]


@pytest.fixture(autouse=True)
def seam() -> Iterator[None]:
    with simulated():
        yield


def ran(seed: int) -> World:
    """One run; its processes are forgotten at the end. Raises Broken."""
    try:
        world = World(seed)
        world.run()
        return world
    finally:
        bury()


def test_orders_and_fills_are_what_the_exchanges_have(capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        try:
            seen.update(ran(seed).seen)
        except Broken as broken:
            pytest.fail(f"seed {seed}: {broken}")
    with capsys.disabled():
        print(f"\n  {dict(seen)}")
    rare = ("router killed", "venue restarted", "OutcomeUnknown", "OrderCancelled", "OrderFilled", "step_downs")
    assert {what for what in rare if not seen[what]} == set()
    assert seen["fills"] > 5 * SEEDS


def test_the_same_seed_writes_the_same_tape() -> None:
    assert ran(5).digest() == ran(5).digest()
    assert ran(5).digest() != ran(6).digest()


async def _sends_again(self: Desk, tracked: Tracked, request: r.OrderRequest) -> None:
    """A doubtful order is sent again."""
    await _send(self, tracked, request)
    if tracked.doubted:
        await self.venue.submit(request)


async def _believes_in_failure(self: Desk, tracked: Tracked, request: r.OrderRequest) -> None:
    """A lost answer counts as a refusal."""
    told = await self.venue.submit(request)
    self._under_way -= 1
    tracked.sending = False
    for report in told:
        name = tracked.client_order_id
        refusal = r.VenueRejected(self.venue.name, name, "LOST", "no answer")
        self._take(tracked, refusal if isinstance(report, r.VenueUnknown) else report)


async def _never_compares(self: Desk, symbol: str) -> None:
    """What the stream has lost is not asked for."""


_send = Desk._send
BUGS: dict[str, tuple[str, Any]] = {
    "doubtful orders are sent again": ("_send", _sends_again),
    "a lost answer is a refusal": ("_send", _believes_in_failure),
    "what the stream has lost is not asked for": ("_compare", _never_compares),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_the_session_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Desk, *BUGS[name])
    for seed in range(1, SEEDS_FOR_A_BUG):
        try:
            ran(seed)
        except (Broken, AssertionError) as broken:
            with capsys.disabled():
                print(f"\n  {name}: found by seed {seed}: {str(broken)[:150]}")
            return
    pytest.fail(f"no seed below {SEEDS_FOR_A_BUG} sees it")
