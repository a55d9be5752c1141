"""Simulated processes and the event loops in them: real asyncio code on virtual time, one loop per incarnation.

A loop never waits: it asks the broker's clock for a turn when something is ready or a timer is due, and runs all of
it at that one instant, first in first out. All that is random about it is what the nodes' seeds draw.
"""

import asyncio
import base64
import heapq
import io
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from random import Random
from typing import Any, ClassVar, Final, TypeVar, TypeVarTuple, Unpack, cast

from truetape import chance, clock
from truetape.simbroker import SimBroker
from truetape.simclock import SimClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ROUNDS_MAX: Final = 10_000
"""Rounds of one loop at one instant; more are a loop that goes round without waiting for anything."""
EXECUTOR_US: Final = (50, 2_000)
"""How long a call in another thread takes."""


class Deadlock(AssertionError):
    """Somebody waits for what nothing will bring."""


class Livelock(AssertionError):
    """A loop never comes to rest at one instant."""


class Process:
    """One incarnation of a node: its clocks, its chance, its event loops. What it had in memory dies with it."""

    current: "Process | None" = None
    made: ClassVar["list[Process]"] = []
    """All of this run, the dead too: nothing of them may be unwound while it goes on. `bury` ends that."""

    def __init__(self, broker: SimBroker, name: str, seed: int, clock: SimClock | None = None) -> None:
        self.broker, self.name = broker, name
        self.clock = clock or SimClock(broker)
        self.chance = Random(f"{seed}:{name}:{broker.now_us}")
        self.alive = True
        self.paused = False
        self.slow_us = 0
        """Each wake-up of its loops comes up to so much later."""
        self.ended: Callable[[BaseException], None] | None = None
        """Called when work in the process failed so that it would have ended itself; without it, the failure raises."""
        self.at_end: list[Callable[[], None]] = []
        """Called when it is killed: what its kernel and the network do then."""
        self._steps_left = -1
        self._action: Callable[[], None] = self.kill
        self._loops: list[SimLoop] = []
        Process.made.append(self)

    def loop(self) -> "SimLoop":
        """A new event loop of this process."""
        loop = SimLoop(self)
        self._loops.append(loop)
        return loop

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function as code of this process: clocks and chance are the process's own."""
        outer, Process.current = Process.current, self
        try:
            return function(*args)
        finally:
            Process.current = outer

    def kill(self) -> None:
        """kill -9: no exception, no finally; only what has left the process remains."""
        self.alive = False
        for loop in self._loops:
            loop.drop()
        ends, self.at_end = self.at_end, []
        for end in ends:
            end()

    def after_steps(self, steps: int, action: Callable[[], None]) -> None:
        """Do something (kill, pause) after so many more steps of its tasks: in the middle of whatever they do then."""
        self._steps_left, self._action = steps, action

    def pause(self, suspend: bool = False) -> None:
        """SIGSTOP; with suspend the machine sleeps, and its monotonic clock stands."""
        self.paused = True
        if suspend:
            self.clock.suspend()

    def resume(self) -> None:
        """SIGCONT: everything goes on where it was, a zombie perhaps."""
        self.paused = False
        self.clock.wake()
        for loop in self._loops:
            loop.wake()

    def unwind(self) -> None:
        """Give up what the dead process held. Nothing of that has an effect: it is for the memory of the next run."""
        for loop in self._loops:
            for task in loop.graves:
                with suppress(Exception):
                    self.run(cast("Coroutine[Any, Any, Any]", task.get_coro()).close)
        self._loops.clear()

    def late_us(self) -> int:
        """How much later than asked this process gets its turn."""
        return self.chance.randint(0, self.slow_us) if self.slow_us else 0

    def count_step(self) -> None:
        """One of the steps that are counted; after the last one it may be dead or stand still."""
        self._steps_left -= 1
        if self._steps_left < 0:
            self._action()

    def fail(self, error: BaseException) -> None:
        """Something in it failed that ends a real process."""
        if self.ended is None:
            raise error
        self.ended(error)


class SimLoop(asyncio.BaseEventLoop):
    """The event loop of one process, on the broker's clock."""

    _turning = False
    get_debug = staticmethod(bool)  # False; asked for at every handle.

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.process = process
        self._broker = process.broker
        self._handles: Any = self._ready  # type: ignore[attr-defined]
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._timer_count = 0
        self._turn_us: int | None = None
        self.graves: list[asyncio.Task[Any]] = []
        """The tasks of a dead process, as they stood."""

    # -- what asyncio asks of a loop -------------------------------------------------------------------------

    def time(self) -> float:
        """The process's monotonic clock."""
        return self.process.clock.monotonic()

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call after all that is ready already."""
        handle = asyncio.Handle(callback, args, self, context)
        if self.process.alive:
            self._handles.append(handle)
            if not self._turning and not self.process.paused:
                self._turn_at(self._broker.now_us + self.process.late_us())
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at a time of the monotonic clock; timers of the same microsecond in the order of these calls."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        if self.process.alive:
            self._timer_count += 1
            due_us = round(when * 1e6)
            heapq.heappush(self._timers, (due_us, self._timer_count, timer))
            if not self._turning and not self.process.paused:
                self._turn_at(max(self.process.clock.virtual_us(due_us), self._broker.now_us))
        return timer

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> "asyncio.Future[T]":
        """What another thread would do, done at one instant a little later."""
        found: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if not found.cancelled():
                try:
                    found.set_result(func(*args))
                except Exception as error:
                    found.set_exception(error)

        self.call_later(self.process.chance.randint(*EXECUTOR_US) / 1e6, work)
        return found

    def is_running(self) -> bool:
        """Whether it is having its turn."""
        return self._turning

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody handles is a failure of the code under test."""
        error = context.get("exception")
        if self.process.alive and isinstance(error, BaseException):
            self.process.fail(error)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when their time comes."""

    def __del__(self) -> None:
        """A killed process closes nothing."""

    # -- turns -----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Ask for the next turn that is needed."""
        self._turn_us = None
        self._turn_next()

    def drop(self) -> None:
        """Never run again. The tasks are kept as they stand, so that nothing of them is unwound."""
        self.graves.extend(asyncio.all_tasks(self))
        for task in self.graves:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._handles.clear()
        self._timers.clear()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 3_600.0) -> T:
        """Drive virtual time until this is done: for tests. Raises Deadlock when nothing is left that could do it."""
        task: asyncio.Task[T] = self.process.run(self.create_task, work)
        until_us = self._broker.now_us + round(seconds * 1e6)
        while not task.done():
            if (next_us := self._broker.next_us()) is None or next_us > until_us:
                raise Deadlock(f"{self.process.name}: nothing will happen any more\n{self.stacks()}")
            self._broker.advance(max(0, next_us - self._broker.now_us))
        return task.result()

    def stacks(self) -> str:
        """Where each task of this loop waits."""
        text = io.StringIO()
        for task in sorted(asyncio.all_tasks(self), key=lambda one: one.get_name()):
            task.print_stack(file=text)
        return text.getvalue()

    def _turn_at(self, at_us: int) -> None:
        if self._turn_us is None or at_us < self._turn_us:
            self._turn_us = at_us
            self._broker.at(at_us, self._turn)

    def _turn_next(self) -> None:
        timers = self._timers
        if self._handles:
            self._turn_at(self._broker.now_us + self.process.late_us())
            return
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if timers:
            due_us = self.process.clock.virtual_us(timers[0][0])
            self._turn_at(max(due_us, self._broker.now_us) + self.process.late_us())

    def _turn(self) -> None:
        """Everything that is ready or due at this instant; an event that an earlier turn has overtaken does nothing."""
        stands = self.process.paused or not self.process.alive
        if self._turn_us is None or self._broker.now_us < self._turn_us or stands:
            return
        self._turn_us = None
        outer, outer_process = events._get_running_loop(), Process.current
        events._set_running_loop(self)
        Process.current, self._turning = self.process, True
        try:
            self._run_ready()
        finally:
            self._turning, Process.current = False, outer_process
            events._set_running_loop(outer)
        if self.process.alive and not self.process.paused:
            self._turn_next()

    def _run_ready(self) -> None:
        process, handles, timers = self.process, self._handles, self._timers
        now_us, left = process.clock.monotonic_us(), ROUNDS_MAX
        while True:
            while timers and timers[0][0] <= now_us:
                handles.append(heapq.heappop(timers)[2])
            if not handles:
                return
            for _ in range(len(handles)):
                if process._steps_left >= 0:
                    process.count_step()
                if not process.alive or process.paused:
                    return
                handle = handles.popleft()
                if not handle._cancelled:
                    try:
                        handle._context.run(handle._callback, *handle._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:
                        self.call_exception_handler({"exception": error})
            left -= 1
            if left < 0:
                raise Livelock(f"{process.name} never comes to rest\n{self.stacks()}")


def _now() -> Process:
    assert Process.current is not None, "a clock or chance is asked outside of any simulated process"
    return Process.current


def _token_urlsafe(size: int) -> str:
    return base64.urlsafe_b64encode(_now().chance.randbytes(size)).rstrip(b"=").decode()


def bury() -> None:
    """A run is over: forget all of its processes."""
    made, Process.made[:] = list(Process.made), []
    for process in made:
        process.kill()
    for process in made:
        process.unwind()


@contextmanager
def simulated() -> Iterator[None]:
    """Put the simulated processes' clocks and chance in the place of the machine's."""
    kept = (clock.now_us, clock.monotonic, chance.token_hex, chance.token_urlsafe, chance.uniform)
    clock.now_us = lambda: _now().clock.now_us()
    clock.monotonic = lambda: _now().clock.monotonic()
    chance.token_hex = lambda size: _now().chance.randbytes(size).hex()
    chance.token_urlsafe = _token_urlsafe
    chance.uniform = lambda low, high: _now().chance.uniform(low, high)
    try:
        yield
    finally:
        bury()
        clock.now_us, clock.monotonic, chance.token_hex, chance.token_urlsafe, chance.uniform = kept
