"""`python -m venues`: start one simulated venue."""

import gc
import os
import random
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from truetape.errors import MoneyError, SetupError, TruetapeError
from truetape.money import to_e8
from venues.exchange import Rates
from venues.flow import DEFAULT_FLOW, FLOWS, GeneratedFlow
from venues.limits import Limits
from venues.mid import CommonMid, VenueMid
from venues.replay import RecordedFlow, recorded_symbol
from venues.server import play_generated, play_recorded, serve
from venues.signing import read_keys
from venues.state import Saved, load, restore, save
from venues.symbols import CONTRACT_SYMBOLS, DEFAULT_SYMBOLS, UNDERLYINGS
from venues.venue import Venue

Flows = list[Coroutine[Any, Any, None]]

MakerFee = Annotated[str, typer.Option(help="Fee rate of makers, of what they receive")]
TakerFee = Annotated[str, typer.Option(help="Fee rate of takers, of what they receive")]
BnbPrice = Annotated[str, typer.Option(help="USDT per BNB, for keys whose fee_asset is BNB")]
WeightLimit = Annotated[int, typer.Option(min=1, help="Request weight per minute and address; Binance: 6000")]
Orders10s = Annotated[int, typer.Option(min=1, help="Orders per 10 seconds and account; Binance: 100")]
Orders1d = Annotated[int, typer.Option(min=1, help="Orders per day and account; Binance: 200000")]
BanSeconds = Annotated[int, typer.Option(min=1, help="First ban of an address that ignores 429; doubles each time")]


def main(
    name: Annotated[str, typer.Option(help="Name of the venue; part of its random seed")] = "alpha",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on")] = 18101,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    rate: Annotated[
        float, typer.Option(min=0, max=5000, help="Generated events per second and symbol; 0 for an empty book")
    ] = 30.0,
    seed: Annotated[int, typer.Option(help="Seed of this venue's own order flow and faults")] = 1,
    mid_seed: Annotated[
        int, typer.Option(help="Seed of the price path; venues with the same one follow the same price")
    ] = 1,
    recording: Annotated[
        list[Path] | None,
        typer.Option(help="Recorded stream to replay instead of generating its symbol; repeat to play on"),
    ] = None,
    loop: Annotated[bool, typer.Option(help="Start the recording again at its end")] = False,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="Pace of the recording")] = 1.0,
    maker_fee: MakerFee = "0.001",
    taker_fee: TakerFee = "0.001",
    bnb_price: BnbPrice = "600",
    weight_limit: WeightLimit = 1_200_000,
    orders_10s: Orders10s = 100_000,
    orders_1d: Orders1d = 50_000_000,
    ban_seconds: BanSeconds = 120,
    state: Annotated[
        Path | None, typer.Option(help="File that keeps accounts, orders and fills over a restart")
    ] = None,
    contracts: Annotated[bool, typer.Option(help="List BTCUSDTPERP, BTCUSDTFUT and BTCUSDTCALL too")] = False,
    history: Annotated[
        int, typer.Option(min=100, help="Closed orders, and fills per account and symbol, that are kept")
    ] = 1_000_000,
) -> None:
    """Run one simulated exchange that speaks Binance's spot REST and websocket protocol.

    Environment: TRUETAPE_VENUE_KEYS, a JSON list of {"api_key", "secret", "account", "permissions": ["TRADE",
    "USER_DATA"]}; without it only public endpoints work. TRUETAPE_VENUE_ADMIN_TOKEN, the bearer token of /admin;
    without it /admin is off. State is in memory; with --state it is read at the start and written at the end.
    """
    try:
        saved = load(state) if state else None
        venue = Venue(
            name,
            read_keys(os.environ.get("TRUETAPE_VENUE_KEYS", "")),
            rates=_rates(maker_fee, taker_fee, bnb_price),
            limits=Limits(weight_limit, orders_10s, orders_1d, ban_seconds=ban_seconds),
            admin_token=os.environ.get("TRUETAPE_VENUE_ADMIN_TOKEN", ""),
            seed=seed,
            first_id=_first_id(saved),
            symbols=(*DEFAULT_SYMBOLS, *(CONTRACT_SYMBOLS if contracts else ())),
            history=history,
        )
        if saved:
            restore(venue.exchange, saved)
        flows = _flows(venue, rate, seed, mid_seed, recording or [], speed, loop=loop)
        _run(venue, host, port, flows, _greeting(venue, host, port, recording, rate))
        if state:
            save(venue.exchange, state)
    except TruetapeError as error:
        typer.echo(f"venue {name}: {error}", err=True)
        raise typer.Exit(1) from None


def _first_id(saved: Saved | None) -> int:
    """Ids go on rising over restarts: a hundred per millisecond are more than any venue hands out."""
    return max(time.time_ns() // 10_000, saved.last_id + 1 if saved else 0)


def _run(venue: Venue, host: str, port: int, flows: Flows, greeting: str) -> None:
    # What lives now lives for ever, and orders make few cycles: there is little garbage to look for.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvloop.run(serve(venue, host, port, flows, greeting))


def _rates(maker_fee: str, taker_fee: str, bnb_price: str) -> Rates:
    try:
        rates = Rates(to_e8(maker_fee), to_e8(taker_fee), to_e8(bnb_price))
    except MoneyError as error:
        raise SetupError(f"--maker-fee, --taker-fee or --bnb-price: {error}") from None
    if not (0 <= rates.maker_e8 < 10**8 and 0 <= rates.taker_e8 < 10**8 and rates.bnb_price_e8 > 0):
        raise SetupError("--maker-fee and --taker-fee are from 0 to below 1, --bnb-price is positive")
    return rates


def _flows(
    venue: Venue, rate: float, seed: int, mid_seed: int, recording: list[Path], speed: float, *, loop: bool
) -> Flows:
    """The order flow of each symbol: the recording for its own, generated flow for the others."""
    recorded = recorded_symbol(recording) if recording else ""
    if recorded and recorded not in venue.symbols:
        raise SetupError(f"the recording is of {recorded}, which is not listed; {', '.join(venue.symbols)} are")
    flows: Flows = []
    for symbol, market in venue.exchange.markets.items():
        if symbol == recorded:
            replay = RecordedFlow(venue.exchange, market)
            flows.append(play_recorded(venue, replay, list(recording), speed, loop=loop))
        elif rate > 0:
            parameters = FLOWS.get(symbol, DEFAULT_FLOW)
            rng = random.Random(f"{seed}:{venue.name}:{symbol}")
            path = CommonMid(mid_seed, UNDERLYINGS.get(symbol, symbol), parameters.base_price)
            mid = VenueMid(path, rng)
            generated = GeneratedFlow(venue.exchange, market, parameters, mid, rng)
            flows.append(play_generated(venue, generated, rate))
    return flows


def _greeting(venue: Venue, host: str, port: int, recording: list[Path] | None, rate: float) -> str:
    flow = "order flow from " + ", ".join(map(str, recording)) if recording else f"{rate:g} events/s generated"
    keys = f"{len(venue.keys)} keys" if venue.keys else "no keys: public endpoints only"
    admin = "admin on" if venue.admin_token else "admin off"
    return f"venue {venue.name} listens on http://{host}:{port} ({', '.join(venue.symbols)}; {flow}; {keys}; {admin})"


if __name__ == "__main__":
    typer.run(main)
