"""The default waterfall: every layer, every boundary, two defaults, what comes back; nothing lost or made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.desk import LAW, rows
from truetape.default import waterfall
from truetape.default.waterfall import LAYERS, Member, Outcome, Resources, absorb
from truetape.money import apportion

ANN = Member("ann", fund_e8=300, assessment_max_e8=300, gain_e8=40, claim_e8=10)
BOB = Member("bob", fund_e8=100, assessment_max_e8=50, gain_e8=0, claim_e8=5)
CLEO = Member("cleo", fund_e8=100, assessment_max_e8=100, gain_e8=60, claim_e8=5)
HOUSE = Resources("dan", margin_e8=1_000, fund_e8=200, capital_e8=250, members=(CLEO, ANN, BOB))
"""Layers of 1000, 200, 250, 500, 450, 100 and 20: the ends are 1000, 1200, 1450, 1950, 2400, 2500, 2520."""

# Who pays what; each loss stands at a boundary, a unit before it, or a unit behind it.
LOSSES = """
loss | steps | uncovered
0    | | 0
1    | DEFAULTER_MARGIN dan 1 | 0
999  | DEFAULTER_MARGIN dan 999 | 0
1000 | DEFAULTER_MARGIN dan 1000 | 0
1001 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 1 | 0
1200 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200 | 0
1201 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 1 | 0
1450 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250 | 0
1451 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 1 | 0
1452 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 1, OTHERS_FUND bob 1 | 0
1453 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 2, OTHERS_FUND bob 1 | 0
1949 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 299, OTHERS_FUND bob 100, OTHERS_FUND cleo 100 | 0
1950 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 300, OTHERS_FUND bob 100, OTHERS_FUND cleo 100 | 0
2400 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 300, OTHERS_FUND bob 100, OTHERS_FUND cleo 100, ASSESSMENTS ann 300, ASSESSMENTS bob 50, ASSESSMENTS cleo 100 | 0
2401 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 300, OTHERS_FUND bob 100, OTHERS_FUND cleo 100, ASSESSMENTS ann 300, ASSESSMENTS bob 50, ASSESSMENTS cleo 100, HAIRCUT cleo 1 | 0
2500 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 300, OTHERS_FUND bob 100, OTHERS_FUND cleo 100, ASSESSMENTS ann 300, ASSESSMENTS bob 50, ASSESSMENTS cleo 100, HAIRCUT ann 40, HAIRCUT cleo 60 | 0
2502 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 300, OTHERS_FUND bob 100, OTHERS_FUND cleo 100, ASSESSMENTS ann 300, ASSESSMENTS bob 50, ASSESSMENTS cleo 100, HAIRCUT ann 40, HAIRCUT cleo 60, TEAR_UP ann 1, TEAR_UP bob 1 | 0
2520 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 300, OTHERS_FUND bob 100, OTHERS_FUND cleo 100, ASSESSMENTS ann 300, ASSESSMENTS bob 50, ASSESSMENTS cleo 100, HAIRCUT ann 40, HAIRCUT cleo 60, TEAR_UP ann 10, TEAR_UP bob 5, TEAR_UP cleo 5 | 0
2521 | DEFAULTER_MARGIN dan 1000, DEFAULTER_FUND dan 200, HOUSE_CAPITAL house 250, OTHERS_FUND ann 300, OTHERS_FUND bob 100, OTHERS_FUND cleo 100, ASSESSMENTS ann 300, ASSESSMENTS bob 50, ASSESSMENTS cleo 100, HAIRCUT ann 40, HAIRCUT cleo 60, TEAR_UP ann 10, TEAR_UP bob 5, TEAR_UP cleo 5 | 1
"""  # noqa: E501


@pytest.mark.parametrize(("loss", "steps", "uncovered"), rows(LOSSES), ids=lambda cell: cell[:5])
def test_a_loss_is_borne_by(loss: str, steps: str, uncovered: str) -> None:
    outcome = absorb(int(loss), HOUSE)
    shown = [f"{step.layer} {step.payer_id} {step.amount_e8}" for step in outcome.steps]
    assert shown == [step for step in steps.split(", ") if step]
    assert outcome.uncovered_e8 == int(uncovered)


@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_at_its_end_a_layer_is_empty_and_the_next_untouched(number: int) -> None:
    end = waterfall.boundaries(HOUSE)[number]
    left = waterfall.left(HOUSE, absorb(end, HOUSE))
    full = waterfall.left(HOUSE, absorb(0, HOUSE))
    assert [left[layer] for layer in LAYERS[: number + 1]] == [0] * (number + 1)
    assert [left[layer] for layer in LAYERS[number + 1 :]] == [full[layer] for layer in LAYERS[number + 1 :]]
    before = waterfall.left(HOUSE, absorb(end - 1, HOUSE))
    assert before[LAYERS[number]] == 1


@pytest.mark.parametrize("empty", LAYERS)
def test_an_empty_layer_is_passed_over(empty: waterfall.Layer) -> None:
    nothing = {
        "DEFAULTER_MARGIN": replace(HOUSE, margin_e8=0),
        "DEFAULTER_FUND": replace(HOUSE, fund_e8=0),
        "HOUSE_CAPITAL": replace(HOUSE, capital_e8=0),
        "OTHERS_FUND": replace(HOUSE, members=tuple(replace(one, fund_e8=0) for one in HOUSE.members)),
        "ASSESSMENTS": replace(HOUSE, members=tuple(replace(one, assessment_max_e8=0) for one in HOUSE.members)),
        "HAIRCUT": replace(HOUSE, members=tuple(replace(one, gain_e8=0) for one in HOUSE.members)),
        "TEAR_UP": replace(HOUSE, members=tuple(replace(one, claim_e8=0) for one in HOUSE.members)),
    }[empty]
    outcome = absorb(10_000, nothing)
    assert outcome.borne_e8(empty) == 0
    others = sum(waterfall.left(HOUSE, absorb(0, HOUSE))[layer] for layer in LAYERS if layer != empty)
    assert outcome.uncovered_e8 == 10_000 - others


def test_without_survivors_the_house_says_what_it_cannot_pay() -> None:
    alone = replace(HOUSE, members=())
    assert absorb(1_450, alone).uncovered_e8 == 0
    assert absorb(1_500, alone) == Outcome(1_500, absorb(1_450, alone).steps, 50)


@pytest.mark.parametrize(
    "unsound",
    [
        replace(HOUSE, margin_e8=-1),
        replace(HOUSE, members=(ANN, ANN)),
        replace(HOUSE, members=(replace(ANN, member_id="dan"),)),
        replace(HOUSE, members=(replace(ANN, gain_e8=-1),)),
    ],
    ids=["negative margin", "member twice", "defaulter survives", "negative gain"],
)
def test_resources_that_make_no_sense_are_a_broken_invariant(unsound: Resources) -> None:
    with pytest.raises(AssertionError):
        absorb(1, unsound)


def test_no_layer_can_reach_another_members_initial_margin() -> None:
    assert set(Member.__struct_fields__) == {"member_id", "fund_e8", "assessment_max_e8", "gain_e8", "claim_e8"}


# -- what comes back, and who defaults next ----------------------------------------------------------------------------


def test_a_payment_in_flight_that_arrives_after_the_default_repays_the_last_loser_first() -> None:
    outcome = absorb(1_952, HOUSE)
    repaid, left_e8 = waterfall.recover(outcome, 5)
    assert [(step.layer, step.payer_id, step.amount_e8) for step in repaid] == [
        ("ASSESSMENTS", "ann", 1), ("ASSESSMENTS", "cleo", 1),
        ("OTHERS_FUND", "ann", 2), ("OTHERS_FUND", "bob", 1),
    ]  # fmt: skip
    assert left_e8 == 0
    everything, left_e8 = waterfall.recover(outcome, 10_000)
    assert sum(step.amount_e8 for step in everything) == 1_952 - 1_200
    assert left_e8 == 10_000 - (1_952 - 1_200), "the rest is the defaulter's"


def test_what_was_uncovered_is_paid_first() -> None:
    assert waterfall.recover(absorb(2_530, HOUSE), 10) == ([], 0)


def test_a_second_default_meets_what_the_first_has_left() -> None:
    first = absorb(1_955, HOUSE)
    second = waterfall.without(HOUSE, "bob", first, margin_e8=70)
    assert (second.defaulter_id, second.margin_e8, second.fund_e8, second.capital_e8) == ("bob", 70, 0, 0)
    assert [member.member_id for member in second.members] == ["cleo", "ann"]
    assert {member.member_id: member.assessment_max_e8 for member in second.members} == {"ann": 297, "cleo": 99}
    assert absorb(70, second).by_payer() == {"bob": 70}
    assert absorb(80, second).by_payer() == {"bob": 70, "ann": 8, "cleo": 2}, "10 x 297/396 and 10 x 99/396"


def test_what_a_first_loss_has_cut_is_not_cut_again() -> None:
    """2 505 take all of the fund, all assessments, all gains, and 5 of 20 of the contracts' worth."""
    first = absorb(2_505, HOUSE)
    second = waterfall.without(HOUSE, "bob", first, margin_e8=70)
    left = {one.member_id: (one.fund_e8, one.assessment_max_e8, one.gain_e8, one.claim_e8) for one in second.members}
    torn = {step.payer_id: step.amount_e8 for step in first.steps if step.layer == "TEAR_UP"}
    assert left == {"ann": (0, 0, 0, 10 - torn["ann"]), "cleo": (0, 0, 0, 5 - torn["cleo"])} and sum(torn.values()) == 5


# -- properties --------------------------------------------------------------------------------------------------------

amounts = st.integers(0, 10**12)
members = st.builds(Member, st.sampled_from([f"m{number}" for number in range(9)]), amounts, amounts, amounts, amounts)
houses = st.builds(
    Resources, st.just("dan"), amounts, amounts, amounts,
    st.lists(members, max_size=6, unique_by=lambda one: one.member_id).map(tuple),
)  # fmt: skip


@LAW
@given(houses, st.integers(0, 10**14))
def test_the_sum_is_preserved_to_the_unit(house: Resources, loss_e8: int) -> None:
    outcome = absorb(loss_e8, house)
    assert sum(outcome.by_payer().values()) + outcome.uncovered_e8 == loss_e8
    assert all(step.amount_e8 > 0 for step in outcome.steps)
    assert min(waterfall.left(house, outcome).values()) >= 0


@LAW
@given(houses, st.integers(0, 10**14), st.integers(0, 10**13))
def test_a_larger_loss_never_leaves_a_layer_with_more(house: Resources, loss_e8: int, more_e8: int) -> None:
    less, more = absorb(loss_e8, house), absorb(loss_e8 + more_e8, house)
    assert all(waterfall.left(house, more)[x] <= waterfall.left(house, less)[x] for x in LAYERS)
    assert more.uncovered_e8 >= less.uncovered_e8


@LAW
@given(houses, st.integers(0, 10**14))
def test_a_layer_pays_only_when_those_before_it_are_empty(house: Resources, loss_e8: int) -> None:
    outcome = absorb(loss_e8, house)
    left = waterfall.left(house, outcome)
    paying = [number for number, layer in enumerate(LAYERS) if outcome.borne_e8(layer)]
    assert all(left[layer] == 0 for layer in LAYERS[: max(paying, default=0)])


@LAW
@given(houses, st.integers(0, 10**14))
def test_the_order_of_the_members_does_not_matter(house: Resources, loss_e8: int) -> None:
    backwards = replace(house, members=tuple(reversed(house.members)))
    assert absorb(loss_e8, backwards) == absorb(loss_e8, house)


@LAW
@given(houses, st.integers(0, 10**14), st.integers(0, 10**14))
def test_recovery_preserves_the_sum_and_repays_nobody_more_than_he_lost(
    house: Resources, loss_e8: int, amount_e8: int
) -> None:
    outcome = absorb(loss_e8, house)
    repaid, left_e8 = waterfall.recover(outcome, amount_e8)
    assert sum(s.amount_e8 for s in repaid) + left_e8 + min(amount_e8, outcome.uncovered_e8) == amount_e8
    lost = {(step.layer, step.payer_id): step.amount_e8 for step in outcome.steps}
    assert all(step.amount_e8 <= lost[step.layer, step.payer_id] for step in repaid)


@LAW
@given(st.integers(0, 10**18), st.lists(st.integers(0, 10**18), min_size=1, max_size=20))
def test_apportioned_shares_sum_to_the_total_and_are_near_their_part(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    if whole == 0:
        assert apportion(0, weights) == [0] * len(weights)
        return
    shares = apportion(total, weights)
    assert sum(shares) == total
    assert all(abs(share * whole - total * weight) < whole for share, weight in zip(shares, weights, strict=True))
    if total <= whole:
        assert all(share <= weight for share, weight in zip(shares, weights, strict=True))


def test_apportioning_by_nothing_is_a_broken_invariant() -> None:
    with pytest.raises(AssertionError, match="something to cut by"):
        apportion(1, [0, 0])
