"""Kafka's configuration: one node, several, and a second listener for clients behind a proxy."""

from pathlib import Path

import pytest

from truetape.dev import kafka
from truetape.dev.home import Home
from truetape.dev.kafka import Broker


def configured(folder: Path, broker: Broker, brokers: int) -> dict[str, str]:
    kafka._configure(Home(folder), broker, brokers)
    lines = (folder / broker.name / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_one_node_listens_for_clients_and_for_itself(tmp_path: Path) -> None:
    found = configured(tmp_path, Broker(1, 92, 93), 1)
    assert found["listeners"] == "CLIENT://127.0.0.1:92,CONTROLLER://127.0.0.1:93"
    assert found["advertised.listeners"] == "CLIENT://127.0.0.1:92"
    assert (found["process.roles"], found["offsets.topic.replication.factor"]) == ("broker,controller", "1")


def test_clients_behind_a_proxy_are_told_its_port(tmp_path: Path) -> None:
    found = configured(tmp_path, Broker(1, 92, 93, behind=(98, 4_000)), 1)
    assert found["listeners"] == "CLIENT://127.0.0.1:92,BEHIND://127.0.0.1:98,CONTROLLER://127.0.0.1:93"
    assert found["advertised.listeners"] == "CLIENT://127.0.0.1:92,BEHIND://127.0.0.1:4000"


@pytest.mark.parametrize("number", [2, 3])
def test_further_nodes_follow_the_first(tmp_path: Path, number: int) -> None:
    broker = Broker(number, 92 + number, 93)
    found = configured(tmp_path, broker, 3)
    assert broker.name == f"kafka-{number}"
    assert (found["process.roles"], found["node.id"]) == ("broker", str(number))
    assert found["controller.quorum.voters"] == "1@127.0.0.1:93"
    assert found["listeners"] == f"CLIENT://127.0.0.1:{92 + number}"
    assert found["offsets.topic.replication.factor"] == "3"
