"""Unmodified ccxt, with nothing changed but its URLs, trades on a real venue process."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import ccxt.async_support
import ccxt.pro
import pytest

from venues.process import VenueProcess, run_venue

REST_FAMILIES = {
    "public": "/api/v3", "private": "/api/v3", "v1": "/api/v1",
    "sapi": "/sapi/v1", "sapiV2": "/sapi/v2", "sapiV3": "/sapi/v3", "sapiV4": "/sapi/v4",
    "fapiPublic": "/fapi/v1", "fapiPublicV2": "/fapi/v2", "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1", "fapiPrivateV2": "/fapi/v2", "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
    "dapiPublic": "/dapi/v1", "dapiPrivate": "/dapi/v1", "dapiPrivateV2": "/dapi/v2",
    "dapiData": "/futures/data",
    "eapiPublic": "/eapi/v1", "eapiPublicV2": "/eapi/v2", "eapiPublicV3": "/eapi/v3",
    "eapiPrivate": "/eapi/v1", "eapiPrivateV2": "/eapi/v2", "eapiPrivateV3": "/eapi/v3",
    "papi": "/papi/v1", "papiV2": "/papi/v2",
}  # fmt: skip
STREAM_FAMILIES = ("spot", "margin", "linear", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi")
BTC = "BTC/USDT"


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueProcess]:
    with run_venue("--rate", "40", "--seed", "5") as running:
        running.deposit("USDT", "1000000")
        running.deposit("BTC", "10")
        while len(running.request("GET", "/api/v3/aggTrades?symbol=BTCUSDT")[2]) < 10:
            time.sleep(0.05)
        yield running


def local_urls(venue: VenueProcess) -> dict[str, Any]:
    """Every family of ccxt's URLs, at the venue: one left out would go to the internet."""
    api: dict[str, Any] = {name: venue.rest_url + path for name, path in REST_FAMILIES.items()}
    # ccxt tells spot streams from others by "/stream" in the address.
    api["ws"] = dict.fromkeys(STREAM_FAMILIES, venue.stream_url + "/stream/ws")
    api["ws"]["ws-api"] = dict.fromkeys(("spot", "linear", "inverse"), venue.stream_url + "/ws-api/v3")
    return {"api": api}


def settings(venue: VenueProcess) -> dict[str, Any]:
    key = venue.trade_key
    return {"apiKey": key.api_key, "secret": key.secret, "urls": local_urls(venue)}


@pytest.fixture
async def rest(venue: VenueProcess) -> AsyncIterator[Any]:
    exchange = ccxt.async_support.binance(settings(venue))
    yield exchange
    await exchange.close()


@pytest.fixture
async def pro(venue: VenueProcess) -> AsyncIterator[Any]:
    exchange = ccxt.pro.binance(settings(venue))
    yield exchange
    await exchange.close()


async def soon(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, 15)


async def until(watch: Any, wanted: Any) -> Any:
    """The first of the watched lists that has an entry which is wanted."""
    for _ in range(50):
        for entry in await soon(watch()):
            if wanted(entry):
                return entry
    raise AssertionError("never came")


async def far_below(rest: Any) -> float:
    book = await rest.fetch_order_book(BTC, 5)
    return float(rest.price_to_precision(BTC, book["bids"][0][0] * 0.9))


def test_every_family_of_urls_is_local(venue: VenueProcess) -> None:
    exchange = ccxt.pro.binance(settings(venue))

    def leaves(node: Any) -> Iterator[str]:
        for value in node.values() if isinstance(node, dict) else ():
            yield from leaves(value) if isinstance(value, dict) else [str(value)]

    assert all("127.0.0.1" in url for url in leaves(exchange.urls["api"]))


async def test_markets_tickers_and_books(rest: Any) -> None:
    markets = await rest.load_markets()
    assert set(markets) == {"BTC/USDT", "ETH/USDT"}
    precision = markets[BTC]["precision"]
    assert (precision["price"], precision["amount"]) == (0.01, 0.00001)
    assert markets[BTC]["limits"]["cost"]["min"] == 5
    book = await rest.fetch_order_book(BTC, 20)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    ticker = await rest.fetch_ticker(BTC)
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert ticker["vwap"] > 0
    trades = await rest.fetch_trades(BTC, limit=10)
    assert len(trades) == 10
    bars = await rest.fetch_ohlcv(BTC, "1m")
    assert bars[-1][2] >= bars[-1][3] > 0
    assert abs(await rest.fetch_time() - rest.milliseconds()) < 5_000
    assert set(await rest.fetch_currencies()) == {"BTC", "ETH", "USDT", "BNB"}


async def test_limit_order_from_placing_to_cancel(rest: Any) -> None:
    await rest.load_markets()
    price = await far_below(rest)
    order = await rest.create_order(BTC, "limit", "buy", 0.01, price, {"newClientOrderId": "ccxt-1"})
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("open", 0, "ccxt-1")
    (listed,) = await rest.fetch_open_orders(BTC)
    assert (listed["id"], listed["price"], listed["remaining"]) == (order["id"], price, 0.01)
    assert (await rest.fetch_order(order["id"], BTC))["status"] == "open"
    balance = await rest.fetch_balance()
    assert balance["USDT"]["used"] == pytest.approx(price * 0.01)
    assert (await rest.cancel_order(order["id"], BTC))["status"] == "canceled"
    assert await rest.fetch_open_orders(BTC) == []
    assert (await rest.fetch_balance())["USDT"]["used"] == 0
    with pytest.raises(ccxt.OrderNotFound):
        await rest.cancel_order(order["id"], BTC)


async def test_market_ioc_fok_and_post_only(rest: Any) -> None:
    await rest.load_markets()
    before = await rest.fetch_balance()
    bought = await rest.create_order(BTC, "market", "buy", 0.02)
    assert (bought["status"], bought["filled"]) == ("closed", 0.02)
    assert sum(fee["cost"] for fee in bought["fees"]) == pytest.approx(0.00002)
    after = await rest.fetch_balance()
    assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(0.02 - 0.00002)
    assert before["USDT"]["total"] - after["USDT"]["total"] == pytest.approx(bought["cost"])
    low = await far_below(rest)
    missed = await rest.create_order(BTC, "limit", "buy", 0.01, low, {"timeInForce": "IOC"})
    assert (missed["status"], missed["filled"]) == ("expired", 0)
    killed = await rest.create_order(BTC, "limit", "buy", 0.01, low, {"timeInForce": "FOK"})
    assert (killed["status"], killed["filled"]) == ("expired", 0)
    taken = await rest.create_order(BTC, "limit", "sell", 0.01, low, {"timeInForce": "FOK"})
    assert (taken["status"], taken["filled"]) == ("closed", 0.01)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await rest.create_order(BTC, "limit", "sell", 0.01, low, {"postOnly": True})
    waiting = await rest.create_order(BTC, "limit", "buy", 0.01, low, {"postOnly": True})
    assert (await rest.fetch_order(waiting["id"], BTC))["status"] == "open"
    await rest.cancel_all_orders(BTC)
    ids = [trade["order"] for trade in await rest.fetch_my_trades(BTC)]
    assert bought["id"] in ids
    assert taken["id"] in ids


async def test_spending_an_amount_and_replacing(rest: Any) -> None:
    await rest.load_markets()
    spent = await rest.create_market_buy_order_with_cost(BTC, 500)
    assert spent["status"] == "closed"
    assert 499 < spent["cost"] <= 500
    low = await far_below(rest)
    order = await rest.create_order(BTC, "limit", "buy", 0.01, low)
    edited = await rest.edit_order(order["id"], BTC, "limit", "buy", 0.02, low - 1)
    assert (edited["amount"], edited["price"], edited["status"]) == (0.02, pytest.approx(low - 1), "open")
    assert [one["id"] for one in await rest.fetch_open_orders(BTC)] == [edited["id"]]
    await rest.cancel_all_orders(BTC)


async def test_refusals_are_named(rest: Any) -> None:
    await rest.load_markets()
    low = await far_below(rest)
    with pytest.raises(ccxt.InsufficientFunds):
        await rest.create_order(BTC, "limit", "buy", 100, low)
    # On a local address ccxt knows the general error codes only; on Binance's this would be InvalidOrder.
    with pytest.raises(ccxt.BadRequest, match="Filter failure: NOTIONAL"):
        await rest.create_order(BTC, "limit", "buy", 0.00001, low)
    await rest.create_order(BTC, "limit", "buy", 0.01, low, {"newClientOrderId": "twice"})
    with pytest.raises(ccxt.ExchangeError, match="Duplicate order sent"):
        await rest.create_order(BTC, "limit", "buy", 0.01, low, {"newClientOrderId": "twice"})
    await rest.cancel_all_orders(BTC)
    rest.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        await rest.fetch_balance()


async def test_streamed_book_equals_the_fetched_one(rest: Any, pro: Any) -> None:
    await pro.load_markets()
    for _ in range(15):
        streamed = await soon(pro.watch_order_book(BTC))
    assert streamed["bids"][0][0] < streamed["asks"][0][0]
    for _ in range(100):
        fetched = await rest.fetch_order_book(BTC, 1_000)
        while streamed["nonce"] < fetched["nonce"]:
            streamed = await soon(pro.watch_order_book(BTC))
        if streamed["nonce"] == fetched["nonce"]:
            assert [list(level) for level in streamed["bids"][:50]] == fetched["bids"][:50]
            assert [list(level) for level in streamed["asks"][:50]] == fetched["asks"][:50]
            return
    raise AssertionError("no streamed update ended where a snapshot was taken")


async def test_streams_of_trades_and_tickers(pro: Any) -> None:
    await pro.load_markets()
    trades = await soon(pro.watch_trades(BTC))
    assert trades[0]["price"] > 0
    best = await soon(pro.watch_bids_asks([BTC]))
    assert best[BTC]["bid"] < best[BTC]["ask"]
    ticker = await soon(pro.watch_ticker(BTC))
    assert ticker["last"] > 0


async def test_streams_of_orders_own_trades_and_balances(rest: Any, pro: Any) -> None:
    await rest.load_markets()
    await pro.load_markets()
    await soon(pro.authenticate({"type": "spot"}))
    low = await far_below(rest)
    order = await rest.create_order(BTC, "limit", "buy", 0.01, low)
    seen = await until(pro.watch_orders, lambda one: one["id"] == order["id"])
    assert seen["status"] == "open"
    await rest.cancel_order(order["id"], BTC)
    await until(pro.watch_orders, lambda one: one["id"] == order["id"] and one["status"] == "canceled")
    watching = asyncio.ensure_future(pro.watch_balance())
    await asyncio.sleep(0)
    bought = await rest.create_order(BTC, "market", "buy", 0.01)
    fill = await until(pro.watch_my_trades, lambda one: one["order"] == bought["id"])
    assert fill["takerOrMaker"] == "taker"
    assert fill["fee"]["currency"] == "BTC"
    balance = await soon(watching)
    assert balance["BTC"]["total"] == (await rest.fetch_balance())["BTC"]["total"]


async def test_orders_over_the_websocket_api(pro: Any, rest: Any) -> None:
    await pro.load_markets()
    await rest.load_markets()
    low = await far_below(rest)
    order = await soon(pro.create_order_ws(BTC, "limit", "buy", 0.01, low))
    assert order["status"] == "open"
    assert (await soon(pro.fetch_order_ws(order["id"], BTC)))["status"] == "open"
    assert [one["id"] for one in await soon(pro.fetch_open_orders_ws(BTC))] == [order["id"]]
    assert (await soon(pro.cancel_order_ws(order["id"], BTC)))["status"] == "canceled"
    # This ccxt does not unpack a spot account here; what came is under "info".
    (usdt,) = [line for line in (await soon(pro.fetch_balance_ws()))["info"]["balances"] if line["asset"] == "USDT"]
    assert float(usdt["free"]) > 0
    bars = await soon(pro.fetch_ohlcv_ws(BTC, "1m"))
    assert bars[-1][2] >= bars[-1][3] > 0
    bought = await soon(pro.create_order_ws(BTC, "market", "buy", 0.01))
    assert bought["id"] in [trade["order"] for trade in await soon(pro.fetch_my_trades_ws(BTC))]
