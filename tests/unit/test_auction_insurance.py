"""Takers of an insolvent account are paid by the whole insurance fund, wherever its parts are; over eight partitions,
with commands lost, doubled and reordered and processes killed."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clearing.across.parcels import INSURANCE
from services.clearing.defaults import insurance
from services.clearing.state import State
from tests.unit.contract_desk import E8
from tests.unit.desk import LAW, some_meta
from tests.unit.rounds_stage import PERP, Marked, disturb
from tests.unit.test_insurance import put
from truetape import ids
from truetape import messages as m
from truetape.topics import ORDERS_DECISIONS, PARTITIONS

ANN, BOB, CAT = "ann", "bob", "cat"
HOME = ids.partition_of(ANN, PARTITIONS)
OTHERS = [number for number in range(PARTITIONS) if number != HOME]
NEIGHBOUR = next(f"n{n}" for n in range(99) if ids.partition_of(f"n{n}", PARTITIONS) == HOME)
"""Another account of ann's partition."""
FALLEN = 57_000


class Sale(Marked):
    """Ann is long 100 contracts (60 000 USDT) with 2 000; bob and cat have enough to take them. No venue buys."""

    def __init__(self, parts: dict[int, int]) -> None:
        super().__init__()
        self.tables.reference.accounts[NEIGHBOUR] = NEIGHBOUR
        self.prices = {PERP: 60_000, "BTC-USDT": 60_000}
        self.refresh()
        for partition, amount in parts.items():
            put(self, partition, amount)
        for who in (BOB, CAT):
            self.deposit(who, 100_000)
        self.owe(ANN)

    def owe(self, who: str) -> None:
        """An account that is below maintenance now, and below zero once the price has fallen."""
        self.deposit(who, 2_000)
        self.trade(who, "BUY", 100, 60_000)

    def fall(self) -> None:
        """From here on ann's account is worth less than nothing."""
        self.prices = dict.fromkeys(self.prices, FALLEN)
        self.refresh()

    def quiet(self, number: int, event: Any) -> None:
        """Risk refuses what a liquidation sells, so that it is auctioned."""
        super().quiet(number, event)
        if isinstance(event, m.LiquidationChanged) and event.state == "SELLING" and event.order is not None:
            told = m.OrderRejected(
                meta=some_meta(), order=event.order, reason="NOTIONAL_ABOVE_LIMIT", numbers={}, reference_offset=0
            )
            self.give(number, told, ORDERS_DECISIONS.name)

    def start(self, most: int = 100_000, who: str = ANN, forced: bool = False) -> Any:
        return self.command(m.StartAuction(f"s-{who}", who, "USDT", forced, most * E8, "below", "desk"))

    def bid(self, bidder: str, wanted: float = 1.0, who: str = ANN) -> Any:
        """What is said to a bid; nothing where no auction of the account goes on."""
        running = [one for one in self.of(who).state.auctions.values() if one.account_id == who]
        if not running:
            return None
        name = f"b{self._number}"
        return self.command(m.BidAuction(name, who, running[0].auction_id, bidder, int(wanted * E8), "key"))

    def changes(self, who: str = ANN) -> list[m.AuctionChanged]:
        return [one for one in self.events(m.AuctionChanged) if one.account_id == who]

    def said(self, change: str, who: str = ANN) -> m.AuctionChanged:
        """The newest record of a change."""
        return [one for one in self.changes(who) if one.change == change][-1]

    def until(self, change: str, seconds: float = 1.0) -> m.AuctionChanged:
        """Everything arrives and time passes until an auction of ann's says it."""
        for _ in range(200):
            if any(one.change == change for one in self.changes()):
                return self.said(change)
            while self.wire:
                self.deliver(0)
            self.tick(seconds)
        raise AssertionError(f"no {change}: {[one.change for one in self.changes()]}")

    def part_e8(self, partition: int) -> int:
        return self.partitions[partition].state.balances.get(INSURANCE, {}).get("USDT", 0)

    def fund_e8(self) -> int:
        return sum(self.part_e8(number) for number in range(PARTITIONS))


def test_all_parts_pay_takers_when_the_accounts_own_is_empty() -> None:
    sale = Sale({OTHERS[0]: 3_000, OTHERS[4]: 6_000})
    sale.fall()
    begun = sale.start()
    cost_e8 = -begun.lowest_e8
    assert (begun.kind, begun.begun_by, begun.insurance_e8) == ("insolvent", "house", 0)
    assert begun.insurance_wanted_e8 == cost_e8 < 9_000 * E8
    assert "once all its parts have answered" in sale.bid(BOB).detail
    funded = sale.until("FUNDED")
    assert (funded.insurance_e8, funded.insurance_wanted_e8, funded.detail) == (cost_e8, 0, "")
    assert funded.begun_at_us == funded.meta.decided_at_us, "the price begins anew"
    first_e8, second_e8 = 3_000 * E8 - sale.part_e8(OTHERS[0]), 6_000 * E8 - sale.part_e8(OTHERS[4])
    assert first_e8 + second_e8 == cost_e8 and abs(second_e8 - 2 * first_e8) <= 2, "in proportion to what each has"
    assert sale.part_e8(HOME) == cost_e8 and sale.open_loss() == 0
    sale.tick(100)
    sale.bid(BOB)
    taken = sale.until("TAKEN")
    assert taken.bid is not None and taken.bid.received_e8 == cost_e8 and taken.insurance_e8 == 0
    assert sale.until("SOLD") and sale.cash(ANN) == 3_000, "all of it pays her loss, which is still to be settled"
    assert sale.fund_e8() == 9_000 * E8 - cost_e8 and sale.done()
    sale.check()


@pytest.mark.parametrize("by_clock", [False, True], ids=["house", "clock"])
def test_one_that_turns_asks_all_parts_for_what_it_may_cost(by_clock: bool) -> None:
    """The house's bound holds then too; what a liquidation hands over may cost what it costs."""
    sale = Sale({OTHERS[1]: 9_000})
    if not by_clock:
        sale.start(most=700)
    begun = sale.until("BEGUN")
    assert (begun.kind, begun.begun_by) == ("solvent", "clock" if by_clock else "house")
    assert not begun.insurance_wanted_e8 and begun.insurance_e8 == (0 if by_clock else 700 * E8)
    sale.fall()
    turned = sale.until("CONVERTED")
    most_e8 = -turned.lowest_e8 if by_clock else 700 * E8
    assert (turned.insurance_e8 + turned.insurance_wanted_e8, turned.kind) == (most_e8, "insolvent")
    assert sale.until("FUNDED").insurance_e8 == most_e8
    assert sale.bid(BOB, 0.01) is not None and sale.until("TAKEN")
    sale.check()


def test_what_a_liquidation_hands_over_begins_at_once_and_is_paid_by_all_parts() -> None:
    sale = Sale({OTHERS[2]: 9_000})
    sale.fall()
    begun = sale.until("BEGUN")
    assert (begun.kind, begun.begun_by) == ("insolvent", "clock")
    assert begun.insurance_e8 == 1_000 * E8, "what the account lacks, all parts have paid before it was called bankrupt"
    assert begun.insurance_e8 + begun.insurance_wanted_e8 == -begun.lowest_e8
    assert sale.until("FUNDED").insurance_e8 == -begun.lowest_e8
    sale.check()


def test_a_fund_that_is_short_pays_all_it_has_and_says_what_it_lacks() -> None:
    sale = Sale({HOME: 100, OTHERS[0]: 200, OTHERS[6]: 300})
    sale.fall()
    begun = sale.start()
    assert begun.insurance_e8 == 100 * E8, "its own part first"
    funded = sale.until("FUNDED")
    assert funded.insurance_e8 == 600 * E8 == sale.part_e8(HOME) and "together lack" in funded.detail
    sale.tick(100)
    assert "pays at most 600 USDT more: bid for less" in sale.bid(BOB).detail
    sale.bid(BOB, 0.1)
    sale.until("TAKEN")
    assert [one.change for one in sale.changes() if one.change == "FUNDED"] == ["FUNDED"], "asked once"
    sale.tick(800)
    assert sale.until("UNSOLD") and sale.done()
    sale.check()


def test_it_does_not_end_unsold_before_every_part_has_answered() -> None:
    sale = Sale({OTHERS[3]: 9_000})
    sale.fall()
    sale.lose = {OTHERS[3]}
    sale.start()
    for _ in range(20):
        sale.run(1)
        sale.tick(60)
    assert [one.change for one in sale.changes()] == ["BEGUN"], "twenty minutes, and it waits"
    sale.lose = set()
    funded = sale.until("FUNDED", seconds=60)
    sale.tick(100)
    assert sale.bid(BOB).bid.received_e8 == -funded.lowest_e8, "the price has begun anew"
    assert sale.until("SOLD")
    sale.check()


def test_what_comes_for_takers_pays_no_loss_meanwhile() -> None:
    sale = Sale({OTHERS[0]: 9_000})
    sale.fall()
    begun = sale.start()
    put(sale, HOME, 50)
    state = sale.of(ANN).state
    assert insurance.free_e8(state, "USDT") == 0, "a fee that comes in here is the auction's too"
    assert insurance.arrived_e8(state, begun) == 50 * E8
    funded = sale.until("FUNDED")
    assert funded.insurance_e8 == -begun.lowest_e8 and insurance.free_e8(state, "USDT") == 50 * E8
    sale.check()


def test_two_auctions_of_one_partition_never_keep_one_unit_twice() -> None:
    sale = Sale({HOME: 100, OTHERS[0]: 5_000})
    sale.owe(NEIGHBOUR)
    sale.fall()
    sale.start()
    sale.start(who=NEIGHBOUR)
    sale.run(20)
    kept_e8 = [sale.said("FUNDED", who).insurance_e8 for who in (ANN, NEIGHBOUR)]
    assert sum(kept_e8) == 5_100 * E8 == sale.part_e8(HOME) and min(kept_e8) > 0
    sale.tick(100)
    for who in (ANN, NEIGHBOUR):
        sale.bid(BOB, 1.0, who)
        sale.run(3)
    assert sale.fund_e8() >= 0
    sale.check()


@LAW
@given(
    parts=st.dictionaries(st.integers(0, PARTITIONS - 1), st.integers(1, 6_000), max_size=4),
    most=st.integers(0, 8_000), both=st.booleans(), lost=st.integers(0, 300), data=st.data(),
)  # fmt: skip
def test_no_unit_is_made_lost_or_paid_twice_whatever_the_network_does(
    parts: dict[int, int], most: int, both: bool, lost: int, data: st.DataObject
) -> None:
    sale = Sale(parts)
    if both:
        sale.owe(NEIGHBOUR)
    if lost:
        sale.lose_money("eve", lost)
    sale.fall()
    sold = (ANN, NEIGHBOUR) if both else (ANN,)
    for who in sold:
        sale.start(most, who)
    for _ in range(data.draw(st.integers(0, 40))):
        disturb(sale, data)
        if data.draw(st.integers(0, 4)) == 0:
            bidder, wanted = data.draw(st.sampled_from((BOB, CAT))), data.draw(st.floats(0.01, 1))
            sale.bid(bidder, wanted, data.draw(st.sampled_from(sold)))
    sale.run(60)
    covered_e8 = sum(one.covered_e8 for one in sale.events(m.LiquidationEnded))
    paid_e8 = sum(one.bid.received_e8 for one in sale.events(m.AuctionChanged) if one.change == "TAKEN")
    fees_e8 = sum(one.fee_e8 for one in sale.events(m.AuctionChanged) if one.change == "BEGUN")
    assert sale.fund_e8() == sum(parts.values()) * E8 + fees_e8 - covered_e8 - paid_e8
    assert all(sale.part_e8(number) >= 0 for number in range(PARTITIONS))
    for who in sold:
        got_e8 = sum(one.bid.received_e8 for one in sale.changes(who) if one.change == "TAKEN" and one.bid)
        assert got_e8 <= most * E8 or sale.said("BEGUN", who).begun_by == "clock", "the house's bound holds"
    assert not any(one.insurance_wanted_e8 for at in sale.partitions for one in at.state.auctions.values())
    assert sale.done() and not any(at.state.requests for at in sale.partitions)
    sale.check()


# -- planted faults, each with the test that sees it ------------------------------------------------------------------


def _own_part_alone(patch: pytest.MonkeyPatch) -> None:
    """Nobody else is asked."""
    patch.setattr(insurance, "ask", lambda *_: None)


def _never_waits(patch: pytest.MonkeyPatch) -> None:
    """What the others have not said yet is taken for nothing."""
    patch.setattr(insurance, "waits", lambda *_: False)


def _arrivals_are_free(patch: pytest.MonkeyPatch) -> None:
    """What was asked for takers pays the next loss."""

    def free_e8(state: State, asset: str) -> int:
        kept_e8 = sum(one.insurance_e8 for one in state.auctions.values() if one.kind == "insolvent")
        return max(0, state.balances.get(INSURANCE, {}).get(asset, 0) - kept_e8)

    patch.setattr(insurance, "free_e8", free_e8)


def _kept_is_there_for_others(patch: pytest.MonkeyPatch) -> None:
    """What one auction keeps counts for another."""

    def arrived_e8(state: State, known: m.AuctionChanged) -> int:
        return min(known.insurance_wanted_e8, state.balances.get(INSURANCE, {}).get(known.asset, 0))

    patch.setattr(insurance, "arrived_e8", arrived_e8)


def _beyond_the_houses_bound(patch: pytest.MonkeyPatch) -> None:
    """What it may cost is asked for, whatever the house allows."""
    sound = insurance.backing

    def backing(state: State, asset: str, kind: str, lowest_e8: int, most_e8: int | None) -> tuple[int, int]:
        return sound(state, asset, kind, lowest_e8, most_e8 if kind == "solvent" else None)

    patch.setattr(insurance, "backing", backing)


PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = [
    (_own_part_alone, test_all_parts_pay_takers_when_the_accounts_own_is_empty),
    (_never_waits, test_it_does_not_end_unsold_before_every_part_has_answered),
    (_arrivals_are_free, test_what_comes_for_takers_pays_no_loss_meanwhile),
    (_kept_is_there_for_others, test_two_auctions_of_one_partition_never_keep_one_unit_twice),
    (_beyond_the_houses_bound, lambda: test_one_that_turns_asks_all_parts_for_what_it_may_cost(False)),
]


@pytest.mark.parametrize(("plant", "seen_by"), PLANTED, ids=[plant.__name__[1:] for plant, _ in PLANTED])
def test_planted_faults_are_seen(
    plant: Callable[[pytest.MonkeyPatch], None], seen_by: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        seen_by()
