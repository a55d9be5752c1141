"""`truetape positions`: what the account of the key in TRUETAPE_KEY holds, by the API."""

from truetape import reports, trader
from truetape.client import Position
from truetape.reports import FormOption


def command(form: FormOption = "table") -> None:
    """Show the positions of the key's account, with average price and realised profit (TRUETAPE_KEY)."""
    reports.require(form)
    with trader.trader() as client:
        trader.write(Position.__struct_fields__, client.positions(), form, "no position")
