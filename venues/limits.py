"""Rate limits: request weight per address and minute, orders per account and 10 seconds or day, bans.

Fixed windows, as Binance counts them. Past the weight limit a request gets 429 with Retry-After; whoever goes
on all the same is banned and gets 418, each time twice as long. Past an order limit it is -1015, HTTP 429.
"""

from typing import Any

from msgspec import Struct

from venues.rejects import Reject

DAY_MS = 86_400_000
TEN_SECONDS_MS = 10_000
MINUTE_MS = 60_000


class Limits(Struct, frozen=True):
    """What is allowed. Binance's own figures are 6000, 100, 200000."""

    weight_1m: int = 1_200_000
    orders_10s: int = 100_000
    orders_1d: int = 50_000_000
    warnings: int = 20
    ban_seconds: int = 120

    def listing(self) -> list[dict[str, Any]]:
        """As exchangeInfo shows them."""
        return [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, self.weight_1m),
            _limit("ORDERS", "SECOND", 10, self.orders_10s),
            _limit("ORDERS", "DAY", 1, self.orders_1d),
        ]


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


class _Window:
    """A counter that starts again at each multiple of its length."""

    __slots__ = ("count", "length_ms", "start_ms")

    def __init__(self, length_ms: int) -> None:
        self.length_ms = length_ms
        self.start_ms = 0
        self.count = 0

    def add(self, weight: int, now_ms: int) -> int:
        """Count, and return the count of the current window."""
        if now_ms - self.start_ms >= self.length_ms:
            self.start_ms = now_ms - now_ms % self.length_ms
            self.count = 0
        self.count += weight
        return self.count

    def remaining_s(self, now_ms: int) -> int:
        """Whole seconds until the next window."""
        return max(1, -(-(self.start_ms + self.length_ms - now_ms) // 1_000))


class _Address:
    """One client address: its weight, its warnings and its ban."""

    __slots__ = ("banned_until_ms", "bans", "warnings", "weight")

    def __init__(self) -> None:
        self.weight = _Window(MINUTE_MS)
        self.warnings = 0
        self.bans = 0
        self.banned_until_ms = 0


class RateLimiter:
    """Counts requests and orders and refuses what is too much."""

    ADDRESSES_MAX = 10_000

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._addresses: dict[str, _Address] = {}
        self._orders: dict[int, tuple[_Window, _Window]] = {}

    def request(self, address: str, weight: int, now_ms: int) -> int:
        """Count a request; returns the weight used in this minute. Raises -1003 with 429 or 418."""
        state = self._addresses.get(address)
        if state is None:
            if len(self._addresses) >= self.ADDRESSES_MAX:
                self._addresses.clear()
            state = self._addresses[address] = _Address()
        if now_ms < state.banned_until_ms:
            raise self._banned(state, now_ms)
        used = state.weight.add(weight, now_ms)
        if used <= self.limits.weight_1m:
            if used == weight:
                state.warnings = 0
            return used
        state.warnings += 1
        if state.warnings > self.limits.warnings:
            state.warnings = 0
            state.banned_until_ms = now_ms + (self.limits.ban_seconds << min(state.bans, 11)) * 1_000
            state.bans += 1
            raise self._banned(state, now_ms)
        raise Reject(
            -1003,
            f"Too much request weight used; current limit is {self.limits.weight_1m} request weight per 1 MINUTE."
            " Please use WebSocket Streams for live updates to avoid polling the API.",
            retry_after_s=state.weight.remaining_s(now_ms),
        )

    def order(self, account_id: int, now_ms: int) -> tuple[int, int]:
        """Count an order; returns the counts of (10 seconds, day). Raises -1015."""
        windows = self._windows(account_id)
        counts = (windows[0].add(1, now_ms), windows[1].add(1, now_ms))
        for count, limit, span in zip(
            counts, (self.limits.orders_10s, self.limits.orders_1d), ("10 SECOND", "1 DAY"), strict=True
        ):
            if count > limit:
                raise Reject(-1015, f"Too many new orders; current limit is {limit} orders per {span}.")
        return counts

    def order_counts(self, account_id: int, now_ms: int) -> tuple[int, int]:
        """The order counts of the current windows."""
        windows = self._windows(account_id)
        return windows[0].add(0, now_ms), windows[1].add(0, now_ms)

    def _windows(self, account_id: int) -> tuple[_Window, _Window]:
        windows = self._orders.get(account_id)
        if windows is None:
            windows = self._orders[account_id] = (_Window(TEN_SECONDS_MS), _Window(DAY_MS))
        return windows

    def _banned(self, state: _Address, now_ms: int) -> Reject:
        return Reject(
            -1003,
            f"Way too much request weight used; IP banned until {state.banned_until_ms}."
            " Please use WebSocket Streams for live updates to avoid bans.",
            status=418,
            retry_after_s=max(1, -(-(state.banned_until_ms - now_ms) // 1_000)),
        )
