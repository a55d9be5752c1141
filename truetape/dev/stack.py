"""The native stack as one object: up, down, status, and single units for tests that kill them."""

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from truetape.dev import kafka, postgres, process, redis, services
from truetape.dev.errors import DiskFull, StartFailed
from truetape.dev.home import (
    VENUES,
    Home,
    checkout,
    environment,
    inherited,
    read_environment,
    secrets_of,
    write_environment,
)
from truetape.dev.ports import require_free
from truetape.dev.unit import Progress, Stage, Status, Unit, in_order
from truetape.errors import SetupError, TruetapeError
from truetape.settings import PORT_BASES, PORT_OFFSETS

FREE_BYTES = 512 * 2**20
"""Least free space on the home's disk: Kafka's segments, PostgreSQL's cluster and room for an hour of logs."""

_POLL_SECONDS = 0.05
_DEFAULT_BASE = 18_000


def _silent(_: Progress) -> None: ...


class Stack:
    """Kafka, PostgreSQL, Redis, two venues and all services as local processes of one home folder.

    `only` names the units to handle (default: all). `port_base` is remembered in the home. `replay` are
    recordings for the venues to play. `extra` are further TRUETAPE_ settings for all services, `by_unit` for
    single ones (a proxy in front of a server, an instance name). `brokers` are Kafka's nodes, if not the one.
    `report` hears of each step.
    """

    def __init__(
        self,
        home: Path,
        port_base: int | None = None,
        only: Collection[str] | None = None,
        *,
        replay: Sequence[Path] = (),
        extra: Mapping[str, str] | None = None,
        by_unit: Mapping[str, Mapping[str, str]] | None = None,
        brokers: Sequence[kafka.Broker] = (),
        downloads: Path | None = None,
        report: Callable[[Progress], None] = _silent,
    ) -> None:
        self.home = Home(home.absolute())
        self._report = report
        self._extra = dict(extra or {})
        self._by_unit = {unit: dict(values) for unit, values in (by_unit or {}).items()}
        known = read_environment(self.home.env_file)
        self.port_base = _checked(port_base) or int(known.get("TRUETAPE_PORT_BASE", _DEFAULT_BASE))
        self._known_base = int(known.get("TRUETAPE_PORT_BASE", self.port_base))
        self._environment = environment(self.port_base, secrets_of(known))
        self._brokers = brokers or (kafka.Broker(1, self.port("kafka"), self.port("kafka-controller")),)
        self._environment["TRUETAPE_KAFKA"] = ",".join(f"127.0.0.1:{broker.port}" for broker in self._brokers)
        self._environment["TRUETAPE_NOTARY_FOLDER"] = str(self.home.data("notary"))
        self._units = {unit.name: unit for unit in self._all_units(downloads or _downloads(), replay)}
        self._chosen = self._choose(only)
        self._added: list[Unit] = []

    def _all_units(self, downloads: Path, replay: Sequence[Path]) -> Iterator[Unit]:
        here = self._environment | self._extra  # The servers themselves are where the stack put them.
        for broker in self._brokers:
            yield kafka.unit(self.home, downloads, broker, len(self._brokers))
        yield postgres.unit(self.home, self._environment["TRUETAPE_POSTGRES"])
        yield redis.unit(self.home, self._environment["TRUETAPE_REDIS"])
        yield services.topics_unit(here, [broker.name for broker in self._brokers])
        yield from (
            services.venue_unit(venue, here, self.home.data("venues") / f"{venue}.state", replay) for venue in VENUES
        )
        yield from (
            services.service_unit(service, here | self._by_unit.get(service.name, {})) for service in services.SERVICES
        )

    def _choose(self, only: Collection[str] | None) -> list[Unit]:
        unknown = set(only or ()) - set(self._units)
        if unknown:
            raise SetupError(f"no unit is called {', '.join(sorted(unknown))}: choose from {', '.join(self._units)}")
        return [unit for name, unit in self._units.items() if only is None or name in only]

    @property
    def units(self) -> list[Unit]:
        """All units, chosen or not."""
        return list(self._units.values())

    # ---- what clients need ---------------------------------------------------------------------------

    def port(self, name: str) -> int:
        """The port of a unit."""
        return self.port_base + PORT_OFFSETS[name]

    def environment(self) -> dict[str, str]:
        """All settings of the stack, secrets included, for a client or for the CLI as a child process."""
        return inherited() | {"TRUETAPE_HOME": str(self.home.path)} | self._environment | self._extra

    def pid(self, name: str) -> int | None:
        """Process id of a unit; None when it does not run."""
        running = process.find(self.home.pid_file(self._unit(name).name))
        return running.pid if running else None

    def status(self) -> list[Status]:
        """Each chosen unit that is a process, as it is now."""
        return [self._status(unit) for unit in self._chosen if unit.command]

    # ---- all chosen units ----------------------------------------------------------------------------

    def up(self) -> None:
        """Start what does not run, each unit as soon as its needs are ready. Returns when all are ready.

        Raises the first unit's SetupError; what has started by then keeps running.
        """
        self._require_disk()
        self.home.create()
        self.home.data("venues").mkdir(exist_ok=True)
        with self._locked():
            self._keep_environment()
            self._start_all()

    def down(self) -> None:
        """Stop the chosen units in reverse order, the units of one layer at once."""
        for layer in reversed(in_order([*self._chosen, *self._added])):
            with ThreadPoolExecutor(len(layer)) as threads:
                list(threads.map(self._stop, layer))

    def erase(self) -> None:
        """Stop everything and delete the home folder with all data and secrets; shared downloads stay."""
        self.down()
        running = [name for name in self._units if self.pid(name)]
        if running:
            raise SetupError(f"still running: {', '.join(running)}: stop the whole stack before it is erased")
        postgres.remove(self.home)
        for name in ("env", "lock"):
            (self.home.path / name).unlink(missing_ok=True)
        brokers = (broker.name for broker in self._brokers)
        for name in (*brokers, "postgres", "redis", "venues", "notary", "logs", "run"):
            shutil.rmtree(self.home.path / name, ignore_errors=True)
        if self.home.path.exists() and not any(self.home.path.iterdir()):
            self.home.path.rmdir()

    # ---- single units --------------------------------------------------------------------------------

    def add(self, unit: Unit) -> None:
        """Take a further unit, such as a second instance of a service: `start` starts it, `down` ends it too."""
        if unit.name in self._units:
            raise SetupError(f"there is a unit {unit.name} already: choose another name")
        self._units[unit.name] = unit
        self._added.append(unit)

    def start(self, name: str) -> None:
        """Start one unit and wait until it is ready."""
        self._start(self._unit(name))

    def stop(self, name: str) -> None:
        """Stop one unit in order, with its deadline."""
        self._stop(self._unit(name))

    def restart(self, name: str) -> None:
        """Stop one unit in order and start it again."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a unit; after SIGKILL, wait until it has ended. Raises SetupError when it does not run."""
        running = process.find(self.home.pid_file(self._unit(name).name))
        if running is None:
            raise SetupError(f"{name} does not run: nothing to signal")
        process.send(running, with_signal)
        if with_signal == signal.SIGKILL:
            process.wait_end(running, 10)

    # ---- how -----------------------------------------------------------------------------------------

    def _unit(self, name: str) -> Unit:
        if name not in self._units:
            raise SetupError(f"no unit is called {name}: choose from {', '.join(self._units)}")
        return self._units[name]

    def _require_disk(self) -> None:
        folder = next(path for path in (self.home.path, *self.home.path.parents) if path.exists())
        free = shutil.disk_usage(folder).free
        if free < FREE_BYTES:
            raise DiskFull(
                f"{folder} has {free / 2**20:.0f} MiB free, and the stack needs {FREE_BYTES / 2**20:.0f} MiB to start "
                "without the risk of a torn log: free some space, or use a folder on another disk with --home; "
                "nothing was started or changed"
            )

    def _keep_environment(self) -> None:
        running = [name for name in self._units if self.pid(name)]
        if running and self._known_base != self.port_base:
            raise SetupError(
                f"{', '.join(running)} run on port base {self._known_base}: `truetape dev down` first, "
                f"then `up` with {self.port_base}"
            )
        known = read_environment(self.home.env_file)
        if known and secrets_of(known) != secrets_of(self._environment):
            raise SetupError(f"{self.home.env_file} was written by somebody else just now: run `up` again")
        write_environment(self.home.env_file, self._environment)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.home.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SetupError(f"another `up` is at work in {self.home.path}: wait for it to end") from None
            yield

    def _start_all(self) -> None:
        futures: dict[str, Future[bool]] = {}

        def start(unit: Unit) -> bool:
            for future in [futures[need] for need in unit.needs if need in futures]:
                if future.exception() or not future.result():
                    return False  # The unit that failed raises; this one was not tried.
            self._start(unit)
            return True

        with ThreadPoolExecutor(len(self._chosen) or 1) as threads:
            for unit in (unit for layer in in_order(self._chosen) for unit in layer):
                futures[unit.name] = threads.submit(start, unit)
        for future in futures.values():
            future.result()

    def _start(self, unit: Unit) -> None:
        began = time.monotonic()
        stage: Stage = "unchanged" if self.pid(unit.name) else "ready"
        if stage == "ready":
            for port in unit.ports:
                require_free(port, unit.name)
            self._prepare(unit)
            if unit.command:
                process.spawn(unit.command(), self.home.log(unit.name), self.home.pid_file(unit.name))
        if unit.command:
            self._wait_ready(unit, began)
        self._report(Progress(unit.name, stage, time.monotonic() - began, _address(unit)))

    def _prepare(self, unit: Unit) -> None:
        try:
            unit.prepare()
        except TruetapeError:
            raise
        except OSError as error:
            raise StartFailed(f"{unit.name} could not be prepared: {error}") from error

    def _wait_ready(self, unit: Unit, began: float) -> None:
        running = process.find(self.home.pid_file(unit.name))
        deadline, told = time.monotonic() + unit.start_seconds, ""
        while running and running.alive():
            missing = unit.missing()
            if missing is None:
                return
            if time.monotonic() > deadline:
                raise StartFailed(
                    self._failure(unit, f"is not ready after {unit.start_seconds:.0f} s, missing: {missing}")
                )
            if missing != told:
                told = missing
                self._report(Progress(unit.name, "waiting", time.monotonic() - began, missing))
            time.sleep(_POLL_SECONDS)
        raise StartFailed(self._failure(unit, "ended before it was ready"))

    def _failure(self, unit: Unit, what: str) -> str:
        log = self.home.log(unit.name)
        advice = unit.advice or "read the log, correct the cause, and run `up` again: what runs stays"
        return f"{unit.name} {what}; end of {log}:\n{process.log_end(log)}\n  What to do: {advice}"

    def _stop(self, unit: Unit) -> None:
        began, running = time.monotonic(), process.find(self.home.pid_file(unit.name))
        if running:
            orderly = process.stop(running, unit.stop_signal, unit.stop_seconds)
            if orderly:
                unit.ended()
            stage: Stage = "stopped" if orderly else "killed"
            self._report(Progress(unit.name, stage, time.monotonic() - began))
        self.home.pid_file(unit.name).unlink(missing_ok=True)

    def _status(self, unit: Unit) -> Status:
        running, port = process.find(self.home.pid_file(unit.name)), unit.ports[0] if unit.ports else None
        if running is None:
            return Status(unit.name, "stopped", None, port, None, None, "")
        missing = unit.missing()
        age, memory = process.age_and_memory(running.pid)
        return Status(unit.name, "starting" if missing else "ready", running.pid, port, age, memory, missing or "")


def _checked(port_base: int | None) -> int | None:
    lowest, highest = PORT_BASES
    if port_base is not None and not lowest <= port_base <= highest:
        raise SetupError(f"--port-base {port_base} leaves no room for all ports: choose one from {lowest} to {highest}")
    return port_base


def _downloads() -> Path:
    """Downloads are the same for every home: they belong to the checkout."""
    return checkout() / ".truetape" / "downloads" if os.access(checkout(), os.W_OK) else Path(".truetape/downloads")


def _address(unit: Unit) -> str:
    return f"127.0.0.1:{unit.ports[0]}" if unit.ports else ""
