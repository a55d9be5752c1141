"""The clearing fund: cover two, the European minimum, and shares that sum to it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.desk import LAW
from truetape.default.fund import Stressed, shares, size

MARGINS = {"ann": 100, "bob": 50, "cleo": 10, "dan": 0}
CRASH = Stressed("crash", {"ann": 180, "bob": 90, "cleo": 45, "dan": -500})
RALLY = Stressed("rally", {"ann": -180, "bob": 20, "cleo": 90, "dan": 30})


def test_the_two_members_that_lose_most_together_decide() -> None:
    sizing = size([CRASH, RALLY], MARGINS)
    assert (sizing.size_e8, sizing.scenario) == (120, "crash")
    assert sizing.covered == (("ann", 80), ("bob", 40))
    assert sizing.uncovered == {
        "crash": (("ann", 80), ("bob", 40), ("cleo", 35)), "rally": (("cleo", 80), ("dan", 30)),
    }  # fmt: skip


def test_second_and_third_decide_where_the_fund_covers_one() -> None:
    many = Stressed("many", {"ann": 110, "bob": 59, "cleo": 18})
    assert size([many], MARGINS, covered=1).covered == (("bob", 9), ("cleo", 8))
    assert size([many], MARGINS, covered=1).size_e8 == 17
    assert size([many], MARGINS).size_e8 == 19


def test_without_losses_beyond_margin_no_fund_is_needed() -> None:
    assert size([Stressed("calm", {"ann": 100, "bob": 50})], MARGINS).size_e8 == 0
    assert size([], {}).scenario == ""


def test_a_member_without_a_margin_is_not_taken_for_zero() -> None:
    with pytest.raises(KeyError):
        size([Stressed("calm", {"zoe": 1})], MARGINS)


@pytest.mark.parametrize(
    ("amount", "floor", "found"),
    [
        (1_600, 0, {"ann": 1_000, "bob": 500, "cleo": 100, "dan": 0}),
        (1_600, 150, {"ann": 867, "bob": 433, "cleo": 150, "dan": 150}),
        (1_600, 440, {"ann": 440, "bob": 440, "cleo": 440, "dan": 440}),
        (1_600, 400, {"ann": 400, "bob": 400, "cleo": 400, "dan": 400}),
        (0, 10, {"ann": 10, "bob": 10, "cleo": 10, "dan": 10}),
        (7, 0, {"ann": 4, "bob": 2, "cleo": 1, "dan": 0}),
    ],
)
def test_shares_follow_margin_down_to_the_floor(amount: int, floor: int, found: dict[str, int]) -> None:
    assert shares(amount, MARGINS, floor) == found


def test_members_without_any_margin_share_equally() -> None:
    assert shares(7, {"ann": 0, "bob": 0}, 1) == {"ann": 4, "bob": 3}
    assert shares(5, {}, 1) == {}


@LAW
@given(
    st.integers(0, 10**15), st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**15), min_size=1),
    st.integers(0, 10**14),
)  # fmt: skip
def test_shares_sum_to_the_fund_and_nobody_is_below_the_floor(amount: int, margins: dict[str, int], floor: int) -> None:
    found = shares(amount, margins, floor)
    assert found.keys() == margins.keys()
    assert min(found.values()) >= floor
    assert sum(found.values()) == max(amount, floor * len(margins))
    ordered = sorted(margins, key=lambda name: margins[name])
    assert all(found[low] <= found[high] + 1 for low, high in pairwise(ordered))


losses = st.dictionaries(st.sampled_from("abcde"), st.integers(-(10**9), 10**9))


@LAW
@given(st.lists(losses, max_size=4), st.integers(0, 10**9))
def test_the_fund_covers_any_two_members_in_any_scenario(found: list[dict[str, int]], margin: int) -> None:
    sizing = size([Stressed(str(n), one) for n, one in enumerate(found)], dict.fromkeys("abcde", margin))
    for one in found:
        beyond = sorted((max(0, loss - margin) for loss in one.values()), reverse=True)
        assert sum(beyond[:2]) <= sizing.size_e8
