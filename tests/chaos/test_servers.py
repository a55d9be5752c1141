"""Kafka, PostgreSQL and Redis killed, stopped, restarted and emptied under load: catalogue 7, 8, 10, 11, 12."""

import random
import signal
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest
import redis

from tests.chaos.proxy import Direction, Verdict
from tests.chaos.scenario import scenario
from tests.chaos.stage import Stage, wait_until

pytestmark = pytest.mark.timeout(900)
PAUSE_SECONDS = 30.0
MEMORY_GROWTH_MAX = 96 * 2**20


@pytest.mark.only_make_chaos
def test_the_broker_is_killed(stage: Stage) -> None:
    with scenario(stage, "7", "kill -9 Kafka, twice") as run:
        for _ in range(2):
            with run.fault("kill -9 kafka, start after a second"):
                stage.stack.kill("kafka")
                time.sleep(1.0)
                stage.stack.start("kafka")


@pytest.mark.only_make_chaos
def test_the_broker_sleeps(stage: Stage) -> None:
    """Clients are told to come back later, and what waits does not grow."""
    with scenario(stage, "8", "SIGSTOP Kafka for thirty seconds", "full") as run:
        before = stage.memory_bytes("gateway")
        with run.fault("SIGSTOP kafka") as fault:
            try:
                stage.signal("kafka", signal.SIGSTOP)
                time.sleep(PAUSE_SECONDS)
                growth = stage.memory_bytes("gateway") - before
            finally:
                stage.signal("kafka", signal.SIGCONT)
        told = [one for one in run.attempts_since(fault.at_s) if one.status == 503]
        run.notes |= {"told_to_come_back": len(told), "gateway_growth_mib": round(growth / 2**20, 1)}
        assert told, "nobody was told to come back later"
        assert all(one.retry_after for one in told), "a 503 without Retry-After"
        assert growth < MEMORY_GROWTH_MAX, f"the gateway grew by {growth / 2**20:.0f} MiB"


@pytest.mark.only_make_chaos
def test_postgres_is_restarted_in_order(stage: Stage) -> None:
    with scenario(stage, "10", "PostgreSQL restarted, fast", "full") as run, run.fault("stop -m fast, start"):
        stage.stack.restart("postgres")


@pytest.mark.only_make_chaos
def test_postgres_is_restarted_without_order(stage: Stage) -> None:
    with scenario(stage, "10", "PostgreSQL restarted, immediate") as run:
        for number in (signal.SIGQUIT, signal.SIGKILL):
            with run.fault(f"{number.name} postgres, start"):
                stage.signal("postgres", number)
                wait_until(lambda: stage.stack.pid("postgres") is None, "PostgreSQL has ended")
                stage.stack.start("postgres")


class CutCommits:
    """Cuts the connection around each COMMIT that chance chooses: before the server gets it, or after it was done."""

    def __init__(self, chance: random.Random) -> None:
        self.cuts: Counter[str] = Counter()
        self._chance = chance
        self._committing: set[int] = set()

    def __call__(self, number: int, direction: Direction, chunk: bytes) -> Verdict:
        if direction == "to_server" and b"COMMIT" in chunk:
            match self._chance.choice(("pass", "before", "after")):
                case "before":
                    self.cuts["not committed"] += 1
                    return "cut"
                case "after":
                    self._committing.add(number)
        elif direction == "to_client" and number in self._committing:
            self._committing.discard(number)
            self.cuts["committed"] += 1
            return "cut"
        return "pass"


def test_the_connection_is_cut_during_commit(stage: Stage) -> None:
    with scenario(stage, "11", "the connection to PostgreSQL is cut during COMMIT") as run:
        cut = CutCommits(random.Random(run.seed))
        with run.fault("cut at every second COMMIT"):
            try:
                stage.proxies["postgres"].tap = cut
                wait_until(
                    lambda: min(cut.cuts["committed"], cut.cuts["not committed"]) >= 3, "three cuts of each kind"
                )
            finally:
                stage.proxies["postgres"].tap = None
        run.notes["cuts"] = dict(cut.cuts)


@pytest.mark.only_make_chaos
def test_redis_is_flushed(stage: Stage) -> None:
    with scenario(stage, "12", "Redis FLUSHALL, three times") as run:
        for _ in range(3):
            with run.fault("FLUSHALL"):
                where = urlsplit(stage.environment["TRUETAPE_REDIS"])
                with redis.Redis(port=where.port or 0, password=where.password) as client:
                    client.flushall()


@pytest.mark.only_make_chaos
def test_redis_is_away(stage: Stage) -> None:
    with (
        scenario(stage, "12", "Redis away for ten seconds", "full") as run,
        run.fault("kill -9 redis, start after 10 s"),
    ):
        stage.stack.kill("redis")
        time.sleep(10.0)
        stage.stack.start("redis")
