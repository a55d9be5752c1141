"""Kafka, PostgreSQL and Redis killed, stopped, restarted and emptied under load: catalogue 7, 8, 10, 11, 12."""

import random
import signal
import time
from collections import Counter
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from tests.chaos.catalogue import Trial
from tests.chaos.criterion import rows
from tests.chaos.proxy import Direction, Verdict
from tests.chaos.scenario import scenario
from tests.chaos.stage import Stage, wait_until

pytestmark = pytest.mark.timeout(900)
PAUSE_SECONDS = 30.0
AWAY_SECONDS, POSTGRES_AWAY_SECONDS = 10.0, 20.0
DRAIN_MIN = 3.0
"""How many times the load the views must read after PostgreSQL was away."""
OLD_MS = 60_000
MEMORY_GROWTH_MAX = 96 * 2**20


@pytest.mark.only_make_chaos
def test_the_broker_is_killed(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run:
        for _ in range(2):
            with run.fault("kill -9 kafka, start after a second"):
                stage.stack.kill("kafka")
                time.sleep(1.0)
                stage.stack.start("kafka")


@pytest.mark.only_make_chaos
def test_the_broker_sleeps(stage: Stage, trial: Trial) -> None:
    """Clients are told to come back later, and what waits does not grow."""
    with scenario(stage, trial) as run:
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
def test_postgres_is_restarted_in_order(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run, run.fault("stop -m fast, start"):
        stage.stack.restart("postgres")


@pytest.mark.only_make_chaos
def test_postgres_is_restarted_without_order(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run:
        for number in (signal.SIGQUIT, signal.SIGKILL):
            with run.fault(f"{number.name} postgres, start"):
                stage.signal("postgres", number)
                wait_until(lambda: stage.stack.pid("postgres") is None, "PostgreSQL has ended")
                stage.stack.start("postgres")


@pytest.mark.only_make_chaos
def test_postgres_is_away(stage: Stage, trial: Trial) -> None:
    """The tape goes on without the views; what they missed they read faster than the load makes more."""
    with scenario(stage, trial) as run:
        known = len(run.load.acknowledged)
        with run.fault(f"stop -m fast, start after {POSTGRES_AWAY_SECONDS:g} s"):
            stage.stack.stop("postgres")
            time.sleep(POSTGRES_AWAY_SECONDS)
            missed = [one.order_id for one in run.load.acknowledged[known:]]
            assert missed, "no order was accepted without the views"
            stage.stack.start("postgres")
            back_s, before = run.now_s, shown(stage, missed)
            wait_until(lambda: shown(stage, missed) == len(missed), "the views have all that they missed")
            drained = (len(missed) - before) / (run.now_s - back_s)
        steady = known / run.faults[0].at_s
        run.notes |= {"missed": len(missed), "drained": f"{drained:.0f}/s, {drained / steady:.1f} times the load"}
        assert trial.load != "light" or drained >= DRAIN_MIN * steady, run.notes["drained"]


def shown(stage: Stage, order_ids: list[str]) -> int:
    """How many of these orders the views have."""
    return int(rows(stage, "SELECT count(*) FROM view.orders WHERE order_id = ANY(%s)", order_ids)[0][0])


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


def test_the_connection_is_cut_during_commit(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run:
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
def test_redis_is_flushed(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run:
        for _ in range(3):
            with run.fault("FLUSHALL"):
                where = urlsplit(stage.environment["TRUETAPE_REDIS"])
                with redis.Redis(port=where.port or 0, password=where.password) as client:
                    client.flushall()


@pytest.mark.only_make_chaos
def test_redis_is_away(stage: Stage, trial: Trial) -> None:
    """Nothing needs it for being right: an order repeated meanwhile is the same, and an old request is refused."""
    with scenario(stage, trial) as run:
        wait_until(lambda: bool(run.load.acknowledged), "an acknowledged order")
        one = run.load.acknowledged[0]
        with run.fault("kill -9 redis, start after 10 s") as fault:
            stage.stack.kill("redis")
            with stage.client(one.account_id) as client:
                again = client.submit(**one.terms, client_order_id=one.client_order_id)
            old = {"Truetape-Timestamp": str(time.time_ns() // 10**6 - OLD_MS)}
            headers = old | {"Authorization": f"Bearer {stage.keys[one.account_id]}"}
            refused = httpx.get(f"{stage.url}/v1/instruments", headers=headers, timeout=30)
            time.sleep(max(0.0, fault.at_s + AWAY_SECONDS - run.now_s))
            stage.stack.start("redis")
        assert again.order_id == one.order_id
        assert (refused.status_code, refused.json()["code"]) == (401, "timestamp_outside_window")
