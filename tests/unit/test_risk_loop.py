"""Risk and clearing in the real run loop on a simulated cluster, killed while they work, with a market in between."""

from typing import Any, TypeVar

import pytest
from msgspec import Struct
from msgspec.structs import replace

from services.clearing.core import SERVICE as CLEARING
from services.risk.core import SERVICE as RISK
from tests.unit.desk import ANN, BOB, BTC, FEES, fill, mark, request, some_meta, submit, terms, transfer
from truetape import ids, snapshots
from truetape import messages as m
from truetape.codec import decode, encode
from truetape.errors import TapeGap
from truetape.log import Part
from truetape.money import to_e8
from truetape.runner import Runner
from truetape.service import Input, Service
from truetape.settings import Settings
from truetape.simbroker import SimBroker
from truetape.tape import Reader
from truetape.topics import (
    CLEARING_COMMANDS,
    CLEARING_ENTRIES,
    MARKET_MARKS,
    ORDERS_COMMANDS,
    ORDERS_DECISIONS,
    ORDERS_EXECUTIONS,
    PARKED,
    PARTITIONS,
    REFERENCE_EVENTS,
    Topic,
    key_of,
)

AMY = "amy"
NAMES = (ANN, AMY, BOB)
"""Ann and Amy share a partition."""
GARBAGE = b"\x00\x00\x00\x00\x01 not Avro"
T = TypeVar("T", bound=Struct)


class Nothing(Struct):
    """The market's stand-in keeps nothing: its inputs and its tape say it all."""


def trade(state: Nothing, given: Input) -> Any:
    """Fills an accepted order whole at its limit, lets it expire, or contradicts itself, by its client order id."""
    order = given.message
    if not isinstance(order, m.OrderAccepted):
        return None
    asked, meta, price_e8 = order.order, given.meta(order.order.order_id), order.limit_price_e8
    if asked.client_order_id.endswith("x"):
        return m.OrderExpired(meta, asked.order_id, asked.account_id, 0, "alpha", 0, "IOC")
    if asked.client_order_id.endswith("q"):  # The venue's quote amount is beyond what rounding explains.
        price_e8 += 10**8
    whole = fill(asked.side, "1", "1", f"{given.partition}-{given.cause.offset}", asked.order_id, asked.account_id)
    return replace(
        whole, meta=meta, quantity_e8=asked.quantity_e8, cumulative_quantity_e8=asked.quantity_e8,
        price_e8=order.limit_price_e8, quote_amount_e8=price_e8 * asked.quantity_e8 // 10**8,
    )  # fmt: skip


MARKET: Service[Nothing] = Service(
    "router", ORDERS_EXECUTIONS, Nothing, trade, lambda state, event: state, Nothing, (ORDERS_DECISIONS,)
)


class World:
    """One process of each service, and the clients."""

    def __init__(self, seed: int) -> None:
        self.broker = SimBroker(seed)
        self.runners: dict[str, Runner[Any]] = {}
        limits = m.Limits(10**18, 10**6, 10**6, 10**7, 1 << 60)
        accounts = [m.AccountOpened(some_meta(), "k", "x", name, name) for name in NAMES]
        self._write(
            REFERENCE_EVENTS,
            m.InstrumentSet(some_meta(), "k", "x", BTC),
            m.LimitsSet(some_meta(), "k", "x", "*", limits),
            m.FeesSet(some_meta(), "k", "x", "*", FEES),
            *accounts,
        )
        self._write(MARKET_MARKS, mark("60000", self.broker.wall_us()))
        for service in (RISK, MARKET, CLEARING):
            self.start(service)

    def _write(self, topic: Topic, *events: Any) -> None:
        cause = m.Cause("test", 0, -1, "1")
        self.broker.produce(Part(topic.name, 0), b"", encode(m.Began(m.Meta(1, 0, cause, 0, "b", ""), "0")))
        for sequence, event in enumerate(events, 1):
            meta = m.Meta(1, sequence, cause, 0, f"{topic.name}-{sequence}", "")
            self.broker.produce(Part(topic.name, 0), b"", encode(replace(event, meta=meta)))

    def start(self, service: Service[Any]) -> None:
        """A new process of a service; the one before, if any, is dead."""
        if service.name in self.runners:
            self.runners[service.name].log.crash()  # type: ignore[attr-defined]
        configured = Settings(instance="0", snapshot_every_records=5, snapshot_every_seconds=1)
        self.runners[service.name] = Runner(service, self.broker.log(f"{service.name}0"), configured)
        self.runners[service.name].start()

    def send(self, account_id: str, message: Any) -> None:
        """What a client asks for."""
        self.broker.produce(self.part(ORDERS_COMMANDS, account_id), account_id.encode(), encode(message))

    def part(self, topic: Topic, account_id: str) -> Part:
        return Part(topic.name, ids.partition_of(account_id, PARTITIONS))

    def run(self, seconds: float) -> None:
        """Let everybody work."""
        for _ in range(int(seconds / 0.02)):
            self.broker.advance(20_000)
            for runner in self.runners.values():
                runner.turn(0.0)

    def told(self, topic: Topic, account_id: str, kind: type[T]) -> list[T]:
        """What the account's tape says, by the reader's rule; strangers' bytes are passed over."""
        part = self.part(topic, account_id)
        reader = Reader(*part)
        values = [(one.value or b"", one.offset) for one in self.broker.records(part)]
        found = [(decode(value), offset) for value, offset in values if value != GARBAGE]
        counted: list[Any] = [message for message, offset in found if reader.accept(message, offset)]
        return [one for one in counted if isinstance(one, kind) and key_of(one) == account_id]

    def state(self, service: Service[Any], account_id: str) -> Any:
        return self.runners[service.name]._owned[ids.partition_of(account_id, PARTITIONS)].state


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_while_they_work_they_end_with_the_same_books(seed: int) -> None:
    world = World(seed)
    world.run(5)
    for name in NAMES:
        world.send(name, request(transfer("1000000", "USDT", "u", name)))
        world.send(name, request(transfer("5", "BTC", "b", name)))
    world.run(2)
    for number in range(30):
        for name in NAMES:
            side: m.Side = "BUY" if number % 3 else "SELL"
            ending = "x" if number % 5 == 0 else ""
            order = terms(side, "0.0123", "60000.01", f"{number}{ending}", name)
            world.send(name, submit(order, world.broker.wall_us()))
            if number % 4 == 0:  # The client did not hear the answer, and sends it again.
                world.send(name, submit(order, world.broker.wall_us()))
        world.run(0.06)
        if number % 7 == 3:
            world.start((RISK, CLEARING, MARKET)[number // 7 % 3])
    world.run(30)
    for name in NAMES:
        risk, books = world.state(RISK, name), world.state(CLEARING, name)
        account, theirs = risk.accounts[name], books.balances["client:" + name]
        assert account.balances == theirs and account.reserved == {} and account.reservations == {}
        accepted = world.told(ORDERS_DECISIONS, name, m.OrderAccepted)
        entries = world.told(CLEARING_ENTRIES, name, m.EntryBooked)
        assert len(accepted) == len({one.order.order_id for one in accepted}) == 30
        booked = [one.entry_id for one in entries]
        assert len(booked) == len(set(booked)) == 2 + 24
        for service, topic in ((RISK, ORDERS_DECISIONS), (CLEARING, CLEARING_ENTRIES)):
            assert fold(world, service, world.part(topic, name)) == snapshots.digest(world.state(service, name))


def test_a_broker_that_is_away_for_long_ends_no_process() -> None:
    """Away longer than any report is waited for, and still at the takeovers that follow."""
    world = World(4)
    world.run(5)
    for name in NAMES:
        world.send(name, request(transfer("1000000", "USDT", "u", name)))
    while not world.runners["risk"].gauges()["in_flight"]:
        world.run(0.02)
    world.broker.outage(60_000_000)
    world.run(90)
    for name in NAMES:
        world.send(name, submit(terms("BUY", "0.01", "60000.01", "after", name), world.broker.wall_us()))
    world.run(10)
    for name in NAMES:
        assert len(world.told(CLEARING_ENTRIES, name, m.EntryBooked)) == 2
    assert world.runners["risk"].counts["step_downs"] > 1


class Choosing:
    """Effects that follow from transfers alone."""

    def __init__(self) -> None:
        self.acted: list[Any] = []

    def heeds(self, event: Any) -> bool:
        return isinstance(event, m.TransferApproved)

    def act(self, partition: int, event: Any) -> None:
        self.acted.append(event)

    def resume(self, partition: int, state: Any) -> None:
        """Nothing to take up."""

    def release(self, partition: int) -> None:
        """Nothing to leave."""


def test_what_nothing_follows_from_is_not_kept_until_its_report() -> None:
    world = World(7)
    chosen = world.runners["risk"].effects = Choosing()
    world.run(5)
    world.send(ANN, request(transfer("1000000", "USDT", "u", ANN)))
    world.run(2)
    world.send(ANN, submit(terms("BUY", "1", "60000", "1", ANN), world.broker.wall_us()))
    world.send(ANN, request(transfer("1", "USDT", "v", ANN)))
    kept: list[Any] = []
    while len(world.told(ORDERS_DECISIONS, ANN, m.TransferApproved)) < 2:
        world.run(0.02)
        pending = world.runners["risk"]._owned[ids.partition_of(ANN, PARTITIONS)].pending
        kept += [event for _, event, _ in pending]
    world.run(3)
    assert None in kept and not any(isinstance(event, m.OrderAccepted) for event in kept)
    assert chosen.acted == world.told(ORDERS_DECISIONS, ANN, m.TransferApproved)
    assert world.told(ORDERS_DECISIONS, ANN, m.OrderAccepted)


def fold(world: World, service: Service[Any], part: Part) -> str:
    """Digest of the whole tape of a partition, folded from nothing."""
    reader, state = Reader(*part), service.initial()
    for record in world.broker.records(part):
        message: Any = decode(record.value or b"")
        if reader.accept(message, record.offset) and not isinstance(message, m.Began):
            state = service.evolve(state, message)
    return snapshots.digest(state)


def test_a_strangers_bytes_on_an_owned_topic_halt_nobody() -> None:
    world = World(7)
    world.run(5)
    for name in NAMES:
        world.send(name, request(transfer("1000000", "USDT", "u", name)))
    world.run(2)
    for topic in (ORDERS_EXECUTIONS, ORDERS_DECISIONS):
        world.broker.produce(world.part(topic, ANN), ANN.encode(), GARBAGE)
    world.run(3)
    for name in NAMES:
        world.send(name, submit(terms("BUY", "1", "60000", "1", name), world.broker.wall_us()))
    world.run(5)
    for name in NAMES:
        assert world.state(CLEARING, name).balances["client:" + name]["BTC"] == to_e8("1")
        assert world.state(RISK, name).accounts[name].reserved == {}
        assert not world.told(CLEARING_ENTRIES, name, m.InputParked)
    assert world.runners["clearing"].counts["stray_records"] == 2
    assert world.runners["risk"].counts["stray_records"] >= 1, (
        "the owner of orders.decisions steps down, and reads again"
    )
    assert not world.broker.records(Part(PARKED.name, 0))


@pytest.mark.parametrize("service", [RISK, CLEARING])
def test_a_record_of_a_newer_version_stops_its_readers_and_an_older_owner(service: Service[Any]) -> None:
    """It cannot be read here, and claims the owner's next place: nobody passes over it, nobody takes over after it."""
    world = World(7)
    world.run(5)
    place = world.state(RISK, ANN), world.runners["risk"]._owned[ids.partition_of(ANN, PARTITIONS)].place
    unknown = bytearray(encode(m.TransferApproved(m.Meta(*place[1]._replace(sequence=place[1].sequence + 1),
        m.Cause("orders.commands", 0, 0, ""), 0, "e", ""), transfer("1", "USDT", "u", ANN))))  # fmt: skip
    unknown[1:5] = (60_000).to_bytes(4, "big")
    world.broker.produce(world.part(ORDERS_DECISIONS, ANN), ANN.encode(), bytes(unknown))
    began = m.Began(m.Meta(place[1].epoch + 1, 0, m.Cause("group", 0, -1, "1"), 0, "b", ""), "1")
    if service is CLEARING:
        world.broker.produce(world.part(ORDERS_DECISIONS, ANN), b"", encode(began))
    with pytest.raises(TapeGap, match="this version cannot read them"):
        if service is RISK:
            world.start(RISK)
        world.run(5)


@pytest.mark.parametrize("topic", [ORDERS_COMMANDS])
def test_a_command_that_nobody_can_read_is_parked_and_halts_nobody(topic: Topic) -> None:
    world = World(7)
    world.run(5)
    world.broker.produce(world.part(topic, ANN), ANN.encode(), GARBAGE)
    world.run(2)
    parked = world.told(ORDERS_DECISIONS, ANN, m.InputParked)
    assert [(one.reason.split(":")[0], one.halts_account) for one in parked] == [("UndecodableRecord", False)]


def test_a_halted_account_takes_no_order_until_an_operator_has_resolved_what_is_parked() -> None:
    world = World(7)
    world.run(5)
    for name in NAMES:
        world.send(name, request(transfer("1000000", "USDT", "u", name)))
    world.run(2)
    for number in ("1", "2q", "3", "4"):  # All are accepted before clearing sees the fill of the second.
        world.send(ANN, submit(terms("BUY", "1", "60000", number, ANN), world.broker.wall_us()))
    world.run(5)
    parked = world.told(CLEARING_ENTRIES, ANN, m.InputParked)
    assert [one.reason.split(":")[0] for one in parked] == ["QuoteContradicted", "AccountHalted", "AccountHalted"]
    copies = [decode(one.value or b"") for one in world.broker.records(Part(PARKED.name, 0))]
    assert [one.event_id for one in copies if isinstance(one, m.ParkedRecord)] == [one.meta.event_id for one in parked]
    assert [one.parked_event_id for one in world.told(ORDERS_DECISIONS, ANN, m.AccountHalted)] == [
        parked[0].meta.event_id
    ]
    for name in NAMES:
        world.send(name, submit(terms("BUY", "1", "60000", "5", name), world.broker.wall_us()))
        world.send(name, request(transfer("-1", "USDT", "w", name)))
    world.start(CLEARING)
    world.start(RISK)
    world.run(10)
    refused = world.told(ORDERS_DECISIONS, ANN, m.OrderRejected)
    assert [(one.reason, one.numbers) for one in refused] == [("TRADING_HALTED", {"ledger_halted": 1})]
    assert [one.reason for one in world.told(ORDERS_DECISIONS, ANN, m.TransferRejected)] == ["TRADING_HALTED"]
    for name in (AMY, BOB):
        assert world.state(CLEARING, name).balances["client:" + name]["BTC"] == to_e8("1"), "nobody else is halted"
    held = world.state(RISK, ANN).accounts[ANN].reserved
    assert held == {"USDT": 3 * to_e8("60150")}, "uncleared fills keep their reservations"

    def ask(command: Any) -> None:
        world.broker.produce(world.part(CLEARING_COMMANDS, ANN), ANN.encode(), encode(command))
        world.run(1)

    first, *rest = [one.meta.event_id for one in parked]
    ask(m.ReleaseParked("r0", ANN, first, "operator:eve"))
    assert world.told(CLEARING_ENTRIES, ANN, m.ReleaseRefused)[0].reason == "STILL_REFUSED"
    ask(m.DismissParked("d0", ANN, first, "operator:eve", "the venue took it back"))
    for event_id in (*rest, rest[0]):
        ask(m.ReleaseParked(f"r-{event_id}", ANN, event_id, "operator:eve"))
    assert world.told(CLEARING_ENTRIES, ANN, m.ReleaseRefused)[1].reason == "COMMAND_REPEATED"
    world.start(CLEARING)
    world.start(RISK)
    world.run(5)
    assert world.state(CLEARING, ANN).balances["client:ann"]["BTC"] == to_e8("3")
    assert world.state(CLEARING, ANN).halted == {}
    world.send(ANN, submit(terms("BUY", "1", "60000", "6", ANN), world.broker.wall_us()))
    world.run(5)
    assert world.state(CLEARING, ANN).balances["client:ann"]["BTC"] == to_e8("4")
    assert world.state(RISK, ANN).accounts[ANN].balances == world.state(CLEARING, ANN).balances["client:ann"]
    for service, topic in ((RISK, ORDERS_DECISIONS), (CLEARING, CLEARING_ENTRIES)):
        assert fold(world, service, world.part(topic, ANN)) == snapshots.digest(world.state(service, ANN))


def test_the_last_dismissal_reopens_the_account() -> None:
    world = World(7)
    world.run(5)
    world.send(ANN, request(transfer("1000000", "USDT", "u", ANN)))
    world.run(2)
    world.send(ANN, submit(terms("BUY", "1", "60000", "1q", ANN), world.broker.wall_us()))
    world.run(5)
    [parked] = world.told(CLEARING_ENTRIES, ANN, m.InputParked)
    command = m.DismissParked("d", ANN, parked.meta.event_id, "operator:eve", "the venue took it back")
    world.broker.produce(world.part(CLEARING_COMMANDS, ANN), ANN.encode(), encode(command))
    world.run(2)
    assert len(world.told(ORDERS_DECISIONS, ANN, m.AccountReopened)) == 1
    world.send(ANN, submit(terms("BUY", "1", "60000", "2", ANN), world.broker.wall_us()))
    world.run(2)
    assert len(world.told(ORDERS_DECISIONS, ANN, m.OrderAccepted)) == 2


def test_a_command_to_the_ledger_that_nobody_can_read_halts_nobody() -> None:
    world = World(7)
    world.run(5)
    world.broker.produce(world.part(CLEARING_COMMANDS, ANN), ANN.encode(), GARBAGE)
    world.run(2)
    assert [one.halts_account for one in world.told(CLEARING_ENTRIES, ANN, m.InputParked)] == [False]
    assert world.state(CLEARING, ANN).halted == {}
