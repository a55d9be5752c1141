"""`truetape instruments`: what can be traded, with access to Kafka alone."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from truetape import ids
from truetape import messages as m
from truetape.errors import SetupError
from truetape.instruments import instrument_from
from truetape.money import from_e8
from truetape.operator import BY, operator
from truetape.settings import settings

T = TypeVar("T")
FileArgument = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, allow_dash=True, help="JSON, one object or a list; - is stdin")
]
app = typer.Typer(help="Instruments.", no_args_is_help=True)


@app.command(name="set")
def set_instruments(
    file: FileArgument,
) -> None:
    """Define or change instruments: a JSON object, or a list of them, as the API takes it."""
    found = described(file, "instruments", "docs/api.md", instrument_from)
    set_each(found, m.SetInstrument, lambda new: f"{new.instrument_id} is set")


def set_each(found: Iterable[T], command: Callable[[str, str, T], Any], told: Callable[[T], str]) -> None:
    """Ask reference data for each, and print what it is now."""
    with operator(settings().kafka) as hand:
        for new in found:
            hand.ask(command(ids.random_id(), BY, new))
            print(told(new))


def described(file: Path, what: str, guide: str, make: Callable[[dict[str, Any]], T]) -> list[T]:
    """What a file's JSON object, or each of its list of them, describes. Raises SetupError, naming the guide."""
    try:
        text = typer.get_text_stream("stdin").read() if str(file) == "-" else file.read_text()
        content = json.loads(text)
        return [make(one) for one in (content if isinstance(content, list) else [content])]
    except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise SetupError(f"{file} does not describe {what}: {error!r}; {guide} shows one") from error


@app.command(name="list")
def list_instruments() -> None:
    """Show all instruments."""
    with operator(settings().kafka) as hand:
        known = [one for _, one in sorted(hand.reference.instruments.items())]
    table = Table("instrument", "kind", "tick", "lot", "least", "most", "venues", "tradable", box=None, pad_edge=False)
    for one in known:
        venues = ", ".join(f"{listing.venue}:{listing.symbol}" for listing in one.listings)
        money = (one.tick_e8, one.lot_e8, one.min_quantity_e8, one.max_quantity_e8)
        kind = "spot" if one.contract is None else f"{one.contract.kind} {one.contract.style}".lower()
        table.add_row(one.instrument_id, kind, *map(from_e8, money), venues, "yes" if one.tradable else "[red]no[/]")
    Console().print(table)
