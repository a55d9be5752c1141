"""Which venue gets an order: rows a trader can read, and the sweep against every other way to take the levels."""

from fractions import Fraction
from itertools import permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.router.choice import BOOK_MAX_AGE_US, Books, Candidate, choose, inward, pick, sweep
from truetape.messages import Instrument, Listing, OrderTerms, Side, TimeInForce
from truetape.money import ONE_E8, to_e8
from truetape.venue.book import BookView, Level

NOW_US = 1_000_000_000
LOT = to_e8("0.00001")


def listing(venue: str, taker: str = "0.001", maker: str = "0.001", tick: str = "0.01", least: str = "5") -> Listing:
    return Listing(
        venue, "BTCUSDT", to_e8(tick), LOT, to_e8("0.0001"), to_e8(least), round(to_e8(maker)), round(to_e8(taker))
    )


def instrument(*listings: Listing) -> Instrument:
    e8 = ONE_E8
    return Instrument("BTC-USDT", "BTC", "USDT", 10**6, LOT, LOT, 100 * e8, 5 * e8, 10**7 * e8, True, listings)


def terms(
    side: Side = "BUY", quantity: str = "1", time_in_force: TimeInForce = "GTC", post_only: bool = False
) -> OrderTerms:
    return OrderTerms("id", "acct", "c", "BTC-USDT", side, "LIMIT", time_in_force, post_only, to_e8(quantity), 1)


def levels(text: str) -> tuple[Level, ...]:
    """ "100x1 101x2" """
    pairs = [pair.split("x") for pair in text.split()]
    return tuple((to_e8(price), to_e8(quantity)) for price, quantity in pairs)


def view(venue: str, bids: str = "", asks: str = "", age_us: int = 0, usable: bool = True) -> BookView:
    return BookView(venue, "BTCUSDT", 7, NOW_US - age_us, levels(bids), levels(asks), usable)


def books(*views: BookView) -> Books:
    return {(one.venue, one.symbol): one for one in views}


ALPHA, BETA = listing("alpha"), listing("beta", taker="0.0005", maker="0.0012")


@pytest.mark.parametrize(
    ("order", "limit", "alpha", "beta", "chosen"),
    [
        #  order                                  limit    alpha's asks       beta's asks         goes to
        (terms(quantity="1"), "110", "100x5", "100x5", "beta"),  # Equal books: the lower fee.
        (terms(quantity="1"), "110", "100x5", "100.04x5", "beta"),  # 100.100 against 100.090 all in.
        (terms(quantity="1"), "110", "100x5", "100.06x5", "alpha"),  # 100.100 against 100.110.
        (terms(quantity="2"), "110", "100x1 108x9", "103x9", "beta"),  # The sweep counts, not the best price.
        (terms(quantity="1"), "110", "100x1", "99x0.5", "alpha"),  # What is not shown counts at the limit.
        (terms(quantity="2", time_in_force="IOC"), "110", "100x1", "101x2", "beta"),
        (terms(quantity="2", time_in_force="FOK"), "110", "100x1", "109x2", "alpha"),
        (terms(quantity="1", time_in_force="IOC"), "99", "100x1", "101x1", "beta"),  # Nothing fills: fees at the limit.
        (terms(quantity="1"), "99", "100x5", "99.50x5", "alpha"),  # Rests: the lower maker fee.
        (terms(quantity="1", post_only=True), "100", "100x5", "101x5", "beta"),  # Would take on alpha.
        (terms(quantity="1", post_only=True), "99", "100x5", "101x5", "alpha"),
        (terms(quantity="1"), "110", "", "109x1", "beta"),
    ],
)
def test_a_buy_goes_where_it_is_cheapest_now(order: OrderTerms, limit: str, alpha: str, beta: str, chosen: str) -> None:
    choice = choose(
        order, to_e8(limit), instrument(ALPHA, BETA), books(view("alpha", "", alpha), view("beta", "", beta)), NOW_US
    )
    assert choice.chosen is not None
    assert choice.chosen.listing.venue == chosen
    assert [seen.venue for seen in choice.seen] == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("limit", "alpha", "beta", "chosen"),
    [
        ("90", "100x5", "100x5", "beta"),
        ("90", "100x5", "99.96x5", "beta"),  # 99.900 against 99.910 after fees.
        ("90", "100x5", "99.94x5", "alpha"),
        ("90", "100x1 91x9", "95x9", "alpha"),
        ("101", "100x5", "100.50x5", "alpha"),  # Rests.
    ],
)
def test_a_sell_goes_where_it_brings_most(limit: str, alpha: str, beta: str, chosen: str) -> None:
    found = books(view("alpha", alpha), view("beta", beta))
    choice = choose(terms("SELL"), to_e8(limit), instrument(ALPHA, BETA), found, NOW_US)
    assert choice.chosen is not None
    assert choice.chosen.listing.venue == chosen


def test_of_equal_resting_places_the_nearer_then_the_first_name() -> None:
    one, two = listing("one"), listing("two")
    near = books(view("one", asks="105x1"), view("two", asks="104x1"))
    choice = choose(terms(), to_e8("100"), instrument(one, two), near, NOW_US)
    assert choice.chosen is not None
    assert choice.chosen.listing.venue == "two"
    equal = books(view("one", asks="105x1"), view("two", asks="105x1"))
    choice = choose(terms(), to_e8("100"), instrument(two, one), equal, NOW_US)
    assert choice.chosen is not None
    assert choice.chosen.listing.venue == "one"


FRESH, STALE = view("alpha", asks="100x1"), view("alpha", asks="100x1", age_us=BOOK_MAX_AGE_US + 1)


@pytest.mark.parametrize(
    ("listings", "found", "quantity", "limit", "reason", "seen"),
    [
        ((), (FRESH,), "1", "100", "NOT_LISTED", 0),
        ((ALPHA,), (), "1", "100", "NO_FRESH_BOOK", 0),
        ((ALPHA,), (STALE,), "1", "100", "NO_FRESH_BOOK", 1),
        ((ALPHA,), (view("alpha", usable=False),), "1", "100", "NO_FRESH_BOOK", 0),
        ((ALPHA,), (FRESH,), "1.000001", "100", "QUANTITY_OFF_VENUE_LOT", 1),
        ((ALPHA,), (FRESH,), "0.00005", "100", "BELOW_VENUE_MINIMUM", 1),
        ((ALPHA,), (FRESH,), "0.01", "100", "BELOW_VENUE_MINIMUM", 1),
        ((listing("alpha", tick="1000"),), (FRESH,), "1", "100", "BELOW_VENUE_MINIMUM", 1),
        ((ALPHA, listing("beta", least="0.5")), (FRESH,), "0.01", "100", "NO_FRESH_BOOK", 1),
    ],
)
def test_no_venue_has_a_named_reason(
    listings: tuple[Listing, ...], found: tuple[BookView, ...], quantity: str, limit: str, reason: str, seen: int
) -> None:
    choice = choose(terms(quantity=quantity), to_e8(limit), instrument(*listings), books(*found), NOW_US)
    assert (choice.chosen, choice.reason, len(choice.seen)) == (None, reason, seen)


def test_an_unknown_instrument_is_listed_nowhere() -> None:
    assert choose(terms(), 1, None, {}, NOW_US).reason == "NOT_LISTED"


def test_a_venue_that_cannot_take_the_order_is_passed_over() -> None:
    found = books(view("alpha", asks="100x1"), view("beta", asks="90x1"))
    choice = choose(terms(quantity="0.1"), to_e8("100"), instrument(ALPHA, listing("beta", least="50")), found, NOW_US)
    assert choice.chosen is not None
    assert choice.chosen.listing.venue == "alpha"


@pytest.mark.parametrize(
    ("price", "tick", "side", "result"),
    [(105, 10, "BUY", 100), (105, 10, "SELL", 110), (100, 10, "BUY", 100), (100, 10, "SELL", 100), (9, 10, "BUY", 0)],
)
def test_prices_are_rounded_in_favour_of_the_client(price: int, tick: int, side: Side, result: int) -> None:
    assert inward(price, tick, side) == result


# ---- properties

SIDES: tuple[Side, ...] = ("BUY", "SELL")
a_side = st.sampled_from(SIDES)
some_levels = st.dictionaries(st.integers(80, 120), st.integers(1, 50), max_size=6)
a_fee = st.integers(-20_000, 300_000)


def ranked(found: dict[int, int], side: str) -> tuple[Level, ...]:
    return tuple(sorted(((p * ONE_E8, q * LOT) for p, q in found.items()), reverse=side == "SELL"))


@given(some_levels, a_side, st.integers(80, 120), st.integers(1, 100), a_fee)
def test_the_sweep_is_the_cheapest_way_to_take_what_can_be_had(
    found: dict[int, int], side: Side, limit: int, lots: int, fee: int
) -> None:
    sign = 1 if side == "BUY" else -1
    allowed = [(p, q) for p, q in found.items() if sign * (p - limit) <= 0]
    available = sum(q for _, q in allowed)
    filled, cost_e8 = sweep(ranked(found, side), side, limit * ONE_E8, lots * LOT, fee)
    assert filled == min(available, lots) * LOT
    if not filled:
        assert cost_e8 is None
        return
    best: Fraction | None = None
    for order in permutations(allowed):
        left, paid = filled // LOT, Fraction(0)
        for price, quantity in order:
            taken = min(left, quantity)
            left -= taken
            paid += sign * price * taken * (1 + sign * Fraction(fee, ONE_E8))
        cost = paid / (filled // LOT)
        best = cost if best is None else min(best, cost)
    assert best is not None and cost_e8 is not None
    assert 0 <= cost_e8 - best * ONE_E8 < 1, "exact, and rounded against the venue"


@st.composite
def situations(draw: st.DrawFn) -> tuple[OrderTerms, int, list[Listing], list[BookView]]:
    side: Side = draw(a_side)
    order = terms(side, "1", draw(st.sampled_from(["GTC", "IOC", "FOK"])))
    order = msgspec.structs.replace(order, quantity_e8=draw(st.integers(20, 90)) * LOT * 1_000)
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    listings = [
        msgspec.structs.replace(listing(name), taker_rate_e8=draw(a_fee), maker_rate_e8=draw(a_fee)) for name in names
    ]
    views = []
    for name in names:
        found = ranked({p: q * 1_000 for p, q in draw(some_levels).items()}, side)
        bids, asks = ((), found) if side == "BUY" else (found, ())
        views.append(BookView(name, "BTCUSDT", 1, NOW_US, bids, asks))
    return order, draw(st.integers(80, 120)) * ONE_E8, listings, views


@settings(max_examples=200)
@given(situations())
def test_the_choice_depends_on_what_the_event_says_alone(
    situation: tuple[OrderTerms, int, list[Listing], list[BookView]],
) -> None:
    """The same venues in another order give the same choice, and the recorded books alone lead to it again."""
    order, limit_e8, listings, views = situation
    choice = choose(order, limit_e8, instrument(*listings), books(*views), NOW_US)
    assert choice.chosen is not None
    again = choose(order, limit_e8, instrument(*reversed(listings)), books(*views), NOW_US)
    assert again.chosen == choice.chosen
    by_venue = {one.venue: one for one in listings}
    recorded = [Candidate(by_venue[seen.venue], limit_e8, seen) for seen in choice.seen]
    assert pick(order, recorded) == choice.chosen


@settings(max_examples=200)
@given(situations())
def test_one_more_venue_never_makes_a_taking_order_dearer(
    situation: tuple[OrderTerms, int, list[Listing], list[BookView]],
) -> None:
    order, limit_e8, listings, views = situation

    def whole(count: int) -> Fraction:
        """Cost of the order, what is not shown valued at the limit with the fee that it would pay."""
        choice = choose(order, limit_e8, instrument(*listings[:count]), books(*views), NOW_US)
        assert choice.chosen is not None
        one, sign = choice.chosen, 1 if order.side == "BUY" else -1
        rate = one.listing.maker_rate_e8 if order.time_in_force == "GTC" else one.listing.taker_rate_e8
        rest = order.quantity_e8 - one.seen.fillable_e8
        at_limit = sign * limit_e8 * (1 + sign * Fraction(rate, ONE_E8))
        return one.seen.fillable_e8 * (one.seen.cost_e8 or 0) + rest * at_limit

    takes = order.time_in_force != "GTC" or all(
        sweep(v.asks or v.bids, order.side, limit_e8, order.quantity_e8, 0)[0] for v in views
    )
    if takes:
        costs = [whole(count) for count in range(1, len(listings) + 1)]
        assert costs == sorted(costs, reverse=True)
