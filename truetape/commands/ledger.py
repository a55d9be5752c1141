"""`truetape ledger`: the journal for other programs."""

import json
import sys
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.table import Table

from truetape import cuts, ids, journal, reports
from truetape.errors import SetupError
from truetape.log import KafkaLog, Part, check_topics
from truetape.lots import first_in_first_out, moves
from truetape.money import from_e8
from truetape.restore import accepted
from truetape.settings import Settings
from truetape.sheets import sheet
from truetape.tape import Reader
from truetape.telemetry import configure_logging
from truetape.topics import ALL, CLEARING_ENTRIES

app = typer.Typer(help="The journal, for other programs.", no_args_is_help=True)
FORMATS = ("hledger", "beancount")
TOLD_TRANSACTIONS = 10_000


@app.callback()
def ledger() -> None:
    """The journal, for other programs."""


@app.command()
def export(
    form: Annotated[str, typer.Option("--format", help="hledger or beancount")] = "hledger",
    account: Annotated[str | None, typer.Option(help="Entries of this client alone")] = None,
    until: Annotated[
        str | None, typer.Option(help="Entries booked before this time, ISO 8601, UTC if it says none")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A file [stdout]", dir_okay=False)] = None,
) -> None:
    """Write every entry of the journal as a transaction that hledger or beancount can read and check."""
    if form not in FORMATS:
        raise SetupError(f"{form[:40]!r} is no format; there are {' and '.join(FORMATS)}")
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "ledger")
    check_topics(settings.kafka, ALL)
    with (
        closing(KafkaLog(settings.kafka)) as log,
        output.open("w") if output is not None else nullcontext(sys.stdout) as target,
    ):
        found = journal.entries(log, settings.restore_timeout_seconds, account, microseconds(until) if until else None)
        for count, text in enumerate(journal.written(found, cast(journal.Format, form)), 1):
            target.write(text)
            if count % TOLD_TRANSACTIONS == 0:
                print(f"{count} transactions and declarations written", file=sys.stderr)


@app.command()
def lots(
    account: Annotated[str, typer.Argument(help="Client")],
    instrument: Annotated[str, typer.Argument(help="Instrument")],
) -> None:
    """A position by lots, first in first out, as one JSON object: what is open, and what each trade closed."""
    settings = Settings()
    check_topics(settings.kafka, ALL)
    with closing(KafkaLog(settings.kafka)) as log:
        found = [entry for _, _, entry in journal.entries(log, settings.restore_timeout_seconds, account)]
    held = first_in_first_out(moves(found, instrument))
    closed = [one._asdict() | {"realised_e8": one.realised_e8} for one in held.closed]
    print(json.dumps({"open": [one._asdict() for one in held.open], "closed": closed}))


SIDES = ("instrument", "positions", "costs", "long", "long_cost", "short", "short_cost", "realised", "lots")


@app.command()
def sides(
    account: Annotated[str, typer.Argument(help="Client, with terms: `truetape accounts terms`")],
    form: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
) -> None:
    """Long and short sides of an account's contracts, with the profit that its own terms have realised."""
    with reports.reading(form, "ledger") as (log, seconds):
        part = Part(CLEARING_ENTRIES.name, ids.partition_of(account, CLEARING_ENTRIES.partitions))
        reader = Reader(*part)
        records = log.read({part: log.ends([part])[part]}, seconds)
        found = cuts.folded((accepted(record, reader) for record in records), account)
    rows = [sides_row(name, cut) for name, cut in sorted(found.items())]
    if form == "json":
        print(json.dumps([dict(zip(SIDES, row, strict=True)) for row in rows]))
    elif form == "csv":
        sys.stdout.write(sheet(SIDES, rows))
    else:
        shown = Table(*SIDES, box=None, pad_edge=False)
        for row in rows:
            shown.add_row(*row)
        Console(highlight=False).print(shown if rows else f"{account} has no contracts under terms of its own")


def sides_row(name: str, cut: cuts.Cut) -> tuple[str, ...]:
    """One contract as text, in the order of SIDES."""
    long_cost_e8 = sum(lot.cost_e8 for lot in cut.long)
    amounts = (cut.long_e8, long_cost_e8, cut.short_e8, cut.cost_e8 - long_cost_e8, cut.realised_e8)
    return (name, cut.positions, cut.costs, *map(from_e8, amounts), str(len(cut.long) + len(cut.short)))


def microseconds(text: str) -> int:
    """A time as microseconds UTC. Raises SetupError for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SetupError(f"{text[:40]!r} is no time such as 2026-11-26 or 2026-11-26T14:30:00+00:00") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
