"""Everything below this folder runs in memory, from a seed or exhaustively, or on librdkafka's mock of Kafka."""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

MOCK = """
import sys
from confluent_kafka import Producer
producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
[broker] = producer.list_topics(timeout=10).brokers.values()
print(f"{broker.host}:{broker.port}", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True, scope="package")
def quiet() -> Iterator[None]:
    """Thousands of simulated step-downs need no log lines."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def cluster() -> Iterator[tuple[str, int]]:
    """Address and process id of a mock cluster."""
    process = subprocess.Popen(
        [sys.executable, "-c", MOCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()
