"""Wiring of the reconciler: `python -m services.reconciler`."""

from collections.abc import Callable, Mapping
from typing import Any

from services.reconciler.books import Books
from services.reconciler.core import SERVICE
from services.reconciler.session import Session
from truetape.errors import SetupError
from truetape.log import KafkaLog
from truetape.process import main
from truetape.runner import Runner
from truetape.settings import Settings
from truetape.venue.adapter import Venue
from truetape.venue.binance import Binance
from truetape.venue.outside import MACHINE, Outside


def effects(
    runner: Runner[Any],
    settings: Settings,
    outside: Outside = MACHINE,
    books: Callable[[], Books] | None = None,
    end: Callable[[], None] | None = None,
) -> Session:
    """The venue sessions with the read-only keys. Raises SetupError when one is missing."""
    keyless = [name for name, venue in settings.venues.items() if not venue.read_key.get_secret_value()]
    if not settings.venues or keyless:
        which = ", ".join(keyless) or "any venue"
        raise SetupError(f"no read-only key for {which}; set TRUETAPE_VENUES__<NAME>__READ_KEY and __READ_SECRET")

    def connect() -> Mapping[str, Venue]:
        return {
            name: Binance(name, venue, venue.read_key, venue.read_secret, outside.http)
            for name, venue in settings.venues.items()
        }

    reference = runner.tables.reference
    return Session(
        runner.offer,
        connect,
        books or (lambda: Books(KafkaLog(settings.kafka))),
        lambda: tuple(reference.instruments.values()),
        settings.reconcile_seconds,
        settings.break_grace_seconds,
        end,
        outside.thread,
    ).start()


if __name__ == "__main__":
    main(SERVICE, effects)
