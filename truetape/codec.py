"""Confluent wire format: a zero byte, the schema id in four bytes big-endian, Avro binary.

Ids come from schemas.lock, so every process agrees without a registry server.
"""

from functools import cache
from struct import Struct as Layout
from typing import Any, Final

import msgspec

from truetape.errors import UndecodableRecord, Unencodable, UnknownSchema
from truetape.schema import released
from truetape.wire import compiled

HEADER: Final = Layout(">bI")
HEADER_BYTES: Final = 5
Message = msgspec.Struct

_records: Final = compiled.load()
_ENCODERS: Final = _records.ENCODERS
_DECODERS: Final = {HEADER.pack(0, schema_id): decoder for schema_id, decoder in _records.DECODERS.items()}
"""By the bytes with which a record of each schema begins."""
_KINDS: Final[dict[type, tuple[str, bytes]]] = {}
"""The header that names each type of event."""


def encode(message: Message) -> bytes:
    """One message as wire bytes. Raises Unencodable when a value does not fit its schema, say beyond 64 bits."""
    try:
        wire: bytes = _ENCODERS[type(message)](message)
    except (OverflowError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Unencodable(f"{type(message).__name__} does not fit its schema: {error!r}") from error
    return wire


def decode(data: bytes) -> Message:
    """The message in wire bytes.

    Raises UndecodableRecord (not the wire format, truncated, bytes left over) or UnknownSchema.
    """
    decoder = _DECODERS.get(data[:HEADER_BYTES])
    if decoder is None:
        raise _unknown(data)
    try:
        message: Message = decoder(data)
    except (ValueError, IndexError) as error:
        schema_id = HEADER.unpack_from(data)[1]
        raise UndecodableRecord(f"{_record_of(schema_id)} (schema id {schema_id}): {error!r}") from error
    return message


def _unknown(data: bytes) -> UndecodableRecord | UnknownSchema:
    if len(data) < HEADER_BYTES or data[0] != 0:
        return UndecodableRecord(f"not the Confluent wire format: begins with {data[:8].hex() or 'nothing'}")
    schema_id = HEADER.unpack_from(data)[1]
    return UnknownSchema(f"schema id {schema_id} is not in schemas.lock; is a newer writer on this topic?")


def schema_id(message_type: type[Message]) -> int:
    """The id under which this version of a message is written."""
    return _ids()[f"truetape.{message_type.__name__}"]


@cache
def _ids() -> dict[str, int]:
    return {version.record: version.id for version in released()}


def _record_of(schema_id: int) -> str:
    return next(version.record.rpartition(".")[2] for version in released() if version.id == schema_id)


def headers(event: Any) -> list[tuple[str, bytes]]:
    """Event type and W3C trace context. The trace id is the correlation id, so an order's trace is found by its id."""
    meta = event.meta
    kind = _KINDS.get(type(event))
    if kind is None:
        kind = _KINDS[type(event)] = ("event_type", type(event).__name__.encode())
    found = [kind]
    if len(meta.correlation_id) == 32:
        span = f"{meta.epoch & 0xFFFFFFFF:08x}{meta.sequence & 0xFFFFFFFF:08x}"
        found.append(("traceparent", f"00-{meta.correlation_id}-{span}-01".encode()))
    return found
