"""What may be wrong with margin classes and collateral, and with a contract's margin class."""

import re
from collections.abc import Iterator
from typing import Final

from services.gateway.contracts import ASSET, NAME_MAX
from truetape import messages as m
from truetape.margin import classes, flat
from truetape.money import ONE_E8
from truetape.reference import Reference

CLASS_NAME: Final = re.compile(r"[a-z0-9_-]{1,40}", re.ASCII)
RATE_MAX_E8: Final = 10 * ONE_E8


def fits(reference: Reference, new: m.Instrument, terms: m.ContractTerms) -> Iterator[str]:
    """Why a contract cannot have the margin class that it names."""
    if terms.margin_class == flat.NAME:
        return
    named = reference.margin_classes.get(terms.margin_class)
    if named is None:
        yield f"margin class {terms.margin_class!r} is not set: set it first, or name flat"
        return
    yield from classes.unfit(new.instrument_id, terms, named, new.tradable)
    yield from _stranger(reference, new, terms)


def _stranger(reference: Reference, new: m.Instrument, terms: m.ContractTerms) -> Iterator[str]:
    """Contracts of one class on one underlying share its index and its one perpetual."""
    for other in reference.instruments.values():
        known = other.contract
        if known is None or other.instrument_id == new.instrument_id or known.margin_class != terms.margin_class:
            continue
        if (other.base, known.settlement_asset) != (new.base, terms.settlement_asset):
            continue
        if known.index != terms.index:
            yield f"margin class {terms.margin_class} has {other.instrument_id} on index {known.index}: name another"
        if known.kind == terms.kind == "PERPETUAL":
            yield f"margin class {terms.margin_class} has the perpetual {other.instrument_id}: name another class"


def margin_class(reference: Reference, command: m.SetMarginClass, _: int) -> Iterator[str]:
    """What is wrong with a margin class, or with changing it while contracts name it."""
    new = command.margin_class
    if not CLASS_NAME.fullmatch(new.name) or new.name == flat.NAME:
        yield f"a margin class is named by 1 to 40 of a-z, 0-9, _ and -, and not {flat.NAME}"
    known = reference.margin_classes.get(new.name)
    yield from _version(new.version, known.version if known is not None else 0)
    if abs(new.rate_e8) > RATE_MAX_E8:
        yield "rate is beyond 1 000 %"
    if len(new.peg) > NAME_MAX:
        yield f"peg must have at most {NAME_MAX} characters"
    wrong = list(classes.problems(new))
    yield from wrong
    for one in reference.instruments.values() if not wrong else ():
        if one.contract is not None and one.contract.margin_class == new.name:
            unfit = classes.unfit(one.instrument_id, one.contract, new, one.tradable)
            yield from (f"{one.instrument_id}: {why}" for why in unfit)


def collateral(reference: Reference, command: m.SetCollateral, _: int) -> Iterator[str]:
    """What is wrong with an asset's terms as collateral."""
    new = command.collateral
    if not (ASSET.fullmatch(new.asset) and ASSET.fullmatch(new.counts_for)) or new.asset == new.counts_for:
        yield "asset and counts_for must be two different assets, each of 1 to 20 capitals and digits"
    known = reference.collateral.get(new.asset)
    yield from _version(new.version, known.version if known is not None else 0)
    if not 1 <= len(new.index) <= NAME_MAX:
        yield f"index must have 1 to {NAME_MAX} characters"
    if not (0 <= new.haircut_e8 <= ONE_E8 and 0 <= new.share_max_e8 <= ONE_E8):
        yield "haircut and share_max must be from 0 to 1"
    if new.limit_e8 < 0 or new.lot_e8 <= 0 or new.mark_max_age_us <= 0:
        yield "limit must not be negative, lot and mark_max_age must be above zero"


def _version(new: int, known: int) -> Iterator[str]:
    if new != known + 1:
        yield f"version {known} is in force, so this must be version {known + 1}: look at what has changed"
