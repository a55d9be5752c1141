"""`truetape compression`: runs that replace bilateral trades by fewer ones, with access to Kafka alone."""

from typing import Annotated, Any, Final

import typer

from truetape import ids
from truetape import messages as m
from truetape.commands.fund import HELD, held
from truetape.commands.parked import ByOption, named, states
from truetape.money import from_e8
from truetape.operator import operator
from truetape.reports import FormOption, write
from truetape.settings import settings

app = typer.Typer(help="Compression of bilateral trades.", no_args_is_help=True)
HOME: Final = "house:compression"
"""Home of all runs (services/clearing/otc/multilateral.py)."""
CLAIM: Final = "claim:"
RUNS: Final = (
    "run_id", "instrument_id", "state", "ends", "leaves", "gross_before", "gross_after", "waits_for", "expires_at_us",
)  # fmt: skip
RunArgument = Annotated[str, typer.Argument(help="Run, as the list names it")]
PartyArgument = Annotated[str, typer.Argument(help="The participant")]


@app.command(name="list")
def list_runs(form: FormOption = "table") -> None:
    """Show the runs that are open, and whom each waits for."""
    write(RUNS, [row for _, _, books in states() for row in run_rows(books)], form, "no compression is open")


def run_rows(books: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs of their home's books."""
    return [
        one | {"gross_before": from_e8(one["gross_before_e8"]), "gross_after": from_e8(one["gross_after_e8"])}
        for one in books.get("compressions", ())
    ]


@app.command()
def claims(form: FormOption = "table") -> None:
    """Show claims that are not paid yet: what a participant still gets of the others, or owes when negative."""
    write(HELD, held(CLAIM), form, "no claim is open")


@app.command()
def start(
    contract: Annotated[str, typer.Argument(help="Instrument id")],
    participant: Annotated[list[str] | None, typer.Option(help="Only trades between these; all when absent")] = None,
    hours: Annotated[float, typer.Option(help="How long participants have to accept")] = 24.0, by: ByOption = "",
) -> None:  # fmt: skip
    """Gather the open bilateral trades of a contract and propose to their parties what could replace them."""
    within_us = int(hours * 3_600_000_000)
    _ask(m.StartCompression(ids.random_id(), HOME, contract, tuple(participant or ()), within_us, named(by)))


@app.command()
def accept(run: RunArgument, account: PartyArgument, by: ByOption = "") -> None:
    """Accept a proposed compression for a participant."""
    _ask(m.AnswerCompression(ids.random_id(), HOME, run, account, True, "", named(by)))


@app.command()
def decline(
    run: RunArgument, account: PartyArgument, reason: Annotated[str, typer.Option(help="Why")], by: ByOption = ""
) -> None:
    """Decline it for a participant: all of it falls."""
    _ask(m.AnswerCompression(ids.random_id(), HOME, run, account, False, reason, named(by)))


def _ask(command: m.StartCompression | m.AnswerCompression) -> None:
    with operator(settings().kafka) as hand:
        event = hand.decide(command)
    waits = sorted(set(event.participants) - set(event.accepted)) if event.state == "PROPOSED" else []
    print(f"{event.run_id} {event.state} {event.detail or ' '.join(waits)}".rstrip())
