"""Binance spot's REST interface: signing, classification of what can go wrong, rate limits, clock.

What can go wrong falls in two classes (https://developers.binance.com/docs/binance-spot-api-docs/rest-api):
surely without effect (4xx, or nothing was sent) and doubtful (no answer, 5xx, "execution status unknown").
"""

import asyncio
import hmac
from typing import Final, Literal

import aiohttp
import structlog
from aiohttp.hdrs import RETRY_AFTER
from multidict import CIMultiDict, CIMultiDictProxy, istr
from pydantic import SecretStr
from yarl import URL

from truetape import clock
from truetape.errors import VenueError
from truetape.venue import binance_codec as codec
from truetape.venue.clock import VenueClock
from truetape.venue.errors import VenueDoubtful, VenueLimited, VenueRefused
from truetape.venue.limits import RateLimits

ORDERS_AT_ONCE: Final = 32
QUERIES_AT_ONCE: Final = 8
"""Bounds of requests under way, so of connections; queries cannot take the places of orders and cancels."""
CONNECT_SECONDS: Final = 3.0
REPLY_SECONDS: Final = 5.0
"""Without an answer for longer, the outcome of a request counts as doubtful."""
WINDOW_MS_MAX: Final = 60_000
QUERY_WINDOW_MS: Final = 5_000
CLOCK_SECONDS: Final = 10.0
"""Between measurements of the venue's clock."""
CLOCK_RETRY_SECONDS: Final = 0.5
_DOUBTFUL_CODES: Final = frozenset({-1000, -1001, -1006, -1007})
"""UNKNOWN, DISCONNECTED, UNEXPECTED_RESP, TIMEOUT: whatever the status, these say nothing about the outcome."""
_LIMIT_CODES: Final = frozenset({-1003, -1015})
_DUPLICATE: Final = "Duplicate order sent."
"""Our own order with this id is open there: the opposite of a refusal."""
_ORDER_LIMIT_CODE: Final = -1015
_WEIGHT, _ORDERS = istr("X-MBX-USED-WEIGHT-1M"), istr("X-MBX-ORDER-COUNT-10S")
_NO_AUTO_HEADERS: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
Method = Literal["GET", "POST", "DELETE"]
_log = structlog.get_logger()


def monotonic_us() -> int:
    """Our monotonic clock in microseconds."""
    return round(clock.monotonic() * 1e6)


def open_http() -> aiohttp.ClientSession:
    """A client session with bounded, kept connections; nothing that a request does not need."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_NO_AUTO_HEADERS,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )


class Rest:
    """One venue's REST interface under one key. Raises VenueRefused (VenueLimited) or VenueDoubtful."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str, key: SecretStr, secret: SecretStr) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        name = key.get_secret_value()
        self._headers = CIMultiDictProxy(CIMultiDict({"X-MBX-APIKEY": name} if name else {}))
        self._mac = hmac.new(secret.get_secret_value().encode(), digestmod="sha256")
        self._orders = asyncio.Semaphore(ORDERS_AT_ONCE)
        self._queries = asyncio.Semaphore(QUERIES_AT_ONCE)
        self.clock = VenueClock()
        self.limits = RateLimits()
        self.example_symbol = ""
        """Any symbol that is traded here: the limits are published with it."""

    def venue_now_us(self) -> int:
        """The venue's clock by our last measurement. Raises VenueRefused before the first."""
        if not self.clock.measured:
            raise VenueRefused("VENUE_UNREACHABLE", "not sent: the venue's clock has not been measured")
        return self.clock.now_us(monotonic_us())

    def limit_now(self) -> float:
        """The venue's clock in seconds, for its rate limits; ours until it is measured."""
        return (self.venue_now_us() if self.clock.measured else clock.now_us()) / 1e6

    def accepts_orders(self) -> bool:
        """Whether an order would be sent now."""
        if not self.clock.measured:
            return False
        try:
            self.limits.check_order(self.limit_now())
        except VenueLimited:
            return False
        return True

    async def measure_clock(self) -> int:
        """Ask for the venue's time: microseconds UTC, read after this call began."""
        sent_us = monotonic_us()
        venue_us = codec.server_time_us(await self.public("/api/v3/time", ""))
        # Milliseconds cut off: the time was half a millisecond later on average.
        self.clock.sample(sent_us, venue_us + 500, monotonic_us())
        return venue_us

    async def keep_clock(self) -> None:
        """Measure the clock and learn the limits, for ever."""
        while True:
            wait = CLOCK_RETRY_SECONDS
            try:
                await self.measure_clock()
                await self._learn_limits()
                wait = CLOCK_SECONDS if self.clock.settled else 0.05
            except VenueError as error:
                _log.debug("venue clock not measured", url=self._base, reason=str(error))
            await asyncio.sleep(wait)

    async def _learn_limits(self) -> None:
        if self.limits.weight_limit is None and self.example_symbol:
            info = await self.public("/api/v3/exchangeInfo", f"symbol={self.example_symbol}")
            self.limits.weight_limit, self.limits.order_limit = codec.rate_limits(info)

    async def public(self, path: str, query: str) -> bytes:
        """GET without a signature; waits while the rate limit has no room for queries."""
        await self._wait_for_weight()
        async with self._queries:
            return await self._send("GET", path, query)

    async def query(self, path: str, query: str) -> bytes:
        """Signed GET; waits while the rate limit has no room for queries."""
        await self._wait_for_weight()
        async with self._queries:
            return await self._send("GET", path, self._signed(query, QUERY_WINDOW_MS))

    async def delete(self, path: str, query: str) -> bytes:
        """Signed DELETE; goes before queries."""
        async with self._orders:
            wait = self.limits.wait_seconds(self.limit_now(), query=False)
            if wait > 0:
                raise VenueLimited(
                    "RATE_LIMITED", f"not sent: the venue's rate limit is used up for {wait:.1f} s", wait
                )
            return await self._send("DELETE", path, self._signed(query, QUERY_WINDOW_MS))

    async def post_order(self, query: str, send_before_us: int) -> bytes:
        """POST /api/v3/order, signed so that the venue refuses it after `send_before_us` by its own clock.

        The deadline is checked after the wait for a connection, right before sending.
        """
        async with self._orders:
            self.limits.check_order(self.limit_now())
            window_ms = send_before_us // 1_000 - self.venue_now_us() // 1_000
            if window_ms <= 0:
                raise VenueRefused("SEND_DEADLINE_PASSED", f"not sent: {-window_ms} ms after its deadline")
            return await self._send("POST", "/api/v3/order", self._signed(query, min(window_ms, WINDOW_MS_MAX)))

    def _signed(self, query: str, window_ms: int) -> str:
        head = f"{query}&" if query else ""
        text = f"{head}recvWindow={window_ms}&timestamp={self.venue_now_us() // 1_000}"
        return f"{text}&signature={self.sign(text)}"

    def sign(self, text: str) -> str:
        """HMAC-SHA256 of a query as it is sent."""
        mac = self._mac.copy()  # hmac.digest would give up the interpreter lock each time.
        mac.update(text.encode())
        return mac.hexdigest()

    async def _wait_for_weight(self) -> None:
        while (wait := self.limits.wait_seconds(self.limit_now(), query=True)) > 0:
            await asyncio.sleep(min(wait, 1.0))

    async def _send(self, method: Method, path: str, query: str) -> bytes:
        url = URL(f"{self._base}{path}?{query}" if query else self._base + path, encoded=True)
        try:
            async with (
                asyncio.timeout(REPLY_SECONDS),
                self._http.request(method, url, headers=self._headers, allow_redirects=False) as response,
            ):
                body = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise VenueRefused("VENUE_UNREACHABLE", f"not sent: {type(error).__name__}") from error
        except TimeoutError as error:
            raise VenueDoubtful(f"no answer within {REPLY_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise VenueDoubtful(f"connection lost before the answer: {type(error).__name__}") from error
        headers = response.headers
        self.limits.used(headers.get(_WEIGHT), headers.get(_ORDERS), self.limit_now())
        if response.status == 200:
            return body
        raise self._failure(response.status, body, headers.get(RETRY_AFTER))

    def _failure(self, status: int, body: bytes, retry_after: str | None) -> VenueRefused | VenueDoubtful:
        """Which of the two classes an answer other than 200 belongs to."""
        found = codec.error_body(body)
        code, text = (found.code, found.msg) if found is not None else (0, f"HTTP {status}")
        if status < 400 or status >= 500 or status == 408 or code in _DOUBTFUL_CODES or text == _DUPLICATE:
            return VenueDoubtful(f"HTTP {status}, {code or 'no code'}: {text}")
        if status in (418, 429) or code in _LIMIT_CODES:
            wait = float(retry_after) if retry_after is not None and retry_after.isdecimal() else 0.0
            self.limits.refused(wait, self.limit_now(), orders_only=code == _ORDER_LIMIT_CODE)
            return VenueLimited(str(code or status), text, wait)
        return VenueRefused(str(code) if code else f"HTTP_{status}", text)
