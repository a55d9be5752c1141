"""Auto-deleveraging and socialised loss: rows, and sums preserved to the unit."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.desk import LAW
from truetape.deleveraging import Candidate, Closed, Haircut, close_at, deleverage, queue, socialise
from truetape.money import to_e8

#   account quantity profit cost notional equity
BOOK = """
    ann   -10   500  1500  1000   200   33 % at 5 times
    bob   -10   500  1500  1000   500   33 % at 2 times
    cid   -10   100  1100  1000   100    9 % at 10 times
    dora  -10  -100   900  1000   100   a loss
    eve    10   500   500  1000   100   the wrong side
    fay   -10   500  1500  1000     0   no equity at all
"""


def book() -> list[Candidate]:
    rows = (row.split()[:6] for row in BOOK.strip().splitlines())
    return [Candidate(name, *(int(word) for word in numbers)) for name, *numbers in rows]


def test_the_most_leveraged_winners_come_first() -> None:
    assert [candidate.account_id for candidate in queue(5, book())] == ["fay", "ann", "cid", "bob"]


def test_a_long_is_closed_against_shorts_in_order() -> None:
    assert deleverage(25, book()) == ([Closed("fay", 10), Closed("ann", 10), Closed("cid", 5)], 0)
    assert deleverage(45, book())[1] == 5, "what nobody can take is said"
    assert deleverage(-5, book()) == ([Closed("eve", -5)], 0), "a short against longs"
    assert deleverage(0, book()) == ([], 0)


def test_equal_ranks_go_by_account() -> None:
    twins = [Candidate(name, -10, 5, 10, 10, 10) for name in ("zoe", "abe")]
    assert [closed.account_id for closed in deleverage(20, twins)[0]] == ["abe", "zoe"]


def test_a_loss_is_cut_from_gains_in_proportion() -> None:
    assert socialise(10, [("ann", 30), ("bob", 10), ("cid", -50)]) == ([Haircut("ann", 8), Haircut("bob", 2)], 0)
    assert socialise(50, [("ann", 30), ("bob", 10)]) == ([Haircut("ann", 30), Haircut("bob", 10)], 10)
    assert socialise(50, []) == ([], 50)


candidates = st.builds(
    Candidate, st.sampled_from("abcdefgh"), st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 90),
    st.integers(1, 90), st.integers(-10, 90),
)  # fmt: skip


@given(st.integers(-300, 300), st.lists(candidates, max_size=8, unique_by=lambda one: one.account_id))
def test_what_is_closed_and_what_is_left_sum_to_what_was_defaulted(defaulted: int, held: list[Candidate]) -> None:
    closed, left = deleverage(defaulted, held)
    by_id = {candidate.account_id: candidate for candidate in held}
    assert sum(one.quantity_e8 for one in closed) + left == defaulted
    for one in closed:
        assert 0 < abs(one.quantity_e8) <= abs(by_id[one.account_id].quantity_e8)
        assert one.quantity_e8 * by_id[one.account_id].quantity_e8 < 0, "it only reduces"
        assert by_id[one.account_id].profit_e8 > 0
    assert left == 0 or len(closed) == len(queue(defaulted, held))


@given(st.integers(0, 10**9), st.lists(st.integers(-(10**9), 10**9), max_size=8))
def test_a_socialised_loss_is_preserved_to_the_unit(loss: int, gains: list[int]) -> None:
    named = [(f"account-{index}", gain) for index, gain in enumerate(gains)]
    cuts, left = socialise(loss, named)
    assert sum(cut.amount_e8 for cut in cuts) + left == loss
    assert all(0 < cut.amount_e8 <= dict(named)[cut.account_id] for cut in cuts)
    assert left == 0 or sum(cut.amount_e8 for cut in cuts) == sum(max(gain, 0) for gain in gains)


# -- with the money ----------------------------------------------------------------------------------------------------


def test_the_bankrupt_position_is_closed_at_its_price_in_rank_order() -> None:
    shorts = [
        Candidate("amy", to_e8("-1"), to_e8("10000"), to_e8("70000"), to_e8("60000"), to_e8("10000")),
        Candidate("ben", to_e8("-2"), to_e8("10000"), to_e8("130000"), to_e8("120000"), to_e8("100000")),
    ]
    report = close_at("BTC-PERP", "dan", to_e8("2.5"), to_e8("61000"), shorts)
    assert [(part.account_id, part.rank, part.quantity_e8, part.paid_e8) for part in report.parts] == [
        ("amy", 1, to_e8("1"), to_e8("-61000")),
        ("ben", 2, to_e8("1.5"), to_e8("-91500")),
    ]
    assert (report.quantity_e8, report.paid_e8, report.left_e8) == (to_e8("-2.5"), to_e8("152500"), 0)


def test_what_nobody_in_profit_can_take_is_left_for_the_tear_up() -> None:
    assert close_at("X", "dan", 100, 5, []).left_e8 == 100


amounts = st.integers(-(10**15), 10**15)
holders = st.lists(
    st.builds(
        Candidate, st.integers(0, 50).map(str), st.integers(1, 10**12), amounts, st.integers(1, 10**15),
        st.integers(0, 10**15), amounts,
    ),
    max_size=8, unique_by=lambda one: one.account_id,
)  # fmt: skip


@LAW
@given(holders, st.integers(1, 10**13), st.integers(0, 10**13))
def test_quantities_and_payments_sum_to_zero(candidates: list[Candidate], short_e8: int, price_e8: int) -> None:
    report = close_at("X", "dan", -short_e8, price_e8, candidates)
    assert report.quantity_e8 + sum(part.quantity_e8 for part in report.parts) == 0
    assert report.paid_e8 + sum(part.paid_e8 for part in report.parts) == 0
    held = {one.account_id: one.quantity_e8 for one in candidates if one.profit_e8 > 0}
    assert all(0 < -part.quantity_e8 <= held[part.account_id] for part in report.parts), "never past flat"
    assert report.left_e8 == -max(0, short_e8 - sum(held.values()))
    assert [part.rank for part in report.parts] == list(range(1, len(report.parts) + 1))
    assert close_at("X", "dan", -short_e8, price_e8, list(reversed(candidates))) == report
