"""The newest records of a topic as a person or a script reads them, and what is said to names that are none."""

import itertools
import json
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.audit_stage import Stage
from tests.unit.desk import ANN, BOB
from truetape import taperead
from truetape.cli import build
from truetape.errors import SetupError
from truetape.happenings import Part
from truetape.topics import CLEARING_ENTRIES, ORDERS_COMMANDS, ORDERS_DECISIONS


@pytest.fixture(scope="module")
def stage() -> Stage:
    made = Stage()
    made.trade()
    return made


def newest(stage: Stage, last: int, account: str = "") -> list[dict[str, Any]]:
    parts = taperead.parts_of(ORDERS_DECISIONS, None, account)
    return taperead.newest(stage.broker.log("reader"), parts, last, account, 5.0)


def test_the_newest_come_last_and_each_names_what_it_answers(stage: Stage) -> None:
    every = newest(stage, 1_000)
    assert [row["at"] for row in every] == sorted(row["at"] for row in every)
    assert newest(stage, 3) == every[-3:]
    accepted = [row for row in every if row["type"] == "OrderAccepted"]
    assert accepted and all(row["cause"].startswith("orders.commands/") for row in accepted)


@pytest.mark.parametrize("account", [ANN, BOB])
def test_of_an_account_come_its_records_alone(stage: Stage, account: str) -> None:
    mine = newest(stage, 1_000, account)
    orders = {row["fields"]["order"]["account_id"] for row in mine if "order" in row["fields"]}
    assert orders == {account}
    assert newest(stage, 2, account) == mine[-2:]


def test_bytes_that_are_no_record_are_shown_as_stray(stage: Stage) -> None:
    part = Part(CLEARING_ENTRIES.name, 7)
    stage.broker.produce(part, b"", b"no record")
    [row] = taperead.newest(stage.broker.log("reader"), [part], 1, "", 5.0)
    assert (row["type"], row["fields"]) == ("stray", {"bytes": 9})


def test_what_comes_is_shown_from_where_the_newest_ended(stage: Stage) -> None:
    part = Part(ORDERS_COMMANDS.name, stage.partition(ANN))
    log = stage.broker.log("follower")
    told = list(itertools.islice(taperead.coming(log, {part: 0}, ""), 2))
    assert [row["offset"] for row in told] == [0, 1]


def test_by_command_money_is_in_decimals(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def reading(form: str, name: str) -> Any:
        yield stage.broker.log("reader"), 5.0

    monkeypatch.setattr("truetape.reports.reading", reading)
    shown = CliRunner().invoke(build(), ["topics", "read", "orders.decisions", "--account", ANN]).output
    assert "OrderAccepted" in shown and "reserved " in shown and "reserved_e8" not in shown
    lines = CliRunner().invoke(build(), ["topics", "read", "orders.decisions", "--last", "2", "--json"]).output
    assert [row["topic"] for row in map(json.loads, lines.splitlines())] == ["orders.decisions"] * 2


def test_a_topic_or_partition_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(SetupError, match=r"near it: orders\.decisions"):
        taperead.topic_named("order.decision")
    with pytest.raises(SetupError, match="has no partition 8: it has 8"):
        taperead.parts_of(ORDERS_DECISIONS, 8, "")
