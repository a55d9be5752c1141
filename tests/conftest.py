"""Fixtures for every test that needs real servers: `stack` (Kafka, PostgreSQL, Redis) and `system` (all of it)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tests.shared import end_unused, gathered, until_unused
from truetape.dev import Stack, free_base
from truetape.dev.servers import Lane, Servers, choose_lane, servers

# No test asserts a time: on a busy machine an example may take any. CI's verdict is of the code, not of the day's luck:
# its examples are the same in every run. Whoever works here draws new ones each time.
settings.register_profile("truetape", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("truetape")

# The brokers of tests live for seconds or minutes: the JVM's second compiler would cost more than its code saves.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


@cache
def _lane() -> tuple[Lane, str]:
    return choose_lane(os.environ.get("TRUETAPE_TEST_STACK", "auto"))


def pytest_report_header() -> str:
    """Which lane the servers of this run come from."""
    lane, why = _lane()
    kind = "testcontainers" if lane == "docker" else "native processes"
    return f"stack lane: {lane} ({kind}; {why})"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those who share servers come one after the other, so that the servers can end after them."""
    gathered(items)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Servers that no later test shares end."""
    end_unused(nextitem)


@pytest.fixture(scope="session")
def stack() -> Iterator[Servers]:
    """Kafka, PostgreSQL and Redis of this test session: `.kafka`, `.postgres`, `.redis` say where."""
    yield from until_unused("stack", servers(_lane()[0]))


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The whole native system of this test session, in a home and on ports of its own.

    A test that stops or kills units leaves all of them ready again (`system.up()`). After failures the
    home folder with its logs is kept.
    """
    yield from until_unused("system", _whole(tmp_path_factory.mktemp("system") / "home", request.session))


@contextmanager
def _whole(home: Path, session: pytest.Session) -> Iterator[Stack]:
    whole = Stack(home, free_base())
    failed_before = session.testsfailed
    try:
        whole.up()
        yield whole
    finally:
        if session.testsfailed == failed_before:
            whole.erase()
        else:
            whole.down()
            print(f"\nlogs of the failed system: {home}/logs")
