"""The flat schedule: per contract one rate of its notional at the mark, in integers, without offsets.

A future or perpetual needs its rate of the notional. An option that is sold needs the rate of the underlying at the
index (or the strike, if higher), and its value at the mark is owed besides; one that is bought needs nothing, since its
premium is paid, and its value backs nothing. All is rounded up, against the account. A missing or stale mark is
MarkWanted.
"""

from collections.abc import Iterator
from typing import Final

from truetape import contracts
from truetape.contracts import Contract
from truetape.margin.published import Published
from truetape.messages import ContractTerms
from truetape.money import ONE_E8, divide

NAME: Final = "flat"


def need_e8(terms: ContractTerms, name: str, quantity_e8: int, rate_e8: int, seen: Published) -> int:
    """Margin of a signed quantity of contracts at a rate. Raises MarkWanted."""
    size_e8 = max(-quantity_e8, 0) if terms.kind == "OPTION" else abs(quantity_e8)
    return divide(size_e8 * unit_e8(terms, name, rate_e8, seen), ONE_E8, "up")[0] if size_e8 else 0


def unit_e8(terms: ContractTerms, name: str, rate_e8: int, seen: Published) -> int:
    """Margin of one contract at a rate. Raises MarkWanted."""
    if terms.kind == "OPTION":
        index_e8 = max(seen.mark_e8(terms.index, terms), terms.strike_e8 or 0)
        size_e8 = terms.multiplier_e8 if terms.style == "INVERSE" else worth_e8(terms, ONE_E8, index_e8)
    else:
        size_e8 = contracts.notional(Contract(terms.style, terms.multiplier_e8), ONE_E8, seen.mark_e8(name, terms))
    return divide(size_e8 * rate_e8, ONE_E8, "up")[0]


def gain_e8(terms: ContractTerms, name: str, quantity_e8: int, cost_e8: int, seen: Published) -> int:
    """Profit since the cost; of an option only what a short one owes. Raises MarkWanted."""
    if quantity_e8 == 0 or (terms.kind == "OPTION" and quantity_e8 > 0):
        return 0
    style = "LINEAR" if terms.kind == "OPTION" else terms.style
    value_e8 = contracts.value(Contract(style, terms.multiplier_e8), quantity_e8, seen.mark_e8(name, terms), "down")
    return value_e8 if terms.kind == "OPTION" else value_e8 - cost_e8


def worth_e8(terms: ContractTerms, quantity_e8: int, price_e8: int) -> int:
    """Notional of contracts at a price of the quote asset, rounded up."""
    return contracts.notional(Contract("LINEAR", terms.multiplier_e8), quantity_e8, price_e8)


def looks_at(terms: ContractTerms, name: str, quantity_e8: int) -> Iterator[str]:
    """The marks that a position's margin comes from."""
    if quantity_e8 and not (terms.kind == "OPTION" and quantity_e8 > 0):
        yield name
        if terms.kind == "OPTION":
            yield terms.index
