"""Order flow: the generator's statistics, the common price path, and recordings played back exactly."""

import gzip
import math
import random
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from truetape.errors import SetupError
from truetape.money import ONE_E8, to_e8
from venues.exchange import Exchange, Market, Rates
from venues.flow import FLOWS, GeneratedFlow
from venues.matching import Trade
from venues.mid import CommonMid, VenueMid
from venues.orders import NewOrder
from venues.replay import RecordedFlow, read_recording, recorded_symbol
from venues.symbols import DEFAULT_SYMBOLS

BTC = DEFAULT_SYMBOLS[0]
SIDES = {"bids": "b", "asks": "a"}
START_MS = 1_750_000_000_000
RECORDING = Path(__file__).parents[3] / "shared" / "data" / "market" / "spot.btcusdt.20240808.gz"


def generator(name: str, symbol: str = "BTCUSDT", mid_seed: int = 1) -> tuple[Exchange, GeneratedFlow]:
    exchange, parameters = Exchange(DEFAULT_SYMBOLS, Rates()), FLOWS[symbol]
    rng = random.Random(f"1:{name}:{symbol}")
    mid = VenueMid(CommonMid(mid_seed, symbol, parameters.base_price), rng)
    return exchange, GeneratedFlow(exchange, exchange.markets[symbol], parameters, mid, rng)


def samples(name: str, symbol: str, seconds: int) -> Iterator[tuple[Market, list[Trade]]]:
    """The market every 100 ms of its own time, with the trades since the last sample, at 30 events/s."""
    exchange, flow = generator(name, symbol)
    flow.start(START_MS)
    now_ms, next_ms = float(START_MS), START_MS
    while now_ms < START_MS + seconds * 1_000:
        now_ms += flow.pause(30) * 1_000
        flow.step(int(now_ms))
        while next_ms <= now_ms:
            yield flow.market, [trade for _, trade, _ in exchange.prints]
            exchange.prints.clear()
            next_ms += 100


def mid_of(market: Market) -> float:
    bid, ask = market.book.bids.best(), market.book.asks.best()
    assert bid is not None
    assert ask is not None
    return (bid[0] + ask[0]) / 2 / ONE_E8


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_generated_flow_has_the_documented_statistics(symbol: str) -> None:
    spreads, mids, sizes, levels = [], [], [], []
    for market, trades in samples("alpha", symbol, 180):
        bid, ask = market.book.bids.best(), market.book.asks.best()
        assert bid is not None
        assert ask is not None
        spreads.append((ask[0] - bid[0]) // market.symbol.tick_e8)
        levels.append(min(len(market.book.bids.keys), len(market.book.asks.keys)))
        mids.append((bid[0] + ask[0]) / 2)
        sizes += [trade.quantity_e8 / ONE_E8 for trade in trades]
        assert all(trade.quantity_e8 % market.symbol.lot_e8 == 0 for trade in trades)
    assert statistics.median(spreads) == 1
    assert sum(spread == 1 for spread in spreads) / len(spreads) > 0.9
    assert min(levels) >= 20
    assert 10 < len(sizes) / 180 < 30
    assert 0.5 < statistics.median(sizes) / FLOWS[symbol].size < 2
    moves = [math.log(later / earlier) for earlier, later in zip(mids[::10], mids[10::10], strict=False)]
    assert 0.6e-4 < statistics.pstdev(moves) < 1.4e-4


def test_two_venues_follow_one_price_and_neither_is_cheaper_for_ever() -> None:
    pairs = zip(samples("alpha", "BTCUSDT", 240), samples("beta", "BTCUSDT", 240), strict=False)
    gaps = [mid_of(one[0]) / mid_of(other[0]) - 1 for one, other in pairs]
    assert 0.2 < sum(gap < 0 for gap in gaps) / len(gaps) < 0.8
    assert 0.3e-4 < statistics.pstdev(gaps) < 1.5e-4
    # Two taker fees of 10 basis points each are far more than any gap: there is nothing to arbitrage.
    assert max(map(abs, gaps)) < 8e-4


def test_the_common_path_depends_on_time_and_seed_alone() -> None:
    early, late = CommonMid(7, "BTCUSDT", 60_000), CommonMid(7, "BTCUSDT", 60_000)
    early.at(START_MS)
    walked = [early.at(START_MS + second * 1_000) for second in range(3_600, 3_660)]
    joined = [late.at(START_MS + second * 1_000) for second in range(3_600, 3_660)]
    assert walked == pytest.approx(joined, rel=2e-6)
    assert CommonMid(8, "BTCUSDT", 60_000).at(START_MS) != CommonMid(7, "BTCUSDT", 60_000).at(START_MS)
    assert all(59_000 < price < 61_000 for price in walked)


def test_generated_flow_repeats_with_its_seed() -> None:
    def run() -> list[tuple[int, int]]:
        return [
            (trade.price_e8, trade.quantity_e8) for _, trades in samples("alpha", "BTCUSDT", 20) for trade in trades
        ]

    assert run() == run()
    assert len(run()) > 50


# ---- recordings


def depth(update_id: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, Any]:
    return {
        "stream": "x",
        "data": {"e": "depthUpdate", "s": "BTCUSDT", "U": update_id, "u": update_id, "b": bids, "a": asks},
    }


def trade(price: str, quantity: str, buyer_is_maker: bool) -> dict[str, Any]:
    return {"stream": "x", "data": {"e": "trade", "s": "BTCUSDT", "p": price, "q": quantity, "m": buyer_is_maker}}


SNAPSHOT = {
    "lastUpdateId": 10,
    "bids": [["100.00", "2"], ["99.00", "5"]],
    "asks": [["101.00", "3"], ["102.00", "5"]],
}


def replayed() -> tuple[Exchange, RecordedFlow, Market]:
    exchange = Exchange((BTC,), Rates())
    market = exchange.markets["BTCUSDT"]
    flow = RecordedFlow(exchange, market)
    assert not flow.apply(depth(9, [["55.00", "1"]], []), 0)
    assert flow.apply(SNAPSHOT, 0)
    return exchange, flow, market


def levels(pairs: list[tuple[int, int]]) -> list[tuple[float, float]]:
    return [(price / ONE_E8, quantity / ONE_E8) for price, quantity in pairs]


def test_recorded_book_and_trades_move_the_book() -> None:
    _, flow, market = replayed()
    assert levels(market.book.bids.depth(9)) == [(100, 2), (99, 5)]
    assert not flow.apply(depth(10, [["100.00", "9"]], []), 1)
    flow.apply(trade("101.00", "1", buyer_is_maker=False), 1)
    assert levels(market.book.asks.depth(1)) == [(101, 2)]
    flow.apply(depth(11, [["100.00", "0"], ["99.00", "7"]], [["101.00", "2"]]), 2)
    assert levels(market.book.bids.depth(9)) == [(99, 7)]
    assert levels(market.book.asks.depth(9)) == [(101, 2), (102, 5)]


def test_a_trade_told_after_its_update_is_not_counted_twice() -> None:
    _, flow, market = replayed()
    flow.apply(depth(11, [], [["101.00", "2"]]), 1)
    flow.apply(trade("101.00", "1", buyer_is_maker=False), 1)
    assert levels(market.book.asks.depth(1)) == [(101, 1)]
    flow.apply(depth(12, [["90.00", "1"]], []), 2)
    assert levels(market.book.asks.depth(1)) == [(101, 2)]


def test_clients_queue_behind_the_recorded_orders_and_before_later_ones() -> None:
    exchange, flow, market = replayed()
    anna = exchange.open_account("anna")
    exchange.transfer(anna, "USDT", 10_000 * ONE_E8, "d", 0)
    request = NewOrder(BTC, "BUY", "LIMIT", price_e8=100 * ONE_E8, quantity_e8=ONE_E8)
    mine = exchange.place(anna, request, 1).order
    flow.apply(depth(11, [["100.00", "5"]], []), 2)
    flow.apply(trade("100.00", "2", buyer_is_maker=True), 3)
    assert mine.executed_e8 == 0
    flow.apply(trade("100.00", "0.4", buyer_is_maker=True), 4)
    assert mine.executed_e8 == to_e8("0.4")
    # The level shrinks without a trade: the newest of the house leave, the client's place stays.
    flow.apply(depth(12, [["100.00", "0.5"]], []), 5)
    flow.apply(trade("100.00", "0.8", buyer_is_maker=True), 6)
    assert mine.status == "FILLED"
    assert levels(market.book.bids.depth(1)) == [(100, 0.3)]


def test_what_a_client_takes_is_gone_until_the_recording_speaks_of_it() -> None:
    exchange, flow, market = replayed()
    anna = exchange.open_account("anna")
    exchange.transfer(anna, "USDT", 10_000 * ONE_E8, "d", 0)
    exchange.place(anna, NewOrder(BTC, "BUY", "MARKET", quantity_e8=3 * ONE_E8), 1)
    flow.apply(depth(11, [["98.00", "1"]], []), 2)
    assert levels(market.book.asks.depth(1)) == [(102, 5)]
    flow.apply(depth(12, [], [["101.00", "4"]]), 3)
    assert levels(market.book.asks.depth(1)) == [(101, 4)]


def test_a_recorded_price_through_a_clients_order_fills_it() -> None:
    exchange, flow, _ = replayed()
    anna = exchange.open_account("anna")
    exchange.transfer(anna, "USDT", 10_000 * ONE_E8, "d", 0)
    request = NewOrder(BTC, "BUY", "LIMIT", price_e8=to_e8("100.50"), quantity_e8=ONE_E8)
    mine = exchange.place(anna, request, 1).order
    flow.apply(depth(11, [], [["100.40", "2"]]), 2)
    assert mine.status == "FILLED"
    assert exchange.totals() == exchange.external | {"BTC": 0}


def test_reset_takes_the_house_out_and_leaves_clients() -> None:
    exchange, flow, market = replayed()
    anna = exchange.open_account("anna")
    exchange.transfer(anna, "USDT", 10_000 * ONE_E8, "d", 0)
    exchange.place(anna, NewOrder(BTC, "BUY", "LIMIT", price_e8=98 * ONE_E8, quantity_e8=ONE_E8), 1)
    flow.reset()
    assert levels(market.book.bids.depth(9)) == [(98, 1)]
    assert not market.book.asks.keys


@pytest.mark.parametrize(
    "message",
    [
        {"data": {"e": "trade", "s": "BTCUSDT", "p": "1e5", "q": "1", "m": True}},
        {"data": {"e": "depthUpdate", "u": 11, "b": [["1"]], "a": []}},
        {"data": {"e": "depthUpdate"}},
        {"lastUpdateId": 5},
        {"data": [1]},
    ],
)
def test_recorded_nonsense_has_a_named_error(message: dict[str, Any]) -> None:
    _, flow, _ = replayed()
    with pytest.raises(SetupError, match="a message that is not understood"):
        flow.apply(message, 1)


def test_reading_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "r.gz"
    path.write_bytes(gzip.compress(b'5 {"lastUpdateId":1,"bids":[],"asks":[]}\n6 {"data":{"e":"x","s":"BTCUSDT"}}\n'))
    assert [time_ns for time_ns, _ in read_recording([path, path])] == [5, 6, 5, 6]
    assert recorded_symbol([path]) == "BTCUSDT"


@pytest.mark.skipif(not RECORDING.exists(), reason=f"{RECORDING} is not here")
def test_the_recorded_day_plays_back_to_the_recorded_book() -> None:
    """After each depth update the market's book is the recorded one, rebuilt independently."""
    exchange = Exchange((BTC,), Rates())
    market = exchange.markets["BTCUSDT"]
    flow = RecordedFlow(exchange, market)
    assert recorded_symbol([RECORDING]) == "BTCUSDT"
    snapshot = next(message for _, message in read_recording([RECORDING]) if "lastUpdateId" in message)
    expected = {side: {to_e8(price): to_e8(quantity) for price, quantity in snapshot[side]} for side in SIDES}
    seen = compared = 0
    for count, (_, message) in enumerate(read_recording([RECORDING])):
        flow.apply(message, count)
        seen += "lastUpdateId" in message
        data = message.get("data", {})
        if data.get("e") == "depthUpdate" and data["u"] > snapshot["lastUpdateId"]:
            for side, key in SIDES.items():
                for price, quantity in data[key]:
                    expected[side].pop(to_e8(price), None)
                    if float(quantity):
                        expected[side][to_e8(price)] = to_e8(quantity)
            if seen and count % 50 == 0:
                compared += 1
                assert market.book.bids.depth(30) == sorted(expected["bids"].items(), reverse=True)[:30]
                assert market.book.asks.depth(30) == sorted(expected["asks"].items())[:30]
    assert compared > 30
    assert len(exchange.prints) > 5_000
