"""User data streams: every account's own events, to whoever proved to be that account.

A subscription belongs to a websocket-api session (events wrapped with its number) or to a listen key (events
raw, or wrapped with the stream's name). Planted faults strike here, per account and in order of events.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from truetape import chance
from venues.accounts import Account
from venues.faults import Faults
from venues.rejects import Reject
from venues.sessions import Session

encode = msgspec.json.Encoder().encode
LISTEN_KEY_MS: Final = 3_600_000
LISTEN_KEYS_MAX: Final = 1_000


class Subscription(Struct, eq=False):
    """One listener: `wrap` turns an encoded event into the message its session gets."""

    account_id: int
    session: Session
    wrap: Callable[[bytes], bytes]


class _ListenKey(Struct):
    account_id: int
    expires_ms: int


class UserStreams:
    """Delivers user data events to subscriptions."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._subscriptions: dict[int, list[Subscription]] = {}
        self._listen_keys: dict[str, _ListenKey] = {}
        self._held: dict[int, list[dict[str, Any]]] = {}

    def subscribe(self, subscription: Subscription) -> Callable[[], None]:
        """Start delivering; returns the function that ends it."""
        listeners = self._subscriptions.setdefault(subscription.account_id, [])
        listeners.append(subscription)

        def end() -> None:
            if subscription in listeners:
                listeners.remove(subscription)

        return end

    def sessions(self) -> list[Session]:
        """Every session with a subscription."""
        return [one.session for listeners in self._subscriptions.values() for one in listeners]

    def publish(self, account: Account, event: dict[str, Any]) -> None:
        """Deliver an event, faults permitting."""
        if self.faults.rules:
            self._publish_with_faults(account.account_id, event)
        else:
            self._deliver(account.account_id, event)

    def _publish_with_faults(self, account_id: int, event: dict[str, Any]) -> None:
        execution, strike = str(event.get("x", event["e"])), self.faults.strike_event
        if strike("drop_event", execution):
            return
        late = strike("late_event", execution)
        if late is not None:
            asyncio.get_running_loop().call_later(late.delay_ms / 1_000, self._deliver, account_id, event)
            return
        swapped = strike("reorder_event", execution)
        if swapped is not None:
            self._held.setdefault(account_id, []).append(event)
            asyncio.get_running_loop().call_later(swapped.delay_ms / 1_000, self._release, account_id)
            return
        self._deliver(account_id, event)
        if strike("duplicate_event", execution):
            self._deliver(account_id, event)
        if "x" in event:
            self._release(account_id)

    def _release(self, account_id: int) -> None:
        """Deliver what was held back: after the next execution report, or when that takes too long."""
        for held in self._held.pop(account_id, ()):
            self._deliver(account_id, held)

    def _deliver(self, account_id: int, event: dict[str, Any]) -> None:
        listeners = self._subscriptions.get(account_id)
        if listeners:
            raw = encode(event)
            for subscription in listeners:
                subscription.session.send(subscription.wrap(raw))

    def open_listen_key(self, account: Account, now_ms: int) -> str:
        """The account's listen key, valid for an hour from now."""
        self._expire(now_ms)
        for name, key in self._listen_keys.items():
            if key.account_id == account.account_id:
                key.expires_ms = now_ms + LISTEN_KEY_MS
                return name
        if len(self._listen_keys) >= LISTEN_KEYS_MAX:
            raise Reject(-1008, "Server is currently overloaded with other requests.")
        name = chance.token_hex(32)
        self._listen_keys[name] = _ListenKey(account.account_id, now_ms + LISTEN_KEY_MS)
        return name

    def keep_listen_key(self, account: Account, name: str, now_ms: int) -> None:
        """Give a listen key another hour. Raises -1125 when it is not the account's."""
        self._owned(account, name, now_ms).expires_ms = now_ms + LISTEN_KEY_MS

    def close_listen_key(self, account: Account, name: str, now_ms: int) -> None:
        """Forget a listen key. Raises -1125 when it is not the account's."""
        self._owned(account, name, now_ms)
        del self._listen_keys[name]

    def listen_key_account(self, name: str, now_ms: int) -> int | None:
        """The account id that a listen key stands for."""
        self._expire(now_ms)
        key = self._listen_keys.get(name)
        return key.account_id if key is not None else None

    def _owned(self, account: Account, name: str, now_ms: int) -> _ListenKey:
        self._expire(now_ms)
        key = self._listen_keys.get(name)
        if key is None or key.account_id != account.account_id:
            raise Reject(-1125, "This listenKey does not exist.")
        return key

    def _expire(self, now_ms: int) -> None:
        for name in [name for name, key in self._listen_keys.items() if key.expires_ms <= now_ms]:
            del self._listen_keys[name]
