"""The registry of topics and the page that describes it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from truetape import topics
from truetape.cli import build
from truetape.commands.topics import page
from truetape.errors import PartitionCountWrong
from truetape.log import check_partitions

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_registry_says() -> None:
    assert (ROOT / "docs" / "topics.md").read_text() == page(), "stale: run `make docs`"


@pytest.mark.parametrize("option", ["--markdown", "--json"])
def test_the_command_lists_every_topic(option: str) -> None:
    shown = CliRunner().invoke(build(), ["topics", "list", option])
    assert shown.exit_code == 0
    assert [name for name in topics.BY_NAME if name not in shown.output] == []
    if option == "--json":
        rows = {row["name"]: row for row in json.loads(shown.output)}
        assert rows[topics.CLEARING_ENTRIES.name]["owner"] == "clearing"


def test_names_are_unique_and_owned_topics_are_never_compacted() -> None:
    assert len(topics.BY_NAME) == len(topics.ALL)
    assert {topic.cleanup for topic in topics.OWNED} == {"delete"}
    assert {topic.owner for topic in topics.ALL if topic.owner} == {topic.owner for topic in topics.OWNED}


def test_topics_keyed_by_account_are_cut_alike() -> None:
    keyed = [topic for topic in topics.ALL if topic.key == "account_id" and topic is not topics.PARKED]
    assert len(keyed) == 5
    assert {topic.partitions for topic in keyed} == {topics.PARTITIONS}


@pytest.mark.parametrize("partitions", [1, topics.PARTITIONS + 1])
def test_another_partition_count_is_refused_by_name(partitions: int) -> None:
    with pytest.raises(PartitionCountWrong, match=rf"orders.commands has {partitions} partitions.*never change"):
        check_partitions({topics.ORDERS_COMMANDS.name: partitions}, topics.ALL)
