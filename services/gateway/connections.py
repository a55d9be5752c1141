"""Connections of clients: so many at most, and none that keeps its place without asking for anything.

uvicorn bounds neither how many there are, nor how long one may be open before its first request, nor the size and the
time of a request's head. What an application works on, bodies and streams are bounded elsewhere (app.py, routing.py,
streaming.py).
"""

import resource
from collections.abc import Iterable
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTIONS_MAX: Final = 4_096
"""Of clients, to one process; a further one is closed at once. Fewer where the system allows fewer descriptors."""
OTHER_DESCRIPTORS: Final = 512
"""Left to Kafka, the stores and files. Measured: 88 in use."""
HEAD_SECONDS: Final = 75.0
"""From a connection's beginning, or the end of an answer on it, to the end of the next request's head."""
HEAD_BYTES_MAX: Final = 64 * 1024
SWEEP_TICKS: Final = 50
"""Of the server, which ticks ten times a second, between two looks for connections that ask for nothing."""
_log = structlog.get_logger()


def connections_max() -> int:
    """How many connections this process may hold: it asks the system for as many descriptors as it needs."""
    wanted = CONNECTIONS_MAX + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(allowed - OTHER_DESCRIPTORS, allowed // 2)


class Connection(HttpToolsProtocol):
    """One connection. `most` is set before the first."""

    most = CONNECTIONS_MAX
    refused = 0
    """Connections that were closed because there were so many."""
    headless_since: float | None = None
    """Since when a request's head is awaited, by the loop's clock; None while a request is worked on."""
    _head_bytes = 0
    """Received since the last head or piece of a body."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.headless_since = self.loop.time()
        if len(self.connections) > self.most:
            if not Connection.refused:
                _log.warning("too many connections: closed at once from here on", most=self.most)
            Connection.refused += 1
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes <= HEAD_BYTES_MAX or self.transport.is_closing():
            return
        if self.headless_since is None:  # An answer is on its way, and another would be taken for a part of it.
            self.transport.abort()
        else:
            self.send_400_response(f"A request's head has at most {HEAD_BYTES_MAX} bytes.")

    def on_headers_complete(self) -> None:
        self.headless_since, self._head_bytes = None, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline:
            self.headless_since = self.loop.time()


def sweep(connections: Iterable[Any], now: float) -> int:
    """Close the connections that have waited for a head for too long; returns how many."""
    late = [
        one
        for one in connections
        if isinstance(one, Connection) and one.headless_since is not None and now - one.headless_since > HEAD_SECONDS
    ]
    for one in late:
        one.transport.abort()
    return len(late)
