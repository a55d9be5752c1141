"""Nodes: processes that start, crash at any point, freeze, stop and come back. What they run is a `Process`.

Nothing here polls in small steps: each process says when it wants its next turn, and is woken when there is news.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests.simulation import loop
from tests.simulation.swarm import MS, SECOND
from truetape.errors import BrokerUnavailable, RestoreTimedOut, TapeGap
from truetape.runner import Runner
from truetape.simclock import SimClock
from truetape.simlog import Killed, SimLog

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

NEVER: Final = 1 << 62
IDLE_US: Final = 1_000 * MS
"""A process without news has a turn after this, for its timers: snapshots, its lease, reports that do not come."""
AGAIN_US: Final = 250 * MS
"""A run loop that is to take over again soon."""
STANDBY_US: Final = 4_000 * MS
"""One that owns nothing has hardly anything to do."""


class Process(Protocol):
    """One process from its start to its end. After `crash` nothing of it is called again."""

    def begin(self) -> None:
        """What it does before its loop."""

    def turn(self) -> int:
        """Do what is due; returns when the next turn is wanted at the latest, in microseconds of virtual time."""

    def crash(self) -> None:
        """It is gone without a word, and without any `finally`."""

    def pause(self, suspend: bool) -> None:
        """SIGSTOP. With suspend its monotonic clock stops too."""

    def resume(self) -> None:
        """SIGCONT."""

    def stop(self) -> None:
        """SIGTERM: end in good order."""


@dataclass
class OneLog:
    """What all processes with one log share: how they die, freeze and go on."""

    log: SimLog
    simulated: loop.Process

    def crash(self) -> None:
        self.simulated.kill()
        self.log.crash()

    def pause(self, suspend: bool) -> None:
        self.simulated.pause(suspend)
        self.log.pause(suspend)

    def resume(self) -> None:
        self.simulated.resume()
        self.log.resume()


@dataclass
class RunLoop(OneLog):
    """A service: the real run loop over the simulated log, and the event loops of its sessions."""

    runner: Runner[Any]

    def begin(self) -> None:
        self.simulated.run(self.runner.start)

    def turn(self) -> int:
        now_us = self.log.broker.now_us
        if self.log.busy_until_us > now_us:
            return self.log.busy_until_us
        self.simulated.run(self.runner.turn, 0.0)
        return now_us + self._patience_us()

    def _patience_us(self) -> int:
        """How long it can do without a turn when nothing wakes it."""
        runner = self.runner
        if runner._retake_at is not None:
            return AGAIN_US
        return IDLE_US if runner._owned or runner._beginning else STANDBY_US

    def stop(self) -> None:
        self.simulated.run(self.runner._drain)


@dataclass
class Node:
    """A place where one process of a kind runs at a time."""

    cluster: "Cluster"
    service: str
    name: str
    make: Callable[["Node"], Process]
    process: Process | None = None
    log: SimLog | None = None
    """Its process's way to Kafka, if it has one."""
    runner: Runner[Any] | None = None
    """Its process's run loop, if it is one."""
    simulated: loop.Process | None = None
    """Its process's event loops, if it has some."""
    paused: bool = False
    starts: int = 0
    clock: SimClock = field(init=False)
    """The machine's: it goes on when a process dies."""
    _due_us: int = NEVER
    _not_before_us: int = 0
    _working: bool = False

    def __post_init__(self) -> None:
        chance, broker = self.cluster.chance, self.cluster.broker
        drift_ppm = chance.randint(-500, 500) if "clock" in self.cluster.plan.events else 0
        self.clock = SimClock(broker, drift_ppm=drift_ppm)

    # -- turns -----------------------------------------------------------------------------------------------

    def wake(self, at_us: int) -> None:
        """Let the process have a turn at this time, or as soon after it as its pace allows."""
        at_us = max(at_us, self._not_before_us, self.cluster.broker.now_us)
        if at_us < self._due_us:
            self._due_us = at_us
            self.cluster.broker.at(at_us, partial(self._turn, at_us))

    def _turn(self, at_us: int) -> None:
        if at_us != self._due_us:
            return  # It was brought forward.
        self._due_us = NEVER
        if self.process is None or self.paused:
            return
        if self._working:
            self.wake(at_us + MS)
            return
        next_us = self._attempt(self.process.turn)
        self._not_before_us = self.cluster.broker.now_us + self.cluster.pace_us()
        if self.process is not None and next_us is not None:
            self.wake(next_us)

    def _attempt(self, action: Callable[[], Any]) -> Any:
        """Call into the process; its end is the node's."""
        process, self._working = self.process, True
        try:
            return action()
        except Killed:
            if self.process is process:
                self.cluster.seen["killed in mid-work"] += 1
                self.crash(self.cluster.downtime_us())
        except TapeGap as gap:
            self.cluster.gap(self, gap)
            self.crash(self.cluster.downtime_us())
        except (BrokerUnavailable, RestoreTimedOut) as error:
            self.cluster.say(f"{self.name} ends: {error}")
            self.cluster.seen["process ended by name"] += 1
            self.crash(self.cluster.chance.randint(100 * MS, SECOND))
        finally:
            self._working = False
        return None if self.process is not process else NEVER

    # -- what happens to it ----------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process, unless one runs."""
        if self.process is not None:
            return
        self.starts += 1
        self.clock.wake()
        self.log = self.runner = self.simulated = None
        self.paused = False
        self.process = self.make(self)
        if self.log is not None:
            self.log.wake, self.log.blow, self.log.waits = self.wake, self._kill, True
        self._attempt(self.process.begin)
        self.wake(self.cluster.broker.now_us)

    def _kill(self) -> None:
        raise Killed(self.name)

    def crash(self, for_us: int) -> None:
        """Kill the process; it comes back later."""
        if self.process is None:
            return
        self.cluster.seen["process killed"] += 1
        self.cluster.gather(self)
        self.process.crash()
        self.process = self.log = self.runner = self.simulated = None
        self.paused = False
        self.cluster.later(for_us, self.start)

    def crash_in_mid_work(self, calls: int) -> None:
        """Kill the process inside one of its next calls, whatever it then does."""
        if self.simulated is not None and self.cluster.chance.random() < 0.5:
            self.simulated.after_steps(calls, partial(self._die, self.simulated))
        elif self.log is not None:
            self.log.fuse, self.log.blow = calls, self._kill

    def _die(self, simulated: loop.Process) -> None:
        """Inside a step of its event loops."""
        simulated.kill()
        if self.simulated is simulated and self.process is not None:
            self.cluster.seen["killed in mid-work"] += 1
            self.crash(self.cluster.downtime_us())

    def failed(self, process: loop.Process, error: BaseException) -> None:
        """Work in its event loops failed in a way that ends a real process."""
        if isinstance(error, AssertionError):
            raise error
        self.cluster.say(f"{self.name} ends: {error!r}")
        self.cluster.seen["process ended itself"] += 1
        self._die(process)

    def freeze_in_mid_work(self, calls: int, for_us: int) -> None:
        """Stop the process inside one of its next calls; the world goes on, and then it goes on."""
        if self.log is not None:
            self.log.fuse, self.log.blow = calls, partial(self._freeze, for_us)

    def _freeze(self, for_us: int) -> None:
        process = self.process
        if process is None or self.paused or not self._working or self.cluster.frozen:
            return
        self.cluster.say(f"{self.name} freezes in mid-work")
        self.cluster.seen["frozen in mid-work"] += 1
        self.cluster.frozen, self.paused = True, True
        process.pause(suspend=False)
        self.cluster.broker.advance(for_us)
        self.cluster.frozen = False
        if self.process is not process:
            raise Killed(self.name)
        if self.paused:
            process.resume()
            self.paused = False

    def pause(self, for_us: int, suspend: bool) -> None:
        """Stop the process for a while."""
        process = self.process
        if process is None or self.paused or self._working:
            return
        process.pause(suspend)
        self.paused = True
        self.cluster.later(for_us, partial(self._resume, process))

    def _resume(self, process: Process) -> None:
        if self.process is process and self.paused:
            process.resume()
            self.paused = False
            self.wake(self.cluster.broker.now_us)

    def stop(self, for_us: int) -> None:
        """End the process in good order; it comes back later."""
        process = self.process
        if process is not None and not self.paused and not self._working:
            self._attempt(process.stop)
            if self.process is process:
                self.cluster.seen["graceful stop"] += 1
                self.crash(for_us)

    def heal(self) -> None:
        """Trouble is over: whatever it is in, it goes on now, and nothing hits it any more."""
        if self.log is not None:
            self.log.fuse = None
        if self.simulated is not None:
            self.simulated.after_steps(-1, self.simulated.kill)
        if self.process is None:
            self.start()
        elif self.paused and not self._working:
            self._resume(self.process)

    def healthy(self) -> bool:
        """Whether it runs and nothing has happened to it."""
        return self.process is not None and not self.paused and not (self.log is not None and self.log.fenced)
