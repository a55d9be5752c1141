"""`truetape deposit`: record funds that arrived, with access to Kafka alone."""

from typing import Annotated, Final

import typer

from truetape import ids
from truetape import messages as m
from truetape.errors import SetupError
from truetape.money import from_e8, positive_e8
from truetape.operator import operator
from truetape.settings import settings

DEFAULT: Final = "venue:alpha"


def command(
    account: Annotated[str, typer.Argument(help="The client's account")],
    asset: Annotated[str, typer.Argument(help="For example USDT")],
    amount: Annotated[str, typer.Argument(help="Above zero, at most 8 decimals")],
    reference: Annotated[str, typer.Option(help="The outside world's id of the movement; makes a repetition safe")],
    location: Annotated[str, typer.Option(help="Where it arrived: venue:, bank: or custody: and its name")] = DEFAULT,
) -> None:
    """Record a deposit of a client."""
    amount_e8 = positive_e8(amount)
    terms = terms_of(account, asset, amount_e8, location, reference)
    with operator(settings().kafka) as hand:
        hand.reference.require_account(account)
        hand.reference.require_asset(asset)
        hand.transfer(terms)
    print(f"{from_e8(amount_e8)} {asset} for {account} is approved; clearing books it")


def terms_of(account: str, asset: str, amount_e8: int, location: str, reference: str) -> m.TransferTerms:
    """A deposit, or a withdrawal where the amount is negative. Raises SetupError for a place that nobody reconciles."""
    if not location.startswith(ids.MIRRORS):
        raise SetupError(f"--location {location!r}: {ids.NOT_A_MIRROR}, for example {DEFAULT}")
    _require_venue(location)
    return m.TransferTerms(ids.transfer_id(account, reference), account, asset, amount_e8, location, reference)


def _require_venue(location: str) -> None:
    kind, _, name = location.partition(":")
    known = sorted(settings().venues)
    if kind == "venue" and known and name not in known:
        raise SetupError(f"--location {location!r}: nobody would reconcile it; venues here are: {', '.join(known)}")
