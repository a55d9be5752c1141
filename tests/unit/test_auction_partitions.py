"""An auction over two partitions on the simulated log: killed at every step, commands lost, records replayed."""

from typing import Any

import pytest
from msgspec.structs import replace

from services.clearing.across.parcels import INSURANCE
from services.clearing.closeout import auction
from services.clearing.core import SERVICE
from tests.unit.contract_desk import E8
from tests.unit.otc_desk import World
from truetape import ids, snapshots
from truetape import messages as m
from truetape.topics import PARTITIONS

PERP = "BTC-USDT-PERP"
ANN, BOB = "ann", "bob"


class Sale(World):
    """Ann is long 100 contracts with 2 000 USDT, below maintenance; bob bids for all of it."""

    def __init__(self, seed: int, bidder_has: int = 100_000) -> None:
        super().__init__(seed, ANN, BOB, funds={"USDT": 2_000 * E8})
        more = m.TransferTerms("m" * 32, BOB, "USDT", bidder_has * E8, "bank:settlement", "more")
        self.send(m.RequestTransfer(more, "k", self.broker.wall_us()), "orders.commands", BOB)
        self.run(1)
        self.send(m.BookTrade("t-1", ANN, "t-1", PERP, "BUY", 100 * E8, 60_000 * E8, "TAKER", 1, "desk", ""))
        self.send(m.StartAuction("s-1", ANN, "USDT", False, 0, "below maintenance", "desk"))
        self.run(2)
        self.auction_id = ids.auction_id(ANN, "s-1")
        self.send(m.BidAuction("b-1", ANN, self.auction_id, BOB, E8, "key"))

    def entries(self, who: str) -> list[m.EntryBooked]:
        return [one for one in self.tape(who) if isinstance(one, m.EntryBooked)]

    def judge(self) -> None:
        """Each side is booked once, in its own partition; the house is flat but for the trade; nothing is open."""
        assert ids.partition_of(ANN, PARTITIONS) != ids.partition_of(BOB, PARTITIONS)
        changes = [one.change for one in self.tape(ANN) if isinstance(one, m.AuctionChanged)]
        assert changes[:3] == ["BEGUN", "OFFERED", "TAKEN"]
        assert [one.repeated for one in self.tape(BOB) if isinstance(one, m.ParcelAnswered)][:1] == [False]
        lines = [line for who in (ANN, BOB) for one in self.entries(who) for line in one.lines]
        sums: dict[tuple[str, str], int] = {}
        for line in lines:
            sums[line.account, line.asset] = sums.get((line.account, line.asset), 0) + line.amount_e8
        assert sums["house:clearing", PERP] == -100 * E8, "the trade's other side, and nothing of the auction"
        assert sums.get(("house:clearing", "USDT"), 0) == 0
        assert sums["client:ann", PERP] + sums["client:bob", PERP] == 100 * E8 and sums["client:bob", PERP] > 0
        assert sums[INSURANCE, "USDT"] > 0
        for who in (ANN, BOB):
            named = [one.entry_id for one in self.entries(who)]
            assert len(named) == len(set(named))
            assert self.state(who).parcels.asked == {} and self.state(who).parcels.booking is None
            state = SERVICE.initial()
            for one in self.tape(who):
                state = state if isinstance(one, m.Began) else SERVICE.evolve(state, one)
            assert snapshots.digest(state) == snapshots.digest(self.state(who)), "replay is live"


@pytest.mark.parametrize("turns", range(14))
def test_killed_at_every_step_each_side_is_booked_once(turns: int) -> None:
    world = Sale(turns)
    for _ in range(turns):
        world.turn()
    world.start("clearing")
    world.run(30)
    world.judge()


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_commands_that_are_lost_are_asked_for_again(lost: int) -> None:
    world = Sale(50 + lost)
    world.lose = lost
    world.run(60)
    world.judge()
    assert any(isinstance(one, m.ParcelsAskedAgain) for one in world.tape(ANN))


def test_a_planted_fault_a_home_that_gives_what_was_refused_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = auction.told
    refused = Sale(3, bidder_has=1)
    refused.run(10)
    changes = [one.change for one in refused.tape(ANN) if isinstance(one, m.AuctionChanged)]
    assert changes == ["BEGUN", "OFFERED", "REFUSED"]

    def hasty(state: Any, given: Any, command: m.TellParcel) -> Any:
        return sound(state, given, replace(command, state="TAKEN"))

    monkeypatch.setattr(auction, "told", hasty)
    wrong = Sale(3, bidder_has=1)
    wrong.run(10)
    with pytest.raises(AssertionError, match="the trade's other side"):
        wrong.judge()
