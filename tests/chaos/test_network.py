"""The network between services and Kafka, and to the venues: catalogue 16 to 18. And the proxy itself, on a socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.chaos.catalogue import Trial
from tests.chaos.criterion import rows
from tests.chaos.proxy import BOTH, Direction, Proxy
from tests.chaos.scenario import scenario
from tests.chaos.stage import Stage, wait_until
from truetape.topics import PARTITIONS

pytestmark = pytest.mark.timeout(900)
UNKNOWN = "SELECT count(*) FROM view.orders WHERE status = 'UNKNOWN'"


def partition(stage: Stage, trial: Trial, venues: tuple[str, ...], seconds: float) -> None:
    """First the venues' replies are lost, until an order is UNKNOWN; then nothing passes; then everything, late."""
    between = f"partition between the router and {' and '.join(venues)}"
    with scenario(stage, trial) as run, run.fault(between):
        proxies = [stage.proxies[venue] for venue in venues]
        try:
            for proxy in proxies:
                proxy.hold(["to_client"])
            wait_until(lambda: rows(stage, UNKNOWN)[0][0] > 0, "an order whose outcome is not known")
            for proxy in proxies:
                proxy.hold()
            time.sleep(seconds)
            run.notes["unknown_orders"] = rows(stage, UNKNOWN)[0][0]
        finally:
            for proxy in proxies:
                proxy.release()


def test_one_venue_cannot_be_reached(stage: Stage, trial: Trial) -> None:
    partition(stage, trial, ("alpha",), 5.0)


@pytest.mark.only_make_chaos
def test_no_venue_can_be_reached(stage: Stage, trial: Trial) -> None:
    partition(stage, trial, ("alpha", "beta"), 30.0)


@pytest.mark.only_make_chaos
def test_connections_to_the_venues_are_reset(stage: Stage, trial: Trial) -> None:
    with scenario(stage, trial) as run, run.fault("reset, 20 times"):
        for _ in range(20):
            for venue in stage.venues:
                stage.proxies[venue].cut()
            time.sleep(0.3)


# -- services and Kafka --------------------------------------------------------------------------------------------

OWNERS: Final = ("router", "risk", "clearing")
THIRD: Final = 3
PARTITION_SECONDS: Final = 30.0


def cut_off(stage: Stage, trial: Trial, directions: Sequence[Direction]) -> None:
    """Instances that own partitions lose Kafka, not the venues, and go on by themselves; the others take over."""
    with scenario(stage, trial) as run:
        lonely = {service: stage.join(service, THIRD, cuttable=True) for service in OWNERS}
        wait_until(lambda: all(stage.owned(name) > 0 for name in lonely.values()), "all that will be cut off own")
        with run.fault(f"{', '.join(lonely.values())} and Kafka for {PARTITION_SECONDS:g} s") as fault:
            proxy = stage.proxies["kafka"]
            try:
                proxy.hold(directions)
                wait_until(lambda: all(stage.owned(name) == PARTITIONS for name in OWNERS), "the others own everything")
                stage.probe(f"{run.load.name}.meanwhile")
                run.notes["orders_of_all_went_through_after_s"] = round(run.now_s - fault.at_s, 1)
                time.sleep(max(0.0, fault.at_s + PARTITION_SECONDS - run.now_s))
            finally:
                proxy.release()
        alive = [name for name in lonely.values() if stage.stack.pid(name) is not None]
        wait_until(lambda: all(stage.owned(name) > 0 for name in alive), f"{alive} own again")
        run.notes["joined_again"] = len(alive)
        for name in lonely.values():
            stage.stack.stop(name)
        wait_until(lambda: all(stage.owned(name) == PARTITIONS for name in OWNERS), "the others own everything again")


@pytest.mark.only_make_chaos
def test_owners_and_kafka_cannot_reach_each_other(stage: Stage, trial: Trial) -> None:
    cut_off(stage, trial, BOTH)


@pytest.mark.only_make_chaos
def test_kafkas_replies_are_lost(stage: Stage, trial: Trial) -> None:
    """What the owner writes arrives, and it never learns so."""
    cut_off(stage, trial, ["to_client"])


# -- the proxy -----------------------------------------------------------------------------------------------------


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets, line by line; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(1000):
                connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    found = Proxy(echo)
    yield found
    found.close()


def connect(proxy: Proxy) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    connection.sendall(b"one")
    assert connection.recv(3, socket.MSG_WAITALL) == b"one"
    return connection


def test_what_is_held_arrives_late(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.hold(["to_client"])
        connection.sendall(b"two")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(3)
        proxy.release()
        connection.settimeout(10)
        assert connection.recv(3, socket.MSG_WAITALL) == b"two"


def test_a_cut_resets_and_a_refusal_too(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    proxy.refuse = True
    with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(b"x")
        if connection.recv(1) == b"":
            raise ConnectionError
    proxy.refuse = False
    connect(proxy).close()


def test_a_tap_chooses_what_is_lost(proxy: Proxy) -> None:
    proxy.tap = lambda number, direction, chunk: "cut" if direction == "to_client" and b"bad" in chunk else "pass"
    with connect(proxy) as connection:
        connection.sendall(b"bad")
        with pytest.raises(ConnectionResetError):
            connection.recv(3)
