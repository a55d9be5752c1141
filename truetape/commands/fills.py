"""`truetape fills`: the newest fills of the account of the key in TRUETAPE_KEY, by the API."""

from itertools import islice
from typing import Annotated

import typer

from truetape import reports, trader
from truetape.client import Fill
from truetape.reports import FormOption


def command(
    order: Annotated[str | None, typer.Option(help="Of this order alone, by its id")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest")] = 20,
    form: FormOption = "table",
) -> None:
    """Show the newest fills of the key's account, with the venue's execution ids (TRUETAPE_KEY)."""
    reports.require(form)
    with trader.trader() as client:
        trader.write(Fill.__struct_fields__, list(islice(client.fills(order_id=order), last)), form, "no fill")
