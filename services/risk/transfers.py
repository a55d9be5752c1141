"""Deposits and withdrawals before they are approved."""

from services.risk import margin
from services.risk.account import Account
from services.risk.refusal import Refusal, unmargined, unmarked
from truetape.errors import ContractError, MarginError, MarkWanted, MoneyError
from truetape.ids import MIRRORS
from truetape.margin.published import Published
from truetape.messages import TransferTerms
from truetape.money import MAX_E8
from truetape.service import Input


def examine_transfer(terms: TransferTerms, account: Account, given: Input) -> Refusal | None:
    """A deposit is a fact and needs only an account to land on; a withdrawal needs an open switch and free funds."""
    reference, amount_e8 = given.tables.reference, terms.amount_e8
    if terms.account_id not in reference.accounts:
        return Refusal("ACCOUNT_UNKNOWN", {"reference_offset": given.tables.reference_offset})
    if amount_e8 == 0:
        return Refusal("QUANTITY_NOT_POSITIVE", {"amount_e8": 0})
    if not terms.location.startswith(MIRRORS):
        return Refusal("TERMS_INCOMPATIBLE", {"location_is_mirror": 0})
    held_e8 = account.balances.get(terms.asset, 0)
    if max(abs(amount_e8), abs(held_e8 + amount_e8)) > MAX_E8:
        return Refusal("NUMBER_TOO_LARGE", {"amount_e8": amount_e8, "held_e8": held_e8})
    return _examine_withdrawal(terms, account, given) if amount_e8 < 0 else None


def _examine_withdrawal(terms: TransferTerms, account: Account, given: Input) -> Refusal | None:
    """What positions need as margin stays, and profit that is not paid yet cannot leave."""
    reference = given.tables.reference
    if reference.trading_state_of(terms.account_id) == "HALTED":
        return Refusal("TRADING_HALTED", {"amount_e8": terms.amount_e8})
    if account.halted_by:
        return Refusal("TRADING_HALTED", {"amount_e8": terms.amount_e8, "ledger_halted": 1})
    max_age_us = reference.limits_of(terms.account_id).mark_max_age_us
    seen = Published(given.tables.marks, reference, given.at_us, max_age_us)
    try:
        available_e8 = margin.free_e8(account, terms.asset, seen, spends=True)
        backed = margin.backed(account, terms.asset, -terms.amount_e8, seen)
    except MarkWanted as wanted:
        return unmarked(wanted, max_age_us)
    except MarginError as error:
        return unmargined(error)
    except (MoneyError, ContractError):
        return Refusal("NUMBER_TOO_LARGE", {"amount_e8": terms.amount_e8})
    if -terms.amount_e8 > available_e8 or not backed:
        numbers = {"needed_e8": -terms.amount_e8, "available_e8": available_e8}
        return Refusal("INSUFFICIENT_FUNDS", numbers | {"reserved_e8": account.reserved.get(terms.asset, 0)})
    return None
