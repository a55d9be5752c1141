"""One running clearing house for this folder."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from tests.integration.clearing.house import UNITS, House, Lost, lost_orders, with_maker
from tests.shared import until_unused
from truetape.dev import Stack, free_base
from truetape.log import KafkaLog
from truetape.operator import Operator
from truetape.settings import settings


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    yield from until_unused("house", _opened(tmp_path_factory.mktemp("clearing") / "home"))


@pytest.fixture(scope="session")
def lost(house: House) -> Lost:
    """What has to grow old before a test looks at it: a default is waived after 75 seconds, while other tests run."""
    return lost_orders(house)


@contextmanager
def _opened(home: Path) -> Iterator[House]:
    stack = Stack(home, free_base(), only=UNITS)
    with_maker(stack)
    found, patch = None, pytest.MonkeyPatch()
    try:
        stack.up()
        environment = stack.environment()
        for name, value in (environment | {"COLUMNS": "240"}).items():
            patch.setenv(name, value)
        settings.cache_clear()
        quiet = structlog.make_filtering_bound_logger(logging.ERROR)
        structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
        log = KafkaLog(environment["TRUETAPE_KAFKA"])
        found = House(stack, Operator(log), KafkaLog(environment["TRUETAPE_KAFKA"]))
        found.open()
        yield found
    finally:
        if found is not None:
            found.close()
        patch.undo()
        settings.cache_clear()
        structlog.reset_defaults()
        stack.erase()
