"""What must hold before the house itself books a trade of two accounts (`truetape contracts trade`).

The command passes by risk and margin, and books one leg after the other: whatever can be known of the second leg is
asked before the first is sent.
"""

from collections.abc import Mapping
from typing import Any

from truetape.errors import SetupError
from truetape.messages import EntryBooked, Side
from truetape.money import ONE_E8, divide, from_e8
from truetape.reference import Reference


def require_parties(known: Reference, books: Mapping[str, Mapping[str, Any]], buyer: str, seller: str) -> None:
    """Both are open, two accounts, and take trades. `books` are the ledger's by account, as far as it has any.

    Raises AccountUnknown or SetupError.
    """
    for account in (buyer, seller):
        known.require_account(account)
    if buyer == seller:
        raise SetupError(f"{buyer} cannot trade with itself: name two accounts")
    for account in (buyer, seller):
        if known.trading_state_of(account) == "HALTED":
            raise SetupError(f"{account} is HALTED: `truetape accounts state {account} ACTIVE` lets it trade again")
        found = books.get(account, {})
        if found.get("parked"):
            raise SetupError(f"the ledger has halted {account}: `truetape parked --account {account}` says why")
        if found.get("default", {}).get("state", "ENDED") != "ENDED":
            raise SetupError(f"{account} is in default: see `truetape default show {account}`")


def require_contract(known: Reference, contract: str) -> None:
    """It is a contract, and trades. Raises InstrumentUnknown or SetupError."""
    if not known.require_contract(contract).tradable:
        raise SetupError(f"{contract} is not tradable any more: see `truetape instruments list`")


def require_same(entry: EntryBooked, account: str, contract: str, side: Side, quantity_e8: int, price_e8: int) -> None:
    """A leg that is booked under a reference is of this trade. Raises SetupError."""
    booked = entry.contract
    signed_e8 = quantity_e8 if side == "BUY" else -quantity_e8
    asked = (account, contract, signed_e8, price_e8)
    found = booked and (entry.account_id, booked.instrument_id, booked.quantity_e8, booked.numbers.get("price_e8"))
    if found != asked:
        raise SetupError(
            f"{entry.entry_id} is booked for {entry.account_id} with other terms (`truetape ledger export --account "
            f"{entry.account_id}` shows it): a reference names one trade, choose another"
        )


def require_price(known: Reference, accounts: tuple[str, str], price_e8: int, mark_e8: int) -> None:
    """It is no further from the mark than the narrower collar of the two accounts. Raises SetupError."""
    rate_e8 = min(known.limits_of(account).collar_rate_e8 for account in accounts)
    width_e8 = divide(abs(mark_e8) * rate_e8, ONE_E8, "down")[0]
    if abs(price_e8 - mark_e8) > width_e8:
        raise SetupError(
            f"{from_e8(price_e8)} is outside the collar: at most {from_e8(width_e8)} from the mark "
            f"{from_e8(mark_e8)}; --force books it all the same"
        )
