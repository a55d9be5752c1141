"""What the tests of this folder have left in the books: last of them by name."""

import psycopg
import pytest

from tests.integration.clearing.house import SWAP, House

pytestmark = pytest.mark.timeout(300)


def test_all_sums_are_zero_and_the_audit_finds_nothing(house: House) -> None:
    with psycopg.connect(house.environment["TRUETAPE_POSTGRES"], autocommit=True) as views:
        off = views.execute(
            "SELECT partition, asset, sum(amount_e8) FROM view.balances GROUP BY 1, 2 HAVING sum(amount_e8) <> 0"
        ).fetchall()
        flat = views.execute(
            "SELECT instrument_id, sum(quantity_e8) FROM view.positions WHERE account_id <> '' "
            "AND instrument_id LIKE 'BTC-USDT-%%' AND instrument_id <> %s GROUP BY 1 HAVING sum(quantity_e8) <> 0",
            (SWAP,),
        ).fetchall()
    assert (off, flat) == ([], [])
    assert house.told("parked", "--json") == []
    found = house.told("audit", "--json")
    assert found["equal"] is True and found["differences"] == [], found
