"""Confluent wire format: a zero byte, the schema id in four bytes big-endian, Avro binary.

Ids come from schemas.lock, so every process agrees without a registry server.
"""

from collections.abc import Callable
from functools import cache
from io import BytesIO
from struct import Struct as Layout
from typing import Any

import msgspec
from fastavro import parse_schema, schemaless_reader

from truetape import messages
from truetape.avro import compile_encoder
from truetape.errors import UndecodableRecord, Unencodable, UnknownSchema
from truetape.schema import Version, bare, released

HEADER = Layout(">bI")
Message = msgspec.Struct


def encode(message: Message) -> bytes:
    """One message as wire bytes. Raises Unencodable when a value does not fit its schema, say beyond 64 bits."""
    try:
        return _encoders()[type(message)](message)
    except (OverflowError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Unencodable(f"{type(message).__name__} does not fit its schema: {error!r}") from error


def decode(data: bytes) -> Message:
    """The message in wire bytes.

    Raises UndecodableRecord (not the wire format, truncated, bytes left over) or UnknownSchema.
    """
    if len(data) < HEADER.size or data[0] != 0:
        raise UndecodableRecord(f"not the Confluent wire format: begins with {data[:8].hex() or 'nothing'}")
    schema_id = HEADER.unpack_from(data)[1]
    reader = _readers().get(schema_id)
    if reader is None:
        raise UnknownSchema(f"schema id {schema_id} is not in schemas.lock; is a newer writer on this topic?")
    source = BytesIO(data)
    source.seek(HEADER.size)
    writer_schema, reader_schema, message_type = reader
    try:
        fields = schemaless_reader(source, writer_schema, reader_schema)
        message = msgspec.convert(fields, message_type)
    except Exception as error:  # fastavro raises a dozen kinds on bytes that are not Avro
        raise UndecodableRecord(f"{message_type.__name__} (schema id {schema_id}): {error!r}") from error
    if source.tell() != len(data):
        raise UndecodableRecord(f"{message_type.__name__} (schema id {schema_id}): bytes left over after the record")
    return message


def schema_id(message_type: type[Message]) -> int:
    """The id under which this version of a message is written."""
    return _newest()[f"truetape.{message_type.__name__}"].id


@cache
def _types() -> dict[str, type[Message]]:
    return {f"truetape.{root.__name__}": root for root in messages.ROOTS}


@cache
def _newest() -> dict[str, Version]:
    return {version.record: version for version in released()}


@cache
def _parsed(schema_id: int) -> Any:
    [version] = [version for version in released() if version.id == schema_id]
    return parse_schema(bare(version.schema, logical=False), named_schemas={})


@cache
def _encoders() -> dict[type[Message], Callable[[Message], bytes]]:
    newest = _newest()
    return {
        root: compile_encoder(newest[name].schema, HEADER.pack(0, newest[name].id)) for name, root in _types().items()
    }


@cache
def _readers() -> dict[int, tuple[Any, Any, type[Message]]]:
    newest = _newest()
    return {
        version.id: (
            _parsed(version.id),
            None if newest[version.record].id == version.id else _parsed(newest[version.record].id),
            _types()[version.record],
        )
        for version in released()
    }
