"""Bytes and text from clients become typed values, or a problem that names the field. Never a 5xx."""

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct

from services.gateway.faults import in_words, plain
from services.gateway.problems import Problem, field_problem
from truetape.errors import MoneyError
from truetape.log import Part
from truetape.money import to_e8
from truetape.topics import BY_NAME

T = TypeVar("T", bound=Struct)
POSITIONS_MAX: Final = sum(topic.partitions for topic in BY_NAME.values())
"""In one header: a client that keeps them, such as the house's, comes to know one of every partition."""
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_POSITION: Final = re.compile(r"([a-z.]{1,40})/([0-9]{1,4})@([0-9]{1,18})", re.ASCII)


@cache
def _decoder(kind: type[Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def parse_body(body: bytes, kind: type[T], instruments: Iterable[str] = ()) -> T:
    """The body as a request. Raises Problem: malformed_json, duplicate_key, or the field at fault."""
    try:
        parsed: T = _decoder(kind).decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), kind, lambda: plain(body), instruments) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("malformed_json", f"the body is not JSON: {str(error)[:200]}") from error
    if _maybe_repeated(body, parsed):
        _refuse_duplicates(body)
    return parsed


def parse_query(pairs: Iterable[tuple[str, str]], kind: type[T], instruments: Iterable[str] = ()) -> T:
    """Query parameters as a struct. Raises Problem naming the parameter."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise field_problem(name[:64], "the parameter comes twice")
        given[name] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), kind, lambda: given, instruments) from error


def _invalid(message: str, kind: type[Struct], given: Callable[[], Any], instruments: Iterable[str]) -> Problem:
    if (unknown := _UNKNOWN.search(message)) is not None:
        return field_problem(unknown[1][:64], "the field is not known", "unknown_field")
    if (missing := _MISSING.search(message)) is not None:
        return field_problem(missing[1], "the field is missing", "missing_field")
    place = _PLACE.search(message)
    detail = in_words(_PLACE.sub("", message), kind, place[1] if place else "", given, instruments)[:300]
    if "got `float`" in detail or "got `int`" in detail:
        detail += '; decimals travel as strings, such as "1.25"'
    return field_problem(place[1] if place else "", detail)


def _maybe_repeated(body: bytes, parsed: Struct) -> bool:
    """Whether the body has other quotes than its fields need: a cheap sign that a key may come twice."""
    present = [value for name in parsed.__struct_fields__ if (value := getattr(parsed, name)) is not UNSET]
    return body.count(b'"') != 2 * len(present) + 2 * sum(type(value) is str for value in present)


def _refuse_duplicates(body: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Problem("duplicate_key", f"the key {name[:64]!r} comes twice", field=name[:64])
            seen.add(name)

    json.loads(body, object_pairs_hook=unique)


def decimal(field: str, text: str) -> int:
    """A decimal string in units of 1e-8. Raises Problem naming the field."""
    try:
        return to_e8(text)
    except MoneyError as error:
        raise field_problem(field, str(error)) from error


def positive(field: str, text: str) -> int:
    """As `decimal`, and above zero."""
    if (value_e8 := decimal(field, text)) <= 0:
        raise field_problem(field, f"{text[:40]!r} is not above zero")
    return value_e8


def parse_positions(header: str, name: str = "Truetape-Position") -> dict[Part, int]:
    """The header `name`: "topic/partition@offset", comma-separated. Raises Problem invalid_header."""
    found: dict[Part, int] = {}
    items = header.split(",") if header else []
    if len(items) > POSITIONS_MAX:
        raise Problem("invalid_header", f"{name} has at most {POSITIONS_MAX} places, one of each partition")
    for item in items:
        match = _POSITION.fullmatch(item.strip())
        topic = BY_NAME.get(match[1]) if match else None
        if match is None or topic is None or int(match[2]) >= topic.partitions:
            raise Problem(
                "invalid_header", f"{name} must be topic/partition@offset, as an answer or an event carried it"
            )
        part = Part(match[1], int(match[2]))
        found[part] = max(int(match[3]), found.get(part, 0))
    return found


def format_positions(positions: Iterable[tuple[Part, int]]) -> str:
    """The header's text, in a fixed order."""
    return ",".join(f"{part}@{offset}" for part, offset in sorted(positions))
