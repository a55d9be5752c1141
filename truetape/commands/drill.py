"""`truetape drill`: exercises on recorded data. Nothing is written."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from truetape import clock, journal, marks, reference, reports
from truetape.commands.ledger import microseconds
from truetape.default import drill
from truetape.default.drill import Books, Drill, Setting
from truetape.errors import MoneyError, SetupError
from truetape.happenings import Log, Part
from truetape.money import from_e8, to_e8
from truetape.restore import accepted
from truetape.sheets import sheet
from truetape.tape import Reader
from truetape.topics import CLEARING_ENTRIES, MARKET_MARKS, REFERENCE_EVENTS, Topic

app = typer.Typer(help="Exercises on recorded data; nothing is written.", no_args_is_help=True)


@app.callback()
def exercises() -> None:
    """Exercises on recorded data; nothing is written."""


@app.command()
def default(
    asset: Annotated[str, typer.Option(help="Settlement asset of the contracts")] = "USDT",
    shock: Annotated[
        list[str] | None,
        typer.Option(help="A move of all marks such as -0.2; may come again [0.1, 0.2, 0.3 both ways]"),
    ] = None,
    member: Annotated[
        list[str] | None, typer.Option(help="Who defaults; may come again [the two that lose most beyond margin]")
    ] = None,
    capital: Annotated[str, typer.Option(help="The house's own capital [what it has earned in fees]")] = "",
    floor: Annotated[str, typer.Option(help="Least share of the clearing fund")] = "0",
    assessment: Annotated[str, typer.Option(help="Most that a member is asked for on top, per its share")] = "1",
    mark: Annotated[
        list[str] | None, typer.Option(help="INSTRUMENT=PRICE, in place of the tape's mark; may come again")
    ] = None,
    until: Annotated[str, typer.Option(help="The books before this time, ISO 8601 [now]")] = "",
    form: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
) -> None:
    """Let the two members that a stress hits hardest default, and show who would bear it, layer by layer."""
    until_us = microseconds(until) if until else None
    with reports.reading(form, "drill") as (log, seconds):
        books, known, prices = read(log, seconds, until_us)
    earned_e8 = books.balances.get("house", {}).get(asset, 0)
    setting = Setting(
        asset=asset,
        shocks_e8=shocked(shock),
        capital_e8=number("capital", capital) if capital else max(0, earned_e8),
        floor_e8=number("floor", floor),
        assessment_rate_e8=number("assessment", assessment),
        defaulters=tuple(member or ()),
        at_us=clock.now_us() if until_us is None else until_us,
    )
    found = drill.run(books, known, prices | dict(marked(one) for one in mark or ()), setting)
    if form == "table":
        show(found, Console(highlight=False))
    elif form == "json":
        print(json.dumps(drill.plain(found)))
    else:
        sys.stdout.write(sheet(drill.COLUMNS, drill.rows(found)))


def number(name: str, text: str) -> int:
    """A decimal option. Raises SetupError."""
    try:
        return to_e8(text)
    except MoneyError as error:
        raise SetupError(f"--{name}: {error}") from error


def shocked(texts: list[str] | None) -> tuple[int, ...]:
    """Moves of all marks, as shares of 1e8; the usual ones without any. Raises SetupError."""
    return tuple(number("shock", text) for text in texts) if texts else drill.SHOCKS_E8


def marked(text: str) -> tuple[str, int]:
    """INSTRUMENT=PRICE. Raises SetupError."""
    name, equals, price = text.partition("=")
    if not (name and equals):
        raise SetupError(f"--mark: {text[:60]!r} is not INSTRUMENT=PRICE, such as BTC-USDT-PERP=60000")
    return name, number("mark", price)


def read(log: Log, seconds: float, until_us: int | None) -> tuple[Books, reference.Reference, dict[str, int]]:
    """Books, reference data and newest marks before a time, from the tape. Raises TapeGap."""
    books = Books()
    for part, _, event in journal.records(log, seconds, range(CLEARING_ENTRIES.partitions)):
        if until_us is None or event.meta.decided_at_us < until_us:
            books.take(event, part.partition)
    known, newest = reference.Reference(), marks.Marks()
    for event in _events(log, seconds, REFERENCE_EVENTS, until_us):
        reference.fold(known, event)
    for event in _events(log, seconds, MARKET_MARKS, until_us):
        marks.fold(newest, event)
    return books, known, {name: one.price_e8 for name, one in newest.newest.items()}


def _events(log: Log, seconds: float, topic: Topic, until_us: int | None) -> Iterator[Any]:
    part = Part(topic.name, 0)
    reader = Reader(*part)
    for record in log.read({part: log.ends([part])[part]}, seconds):
        event: Any = accepted(record, reader)
        if event is not None and (until_us is None or event.meta.decided_at_us < until_us):
            yield event


def show(found: Drill, console: Console) -> None:
    """For a person: the fund, then each default's payments, then what is left."""
    sizing, asset = found.sizing, found.setting.asset
    who = " and ".join(f"{member} ({from_e8(e8)} beyond its margin)" for member, e8 in sizing.covered) or "nobody"
    console.print(f"scenario {drill.named(found.shock_e8)}; fund {from_e8(sizing.size_e8)} {asset}, for {who}")
    shares = Table("member", "initial margin", "fund share", box=None, pad_edge=False)
    for member, share_e8 in found.shares_e8.items():
        shares.add_row(member, from_e8(found.margins_e8[member]), from_e8(share_e8))
    console.print(shares)
    for one in found.defaults:
        console.print(f"{one.member_id} defaults with a loss of {from_e8(one.loss_e8)} {asset}")
    steps = Table(*drill.COLUMNS, box=None, pad_edge=False)
    for row in drill.rows(found):
        steps.add_row(*row)
    console.print(steps if found.defaults and drill.rows(found) else "nobody has to pay anything")
    console.print("left: " + ", ".join(f"{layer} {from_e8(e8)}" for layer, e8 in found.left.items()))
