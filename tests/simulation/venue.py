"""The real simulated exchange in a simulated process: started, killed, restarted, and asked for the truth."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final, NamedTuple, cast

from msgspec.structs import replace as replaced

from tests.simulation.loop import Process
from tests.simulation.network import Network
from truetape.money import ONE_E8
from truetape.settings import VenueSettings
from truetape.simclock import SimClock
from truetape.venue.reports import execution_id
from venues import state
from venues.exchange import Rates
from venues.faults import Rule
from venues.flow import FlowParameters, GeneratedFlow
from venues.limits import Limits
from venues.matching import Side
from venues.mid import VenueMid
from venues.orders import OPEN, ClientOrder, Fill
from venues.server import Server, play_generated
from venues.signing import ApiKey
from venues.symbols import DEFAULT_SYMBOLS, Symbol
from venues.venue import Venue

ACCOUNT: Final = "firm"
TRADE_KEY: Final = ApiKey("trade-key", "trade-secret-0001", ACCOUNT)
READ_KEY: Final = ApiKey("read-key", "read-secret-00001", ACCOUNT, ("USER_DATA",))
KEYS: Final = {key.api_key: key for key in (TRADE_KEY, READ_KEY)}
IDS_AN_HOUR: Final = 10**6
"""Ids go on rising over restarts."""
DEEP_ORDERS: Final = 30
DEEP_LOTS: Final = 4_000
OPTION_POWER: Final = 8
"""So many times an option moves when its underlying does, as a power."""
CONTRACT_EVENTS: Final = 0.5
"""How often something happens in a contract's book, of how often in a spot market's."""


class Shock(NamedTuple):
    """All prices move by a factor, on a line, from a time of the wall clock on."""

    from_ms: int
    over_ms: int
    factor: float

    def at(self, now_ms: int) -> float:
        """What prices are multiplied by."""
        passed = min(max(now_ms - self.from_ms, 0) / self.over_ms, 1.0)
        return 1.0 + (self.factor - 1.0) * passed


class Walk(VenueMid):
    """A fair price that wanders from a seed; cheap, and the same for all venues of a run but for their own noise."""

    STEP_MS: Final = 500

    def __init__(self, seed: int, symbol: str, base: float, name: str, shocks: Sequence[Shock] = ()) -> None:
        self._common_chance, self._own = Random(f"{seed}:{symbol}"), Random(f"{seed}:{symbol}:{name}")
        self._price, self._step, self._shocks = base, 0, shocks

    def at(self, now_ms: int) -> float:
        """The fair price now; times may go back, prices do not move then."""
        step = now_ms // self.STEP_MS
        self._step = self._step or step
        while self._step < step:
            self._step += 1
            self._price *= 1.0 + self._common_chance.gauss(0.0, 0.000_3)
        shocked = math.prod(shock.at(now_ms) for shock in self._shocks)
        return self._price * shocked * (1.0 + self._own.gauss(0.0, 0.000_05))


@dataclass(frozen=True)
class VenueOptions:
    """How a venue behaves; the default is small and calm."""

    symbols: Sequence[Symbol] = DEFAULT_SYMBOLS[:1]
    events_per_second: float = 2.0
    """Of the generated order flow, for each symbol."""
    depth_orders: int = 12
    tick_seconds: float = 0.2
    rates: Rates = Rates()  # noqa: RUF009 - frozen
    deposits_e8: tuple[tuple[str, int], ...] = (("USDT", 5 * 10**6 * 10**8), ("BTC", 100 * 10**8))
    limits: Limits = field(default_factory=Limits)
    rules: tuple[Rule, ...] = ()
    """Planted faults of the exchange's own."""
    base_prices: tuple[tuple[str, float], ...] = (("BTCUSDT", 60_000.0), ("ETHUSDT", 3_000.0))
    shocks: tuple[Shock, ...] = ()
    """Of the price of everything; options move several times as much."""
    size_lots: int = 20
    """Median size of an order for a contract in the generated flow."""
    touch_lots: int = 400
    """The same of the best quotes."""


def _socket_of(request: Any) -> Any:
    """The end of the connection that the simulated network made."""
    return request.socket


class SimVenue:
    """One exchange over all its incarnations. What it has accepted it never forgets."""

    def __init__(
        self, network: Network, name: str, seed: int, options: VenueOptions | None = None, clock: SimClock | None = None
    ) -> None:
        self.network, self.name, self.seed = network, name, seed
        self.options = options or VenueOptions()
        self.clock = clock or SimClock(network.broker)
        self.received: list[tuple[int, str]] = []
        """(virtual time, client order id) of each order request that arrived, of all incarnations."""
        self.told: Counter[str] = Counter()
        """How often each fill was told by the account's stream, by execution id."""
        self.starts = 0
        self.process: Process | None = None
        self._generated: list[GeneratedFlow] = []
        self.venue = self._build(None)
        self._kept: state.Saved | None = None
        for asset, amount_e8 in self.options.deposits_e8:
            account = self.venue.exchange.open_account(ACCOUNT)
            self.venue.exchange.adjust(account, asset, amount_e8, 0, silent=True)
            self.venue.exchange.reports.clear()

    # -- its life --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, with everything that the last incarnation had accepted; its order flow builds the book anew."""
        assert self.process is None, "it runs already"
        if self._kept is not None:
            self.venue = self._build(self._kept)
        self.starts += 1
        process = self.process = Process(self.network.broker, self.name, self.seed + self.starts, self.clock)
        self._generated.clear()
        loop, server = process.loop(), Server(self.venue, self.options.tick_seconds)
        for rule in self.options.rules:
            self.venue.faults.add(Rule(**{name: getattr(rule, name) for name in rule.__struct_fields__}))
        self.network.listen(self.name, process, loop, cast("Any", server.handle))
        for work in (server.tick(), server.keep_alive(), *self._flows()):
            process.run(loop.create_task, work)

    def kill(self) -> None:
        """Its process is gone, and every connection with it. Books, orders and fills are on its disk."""
        if self.process is not None:
            self._kept = state.saved(self.venue.exchange)
            self.process.kill()
            self.process = None

    def calm(self) -> None:
        """No more planted faults, in this incarnation or a later one."""
        self.venue.faults.clear()
        self.options = replace(self.options, rules=())

    def settings(self) -> VenueSettings:
        """How services reach it."""
        address = {"rest_url": f"http://{self.name}", "stream_url": f"ws://{self.name}"}
        keys = {
            "api_key": TRADE_KEY.api_key,
            "api_secret": TRADE_KEY.secret,
            "read_key": READ_KEY.api_key,
            "read_secret": READ_KEY.secret,
        }
        return VenueSettings.model_validate({**address, **keys, "ping_seconds": 2.0, "look_seconds": 8.0})

    def _build(self, kept: state.Saved | None) -> Venue:
        first_id = max(kept.last_id + 1 if kept else 0, self.starts * IDS_AN_HOUR + 1)
        venue = Venue(
            self.name,
            KEYS,
            symbols=tuple(self.options.symbols),
            rates=self.options.rates,
            limits=self.options.limits,
            seed=self.seed + self.starts,
            first_id=first_id,
        )
        venue.open_socket = _socket_of
        venue.note_received = self._note_received  # type: ignore[method-assign,assignment]
        deliver = venue.users._deliver

        def note(account_id: int, event: dict[str, Any]) -> None:
            if event.get("x") == "TRADE":
                self.told[execution_id(self.name, event["s"], event["t"], event["S"])] += 1
            deliver(account_id, event)

        venue.users._deliver = note  # type: ignore[method-assign]
        if kept is not None:
            state.restore(venue.exchange, kept)
        return venue

    def _note_received(self, client_order_id: str, _received_us: int) -> None:
        self.received.append((self.network.broker.now_us, client_order_id))

    def _flows(self) -> list[Any]:
        bases = dict(self.options.base_prices)
        flows = []
        for symbol, market in self.venue.exchange.markets.items():
            base = bases.get(symbol, 100.0)
            contract = market.symbol.multiplier_e8 > 0
            walk = Walk(self.seed, symbol, base, f"{self.name}{self.starts}", self._shocks(market.symbol))
            parameters = self._parameters(market.symbol, base)
            chance = Random(f"{self.seed}:{self.name}:{symbol}:{self.starts}")
            generated = GeneratedFlow(self.venue.exchange, market, parameters, walk, chance)
            rate = self.options.events_per_second * (CONTRACT_EVENTS if contract else 1.0)
            self._generated.append(generated)
            flows.append(play_generated(self.venue, generated, rate))
        return flows

    def _parameters(self, symbol: Symbol, base: float) -> FlowParameters:
        options, size, touch = self.options, 0.05, 1.0
        if symbol.multiplier_e8 > 0:
            lot = symbol.lot_e8 / ONE_E8
            size, touch = options.size_lots * lot, options.touch_lots * lot
        return FlowParameters(base, size, touch, depth_orders=options.depth_orders)

    def _shocks(self, symbol: Symbol) -> Sequence[Shock]:
        """Those of the options, as a symbol feels them."""
        power = OPTION_POWER if symbol.option else 1
        return [shock._replace(factor=shock.factor**power) for shock in self.options.shocks]

    def deepen(self) -> None:
        """Books are thick from now on, in a later incarnation too."""
        self.options = replace(self.options, depth_orders=DEEP_ORDERS, size_lots=20, touch_lots=DEEP_LOTS)
        for flow in self._generated:
            made = self._parameters(flow.market.symbol, flow.parameters.base_price)
            flow.parameters = replaced(made, requote_ms=flow.parameters.requote_ms)

    # -- the truth -------------------------------------------------------------------------------------------

    def orders(self) -> list[ClientOrder]:
        """Every order that it ever accepted, by its own ids."""
        return [order for _, order in sorted(self.venue.exchange.registry.orders.items())]

    def open_orders(self) -> frozenset[str]:
        """Client order ids of what rests in its books."""
        return frozenset(order.client_order_id for order in self.orders() if order.status in OPEN)

    def fills(self) -> dict[str, tuple[str, Fill]]:
        """Execution id to (client order id, fill) of everything that it ever traded for the firm."""
        registry = self.venue.exchange.registry
        account = self.venue.exchange.accounts[ACCOUNT]
        found: dict[str, tuple[str, Fill]] = {}
        for symbol in self.venue.symbols:
            for fill in registry.fills_of(account, symbol):
                side: Side = "BUY" if fill.buyer else "SELL"
                name = execution_id(self.name, symbol, fill.trade_id, side)
                assert name not in found, f"{name} came twice from the exchange itself"
                found[name] = (registry.orders[fill.order_id].client_order_id, fill)
        return found

    def balances_e8(self) -> dict[str, int]:
        """What the firm has there, by asset; never zero."""
        account = self.venue.exchange.accounts[ACCOUNT]
        assets = sorted(account.free.keys() | account.locked.keys())
        held = {asset: account.free.get(asset, 0) + account.locked.get(asset, 0) for asset in assets}
        return {asset: amount_e8 for asset, amount_e8 in held.items() if amount_e8}

    def moved_e8(self) -> dict[str, int]:
        """What trading did to the firm's account, by asset; never zero."""
        moved = Counter(self.balances_e8())
        moved.subtract(dict(self.options.deposits_e8))
        return {asset: amount_e8 for asset, amount_e8 in moved.items() if amount_e8}

    def cancel_all(self) -> None:
        """Somebody at the exchange ends every open order: for the end of a run."""
        assert self.process is not None
        self.process.run(self._cancel_all)

    def _cancel_all(self) -> None:
        exchange, now_ms = self.venue.exchange, self.venue.now_us() // 1_000
        for order in [order for order in self.orders() if order.status in OPEN]:
            exchange.cancel(order, now_ms)
        self.venue.flush()
