"""A venue's rate limits, kept from its answers so that we stop before it makes us. Pure: the time is an argument,
seconds by the venue's clock, on which its windows lie."""

from typing import Final

from truetape.venue.errors import VenueLimited

WEIGHT_WINDOW_SECONDS: Final = 60
ORDER_WINDOW_SECONDS: Final = 10
QUERY_SHARE: Final = 0.8
"""Share of the request weight that queries may use; the rest is for orders and cancels."""
BACK_OFF_SECONDS: Final = 1.0
"""How long to be silent after a refusal that names no time."""


class RateLimits:
    """What may be sent now. Limits are None until the venue has published them."""

    def __init__(self) -> None:
        self.weight_limit: int | None = None
        self.order_limit: int | None = None
        self.weight_used = 0
        self._weight_seen_at = 0.0
        self._orders_used = 0
        self._orders_seen_at = 0.0
        self._silent_until = 0.0
        self._no_orders_until = 0.0
        self.refusals = 0

    def used(self, weight: str | None, orders: str | None, now: float) -> None:
        """Headers of an answer: weight used in this minute, orders in these ten seconds."""
        if weight is not None and weight.isdecimal():
            self.weight_used, self._weight_seen_at = int(weight), now
        if orders is not None and orders.isdecimal():
            self._orders_used, self._orders_seen_at = int(orders), now

    def refused(self, retry_after_seconds: float, now: float, *, orders_only: bool) -> None:
        """The venue refused for a limit: be silent for as long as it says."""
        self.refusals += 1
        until = now + max(retry_after_seconds, BACK_OFF_SECONDS)
        if orders_only:
            self._no_orders_until = max(self._no_orders_until, until)
        else:
            self._silent_until = max(self._silent_until, until)

    def wait_seconds(self, now: float, *, query: bool) -> float:
        """How long a request must wait; 0 when it may go now. Queries leave room for orders."""
        allowed = None if self.weight_limit is None else self.weight_limit * (QUERY_SHARE if query else 1.0)
        same_window = now // WEIGHT_WINDOW_SECONDS == self._weight_seen_at // WEIGHT_WINDOW_SECONDS
        wait = max(self._silent_until - now, 0.0)
        if same_window and allowed is not None and self.weight_used >= allowed:
            wait = max(wait, WEIGHT_WINDOW_SECONDS - now % WEIGHT_WINDOW_SECONDS)
        return wait

    def check_cancel(self, now: float) -> None:
        """Raise VenueLimited when a cancel must not be sent now."""
        _refuse(self.wait_seconds(now, query=False))

    def check_order(self, now: float) -> None:
        """Raise VenueLimited when a new order must not be sent now."""
        wait = max(self.wait_seconds(now, query=False), self._no_orders_until - now)
        same_window = now // ORDER_WINDOW_SECONDS == self._orders_seen_at // ORDER_WINDOW_SECONDS
        if same_window and self.order_limit is not None and self._orders_used >= self.order_limit:
            wait = max(wait, ORDER_WINDOW_SECONDS - now % ORDER_WINDOW_SECONDS)
        _refuse(wait)


def _refuse(wait: float) -> None:
    if wait > 0:
        raise VenueLimited("RATE_LIMITED", f"not sent: the venue's rate limit is used up for {wait:.1f} s", wait)
