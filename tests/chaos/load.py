"""The load of a scenario: traders that submit through REST, repeat what was not answered, and remember every answer.

Every attempt is noted with its time, duration and status, so that a curve can be drawn; every order that was once
acknowledged is kept, so that it can be asked for afterwards.
"""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

import httpx

from truetape.client import Client, Refused, Unreachable

Level = Literal["idle", "light", "full"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
PER_SECOND: Final[Mapping[Level, float]] = {"idle": 2.0, "light": 40.0, "full": float("inf")}
"""Submissions per second over all traders; `full` is as fast as they are answered."""
RETRY_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
"""How long after the end a submission without a definite answer is repeated."""
TRADERS_PER_ACCOUNT: Final = 2


class Attempt(NamedTuple):
    """One request to submit an order, as the network saw it. `status` 0: no answer."""

    at: float
    """When it was sent, monotonic seconds."""
    seconds: float
    status: int
    retry_after: str


class Acknowledged(NamedTuple):
    """A submission that was answered with an order id."""

    account_id: str
    client_order_id: str
    order_id: str
    terms: dict[str, Any]


class Recording(httpx.BaseTransport):
    """Notes every submission that passes, and which are under way."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.under_way = 0
        self._lock = threading.Lock()
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_connections=4))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return self._inner.handle_request(request)
        with self._lock:
            self.under_way += 1
        began, status, retry_after = time.monotonic(), 0, ""
        try:
            response = self._inner.handle_request(request)
            response.read()
            status, retry_after = response.status_code, response.headers.get("Retry-After", "")
            return response
        finally:
            with self._lock:
                self.under_way -= 1
                self.attempts.append(Attempt(began, time.monotonic() - began, status, retry_after))

    def close(self) -> None:
        self._inner.close()


@dataclass
class Load:
    """Traders on several accounts, from `start` to `stop`. `name` makes the client order ids of this load its own."""

    url: str
    keys: dict[str, str]
    """API key by account."""
    name: str
    seed: int
    level: Level
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Definite refusals by code."""
    refusals: dict[tuple[str, str], str] = field(default_factory=dict)
    """Code by account and client order id of what was definitely refused."""
    doubtful: list[str] = field(default_factory=list)
    """Client order ids that never got a definite answer."""
    cancelled: list[str] = field(default_factory=list)
    """Ids of orders whose cancel was acknowledged."""
    differing: list[str] = field(default_factory=list)
    """A repeated submission that was answered with another order id."""

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._give_up_at = float("inf")
        self._recordings: list[Recording] = []
        self._threads = [
            threading.Thread(target=self._trade, args=(account, key, number), name=f"trader-{account}-{number}")
            for account, key in self.keys.items()
            for number in range(TRADERS_PER_ACCOUNT)
        ]

    def start(self) -> "Load":
        """Begin to trade."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Submit nothing new, and wait until everything submitted has a definite answer or its time is over."""
        self._give_up_at = time.monotonic() + ANSWER_SECONDS
        self._stopping.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS + 30)
            assert not thread.is_alive(), f"{thread.name} does not end"

    @property
    def under_way(self) -> int:
        """Submissions that are on the wire now."""
        return sum(recording.under_way for recording in self._recordings)

    def attempts(self) -> Sequence[Attempt]:
        """All attempts so far, by the time at which they were sent."""
        return sorted(itertools.chain.from_iterable(list(one.attempts) for one in self._recordings))

    # -- a trader --------------------------------------------------------------------------------------------

    def _trade(self, account: str, key: str, trader: int) -> None:
        chance = random.Random(f"{self.seed}/{account}/{trader}")
        recording = Recording()
        self._recordings.append(recording)
        pause = len(self._threads) / PER_SECOND[self.level]
        with Client(self.url, key, retry_seconds=RETRY_SECONDS, timeout_seconds=8.0, transport=recording) as client:
            for number in itertools.count(1):
                if self._stopping.wait(chance.uniform(0, 2 * pause)):
                    return
                self.submit(client, account, f"{self.name}.{trader}.{number}", chance)

    def submit(self, client: Client, account: str, client_order_id: str, chance: random.Random) -> None:
        """One order, repeated under its id until the answer is definite."""
        wanted = terms(chance)
        pending = ""
        while time.monotonic() < self._give_up_at:
            try:
                answer = client.submit(**wanted, client_order_id=client_order_id)
            except Refused as refusal:
                if refusal.status < 500 and refusal.status != 429:
                    self.refused[refusal.code] += 1
                    self.refusals[account, client_order_id] = refusal.code
                    return
                continue
            except Unreachable:
                continue
            if pending and pending != answer.order_id:
                self.differing.append(client_order_id)
            if not pending:
                self.acknowledged.append(Acknowledged(account, client_order_id, answer.order_id, wanted))
            pending = answer.order_id
            if answer.status == "ACCEPTED":
                self._perhaps_cancel(client, answer.order_id, wanted, chance)
                return
            time.sleep(0.2)
        self.doubtful.append(client_order_id)

    def _perhaps_cancel(self, client: Client, order_id: str, wanted: dict[str, Any], chance: random.Random) -> None:
        if not wanted.get("post_only") or chance.random() < 0.3:
            return  # It stays until the end.
        try:
            self.cancelled += client.cancel(order_id)
        except (Refused, Unreachable):
            return  # What became of it, the books will tell.


def levels(words: str) -> tuple[Level, ...]:
    """The loads that words such as "idle,full" name, in the order of LEVELS. Raises ValueError."""
    named = {word.strip() for word in words.split(",")}
    if not named <= set(LEVELS):
        unknown = ", ".join(sorted(named - set(LEVELS))) or "nothing"
        raise ValueError(
            f"no load of a scenario is named {unknown!r}; give some of {','.join(LEVELS)}, for example idle,full"
        )
    return tuple(level for level in LEVELS if level in named)


def times(load: Level, at_light: int, otherwise: int) -> int:
    """How often a fault comes: as often as the catalogue asks at light load, which is its own; less at the others."""
    return at_light if load == "light" else otherwise


def terms(chance: random.Random) -> dict[str, Any]:
    """Orders that need no look at the market: market orders both ways, and a far bid now and then."""
    instrument, size, far = chance.choice((("BTC-USDT", "0.001", "20000"), ("ETH-USDT", "0.02", "1000")))
    if chance.random() < 0.2:
        return {"instrument_id": instrument, "side": "BUY", "quantity": size, "price": far, "post_only": True}
    return {"instrument_id": instrument, "side": chance.choice(("BUY", "SELL")), "quantity": size}
