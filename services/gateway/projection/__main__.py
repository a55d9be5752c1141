"""Wiring of the projection: `python -m services.gateway.projection`."""

import signal
import sys
import threading
import time
from functools import partial
from typing import Any

import redis
import structlog

from services.gateway.projection.hot import HotKeys
from services.gateway.projection.projector import Projector
from services.gateway.projection.store import PostgresStore
from services.gateway.views import consistent, view_digest, view_positions
from truetape import heap
from truetape.errors import SetupError, TruetapeError
from truetape.health import Health, serve
from truetape.log import KafkaLog, check_topics
from truetape.process import explain
from truetape.settings import Settings, settings
from truetape.telemetry import CountsCollector, configure_logging
from truetape.topics import ALL

NAME = "projection"
PATIENCE_MS = 40
"""How late a row may be for the sake of fewer and larger transactions."""
_log = structlog.get_logger()


def build(configured: Settings) -> Projector:
    """A projector on the real servers. Raises TopicMissing, PartitionCountWrong, BrokerUnavailable or SetupError."""
    dsn, url = configured.postgres.get_secret_value(), configured.redis.get_secret_value()
    if not dsn or not url:
        raise SetupError("the projection needs TRUETAPE_POSTGRES and TRUETAPE_REDIS; `truetape settings` explains them")
    check_topics(configured.kafka, ALL)
    store = PostgresStore(dsn)
    client = redis.Redis.from_url(url, decode_responses=True, socket_timeout=2, socket_connect_timeout=2)
    log = KafkaLog(configured.kafka, patience_ms=PATIENCE_MS, alone=True)
    return Projector(log, store, HotKeys(client, store.everything))


def digests(dsn: str, _: bool) -> dict[str, Any]:
    """Digest of the rows and the positions that they reach."""
    with consistent(dsn) as connection:
        positions = {str(part): end for part, end in sorted(view_positions(connection).items())}
        return {"service": NAME, "digest": view_digest(connection), "positions": positions}


def main() -> None:
    """Project until SIGTERM or SIGINT; a named error ends the process with status 1."""
    explain("services.gateway.projection")
    configured = settings()
    configure_logging(configured, NAME)
    heap.steady()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        projector = build(configured)
        health = Health(
            alive=lambda: time.monotonic() - projector.turned_at < configured.watchdog_seconds,
            missing=projector.missing,
            digests=partial(digests, configured.postgres.get_secret_value()),
            metrics=CountsCollector(NAME, lambda: projector.counts, projector.gauges),
        )
        serve(health, configured.host, configured.port(NAME))
        while not stopping.is_set():
            projector.turn(0.1)
        projector.close()
        projector.log.close()
    except TruetapeError as error:
        _log.error("ended", error=type(error).__name__, detail=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
