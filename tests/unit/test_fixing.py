"""Settlement prices: windows a trader can read, fallbacks, and independence of the order in which prices came."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truetape.errors import FixingMissing
from truetape.fixing import Fixing, FixingRule, FixingTerms, Observation, expected, fix

TERMS = FixingTerms(window_us=1000, samples=10, price_max_age_us=500, last_max_age_us=2000)
EXPIRY = 10_000

#   rule     prices at moments before expiry        | price source coverage in percent
ROWS = """
    TIME     1000:50  500:60                        | 55   WINDOW 100   half and half
    TIME     1200:40  900:50  500:60                | 54   WINDOW 100   40 for 100, 50 for 400, 60 for 500
    TIME     1000:50  500:60  -1:900                | 55   WINDOW 100   after expiry is too late
    TIME     1000:50                                | 50   WINDOW  50   it holds 500, which is enough
    TIME     300:70   0:99                          | 99   LAST    30   too little; the last one is young
    TIME     1900:33                                | 33   LAST     0   nothing in the window
    TIME     2000:33                                | 33   LAST     0   the oldest that the fallback takes
    TIME     1000:-5  500:-7                        | -6   WINDOW 100   prices may be negative
    TIME     700:50   700:60  350:70                | 65   WINDOW  70   of two at a moment the higher
    SAMPLES  1000:50  500:60                        | 56   WINDOW  90   4 x 50, 5 x 60; for the last, 60 is too old
    SAMPLES  1000:50  500:60  0:160                 | 66   WINDOW 100   the last sample is taken at expiry
    SAMPLES  450:50                                 | 50   WINDOW  50   samples at 400, 300, 200, 100 and 0
"""


def seen(words: str) -> list[Observation]:
    pairs = (word.split(":") for word in words.split())
    return [Observation(EXPIRY - int(before), int(price)) for before, price in pairs]


@pytest.mark.parametrize("row", ROWS.strip().splitlines(), ids=lambda row: row.split("|")[0].strip())
def test_fixing(row: str) -> None:
    given_, wanted = row.split("|")
    rule, prices = given_.strip().split(maxsplit=1)
    terms = FixingTerms(1000, "SAMPLES" if rule == "SAMPLES" else "TIME", 10, 500, 50_000_000, 2000)
    found = fix(terms, EXPIRY, seen(prices))
    price, source, percent = wanted.split()[:3]
    assert (found.price_e8, found.source, found.coverage_e8) == (int(price), source, int(percent) * 10**6)


def test_a_fixing_names_what_it_was_made_of() -> None:
    found = fix(TERMS, EXPIRY, seen("1200:40 900:50 500:60"))
    assert found == Fixing(54, "WINDOW", 10**8, 3, EXPIRY - 1200, EXPIRY - 500)


@pytest.mark.parametrize("prices", ["", "2001:50", "-1:50"], ids=["none", "too old", "too late"])
def test_without_prices_an_operator_is_asked(prices: str) -> None:
    with pytest.raises(FixingMissing, match="operator"):
        fix(TERMS, EXPIRY, seen(prices))


def test_inside_the_window_the_past_is_fixed_and_the_rest_expected() -> None:
    prices = seen("1000:50 500:60")
    assert expected(TERMS, EXPIRY, EXPIRY - 1000, prices) == 50
    assert expected(TERMS, EXPIRY, EXPIRY - 500, prices) == 55
    assert expected(TERMS, EXPIRY, EXPIRY, prices) == fix(TERMS, EXPIRY, prices).price_e8
    assert expected(TERMS, EXPIRY, EXPIRY - 5000, seen("5000:42")) == 42, "before the window: the newest"
    with pytest.raises(FixingMissing, match="wait"):
        expected(TERMS, EXPIRY, EXPIRY - 500, seen("499:60"))


moments = st.lists(st.builds(Observation, st.integers(EXPIRY - 2500, EXPIRY + 100), st.integers(-90, 90)), max_size=12)


@given(moments, st.sampled_from(["TIME", "SAMPLES"]), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(prices: list[Observation], rule: FixingRule, chance: Random) -> None:
    terms = FixingTerms(1000, rule, 10, 500, 50_000_000, 2000)
    again = [*prices, *prices[:3]]
    chance.shuffle(again)
    try:
        first = fix(terms, EXPIRY, prices)
    except FixingMissing:
        with pytest.raises(FixingMissing):
            fix(terms, EXPIRY, again)
        return
    assert fix(terms, EXPIRY, again) == first


@given(moments, st.sampled_from(["TIME", "SAMPLES"]))
def test_a_mean_is_between_the_prices_it_was_made_of(prices: list[Observation], rule: FixingRule) -> None:
    try:
        found = fix(FixingTerms(1000, rule, 10, 500, 50_000_000, 2000), EXPIRY, prices)
    except FixingMissing:
        return
    used = [price.price_e8 for price in prices if found.first_us <= price.at_us <= found.last_us]
    assert min(used) <= found.price_e8 <= max(used)
    assert 0 <= found.coverage_e8 <= 10**8
