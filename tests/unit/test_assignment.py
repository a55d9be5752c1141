"""Assignment of exercises: in proportion and by lot; whole contracts, exact sums, and the same again from the seed."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.assignment import Assigned, Short, assign_by_lot, assign_pro_rata
from truetape.errors import ContractError

Assign = Callable[[int, list[Short]], list[Assigned]]
BOOK = [Short("ann", 50), Short("bob", 30), Short("cid", 20)]


def test_in_proportion() -> None:
    assert assign_pro_rata(10, BOOK) == [Assigned("ann", 5), Assigned("bob", 3), Assigned("cid", 2)]
    assert assign_pro_rata(1, BOOK) == [Assigned("ann", 1)]
    assert assign_pro_rata(100, BOOK) == [Assigned("ann", 50), Assigned("bob", 30), Assigned("cid", 20)]
    assert assign_pro_rata(0, BOOK) == []


def test_by_lot_is_fair_over_many_seeds() -> None:
    counts: Counter[str] = Counter()
    for seed in range(2000):
        for assigned in assign_by_lot(1, BOOK, seed.to_bytes(4, "big")):
            counts[assigned.account_id] += assigned.contracts
    assert sum(counts.values()) == 2000
    for short in BOOK:
        assert abs(counts[short.account_id] / 2000 - short.contracts / 100) < 0.05


@pytest.mark.parametrize(
    ("exercised", "shorts", "says"),
    [
        (101, BOOK, "fewer that are short"),
        (-1, BOOK, "fewer that are short"),
        (1, [Short("ann", -1)], "positive numbers"),
        (1, [Short("ann", 1), Short("ann", 1)], "twice"),
        (1, [], "fewer that are short"),
    ],
)
def test_what_cannot_be_assigned_is_refused(exercised: int, shorts: list[Short], says: str) -> None:
    assigns: list[Assign] = [assign_pro_rata, lambda count, held: assign_by_lot(count, held, b"seed")]
    for assign in assigns:
        with pytest.raises(ContractError, match=says):
            assign(exercised, shorts)


books = st.lists(st.integers(0, 60), min_size=1, max_size=9).map(
    lambda sizes: [Short(f"account-{index}", size) for index, size in enumerate(sizes)]
)


@given(books, st.data(), st.binary(max_size=8), st.randoms(use_true_random=False))
def test_whole_contracts_near_the_fair_share_and_again_the_same(
    book: list[Short], data: st.DataObject, seed: bytes, chance: Random
) -> None:
    whole = sum(short.contracts for short in book)
    exercised = data.draw(st.integers(0, whole))
    shuffled = chance.sample(book, len(book))
    held = {short.account_id: short.contracts for short in book}
    for found, again in (
        (assign_by_lot(exercised, book, seed), assign_by_lot(exercised, shuffled, seed)),
        (assign_pro_rata(exercised, book), assign_pro_rata(exercised, shuffled)),
    ):
        assert found == again
        assert sum(assigned.contracts for assigned in found) == exercised
        for assigned in found:
            fair = Fraction(exercised * held[assigned.account_id], whole)
            assert 0 < assigned.contracts <= held[assigned.account_id]
            assert abs(assigned.contracts - fair) < 1
