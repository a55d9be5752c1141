"""When contracts owe a settlement price, a step of their funding index, or their expiry. Pure.

Settlements and funding steps stand on a grid: multiples of their interval since midnight UTC, so that their times, and
with them the ids of the facts, do not depend on who looks, or when.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from truetape.messages import ContractFactKind, ContractTerms, FixingDue, Instrument

WAIT_US: Final = 2_000_000
"""How long a look waits after the moment itself, for prices from before it that are on their way."""
DUE_MAX: Final = 500
"""Facts that one look asks for; the next look asks for more."""
_KINDS: Final[tuple[ContractFactKind, ...]] = ("FUNDING", "SETTLEMENT_PRICE", "EXPIRY")


class Followed(Struct):
    """How far the facts of a contract have been made."""

    funded_at_us: int
    settled_at_us: int
    expired: bool = False


def scheduled(terms: ContractTerms) -> bool:
    """Whether some fact of the contract is made without an operator."""
    return bool(terms.fixing_window_us or terms.funding_step_us)


def unfollowed(instruments: Iterable[Instrument], known: dict[str, Followed]) -> tuple[str, ...]:
    """Contracts with a schedule that nobody has looked at yet, by name."""
    return tuple(sorted(
        one.instrument_id for one in instruments
        if one.contract is not None and scheduled(one.contract) and one.instrument_id not in known
    ))  # fmt: skip


def due(instruments: dict[str, Instrument], known: dict[str, Followed], now_us: int) -> tuple[FixingDue, ...]:
    """What is due: in the order of time, then funding, settlements, expiries; cash before what is delivered, so that
    the profit of one contract is there when another one asks for it."""
    found: list[tuple[int, int, bool, str, FixingDue]] = []
    for name, followed in known.items():
        terms = instruments[name].contract if name in instruments else None
        if terms is None or followed.expired:
            continue
        for one in _of(name, terms, followed, now_us - WAIT_US):
            rank = (one.effective_at_us, _KINDS.index(one.kind), terms.delivery == "PHYSICAL", name)
            found.append((*rank, one))
    return tuple(one for *_, one in sorted(found, key=lambda ranked: ranked[:4])[:DUE_MAX])


def _of(name: str, terms: ContractTerms, followed: Followed, now_us: int) -> Iterator[FixingDue]:
    ends_us = terms.expires_at_us
    if terms.funding_step_us:
        yield from _steps(name, terms.funding_step_us, followed.funded_at_us, now_us)
    if not terms.fixing_window_us:
        return
    if ends_us is not None and now_us >= ends_us:
        yield FixingDue(name, "EXPIRY", ends_us, followed.settled_at_us)
    elif terms.kind != "OPTION" and terms.settlement_interval_us:
        at_us = on_grid(now_us, terms.settlement_interval_us, terms.settlement_offset_us)
        if at_us > followed.settled_at_us:
            yield FixingDue(name, "SETTLEMENT_PRICE", at_us, followed.settled_at_us)


def _steps(name: str, step_us: int, since_us: int, now_us: int) -> Iterator[FixingDue]:
    """The newest step; before it, in one piece, the time that nobody looked at."""
    at_us = on_grid(now_us, step_us, 0)
    if at_us <= since_us:
        return
    if at_us - since_us > step_us:
        yield FixingDue(name, "FUNDING", at_us - step_us, since_us)
        since_us = at_us - step_us
    yield FixingDue(name, "FUNDING", at_us, since_us)


def on_grid(now_us: int, interval_us: int, offset_us: int) -> int:
    """The newest multiple of the interval that is not in the future, counted from the offset."""
    return now_us - (now_us - offset_us) % interval_us
