"""What venue sessions need of the world outside: a thread with an event loop, and connections."""

from collections.abc import Callable
from typing import Final, NamedTuple

import aiohttp

from truetape.venue.binance_rest import open_http
from truetape.venue.thread import Threads, VenueThread


class Outside(NamedTuple):
    """The machine's own, or the simulation's."""

    thread: Threads
    http: Callable[[], aiohttp.ClientSession]


MACHINE: Final = Outside(VenueThread, open_http)
