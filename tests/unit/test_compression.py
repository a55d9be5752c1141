"""Compression changes gross notional alone; payment netting moves the least and leaves the house flat."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.booking import netting
from services.clearing.booking.netting import Obligation, net
from services.clearing.otc import compression
from services.clearing.otc.compression import Compression, Exposure, Payment, circular, cleared, nets, pairwise, prove
from tests.unit.desk import LAW


def exposure(number: int, buyer: str, seller: str, quantity: int, cost: int, instrument: str = "X") -> Exposure:
    return Exposure(f"t{number}", buyer, seller, instrument, quantity, cost)


def shown(made: Compression) -> list[tuple[str, str, int, int]]:
    return [(one.long_id, one.short_id, one.quantity_e8, one.cost_e8) for one in made.left]


def test_trades_with_the_house_become_one() -> None:
    trades = [
        exposure(1, "ann", "house", 10, 1_000),
        exposure(2, "house", "ann", 4, 420),
        exposure(3, "ann", "house", 1, 90),
        exposure(4, "house", "bob", 7, 700),
    ]
    made = cleared(trades, "house")
    assert shown(made) == [("ann", "house", 7, 670), ("house", "bob", 7, 700)]
    assert made.payments == () and (made.gross_before_e8, made.gross_after_e8) == (22, 14)
    assert len({one.trade_id for one in made.left}) == 2


def test_what_offsets_ends_and_its_profit_is_paid() -> None:
    made = cleared([exposure(1, "ann", "house", 5, 500), exposure(2, "house", "ann", 5, 530)], "house")
    assert made.left == ()
    assert made.payments == (Payment("ann", "X", 30), Payment("house", "X", -30))


def test_a_bilateral_trade_is_not_cleared() -> None:
    with pytest.raises(AssertionError, match="with the house"):
        cleared([exposure(1, "ann", "bob", 5, 500)], "house")


def test_instruments_do_not_offset_each_other() -> None:
    trades = [exposure(1, "ann", "bob", 5, 500), exposure(2, "bob", "ann", 5, 500, "Y")]
    assert pairwise(trades).gross_after_e8 == 10


def test_a_circle_is_reduced_by_its_smallest() -> None:
    trades = [exposure(1, "a", "b", 10, 1_000), exposure(2, "b", "c", 7, 707), exposure(3, "c", "a", 8, 784)]
    made = circular(trades)
    assert shown(made) == [("a", "b", 3, 300), ("c", "a", 1, 98)]
    assert made.payments == (Payment("a", "X", -14), Payment("b", "X", -7), Payment("c", "X", 21))
    assert (made.gross_before_e8, made.gross_after_e8) == (25, 4)


def test_a_chain_is_left_alone() -> None:
    trades = [exposure(1, "a", "b", 10, 1_000), exposure(2, "b", "c", 7, 707)]
    assert shown(circular(trades)) == [("a", "b", 10, 1_000), ("b", "c", 7, 707)]


def test_two_circles_through_one_participant() -> None:
    trades = [
        exposure(1, "a", "b", 5, 5), exposure(2, "b", "a", 2, 2), exposure(3, "b", "c", 4, 4),
        exposure(4, "c", "a", 4, 4), exposure(5, "c", "d", 1, 1), exposure(6, "d", "c", 3, 3),
    ]  # fmt: skip
    assert shown(circular(trades)) == [("b", "c", 1, 1), ("c", "a", 1, 1), ("d", "c", 2, 2)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: replace(made, payments=()),
        lambda made: replace(made, left=()),
        lambda made: replace(made, left=(replace(made.left[0], cost_e8=299), *made.left[1:])),
        lambda made: replace(made, left=(*made.left, *made.ended)),
        lambda made: replace(
            made, left=(*made.left, exposure(9, "a", "z", 5, 5), exposure(9, "z", "a", 5, 5))
        ),
    ],
    ids=["unpaid", "lost", "a unit of cost", "doubled", "new pair"],
)  # fmt: skip
def test_the_proof_sees_what_is_wrong(spoil: object) -> None:
    made = circular([exposure(1, "a", "b", 10, 1_000), exposure(2, "b", "c", 7, 707), exposure(3, "c", "a", 8, 784)])
    with pytest.raises(AssertionError):
        prove(spoil(made))  # type: ignore[operator]


_SAME = {"f": "b", "g": "c", "h": "d", "i": "e", "j": "a"}
trades = st.lists(
    st.builds(
        Exposure, st.just("t"), st.sampled_from("abcde"), st.sampled_from("fghij"), st.sampled_from("XY"),
        st.integers(1, 10**6), st.integers(-(10**9), 10**9),
    ),
    max_size=14,
).map(lambda found: [replace(one, short_id=_SAME.get(one.short_id, "a")) for one in found])  # fmt: skip


@LAW
@given(trades)
def test_compression_preserves_every_net_and_adds_nothing(found: list[Exposure]) -> None:
    found = [one for one in found if one.long_id != one.short_id]
    two, many = pairwise(found), circular(found)
    assert nets(found) == nets(two.left, two.payments) == nets(many.left, many.payments)
    assert many.gross_after_e8 <= two.gross_after_e8 <= compression.gross(found)
    assert circular(list(many.left)).left == many.left, "there is no circle left"
    assert circular(list(reversed(found))).gross_before_e8 == many.gross_before_e8


# -- netting -----------------------------------------------------------------------------------------------------------


def owes(number: int, payer: str, payee: str, amount: int, asset: str = "USDT", day: str = "2026-11-27") -> Obligation:
    return Obligation(f"o{number}", payer, payee, asset, day, amount)


def test_one_payment_per_participant_currency_and_date() -> None:
    made = net(
        [
            owes(1, "ann", "bob", 100),
            owes(2, "bob", "cleo", 100),
            owes(3, "cleo", "ann", 30),
            owes(4, "ann", "bob", 7, "BTC"),
            owes(5, "ann", "bob", 5, day="2026-11-28"),
        ]
    )
    shown = [(one.value_date[-2:], one.asset, one.participant_id, one.amount_e8) for one in made.instructions]
    assert shown == [
        ("27", "BTC", "ann", -7), ("27", "BTC", "bob", 7),
        ("27", "USDT", "ann", -70), ("27", "USDT", "bob", 0), ("27", "USDT", "cleo", 70),
        ("28", "USDT", "ann", -5), ("28", "USDT", "bob", 5),
    ]  # fmt: skip
    assert made.gross_e8 == {"USDT": 235, "BTC": 7} and made.net_e8 == {"USDT": 75, "BTC": 7}
    bob = made.instructions[3]
    assert bob.obligations == ("o1", "o2"), "what cancels out is settled too"


@pytest.mark.parametrize("wrong", [[owes(1, "a", "b", 0)], [owes(1, "a", "a", 5)], [owes(1, "a", "b", 5)] * 2])
def test_obligations_that_are_none_are_a_broken_invariant(wrong: list[Obligation]) -> None:
    with pytest.raises(AssertionError):
        net(wrong)


obligations = st.lists(
    st.tuples(st.permutations("abcde"), st.sampled_from(["USDT", "BTC"]), st.sampled_from("12"), st.integers(1, 10**15))
).map(
    lambda found: [
        owes(number, people[0], people[1], amount, asset, f"2026-11-0{day}")
        for number, (people, asset, day, amount) in enumerate(found)
    ]
)


@LAW
@given(obligations)
def test_netting_preserves_every_exposure_and_moves_no_more(found: list[Obligation]) -> None:
    made = net(found)
    for one in made.instructions:
        mine = [x for x in found if (x.asset, x.value_date) == (one.asset, one.value_date)]
        owed = sum(x.amount_e8 for x in mine if x.payee_id == one.participant_id)
        owing = sum(x.amount_e8 for x in mine if x.payer_id == one.participant_id)
        assert one.amount_e8 == owed - owing
    assert not any(netting.balances(made.instructions).values())
    assert all(made.net_e8.get(asset, 0) <= gross for asset, gross in made.gross_e8.items())
    again = net(list(reversed(found)))
    assert [replace(one, obligations=()) for one in again.instructions] == [
        replace(one, obligations=()) for one in made.instructions
    ]
