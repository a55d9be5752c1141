"""Assignment of exercised options to those who are short: in proportion, or by lot from a recorded seed.

Both give whole contracts, sum exactly to what was exercised, and never give anybody more than he is short. The same
input gives the same answer whenever and wherever it is run again: accounts are sorted by id, and chance comes from the
seed by SHA-256 alone.

By lot: accounts stand around a wheel in an order drawn from the seed, each with as many places as contracts; from a
start drawn from the seed, equally spaced places are assigned. So everybody's chance is in proportion to his size, and
nobody's share is further than one contract from it.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from truetape.errors import ContractError
from truetape.money import apportion


class Short(msgspec.Struct, frozen=True):
    """An account's short contracts, as a positive count."""

    account_id: str
    contracts: int


class Assigned(msgspec.Struct, frozen=True):
    """Contracts that an account has to deliver on."""

    account_id: str
    contracts: int


PRO_RATA: Final = "PRO_RATA"
LOT: Final = "LOT"
RULES: Final = (PRO_RATA, LOT)
"""Rules of reference data (`ContractTerms.assignment`)."""


def assign(rule: str, exercised: int, shorts: Iterable[Short], seed: bytes) -> list[Assigned]:
    """By the contract's rule; the seed counts for LOT alone."""
    return assign_by_lot(exercised, shorts, seed) if rule == LOT else assign_pro_rata(exercised, shorts)


def assign_pro_rata(exercised: int, shorts: Iterable[Short]) -> list[Assigned]:
    """In proportion by largest remainder; equal remainders by account id."""
    held = _checked(exercised, shorts)
    parts = apportion(exercised, [short.contracts for short in held])
    return [Assigned(short.account_id, part) for short, part in zip(held, parts, strict=True) if part]


def assign_by_lot(exercised: int, shorts: Iterable[Short], seed: bytes) -> list[Assigned]:
    """By the wheel described above, in the order of account ids."""
    held = _checked(exercised, shorts)
    if exercised == 0:
        return []
    whole = sum(short.contracts for short in held)
    start = _drawn(seed, "start") % whole
    passed = 0
    found = []
    for short in sorted(held, key=lambda short: (_drawn(seed, f"place {short.account_id}"), short.account_id)):
        before, passed = passed, passed + short.contracts
        part = _places_before(passed, exercised, whole, start) - _places_before(before, exercised, whole, start)
        if part:
            found.append(Assigned(short.account_id, part))
    return sorted(found, key=lambda assigned: assigned.account_id)


def _places_before(place: int, exercised: int, whole: int, start: int) -> int:
    """How many assigned places k, at (k x whole + start) / exercised, come before this place of the wheel."""
    return max(place * exercised - start + whole - 1, 0) // whole


def _checked(exercised: int, shorts: Iterable[Short]) -> list[Short]:
    held = sorted(shorts, key=lambda short: short.account_id)
    if any(short.contracts < 0 for short in held):
        raise ContractError("short contracts are counted as positive numbers")
    if len({short.account_id for short in held}) != len(held):
        raise ContractError("an account is listed twice: net its positions first")
    if not 0 <= exercised <= sum(short.contracts for short in held):
        raise ContractError(f"{exercised} contracts cannot be assigned to fewer that are short: check the exercise")
    return held


def _drawn(seed: bytes, what: str) -> int:
    return int.from_bytes(hashlib.sha256(seed + b"\0" + what.encode()).digest(), "big")
