"""`truetape audit` against the real system: equal after kills; and on a copy of its tape, every lie is named."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from services.clearing.core import SERVICE as CLEARING
from truetape import demo, ids, snapshots, topics
from truetape.client import Client
from truetape.codec import decode, encode
from truetape.commands.demo import gateway_url, venue_urls
from truetape.dev import Stack, free_base
from truetape.log import KafkaLog, Part
from truetape.messages import Began
from truetape.tape import Place

pytestmark = pytest.mark.timeout(300)
ACCOUNT, CLIENT = "audited", "client:audited"
PARTITION = ids.partition_of(ACCOUNT, topics.PARTITIONS)


@dataclass
class Audited:
    """What one run of the command said."""

    status: int
    report: dict[str, Any]

    def differences(self) -> list[tuple[str, str, str, str]]:
        """(check, where, account, what)."""
        return [(one["check"], one["where"], one["account_id"], one["what"]) for one in self.report["differences"]]


def run(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "truetape.cli", "audit", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def audit(environment: dict[str, str], *options: str) -> Audited:
    done = run(environment, "--json", *options)
    assert done.stdout, done.stderr
    return Audited(done.returncode, json.loads(done.stdout))


@pytest.fixture(scope="module")
def traded(system: Stack) -> dict[str, str]:
    """The environment of a system on which an account traded at both venues."""
    environment = dict(os.environ) | system.environment()
    trading, administrator = demo.introduce(environment["TRUETAPE_KAFKA"], ACCOUNT)
    with Client(gateway_url(environment), administrator) as admin:
        demo.fund(admin, ACCOUNT, venue_urls(environment), environment["TRUETAPE_VENUE_ADMIN_TOKEN"])
    with Client(gateway_url(environment), trading) as client:
        for number in range(20):
            side = "BUY" if number % 2 else "SELL"
            client.submit("BTC-USDT", side, "0.001", client_order_id=ids.random_id())
        client.submit("BTC-USDT", "BUY", "0.001", price="20000", post_only=True, client_order_id=ids.random_id())
        for victim in ("clearing", "risk"):
            client.submit("BTC-USDT", "BUY", "0.001", client_order_id=ids.random_id())
            system.kill(victim, signal.SIGKILL)
            system.start(victim)
        client.submit("BTC-USDT", "SELL", "0.002", client_order_id=ids.random_id())
    _wait_until_cleared(environment)
    return environment


def _wait_until_cleared(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while audit(environment).report["pending"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)


# -- the live system ---------------------------------------------------------------------------------------------


def test_tape_services_and_views_are_equal_after_kills(traded: dict[str, str]) -> None:
    found = audit(traded, "--require-live")
    assert (found.status, found.differences(), found.report["gaps"]) == (0, [], [])
    assert {one["live"] for one in found.report["partitions"]} == {"equal"}
    [view] = found.report["views"]
    assert (view["verdict"], view["rows"] > 20) == ("equal", True)
    owners = {one["service"]: one["epoch"] for one in found.report["partitions"] if one["partition"] == PARTITION}
    assert owners["clearing"] > 1 and owners["risk"] > 1, "they were taken over"


def test_a_person_sees_a_table_and_a_verdict(traded: dict[str, str]) -> None:
    done = run(traded | {"COLUMNS": "200"})
    assert done.returncode == 0
    assert f"clearing.entries/{PARTITION}" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == "equal"


def test_the_second_opinion_is_equal_to_services_snapshots_and_views(traded: dict[str, str]) -> None:
    found = audit(traded, "--fast")
    assert (found.status, found.differences(), found.report["gaps"]) == (0, [], [])
    assert (found.report["compared"]["live"], found.report["compared"]["postgres"]) == ("equal", "equal")
    assert found.report["fills"] > 20 and found.report["positions"] > 0 and found.report["judged"] == 0
    shown = run(traded, "--fast")
    assert shown.returncode == 0 and shown.stdout.strip().splitlines()[-1] == "equal"


def test_all_is_rebuilt_and_the_audits_agree(traded: dict[str, str]) -> None:
    command = [sys.executable, "-m", "truetape.cli", "rebuild", "all", "--json"]
    done = subprocess.run(command, env=traded, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    rebuilt = {one["target"]: one["verdict"] for one in json.loads(done.stdout)}
    assert set(rebuilt.values()) <= {"equal", "none"} and {"postgres", "redis", "clearing"} < rebuilt.keys()
    assert (audit(traded, "--require-live").status, audit(traded, "--fast").status) == (0, 0)


def test_the_journal_is_exported_and_hledger_checks_it(traded: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "tape.journal"
    command = [sys.executable, "-m", "truetape.cli", "ledger", "export", "--output", str(target)]
    done = subprocess.run(command, env=traded, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"{CLIENT}  " in target.read_text()
    if shutil.which("hledger") is None:
        pytest.skip("hledger is not installed: scripts/setup")
    subprocess.run(["hledger", "check", "--strict", "-f", str(target)], check=True, timeout=60)


FIRST_FILL = f"execution_id = (SELECT min(execution_id) FROM view.fills WHERE account_id = '{ACCOUNT}')"


@pytest.mark.parametrize(
    ("table", "column", "row", "name"),
    [
        ("balances", "amount_e8", f"account = '{CLIENT}' AND asset = 'USDT'", f"{CLIENT} USDT {PARTITION}"),
        ("credit", "reserved_e8", f"account_id = '{ACCOUNT}' AND asset = 'USDT'", f"{ACCOUNT} USDT"),
        ("positions", "cost_e8", f"account_id = '{ACCOUNT}'", f"{ACCOUNT} BTC-USDT"),
        ("fills", "fee_e8", FIRST_FILL, ACCOUNT),
    ],
)
def test_a_changed_row_is_named(traded: dict[str, str], table: str, column: str, row: str, name: str) -> None:
    with psycopg.connect(traded["TRUETAPE_POSTGRES"], autocommit=True) as connection:
        change = f"UPDATE view.{table} SET {column} = {column} %s WHERE {row}"
        assert connection.execute(change.replace("%s", "+ 1")).rowcount == 1
        try:
            found = audit(traded)
        finally:
            connection.execute(change.replace("%s", "- 1"))
    assert found.status == 1
    assert found.differences() == [("view", f"postgres {table}", ACCOUNT, f"row {name}: {column}")]
    [one] = found.report["differences"]
    assert int(one["other"]) - int(one["tape"]) == 1
    assert audit(traded).status == 0


def test_the_second_opinion_names_a_changed_balance(traded: dict[str, str]) -> None:
    change = f"UPDATE view.balances SET amount_e8 = amount_e8 + %s WHERE account = '{CLIENT}' AND asset = 'USDT'"
    with psycopg.connect(traded["TRUETAPE_POSTGRES"], autocommit=True) as connection:
        connection.execute(change % 1)
        try:
            found = audit(traded, "--fast")
        finally:
            connection.execute(change % -1)
    where = f"postgres clearing.entries/{PARTITION}"
    assert (found.status, found.differences()) == (1, [("view", where, ACCOUNT, f"balance {CLIENT} USDT")])


def test_without_a_broker_the_error_is_named(traded: dict[str, str]) -> None:
    done = run(traded | {"TRUETAPE_KAFKA": "127.0.0.1:9"}, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "BrokerUnavailable" in done.stderr and "is Kafka running" in done.stderr


# -- a copy of its tape, to be lied to ---------------------------------------------------------------------------


@pytest.fixture
def copied(traded: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of another broker with the same records at the same offsets, and no services."""
    with tempfile.TemporaryDirectory(prefix="truetape-") as folder:
        stack = Stack(Path(folder) / "home", free_base(), only=("kafka",))
        try:
            stack.up()
            environment = dict(os.environ) | stack.environment()
            topics.apply(environment["TRUETAPE_KAFKA"], 1)
            copy(traded["TRUETAPE_KAFKA"], environment["TRUETAPE_KAFKA"])
            yield environment
        finally:
            stack.erase()


def copy(source: str, target: str) -> None:
    """Every record of the tape, of what its checkpoints cover, and of its snapshots."""
    tape = dict.fromkeys([*topics.OWNED, *topics.SEALED])
    wanted = [*tape, *(topics.snapshots_of(topic) for topic in topics.OWNED)]
    producer = Producer({"bootstrap.servers": target, "acks": "all", "enable.idempotence": True, "log_level": 2})
    with closing(KafkaLog(source)) as log:
        # Checkpoints first: they go on, and cover no more than what is read after them.
        parts = [Part(topic.name, partition) for topic in wanted for partition in range(topic.partitions)]
        checkpoints = [part for part in parts if part.topic == topics.AUDIT_CHECKPOINTS.name]
        first = log.ends(checkpoints)
        for record in log.read(log.ends(parts) | first, 60):
            producer.produce(record.topic, record.value, record.key, partition=record.partition, headers=record.headers)
            producer.poll(0)
    assert producer.flush(60) == 0


def test_a_true_copy_is_equal_and_a_false_snapshot_is_named(copied: dict[str, str]) -> None:
    assert audit(copied, "--no-views").status == 0
    with closing(KafkaLog(copied["TRUETAPE_KAFKA"])) as log:
        false = false_snapshot(log)
        for key, record in snapshots.cut("clearing", PARTITION, snapshots.version_of(CLEARING.state_type), false):
            log.append(Part(topics.snapshots_of(CLEARING.owns).name, PARTITION), key, encode(record), [], None)
        assert log.flush(20)
    found = audit(copied, "--no-views")
    assert found.status == 1
    assert found.differences() == [("snapshot", f"clearing/{PARTITION}", ACCOUNT, "balances.USDT")]


def false_snapshot(log: KafkaLog) -> snapshots.Kept:
    """Clearing's state at the end of the tape, with one unit more for the account."""
    part = Part(CLEARING.owns.name, PARTITION)
    end = log.ends([part])[part][1]
    state: Any = CLEARING.initial()
    place, offset = None, -1
    for record in log.read({part: (0, end)}, 60):
        message: Any = decode(record.value or b"")
        if not isinstance(message, Began):
            state = CLEARING.evolve(state, message)
            place, offset = Place(message.meta.epoch, message.meta.sequence), record.offset
    assert place is not None
    state.balances[CLIENT]["USDT"] += 1
    return snapshots.Kept(place, offset, {}, snapshots.pack(state))


@pytest.mark.parametrize("topic", [topics.CLEARING_ENTRIES, topics.ORDERS_EXECUTIONS], ids=lambda topic: topic.owner)
def test_a_truncated_topic_is_a_named_gap(copied: dict[str, str], topic: topics.Topic) -> None:
    cut = TopicPartition(topic.name, PARTITION, 4)
    admin = AdminClient({"bootstrap.servers": copied["TRUETAPE_KAFKA"], "log_level": 2})
    admin.delete_records([cut])[cut].result(20)
    found = audit(copied, "--no-views")
    assert found.status == 1
    name = f"{topic.name}/{PARTITION}"
    assert found.report["gaps"] == [f"{name}: expected offset 0, found offset 4 as the first: 4 records are gone"]
