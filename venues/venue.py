"""One simulated venue in memory: the exchange with its keys, limits, faults and listeners, and their clock."""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from aiohttp import web

from truetape import clock
from venues.accounts import Account
from venues.exchange import Exchange, Rates
from venues.faults import Faults
from venues.limits import Limits, RateLimiter
from venues.parameters import Parameters
from venues.sessions import open_socket
from venues.signing import ApiKey
from venues.streams import Hub, MarketStreams
from venues.symbols import DEFAULT_SYMBOLS, Symbol
from venues.users import UserStreams

RECEIVED_MAX: Final = 200_000


class Call(NamedTuple):
    """A request that passed the checks of its security type; `account` is None for public ones."""

    parameters: Parameters
    account: Account | None
    now_ms: int

    @property
    def owner(self) -> Account:
        """The account of a signed request."""
        assert self.account is not None
        return self.account


class Venue:
    """Everything that the servers of one venue share."""

    def __init__(
        self,
        name: str,
        keys: dict[str, ApiKey],
        *,
        symbols: tuple[Symbol, ...] = DEFAULT_SYMBOLS,
        rates: Rates | None = None,
        limits: Limits | None = None,
        admin_token: str = "",
        seed: int = 1,
        first_id: int = 1,
        history: int = 1_000_000,
    ) -> None:
        self.name = name
        self.keys = keys
        self.admin_token = admin_token
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.exchange = Exchange(symbols, rates or Rates(), first_id, history)
        self.accounts = {key.api_key: self.exchange.open_account(key.account, key.fee_asset) for key in keys.values()}
        self.limiter = RateLimiter(limits or Limits())
        self.faults = Faults(seed)
        self.hub = Hub()
        self.markets = MarketStreams(self.exchange, self.hub, self.faults)
        self.users = UserStreams(self.faults)
        self.open_socket: Callable[[web.BaseRequest], web.WebSocketResponse] = open_socket
        self.received: deque[tuple[str, int]] = deque(maxlen=RECEIVED_MAX)

    @staticmethod
    def now_us() -> int:
        """The venue's clock, microseconds UTC."""
        return clock.now_us()

    def note_received(self, client_order_id: str, received_us: int) -> None:
        """Remember when a new order's request arrived, for latency measurements."""
        if client_order_id.isascii():
            self.received.append((client_order_id[:36], received_us))

    def expire(self) -> None:
        """End the contracts whose time has come."""
        self.exchange.expire(self.now_us() // 1_000)
        if self.exchange.reports:
            self.flush()

    def flush(self) -> None:
        """Tell listeners what the exchange has just done."""
        reports = self.exchange.reports
        if reports:
            for account, event in reports:
                self.users.publish(account, event)
            reports.clear()
        self.markets.flush()
