"""Runs clearing: python -m services.clearing"""

from typing import Any

from services.clearing.core import SERVICE
from services.clearing.session import Session
from truetape.process import main
from truetape.runner import Runner
from truetape.settings import Settings


def effects(runner: Runner[Any], settings: Settings) -> Session:
    """Commands to other partitions, written as the runner writes its records."""
    return Session(runner.log.append)


if __name__ == "__main__":
    main(SERVICE, effects)
