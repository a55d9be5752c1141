"""Venue sessions of services in simulated processes: the real wiring, on a simulated thread and network."""

import asyncio
from typing import Any

from services.clearing.__main__ import effects as clearing_effects
from services.pricing.__main__ import effects as pricing_effects
from services.reconciler.__main__ import effects as reconciler_effects
from services.reconciler.books import Books
from services.router.__main__ import effects as router_effects
from tests.simulation.loop import Process, SimLoop
from tests.simulation.network import Network
from truetape.runner import Runner
from truetape.service import Effects, NoEffects
from truetape.settings import Settings
from truetape.venue.outside import Outside
from truetape.venue.thread import Begin, Connect, serve


class SimThread:
    """A thread of a simulated process: an event loop of its own."""

    def __init__(self, process: Process, connect: Connect, begin: Begin) -> None:
        self._process, self._connect, self._begin = process, connect, begin
        self._loop: SimLoop = process.loop()
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Start; the venues are connected as time passes."""
        work = serve(self._connect, self._begin, lambda: None, self._stopping, self._failed)
        self._process.run(self._loop.create_task, work)

    def call(self, function: Any) -> None:
        """Have a function called in the thread."""
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """End the work and close all connections."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _failed(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._process.fail(error)


class EndedItself(Exception):
    """The process decided to end; its successor begins anew."""


def venue_effects(
    process: Process, runner: Runner[Any], network: Network, settings: Settings, partitions: int
) -> Effects:
    """Effects of a service's new process, started: the real session, if the service has one.

    `settings.venues` says which venues there are (SimVenue.settings), `partitions` how many the accounts' topics have.
    """
    outside = Outside(
        lambda _name, connect, begin: SimThread(process, connect, begin), lambda: network.http(process, process.name)
    )
    match runner.service.name:
        case "router":
            return process.run(router_effects, runner, settings, outside)
        case "pricing":
            return process.run(pricing_effects, runner, settings, outside)
        case "reconciler":

            def books() -> Books:
                return Books(process.broker.log(f"{process.name}-books", clock=process.clock), partitions)

            def end() -> None:
                process.fail(EndedItself(f"{process.name} cannot go on"))

            return process.run(reconciler_effects, runner, settings, outside, books, end)
        case "clearing":
            return process.run(clearing_effects, runner, settings)
        case _:
            return NoEffects()
