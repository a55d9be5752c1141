"""Writes wire/records.py: for each record of the schemas, Python functions that read and write its Avro binary.

One reader for each released version of a root, which gives today's message; one writer for each root's newest
version. Records inside others get functions of their own, shared where their shape is the same.
"""

import json
from collections.abc import Iterable
from typing import Final

from truetape.schema import Schema, Version, bare, full_name, keyword_only

HEADER_BYTES: Final = 5
_TOP: Final = '''"""Generated from schemas/ by `make schemas` (truetape/avro.py); do not edit."""

# mypy: disable-error-code="arg-type"
from typing import Any, Final

from mypy_extensions import i64

from truetape import messages as m

from . import primitives as p


'''
_SIMPLE: Final = {"string": "string", "int": "long", "long": "long", "boolean": "boolean", "bytes": "bytes",
                  "name": "name"}  # fmt: skip
NAMES: Final = frozenset(
    "account asset purpose rule source venue base quote fee_asset instrument_id settlement_asset".split()  # noqa: SIM905
)
"""Fields whose strings come again and again: `primitives.read_name` reads them."""


def render(versions: Iterable[Version], types: dict[str, Schema]) -> str:
    """The text of records.py for these released versions; `types` are today's schemas by full name."""
    source = _Source(types)
    ordered = list(versions)
    newest = {version.record: version for version in ordered}
    readers = [f"    {version.id}: {source.decoder(version)},\n" for version in ordered]
    writers = [f"    m.{_short(name)}: {source.encoder(version)},\n" for name, version in newest.items()]
    return (
        _TOP
        + "".join(f"new_{name}: Final = m.{name}\n" for name in sorted(source.read))
        + "\n\n"
        + "\n\n".join(source.functions)
        + f"\n\nDECODERS: dict[int, Any] = {{\n{''.join(readers)}}}\n"
        + f"ENCODERS: dict[Any, Any] = {{\n{''.join(writers)}}}\n"
    )


def _is_name(field: Schema) -> bool:
    return field["type"] == "string" and field["name"] in NAMES


def _short(name: str) -> str:
    return name.rpartition(".")[2]


class _Source:
    """Collects functions; each record or enum of one shape is written once."""

    def __init__(self, types: dict[str, Schema]) -> None:
        self.functions: list[str] = []
        self.read: set[str] = set()
        """Records that some reader makes. A constant of the compiled module is a C variable; `m.Line` would be two
        look-ups for each line."""
        self._types = types
        self._names: dict[tuple[str, str], str] = {}
        self._shapes: dict[str, int] = {}
        self._named: dict[str, Schema] = {}

    def decoder(self, version: Version) -> str:
        """A function from whole wire bytes to the message."""
        self._named = {}
        reader = self._reader(version.schema)
        name = f"decode_{version.id}"
        self.functions.append(
            f"def {name}(data: bytes) -> Any:\n    message, at = {reader}(data, {HEADER_BYTES})\n"
            "    if at != len(data):\n        raise ValueError('bytes left over after the record')\n"
            "    return message\n"
        )
        return name

    def encoder(self, version: Version) -> str:
        """A function from a message to whole wire bytes."""
        self._named = {}
        writer = self._writer(version.schema)
        name, header = f"encode_{version.id}", b"\0" + version.id.to_bytes(4, "big")
        self.functions.append(
            f"def {name}(message: Any) -> bytes:\n    out: list[bytes] = [{header!r}]\n    {writer}(out, message)\n"
            "    return b''.join(out)\n"
        )
        return name

    def _reader(self, record: Schema) -> str:
        name, fresh = self._name("read", record)
        if fresh:
            body = _Body()
            values = {
                field["name"]: self._read(body, "name" if _is_name(field) else field["type"], 1)
                for field in record["fields"]
            }
            arguments = _arguments(values, self._types[full_name(record)])
            self.functions.append(
                f"def {name}(data: bytes, at: i64) -> tuple[Any, i64]:\n{body.text()}"
                f"    return new_{record['name']}({arguments}), at\n"
            )
            self.read.add(record["name"])
        return name

    def _writer(self, record: Schema) -> str:
        name, fresh = self._name("write", record)
        if fresh:
            body = _Body()
            for field in record["fields"]:
                self._write(body, field["type"], f"value.{field['name']}", 1)
            self.functions.append(f"def {name}(out: list[bytes], value: Any) -> None:\n{body.text()}")
        return name

    def _name(self, verb: str, named: Schema) -> tuple[str, bool]:
        """The function or constant of this shape, and whether it has yet to be written."""
        shape = json.dumps(bare(self._spelled(named), logical=False), sort_keys=True)
        known = self._names.get((verb, shape))
        if known is not None:
            return known, False
        number = self._shapes[f"{verb}_{named['name']}"] = self._shapes.get(f"{verb}_{named['name']}", 0) + 1
        name = f"{verb}_{named['name']}" + (f"_{number}" if number > 1 else "")
        self._names[verb, shape] = name
        return name, True

    def _spelled(self, node: Schema) -> Schema:
        """The schema with every named type written out again, so that a shape does not depend on where it stands."""
        if isinstance(node, str):
            return self._spelled(self._named[node]) if node in self._named else node
        if isinstance(node, list):
            return [self._spelled(branch) for branch in node]
        if "namespace" in node:
            self._named.setdefault(full_name(node), node)
        spelled = {key: self._spelled(node[key]) for key in ("items", "values") if key in node}
        if "fields" in node:
            spelled["fields"] = [{**field, "type": self._spelled(field["type"])} for field in node["fields"]]
        return {**node, **spelled}

    def _named_or(self, node: Schema) -> Schema:
        return self._named.get(node, node) if isinstance(node, str) else node

    def _symbols(self, enum: Schema) -> tuple[str, str]:
        name, fresh = self._name("symbols", enum)
        if fresh:
            written = ", ".join(f"{symbol!r}: p.LAST[{2 * index}]" for index, symbol in enumerate(enum["symbols"]))
            self.functions.append(
                f"{name}: list[str] = {enum['symbols']!r}\n{name}_written: dict[str, bytes] = {{{written}}}\n"
            )
        return name, f"{name}_written"

    # -- reading ---------------------------------------------------------------------------------------------

    def _read(self, body: "_Body", node: Schema, depth: int) -> str:
        """Lines that read one value; returns the name that holds it."""
        node = self._named_or(node)
        name, kind = body.name(), node["type"] if isinstance(node, dict) else node
        match kind:
            case ["null", branch]:
                self._read_union(body, branch, name, depth)
            case "record":
                body.line(depth, f"{name}, at = {self._reader(node)}(data, at)")
            case "enum":
                body.line(depth, f"{name}, at = p.read_symbol(data, at, {self._symbols(node)[0]})")
            case "array" | "map":
                self._read_blocks(body, node, name, depth)
            case str() if kind in _SIMPLE:
                body.line(depth, f"{name}, at = p.read_{_SIMPLE[kind]}(data, at)")
            case _:
                raise TypeError(f"no reader for {kind!r}: teach truetape/avro.py")
        return name

    def _read_union(self, body: "_Body", branch: Schema, name: str, depth: int) -> None:
        held = body.name()
        body.line(depth, f"{name}: Any = None")
        body.line(depth, f"{held}, at = p.read_branch(data, at)")
        body.line(depth, f"if {held}:")
        body.line(depth + 1, f"{name} = {self._read(body, branch, depth + 1)}")

    def _read_blocks(self, body: "_Body", node: Schema, name: str, depth: int) -> None:
        count, array = body.name(), node["type"] == "array"
        items = body.name()
        body.line(depth, f"{items}: {'list[Any] = []' if array else 'dict[str, Any] = {}'}")
        body.line(depth, f"{count}, at = p.read_count(data, at)")
        body.line(depth, f"while {count} > 0:")
        if array:
            body.line(depth + 1, f"{items}.append({self._read(body, node['items'], depth + 1)})")
        else:
            key = self._read(body, "string", depth + 1)
            body.line(depth + 1, f"{items}[{key}] = {self._read(body, node['values'], depth + 1)}")
        body.line(depth + 1, f"{count} -= 1")
        body.line(depth + 1, f"if {count} == 0:")
        body.line(depth + 2, f"{count}, at = p.read_count(data, at)")
        body.line(depth, f"{name} = {f'tuple({items})' if array else items}")

    # -- writing ---------------------------------------------------------------------------------------------

    def _write(self, body: "_Body", node: Schema, value: str, depth: int) -> None:
        """Lines that write one value."""
        node = self._named_or(node)
        kind = node["type"] if isinstance(node, dict) else node
        match kind:
            case ["null", branch]:
                name = body.assign(value, depth)
                body.line(depth, f"if {name} is None:")
                body.line(depth + 1, "out.append(b'\\x00')")
                body.line(depth, "else:")
                body.line(depth + 1, "out.append(b'\\x02')")
                self._write(body, branch, name, depth + 1)
            case "record":
                body.line(depth, f"{self._writer(node)}(out, {value})")
            case "enum":
                body.line(depth, f"out.append({self._symbols(node)[1]}[{value}])")
            case "array" | "map":
                self._write_blocks(body, node, value, depth)
            case str() if kind in _SIMPLE:
                body.line(depth, f"p.write_{_SIMPLE[kind]}(out, {value})")
            case _:
                raise TypeError(f"no writer for {kind!r}: teach truetape/avro.py")

    def _write_blocks(self, body: "_Body", node: Schema, value: str, depth: int) -> None:
        name, item = body.assign(value, depth), body.name()
        body.line(depth, f"if {name}:")
        body.line(depth + 1, f"p.write_long(out, len({name}))")
        if node["type"] == "array":
            body.line(depth + 1, f"for {item} in {name}:")
            self._write(body, node["items"], item, depth + 2)
        else:
            key = body.name()
            body.line(depth + 1, f"for {key}, {item} in {name}.items():")
            body.line(depth + 2, f"p.write_string(out, {key})")
            self._write(body, node["values"], item, depth + 2)
        body.line(depth, "out.append(b'\\x00')")


class _Body:
    """The lines of one function."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._fresh = 0

    def line(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text + "\n")

    def name(self) -> str:
        self._fresh += 1
        return f"v{self._fresh}"

    def assign(self, value: str, depth: int) -> str:
        name = self.name()
        self.line(depth, f"{name} = {value}")
        return name

    def text(self) -> str:
        return "".join(self._lines)


def _arguments(values: dict[str, str], today: Schema) -> str:
    """What today's message is made of: by position, which is quicker, where the writer had the very same fields."""
    names = [field["name"] for field in today["fields"]]
    if list(values) == names and not keyword_only(today):
        return ", ".join(values.values())
    return ", ".join(f"{name}={value}" for name, value in values.items() if name in names)
