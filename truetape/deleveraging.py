"""Auto-deleveraging and socialised loss: who gives up a winning position or gain when nothing else meets a loss.

Ranking: profit relative to what the position cost, times leverage (notional / equity), highest first, as Hyperliquid
and most venues state it; equal ranks by account id. Only positions that would close the defaulter's and stand in profit
are taken, at the defaulter's bankruptcy price. Sums are exact to the unit: what closes on one side closes on the other.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from truetape.contracts import Contract, value
from truetape.money import ONE_E8, apportion

LINEAR: Final = Contract("LINEAR", ONE_E8)


class Candidate(msgspec.Struct, frozen=True):
    """An account with a position in the instrument."""

    account_id: str
    quantity_e8: int
    profit_e8: int
    """Unrealised, at the mark."""
    cost_e8: int
    """Notional of this position at its entry; positive."""
    notional_e8: int
    """Of this position, at the mark; positive."""
    equity_e8: int
    """Of the account, all positions at their marks."""


class Closed(msgspec.Struct, frozen=True):
    """What one account's position changes by."""

    account_id: str
    quantity_e8: int


class Haircut(msgspec.Struct, frozen=True):
    """What one account gives up of its gain."""

    account_id: str
    amount_e8: int


def rank(candidate: Candidate) -> Fraction:
    """Profit / cost x notional / equity, exact; an account without equity comes first."""
    return Fraction(
        candidate.profit_e8 * candidate.notional_e8, max(candidate.cost_e8, 1) * max(candidate.equity_e8, 1)
    )


def queue(defaulted_e8: int, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Who would be deleveraged, in order: opposite positions in profit."""
    opposite = [
        candidate for candidate in candidates if candidate.quantity_e8 * defaulted_e8 < 0 and candidate.profit_e8 > 0
    ]
    return sorted(opposite, key=lambda candidate: (-rank(candidate), candidate.account_id))


def deleverage(defaulted_e8: int, candidates: Iterable[Candidate]) -> tuple[list[Closed], int]:
    """Close a defaulted position against the queue: each account's change, and the part that nobody takes.

    The changes and the rest sum to the defaulted quantity; with the changes booked to the accounts and their negative
    sum to the defaulter, the instrument stays zero-sum.
    """
    left_e8 = defaulted_e8
    closed = []
    for candidate in queue(defaulted_e8, candidates):
        if left_e8 == 0:
            break
        taken_e8 = min(abs(left_e8), abs(candidate.quantity_e8)) * (1 if defaulted_e8 > 0 else -1)
        closed.append(Closed(candidate.account_id, taken_e8))
        left_e8 -= taken_e8
    return closed, left_e8


def socialise(loss_e8: int, gains: Sequence[tuple[str, int]]) -> tuple[list[Haircut], int]:
    """Cut a session's gains in proportion to cover a loss: each account's part, and what the gains do not cover.

    Nobody gives more than the gain; parts and the rest sum to the loss. An account without a gain gives nothing.
    """
    whole_e8 = sum(max(gain_e8, 0) for _, gain_e8 in gains)
    covered_e8 = min(loss_e8, whole_e8)
    parts = apportion(covered_e8, [max(gain_e8, 0) for _, gain_e8 in gains])
    cuts = [Haircut(account_id, part) for (account_id, _), part in zip(gains, parts, strict=True) if part]
    return cuts, loss_e8 - covered_e8


class Part(msgspec.Struct, frozen=True):
    """One holder's part of a deleveraging, as it is booked and told to him."""

    account_id: str
    rank: int
    """1 for whoever was asked first."""
    quantity_e8: int
    """Signed change of his position: toward zero."""
    paid_e8: int
    """Signed: what he gets for it in the settlement asset. The bankrupt account gets the negative."""


class Report(msgspec.Struct, frozen=True):
    """Who gave up what, at which price. Quantities and payments of both sides sum to zero."""

    instrument_id: str
    bankrupt_id: str
    price_e8: int
    parts: tuple[Part, ...]
    quantity_e8: int
    """Signed change of the bankrupt position."""
    paid_e8: int
    """Signed: what the bankrupt account gets for it."""
    left_e8: int
    """Signed rest that nobody in profit could take: for the waterfall's tear-up."""


def close_at(
    instrument_id: str,
    bankrupt_id: str,
    quantity_e8: int,
    price_e8: int,
    candidates: Sequence[Candidate],
    of: Contract = LINEAR,
) -> Report:
    """Deleverage a bankrupt position (signed quantity) of a contract, with the money at its bankruptcy price.

    Amounts are rounded once per part and booked on both sides, so that they cancel out.
    """
    assert quantity_e8 != 0 and bankrupt_id not in {one.account_id for one in candidates}, "somebody else takes it"
    closed, left_e8 = deleverage(quantity_e8, candidates)
    parts = tuple(
        Part(
            one.account_id, place, one.quantity_e8, -value(of, one.quantity_e8, price_e8, "half_even"),
        )
        for place, one in enumerate(closed, 1)
    )  # fmt: skip
    taken_e8, paid_e8 = sum(part.quantity_e8 for part in parts), sum(part.paid_e8 for part in parts)
    assert taken_e8 + left_e8 == quantity_e8, "what is taken and what is left is all there was"
    return Report(instrument_id, bankrupt_id, price_e8, parts, -taken_e8, -paid_e8, left_e8)
