"""Reference commands by an operator with access to Kafka: how the first account and the first key come to be."""

import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from truetape import ids
from truetape.codec import Message, decode, encode
from truetape.errors import BrokerUnavailable, SchemaError, TruetapeError
from truetape.log import KafkaLog, Part, Record
from truetape.messages import ApiKey, ReferenceRejected
from truetape.reference import Reference, fold
from truetape.tape import Reader
from truetape.topics import REFERENCE_COMMANDS, REFERENCE_EVENTS

OPERATOR = "operator"
ANSWER_SECONDS = 15.0
_COMMANDS = Part(REFERENCE_COMMANDS.name, 0)
_EVENTS = Part(REFERENCE_EVENTS.name, 0)


class ReferenceRefused(TruetapeError):
    """The gateway refused a reference command; the message says why."""


def new_key(
    account_id: str, scopes: tuple[str, ...], requests_per_second: int, expires_at_us: int | None
) -> tuple[ApiKey, str]:
    """A key to create, and what its holder sends: "key_id.secret". Only the secret's hash goes further."""
    key_id, secret = f"tt-{secrets.token_hex(6)}", secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = ApiKey(
        key_id=key_id, secret_sha256=digest, account_id=account_id, scopes=scopes,
        requests_per_second=requests_per_second, expires_at_us=expires_at_us, revoked=False,
    )  # fmt: skip
    return key, f"{key_id}.{secret}"


class Administration:
    """Sends reference commands and waits for what the gateway makes of them."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log
        self._reader = Reader(*_EVENTS)
        self.reference = Reference()
        [(_, (low, high))] = log.ends([_EVENTS]).items()
        for record in log.read({_EVENTS: (low, high)}, ANSWER_SECONDS):
            self._take(record)
        log.follow({_EVENTS: high})

    def carry_out(self, command: Message) -> Any:
        """The event that answers the command. Raises ReferenceRefused, or BrokerUnavailable without an answer."""
        wanted = command.command_id  # type: ignore[attr-defined]
        self._log.append(_COMMANDS, None, encode(command), [], None)
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            for record in self._log.poll(0.1):
                event = self._take(record) if isinstance(record, Record) else None
                if getattr(event, "command_id", None) != wanted:
                    continue
                if isinstance(event, ReferenceRejected):
                    raise ReferenceRefused(event.reason)
                return event
        raise BrokerUnavailable("no answer to the command within 15 s: is the gateway running (`truetape dev status`)?")

    def _take(self, record: Record) -> Any:
        try:
            event: Any = decode(record.value or b"")
        except SchemaError:
            return None
        if not self._reader.accept(event, record.offset):
            return None
        fold(self.reference, event)
        return event


@contextmanager
def administration(kafka: str) -> Iterator[Administration]:
    """An Administration on this broker, closed at the end."""
    log = KafkaLog(kafka)
    try:
        yield Administration(log)
    finally:
        log.close()


def command_id() -> str:
    """An id for a command given by hand."""
    return ids.random_id()
