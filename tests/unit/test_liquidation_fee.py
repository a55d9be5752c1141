"""The fee of a liquidation: the contract's rate, and never more than was got beyond the bankruptcy price."""

import pytest

from services.clearing.closing import liquidation_fee_e8
from tests.unit.contract_desk import E8, terms
from truetape.money import to_e8


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
