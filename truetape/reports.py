"""What reports from the tape have in common: the forms that they come in, and the log that they read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from truetape.errors import SetupError
from truetape.log import KafkaLog, Log, check_topics
from truetape.settings import Settings
from truetape.telemetry import configure_logging
from truetape.topics import ALL

FORMS: Final = ("table", "json", "csv")
ASK_SECONDS: Final = 5.0


@contextmanager
def reading(form: str, name: str) -> Iterator[tuple[Log, float]]:
    """The real broker's log and how long to wait for a record. Raises SetupError for an unknown form."""
    require(form)
    settings = Settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), name)
    check_topics(settings.kafka, ALL, ASK_SECONDS)
    with closing(KafkaLog(settings.kafka)) as log:
        yield log, settings.restore_timeout_seconds


def require(form: str) -> None:
    """Raises SetupError for an unknown form."""
    if form not in FORMS:
        raise SetupError(f"{form[:40]!r} is no format; there are {', '.join(FORMS)}")
