"""Compression: offsetting trades are ended, and nothing but gross notional changes.

Four ways, each with its proof (`prove`):
- `cleared`: all open trades of an account in an instrument become one, since the counterparty of each is the house;
- `pairwise`: two that trade with each other keep one net trade per instrument: every pair's net exposure is as before;
- `offset`: the same for one account's legs, as they are kept: what is left has the average cost of the larger side, and
  the rest of the cost is profit or loss, which the account's position has realised already;
- `circular`: exposures that run in a circle are reduced by the smallest of them. No pair's exposure grows and none
  changes its direction (conservative compression); each participant's net over all others is as before. Trades ended
  at different prices leave a difference in cost, which is paid: the payments sum to zero.

Instruments are fungible: two trades of one instrument differ in quantity and cost alone.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from truetape.money import divide

CIRCLES_MAX: Final = 100_000
Net = tuple[int, int]
"""Quantity and cost, signed."""


class Exposure(Struct, frozen=True):
    """A trade, or what is left of one: `long_id` has bought from `short_id`. The house is a participant too."""

    trade_id: str
    long_id: str
    short_id: str
    instrument_id: str
    quantity_e8: int
    """Positive."""
    cost_e8: int
    """Signed; what the long pays in all."""


class Payment(Struct, frozen=True):
    """What a participant gets (positive) or pays for cost that ended."""

    participant_id: str
    instrument_id: str
    amount_e8: int


class Compression(Struct, frozen=True):
    """What replaces what."""

    ended: tuple[Exposure, ...]
    """All trades of before: each ends, and `left` stands in their place."""
    left: tuple[Exposure, ...]
    payments: tuple[Payment, ...]

    @property
    def gross_before_e8(self) -> int:
        """Contracts open before."""
        return gross(self.ended)

    @property
    def gross_after_e8(self) -> int:
        """Contracts open after."""
        return gross(self.left)


def gross(exposures: Iterable[Exposure]) -> int:
    """All quantities together: what compression is there to reduce."""
    return sum(one.quantity_e8 for one in exposures)


def cleared(exposures: Sequence[Exposure], house_id: str) -> Compression:
    """One trade with the house per account and instrument, or none where they offset. A cost left by trades that offset
    in quantity is paid at once.
    """
    assert all(house_id in (one.long_id, one.short_id) for one in exposures), "cleared trades are with the house"
    return pairwise(exposures)


def offset(exposures: Sequence[Exposure], account_id: str, house_id: str) -> Compression:
    """One trade of an account in one instrument, or none where its trades offset, at the average cost of the larger
    side. What cost that leaves is paid between the account and the house.
    """
    sides: dict[bool, Net] = {True: (0, 0), False: (0, 0)}
    for one in exposures:
        assert {one.long_id, one.short_id} == {account_id, house_id}, "all are one account's, with the house"
        quantity_e8, cost_e8 = sides[one.long_id == account_id]
        sides[one.long_id == account_id] = quantity_e8 + one.quantity_e8, cost_e8 + one.cost_e8
    bought, sold = sides[True], sides[False]
    net_e8 = bought[0] - sold[0]
    larger = bought if net_e8 > 0 else sold
    left_e8 = divide(larger[1] * abs(net_e8), larger[0], "half_even")[0] if net_e8 else 0
    ended_e8 = bought[1] - sold[1] - (left_e8 if net_e8 > 0 else -left_e8)
    instrument_id = exposures[0].instrument_id
    pair = (account_id, house_id) if net_e8 > 0 else (house_id, account_id)
    left = [_exposure(instrument_id, *pair, abs(net_e8), left_e8)] if net_e8 else []
    return _proven(exposures, left, {(instrument_id, account_id): -ended_e8, (instrument_id, house_id): ended_e8})


def pairwise(exposures: Sequence[Exposure]) -> Compression:
    """One net trade per pair and instrument; a cost that is left without quantity is paid."""
    nets: dict[tuple[str, str, str], Net] = {}
    for one in exposures:
        low, high = sorted((one.long_id, one.short_id))
        sign = 1 if one.long_id == low else -1
        quantity_e8, cost_e8 = nets.get((one.instrument_id, low, high), (0, 0))
        nets[one.instrument_id, low, high] = quantity_e8 + sign * one.quantity_e8, cost_e8 + sign * one.cost_e8
    left: list[Exposure] = []
    paid: dict[tuple[str, str], int] = {}
    for (instrument_id, low, high), (quantity_e8, cost_e8) in sorted(nets.items()):
        if quantity_e8:
            left.append(_exposure(instrument_id, low, high, quantity_e8, cost_e8))
        else:
            _pay(paid, instrument_id, high, low, cost_e8)
    return _proven(exposures, left, paid)


def circular(exposures: Sequence[Exposure]) -> Compression:
    """Pairwise first, then every circle of exposures reduced by its smallest, until no circle is left."""
    first = pairwise(exposures)
    paid = {(one.instrument_id, one.participant_id): one.amount_e8 for one in first.payments}
    left: list[Exposure] = []
    for instrument_id in sorted({one.instrument_id for one in first.left}):
        edges = {(one.long_id, one.short_id): one for one in first.left if one.instrument_id == instrument_id}
        for _ in range(CIRCLES_MAX):
            circle = _circle(edges)
            if not circle:
                break
            _reduce(edges, circle, paid)
        left += [edges[pair] for pair in sorted(edges)]
    return _proven(exposures, left, paid)


def changed(made: Compression) -> Compression:
    """Without the pairs that keep the one trade they had: nobody has to be asked about those."""
    before: dict[tuple[str, str, str], list[Exposure]] = {}
    for one in made.ended:
        before.setdefault(_both(one), []).append(one)
    same = {_both(one) for one in made.left if [replace(one, trade_id="")] == [
        replace(had, trade_id="") for had in before[_both(one)]
    ]}  # fmt: skip
    ended, left = (tuple(one for one in side if _both(one) not in same) for side in (made.ended, made.left))
    fewer = Compression(ended, left, made.payments)
    prove(fewer)
    return fewer


def _both(one: Exposure) -> tuple[str, str, str]:
    low, high = sorted((one.long_id, one.short_id))
    return one.instrument_id, low, high


def _reduce(edges: dict[tuple[str, str], Exposure], circle: list[Exposure], paid: dict[tuple[str, str], int]) -> None:
    """Take the smallest quantity of a circle out of each of its exposures, with its part of the cost."""
    least_e8 = min(one.quantity_e8 for one in circle)
    for one in circle:
        cost_e8 = divide(one.cost_e8 * least_e8, one.quantity_e8, "half_even")[0]
        _pay(paid, one.instrument_id, one.short_id, one.long_id, cost_e8)
        rest_e8 = one.quantity_e8 - least_e8
        if rest_e8:
            edges[one.long_id, one.short_id] = _exposure(
                one.instrument_id, one.long_id, one.short_id, rest_e8, one.cost_e8 - cost_e8
            )
        else:
            del edges[one.long_id, one.short_id]


def _circle(edges: dict[tuple[str, str], Exposure]) -> list[Exposure]:
    """Some circle of exposures, each one's short the next one's long; empty when there is none."""
    following: dict[str, list[str]] = {}
    for long_id, short_id in sorted(edges):
        following.setdefault(long_id, []).append(short_id)
    done: set[str] = set()
    for start in sorted(following):
        path = [start]
        while path:
            ahead = [name for name in following.get(path[-1], ()) if name not in done]
            if not ahead:
                done.add(path.pop())
            elif ahead[0] in path:
                names = [*path[path.index(ahead[0]) :], ahead[0]]
                return [edges[pair] for pair in itertools.pairwise(names)]
            else:
                path.append(ahead[0])
    return []


def _exposure(instrument_id: str, low: str, high: str, quantity_e8: int, cost_e8: int) -> Exposure:
    if quantity_e8 < 0:
        low, high, quantity_e8, cost_e8 = high, low, -quantity_e8, -cost_e8
    return Exposure(f"{instrument_id}:{low}:{high}", low, high, instrument_id, quantity_e8, cost_e8)


def _pay(paid: dict[tuple[str, str], int], instrument_id: str, to: str, of: str, amount_e8: int) -> None:
    """A cost that the long still owed the short and that ends unpaid in contracts: it is paid in money."""
    for who, signed_e8 in ((to, amount_e8), (of, -amount_e8)):
        paid[instrument_id, who] = paid.get((instrument_id, who), 0) + signed_e8


def _proven(before: Sequence[Exposure], left: Sequence[Exposure], paid: dict[tuple[str, str], int]) -> Compression:
    payments = tuple(Payment(who, instrument_id, e8) for (instrument_id, who), e8 in sorted(paid.items()) if e8)
    made = Compression(tuple(before), tuple(left), payments)
    prove(made)
    return made


def nets(exposures: Iterable[Exposure], payments: Iterable[Payment] = ()) -> dict[tuple[str, str], Net]:
    """Net quantity and cost by participant and instrument; what was paid counts as cost that is no longer owed."""
    found: dict[tuple[str, str], Net] = {}

    def add(who: str, instrument_id: str, quantity_e8: int, cost_e8: int) -> None:
        net = found.get((who, instrument_id), (0, 0))
        found[who, instrument_id] = net[0] + quantity_e8, net[1] + cost_e8

    for one in exposures:
        add(one.long_id, one.instrument_id, one.quantity_e8, one.cost_e8)
        add(one.short_id, one.instrument_id, -one.quantity_e8, -one.cost_e8)
    for payment in payments:
        add(payment.participant_id, payment.instrument_id, 0, -payment.amount_e8)
    return {key: net for key, net in found.items() if net != (0, 0)}


def prove(made: Compression) -> None:
    """Assert that nothing but gross notional changed: each participant's net is as before, what is paid is received,
    gross is not more, and no pair has an exposure that it had not, in that direction and as large.
    """
    assert nets(made.ended) == nets(made.left, made.payments), "net exposures are as before"
    received: dict[str, int] = {}
    for payment in made.payments:
        received[payment.instrument_id] = received.get(payment.instrument_id, 0) + payment.amount_e8
    assert not any(received.values()), "what is paid is received"
    assert made.gross_after_e8 <= made.gross_before_e8, "compression does not add"
    before = _by_pair(made.ended)
    assert all(one.quantity_e8 <= before.get(_pair(one), 0) for one in made.left), "no pair's exposure grows"


def _by_pair(exposures: Iterable[Exposure]) -> dict[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = {}
    for one in exposures:
        for key, sign in ((_pair(one), 1), ((one.instrument_id, one.short_id, one.long_id), -1)):
            found[key] = found.get(key, 0) + sign * one.quantity_e8
    return found


def _pair(one: Exposure) -> tuple[str, str, str]:
    return one.instrument_id, one.long_id, one.short_id
