"""All services over the servers of this session's lane: containers where a Docker engine runs, else processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from truetape import demo
from truetape.client import Client
from truetape.commands.demo import gateway_url, venue_urls
from truetape.dev import Stack, free_base
from truetape.dev.servers import Servers
from truetape.settings import PORT_OFFSETS

SERVERS = {"kafka", "kafka-controller", "postgres", "redis"}


@pytest.fixture
def services(stack: Servers, tmp_path: Path) -> Iterator[Stack]:
    found = Stack(
        tmp_path / "home",
        free_base(),
        only=("topics", *(PORT_OFFSETS.keys() - SERVERS)),
        extra={"TRUETAPE_KAFKA": stack.kafka, "TRUETAPE_POSTGRES": stack.postgres, "TRUETAPE_REDIS": stack.redis},
    )
    try:
        found.up()
        yield found
    finally:
        found.erase()


def test_orders_fill_clear_and_audit(services: Stack) -> None:
    environment, traded = services.environment(), demo.Traded("lane")
    gateway = gateway_url(environment)
    trading, administrator = demo.introduce(environment["TRUETAPE_KAFKA"], traded.account_id)
    with Client(gateway, administrator) as admin:
        demo.fund(admin, traded.account_id, venue_urls(environment), environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
    with Client(gateway, trading) as client:
        demo.trade(client, traded, 3, 11, time.monotonic())
        demo.settle(client, traded)
    assert set(traded.venues) == {"alpha", "beta"}
    assert traded.cleared == traded.venues.total() > 0
    report = demo.audit(environment)
    assert report["differences"] == []
    assert report["equal"] is True


@pytest.mark.skipif("TRUETAPE_NO_DEMO" in os.environ, reason="TRUETAPE_NO_DEMO: the demo runs by itself, in Compose")
def test_the_demo_ends_well_and_says_where_to_look(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", free_base())  # Of its own: other tests break the books of theirs on purpose.
    options = ["--home", str(stack.home.path), "--port-base", str(stack.port_base)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "truetape.cli", "demo", *options],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        for proof in ("first fill after", "no breaks", "0 differences, 0 gaps", "/docs"):
            assert proof in done.stdout
        left = Stack(stack.home.path)
        assert {line.state for line in left.status()} == {"ready"}, "the demo leaves the stack running"
    finally:
        Stack(stack.home.path).erase()
