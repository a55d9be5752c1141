"""`truetape topics`: the registry of topics, and their creation."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from truetape import topics
from truetape.settings import Settings

app = typer.Typer(help="The registry of topics.", no_args_is_help=True)

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
