"""A submission that may be repeated: the client order id is the order, so the second one is the same order.

TRUETAPE_KEY=tk-... .venv/bin/python examples/retry_safely.py
"""

import secrets
from decimal import Decimal

from truetape.client import Refused
from truetape.trader import trader

with trader() as client:
    mine = f"example-{secrets.token_hex(8)}"
    mark = next(one for one in client.marks() if one.instrument_id == "BTC-USDT")
    price = str((Decimal(mark.price) * 97 / 100).quantize(Decimal("0.01")))  # A bid that rests, 3 % below the mark.
    first = client.submit("BTC-USDT", "BUY", "0.001", price=price, client_order_id=mine)
    again = client.submit("BTC-USDT", "BUY", "0.001", price=price, client_order_id=mine)
    assert again.order_id == first.order_id and again.repeated, "one id, one order"
    print(f"{first.status}: order {first.order_id}, sent twice, is one order")

    try:
        client.submit("BTC-USDT", "BUY", "0.002", price=price, client_order_id=mine)
    except Refused as refused:
        print(f"{refused.code}: {refused.detail}")

    print(f"cancel of {client.cancel(first.order_id)[0]} is requested")
