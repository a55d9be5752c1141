"""Avro encoders compiled from schemas: straight-line Python for each record type.

fastavro walks the schema for every record; a compiled encoder walks it once. Measured on an EntryBooked with six
lines: 9 µs against 24 µs. The bytes are the same (a property test compares them for every record type); reading
stays with fastavro, where compiling gains nothing.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from truetape.schema import Schema

_LOW: Final = (1 << 14) - 1
_CACHED_CHARACTERS: Final = 24
_CACHE_MAX: Final = 8_192


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_LAST: Final = [_varint(number) for number in range(_LOW + 1)]
"""Varints below 2**14."""
_MORE: Final = [bytes((number & 127 | 128, number >> 7 | 128)) for number in range(_LOW + 1)]
"""The same fourteen bits where more follow."""
_strings: dict[str, bytes] = {}


def write_long(value: int) -> bytes:
    """Zigzag varint. Raises OverflowError beyond 64 bits."""
    number = (value << 1) ^ (value >> 63)
    if number <= _LOW:
        return _LAST[number]
    if number < 1 << 28:
        return _MORE[number & _LOW] + _LAST[number >> 14]
    if number < 1 << 42:
        return _MORE[number & _LOW] + _MORE[number >> 14 & _LOW] + _LAST[number >> 28]
    if number < 1 << 56:
        return _MORE[number & _LOW] + _MORE[number >> 14 & _LOW] + _MORE[number >> 28 & _LOW] + _LAST[number >> 42]
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError(f"{value} is beyond 64 bits")
    return _varint(number)


def write_string(value: str) -> bytes:
    """Length and UTF-8 bytes; short strings (accounts, assets, purposes) are remembered, a bounded number of them."""
    data = value.encode()
    written = write_long(len(data)) + data
    if len(value) <= _CACHED_CHARACTERS:
        if len(_strings) >= _CACHE_MAX:
            _strings.clear()
        _strings[value] = written
    return written


def compile_encoder(schema: Schema, header: bytes) -> Callable[[msgspec.Struct], bytes]:
    """A function from a message of this record schema to header plus Avro binary.

    Raises OverflowError, KeyError, TypeError or AttributeError for a value that does not fit.
    """
    source = _Source()
    source.record(schema, "m", 1)
    text = "\n".join(["def encode(m):", " out = [HEADER]", " add = out.append", *source.lines, " return b''.join(out)"])
    scope: dict[str, Any] = {
        "HEADER": header,
        "strings": _strings,
        "write_string": write_string,
        "write_long": write_long,
        **source.constants,
    }
    exec(compile(text, f"<avro {schema['name']}>", "exec"), scope)
    encoder: Callable[[msgspec.Struct], bytes] = scope["encode"]
    return encoder


class _Source:
    """Collects the lines of one encoder."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self._named: dict[str, Schema] = {}
        self._fresh = 0

    def record(self, schema: Schema, value: str, depth: int) -> None:
        """Fields in order."""
        self._named[f"{schema['namespace']}.{schema['name']}"] = schema
        for field in schema["fields"]:
            self.write(field["type"], f"{value}.{field['name']}", depth)

    def write(self, node: Schema, value: str, depth: int) -> None:
        """Lines that append one value."""
        node = self._named.get(node, node) if isinstance(node, str) else node
        kind = node["type"] if isinstance(node, dict) else node
        match kind:
            case ["null", branch]:
                self._union(branch, value, depth)
            case "record":
                name = self._assign(value, depth)
                self.record(node, name, depth)
            case "enum":
                self._enum(node, value, depth)
            case "array":
                self._array(node["items"], value, depth)
            case "map":
                self._map(node["values"], value, depth)
            case "string":
                name = self._assign(value, depth)
                self._line(depth, f"add(strings.get({name}) or write_string({name}))")
            case "int" | "long":
                self._line(depth, f"add(write_long({value}))")
            case "boolean":
                self._line(depth, f"add(b'\\x01' if {value} else b'\\x00')")
            case "bytes":
                name = self._assign(value, depth)
                self._line(depth, f"add(write_long(len({name}))); add({name})")
            case _:
                raise TypeError(f"no encoder for {kind!r}: teach truetape/avro.py")

    def _union(self, branch: Schema, value: str, depth: int) -> None:
        name = self._assign(value, depth)
        self._line(depth, f"if {name} is None: add(b'\\x00')")
        self._line(depth, "else:")
        self._line(depth + 1, "add(b'\\x02')")
        self.write(branch, name, depth + 1)

    def _enum(self, node: Schema, value: str, depth: int) -> None:
        self._named[f"{node['namespace']}.{node['name']}"] = node
        constant = f"enum_{node['name']}"
        self.constants[constant] = {symbol: write_long(at) for at, symbol in enumerate(node["symbols"])}
        self._line(depth, f"add({constant}[{value}])")

    def _array(self, items: Schema, value: str, depth: int) -> None:
        name, item = self._assign(value, depth), self._name()
        self._line(depth, f"if {name}:")
        self._line(depth + 1, f"add(write_long(len({name})))")
        self._line(depth + 1, f"for {item} in {name}:")
        self.write(items, item, depth + 2)
        self._line(depth, "add(b'\\x00')")

    def _map(self, values: Schema, value: str, depth: int) -> None:
        name, key, item = self._assign(value, depth), self._name(), self._name()
        self._line(depth, f"if {name}:")
        self._line(depth + 1, f"add(write_long(len({name})))")
        self._line(depth + 1, f"for {key}, {item} in {name}.items():")
        self.write("string", key, depth + 2)
        self.write(values, item, depth + 2)
        self._line(depth, "add(b'\\x00')")

    def _assign(self, value: str, depth: int) -> str:
        if value.isidentifier():
            return value
        name = self._name()
        self._line(depth, f"{name} = {value}")
        return name

    def _name(self) -> str:
        self._fresh += 1
        return f"v{self._fresh}"

    def _line(self, depth: int, text: str) -> None:
        self.lines.append(" " * depth + text)
