"""Which venue gets an order: a pure function of the order, the listings and the books. See docs/routing.md."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from truetape.messages import BookSeen, Instrument, Listing, OrderTerms, Side
from truetape.money import ONE_E8, divide, notional
from truetape.venue.book import BookView, Level

BOOK_MAX_AGE_US: Final = 3_000_000
"""Older books decide nothing."""
Books = Mapping[tuple[str, str], BookView]
"""The newest book by venue and the venue's symbol."""


class Candidate(NamedTuple):
    """A venue that can take the order."""

    listing: Listing
    price_e8: int
    """The limit, on the venue's tick."""
    seen: BookSeen


class Choice(NamedTuple):
    """Where the order goes; no candidate and a reason when nowhere."""

    chosen: Candidate | None
    reason: str
    seen: tuple[BookSeen, ...]


def choose(terms: OrderTerms, limit_price_e8: int, instrument: Instrument | None, books: Books, at_us: int) -> Choice:
    """Compare the venues that list the instrument; `limit_price_e8` is the worst price at which it may fill."""
    listings = instrument.listings if instrument is not None else ()
    candidates: list[Candidate] = []
    seen: list[BookSeen] = []
    reason = "NOT_LISTED"
    for listing in listings:
        price_e8 = inward(limit_price_e8, listing.tick_e8, terms.side)
        view = books.get((listing.venue, listing.symbol))
        known = view is not None and view.usable
        if known:
            assert view is not None
            seen.append(look(view, listing, terms, price_e8, at_us))
        if refusal := refused(listing, terms.quantity_e8, price_e8):
            reason = refusal if reason == "NOT_LISTED" else reason
        elif known and seen[-1].age_us <= BOOK_MAX_AGE_US:
            candidates.append(Candidate(listing, price_e8, seen[-1]))
        else:
            reason = "NO_FRESH_BOOK"
    if not candidates:
        return Choice(None, reason, tuple(seen))
    return Choice(pick(terms, candidates), "", tuple(seen))


def inward(price_e8: int, tick_e8: int, side: Side) -> int:
    """The nearest price on the tick that is no worse for the client: down for a buy, up for a sell."""
    return divide(price_e8, tick_e8, "down" if side == "BUY" else "up")[0] * tick_e8


def refused(listing: Listing, quantity_e8: int, price_e8: int) -> str:
    """Why the venue would refuse the order by its published rules; empty when it would not."""
    if quantity_e8 % listing.lot_e8:
        return "QUANTITY_OFF_VENUE_LOT"
    if quantity_e8 < listing.min_quantity_e8 or price_e8 <= 0:
        return "BELOW_VENUE_MINIMUM"
    if notional(price_e8, quantity_e8, "down") < listing.min_notional_e8:
        return "BELOW_VENUE_MINIMUM"
    return ""


def look(view: BookView, listing: Listing, terms: OrderTerms, price_e8: int, at_us: int) -> BookSeen:
    """What the order would meet in this book."""
    levels = view.asks if terms.side == "BUY" else view.bids
    fillable_e8, cost_e8 = sweep(levels, terms.side, price_e8, terms.quantity_e8, listing.taker_rate_e8)
    return BookSeen(
        venue=listing.venue,
        sequence=view.sequence,
        age_us=max(at_us - view.observed_at_us, 0),
        fillable_e8=fillable_e8,
        best_bid_e8=view.bids[0][0] if view.bids else None,
        best_ask_e8=view.asks[0][0] if view.asks else None,
        cost_e8=cost_e8,
    )


def sweep(
    levels: Iterable[Level], side: Side, limit_e8: int, quantity_e8: int, taker_rate_e8: int
) -> tuple[int, int | None]:
    """Take the best levels within the limit: (quantity fillable, all-in cost per unit, rounded against the venue).

    The cost of a sell is negative: what it brings, less the fee. None when nothing is fillable.
    """
    sign = 1 if side == "BUY" else -1
    left, paid = quantity_e8, 0
    for price_e8, available_e8 in levels:
        if sign * (price_e8 - limit_e8) > 0 or not left:
            break
        taken = available_e8 if available_e8 < left else left
        left -= taken
        paid += price_e8 * taken
    filled = quantity_e8 - left
    if not filled:
        return 0, None
    return filled, divide(sign * paid * (ONE_E8 + sign * taker_rate_e8), filled * ONE_E8, "up")[0]


def pick(terms: OrderTerms, candidates: Iterable[Candidate]) -> Candidate:
    """The best candidate: by what it would cost if it takes, by where it would rest best if it does not."""
    found = tuple(candidates)
    takes = not terms.post_only and (terms.time_in_force != "GTC" or any(one.seen.fillable_e8 for one in found))
    if takes:
        return min(found, key=lambda one: (_whole_cost(terms, one), _distance(terms.side, one), one.listing.venue))
    return min(
        found,
        key=lambda one: (
            one.seen.fillable_e8 > 0,  # A post-only order would be refused here.
            one.listing.maker_rate_e8,
            _distance(terms.side, one),
            one.listing.venue,
        ),
    )


def _whole_cost(terms: OrderTerms, one: Candidate) -> int:
    """Cost of the whole quantity in units of 1e-24: what the book does not show is valued at the limit, with the
    maker fee where it may rest there and the taker fee where it may not."""
    sign = 1 if terms.side == "BUY" else -1
    rest_e8 = terms.quantity_e8 - one.seen.fillable_e8
    rate_e8 = one.listing.maker_rate_e8 if terms.time_in_force == "GTC" else one.listing.taker_rate_e8
    shown = one.seen.fillable_e8 * (one.seen.cost_e8 or 0) * ONE_E8
    return shown + sign * one.price_e8 * rest_e8 * (ONE_E8 + sign * rate_e8)


def _distance(side: Side, one: Candidate) -> int:
    """How far the other side's best price is beyond our limit, in our direction; a side without orders is furthest."""
    best_e8 = one.seen.best_ask_e8 if side == "BUY" else one.seen.best_bid_e8
    if best_e8 is None:
        return 2**63
    return best_e8 - one.price_e8 if side == "BUY" else one.price_e8 - best_e8
