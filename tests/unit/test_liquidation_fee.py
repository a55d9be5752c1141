"""The fee of a liquidation: the contract's rate, and never more than was got beyond the bankruptcy price."""

import pytest
from msgspec.structs import replace

from services.clearing.booking.contracts import contract
from services.clearing.closeout.closing import liquidation_fee_e8, price_e8, taker_rate_e8
from tests.unit.contract_desk import E8, terms
from tests.unit.desk import ALPHA, BETA, BTC
from truetape.contracts import value
from truetape.messages import Fees
from truetape.money import to_e8
from truetape.reference import Reference


@pytest.mark.parametrize(
    ("quantity", "price", "bankruptcy", "fee"),
    [
        # signed     filled at  bankrupt at  fee at 0.5 %, that is of 10 contracts at 100: 5
        ("-10",      "100",     "90",        "5"),     # far above: the rate
        ("-10",      "100",     "99.8",      "2"),     # what was got beyond it
        ("-10",      "100",     "100",       "0"),     # nothing was
        ("-10",      "100",     "101",       "0"),     # less than nothing: the loss is not made larger
        ("10",       "100",     "110",       "5"),     # bought back
        ("10",       "100",     "100.3",     "3"),
        ("10",       "100",     "99",        "0"),
    ],
)  # fmt: skip
def test_fee(quantity: str, price: str, bankruptcy: str, fee: str) -> None:
    of = terms(multiplier_e8=E8, liquidation_fee_rate_e8=E8 // 200)
    assert liquidation_fee_e8(of, to_e8(quantity), to_e8(price), to_e8(bankruptcy)) == to_e8(fee)


@pytest.mark.parametrize(
    ("price", "bankruptcy", "fee_e8"),
    [
        ("100.33333333", "100",          0),  # 300.99…e-8 were got, that is 300, and no more than 300 at bankruptcy
        ("101",          "100.00000001", 2),  # 303 were got, and 300.00…03 at bankruptcy, that is 301
    ],
)  # fmt: skip
def test_a_fee_is_rounded_for_the_account(price: str, bankruptcy: str, fee_e8: int) -> None:
    of = terms(multiplier_e8=3, liquidation_fee_rate_e8=E8 // 10)
    assert liquidation_fee_e8(of, -E8, to_e8(price), to_e8(bankruptcy)) == fee_e8


def test_the_plan_counts_the_dearest_fee_that_a_fill_can_meet() -> None:
    one = replace(BTC, listings=(ALPHA, BETA))
    reference = Reference(fees={"*": Fees(10_000, 20_000), "ann": Fees(0, -5_000)})
    assert taker_rate_e8(reference, "bob", one) == 20_000 + BETA.taker_rate_e8 > 20_000 + ALPHA.taker_rate_e8
    assert taker_rate_e8(reference, "ann", one) == BETA.taker_rate_e8, "a rebate is nothing to count on"


@pytest.mark.parametrize("quantity", [600, -600])
@pytest.mark.parametrize("slack", ["0.001", "0.01", "-0.001"])
def test_the_price_of_an_inverse_position_costs_its_slack_and_no_tick_more(quantity: int, slack: str) -> None:
    """600 contracts of 10 USD at 60 000 are 0.1 BTC; closing them at this price loses the slack against the mark."""
    of = terms(style="INVERSE", settlement_asset="BTC", multiplier_e8=10 * E8)
    tick_e8, mark_e8 = E8 // 2, 60_000 * E8
    found_e8 = price_e8(of, quantity * E8, mark_e8, to_e8(slack), tick_e8)
    further_e8 = found_e8 - tick_e8 if quantity > 0 else found_e8 + tick_e8
    lost_e8, more_e8 = (
        value(contract(of), quantity * E8, mark_e8, "half_even") - value(contract(of), quantity * E8, at, "half_even")
        for at in (found_e8, further_e8)
    )
    assert found_e8 % tick_e8 == 0
    assert lost_e8 <= to_e8(slack) < more_e8
