"""What Redis must do for the gateway and the projection: the same cases against the real one and the simulated one."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from services.gateway.limits import HOT_BALANCES, RAISE, TAKE
from services.gateway.projection.hot import UPDATE, VIEW_KEY, HotKeys, balances_key
from services.gateway.projection.store import Credit, Move
from truetape.happenings import Part
from truetape.tape import START
from truetape.topics import CLEARING_ENTRIES, ORDERS_DECISIONS

P1, P2 = Part(ORDERS_DECISIONS.name, 1), Part(ORDERS_DECISIONS.name, 2)
ENTRIES = Part(CLEARING_ENTRIES.name, 1)
BUCKET, ANSWERED = "truetape:rate:k", "truetape:answered:acme"


class Server(Protocol):
    """A Redis, as this contract handles it."""

    def client(self) -> Any:
        """As the projection has it."""

    def script(self, text: str, keys: tuple[str, ...], *arguments: str | int) -> Any:
        """A script by the gateway's link."""

    def flush(self) -> None:
        """Forget everything."""

    def pass_time(self, seconds: float) -> None:
        """Let the server's clock go on."""


def move(part: Part, start: int, end: int) -> Move:
    return Move(part, start, end, START)


class RedisContract:
    """Subclasses say which server."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        raise NotImplementedError

    @pytest.fixture
    def hot(self, server: Server) -> HotKeys:
        """Hot keys that were filled once: acme has 5 at 10 of P1; P2 stands at 0."""
        hot = HotKeys(server.client(), lambda: ([Credit("acme", "BTC", 5, 1)], {P1: 10, P2: 0}))
        hot.refresh()
        assert hot.complete
        return hot

    # -- hot keys --------------------------------------------------------------------------------------------

    def test_filled_keys_are_complete_and_say_how_far_they_reach(self, server: Server, hot: HotKeys) -> None:
        assert balances(server, "acme", P1, P2, ENTRIES) == [["1", "10", "0", None], ["BTC", "5 1"]]
        assert balances(server, "nobody", P1) == [["1", "10"], []]

    def test_an_update_moves_balances_and_positions_together(self, server: Server, hot: HotKeys) -> None:
        hot.update([Credit("acme", "BTC", 7, 0), Credit("bob", "USDT", -3, 2)], [move(P1, 10, 12), move(ENTRIES, 0, 4)])
        assert hot.complete
        assert balances(server, "acme", P1, ENTRIES) == [["1", "12", "4"], ["BTC", "7 0"]]
        assert balances(server, "bob") == [["1"], ["USDT", "-3 2"]]

    @pytest.mark.parametrize("moves", [[move(P1, 11, 12)], [move(P1, 9, 12)], [move(P1, 10, 11), move(P2, 1, 2)]])
    def test_an_update_that_does_not_follow_on_changes_nothing(
        self, server: Server, hot: HotKeys, moves: list[Move]
    ) -> None:
        hot.update([Credit("acme", "BTC", 7, 0)], moves)
        assert not hot.complete
        assert balances(server, "acme", P1, P2) == [["1", "10", "0"], ["BTC", "5 1"]]

    def test_after_a_flush_nobody_trusts_the_keys_until_they_are_filled(self, server: Server, hot: HotKeys) -> None:
        server.flush()
        assert balances(server, "acme", P1) == [[], []]
        hot.update([Credit("acme", "BTC", 7, 0)], [move(P1, 10, 11)])
        assert not hot.complete
        assert balances(server, "acme", P1) == [[], []]
        hot.tried_at = float("-inf")
        hot.update([], [])
        assert hot.complete
        assert balances(server, "acme", P1) == [["1", "10"], ["BTC", "5 1"]]

    def test_an_idle_projector_sees_a_flush(self, server: Server, hot: HotKeys) -> None:
        server.flush()
        hot.tried_at = float("-inf")
        hot.refresh()
        assert balances(server, "acme", P1) == [["1", "10"], ["BTC", "5 1"]]

    def test_the_raw_update_says_whether_it_was_made(self, server: Server, hot: HotKeys) -> None:
        row = (balances_key("acme"), "BTC", "9 9")
        assert server.client().eval(UPDATE, 1, VIEW_KEY, 1, str(P1), 10, 11, *row) == 1
        assert server.client().eval(UPDATE, 1, VIEW_KEY, 1, str(P1), 10, 11, *row) == 0

    # -- the gateway's ---------------------------------------------------------------------------------------

    def test_a_bucket_gives_its_rate_and_then_tells_how_long_to_wait(self, server: Server) -> None:
        granted, wait = exhaust(server, 3)
        assert granted >= 3
        assert 0 < wait <= 334
        server.pass_time(0.4)
        assert server.script(TAKE, (BUCKET, ""), 3) == [0, []]
        assert server.script(TAKE, ("truetape:rate:other", ""), 3) == [0, []], "keys do not share"

    def test_a_bucket_is_full_again_after_a_pause(self, server: Server) -> None:
        exhaust(server, 2)
        server.pass_time(5.2)
        assert server.script(TAKE, (BUCKET, ""), 2) == [0, []]
        assert exhaust(server, 2)[0] >= 1

    def test_answered_positions_never_go_back(self, server: Server) -> None:
        for part, offset in ((P1, 5), (P1, 9), (P1, 7), (P2, 0)):
            assert server.script(RAISE, (ANSWERED,), str(part), offset, 100) == 1
        assert server.script(TAKE, (BUCKET, ANSWERED), 3) == [0, [str(P1), "9", str(P2), "0"]]
        server.flush()
        assert server.script(TAKE, (BUCKET, ANSWERED), 3) == [0, []]


def balances(server: Server, account_id: str, *parts: Part) -> Any:
    return server.script(HOT_BALANCES, (VIEW_KEY, balances_key(account_id)), *map(str, parts))


def exhaust(server: Server, rate: int) -> tuple[int, int]:
    """Take tokens until one is refused: how many were given, and the wait. A slow machine is given more."""
    for granted in range(1_000):
        if wait := server.script(TAKE, (BUCKET, ""), rate)[0]:
            return granted, wait
    raise AssertionError("the bucket never ends")
