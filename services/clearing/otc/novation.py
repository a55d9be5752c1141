"""Novation, give-up and allocation: who stands in a trade changes, what is traded does not.

One trade between two is closed, and two are open in its place, each with the clearing house on the other side and an
id of its own (FINOS CDM `Qualify_ClearedTrade`). A give-up moves one leg to another account; an allocation cuts one leg
into several. All three are *splits*: legs before, legs after, and the house is flat in contracts and cost both times.

Legs are booked in their own accounts' partitions. The decision is one record that holds them all; ids are made of it,
so that booking a leg again books nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from services.clearing.otc.affirmation import trade_id
from truetape import ids
from truetape.contracts import Contract, value
from truetape.messages import TradeTerms
from truetape.money import ONE_E8, apportion
from truetape.transitions import NotLegal

ONE_UNIT: Final = Contract("LINEAR", ONE_E8)
"""A contract of one unit of the underlying."""


class Leg(Struct, frozen=True):
    """One open trade of an account with the clearing house."""

    leg_id: str
    trade_id: str
    """The trade that it comes from."""
    account_id: str
    instrument_id: str
    quantity_e8: int
    """Signed: positive where the account has bought."""
    cost_e8: int
    """Signed cost in the settlement asset: positive where the account pays."""


class Split(Struct, frozen=True):
    """What one decision closes and opens. Applied whole: each closed leg is booked negated, each open one as it is."""

    split_id: str
    closes: tuple[Leg, ...]
    opens: tuple[Leg, ...]

    def booked(self) -> list[Leg]:
        """What has to be booked: one leg per closed and per open leg, under ids of their own."""
        undone = [
            Leg(f"{leg.leg_id}:closed", leg.trade_id, leg.account_id, leg.instrument_id, -leg.quantity_e8, -leg.cost_e8)
            for leg in self.closes
        ]
        return [*undone, *self.opens]


def novate(terms: TradeTerms, of: Contract = ONE_UNIT) -> Split:
    """Two legs for an affirmed trade: the buyer's and the seller's, at the traded price. The cost is rounded once and
    negated for the other side. The bilateral trade is closed by this, and has no leg. Raises MoneyError.
    """
    cost_e8 = value(of, terms.quantity_e8, terms.price_e8, "half_even")
    closed = trade_id(terms)
    buyer = Leg(ids.leg_id(closed, "BUYER"), closed, terms.buyer_id, terms.instrument_id, terms.quantity_e8, cost_e8)
    seller = Leg(
        ids.leg_id(closed, "SELLER"), closed, terms.seller_id, terms.instrument_id, -terms.quantity_e8, -cost_e8
    )
    split = Split(closed, (), (buyer, seller))
    require_flat(split)
    return split


def give_up(leg: Leg, to_account_id: str) -> Split:
    """The whole leg moves from the account that executed to the one that clears, at the same cost."""
    return allocate(leg, [(to_account_id, abs(leg.quantity_e8))])


def allocate(leg: Leg, shares: Sequence[tuple[str, int]], split_id: str = "") -> Split:
    """Cut a leg among accounts by positive quantities that sum to it. Everybody gets the same average price: the cost
    is cut in proportion, to the unit. Ids are made of the split's id, else of the leg's. Raises NotLegal, naming what
    is wrong.
    """
    quantities = [quantity_e8 for _, quantity_e8 in shares]
    if not shares or min(quantities) <= 0:
        raise NotLegal("allocation: every account gets something; leave out those that get nothing")
    if len({account_id for account_id, _ in shares}) != len(shares):
        raise NotLegal("allocation: an account stands in it once; add its quantities")
    if sum(quantities) != abs(leg.quantity_e8):
        raise NotLegal(f"allocation: quantities sum to {sum(quantities)}, and the leg has {abs(leg.quantity_e8)}")
    sign, cost_sign = (1 if leg.quantity_e8 > 0 else -1), (1 if leg.cost_e8 > 0 else -1)
    costs = apportion(abs(leg.cost_e8), quantities)
    opens = tuple(
        Leg(
            ids.leg_id(split_id or leg.leg_id, account_id), leg.trade_id, account_id, leg.instrument_id,
            sign * quantity_e8, cost_sign * cost_e8,
        )
        for (account_id, quantity_e8), cost_e8 in zip(shares, costs, strict=True)
    )  # fmt: skip
    split = Split(split_id or ids.leg_id(leg.leg_id, "split"), (leg,), opens)
    require_flat(split)
    return split


def require_flat(split: Split) -> None:
    """Assert that the clearing house has what it had: nothing, per instrument, in contracts and in cost."""
    booked = split.booked()
    assert all(pair == (0, 0) for pair in sums(booked).values()), "the house is flat"
    assert len({leg.leg_id for leg in booked}) == len(booked), "every leg has an id of its own"


def sums(legs: Iterable[Leg]) -> dict[str, tuple[int, int]]:
    """Quantity and cost of all legs together by instrument: what the house must be flat in."""
    found: dict[str, tuple[int, int]] = {}
    for leg in legs:
        quantity_e8, cost_e8 = found.get(leg.instrument_id, (0, 0))
        found[leg.instrument_id] = quantity_e8 + leg.quantity_e8, cost_e8 + leg.cost_e8
    return found


def missing(split: Split, booked_ids: Iterable[str]) -> list[Leg]:
    """Legs of a decision that no partition has booked yet: what is sent again after a crash."""
    known = set(booked_ids)
    return [leg for leg in split.booked() if leg.leg_id not in known]
