"""Facts about contracts as people read them: settlement prices, funding steps, ends; what counts and what is missing.

A fact counts once a partition of the ledger has taken it; `partitions` says how many have. A missing one is listed
until somebody has named it.
"""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from truetape.instruments import text_of
from truetape.messages import ContractFact, ContractFactKind, ContractFactTaken, FixingMissing
from truetape.money import from_e8
from truetape.sheets import sheet

COLUMNS: Final = (
    "effective_at", "kind", "state", "price", "rate", "elapsed_seconds", "funding_index", "source", "requested_by",
    "partitions", "accounts", "fact_id", "reason",
)  # fmt: skip
_KEYED: Final = ("SETTLEMENT_PRICE", "FUNDING")
E10: Final = 10**10


class Told(Struct, frozen=True):
    """One fact and what became of it."""

    fact_id: str
    instrument_id: str
    kind: ContractFactKind
    effective_at_us: int
    fact: ContractFact | None = None
    """None: it is missing."""
    partitions: int = 0
    """That have taken it."""
    accounts: int = 0
    """That it concerned there."""
    funding_index_e18: str = ""
    reason: str = ""
    """Why it is missing."""


def fact_id(kind: ContractFactKind, contract: str, effective_at_us: int, to: str = "") -> str:
    """The id of a fact that nobody gave another one: made of what it says, so that saying it twice is one fact."""
    if kind in _KEYED:
        return f"{kind.lower()}:{contract}:{effective_at_us}"
    return f"move:{contract}:{to}" if to else f"{kind.lower()}:{contract}"


def of_taken(event: ContractFactTaken, partitions: int = 1, accounts: int | None = None) -> Told:
    """A fact as one partition took it."""
    fact = event.fact
    concerned = len(set(event.due) - {""}) if accounts is None else accounts
    return Told(
        fact.fact_id, fact.instrument_id, fact.kind, fact.effective_at_us, fact, partitions, concerned,
        event.funding_index_e18,
    )  # fmt: skip


def of_missing(event: FixingMissing) -> Told:
    """A fact that pricing could not make."""
    name = fact_id(event.kind, event.instrument_id, event.effective_at_us)
    return Told(name, event.instrument_id, event.kind, event.effective_at_us, reason=event.reason)


def history(found: Iterable[Told]) -> list[Told]:
    """Each fact once, newest first: what partitions took is added up, what was named later is no longer missing."""
    known: dict[str, Told] = {}
    for one in found:
        before = known.get(one.fact_id)
        if before is None or before.fact is None:
            known[one.fact_id] = one
        elif one.fact is not None:
            partitions, accounts = before.partitions + one.partitions, before.accounts + one.accounts
            known[one.fact_id] = replace(before, partitions=partitions, accounts=accounts)
    return sorted(known.values(), key=lambda one: (-one.effective_at_us, one.kind, one.fact_id))


def plain(one: Told) -> dict[str, Any]:
    """As JSON: decimals and rates as strings, the fact's evidence as it stands on the tape."""
    shown = dict(zip(COLUMNS, cells(one), strict=True))
    fact = one.fact
    return shown | {
        "instrument_id": one.instrument_id, "partitions": one.partitions, "accounts": one.accounts,
        "numbers": dict(fact.numbers) if fact else {}, "ids": dict(fact.ids) if fact else {},
    }  # fmt: skip


def as_csv(found: Iterable[Told]) -> str:
    """One row per fact."""
    return sheet(COLUMNS, map(cells, found))


def cells(one: Told) -> tuple[str, ...]:
    """One fact as text, in the order of COLUMNS."""
    fact = one.fact
    numbers = fact.numbers if fact is not None else {}
    rate_e18, elapsed_us = numbers.get("rate_e18"), numbers.get("elapsed_us")
    return (
        text_of(one.effective_at_us), one.kind, "MISSING" if fact is None else "TAKEN",
        "" if fact is None or fact.price_e8 is None else from_e8(fact.price_e8),
        "" if rate_e18 is None else decimal_e18(rate_e18), "" if elapsed_us is None else str(elapsed_us // 1_000_000),
        decimal_e18(int(one.funding_index_e18)) if one.kind == "FUNDING" and one.funding_index_e18 else "",
        "" if fact is None else fact.ids.get("source", ""), "" if fact is None else fact.requested_by,
        str(one.partitions), str(one.accounts), one.fact_id, one.reason,
    )  # fmt: skip


def decimal_e18(value_e18: int) -> str:
    """A number in units of 1e-18 as a plain decimal, without trailing zeros."""
    sign, digits = "-" if value_e18 < 0 else "", f"{abs(value_e18):019d}"
    fraction = digits[-18:].rstrip("0")
    return sign + digits[:-18] + (f".{fraction}" if fraction else "")
