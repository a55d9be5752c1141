"""A small running system for what destroys or soils a tape or the views, without disturbing the stage.

Kafka, PostgreSQL, Redis, gateway, projection, risk and clearing run; there are no venues and no orders. One account per
partition gets deposits, all the way from REST to the view: those are the load.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.chaos import reader
from tests.chaos.catalogue import Trial
from tests.chaos.load import Acknowledged, Load
from tests.chaos.scenario import Course, drawn, look_back, name_of, reported, under_load
from tests.chaos.stage import bring_up, wait_until
from truetape import demo, ids, topics
from truetape.client import Client, Refused, Unreachable
from truetape.commands.demo import gateway_url
from truetape.dev import Stack, StartFailed, free_base

SERVICES = ("gateway", "projection", "risk", "clearing")
SERVERS = ("kafka", "topics", "postgres", "redis")
LOCATION, AMOUNT = "bank:settlement", "25"


def account_of(partition: int) -> str:
    """An account that lives on a partition."""
    names = (f"books-{number}" for number in itertools.count())
    return next(name for name in names if ids.partition_of(name, topics.PARTITIONS) == partition)


@dataclass
class Books:
    """The running system, and accounts that get deposits."""

    stack: Stack
    environment: dict[str, str]
    accounts: tuple[str, ...]
    administrator: str = ""
    deposits: Counter[str] = field(default_factory=Counter)
    """How many each account got."""

    def deposit(self, name: str) -> None:
        """A deposit of each account under a name, until the view has all their entries."""
        references = {account: f"{account}.{name}" for account in self.accounts}
        with Client(self.url, self.administrator, retry_seconds=60.0) as admin:
            for account, reference in references.items():
                admin.deposit(account, "USDT", AMOUNT, LOCATION, reference)
        wait_until(lambda: all(map(self.entry_of, references.values())), f"the entries of {references.values()}")
        self.deposits.update(self.accounts)

    def entry_of(self, reference: str) -> list[tuple[Any, ...]]:
        return self.rows("SELECT entry_id FROM view.entries WHERE external_reference = %s", reference)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.environment["TRUETAPE_POSTGRES"], connect_timeout=10) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def audit(self, *options: str) -> tuple[int, dict[str, Any]]:
        status, report = self.cli("audit", "--json", *options)
        return status, dict(report)

    def cli(self, *arguments: str) -> tuple[int, Any]:
        """Exit status and JSON of a `truetape` command."""
        done = subprocess.run(
            [sys.executable, "-m", "truetape.cli", *arguments],
            env=self.environment, capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip
        assert done.stdout, f"exit status {done.returncode}: {done.stderr[-2_000:]}"
        return done.returncode, json.loads(done.stdout)

    def assert_whole(self, name: str) -> None:
        """Deposits go all the way, each exactly once, and everything is equal, live and rebuilt alike."""
        self.deposit(name)
        status, report = self.audit()
        assert status == 0, f"{report['differences']}, {report['gaps']}"
        live = {one["live"] for one in report["partitions"] if one["service"] in SERVICES and one["records"]}
        assert live == {"equal"}, live
        query = "SELECT account_id, count(DISTINCT external_reference), count(*) FROM view.entries GROUP BY 1"
        wanted = [(account, self.deposits[account], self.deposits[account]) for account in sorted(self.accounts)]
        assert sorted(self.rows(query)) == wanted, self.rows(query)

    def kill(self, *services: str) -> None:
        """SIGKILL for those of them that run."""
        for name in services:
            if self.stack.pid(name) is not None:
                self.stack.kill(name, signal.SIGKILL)

    def start(self, *services: str) -> None:
        for name in services:
            self.stack.start(name)

    def refuses(self, service: str, error: str) -> None:
        """The service does not start, and says why."""
        with pytest.raises(StartFailed, match=error):
            self.stack.start(service)
        self.stack.stop(service)

    @property
    def url(self) -> str:
        return gateway_url(self.environment)

    @property
    def kafka(self) -> str:
        return self.environment["TRUETAPE_KAFKA"]

    @property
    def data(self) -> Path:
        return self.stack.home.data("kafka") / "data"


@contextmanager
def opened(folder: Path) -> Iterator[Books]:
    """The system with its accounts funded once, ready; erased with the context."""
    # Without snapshots while it runs: a restore reads the partition whole, unless the owner left in order.
    extra = {"TRUETAPE_SNAPSHOT_EVERY_SECONDS": "3600"}
    accounts = tuple(account_of(partition) for partition in range(topics.PARTITIONS))
    stack = Stack(folder / "home", free_base(), only=(*SERVERS, *SERVICES), extra=extra)
    try:
        bring_up(stack)
        books = Books(stack, dict(os.environ) | stack.environment(), accounts)
        for account in accounts:
            _, books.administrator = demo.introduce(books.environment["TRUETAPE_KAFKA"], account)
        books.deposit("first")
        yield books
    finally:
        stack.erase()


# -- under load ----------------------------------------------------------------------------------------------------


class Depositors(Load):
    """Of each account two, who pay in, and repeat under its reference what is not answered."""

    def submit(self, client: Client, account: str, client_order_id: str, chance: random.Random) -> None:
        """One deposit, repeated until it is approved."""
        reference = f"{account}.{client_order_id}"
        while time.monotonic() < self._give_up_at:
            try:
                transfer = client.deposit(account, "USDT", AMOUNT, LOCATION, reference)
            except (Refused, Unreachable):
                continue
            self.acknowledged.append(Acknowledged(account, reference, transfer.transfer_id, {}))
            return
        self.doubtful.append(reference)


@contextmanager
def damage(books: Books, trial: Trial) -> Iterator[Course]:
    """Deposits around a block that destroys something and puts it back; then everything is whole, and reported."""
    seed, name = drawn(), name_of(trial.number)
    load = Depositors(books.url, dict.fromkeys(books.accounts, books.administrator), name, seed, trial.load)
    course = Course(trial=trial, seed=seed, load=load, probe=books.deposit)
    with reported(course, lambda: "") as findings:
        try:
            with under_load(course):
                yield course
        finally:
            books.deposits.update(one.account_id for one in load.acknowledged)
        findings["every deposit was answered"] = load.doubtful
        findings["the independent reader finds nothing"] = reader.check(look_back(course, books.kafka), None)
        books.assert_whole(f"{name}.whole")
