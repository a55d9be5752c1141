"""`truetape parked`: inputs that halt accounts of the ledger: list, book, dismiss. With access to Kafka alone."""

import getpass
import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape import ids
from truetape import messages as m
from truetape.entrypoints import SERVICES, installed
from truetape.errors import SetupError
from truetape.log import KafkaLog, Log, check_topics
from truetape.operator import Refused, operator
from truetape.restore import Restorer
from truetape.service import Service
from truetape.settings import Settings, settings
from truetape.topics import snapshots_of

app = typer.Typer(help="Inputs that halt accounts of the ledger.", invoke_without_command=True)
LEDGER: Final = "clearing"
ASK_SECONDS: Final = 5.0
Parked = dict[str, Any]
ByOption = Annotated[str, typer.Option("--by", help="Your name; it stands on the tape [your login]")]
AccountArgument = Annotated[str, typer.Argument(help="The halted account")]


@app.callback()
@app.command(name="list")
def list_parked(
    context: typer.Context,
    account: Annotated[str, typer.Option(help="Only of this account")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False,
) -> None:
    """Show what is parked, oldest first: account, input, reason, age. Exit status 1 when something is."""
    if context.invoked_subcommand is not None:
        return
    rows = parked(account)
    now_us = time.time_ns() // 1000
    if as_json:
        print(json.dumps([row | {"age_seconds": (now_us - row["parked_at_us"]) / 1e6} for row in rows]))
    else:
        show(rows, now_us, Console(highlight=False, soft_wrap=True))
    raise typer.Exit(1 if rows else 0)


@app.command()
def release(account: AccountArgument, by: ByOption = "") -> None:
    """Book all that is parked of an account, oldest first, by the rules and fees as they are now.

    Stops at the first input that the ledger still refuses. Without any left, the account is no longer halted.
    """
    left = _release_all(account, by)
    print(f"nothing is parked of {account}" if left is None else f"{account} is no longer halted")


def _release_all(account: str, by: str) -> int | None:
    """Inputs may park behind while it works, so it looks again until nothing is left."""
    left: int | None = None
    while rows := parked(account):
        with operator(settings().kafka) as hand:
            for row in rows:
                command = m.ReleaseParked(ids.random_id(), account, row["event_id"], named(by))
                left = _booked(lambda command=command: hand.resolve(command), row)  # type: ignore[misc]
        if left == 0:
            break
    return left


def _booked(resolve: Callable[[], Any], row: Parked) -> int:
    try:
        entry = resolve()
    except Refused as error:
        where = f"{row['source']}@{row['offset']}"
        raise Refused(f"{where} stays parked, and all behind it: {error} (input {row['event_id']})") from error
    print(f"{entry.entry_id} is booked, {entry.release.left} left")
    left: int = entry.release.left
    return left


@app.command()
def dismiss(
    account: AccountArgument,
    event_id: Annotated[str, typer.Argument(help="The input, as the list names it")],
    reason: Annotated[str, typer.Option(help="Why it needs no entry; it stands on the tape")],
    by: ByOption = "",
) -> None:
    """Resolve one parked input without booking it."""
    with operator(settings().kafka) as hand:
        event = hand.resolve(m.DismissParked(ids.random_id(), account, event_id, named(by), reason))
    left = event.release.left
    print(
        f"{event_id} is dismissed, {left} left" if left else f"{event_id} is dismissed; {account} is no longer halted"
    )


def named(name: str) -> str:
    """Who asks, as the tape names an operator."""
    return f"operator:{name or getpass.getuser()}"


def parked(account: str = "") -> list[Parked]:
    """What is parked, oldest first, from clearing's newest snapshots and its tape since."""
    return _rows(states(account))


def states(account: str = "", name: str = LEDGER) -> list[tuple[int, str, dict[str, Any]]]:
    """(partition, account, what a service knows of it) of the ledger, or of another service whose partitions hold
    accounts, from its newest snapshots and its tape since."""
    service: Service[Any] | None = installed(SERVICES).get(name)
    if service is None:
        raise SetupError(f"{name} is not registered: run `pip install -e .` in the checkout")
    kafka = Settings().kafka
    check_topics(kafka, [service.owns, snapshots_of(service.owns)], ASK_SECONDS)
    with closing(KafkaLog(kafka)) as log:
        return _books(service, log, Settings(), account)


def folded(service: Service[Any], log: Log, configured: Settings, account: str = "") -> list[Parked]:
    """What is parked, of one account or of all, from this log."""
    return _rows(_books(service, log, configured, account))


def _books(
    service: Service[Any], log: Log, configured: Settings, account: str
) -> list[tuple[int, str, dict[str, Any]]]:
    every = range(service.owns.partitions)
    partitions = [ids.partition_of(account, len(every))] if account else list(every)
    return [
        (partition, account_id, books)
        for partition, restored in Restorer(service, log, configured).restore(partitions).items()
        for account_id, books in service.accounts(restored.state).items()
        if account in ("", account_id)
    ]


def _rows(found: list[tuple[int, str, dict[str, Any]]]) -> list[Parked]:
    rows = [
        {"account_id": account_id, "partition": partition} | one
        for partition, account_id, books in found
        for one in books.get("parked", ())
    ]
    return sorted(rows, key=lambda row: row["parked_at_us"])


def show(rows: list[Parked], now_us: int, console: Console) -> None:
    """A table for a person."""
    table = Table("account", "input", "age", "event", "reason", box=None, pad_edge=False)
    for row in rows:
        where = f"{row['source']}/{row['partition']}@{row['offset']}"
        age = f"{(now_us - row['parked_at_us']) / 1e6:.0f} s"
        table.add_row(row["account_id"], where, age, row["event_id"], row["reason"])
    if rows:
        console.print(table)
        console.print("resolve them: `truetape parked release ACCOUNT`, or `truetape parked dismiss` (docs/ledger.md)")
    else:
        console.print("[bold green]nothing is parked[/]")
