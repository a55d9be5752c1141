"""Services killed, all at once, and joined by others under load: catalogue 1 to 6 and 24."""

import itertools
import random
import signal
import time

import pytest

from tests.chaos.proxy import Direction, Verdict
from tests.chaos.scenario import Run, scenario
from tests.chaos.stage import Stage, bring_up, wait_until
from truetape.dev import services

pytestmark = pytest.mark.timeout(900)
SERVICES = tuple(service.name for service in services.SERVICES)
SERVERS = ("kafka", "postgres", "redis")
"""The venues are not ours: nobody promises what they remember after a kill."""
GATEWAY_KILLS, ROUNDS, STORM_TURNS, STORM_SECONDS = 5, 10, 30, 2.0
VENUE_DELAY_MS = 400


def kill_and_start(run: Run, victim: str) -> None:
    with run.fault(f"kill -9 {victim}"):
        run.stage.stack.kill(victim)
        run.stage.stack.start(victim)


def test_each_service_is_killed_in_turn(stage: Stage) -> None:
    with scenario(stage, "1-5", "kill -9 of each service in turn") as run:
        for victim in SERVICES:
            kill_and_start(run, victim)


@pytest.mark.only_make_chaos
def test_the_gateway_is_killed_five_times(stage: Stage) -> None:
    with scenario(stage, "1", "kill -9 gateway, five times", "full") as run:
        chance = random.Random(run.seed)
        for _ in range(GATEWAY_KILLS):
            time.sleep(chance.uniform(0.1, 2.0))
            kill_and_start(run, "gateway")


@pytest.mark.only_make_chaos
def test_risk_is_killed(stage: Stage) -> None:
    with scenario(stage, "2", "kill -9 risk", "full") as run:
        kill_and_start(run, "risk")


@pytest.mark.only_make_chaos
def test_the_router_is_killed_with_orders_on_their_way(stage: Stage) -> None:
    """The venues take their time and lose some replies, so that orders are half way whenever the kill comes."""
    slow = {"kind": "delay", "delay_ms": VENUE_DELAY_MS, "path": "/api/v3/order", "method": "POST"}
    lost = {"kind": "drop_reply", "probability": 0.3, "path": "/api/v3/order", "method": "POST"}
    try:
        for venue in stage.venues:
            stage.admin(venue, "POST", "/faults", [slow, lost])
        with scenario(stage, "3", "kill -9 router, orders on their way to the venue") as run:
            for _ in range(2):
                wait_until(lambda: run.load.under_way > 0, "a submission under way")
                kill_and_start(run, "router")
                time.sleep(1.0)
            for venue in stage.venues:
                stage.admin(venue, "DELETE", "/faults")
    finally:
        for venue in stage.venues:
            stage.admin(venue, "DELETE", "/faults")


@pytest.mark.only_make_chaos
def test_clearing_is_killed_over_a_pile_of_fills(stage: Stage) -> None:
    """Stopped until fills have piled up, it is killed a moment after it went on: in the middle of its batch."""
    with scenario(stage, "4", "kill -9 clearing in the middle of a batch", "full") as run:
        chance = random.Random(run.seed)
        for _ in range(3):
            with run.fault("SIGSTOP clearing, go on, kill -9"):
                stage.signal("clearing", signal.SIGSTOP)
                time.sleep(1.5)
                stage.signal("clearing", signal.SIGCONT)
                time.sleep(chance.uniform(0.0, 0.1))
                stage.stack.kill("clearing")
                stage.stack.start("clearing")


@pytest.mark.only_make_chaos
def test_the_projection_is_killed_between_commit_and_what_follows(stage: Stage) -> None:
    """PostgreSQL has committed, its reply is held back, and the projection dies without having learned of it."""
    with scenario(stage, "4", "kill -9 projection, its commit done and not yet told") as run:
        for _ in range(3):
            held = HeldCommit()
            with run.fault("hold the reply to COMMIT, kill -9 projection"):
                stage.proxies["postgres"].tap = held
                wait_until(lambda held=held: held.done, "a reply to COMMIT")  # type: ignore[misc]
                stage.stack.kill("projection")
                stage.proxies["postgres"].tap = None
                stage.proxies["postgres"].release()
                stage.stack.start("projection")


class HeldCommit:
    """Lets one COMMIT through, and holds back the reply."""

    def __init__(self) -> None:
        self.done = False
        self._committing: set[int] = set()

    def __call__(self, number: int, direction: Direction, chunk: bytes) -> Verdict:
        if direction == "to_server":
            if b"COMMIT" in chunk:
                self._committing.add(number)
            return "pass"
        if number in self._committing and not self.done:
            self.done = True
            return "hold"
        return "pass"


@pytest.mark.only_make_chaos
def test_the_reconciler_is_killed(stage: Stage) -> None:
    with scenario(stage, "5", "kill -9 reconciler, five times", "idle") as run:
        chance = random.Random(run.seed)
        for _ in range(5):
            time.sleep(chance.uniform(0.0, 1.0))
            kill_and_start(run, "reconciler")


@pytest.mark.only_make_chaos
def test_everything_is_killed_at_once(stage: Stage) -> None:
    with scenario(stage, "6", f"kill -9 of everything at once, {ROUNDS} rounds") as run:
        chance = random.Random(run.seed)
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.5, 2.0))
            with run.fault("kill -9 of all services, Kafka, PostgreSQL and Redis"):
                for victim in chance.sample((*SERVICES, *SERVERS), len(SERVICES) + len(SERVERS)):
                    if stage.stack.pid(victim) is not None:  # What lost its server may have ended by itself.
                        stage.stack.kill(victim)
                bring_up(stage.stack)


@pytest.mark.only_make_chaos
def test_instances_come_and_go_every_two_seconds(stage: Stage) -> None:
    """Second instances of the three services with the most to lose join, leave and die; the first stay."""
    with scenario(stage, "24", "a rebalance every two seconds, thirty times") as run:
        before = len(run.load.acknowledged) / run.now_s
        chance, began = random.Random(run.seed), run.now_s
        known = len(run.load.acknowledged)
        with run.fault("instances join, leave and are killed"):
            for service in itertools.islice(itertools.cycle(("risk", "router", "clearing")), STORM_TURNS):
                join_or_leave(stage, service, orderly=chance.random() < 0.3)
                time.sleep(STORM_SECONDS)
            for service in ("risk", "router", "clearing"):
                if stage.second_runs(service):
                    join_or_leave(stage, service, orderly=True)
        during = (len(run.load.acknowledged) - known) / (run.now_s - began)
        run.notes["throughput"] = f"{during / before:.0%} of the steady state"


def join_or_leave(stage: Stage, service: str, *, orderly: bool) -> None:
    if not stage.second_runs(service):
        stage.join(service, wait=False)
    elif orderly:
        stage.stack.stop(f"{service}-2")
    else:
        stage.stack.kill(f"{service}-2")
