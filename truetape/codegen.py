"""Writes messages.py and wire/records.py from schemas/. Run by `make schemas`; a freshness test compares both."""

import subprocess
import sys
from pathlib import Path

from truetape import avro
from truetape.schema import Schema, history, keyword_only, load, lock, roots

MESSAGES = Path(__file__).parent / "messages.py"
RECORDS = Path(__file__).parent / "wire" / "records.py"
_HEADER = '''"""Generated from schemas/*.avsc by `make schemas`; do not edit.

Units: *_e8 is 1e-8, *_us is microseconds UTC.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
'''
_PLAIN = {"string": "str", "int": "int", "long": "int", "boolean": "bool", "bytes": "bytes", "null": "None"}


def render(types: dict[str, Schema]) -> str:
    """The text of messages.py: enums as Literals, records as frozen Structs, root records listed at the end."""
    ordered = sorted(types.items(), key=lambda item: item[1]["type"] != "enum")
    parts = [_enum(named) if named["type"] == "enum" else _record(named) for _, named in ordered]
    names = ",\n    ".join(types[name]["name"] for name in roots(types))
    listing = f'ROOTS: tuple[type[Struct], ...] = (\n    {names},\n)\n"""Every record that travels on a topic."""\n'
    return "\n\n".join([_HEADER, *parts, listing])


def _enum(named: Schema) -> str:
    symbols = ", ".join(f'"{symbol}"' for symbol in named["symbols"])
    return f'{named["name"]} = Literal[{symbols}]\n"""{named["doc"]}."""'


def _record(named: Schema) -> str:
    required = [field for field in named["fields"] if "default" not in field]
    optional = [field for field in named["fields"] if "default" in field]
    lines = [_field(field) for field in [*required, *optional]]
    body = "\n".join(lines)
    order = ", kw_only=True" if keyword_only(named) else ""
    return f'class {named["name"]}(Struct, frozen=True, gc=False{order}):\n    """{named["doc"]}."""\n\n{body}'


def _field(field: Schema) -> str:
    value = field.get("default")
    default = f" = {tuple(value) if isinstance(value, list) else value!r}" if "default" in field else ""
    return f'    {field["name"]}: {_type(field["type"])}{default}\n    """{field["doc"]}."""'


def _type(node: Schema) -> str:
    match node:
        case str():
            return _PLAIN.get(node, node.rpartition(".")[2])
        case ["null", branch]:
            return f"{_type(branch)} | None"
        case {"type": "array", "items": items}:
            return f"tuple[{_type(items)}, ...]"
        case {"type": "map", "values": values}:
            return f"dict[str, {_type(values)}]"
        case {"type": str() as primitive}:
            return _PLAIN[primitive]
        case _:
            raise ValueError(f"no Python type for {node!r}; teach truetape/codegen.py")


def formatted(text: str) -> str:
    """The text as ruff formats it, so that the generated file reads like the others."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Release changed schemas, then write the generated modules."""
    for line in lock():
        print(f"released {line}")
    types = load()
    MESSAGES.write_text(formatted(render(types)))
    RECORDS.write_text(formatted(avro.render(history(), types)))


if __name__ == "__main__":
    main()
