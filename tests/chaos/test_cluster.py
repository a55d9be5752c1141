"""Three brokers, of which two must have each record: one lost, then one too many: catalogue 9."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import ElectionType
from confluent_kafka.admin import AdminClient

from tests.chaos.catalogue import Trial
from tests.chaos.scenario import Run, scenario
from tests.chaos.stage import Stage, bring_up, wait_until
from truetape import topics

pytestmark = [pytest.mark.timeout(900), pytest.mark.only_make_chaos]
BROKERS = {2: "kafka-2", 3: "kafka-3"}
"""Those that die. The first is the controller too, and stays."""
BELOW_SECONDS = 10.0
NAMES = [topic.name for topic in topics.ALL]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage of its own on three brokers: three replicas, min.insync.replicas 2."""
    with Stage.open(tmp_path_factory.mktemp("cluster"), brokers=3) as stage:
        yield stage


def test_a_leader_is_lost_and_then_one_broker_too_many(cluster: Stage, trial: Trial) -> None:
    elect_preferred(cluster)
    with scenario(cluster, trial) as run:
        number, led = leaders(cluster).most_common(1)[0]
        assert number in BROKERS and led > topics.PARTITIONS
        with run.fault(f"kill -9 {BROKERS[number]}, leader of {led} partitions"):
            cluster.stack.kill(BROKERS[number])
        cluster.stack.start(BROKERS[number])
        wait_until(lambda: in_sync(cluster) == {3}, "all replicas are in sync again")
        below(run)
        wait_until(lambda: in_sync(cluster) == {3}, "all replicas are in sync again")


def below(run: Run) -> None:
    """Two of three are gone: nothing is acknowledged, and whoever asks is told to come back."""
    stack = run.stage.stack
    with run.fault(f"kill -9 {' and '.join(BROKERS.values())}: one replica is left") as fault:
        for name in BROKERS.values():
            stack.kill(name)
        wait_until(lambda: in_sync(run.stage) == {1}, "the controller has noticed")
        noticed = run.now_s
        time.sleep(BELOW_SECONDS)
        below_until = run.now_s
        bring_up(stack)
    told = [one for one in run.attempts_since(fault.at_s) if one.status == 503]
    answered = [one for one in run.attempts_since(noticed) if one.status == 201 and
                one.at - run.began + one.seconds < below_until]  # fmt: skip
    run.notes |= {"told_to_come_back": len(told), "accepted_below": len(answered)}
    assert told and all(one.retry_after for one in told), "nobody was told to come back later"
    assert not answered, "an order was accepted that one broker alone has"


def elect_preferred(stage: Stage) -> None:
    """Each partition's first replica leads it again: after a scenario the broker that stayed leads them all."""
    wait_until(lambda: in_sync(stage) == {3}, "all replicas are in sync")
    admin = AdminClient({"bootstrap.servers": stage.kafka})
    admin.elect_leaders(ElectionType.PREFERRED).result()
    wait_until(lambda: len(leaders(stage)) == len(BROKERS), "both brokers that die lead partitions")


def leaders(stage: Stage) -> Counter[int]:
    """Of how many partitions each of the brokers that die is the leader."""
    return Counter(part.leader for part in partitions(stage) if part.leader in BROKERS)


def in_sync(stage: Stage) -> set[int]:
    """How many replicas are in sync, over all partitions."""
    return {len(part.isrs) for part in partitions(stage)}


def partitions(stage: Stage) -> list[Any]:
    known = AdminClient({"bootstrap.servers": stage.kafka}).list_topics(timeout=20).topics
    return [part for name in NAMES for part in known[name].partitions.values()]
