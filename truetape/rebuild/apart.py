"""Partitions folded in several processes: each needs nothing of the others, and a core folds one at a time."""

import gc
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial

from truetape.entrypoints import SERVICES, installed
from truetape.log import KafkaLog
from truetape.rebuild.shelf import Folded, Span, fold
from truetape.settings import Settings
from truetape.telemetry import configure_logging


def fold_apart(
    settings: Settings, service: str, spans: Sequence[Span], more: Callable[[int], None], processes: int | None = None
) -> list[Folded]:
    """Fold partitions of an installed service, in as many processes as there are cores. Raises what `fold` raises: then
    the partitions that nobody has begun are left."""
    wanted = min(processes or len(os.sched_getaffinity(0)), len(spans))
    work = partial(_fold_here, settings, service)
    with ProcessPoolExecutor(wanted, multiprocessing.get_context("spawn"), _begin, (settings,)) as pool:
        found = []
        try:
            for span, one in zip(spans, pool.map(work, spans), strict=True):
                found.append(one)
                more(span.end)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _begin(settings: Settings) -> None:
    configure_logging(settings.model_copy(update={"log_level": "error"}), "rebuild")
    gc.disable()  # All that is folded stays: the collector would walk through it again and again.


def _fold_here(settings: Settings, service: str, span: Span) -> Folded:
    with closing(KafkaLog(settings.kafka)) as log:
        return fold(log, installed(SERVICES)[service], span, settings.restore_timeout_seconds)
