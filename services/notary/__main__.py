"""Wiring of the notary: `python -m services.notary`."""

from typing import Any

from services.notary.core import SERVICE
from services.notary.sealer import Sealer
from services.notary.session import Session
from truetape.errors import SetupError
from truetape.evidence import keys
from truetape.log import KafkaLog
from truetape.process import main
from truetape.runner import Runner
from truetape.settings import Settings

PATIENCE_MS = 500
"""Nobody waits for a leaf: it reads everything, and each fetch costs the broker as much as an append."""


def effects(runner: Runner[Any], settings: Settings) -> Session:
    """The session that seals the tape, with the key of its folder, which the first start makes.

    Raises SetupError when there is no folder, or the key cannot be used.
    """
    folder = settings.notary_folder
    if folder is None:
        raise SetupError("the notary needs TRUETAPE_NOTARY_FOLDER; `truetape settings` explains it")
    keys.create(folder)
    key = keys.load(folder)

    def open_sealer() -> Sealer:
        log = KafkaLog(settings.kafka, patience_ms=PATIENCE_MS, alone=True)
        return Sealer(log, folder, key, settings.checkpoint_seconds, settings.checkpoint_records)

    return Session(runner.offer, open_sealer).start()


if __name__ == "__main__":
    main(SERVICE, effects)
