"""The network between simulated processes, at the height of HTTP requests and websocket messages.

Under the real adapter it stands in the place of aiohttp's client session, before the real simulated exchange in
the place of aiohttp's server: paths, headers, signatures, bodies and answers are the real ones, only their parsing
from bytes is left out. What a connection carries in one direction arrives in order; everything else may happen.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, cast

import aiohttp
from aiohttp import WSMessage, WSMsgType, web
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict
from yarl import URL

from tests.simulation.loop import Process, SimLoop
from truetape.simbroker import SimBroker
from truetape.simchance import between

CONNECT_US: Final = 3_000_000
"""A connection that nobody answers is given up after this, as the adapter configures its client."""
MS: Final = 1_000
_CLOSING: Final = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR})


@dataclass(frozen=True)
class Line:
    """How good the network is: probabilities from 0 to 1 and microseconds. The default is a good one."""

    latency_us: tuple[int, int] = (200, 3_000)
    slow: float = 0.0
    """Of a message: that it takes `slow_us` more."""
    slow_us: tuple[int, int] = (50_000, 3_000_000)
    lost_request: float = 0.0
    """Of a request: that its connection breaks before it arrives."""
    torn: float = 0.0
    """Of a request: that its connection breaks while it is on its way, and that it arrives nevertheless, late."""
    lost_reply: float = 0.0
    """Of an answer: that its connection breaks."""
    silent: float = 0.0
    """Of an answer: that it never comes, on a connection that seems to live."""
    reset: float = 0.0
    """Of a websocket message: that the connection breaks instead."""
    half_open: float = 0.0
    """Of a websocket message: that from then on nothing more goes this way, and neither side hears of it."""


Serve = Callable[["SimRequest"], Coroutine[Any, Any, web.StreamResponse]]


@dataclass
class Host:
    """A server: the process that listens now, if any."""

    name: str
    process: Process | None = None
    loop: SimLoop | None = None
    serve: Serve | None = None


class Network:
    """All ways between processes, by the names of hosts: a node's name is its host's."""

    def __init__(self, broker: SimBroker, seed: int, line: Line = Line()) -> None:
        self.broker, self.line = broker, line
        self.chance = Random(f"{seed}:network")
        self.hosts: dict[str, Host] = {}
        self.orders_sent: dict[str, None] = {}
        """Client order ids of all order requests that some client tried to send."""
        self.broken = 0
        """Connections and exchanges that something happened to."""
        self._cut_until_us: dict[tuple[str, str], int] = {}
        self._sockets: list[SimSocket] = []

    def listen(self, name: str, process: Process, loop: SimLoop, serve: Serve) -> None:
        """Serve requests to a host from now on."""
        host = self.hosts.setdefault(name, Host(name))
        host.process, host.loop, host.serve = process, loop, serve
        process.at_end.append(lambda: self.hangs_up(process))

    def cut(self, one: str, other: str, for_us: int, both: bool = True) -> None:
        """Nothing goes from one host to the other for a while; what is sent meanwhile arrives after it."""
        until_us = self.broker.now_us + for_us
        for way in ((one, other), (other, one)) if both else ((one, other),):
            self._cut_until_us[way] = max(self._cut_until_us.get(way, 0), until_us)

    def heal(self) -> None:
        """A good network from now on."""
        self._cut_until_us.clear()
        self.line = Line()

    def http(self, process: Process, name: str) -> aiohttp.ClientSession:
        """Connections of a client process, in the shape of aiohttp's."""
        client = SimHttp(self, process, name)
        process.at_end.append(lambda: self.hangs_up(process))
        return cast("aiohttp.ClientSession", client)

    def join(self, socket: "SimSocket") -> None:
        """A connection is open."""
        self._sockets = [one for one in self._sockets if not one.gone and not one.closed]
        self._sockets.append(socket)

    def hangs_up(self, process: Process) -> None:
        """A process is gone: its kernel resets its connections."""
        for socket in self._sockets:
            if socket.process is process:
                socket.break_off()

    def reset(self, name: str) -> None:
        """Every connection of a host breaks."""
        for socket in list(self._sockets):
            if socket.host == name:
                socket.break_off()

    def due_us(self, sender: str, receiver: str, after_us: int = 0) -> int:
        """When a message sent now arrives, and not before another."""
        line = self.line
        due_us = max(self.broker.now_us, self._cut_until_us.get((sender, receiver), 0))
        due_us += between(self.chance, *line.latency_us)
        if line.slow and self.chance.random() < line.slow:
            due_us += self.chance.randint(*line.slow_us)
        return max(due_us, after_us)

    def parted(self, one: str, other: str) -> bool:
        """Whether nothing goes from one host to another now."""
        return self._cut_until_us.get((one, other), 0) > self.broker.now_us

    def strikes(self, probability: float) -> bool:
        """Whether a fault of this probability happens now."""
        if probability and self.chance.random() < probability:
            self.broken += 1
            return True
        return False


class Transport:
    """What a server may do to the connection of a request."""

    def __init__(self, abort: Callable[[], None]) -> None:
        self.abort = abort


class SimRequest:
    """A request as the exchange's handlers see it: the shape of aiohttp's BaseRequest that they use."""

    can_read_body = False
    content_length = 0

    def __init__(self, remote: str, method: str, raw_path: str, headers: Any, abort: Callable[[], None]) -> None:
        self.remote, self.method, self.raw_path, self.headers = remote, method, raw_path, headers
        self.transport = Transport(abort)
        self.socket: SimSocket | None = None
        """The server's end of a websocket that is being opened."""


def _refused(host: str) -> aiohttp.ClientConnectorError:
    key = ConnectionKey(host, 80, False, True, None, None, None)
    return aiohttp.ClientConnectorError(key, ConnectionRefusedError(111, "Connect call failed"))


class Exchanged:
    """One request and its answer; also the answer itself, in the shape of aiohttp's ClientResponse."""

    def __init__(self, http: "SimHttp", method: str, url: URL, headers: Any) -> None:
        self.network, self.http = http.network, http
        self.host = http.network.hosts[url.host or ""]
        self.request = SimRequest(http.name, method, url.raw_path_qs, headers, self._abort)
        self._answered: asyncio.Future[web.Response] = cast("SimLoop", asyncio.get_running_loop()).create_future()
        self._loop = cast("SimLoop", asyncio.get_running_loop())
        self.status = 0
        self.headers: CIMultiDict[str] = CIMultiDict()
        self._body = b""

    async def __aenter__(self) -> "Exchanged":
        """Send, and wait for the answer."""
        if self.request.method == "POST":
            self.network.orders_sent[_parameter(self.request.raw_path, "newClientOrderId")] = None
        if self.network.parted(self.http.name, self.host.name):
            self._fail_at(self.network.broker.now_us + CONNECT_US, aiohttp.ConnectionTimeoutError("connect"))
        elif self.network.strikes(self.network.line.lost_request):
            self._abort()
        else:
            due_us = self.network.due_us(self.http.name, self.host.name)
            if self.network.strikes(self.network.line.torn):
                due_us += between(self.network.chance, *self.network.line.slow_us)
                self._abort()
            self.network.broker.at(due_us, self._arrive)
        answer = await self._answered
        self.status, self.headers = answer.status, answer.headers
        self._body = cast("bytes", answer.body or b"")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is kept."""

    async def read(self) -> bytes:
        """The whole body."""
        return self._body

    def _arrive(self) -> None:
        process, loop, serve = self.host.process, self.host.loop, self.host.serve
        if process is None or not process.alive or loop is None or serve is None:
            self._fail_at(self.network.due_us(self.host.name, self.http.name), _refused(self.host.name))
            return
        process.at_end.append(self._abort)
        process.run(loop.create_task, self._serve(process, serve))

    async def _serve(self, process: Process, serve: Serve) -> None:
        """In the server: handle the request, and send the answer on its way."""
        answer = await serve(self.request)
        process.at_end.remove(self._abort)
        if self._answered.done() or self.network.strikes(self.network.line.silent):
            return
        if self.network.strikes(self.network.line.lost_reply):
            self._abort()
            return
        due_us = self.network.due_us(self.host.name, self.http.name)
        self.network.broker.at(due_us, lambda: self._loop.call_soon(self._take, answer))

    def _take(self, answer: web.StreamResponse) -> None:
        if not self._answered.done():
            self._answered.set_result(cast("web.Response", answer))

    def _abort(self) -> None:
        """The connection breaks."""
        self._fail_at(self.network.due_us(self.host.name, self.http.name), aiohttp.ServerDisconnectedError())

    def _fail_at(self, at_us: int, error: Exception) -> None:
        def fail() -> None:
            if not self._answered.done():
                self._answered.set_exception(error)

        self.network.broker.at(at_us, lambda: self._loop.call_soon(fail))


class SimSocket:
    """One end of a websocket, in the shapes of aiohttp's client and server ones."""

    def __init__(self, network: Network, process: Process, loop: SimLoop, host: str) -> None:
        self.network, self.process, self.host = network, process, host
        self.closed = False
        self.gone = False
        self.peer: SimSocket = self
        self._loop = loop
        self._inbox: list[WSMessage] = []
        self._waiter: asyncio.Future[None] | None = None
        self._sent_us = 0
        self._dumb = False
        self._welcome: asyncio.Future[None] | None = None

    # -- as the client's and the server's code uses it -------------------------------------------------------

    async def prepare(self, request: SimRequest) -> None:
        """The server accepts: its answer goes to the client."""
        self._deliver(self.peer._welcomed)

    async def send_str(self, text: str) -> None:
        """Send a text message."""
        self._send(WSMsgType.TEXT, text.encode())

    async def send_frame(self, payload: bytes, kind: WSMsgType) -> None:
        """Send a message."""
        self._send(kind, payload)

    async def ping(self, payload: bytes = b"") -> None:
        """Ask whether the peer is there."""
        self._send(WSMsgType.PING, payload)

    async def pong(self, payload: bytes = b"") -> None:
        """Answer a ping."""
        self._send(WSMsgType.PONG, payload)

    async def close(self, *, code: int = 1000, message: bytes = b"") -> bool:
        """Say goodbye, and hear nothing more."""
        if not self.closed:
            self._send(WSMsgType.CLOSE, b"")
            self.closed = True
            self._receive(WSMessage(WSMsgType.CLOSED, None, None))
        return True

    async def receive(self) -> WSMessage:
        """The next message; CLOSED when there will be none."""
        while not self._inbox:
            if self.closed:
                return WSMessage(WSMsgType.CLOSED, None, None)
            self._waiter = self._loop.create_future()
            await self._waiter
        message = self._inbox.pop(0)
        self.closed = self.closed or message.type in _CLOSING
        return message

    def __aiter__(self) -> "SimSocket":
        return self

    async def __anext__(self) -> WSMessage:
        """As the server reads: text is text."""
        message = await self.receive()
        if message.type in _CLOSING:
            raise StopAsyncIteration
        if message.type is WSMsgType.TEXT:
            return WSMessage(WSMsgType.TEXT, message.data.decode(), None)
        return message

    # -- the connection --------------------------------------------------------------------------------------

    def break_off(self) -> None:
        """A reset: both ends hear of it, whatever they wait for."""
        for end in (self, self.peer):
            if not end.gone:
                end.gone = True
                due_us = self.network.due_us(end.peer.host, end.host)
                self.network.broker.at(due_us, partial(end._loop.call_soon, end._lost))

    def _lost(self) -> None:
        self.closed = True
        if self._welcome is not None and not self._welcome.done():
            self._welcome.set_exception(aiohttp.ServerDisconnectedError())
        self._receive(WSMessage(WSMsgType.CLOSED, None, None))

    def _send(self, kind: WSMsgType, payload: bytes) -> None:
        if self.closed:
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        if self.network.strikes(self.network.line.reset):
            self.break_off()
            return
        self._dumb = self._dumb or self.network.strikes(self.network.line.half_open)
        self._deliver(self.peer._receive, WSMessage(kind, payload, None))

    def _deliver(self, action: Callable[..., None], *args: Any) -> None:
        if self.process.alive and not self._dumb and not self.gone:
            self._sent_us = self.network.due_us(self.host, self.peer.host, self._sent_us)
            self.network.broker.at(self._sent_us, lambda: self.peer._loop.call_soon(action, *args))

    def _receive(self, message: WSMessage) -> None:
        self._inbox.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _welcomed(self) -> None:
        if self._welcome is not None and not self._welcome.done():
            self._welcome.set_result(None)


class SimHttp:
    """A client process's connections, in the shape of aiohttp's ClientSession that the adapter uses."""

    def __init__(self, network: Network, process: Process, name: str) -> None:
        self.network, self.process, self.name = network, process, name
        self._sockets: list[SimSocket] = []

    def request(self, method: str, url: URL, *, headers: Any, allow_redirects: bool) -> Exchanged:
        """One request, as a context manager that gives its answer."""
        return Exchanged(self, method, url, headers)

    async def ws_connect(self, url: str, **_: Any) -> SimSocket:
        """Open a websocket. Raises what aiohttp raises."""
        network, address = self.network, URL(url)
        host = network.hosts[address.host or ""]
        loop = cast("SimLoop", asyncio.get_running_loop())
        if network.parted(self.name, host.name):
            await asyncio.sleep(CONNECT_US / 1e6)
            raise aiohttp.ConnectionTimeoutError("connect")
        if host.process is None or not host.process.alive or host.loop is None or host.serve is None:
            await asyncio.sleep((network.due_us(self.name, host.name) - network.broker.now_us) / 1e6)
            raise _refused(host.name)
        near = SimSocket(network, self.process, loop, self.name)
        far = SimSocket(network, host.process, host.loop, host.name)
        near.peer, far.peer = far, near
        near._welcome = loop.create_future()
        self._sockets.append(near)
        for end in (near, far):
            network.join(end)
        request = SimRequest(self.name, "GET", address.raw_path_qs, {"Upgrade": "websocket"}, far.break_off)
        request.socket = far
        at_us = network.due_us(self.name, host.name)
        network.broker.at(at_us, lambda: _enter(host, far, request))
        try:
            await near._welcome
        except asyncio.CancelledError:
            if near.process.alive:
                near.break_off()
            raise
        return near

    async def close(self) -> None:
        """End all connections."""
        for socket in self._sockets:
            await socket.close()


def _parameter(raw_path: str, name: str) -> str:
    """A parameter of an address; empty when it has none."""
    _, _, rest = raw_path.partition(f"{name}=")
    return rest.partition("&")[0]


def _enter(host: Host, far: SimSocket, request: SimRequest) -> None:
    """The handshake arrives: the server's handler runs for as long as the connection lives."""
    if far.process.alive and host.loop is not None and host.serve is not None:
        far.process.run(far._loop.create_task, host.serve(request))
