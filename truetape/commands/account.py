"""`truetape account`: one account as it is, or as it was at any place of the tape or any time."""

import json
import time
from contextlib import closing
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from truetape.asof import History, Known, place_of, time_of
from truetape.entrypoints import SERVICES, installed
from truetape.errors import MomentUnknown
from truetape.log import KafkaLog, check_topics
from truetape.money import from_e8
from truetape.settings import Settings
from truetape.telemetry import configure_logging
from truetape.topics import ALL

ASK_SECONDS = 5.0


def command(
    account: Annotated[str, typer.Argument(help="The account")],
    as_of: Annotated[str, typer.Option(help="At this time, RFC 3339, for example 2026-11-26T12:00:00Z")] = "",
    at: Annotated[
        list[str] | None, typer.Option(help="After this record, for example clearing.entries/3@1200; may come again")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object")] = False,
) -> None:
    """Fold the tape again, and show what each service knew of an account then; at the end of the tape by default."""
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "account")
    check_topics(settings.kafka, ALL, ASK_SECONDS)
    with closing(KafkaLog(settings.kafka)) as log:
        history = History(log, installed(SERVICES).values(), account, settings.restore_timeout_seconds)
        known = _ask(history, as_of, at or [])
    if as_json:
        print(json.dumps({"account_id": account, "known": [msgspec.to_builtins(one) for one in known]}))
    else:
        _show(known, Console(highlight=False))


def _ask(history: History, as_of: str, at: list[str]) -> list[Known]:
    if as_of and at:
        raise MomentUnknown("give --as-of or --at, not both")
    if as_of:
        return history.as_of(time_of(as_of), time.time_ns() // 1000)
    places = {}
    for text in at:
        place = place_of(text)
        if place is None:
            raise MomentUnknown(f"{text!r} is no place: write topic/partition@offset, such as {history.parts()[0]}@0")
        places[place[0]] = place[1]
    return history.at(places) if places else history.now()


def _show(known: list[Known], console: Console) -> None:
    """Places, then amounts by asset, positions, and open orders, as far as a service tells them."""
    for one in known:
        console.print(f"{one.service}: {one.part}@{one.offset}, epoch {one.epoch}, sequence {one.sequence}")
    by_service: dict[str, dict[str, Any]] = {one.service: one.state or {} for one in known}
    amounts = {
        f"{service} {name}": state[name]
        for service, state in by_service.items()
        for name in ("balances", "reserved")
        if isinstance(state.get(name), dict)
    }
    if amounts:
        table = Table("asset", *amounts, box=None, pad_edge=False)
        for asset in sorted({asset for column in amounts.values() for asset in column}):
            table.add_row(asset, *(from_e8(column.get(asset, 0)) for column in amounts.values()))
        console.print(table)
    _show_positions(by_service.get("clearing", {}).get("positions", {}), console)
    orders = by_service.get("router", {})
    console.print(f"{len(orders)} orders open at venues{':' if orders else ''} {', '.join(sorted(orders))}".rstrip())


def _show_positions(positions: dict[str, Any], console: Console) -> None:
    if positions:
        table = Table("instrument", "quantity", "cost", "realised", box=None, pad_edge=False)
        for name, row in sorted(positions.items()):
            amounts = (from_e8(row[field]) for field in ("quantity_e8", "cost_e8", "realised_e8"))
            table.add_row(name, *amounts)
        console.print(table)
