"""`truetape porting`: where the clients of a member in default go. With access to Kafka alone."""

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from truetape import ids
from truetape import messages as m
from truetape.commands.parked import ByOption, named, states
from truetape.operator import operator
from truetape.settings import settings
from truetape.transitions import HOUSE

app = typer.Typer(help="Clients of members in default.", no_args_is_help=True)
ClientArgument = Annotated[str, typer.Argument(help="The client's account")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands on the tape")]


@app.command(name="list")
def list_portings(as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False) -> None:
    """Show clients whose member is in default, and members that clients have chosen beforehand."""
    rows = portings()
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("client", "state", "member", "goes to", "time left", "closed out for", box=None, pad_edge=False)
    now_us = time.time_ns() // 1000
    for row in rows:
        left = f"{max(0, row['expires_at_us'] - now_us) / 1e6:.0f} s" if row["expires_at_us"] else ""
        table.add_row(row["account_id"], row["state"], row["member_id"], row["receiver_id"], left, row["reason"])
    console = Console(highlight=False, soft_wrap=True)
    console.print(table if rows else "no client's member is in default, and none has chosen another")


def portings() -> list[dict[str, Any]]:
    """Clients as the ledger has them, with what they have chosen beforehand."""
    found: list[dict[str, Any]] = []
    for _, account_id, books in states():
        if "porting" in books:
            found.append({"account_id": account_id} | books["porting"])
        elif "chosen_member" in books:
            chosen = {"state": "CHOSEN", "member_id": "", "receiver_id": books["chosen_member"], "reason": ""}
            found.append({"account_id": account_id, "expires_at_us": 0} | chosen)
    return found


@app.command()
def choose(
    client: ClientArgument,
    receiver: Annotated[str, typer.Argument(help="The member that it goes to; empty takes the choice back")],
    reason: ReasonOption = "",
    by: ByOption = "",
) -> None:
    """Say for a client where it goes when its member defaults: beforehand, or while the window is open."""
    _act(client, "choose", client, receiver, reason, by)


@app.command()
def accept(
    client: ClientArgument,
    receiver: Annotated[str, typer.Argument(help="The member that the client has chosen")],
    reason: ReasonOption = "",
    by: ByOption = "",
) -> None:
    """Say for a member that it takes a client over."""
    _act(client, "accept", receiver, "", reason, by)


@app.command()
def refuse(
    client: ClientArgument,
    receiver: Annotated[str, typer.Argument(help="The member that the client has chosen")],
    reason: ReasonOption = "",
    by: ByOption = "",
) -> None:
    """Refuse, for a member, to take a client over."""
    _act(client, "refuse", receiver, "", reason, by)


def _act(client: str, action: str, actor: str, receiver: str, reason: str, by: str) -> None:
    command = m.ActOnPorting(ids.random_id(), client, action, actor, receiver, reason, named(by))
    with operator(settings().kafka) as hand:
        event = hand.decide(command)
    print(f"{client} is {event.state}, and goes to {event.receiver_id or 'nobody'}")


@app.command()
def end(
    member: Annotated[str, typer.Argument(help="The member in default")], reason: ReasonOption, by: ByOption = ""
) -> None:
    """End a window before its time: who is accepted, margined and has room moves now, who is not is closed out."""
    command = m.ActOnPorting(ids.random_id(), member, "end", HOUSE, "", reason, named(by))
    with operator(settings().kafka) as hand:
        event = hand.decide(command)
    print(f"the clients of {member} are decided in round {event.round.round_id}: see `truetape porting list`")
