"""The projection and the gateway as processes of the simulation: their real code on simulated servers.

`projection(node, ...)` and `gateway(node, ...)` make a new process of a node, as cluster.Cluster's nodes want it.
"""

from asyncio import events
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from starlette.requests import Request

from services.gateway.app import ROUTES
from services.gateway.core import SERVICE as REFERENCE
from services.gateway.gateway import Gateway, Outside
from services.gateway.known import Filter, Known
from services.gateway.projection.hot import HotKeys
from services.gateway.projection.projector import Projector
from services.gateway.routing import Endpoint, endpoint
from tests.simulation.loop import Process as Simulated
from tests.simulation.node import IDLE_US, Node, OneLog
from tests.simulation.simpostgres import SimDatabase, SimPostgres, SimStore
from tests.simulation.simredis import SimRedis, SimRedisClient, SimRedisLink
from tests.simulation.simwriter import SimCommandWriter
from truetape.runner import Runner
from truetape.settings import Settings

T = TypeVar("T")
FILTER_BITS: Final = 16
PATHS: Final = {route.path: route for route in ROUTES}


@dataclass
class Projection(OneLog):
    """One process of the projection."""

    projector: Projector
    store: SimStore

    def begin(self) -> None:
        pass

    def turn(self) -> int:
        now_us = self.log.broker.now_us
        if self.log.busy_until_us > now_us:
            return self.log.busy_until_us
        if self.simulated.run(self.projector.turn, 0.0):
            self.log.busy_until_us = now_us + self.store.postgres.latency_us()
        return now_us + IDLE_US

    def crash(self) -> None:
        """The kernel closes its connections: the database hears of that at once."""
        super().crash()
        self.store.close()

    def stop(self) -> None:
        self.projector.close()
        self.log.close()


def projection(node: Node, seed: int, postgres: SimPostgres, redis: SimRedis) -> Projection:
    """A new process of the projection."""
    broker = node.cluster.broker
    log = node.log = broker.log(node.name, clock=node.clock)
    simulated = Simulated(broker, node.name, seed, node.clock)
    store = SimStore(postgres, log._spark)
    hot = HotKeys(SimRedisClient(redis, log._spark), store.everything)
    return Projection(log, simulated, simulated.run(Projector, log, store, hot), store)


@dataclass
class Answer:
    """What a gateway answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class GatewayProcess:
    """One process of the gateway: its event loop, its tail, its writer, and the loop of reference.events if it has
    one. Requests come in by `ask`."""

    def __init__(
        self, node: Node, seed: int, postgres: SimPostgres, redis: SimRedis, settings: Settings, reference: bool,
    ) -> None:  # fmt: skip
        broker = node.cluster.broker
        self.log = node.log = broker.log(node.name, clock=node.clock)
        self.simulated = Simulated(broker, node.name, seed, node.clock)
        self.loop = self.simulated.loop()
        self._runner_log = broker.log(f"{node.name}-reference", settings.session_timeout_ms, node.clock)
        self._runner_log.wake = node.wake
        self._begun = False
        self._reference = reference
        self._writer: SimCommandWriter | None = None
        outside = Outside(
            writer=self._write, database=SimDatabase(postgres), redis=SimRedisLink(redis),
            read_span=self.log.read, spawn=lambda work: work(),
        )  # fmt: skip
        runner = Runner(REFERENCE, self._runner_log, settings)
        if reference:
            node.runner = runner
        self.gateway = self._inside(lambda: Gateway(settings, self.log, runner, outside, Known(Filter(FILTER_BITS))))
        self._endpoints = {(r.method, r.path): endpoint(self.gateway, r) for r in ROUTES}

    def _write(self, reported: Callable[[list[Any]], None]) -> SimCommandWriter:
        self._writer = SimCommandWriter(self.log, reported)
        return self._writer

    def _inside(self, action: Callable[[], T]) -> T:
        """Do something as code of this process that knows its loop."""
        outer = events._get_running_loop()
        events._set_running_loop(self.loop)
        try:
            return self.simulated.run(action)
        finally:
            events._set_running_loop(outer)

    # -- a process of the simulation -------------------------------------------------------------------------

    def begin(self) -> None:
        self._inside(lambda: self.loop.create_task(self.gateway.connect()))
        if self._reference:
            self.gateway.runner.start()

    def turn(self) -> int:
        now_us = self.log.broker.now_us
        if self._reference and self._runner_log.busy_until_us <= now_us:
            self._inside(lambda: self.gateway.runner.turn(0.0))
        if self.log.busy_until_us > now_us:
            return self.log.busy_until_us
        self._inside(self._read_on)
        return max(now_us + IDLE_US, self.log.busy_until_us)

    def _read_on(self) -> None:
        if self._begun:
            self.gateway.bus.tail.turn(0.0)
        else:
            self.gateway.bus.tail.begin()
            self._begun = True

    def crash(self) -> None:
        self.simulated.kill()
        self.log.crash()
        self._runner_log.crash()
        self._producer.die()

    def pause(self, suspend: bool) -> None:
        self.simulated.pause(suspend)
        self.log.pause(suspend)
        self._runner_log.pause(suspend)
        self._producer.freeze()

    def resume(self) -> None:
        self.simulated.resume()
        self.log.resume()
        self._runner_log.resume()
        self._producer.thaw()

    def stop(self) -> None:
        self._producer.hurry()
        if self._reference:
            self.gateway.runner._drain()

    @property
    def _producer(self) -> Any:
        assert self._writer is not None
        return self._writer.producer

    # -- requests --------------------------------------------------------------------------------------------

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, answered: Callable[[Answer], None],
        **path_params: str,
    ) -> None:  # fmt: skip
        """A request has arrived: `path` is a route's, with its parameters beside it. The answer leaves when it is
        there, unless the process dies before."""
        if self.simulated.alive:
            found, scope = self._endpoints[method, path], _scope(method, path, headers, path_params)
            self._inside(lambda: self.loop.create_task(_answer(found, scope, body, answered)))

    def follow(self, path: str, headers: Mapping[str, str], connection: "Connection") -> None:
        """A request for an answer that does not end: it goes out over the connection, piece by piece."""
        if self.simulated.alive:
            found, scope = self._endpoints["GET", path], _scope("GET", path, headers, {})
            self.simulated.at_end.append(connection.died)
            self._inside(lambda: self.loop.create_task(_follow(found, scope, connection)))


class Connection(Protocol):
    """What carries an answer that does not end, as the server's side sees it."""

    async def receive(self) -> dict[str, Any]:
        """As ASGI says."""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """As ASGI says."""

    def end(self) -> None:
        """The answer is over."""

    def died(self) -> None:
        """The process is gone."""


def _scope(method: str, path: str, headers: Mapping[str, str], path_params: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": path, "query_string": b"", "path_params": path_params,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip


async def _follow(found: Endpoint, scope: dict[str, Any], connection: Connection) -> None:
    response = await found(Request(scope, connection.receive))
    await response(scope, connection.receive, connection.send)
    connection.end()


async def _answer(found: Endpoint, scope: dict[str, Any], body: bytes, answered: Callable[[Answer], None]) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    response = await found(Request(scope, receive))
    answered(Answer(response.status_code, dict(response.headers), bytes(response.body)))


def gateway(
    node: Node, seed: int, postgres: SimPostgres, redis: SimRedis, settings: Settings, reference: bool = False
) -> GatewayProcess:
    """A new process of the gateway; with `reference` it also competes for reference.events, as the real one does."""
    configured = settings.model_copy(update={"instance": node.name})
    return GatewayProcess(node, seed, postgres, redis, configured, reference)
