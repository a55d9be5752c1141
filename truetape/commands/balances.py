"""`truetape balances`: what the account of the key in TRUETAPE_KEY has, by the API."""

from truetape import reports, trader
from truetape.client import Balance
from truetape.reports import FormOption


def command(form: FormOption = "table") -> None:
    """Show what the key's account has: cleared, reserved by open orders, and available (TRUETAPE_KEY)."""
    reports.require(form)
    with trader.trader() as client:
        trader.write(Balance.__struct_fields__, client.balances(), form, "the account has had nothing so far")
