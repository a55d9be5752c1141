"""Logs and metrics. JSON lines in production, readable ones in a terminal; order and trace id on each line."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TextIO, cast

import structlog

from truetape.logfile import Bounded
from truetape.settings import Settings

if TYPE_CHECKING:  # To import it takes a tenth of a second, which a restart does not have.
    from prometheus_client import Metric

_SECRET_WORDS = ("secret", "password", "token", "authorization")


def configure_logging(settings: Settings, service: str) -> None:
    """Set up structlog for this process. Lines go to stderr; a file there is bounded."""
    json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact,
            _correlate,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.dict_tracebacks if json else structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, Bounded(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=service, instance=settings.instance)


def _redact(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in line:
        if any(word in name.lower() for word in _SECRET_WORDS):
            line[name] = "***"
    return line


def _correlate(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An order's trace id is its order id: each line has both, empty where the line is about no order."""
    order = line.setdefault("order_id", line.get("trace_id", ""))
    line.setdefault("trace_id", order)
    return line


class CountsCollector:
    """Turns a process's counters and gauges into Prometheus metrics at scrape time; the hot path only adds ints."""

    def __init__(
        self, service: str, counts: Callable[[], Mapping[str, int]], gauges: Callable[[], Mapping[str, float]]
    ) -> None:
        self._service, self._counts, self._gauges = service, counts, gauges

    def collect(self) -> "Iterator[Metric]":
        """One family per name: truetape_<name>_total and truetape_<name>."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, count in sorted(dict(self._counts()).items()):
            counter = CounterMetricFamily(f"truetape_{name}", f"{name} since the process began", labels=["service"])
            counter.add_metric([self._service], count)
            yield counter
        for name, value in sorted(self._gauges().items()):
            gauge = GaugeMetricFamily(f"truetape_{name}", f"{name} now", labels=["service"])
            gauge.add_metric([self._service], value)
            yield gauge


def exposition(collectors: Iterable[CountsCollector]) -> bytes:
    """Prometheus text of the collectors."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry)
