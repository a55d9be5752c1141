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


AccountArgument = Annotated[str, typer.Argument(help="The client's account")]
AssetArgument = Annotated[str, typer.Argument(help="For example USDT")]
AmountArgument = Annotated[str, typer.Argument(help="Above zero, at most 8 decimals")]
ReferenceOption = Annotated[str, typer.Option(help="The outside world's id of the movement; makes a repetition safe")]


def command(
    account: AccountArgument,
    asset: AssetArgument,
    amount: AmountArgument,
    reference: ReferenceOption,
    location: Annotated[str, typer.Option(help="Where it arrived: venue:, bank: or custody: and its name")] = DEFAULT,
) -> None:
    """Record a deposit of a client."""
    amount_e8 = positive_e8(amount)
    transfer(account, asset, amount_e8, location, reference)
    print(f"{from_e8(amount_e8)} {asset} for {account} is approved; clearing books it")


def transfer(account: str, asset: str, amount_e8: int, location: str, reference: str) -> None:
    """Have a deposit approved, or a withdrawal where the amount is negative. Raises SetupError for an account or asset
    that is not known, or a place that nobody reconciles; Refused or NoAnswer."""
    terms = _terms(account, asset, amount_e8, location, reference)
    with operator(settings().kafka) as hand:
        hand.reference.require_account(account)
        hand.reference.require_asset(asset)
        hand.transfer(terms)


def _terms(account: str, asset: str, amount_e8: int, location: str, reference: str) -> m.TransferTerms:
    if not location.startswith(ids.MIRRORS):
        raise SetupError(f"--location {location!r}: {ids.NOT_A_MIRROR}, for example {DEFAULT}")
    _require_venue(location)
    return m.TransferTerms(ids.transfer_id(account, reference), account, asset, amount_e8, location, reference)


def _require_venue(location: str) -> None:
    kind, _, name = location.partition(":")
    known = sorted(settings().venues)
    if kind == "venue" and known and name not in known:
        raise SetupError(f"--location {location!r}: nobody would reconcile it; venues here are: {', '.join(known)}")
