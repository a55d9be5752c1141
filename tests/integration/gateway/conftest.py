"""One running gateway for this folder, with real servers, risk and clearing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.gateway.desk import UNITS, Desk
from tests.shared import until_unused
from truetape.dev import Stack, free_base
from truetape.log import KafkaLog
from truetape.operator import Operator


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Servers and services of their own, since these tests flush, stop and kill them."""
    yield from until_unused("desk", _opened(tmp_path_factory.mktemp("gateway") / "home", request.session))


@contextmanager
def _opened(home: Path, session: pytest.Session) -> Iterator[Desk]:
    failed_before = session.testsfailed
    stack = Stack(home, free_base(), only=UNITS)
    found = None
    try:
        stack.up()
        bootstrap = stack.environment()["TRUETAPE_KAFKA"]
        found = Desk(stack, Operator(KafkaLog(bootstrap)), KafkaLog(bootstrap))
        found.prepare()
        yield found
    finally:
        if found is not None:
            found.close()
        if session.testsfailed == failed_before:
            stack.erase()
        else:
            stack.down()
            print(f"\nlogs: {stack.home.path}/logs")
