"""What a record says in words."""

from typing import Any

import pytest
from msgspec import to_builtins

from tests.unit.desk import ANN
from truetape import messages as m
from truetape.commands.trades import differing
from truetape.saying import legible, says

E8 = 10**8
CAUSE = m.Cause("orders.decisions", 0, 1, "")
META = m.Meta(1, 1, CAUSE, 0, "e", "")


def terms(**changes: Any) -> m.OrderTerms:
    known: dict[str, Any] = {
        "order_id": "o", "account_id": ANN, "client_order_id": "c", "instrument_id": "BTC-USDT", "side": "BUY",
        "order_type": "LIMIT", "time_in_force": "GTC", "post_only": False, "quantity_e8": E8 // 100,
        "price_e8": 60_000 * E8,
    }  # fmt: skip
    return m.OrderTerms(**known | changes)


LEG = m.RoutedLeg(0, "alpha", "BTCUSDT", "TT", E8 // 100, 60_000 * E8, 1)
SEEN = (
    m.BookSeen(venue="alpha", sequence=1, age_us=1, fillable_e8=E8, cost_e8=60_060 * E8),
    m.BookSeen(venue="beta", sequence=1, age_us=1, fillable_e8=0),
)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (m.SubmitOrder(terms(), "k", 1), "BUY 0.01 BTC-USDT at 60000, GTC"),
        (m.SubmitOrder(terms(price_e8=None, time_in_force="IOC"), "k", 1), "BUY 0.01 BTC-USDT at the market, IOC"),
        (m.SubmitOrder(terms(post_only=True), "k", 1), "BUY 0.01 BTC-USDT at 60000, post-only"),
        (m.SubmitOrder(terms(position_effect="CLOSE"), "k", 1), "BUY 0.01 BTC-USDT at 60000, GTC, to close"),
        (
            m.OrderRouted(META, terms(), (LEG,), SEEN),
            "0.01 to alpha at 60000, alpha 60060 a unit with fees, beta fills nothing now",
        ),
        (m.OrderRouted(META, terms(side="SELL"), (LEG,), (m.BookSeen(
            venue="alpha", sequence=1, age_us=1, fillable_e8=E8, cost_e8=-59_940 * E8),)),
            "0.01 to alpha at 60000, alpha 59940 a unit with fees"),
        (
            m.OrderRejected(
                meta=META, order=terms(), reason="PRICE_OFF_TICK", numbers={"price_e8": E8, "open_orders": 0},
                reference_offset=1,
            ),
            "reason PRICE_OFF_TICK, price 1, open_orders 0",
        ),
        (m.CancelRequested(META, "c", ANN, ("o",)), ""),
        (m.CancelRequested(META, "c", ANN, ("o", "p")), "2 orders"),
        (m.OutcomeUnknown(META, "o", ANN, 0, "alpha", "no answer"), "reason no answer, venue alpha"),
    ],
)  # fmt: skip
def test_a_record_says_what_it_decided_or_saw(record: Any, said: str) -> None:
    fields = to_builtins(record)
    fields.pop("meta", None)
    assert says(fields) == said


def test_amounts_stand_with_their_asset() -> None:
    filled = {"status": "FILLED", "quantity_e8": E8, "price_e8": 2 * E8, "fee_e8": 5, "fee_asset": "USDT"}
    assert says(filled) == "status FILLED, quantity 1, price 2, fee 0.00000005 USDT"
    assert says({"reserved_e8": E8, "reserved_asset": "USDT", "fee_e8": 0, "fee_asset": "USDT"}) == "reserved 1 USDT"


def test_what_two_sides_see_differently_is_in_decimals() -> None:
    one = {"field": "price_e8", "first": str(60_000 * E8), "other": str(60_001 * E8)}
    assert differing(one) == "price=60000/60001"
    assert differing({"field": "side", "first": "BUY", "other": "BUY"}) == "side=BUY/BUY"


def test_what_is_empty_is_left_out_and_money_is_in_decimals_however_deep() -> None:
    given = {"a": (), "b": "", "c_e8": 5 * E8, "d": [{"e_e8": -1, "f": None, "g": "x"}], "h": {"i_e8": {"j": E8}}}
    assert legible(given) == {"c": "5", "d": [{"e": "-0.00000001", "g": "x"}], "h": {"i": {"j": E8}}}


def test_an_amount_has_the_asset_that_its_own_field_names() -> None:
    told = says({"fee_e8": 100_000_000, "fee_asset": "BNB", "reserved_e8": 500_000_000, "reserved_asset": "USDT"})
    assert told == "fee 1 BNB, reserved 5 USDT"
