"""The matching engine in one process: orders a second of a mixed flow of adds, cancels and crossing orders.

The flow is drawn from a seed before the clock starts: about half adds around a moving price, a third cancels (half of
them of orders that still rest), the rest limit, market, IOC and FOK orders that cross. An order or a cancel counts as
one. The baseline is the naive book of the tests on a shorter piece of the same flow, over the same resting orders:
it must say the same events. ratio is ours / naive.
"""

import argparse
import gc
import random
import time
from collections.abc import Sequence

from bench.stage import publish, say
from tests.unit.naive_book import NaiveBook, Waiting, plain
from venues.matching import Book, Order

SEED = 20_240
DEPTH = 2_000
"""Orders that rest before the clock starts."""
TICK_E8, MIDDLE, LEVELS = 1_000_000, 60_000_00, 40
Operation = Order | int
"""An order to submit, or the id of one to cancel."""


def flow(count: int, seed: int = SEED) -> list[Operation]:
    """DEPTH resting orders, then `count` operations."""
    chance, made, number, middle = random.Random(seed), list[Operation](), 0, MIDDLE
    while len(made) < DEPTH + count:
        middle += chance.choice((-1, 0, 0, 0, 1))
        kind = chance.random() if len(made) >= DEPTH else 0.0
        if kind < 0.5:
            number += 1
            made.append(_add(chance, number, middle))
        elif kind < 0.83:
            made.append(max(1, number - int(chance.expovariate(1 / DEPTH))))
        else:
            number += 1
            made.append(_cross(chance, number, middle))
    return made


def _add(chance: random.Random, number: int, middle: int) -> Order:
    buys = chance.random() < 0.5
    distance = 1 + int(chance.expovariate(1 / 8)) % LEVELS
    price = middle - distance if buys else middle + distance
    quantity_e8 = chance.randrange(1, 200) * 100_000
    return Order(number, chance.randrange(1, 50), "BUY" if buys else "SELL", price * TICK_E8, quantity_e8)


def _cross(chance: random.Random, number: int, middle: int) -> Order:
    buys, kind = chance.random() < 0.5, chance.random()
    price = middle + 3 if buys else middle - 3
    order = Order(
        number, chance.randrange(1, 50), "BUY" if buys else "SELL", price * TICK_E8, chance.randrange(1, 400) * 100_000
    )
    if kind < 0.3:
        order.market, order.price_e8 = True, 0
    elif kind < 0.6:
        order.time_in_force = "IOC"
    elif kind < 0.7:
        order.time_in_force = "FOK"
    elif kind < 0.8:
        order.prevention = "EXPIRE_MAKER"
    return order


def ours(operations: Sequence[Operation]) -> tuple[float, int]:
    """Seconds of CPU for the operations after the resting ones, and how many events they gave."""
    book, events = Book(), 0
    submit, cancel = book.submit, book.cancel
    for operation in operations[:DEPTH]:
        assert isinstance(operation, Order)
        submit(operation)
    gc.collect()
    begin = time.process_time()
    for operation in operations[DEPTH:]:
        if isinstance(operation, int):
            events += cancel(operation) is not None
        else:
            events += len(submit(operation))
    return time.process_time() - begin, events


def naive(count: int) -> float:
    """Seconds of CPU of the naive book for `count` operations; asserts that the engine says the same of each."""
    book, reference = Book(), NaiveBook()
    seconds = 0.0
    for place, (mine, its) in enumerate(zip(flow(count), flow(count), strict=True)):
        begin = time.process_time()
        expected = [reference.cancel(its)] if isinstance(its, int) else reference.submit(*_waiting(its))
        seconds += time.process_time() - begin if place >= DEPTH else 0.0
        found = [book.cancel(mine)] if isinstance(mine, int) else book.submit(mine)
        assert [plain(event) for event in found] == expected, f"operation {place}: {found} is not {expected}"
    return seconds


def _waiting(order: Order) -> tuple[Waiting, str]:
    kind = "MARKET" if order.market else order.time_in_force
    waiting = Waiting(
        order.order_id, order.account_id, order.side, order.price_e8, order.quantity_e8, False, order.prevention, 0
    )
    return waiting, kind


def main() -> None:
    """Measure the best of some rounds, and the naive book."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer operations")
    parser.add_argument("--operations", type=int, default=0, help="how many (default 500 000, quick 100 000)")
    options = parser.parse_args()
    count = options.operations or (100_000 if options.quick else 500_000)
    rounds = []
    for number in range(3):
        seconds, events = ours(flow(count))
        rounds.append(count / seconds)
        say(f"round {number + 1}/3: {rounds[-1]:.0f} operations/s, {events} events")
    short = min(count, 500 if options.quick else 2_000)
    baseline = short / naive(short)
    say(f"naive book: {baseline:.0f} operations/s")
    figures = {"orders_per_second": round(max(rounds)), "operations": count, "events": events, "resting": DEPTH}
    publish(
        "matching", figures, {"naive_orders_per_second": round(baseline), "operations": short},
        round(max(rounds) / baseline, 1),
    )  # fmt: skip


if __name__ == "__main__":
    main()
