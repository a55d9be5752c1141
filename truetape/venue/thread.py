"""Venue sessions run in an event loop in a thread of their own, beside a service's run loop."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, Protocol

import structlog
import uvloop

from truetape.venue.adapter import Venue

START_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0
FAILED_EXIT: Final = 70
Connect = Callable[[], Mapping[str, Venue]]
"""Makes the venues, inside the event loop that will use them."""
Work = Coroutine[Any, Any, None]
Begin = Callable[[Mapping[str, Venue]], Iterable[Work]]
"""What the thread works on, given its venues."""
_log = structlog.get_logger()


class Thread(Protocol):
    """Where a service's venue sessions run, beside its run loop."""

    def start(self) -> None:
        """Start; the venues are connected in the background."""

    def call(self, function: Callable[[], None]) -> None:
        """Have a function called in the thread, soon. From any thread."""

    def close(self) -> None:
        """End the work and close all connections. From another thread."""


Threads = Callable[[str, Connect, Begin], Thread]
"""Makes a thread of a name."""


class VenueThread:
    """Runs work that never ends until it is closed. The thread never keeps a process alive; its failure ends it."""

    def __init__(self, name: str, connect: Connect, begin: Begin) -> None:
        self._connect, self._begin = connect, begin
        self._loop = uvloop.new_event_loop()
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start; the venues are connected in the background."""
        self._thread.start()
        self._started.wait(START_SECONDS)

    def call(self, function: Callable[[], None]) -> None:
        """Have a function called in the thread, soon. From any thread."""
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """End the work and close all connections. From another thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        await serve(self._connect, self._begin, self._started.set, self._stopping, _failed)


async def serve(
    connect: Connect,
    begin: Begin,
    started: Callable[[], object],
    stopping: asyncio.Event,
    failed: Callable[["asyncio.Task[None]"], None],
) -> None:
    """Connect the venues, work until told to stop, close all connections. `failed` is told of every task's end."""
    venues = connect()
    tasks = [asyncio.create_task(work) for work in begin(venues)]
    for task in tasks:
        task.add_done_callback(failed)
    started()
    await stopping.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for venue in venues.values():
        await venue.close()


def _failed(task: "asyncio.Task[None]") -> None:
    """What the sessions expect they handle; after anything else only a new process is to be trusted."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("venue session failed; the process ends and its successor asks for what is open", exc_info=error)
        os._exit(FAILED_EXIT)
