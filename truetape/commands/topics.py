"""`truetape topics`: the registry of topics, their creation, and what is on them."""

import json
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape import reports, taperead, topics
from truetape.saying import legible
from truetape.settings import Settings
from truetape.sheets import words

app = typer.Typer(help="Topics: their registry, and what is on them.", no_args_is_help=True)
WORDS_MAX: Final = 160

_HEAD = """\
# Topics

Every topic of Truetape, from the registry in `truetape/topics.py`. A topic with an owner is part of the tape: its
records begin with `meta`, only the owner writes it, and nothing of it is ever deleted. Partition *p* of every topic
keyed by account holds the same accounts.
This page is generated: `make docs` (`truetape topics list --markdown`).

"""


@app.command()
def apply() -> None:
    """Create the topics that are missing, and check the partitions of those that exist."""
    settings = Settings()
    created = topics.apply(settings.kafka, settings.replication)
    for name in created:
        print(f"created {name}")
    print(f"{len(created)} created, {len(topics.ALL) - len(created)} as they were, {len(topics.ALL)} in all")


@app.command(name="list")
def list_topics(
    markdown: Annotated[bool, typer.Option("--markdown", help="The page docs/topics.md")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False,
) -> None:
    """Show every topic: owner, key, partitions, records."""
    if markdown:
        print(page(), end="")
    elif as_json:
        print(json.dumps([_plain(topic) for topic in topics.ALL]))
    else:
        table = Table("topic", "owner", "key", "partitions", "what it holds", box=None, pad_edge=False)
        for topic in topics.ALL:
            table.add_row(topic.name, topic.owner or "", topic.key, str(topic.partitions), topic.doc)
        Console().print(table)


@app.command()
def read(
    topic: Annotated[str, typer.Argument(help="For example orders.decisions; `topics list` has them all")],
    account: Annotated[str, typer.Option(help="Records of this account alone")] = "",
    partition: Annotated[int | None, typer.Option(min=0, help="This partition alone")] = None,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on showing what comes")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object per line")] = False,
) -> None:
    """Show the newest records of a topic, decoded, as they stand: those of a former owner (void) too."""
    found = taperead.topic_named(topic)
    parts = taperead.parts_of(found, partition, account)
    with reports.reading("table", "topics") as (log, seconds):
        ends = {part: high for part, (_, high) in log.ends(parts).items()}
        for row in taperead.newest(log, parts, last, account, seconds):
            _show(row, as_json)
        for row in taperead.coming(log, ends, account) if follow else ():
            _show(row, as_json)


def _show(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(row), flush=True)
        return
    place = f"{row['topic']}/{row['partition']}@{row['offset']}"
    print(f"{row['at'][11:23]:<12} {place:<28} {row['type']:<22} {_words(row['fields'])[:WORDS_MAX]}", flush=True)


def _words(fields: dict[str, Any]) -> str:
    """What a record says, without what is empty, money as decimals; what is long comes last."""
    said = sorted(legible(fields).items(), key=lambda one: isinstance(one[1], dict | list))
    return ", ".join(f"{name} {words(value)}" for name, value in said)


def page() -> str:
    """The text of docs/topics.md."""
    return _HEAD + topics.markdown()


def _plain(topic: topics.Topic) -> dict[str, object]:
    return {
        "name": topic.name,
        "owner": topic.owner,
        "key": topic.key,
        "partitions": topic.partitions,
        "cleanup": topic.cleanup,
        "records": [kind.__name__ for kind in topic.types],
        "doc": topic.doc,
    }
