"""Fixtures for every test that needs real servers: `stack` (Kafka, PostgreSQL, Redis) and `system` (all of it)."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from truetape.dev import Stack, free_base
from truetape.dev.servers import Lane, Servers, choose_lane, servers

# No test asserts a time: on a busy machine an example may take any. CI's verdict is of the code, not of the day's luck:
# its examples are the same in every run. Whoever works here draws new ones each time.
settings.register_profile("truetape", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("truetape")


@cache
def _lane() -> tuple[Lane, str]:
    return choose_lane(os.environ.get("TRUETAPE_TEST_STACK", "auto"))


def pytest_report_header() -> str:
    """Which lane the servers of this run come from."""
    lane, why = _lane()
    kind = "testcontainers" if lane == "docker" else "native processes"
    return f"stack lane: {lane} ({kind}; {why})"


@pytest.fixture(scope="session")
def stack() -> Iterator[Servers]:
    """Kafka, PostgreSQL and Redis of this test session: `.kafka`, `.postgres`, `.redis` say where."""
    with servers(_lane()[0]) as found:
        yield found


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The whole native system of this test session, in a home and on ports of its own.

    A test that stops or kills units leaves all of them ready again (`system.up()`). After failures the
    home folder with its logs is kept.
    """
    home: Path = tmp_path_factory.mktemp("system") / "home"
    whole = Stack(home, free_base())
    failed_before = request.session.testsfailed
    try:
        whole.up()
        yield whole
    finally:
        if request.session.testsfailed == failed_before:
            whole.erase()
        else:
            whole.down()
            print(f"\nlogs of the failed system: {home}/logs")
