"""What reports from the tape have in common: the forms that they come in, and the log that they read."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape.errors import SetupError
from truetape.log import KafkaLog, Log, check_topics
from truetape.settings import Settings
from truetape.sheets import sheet, words
from truetape.telemetry import configure_logging
from truetape.topics import ALL

FORMS: Final = ("table", "json", "csv")
ASK_SECONDS: Final = 5.0
FormOption = Annotated[str, typer.Option("--format", help="table, json or csv")]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json")]


@contextmanager
def reading(form: str, name: str) -> Iterator[tuple[Log, float]]:
    """The real broker's log and how long to wait for a record. Raises SetupError for an unknown form."""
    require(form)
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), name)
    check_topics(settings.kafka, ALL, ASK_SECONDS)
    with closing(KafkaLog(settings.kafka)) as log:
        yield log, settings.restore_timeout_seconds


def require(form: str) -> None:
    """Raises SetupError for an unknown form."""
    if form not in FORMS:
        raise SetupError(f"{form[:40]!r} is no format; there are {', '.join(FORMS)}")


def write(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], form: str, nothing: str) -> None:
    """These columns of rows as a table for a person, or as CSV; or all of the rows as one JSON array.

    Raises SetupError for an unknown form.
    """
    require(form)
    cells = [[cell(name, row.get(name, "")) for name in columns] for row in rows]
    if form == "json":
        print(json.dumps(rows))
    elif form == "csv":
        sys.stdout.write(sheet(columns, cells))
    else:
        show(columns, cells, nothing)


def show(columns: Iterable[str], cells: Iterable[Sequence[str]], nothing: str) -> None:
    """A table for a person; `nothing` says that it has no rows."""
    table = Table(*(name.removesuffix("_at_us") for name in columns), box=None, pad_edge=False)
    for row in cells:
        table.add_row(*row)
    Console(highlight=False, soft_wrap=True).print(table if table.row_count else nothing)


def cell(name: str, value: Any) -> str:
    """A value in one cell: times as RFC 3339, lists separated by spaces."""
    if name.endswith("_at_us") and isinstance(value, int):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value // 1_000_000))
    return words(value)
