"""`truetape keys`: API keys, with access to Kafka alone."""

import hashlib
import json
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from truetape import ids
from truetape import messages as m
from truetape.errors import SetupError
from truetape.operator import BY, operator
from truetape.settings import settings

app = typer.Typer(help="API keys; needs access to Kafka and a running gateway.", no_args_is_help=True)

SECRET_BYTES: Final = 32
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object")]


@app.command()
def create(
    scope: Annotated[list[str], typer.Option(help="read, trade or admin; repeat for several")],
    account: Annotated[str, typer.Option(help="The account it acts for; none for a mere admin key")] = "",
    expires: Annotated[str | None, typer.Option(help="Lifetime, for example 12h or 30d [for ever]")] = None,
    requests_per_second: Annotated[int, typer.Option(min=1, max=100_000, help="Rate limit")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Create a key and print its secret, this once."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    now_us = time.time_ns() // 1000
    key = m.ApiKey(
        key_id=f"tk-{ids.random_id()[:16]}",
        secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
        account_id=account,
        scopes=tuple(scope),
        requests_per_second=requests_per_second,
        revoked=False,
        expires_at_us=None if expires is None else now_us + lifetime_seconds(expires) * 1_000_000,
    )
    with operator(settings().kafka) as hand:
        hand.ask(m.CreateApiKey(ids.random_id(), BY, key))
    whole = f"{key.key_id}.{secret}"
    if as_json:
        print(json.dumps({"key_id": key.key_id, "key": whole, "account_id": account, "scopes": list(scope)}))
        return
    Console(stderr=True).print("Keep this key: it is shown only now. Send it as `Authorization: Bearer KEY`.")
    print(whole)


@app.command(name="list")
def list_keys(as_json: JsonOption = False) -> None:
    """Show all keys, without their secrets."""
    with operator(settings().kafka) as hand:
        keys = sorted(hand.reference.api_keys.values(), key=lambda key: (key.account_id, key.key_id))
    if as_json:
        rows = [
            {
                "key_id": key.key_id, "account_id": key.account_id, "scopes": list(key.scopes), "revoked": key.revoked,
                "requests_per_second": key.requests_per_second, "expires_at": _when(key.expires_at_us),
            }
            for key in keys
        ]  # fmt: skip
        print(json.dumps(rows))
        return
    table = Table("key", "account", "scopes", "requests/s", "expires", "state", box=None, pad_edge=False)
    for key in keys:
        state = "[red]revoked[/]" if key.revoked else "[green]valid[/]"
        rate, scopes = str(key.requests_per_second), " ".join(key.scopes)
        table.add_row(key.key_id, key.account_id, scopes, rate, _when(key.expires_at_us) or "never", state)
    Console().print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key, as the list names it")]) -> None:
    """Revoke a key for ever, at once."""
    with operator(settings().kafka) as hand:
        hand.ask(m.RevokeApiKey(ids.random_id(), BY, key_id))
    print(f"{key_id} is revoked")


def lifetime_seconds(text: str) -> int:
    """ "30d" as seconds. Raises SetupError."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    if match is None:
        raise SetupError(f"{text!r} is no lifetime; write a number and s, m, h or d, for example 30d")
    return int(match[1]) * _UNITS[match[2]]


def _when(at_us: int | None) -> str | None:
    return None if at_us is None else datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="seconds")
