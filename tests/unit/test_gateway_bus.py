"""Which event answers which command, whatever comes first, late or never; waiting is bounded."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from services.gateway.bus import STALL_SECONDS, Answer, Bus, Waiter
from services.gateway.problems import Problem
from services.gateway.tail import Seen
from truetape import ids
from truetape import messages as m
from truetape.log import Part, Report
from truetape.messages import OrderTerms
from truetape.simbroker import SimBroker
from truetape.topics import CLEARING_ENTRIES, ORDERS_COMMANDS, ORDERS_DECISIONS, ORDERS_EXECUTIONS, REFERENCE_EVENTS

TERMS = OrderTerms(ids.order_id("acme", "c"), "acme", "c", "BTC-USDT", "BUY", "LIMIT", "GTC", False, 1, 1)
PARTITION = ids.partition_of("acme", ORDERS_COMMANDS.partitions)
ENTRIES = Part(CLEARING_ENTRIES.name, PARTITION)
COMMANDS, DECISIONS = Part(ORDERS_COMMANDS.name, PARTITION), Part(ORDERS_DECISIONS.name, PARTITION)


class Paper:
    """A writer that keeps what it was given."""

    def __init__(self) -> None:
        self.tokens: list[Any] = []

    def append(self, part: Part, key: Any, value: bytes, headers: Any, token: Any) -> None:
        assert part == COMMANDS or part.topic in ("reference.commands", "clearing.commands")
        self.tokens.append(token)

    def close(self) -> None:
        pass


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    found = Bus(SimBroker(seed=1).log("gateway"), Paper(), pending_max=3, answer_seconds=0.15)
    expiring = asyncio.create_task(found.expire())
    yield found
    expiring.cancel()


def submit(bus: Bus) -> Waiter:
    return bus.send_for_account(TERMS.order_id, "acme", m.SubmitOrder(TERMS, "k", 1))


def meta(command_offset: int) -> m.Meta:
    return m.Meta(1, 1, m.Cause(ORDERS_COMMANDS.name, PARTITION, command_offset, ""), 1, "e", TERMS.order_id)


def accepted(command_offset: int = 7) -> m.OrderAccepted:
    return m.OrderAccepted(
        meta=meta(command_offset), order=TERMS, limit_price_e8=1, reserved_asset="U", reserved_e8=1, fee_rate_e8=0,
        reference_offset=0, send_before_us=1,
    )  # fmt: skip


def repeated(command_offset: int, *differs: str) -> m.DecisionRepeated:
    return m.DecisionRepeated(
        meta=meta(command_offset), order_id=TERMS.order_id, account_id="acme", accepted=True, numbers={},
        decision_event_id="e", decided_at_us=1, differs=differs,
    )  # fmt: skip


async def see(bus: Bus, *events: Any, part: Part = DECISIONS) -> None:
    bus.receive([Seen(part, 42, event) for event in events])
    await asyncio.sleep(0)


async def report(bus: Bus, waiter: Waiter, offset: int | None, error: str | None = None) -> None:
    bus.reported([Report(COMMANDS, offset, error, waiter)])
    await asyncio.sleep(0)


async def test_a_first_decision_answers_by_its_order_id_before_or_after_the_report(bus: Bus) -> None:
    early = submit(bus)
    await see(bus, accepted())
    assert await bus.answer(early) == Answer(accepted(), DECISIONS, 42)
    late = submit(bus)
    await report(bus, late, 8)
    await see(bus, accepted(8))
    assert (await bus.answer(late)) is not None
    assert bus.waiting == 0


@pytest.mark.parametrize("report_first", [True, False])
async def test_a_repeated_decision_answers_the_very_command_that_it_names(bus: Bus, report_first: bool) -> None:
    mine, other = submit(bus), submit(bus)
    if report_first:
        await report(bus, mine, 7)
        await report(bus, other, 8)
    await see(bus, repeated(8, "price_e8"), repeated(7))
    if not report_first:
        await report(bus, mine, 7)
        await report(bus, other, 8)
    answers = [await bus.answer(mine), await bus.answer(other)]
    assert [answer.event.differs for answer in answers if answer] == [(), ("price_e8",)]


async def test_a_parked_command_is_told(bus: Bus) -> None:
    waiter = submit(bus)
    await report(bus, waiter, 7)
    parked = m.InputParked(meta(7), "acme", "reason", False)
    await see(bus, parked)
    answer = await bus.answer(waiter)
    assert answer is not None
    assert answer.event is parked


async def test_what_answers_nothing_answers_nobody(bus: Bus) -> None:
    waiter = submit(bus)
    await report(bus, waiter, 7)
    await see(bus, repeated(6), m.CancelRefused(meta(7), "other", "acme", "o", "ORDER_CLOSED"))
    await see(bus, replace(accepted(), order=replace(TERMS, order_id="0" * 32)))
    routed = m.CancelRouted(meta(7), TERMS.order_id, "acme", ())
    await see(bus, routed, part=Part(ORDERS_EXECUTIONS.name, PARTITION))
    assert not waiter.future.done()
    assert await bus.answer(waiter) is None, "it waits no longer than it may"
    assert bus.waits_for(TERMS.order_id) is None


async def test_all_who_wait_for_one_answer_have_it(bus: Bus) -> None:
    waiters = [submit(bus), submit(bus)]
    joined = asyncio.create_task(bus.join(waiters[0]))
    await asyncio.sleep(0)
    await see(bus, accepted())
    assert [await bus.answer(waiter) for waiter in waiters] == [await joined] * 2


async def test_so_many_may_wait_and_no_more(bus: Bus) -> None:
    waiters = [submit(bus) for _ in range(3)]
    with pytest.raises(Problem, match="nothing was sent") as caught:
        submit(bus)
    assert caught.value.code == "overloaded"
    assert await asyncio.gather(*map(bus.answer, waiters)) == [None] * 3
    assert bus.waiting == 0
    submit(bus)


async def test_kafka_counts_as_away_while_a_report_is_late_or_was_bad(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr("truetape.clock.monotonic", lambda: now)
    first = submit(bus)
    assert not bus.stalled()
    now += STALL_SECONDS + 0.1
    assert bus.stalled()
    with pytest.raises(Problem) as caught:
        submit(bus)
    assert caught.value.code == "broker_unavailable"
    await report(bus, first, 7)
    assert not bus.stalled()
    await report(bus, submit(bus), None, "timed out")
    assert bus.stalled(), "for a moment nobody else is sent into the same"
    now += STALL_SECONDS + 0.1
    assert not bus.stalled()
    lost = submit(bus)
    assert lost.offset is None
    now += 60
    bus.stalled()
    assert not bus.stalled(), "a report that never comes holds up nobody for ever"


async def test_reference_events_are_kept_for_repeated_commands(bus: Bus) -> None:
    event = m.AccountOpened(meta(1), "command-1", "op", "acme", "Acme")
    await see(bus, event, part=Part(REFERENCE_EVENTS.name, 0))
    assert bus.outcomes["command-1"].event is event


async def test_the_ledger_answers_an_operators_command_by_its_id(bus: Bus) -> None:
    """Booked, dismissed or refused; an entry of the day answers nobody."""
    release = m.Release("c-1", "p", "k", 0)
    usual = m.EntryBooked(
        meta=meta(1), entry_id="e", account_id="acme", kind="TRADE", rule="", lines=(), realised_e8=0, filled_e8=0,
        transacted_at_us=0,
    )  # fmt: skip
    refused = m.ReleaseRefused(meta(1), "c-1", "acme", "p", "k", "STILL_REFUSED", "why")
    for event in (replace(usual, release=release), m.ParkedDismissed(meta(1), "acme", "told twice", release), refused):
        waiter = bus.send_to_ledger("c-1", "acme", m.ReleaseParked("c-1", "acme", "p", "k"))
        await see(bus, usual, replace(usual, release=replace(release, command_id="c-2")), part=ENTRIES)
        assert not waiter.future.done()
        await see(bus, event, part=ENTRIES)
        assert await bus.answer(waiter) == Answer(event, ENTRIES, 42)


async def test_every_event_of_an_account_is_read_while_somebody_awaits_one(bus: Bus) -> None:
    with bus.tail.awaiting("acme"), bus.tail.awaiting("acme"):
        assert bus.tail._wanted("acme") and not bus.tail._wanted("other")
    assert not bus.tail._wanted("acme")
