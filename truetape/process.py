"""A service as a process: settings, logs, Kafka, health, the loop, a watchdog, and a clean end."""

import argparse
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from truetape import heap
from truetape.errors import TruetapeError
from truetape.health import Health, serve
from truetape.log import KafkaLog, check_topics
from truetape.runner import Runner
from truetape.service import Effects, Measured, Service, Waits
from truetape.settings import Settings, settings
from truetape.telemetry import CountsCollector, configure_logging
from truetape.topics import ALL

_log = structlog.get_logger()
EffectsFactory = Callable[[Runner[Any], Settings], Effects]
STUCK_EXIT = 70


def main(service: Service[Any], effects: EffectsFactory | None = None) -> None:
    """Run a service until SIGTERM or SIGINT; a named error ends the process with status 1."""
    explain(f"services.{service.name}")
    configured = settings()
    configure_logging(configured, service.name)
    heap.steady()
    gc.disable()  # While state is restored the collector would walk through all of it again and again.
    try:
        runner = open_runner(service, configured, effects)
        serve(health_of(runner), configured.host, configured.port(service.name))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runner.stop())
        watch(runner)
        runner.run()
    except TruetapeError as error:
        _log.error("ended", error=type(error).__name__, detail=str(error))
        sys.exit(1)


def explain(package: str) -> None:
    """Answer --help with the package's own words, and refuse any other argument: a typo must not start a service."""
    argparse.ArgumentParser(
        prog=f"python -m {package}",
        description=importlib.import_module(package).__doc__,
        epilog="It is configured by its environment: `truetape settings` lists everything.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()


def open_runner(service: Service[Any], configured: Settings, effects: EffectsFactory | None = None) -> Runner[Any]:
    """A runner on the real broker. Raises TopicMissing, PartitionCountWrong or BrokerUnavailable."""
    check_topics(configured.kafka, ALL)
    urgent = [topic.name for topic in service.urgent]
    alone = effects is None or service.effects_wait
    log = KafkaLog(configured.kafka, configured.session_timeout_ms, service.patience_ms, urgent, alone)
    runner: Runner[Any] = Runner(service, log, configured)
    if effects is not None:
        runner.effects = effects(runner, configured)
    return runner


def health_of(runner: Runner[Any]) -> Health:
    """What a runner says of itself on its health port."""
    service = runner.service.name
    return Health(
        alive=lambda: runner.log.monotonic() - runner.turned_at < runner.settings.watchdog_seconds,
        missing=lambda: [
            *runner.missing(),
            *(effects.missing() if isinstance(effects := runner.effects, Waits) else ()),
        ],
        digests=lambda full: {"service": service, "partitions": runner.digests(full)},
        metrics=CountsCollector(service, lambda: runner.counts, lambda: gauges_of(runner)),
    )


def gauges_of(runner: Runner[Any]) -> dict[str, float]:
    """The loop's gauges, and those of the service's effects."""
    return runner.gauges() | (effects.gauges() if isinstance(effects := runner.effects, Measured) else {})


def watch(runner: Runner[Any]) -> None:
    """End the process when the loop is stuck: a call that never returns must not keep partitions. Once all is
    restored, collect garbage: of what comes from then on."""

    def watchdog() -> None:
        while True:
            time.sleep(1.0)
            if not gc.isenabled() and not runner.missing():
                gc.freeze()
                gc.enable()
            stuck = runner.log.group_silence()  # A restore polls the group too, so only a stuck call is silent.
            if stuck > runner.settings.watchdog_seconds:
                _log.error("loop stuck", seconds=stuck)
                os._exit(STUCK_EXIT)

    threading.Thread(target=watchdog, name="watchdog", daemon=True).start()
