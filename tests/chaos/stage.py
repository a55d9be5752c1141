"""The stage of the chaos scenarios: the whole native stack with a proxy wherever a network may fail, and its traders.

One stage serves many scenarios. What each may assume at its start, and must leave behind: every unit of the stack is
ready, every proxy forwards, and the breaks in `planted` are the only differences with the venues.

Seams for scenarios with needs of their own:

- `Stage.open(folder, extra=…, by_unit=…)`: a stage of its own with other settings for all services or for one;
  `by_unit={"risk": {"TRUETAPE_KAFKA": …}}` puts anything between one service and a server;
- `stage.stack`: `kill(unit, signal)`, `start`, `stop`, `pid`, `port`, `add(Unit)` for further processes;
- `stage.proxies`: `postgres` (the projection reaches it through this one), `alpha` and `beta` (the router does),
  `kafka` (further instances do that `join` was told to send through it);
- `stage.join(service)`: a second instance of a service in the same consumer group;
- `Stage.open(folder, brokers=3)`: a cluster whose units are kafka (the controller too), kafka-2 and kafka-3;
- `stage.skew(service, file)`: a service whose wall clock is ahead by the seconds in the file.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from tests.chaos.proxy import Proxy
from truetape import demo
from truetape.client import Client, Refused, Unreachable
from truetape.commands.demo import gateway_url, venue_urls
from truetape.dev import Stack, StartFailed, free_base, process
from truetape.dev.home import VENUES
from truetape.dev.kafka import Broker
from truetape.dev.services import SERVICES, service_unit
from truetape.settings import PORT_OFFSETS

ACCOUNTS: Final = ("amber", "birch", "cedar", "dogwood")
SETTINGS: Final = {
    "TRUETAPE_SESSION_TIMEOUT_MS": "6000",
    "TRUETAPE_SNAPSHOT_EVERY_SECONDS": "3",
    "TRUETAPE_RECONCILE_SECONDS": "1",
    "TRUETAPE_BREAK_GRACE_SECONDS": "3",
}
"""Short cycles, so that faults meet takeovers, snapshots and comparisons under way."""
PATIENCE_SECONDS: Final = 120.0
PROBE_SECONDS: Final = 180.0
"""How long orders of all accounts may need to go all the way: at full load the views of a busy machine lag."""
SECOND_OFFSET: Final = 10
"""A second instance's ports, above those of the first."""
BEHIND_OFFSET: Final = 98
"""Port of Kafka's second listener, to which a proxy leads; those of further brokers lie before it."""
PLANTED: Final = ("BALANCE", "alpha", "USDT")


class Stage:
    """A running system under test. Use `Stage.open`."""

    def __init__(self, stack: Stack, proxies: dict[str, Proxy], by_unit: Mapping[str, Mapping[str, str]]) -> None:
        self.stack, self.proxies, self._by_unit = stack, proxies, by_unit
        self.environment = dict(os.environ) | stack.environment()
        self.kafka = self.environment["TRUETAPE_KAFKA"]
        self.postgres = self.environment["TRUETAPE_POSTGRES"]
        self.url = gateway_url(self.environment)
        self.venues = venue_urls(self.environment)
        self.keys: dict[str, str] = {}
        """Trading key by account."""
        self.administrator = ""
        """An administrator's key."""
        self.planted: set[tuple[str, str, str]] = set()
        """Breaks that were planted: class, venue, key."""
        self.ended: list[Callable[[], None]] = []

    @classmethod
    @contextmanager
    def open(
        cls,
        folder: Path,
        extra: Mapping[str, str] | None = None,
        by_unit: Mapping[str, Mapping[str, str]] | None = None,
        brokers: int = 1,
    ) -> Iterator["Stage"]:
        """A stage in `folder`, ready to trade; all of it ends and is erased with the context."""
        home, base = folder / "home", free_base()
        before = Stack(home, base, only=())
        before.up()  # Writes the secrets, which the proxies' addresses need.
        proxies = {name: Proxy(base + PORT_OFFSETS[name]) for name in ("postgres", *VENUES)}
        proxies["kafka"] = Proxy(base + BEHIND_OFFSET)
        through = _through(proxies, before.environment())
        for unit, values in (by_unit or {}).items():
            through[unit] = through.get(unit, {}) | dict(values)
        nodes = _brokers(base, brokers, proxies["kafka"])
        stack = Stack(home, base, extra=SETTINGS | dict(extra or {}), by_unit=through, brokers=nodes)
        try:
            bring_up(stack)
            stage = cls(stack, proxies, through)
            stage.introduce()
            yield stage
        finally:
            for proxy in proxies.values():
                proxy.release()
            keep = os.environ.get("TRUETAPE_CHAOS_KEEP")
            (stack.down if keep else stack.erase)()
            for proxy in proxies.values():
                proxy.close()

    # -- traders and their money -----------------------------------------------------------------------------

    def introduce(self) -> None:
        """Accounts with keys and money, and one planted break: money that vanished at venue alpha."""
        for account in ACCOUNTS:
            self.keys[account], self.administrator = demo.introduce(self.kafka, account)
        with Client(self.url, self.administrator) as admin:
            for account in ACCOUNTS:
                demo.fund(admin, account, self.venues, self.environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
        with self.client(ACCOUNTS[0]) as client:
            wait_until(lambda: len(client.marks()) >= len(demo.SIZES), "marks of all instruments")
        self.admin("alpha", "POST", f"/accounts/{demo.VENUE_ACCOUNT}/adjust", {"asset": "USDT", "amount": "-12.5"})
        self.planted.add(PLANTED)

    def client(self, account: str, retry_seconds: float = 20.0) -> Client:
        """A client of an account."""
        return Client(self.url, self.keys[account], retry_seconds=retry_seconds)

    def admin(self, venue: str, method: str, path: str, body: Any = None) -> Any:
        """Something that only the venue itself can do or know."""
        headers = {"Authorization": f"Bearer {self.environment['TRUETAPE_VENUE_ADMIN_TOKEN']}"}
        answer = httpx.request(method, f"{self.venues[venue]}/admin{path}", headers=headers, json=body, timeout=30)
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()

    def probe(self, name: str, patience_seconds: float = PROBE_SECONDS) -> None:
        """One order per account, all the way: accepted, filled, booked, and seen in the views."""
        deadline = time.monotonic() + patience_seconds
        for account in self.keys:
            with self.client(account, retry_seconds=1.0) as client:
                attempt = 0
                while not _goes_through(client, f"{name}.{attempt}", deadline):
                    attempt += 1
                    assert time.monotonic() < deadline, f"no order of {account} goes through: {self.said()}"

    # -- processes -------------------------------------------------------------------------------------------

    def join(self, service: str, number: int = 2, *, wait: bool = True, cuttable: bool = False) -> str:
        """Start another instance of a service, and wait until it is ready if wanted; the name of its unit.
        `cuttable`: it reaches Kafka through the proxy."""
        known = next(one for one in SERVICES if one.name == service)
        base = self.stack.port_base + SECOND_OFFSET * (number - 1)
        name = f"{service}-{number}"
        here = self.stack.environment() | dict(self._by_unit.get(service, {}))
        here |= {"TRUETAPE_INSTANCE": name, "TRUETAPE_PORT_BASE": str(base)}
        if cuttable:
            here["TRUETAPE_KAFKA"] = f"127.0.0.1:{self.proxies['kafka'].port}"
        if name not in {unit.name for unit in self.stack.units}:
            self.stack.add(dataclasses.replace(service_unit(known, here), name=name, needs=()))
        if wait:
            self.stack.start(name)
        else:
            self._spawn(name, self._command(name))
        return name

    def skew(self, service: str, file: Path) -> None:
        """Start a service whose wall clock is ahead by as many seconds as the file says, which may change. Does not
        wait until it is ready, as `stage.stack.start` does."""
        command = self._command(service)
        program, module, *arguments = command.argv[0], *command.argv[2:]
        argv = [program, "-m", "tests.chaos.skewed", str(file), module, *arguments]
        self._spawn(service, dataclasses.replace(command, argv=argv))

    def _command(self, name: str) -> process.Command:
        unit = next(unit for unit in self.stack.units if unit.name == name)
        assert unit.command is not None
        return unit.command()

    def _spawn(self, name: str, command: process.Command) -> None:
        process.spawn(command, self.stack.home.log(name), self.stack.home.pid_file(name))

    def second_runs(self, service: str) -> bool:
        """Whether a second instance of a service runs now."""
        name = f"{service}-2"
        return name in {unit.name for unit in self.stack.units} and self.stack.pid(name) is not None

    def owned(self, unit: str) -> int:
        """How many partitions an instance owns."""
        service, _, number = unit.partition("-")
        port = self.stack.port(service) + SECOND_OFFSET * (int(number or 1) - 1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next(
            (int(float(line.split()[-1])) for line in lines if "owned_partitions" in line and line[0] != "#"), 0
        )

    def signal(self, unit: str, number: signal.Signals) -> None:
        """Signal a unit, for example SIGSTOP and SIGCONT."""
        self.stack.kill(unit, number)

    def memory_bytes(self, unit: str) -> int:
        """What a unit holds in memory now."""
        pid = self.stack.pid(unit)
        assert pid is not None, f"{unit} does not run"
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cli(self, *arguments: str, timeout: float = 120) -> tuple[int, Any]:
        """Exit status and JSON of a `truetape` command."""
        done = subprocess.run(
            [sys.executable, "-m", "truetape.cli", *arguments],
            env=self.environment, capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip
        assert done.stdout.strip(), f"truetape {' '.join(arguments)} ({done.returncode}): {done.stderr[-1_000:]}"
        return done.returncode, json.loads(done.stdout)

    def said(self, lines: int = 4) -> str:
        """The end of each process's log."""
        found = []
        for log in sorted(self.stack.home.log("x").parent.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            found.append(f"== {log.stem}\n" + "\n".join(line[:300] for line in tail))
        return "\n".join(found)


def wait_until(true: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that must happen; machines differ, so the deadline is generous."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds:g} s still not: {what}"
        time.sleep(0.1)


def bring_up(stack: Stack) -> None:
    """Start, once more when a machine that is too busy let something give up: to start is not what is tested here."""
    for _ in range(2):
        try:
            stack.up()
            return
        except StartFailed as error:
            print(f"\nstarting again: {str(error).splitlines()[0]}")
    stack.up()


def _goes_through(client: Client, name: str, deadline: float) -> bool:
    """Whether a market order is accepted, filled, booked and seen; False for a definite other end: try the next."""
    try:
        order_id = client.submit("BTC-USDT", "BUY", "0.001", client_order_id=name).order_id
        while time.monotonic() < deadline:
            status = client.order(order_id).status
            if status in ("REJECTED", "CANCELLED", "EXPIRED"):
                return False
            if status == "FILLED" and "EntryBooked" in {event.type for event in client.history(order_id)}:
                return True
            time.sleep(0.02)
    except (Refused, Unreachable):
        time.sleep(0.05)
    return False


def _brokers(base: int, number: int, proxy: Proxy) -> list[Broker]:
    """Kafka's nodes. The first has a second listener, whose clients go through the proxy."""
    first, controller = base + PORT_OFFSETS["kafka"], base + PORT_OFFSETS["kafka-controller"]
    further = [Broker(one, controller + one - 1, controller) for one in range(2, number + 1)]
    return [Broker(1, first, controller, behind=(proxy.target, proxy.port)), *further]


def _through(proxies: Mapping[str, Proxy], known: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Settings by service that lead through the proxies."""
    where = urlsplit(known["TRUETAPE_POSTGRES"])
    user, _, _ = where.netloc.rpartition("@")
    database = urlunsplit(where._replace(netloc=f"{user}@127.0.0.1:{proxies['postgres'].port}"))
    router = {}
    for venue in VENUES:
        prefix = f"TRUETAPE_VENUES__{venue.upper()}__"
        router[prefix + "REST_URL"] = f"http://127.0.0.1:{proxies[venue].port}"
        router[prefix + "STREAM_URL"] = f"ws://127.0.0.1:{proxies[venue].port}"
    return {"projection": {"TRUETAPE_POSTGRES": database}, "router": router}
