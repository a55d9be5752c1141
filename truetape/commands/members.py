"""`truetape members`: which clearing member answers for an account, and how much each may take over."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from truetape import ids
from truetape import messages as m
from truetape.money import from_e8, to_e8
from truetape.operator import BY, operator
from truetape.settings import settings

app = typer.Typer(help="Clearing members and their clients.", no_args_is_help=True)


@app.command(name="set")
def set_member(
    account: Annotated[str, typer.Argument(help="The client")],
    member: Annotated[str, typer.Argument(help="The member that answers for it; itself: it is a member")],
) -> None:
    """Say which clearing member an account belongs to. Its positions, margin and limits stay its own."""
    with operator(settings().kafka) as hand:
        event = hand.ask(m.SetMember(ids.random_id(), BY, account, member))
    print(f"{account} belongs to {event.member_id}, before to {event.from_member_id}")


@app.command()
def limit(
    member: Annotated[str, typer.Argument(help="The member")],
    initial_max: Annotated[str, typer.Argument(help="Most initial need of all its clients; 0: it takes nobody over")],
    asset: Annotated[str, typer.Option(help="Settlement asset")] = "USDT",
) -> None:
    """Set how much risk of clients a member may have when it takes some over from a member in default."""
    with operator(settings().kafka) as hand:
        hand.ask(m.SetMemberLimit(ids.random_id(), BY, member, asset, to_e8(initial_max)))
    print(f"{member} takes clients over up to an initial need of {initial_max} {asset}")


@app.command(name="list")
def list_members(as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False) -> None:
    """Show members with their clients and limits; an account that is not here is a member without clients."""
    with operator(settings().kafka) as hand:
        known = hand.reference
    names = sorted({*known.members.values(), *known.member_limits, *known.defaulted})
    rows: list[dict[str, Any]] = [
        {
            "member_id": name,
            "clients": sorted(one for one, member in known.members.items() if member == name != one),
            "limits": {asset: from_e8(most_e8) for asset, most_e8 in sorted(known.member_limits.get(name, {}).items())},
            "default_id": known.defaulted.get(name, ""),
        }
        for name in names
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("member", "clients", "takes over up to", "default", box=None, pad_edge=False)
    for row in rows:
        limits = ", ".join(f"{most} {asset}" for asset, most in row["limits"].items())
        table.add_row(row["member_id"], ", ".join(row["clients"]), limits, row["default_id"])
    Console(highlight=False, soft_wrap=True).print(table if rows else "no account has another member than itself")
