"""`truetape keys`: API keys, straight on the tape. The secret is printed once and kept nowhere."""

import json
import re
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from truetape.administration import OPERATOR, administration, command_id, new_key
from truetape.errors import SetupError
from truetape.messages import ApiKey, CreateApiKey, RevokeApiKey
from truetape.settings import Settings

app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> int:
    """Seconds of "90s", "15m", "12h" or "30d". Raises SetupError."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    if match is None:
        raise SetupError(f"{text!r} is no duration: write 90s, 15m, 12h or 30d")
    return int(match[1]) * _SECONDS[match[2]]


@app.command()
def create(
    account: Annotated[str, typer.Option(help="Account the key acts for; none for an administrator's key")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="read, trade or admin; repeat for several")] = None,
    rate: Annotated[int, typer.Option(help="Requests per second that the gateway lets it make")] = 100,
    expires: Annotated[str, typer.Option(help="When it ends: 90s, 15m, 12h or 30d; never when absent")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Create a key and print it: this is the only time that its secret is seen."""
    expires_at_us = time.time_ns() // 1000 + duration(expires) * 1_000_000 if expires else None
    key, credentials = new_key(account, tuple(scope or ["read"]), rate, expires_at_us)
    with administration(Settings().kafka) as admin:
        admin.carry_out(CreateApiKey(command_id(), OPERATOR, key))
    if as_json:
        print(json.dumps({"key_id": key.key_id, "key": credentials, "account_id": account, "scopes": key.scopes}))
    else:
        print(f"key {key.key_id} for {account or 'administration'} with scope {', '.join(key.scopes)}:\n")
        print(f"  Authorization: Bearer {credentials}\n\nKeep it: it is not shown again.")


@app.command(name="list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="One JSON array")] = False) -> None:
    """Show all keys, without their secrets."""
    with administration(Settings().kafka) as admin:
        keys = list(admin.reference.api_keys.values())
    if as_json:
        print(json.dumps([_plain(key) for key in keys]))
        return
    table = Table("key", "account", "scopes", "requests/s", "state", box=None, pad_edge=False)
    for key in keys:
        table.add_row(key.key_id, key.account_id, ", ".join(key.scopes), str(key.requests_per_second), _state(key))
    Console().print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key, as `truetape keys list` shows it")]) -> None:
    """Revoke a key for ever; the gateway refuses it within a second."""
    with administration(Settings().kafka) as admin:
        admin.carry_out(RevokeApiKey(command_id(), OPERATOR, key_id))
    print(f"revoked {key_id}")


def _state(key: ApiKey) -> str:
    if key.revoked:
        return "revoked"
    ended = key.expires_at_us is not None and key.expires_at_us <= time.time_ns() // 1000
    return "expired" if ended else "active"


def _plain(key: ApiKey) -> dict[str, object]:
    return {
        "key_id": key.key_id,
        "account_id": key.account_id,
        "scopes": key.scopes,
        "requests_per_second": key.requests_per_second,
        "expires_at_us": key.expires_at_us,
        "state": _state(key),
    }
