"""A market maker in one screen: a bid and an offer around the mark, post-only, replaced when the mark has moved.

    TRUETAPE_KEY=tk-... .venv/bin/python examples/quote.py [ROUNDS]

What it cannot get wrong is the counting: positions come from cleared fills alone, and risk bounds what it may lose.
"""

import sys
import time
from decimal import Decimal

from truetape.client import Client, Refused
from truetape.trader import trader

INSTRUMENT, SIZE, HALF_SPREAD, TICK = "BTC-USDT", "0.001", Decimal("0.001"), Decimal("0.01")


def quote(client: Client, middle: Decimal) -> None:
    """Both sides, a tenth of a percent from the middle. One that risk refuses (funds, a limit) is left out."""
    for side, away in (("BUY", -HALF_SPREAD), ("SELL", HALF_SPREAD)):
        price = (middle * (1 + away)).quantize(TICK)
        try:
            client.submit(INSTRUMENT, side, SIZE, price=str(price), post_only=True)
        except Refused as refused:
            print(f"{side} at {price} refused: {refused.code} {refused.numbers}")


with trader() as client:
    quoted = Decimal(0)
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 30):
        middle = next(Decimal(one.price) for one in client.marks() if one.instrument_id == INSTRUMENT)
        if abs(middle - quoted) > middle * HALF_SPREAD / 4:
            client.cancel_all(INSTRUMENT)
            quote(client, middle)
            quoted = middle
        held = next((one.quantity for one in client.positions() if one.instrument_id == INSTRUMENT), "0")
        print(f"mark {middle}, position {held}")
        time.sleep(1)
    client.cancel_all(INSTRUMENT)
