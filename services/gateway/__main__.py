"""Wiring of the gateway: `python -m services.gateway`."""

import asyncio
import logging
import signal
import socket
import sys
from types import FrameType

import structlog
import uvicorn
import uvloop

from services.gateway.app import build
from services.gateway.connections import SWEEP_TICKS, Connection, connections_max, sweep
from services.gateway.gateway import Gateway, new_runner, servers
from services.gateway.tail import PATIENCE_MS, URGENT
from truetape import heap
from truetape.errors import SetupError, TruetapeError
from truetape.log import KafkaLog, check_topics
from truetape.process import explain, watch
from truetape.settings import Settings, settings
from truetape.telemetry import configure_logging
from truetape.topics import ALL

BACKLOG = 512
SEND_BUFFER_BYTES = 256 * 1024
"""The kernel keeps no more for a slow reader."""
SWITCH_SECONDS = 0.0005
"""The event loop shares one interpreter with the threads that read Kafka: none may hold it for long."""
_log = structlog.get_logger()


class Server(uvicorn.Server):
    """Ends open streams when it is asked to stop, and stops when a thread of the gateway has failed."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._gateway.hub.closing = True
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; True stops the server."""
        if counter % SWEEP_TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
            self._gateway.counts["connections_refused"] = Connection.refused
        return await super().on_tick(counter) or self._gateway.failure is not None


def bind(host: str, port: int) -> socket.socket:
    """The listening socket. Raises SetupError when the port is in use."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        what = error.strerror or str(error)
        raise SetupError(f"port {port} on {host}: {what}; stop what holds it, or set TRUETAPE_PORT_BASE") from error
    return listening


async def serve(configured: Settings) -> None:
    """Serve until SIGTERM or SIGINT, or until a thread fails: then its error is raised."""
    check_topics(configured.kafka, ALL)
    listening = bind(configured.host, configured.port("gateway"))
    runner = new_runner(configured, KafkaLog(configured.kafka, configured.session_timeout_ms, alone=True))
    log = KafkaLog(configured.kafka, patience_ms=PATIENCE_MS, urgent=URGENT, alone=True)
    gateway = Gateway(configured, log, runner, servers(configured))
    config = uvicorn.Config(
        build(gateway), loop="none", http=Connection, ws="none", lifespan="off", access_log=False, log_config=None,
        server_header=False, backlog=BACKLOG, timeout_keep_alive=75, timeout_graceful_shutdown=5, proxy_headers=False,
    )  # fmt: skip
    Connection.most = connections_max()
    await gateway.open()
    watch(runner)
    try:
        await Server(config, gateway).serve(sockets=[listening])
    finally:
        await gateway.close()
    if gateway.failure is not None:
        raise gateway.failure


def main() -> None:
    """Run the gateway; a named error ends the process with status 1."""
    explain("services.gateway")
    configured = settings()
    configure_logging(configured, "gateway")
    heap.steady()
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # It has no structure; what matters we log.
    sys.setswitchinterval(SWITCH_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again when it has ended: then we close in order.
    try:
        uvloop.run(serve(configured))
    except TruetapeError as error:
        _log.error("ended", error=type(error).__name__, detail=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
