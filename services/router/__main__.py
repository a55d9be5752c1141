"""Wiring of the router: `python -m services.router`."""

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from services.router.core import SERVICE
from services.router.session import Session
from truetape.errors import SetupError
from truetape.process import main
from truetape.runner import Runner
from truetape.settings import Settings
from truetape.venue.adapter import Venue
from truetape.venue.binance import Binance
from truetape.venue.listings import symbols_of
from truetape.venue.outside import MACHINE, Outside

SWITCH_SECONDS = 0.0005
"""The run loop and the venues' event loop share one interpreter: neither may hold it for long."""


def effects(runner: Runner[Any], settings: Settings, outside: Outside = MACHINE) -> Session:
    """The venue session with the trading keys. Raises SetupError when one is missing."""
    keyless = [name for name, venue in settings.venues.items() if not venue.api_key.get_secret_value()]
    if not settings.venues or keyless:
        which = ", ".join(keyless) or "any venue"
        raise SetupError(f"no trading key for {which}; set TRUETAPE_VENUES__<NAME>__REST_URL, __API_KEY and the others")
    sys.setswitchinterval(SWITCH_SECONDS)

    def connect() -> Mapping[str, Venue]:
        return {
            name: Binance(name, venue, venue.api_key, venue.api_secret, outside.http)
            for name, venue in settings.venues.items()
        }

    symbols = partial(symbols_of, runner.tables.reference)
    session = Session(runner.offer, connect, symbols, runner.counts, outside.thread)
    runner.tables.views = session.books
    return session.start()


if __name__ == "__main__":
    main(SERVICE, effects)
