"""The simulated event loop itself: order, time, crash, pause, and that a deadlock is seen."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulation.loop import Deadlock, Livelock, Process, SimLoop, simulated
from truetape import chance, clock
from truetape.simbroker import SimBroker
from truetape.simclock import WALL_AT_ZERO_US, SimClock

SECOND = 1_000_000


@pytest.fixture(autouse=True)
def seam() -> Iterator[None]:
    with simulated():
        yield


def process(seed: int = 1, name: str = "node", clock: SimClock | None = None) -> Process:
    return Process(SimBroker(seed), name, seed, clock)


def loop_of(one: Process) -> SimLoop:
    return one.loop()


async def test_time_passes_only_in_waits() -> None:
    """Runs on the real loop: the simulated one is driven from outside."""
    one = process()
    loop = loop_of(one)

    async def work() -> list[float]:
        found = [clock.monotonic()]
        await asyncio.sleep(3_600)
        found.append(clock.monotonic())
        async with asyncio.timeout(5):
            await asyncio.sleep(0.25)
        return [*found, clock.monotonic()]

    assert loop.run(work(), 7_200) == [0.0, 3_600.0, 3_600.25]
    assert asyncio.get_running_loop() is not loop


def test_calls_are_first_in_first_out_and_timers_in_order_of_their_times() -> None:
    one = process()
    found: list[Any] = []
    loop = loop_of(one)
    loop.call_later(0.002, found.append, "late")
    loop.call_later(0.001, found.append, "early")
    loop.call_later(0.001, found.append, "early too")
    loop.call_soon(found.append, "first")
    loop.call_soon(lambda: loop.call_soon(found.append, "third"))
    loop.call_soon(found.append, "second")
    loop.call_later(0.001, found.append, "never").cancel()
    one.broker.advance(SECOND)
    assert found == ["first", "second", "third", "early", "early too", "late"]


def test_a_killed_process_unwinds_nothing() -> None:
    one = process()
    found: list[Any] = []
    loop = loop_of(one)

    async def work() -> None:
        try:
            found.append("began")
            await asyncio.sleep(1)
            found.append("went on")
        finally:
            found.append("unwound")

    one.run(loop.create_task, work())
    one.broker.advance(SECOND // 2)
    one.kill()
    loop.call_soon(found.append, "called")
    one.broker.advance(10 * SECOND)
    assert found == ["began"]


def test_a_crash_can_strike_between_any_two_steps() -> None:
    reached = set()
    for steps in range(8):
        one = process()
        found: list[int] = []
        loop = loop_of(one)

        async def work(found: list[int]) -> None:
            for number in range(4):
                found.append(number)
                await asyncio.sleep(0)

        one.after_steps(steps, one.kill)
        one.run(loop.create_task, work(found))
        one.broker.advance(SECOND)
        reached.add(len(found))
    assert reached == {0, 1, 2, 3, 4}


def test_a_paused_process_goes_on_as_a_zombie() -> None:
    one = process()
    found: list[Any] = []
    loop = loop_of(one)

    async def work() -> None:
        while True:
            found.append(clock.now_us() - WALL_AT_ZERO_US)
            await asyncio.sleep(1)

    one.run(loop.create_task, work())
    one.broker.advance(SECOND // 2)
    one.pause()
    loop.call_soon(found.append, -1)
    one.broker.advance(10 * SECOND)
    assert found == [0]
    one.resume()
    one.broker.advance(SECOND)
    assert found == [0, -1, 10_500_000, 11_500_000]


def test_the_monotonic_clock_stands_in_a_suspended_machine() -> None:
    one = process()
    found: list[Any] = []
    loop = loop_of(one)
    loop.call_later(2.0, found.append, "due")
    one.broker.advance(SECOND)
    one.pause(suspend=True)
    one.broker.advance(60 * SECOND)
    one.resume()
    assert one.run(clock.monotonic) == 1.0
    assert one.run(clock.now_us) == WALL_AT_ZERO_US + 61 * SECOND
    one.broker.advance(SECOND - 1)
    assert found == []
    one.broker.advance(1)
    assert found == ["due"]


@pytest.mark.parametrize("drift_ppm", [-50_000, -7, 0, 13, 90_000])
def test_timers_follow_a_clock_that_drifts_and_jumps(drift_ppm: int) -> None:
    broker = SimBroker(1)
    one = Process(broker, "node", 1, SimClock(broker, offset_us=-5, drift_ppm=drift_ppm))

    async def work() -> float:
        began = clock.monotonic()
        await asyncio.sleep(100)
        one.clock.jump(-3_600 * SECOND)
        await asyncio.sleep(100)
        return clock.monotonic() - began

    assert one.loop().run(work()) == pytest.approx(200, abs=3e-6)
    assert broker.now_us == pytest.approx(200 * SECOND / (1 + drift_ppm / 1e6), abs=4)
    assert one.clock.now_us() - WALL_AT_ZERO_US == pytest.approx(-3_400 * SECOND, abs=10)


def test_a_slow_process_is_late() -> None:
    one = process()
    one.slow_us = 50_000
    found: list[Any] = []
    loop = loop_of(one)

    async def work() -> None:
        for _ in range(50):
            await asyncio.sleep(0.01)
            found.append(one.broker.now_us)

    loop.run(work())
    assert found[-1] > 1_000_000


def test_deadlock_and_livelock_are_seen() -> None:
    loop = loop_of(process())

    async def waits() -> None:
        await asyncio.Event().wait()

    async def spins() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Deadlock, match="waits"):
        loop.run(waits())
    with pytest.raises(Livelock, match="spins"):
        loop_of(one := process()).run(spins())
    one.kill()


def test_a_failure_in_a_task_is_the_processs() -> None:
    one = process()
    found: list[Any] = []
    loop = loop_of(one)

    def ended(error: BaseException) -> None:
        found.append(error)
        one.kill()

    one.ended = ended
    loop.call_soon(lambda: 1 // 0)
    loop.call_soon(found.append, "never")
    one.broker.advance(SECOND)
    assert [type(error) for error in found] == [ZeroDivisionError]


def test_another_threads_call_takes_a_while_and_raises_here() -> None:
    one = process()

    async def work() -> int:
        began = clock.monotonic()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        found = await asyncio.to_thread(lambda: 7)
        assert clock.monotonic() > began
        return found

    assert one.loop().run(work()) == 7


def test_chance_is_the_nodes_own_and_from_its_seed() -> None:
    def draws(seed: int, name: str) -> list[object]:
        one = process(seed, name)
        return [one.run(chance.token_hex, 8), one.run(chance.token_urlsafe, 8), one.run(chance.uniform, 0.0, 1.0)]

    assert draws(1, "a") == draws(1, "a")
    assert draws(1, "a") != draws(1, "b")
    assert draws(1, "a") != draws(2, "a")


def test_nobody_asks_a_clock_outside_of_a_process() -> None:
    with pytest.raises(AssertionError, match="outside of any simulated process"):
        clock.now_us()
