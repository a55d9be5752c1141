"""`truetape accounts`: client accounts, straight on the tape."""

import json
from typing import Annotated

import typer

from truetape.administration import OPERATOR, administration, command_id
from truetape.messages import OpenAccount
from truetape.settings import Settings

app = typer.Typer(help="Client accounts: open, list.", no_args_is_help=True)


@app.command(name="open")
def open_account(
    account_id: Annotated[str, typer.Argument(help="Its id: letters, digits, _ and -")],
    name: Annotated[str, typer.Option(help="Its name; the id when absent")] = "",
) -> None:
    """Open an account."""
    with administration(Settings().kafka) as admin:
        admin.carry_out(OpenAccount(command_id(), OPERATOR, account_id, name or account_id))
    print(f"opened {account_id}")


@app.command(name="list")
def list_accounts(as_json: Annotated[bool, typer.Option("--json", help="One JSON object, id to name")] = False) -> None:
    """Show all accounts."""
    with administration(Settings().kafka) as admin:
        accounts = admin.reference.accounts
    if as_json:
        print(json.dumps(accounts))
    else:
        print("\n".join(f"{account_id}  {name}" for account_id, name in sorted(accounts.items())))
