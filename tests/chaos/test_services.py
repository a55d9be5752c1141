"""Services killed, all at once, and joined by others under load: catalogue 1 to 6 and 24."""

import itertools
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.chaos.catalogue import Trial
from tests.chaos.criterion import received, rows
from tests.chaos.load import times
from tests.chaos.proxy import Direction, Verdict
from tests.chaos.scenario import Run, scenario
from tests.chaos.stage import SETTINGS, Stage, bring_up, wait_until
from truetape import demo
from truetape.client import Client, Refused
from truetape.dev import services

pytestmark = pytest.mark.timeout(1800)
SERVICES = tuple(service.name for service in services.SERVICES)
SERVERS = ("kafka", "postgres", "redis")
"""The venues are not ours: nobody promises what they remember after a kill."""
GATEWAY_KILLS, RECONCILER_KILLS, STORM_SECONDS = 5, 6, 2.0
ROUNDS, FEWER_ROUNDS = 10, 3
STORM_TURNS, FEWER_TURNS = 30, 12
THROUGHPUT_MIN = 0.5
"""Of the steady state, while instances come and go."""
VENUE_DELAY_MS = 600
PILE_SECONDS = 1.5
UNBOOKED = (
    "SELECT count(*) FROM view.fills f WHERE NOT EXISTS (SELECT 1 FROM view.entries e "
    "WHERE e.execution_id = f.execution_id)"
)
SUDDEN, SUDDEN_AMOUNT = "BNB", "0.125"
"""Money that appears at a venue, in an asset that nobody trades, so that every comparison sees it at rest."""
OPEN = f"SELECT count(*) FROM view.breaks WHERE key = '{SUDDEN}' AND closed_at_us IS NULL"
HOLDER = "elder"
"""An account that holds an order; the load does not trade for it."""
FAR_BID: Final[dict[str, Any]] = {
    "instrument_id": "BTC-USDT", "side": "BUY", "quantity": "15", "price": "20000", "post_only": True,
}  # fmt: skip
TOO_MUCH: Final = FAR_BID | {"quantity": "12", "price": "20001"}
"""Beside the far bid more than the account has, alone less."""


def kill_and_start(run: Run, victim: str, amid: str = "") -> None:
    with run.fault(f"kill -9 {victim}", amid=amid):
        run.stage.stack.kill(victim)
        run.stage.stack.start(victim)


def test_each_service_is_killed_in_turn(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run:
        for victim in SERVICES:
            kill_and_start(run, victim)


@pytest.mark.only_make_chaos
def test_the_gateway_is_killed_five_times(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run:
        chance = random.Random(run.seed)
        for _ in range(GATEWAY_KILLS):
            time.sleep(chance.uniform(0.1, 2.0))
            kill_and_start(run, "gateway")


@pytest.mark.only_make_chaos
def test_risk_is_killed(stage: Stage, trial: Trial) -> None:
    """What an open order reserves stays reserved: the new risk refuses what the old one would have."""
    with holder(stage) as client, scenario(stage, trial) as run:
        far = client.submit(**FAR_BID, client_order_id=f"{run.load.name}.far")
        wait_until(lambda: reserved_e8(stage) > 0, "the far bid reserves")
        reserved = reserved_e8(stage)
        kill_and_start(run, "risk")
        assert reserved_e8(stage) == reserved, "the reservation is not what it was"
        with pytest.raises(Refused) as refused:
            client.submit(**TOO_MUCH, client_order_id=f"{run.load.name}.refused")
        run.notes["refused_over_a_reservation"] = refused.value.code
        client.cancel(far.order_id)
        wait_until(lambda: reserved_e8(stage) == 0, "nothing is reserved after the cancel")
        client.submit(**TOO_MUCH, client_order_id=f"{run.load.name}.accepted")  # So it was the reservation.
        client.cancel_all()


@contextmanager
def holder(stage: Stage) -> Iterator[Client]:
    """A client of the funded account."""
    key, administrator = demo.introduce(stage.kafka, HOLDER)
    with Client(stage.url, key, retry_seconds=20.0) as client:
        if not client.balances():
            with Client(stage.url, administrator, retry_seconds=20.0) as admin:
                demo.fund(admin, HOLDER, stage.venues, stage.environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
        wait_until(lambda: len(client.balances()) >= len(demo.FUNDS), f"the money of {HOLDER}")
        try:
            yield client
        finally:
            client.cancel_all()


def reserved_e8(stage: Stage) -> int:
    query = "SELECT reserved_e8 FROM view.credit WHERE account_id = %s AND asset = 'USDT'"
    return sum(int(held) for (held,) in rows(stage, query, HOLDER))


@pytest.mark.only_make_chaos
def test_the_router_is_killed_with_orders_on_their_way(stage: Stage, trial: Trial) -> None:
    """The venues take their time and lose some replies, so that orders are half way whenever the kill comes."""
    slow = {"kind": "delay", "delay_ms": VENUE_DELAY_MS, "path": "/api/v3/order", "method": "POST"}
    lost = {"kind": "drop_reply", "probability": 0.3, "path": "/api/v3/order", "method": "POST"}
    try:
        for venue in stage.venues:
            stage.admin(venue, "POST", "/faults", [slow, lost])
        with scenario(stage, trial) as run:
            for _ in range(2):
                known = len(received(stage))
                wait_until(lambda known=known: len(received(stage)) > known, "an order at a venue")  # type: ignore[misc]
                kill_and_start(run, "router", amid="at_venue")
                time.sleep(1.0)
            for venue in stage.venues:
                stage.admin(venue, "DELETE", "/faults")
    finally:
        for venue in stage.venues:
            stage.admin(venue, "DELETE", "/faults")


@pytest.mark.only_make_chaos
def test_clearing_is_killed_over_a_pile_of_fills(stage: Stage, trial: Trial) -> None:
    """Stopped until fills have piled up, it is killed a moment after it went on: in the middle of its batch."""
    with scenario(stage, trial) as run:
        chance = random.Random(run.seed)
        for _ in range(3):
            stage.signal("clearing", signal.SIGSTOP)
            try:
                time.sleep(PILE_SECONDS)
                wait_until(lambda: rows(stage, UNBOOKED)[0][0] > 0, "a fill that is not booked")
            finally:
                stage.signal("clearing", signal.SIGCONT)
            with run.fault("kill -9 clearing a moment after it went on", amid="fills_unbooked"):
                time.sleep(chance.uniform(0.0, 0.1))
                stage.stack.kill("clearing")
                stage.stack.start("clearing")


@pytest.mark.only_make_chaos
def test_the_projection_is_killed_between_commit_and_what_follows(stage: Stage, trial: Trial) -> None:
    """PostgreSQL has committed, its reply is held back, and the projection dies without having learned of it."""
    with scenario(stage, trial) as run:
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
def test_the_reconciler_is_killed(stage: Stage, trial: Trial) -> None:
    """A break comes and goes at a venue, and each time it dies about when it has to tell so: told once all the same."""
    with scenario(stage, trial) as run:
        chance, grace = random.Random(run.seed), float(SETTINGS["TRUETAPE_BREAK_GRACE_SECONDS"])
        for turn in range(RECONCILER_KILLS):
            comes = turn % 2 == 0
            change = {"asset": SUDDEN, "amount": SUDDEN_AMOUNT if comes else f"-{SUDDEN_AMOUNT}"}
            stage.admin("alpha", "POST", f"/accounts/{demo.VENUE_ACCOUNT}/adjust", change)
            time.sleep((grace if comes else 0.0) + chance.uniform(0.0, 1.5))
            kill_and_start(run, "reconciler")
            wait_until(lambda comes=comes: rows(stage, OPEN)[0][0] == comes, f"the break is open: {comes}")  # type: ignore[misc]


@pytest.mark.only_make_chaos
def test_everything_is_killed_at_once(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run:
        chance = random.Random(run.seed)
        for _ in range(times(trial.load, ROUNDS, FEWER_ROUNDS)):
            time.sleep(chance.uniform(0.5, 2.0))
            with run.fault("kill -9 of all services, Kafka, PostgreSQL and Redis"):
                for victim in chance.sample((*SERVICES, *SERVERS), len(SERVICES) + len(SERVERS)):
                    if stage.stack.pid(victim) is not None:  # What lost its server may have ended by itself.
                        stage.stack.kill(victim)
                bring_up(stage.stack)


@pytest.mark.only_make_chaos
def test_instances_come_and_go_every_two_seconds(stage: Stage, trial: Trial) -> None:
    """Second instances of the three services with the most to lose join, leave and die; the first stay."""
    with scenario(stage, trial) as run:
        before = len(run.load.acknowledged) / run.now_s
        chance, began = random.Random(run.seed), run.now_s
        known = len(run.load.acknowledged)
        with run.fault("instances join, leave and are killed"):
            turns = times(trial.load, STORM_TURNS, FEWER_TURNS)
            for service in itertools.islice(itertools.cycle(("risk", "router", "clearing")), turns):
                join_or_leave(stage, service, orderly=chance.random() < 0.3)
                time.sleep(STORM_SECONDS)
            for service in ("risk", "router", "clearing"):
                if stage.second_runs(service):
                    join_or_leave(stage, service, orderly=True)
        during = (len(run.load.acknowledged) - known) / (run.now_s - began)
        run.notes["throughput"] = f"{during / before:.0%} of the steady state"
        assert trial.load != "light" or during >= THROUGHPUT_MIN * before, run.notes["throughput"]


def join_or_leave(stage: Stage, service: str, *, orderly: bool) -> None:
    if not stage.second_runs(service):
        stage.join(service, wait=False)
    elif orderly:
        stage.stack.stop(f"{service}-2")
    else:
        stage.stack.kill(f"{service}-2")
