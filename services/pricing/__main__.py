"""Wiring of pricing: `python -m services.pricing`."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import SecretStr

from services.pricing.core import SERVICE
from services.pricing.facts import FactSender
from services.pricing.session import Session
from truetape.errors import SetupError
from truetape.process import main
from truetape.runner import Runner
from truetape.settings import Settings
from truetape.venue.adapter import Venue
from truetape.venue.binance import Binance
from truetape.venue.listings import listings_of
from truetape.venue.outside import MACHINE, Outside


def effects(runner: Runner[Any], settings: Settings, outside: Outside = MACHINE) -> Session:
    """The book sessions, without keys: books are public. Raises SetupError when no venue is configured."""
    if not settings.venues:
        raise SetupError("no venue is configured; set TRUETAPE_VENUES__<NAME>__REST_URL and __STREAM_URL")

    def connect() -> Mapping[str, Venue]:
        return {
            name: Binance(name, venue, SecretStr(""), SecretStr(""), outside.http)
            for name, venue in settings.venues.items()
        }

    listings = partial(listings_of, runner.tables.reference)
    facts = FactSender(runner.log.append, runner.offer)
    return Session(runner.offer, facts, connect, listings, settings.mark_interval_ms, outside.thread).start()


if __name__ == "__main__":
    main(SERVICE, effects)
