"""What is wrong with a field, in words: which values there are, what an id looks like, which names are near."""

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from services.gateway import requests as r
from truetape.near import hint

INSTRUMENT: Final = "an instrument such as BTC-USDT"
SHAPES: Final = {
    repr(pattern): words
    for pattern, words in {
        r.INSTRUMENT_PATTERN: INSTRUMENT,
        r.ACCOUNT_PATTERN: "an account: 1 to 40 letters, digits, _ and -",
        r.ASSET_PATTERN: "an asset: 1 to 20 capital letters and digits, such as USDT",
        r.LOCATION_PATTERN: "an account of the firm outside: venue:, bank: or custody: and its name in small letters",
        r.REFERENCE_PATTERN: "a reference: 1 to 128 letters, digits and . _ : / -",
        r.ID_PATTERN: "an id: 1 to 64 letters, digits and . _ : -",
    }.items()
}
"""What a pattern asks for, by the pattern as a fault names it."""
_REGEX: Final = re.compile(r"Expected `str` matching regex (.*)", re.DOTALL)
_NO_VALUE: Final = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_STEPS: Final = re.compile(r"[^.\[\]]+")
SHOWN_MAX: Final = 64


def in_words(
    fault: str, kind: type[msgspec.Struct], place: str, given: Callable[[], Any], instruments: Iterable[str]
) -> str:
    """A fault of msgspec as a person reads it; one that is clear already stays. `given` tells body or query."""
    if (value := _NO_VALUE.fullmatch(fault)) is not None:
        return _none_of(value[1], [str(one) for one in _values(_shape(kind), _STEPS.findall(place))])
    regex = _REGEX.fullmatch(fault)
    if regex is None or (shape := SHAPES.get(regex[1])) is None:
        return fault
    found = _value(given(), _STEPS.findall(place))
    said = repr(found[:SHOWN_MAX]) if isinstance(found, str) else "this"
    if shape is not INSTRUMENT:
        return f"{said} is not {shape}"
    return f"{said} is not {shape}{hint(str(found), instruments)}; GET /v1/instruments lists all"


@cache
def _shape(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _none_of(value: str, values: list[str]) -> str:
    if not values:
        return f"Invalid value {value[:SHOWN_MAX]}"
    return f"{value[:SHOWN_MAX]} is none of {', '.join(values)}{hint(value, values) if len(values) > 4 else ''}"


def _values(shape: inspect.Type, steps: list[str]) -> Iterable[Any]:
    """The values of the enumeration at a place; none where it cannot be found."""
    match shape:
        case inspect.Metadata():
            return _values(shape.type, steps)
        case inspect.UnionType():
            return [value for one in shape.types for value in _values(one, steps)]
        case inspect.LiteralType() if not steps:
            return shape.values
        case inspect.ListType() | inspect.VarTupleType():
            return _values(
                shape.item_type, steps[1:] if steps[:1] == ["..."] or "".join(steps[:1]).isdecimal() else steps
            )
        case inspect.StructType() if steps:
            return [
                v for field in shape.fields if field.encode_name == steps[0] for v in _values(field.type, steps[1:])
            ]
        case _:
            return ()


def _value(given: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(given, dict):
            return None
        given = given.get(step)
    return given


def plain(body: bytes) -> Any:
    """The body as plain values; None where it cannot be read to its end."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
