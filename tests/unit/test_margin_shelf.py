"""What is kept between decisions about margin says exactly, to the last bit, what is computed anew."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.contract_desk import E8, future, instrument
from tests.unit.desk import mark
from tests.unit.margin_desk import LAW, V1, V2
from tests.unit.margin_stage import ETH, EXPIRIES, OPTIONS, PERP, accounts, held, published
from truetape.errors import MarginError
from truetape.margin import black76, listing, memo
from truetape.margin.account import Account
from truetape.margin.classed import ClassBook, OpenOrder
from truetape.margin.memo import Memo
from truetape.margin.portfolio_v1 import PortfolioV1
from truetape.margin.portfolio_v2 import PortfolioV2
from truetape.margin.pricer import Pricer, Terms
from truetape.margin.published import Published
from truetape.margin.shelf import book_of

NAMES = (PERP, ETH, *OPTIONS)
FUTURE = "BTC-USDT-F2"
Step = Callable[[Published], Published]


def marked(name: str, price: float, late_us: int) -> Step:
    """A newer mark, observed a little earlier or later."""

    def step(seen: Published) -> Published:
        seen.marks.newest[name] = mark(f"{price:.8f}", seen.at_us + late_us, name)
        return seen

    return step


def listed(seen: Published) -> Published:
    """A future on the options' first expiry: from then on it is their forward."""
    seen.reference.instruments[FUTURE] = instrument(FUTURE, future(margin_class="house", expires_at_us=EXPIRIES[0]))
    return marked(FUTURE, 60_700, 0)(seen)


def contract_changed(seen: Published) -> Published:
    """Twice the perpetual's multiplier, in the same dict."""
    one = seen.reference.instruments[PERP]
    assert one.contract is not None
    terms = replace(one.contract, multiplier_e8=one.contract.multiplier_e8 * 2)
    seen.reference.instruments[PERP] = replace(one, contract=terms)
    return seen


def class_changed(seen: Published) -> Published:
    """Another rate."""
    one = seen.reference.margin_classes["house"]
    seen.reference.margin_classes["house"] = replace(one, rate_e8=one.rate_e8 + 10**6)
    return seen


def _nothing(seen: Published) -> Published:
    return seen


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        marked, st.sampled_from((*NAMES, "BTC-USDT", FUTURE)), st.sampled_from([900.0, 58_000.0, 61_000.0]),
        st.sampled_from([-10**12, 0, 400_000]),
    ),
    st.builds(lambda us: lambda seen: seen._replace(at_us=seen.at_us + us), st.sampled_from([1, 700_000, 10**7])),
    st.builds(lambda us: lambda seen: seen._replace(max_age_us=us), st.sampled_from([None, 10**6, 10**12])),
    st.sampled_from([listed, contract_changed, class_changed]),
)  # fmt: skip


def answers(book: Callable[[], ClassBook], account: Account) -> Any:
    """All that a book says of an account, with two open orders and one more."""
    orders = [OpenOrder(name, E8, 900 * E8, E8) for name in sorted(account.positions)[:3]]
    try:
        made = book()
        floors = made.floors_e8(account.positions, [], orders, [len(orders) - 1, len(orders)])
        return made.need(account.positions), floors, made.marks, made.needs([account.positions], [[]])
    except MarginError as error:
        return str(error)


def differs(account: Account, model: str, steps: list[Step]) -> bool:
    """Whether a book from the shelf ever says something else than one made anew."""
    seen = published(model)
    for step in [_nothing, *steps, _nothing]:
        seen = step(seen)
        named, names = seen.reference.margin_classes["house"], tuple(account.positions)
        kept = answers(lambda: book_of(named, names, seen), account)  # noqa: B023
        if kept != answers(lambda: ClassBook(named, names, seen), account):  # noqa: B023
            return True
    return False


@LAW
@given(accounts(NAMES).filter(lambda one: one.positions), st.sampled_from(["portfolio_v1", "portfolio_v2", "standard"]),
       st.lists(STEPS, max_size=6))  # fmt: skip
def test_a_book_from_the_shelf_says_what_one_made_anew_says(account: Account, model: str, steps: list[Step]) -> None:
    assert not differs(account, model, steps)


@pytest.mark.parametrize(
    "step", [marked(PERP, 58_000.0, 0), contract_changed, lambda seen: seen._replace(at_us=seen.at_us + 10**9)]
)
def test_a_shelf_that_does_not_look_is_found(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account({}, {name: held(1, 100) for name in (PERP, *list(OPTIONS)[:2])})
    assert not differs(account, "portfolio_v2", [step])
    monkeypatch.setattr(listing.Noted, "holds", lambda self, seen: True)
    monkeypatch.setattr(listing.Listing, "holds", lambda self, instruments: True)
    assert differs(account, "portfolio_v2", [step])


def test_a_dict_at_an_old_address_is_no_old_listing() -> None:
    seen = published("portfolio_v2")
    instruments = seen.reference.instruments
    known = listing.listing_of(instruments)
    assert listing.listing_of(instruments) is known
    name, one = instruments.popitem()
    assert listing.listing_of(instruments) is not known
    instruments["another name"] = one
    assert not known.holds(instruments)
    del instruments["another name"]
    instruments[name] = one
    assert known.holds(instruments)


# -- rows of numbers ---------------------------------------------------------------------------------------------------

TERMS: st.SearchStrategy[Terms] = st.builds(
    Terms,
    st.sampled_from([0.0, 61.3, 97.0]), st.sampled_from([3.0, 50.5]), st.sampled_from([0.0, 10.0, 86_400.0 * 200]),
    st.sampled_from([-0.01, 0.0, 0.05]), st.floats(50, 200), st.booleans(), st.floats(0.0, 3.0),
)  # fmt: skip


@LAW
@given(st.lists(TERMS, min_size=1, max_size=40), st.sampled_from([V1, V2]))
def test_a_price_does_not_depend_on_what_is_priced_beside_it(
    terms: list[Terms], model: PortfolioV1 | PortfolioV2
) -> None:
    together = Pricer(model.rules).prices(terms)
    known = Pricer(model.rules)
    for place, one in enumerate(terms):
        assert Pricer(model.rules).prices([one]).table.tobytes() == together.table[place].tobytes()
        known.prices(terms[: place // 2])
    assert known.prices(terms).table.tobytes() == together.table.tobytes()
    assert known.prices(terms[::-1]).discounts.tobytes() == together.discounts[::-1].tobytes()


@LAW
@given(st.lists(st.tuples(st.floats(50, 200), st.floats(0, 90), st.booleans()), min_size=1, max_size=40))
def test_what_a_price_implies_does_not_depend_on_the_others(cases: list[tuple[float, float, bool]]) -> None:
    strikes, prices, calls = (np.array(each) for each in zip(*cases, strict=True))
    together = black76.implied(100.0, strikes, prices, calls, 5.0)
    for place, (strike, price, is_call) in enumerate(cases):
        alone = black76.implied(np.array([100.0]), np.array([strike]), np.array([price]), np.array([is_call]), 5.0)
        assert alone.tobytes() == together[place : place + 1].tobytes()


def test_a_memo_is_bounded_and_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "ROWS_KEPT", 4)
    asked: list[int] = []
    kept = Memo(2)

    def rows(*keys: int) -> Any:
        def compute(places: list[int]) -> Any:
            asked.extend(keys[place] for place in places)
            return np.array([[keys[place], -keys[place]] for place in places], dtype=np.float64)

        return kept.rows(keys, compute).tolist()

    assert rows(1, 2, 1) == [[1, -1], [2, -2], [1, -1]]
    assert rows(2, 3, 4) == [[2, -2], [3, -3], [4, -4]]
    assert asked == [1, 2, 3, 4]
    assert rows(4, 5) == [[4, -4], [5, -5]]  # One too many: all are forgotten.
    assert rows(5, 1, 4) == [[5, -5], [1, -1], [4, -4]]
    assert asked == [1, 2, 3, 4, 4, 5, 1]
    assert rows(1, 2, 3, 4, 5, 6) == [[each, -each] for each in range(1, 7)]  # More than can be kept.
    assert rows() == []
