"""Many records of one Avro schema decoded at once into numpy columns: the schema is walked once, for all of them.

Nothing here is shared with codec.py but the schemas: an audit by columns reads the tape with eyes of its own. A column
of integers is int64; a string is where it begins and how long it is, for `Names` to number or `fingerprints` to hash.
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from truetape.errors import UndecodableRecord

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
PADDING: Final = 64
NULL: Final = -1
"""Length of a string that is null, number of one, and number of an enum."""
STRING_MAX: Final = 65_536
"""Longer strings are no strings of ours."""

_u: Final = np.uint64
_STOPS, _SEVENS, _ONES = _u(0x8080808080808080), _u(0x7F7F7F7F7F7F7F7F), _u(0x0101010101010101)
_ENDS: Final = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
"""Masks of the first n bytes of a word."""


class Wire:
    """Record values side by side, addressed by byte; reading a little past the last one is harmless."""

    def __init__(self, values: Sequence[bytes]) -> None:
        joined = b"".join(values) + bytes(PADDING)
        self.data = np.frombuffer(joined, np.uint8)
        self.words: Words = np.ndarray(len(joined) - 7, "<u8", buffer=joined, strides=(1,))
        """The eight bytes from each address on."""
        lengths = np.fromiter(map(len, values), np.int64, len(values))
        self.ends: Ints = np.cumsum(lengths)
        self.starts: Ints = self.ends - lengths

    def word(self, at: Ints) -> Words:
        """Eight bytes at each address. Raises UndecodableRecord behind the end."""
        if len(at) and int(at.max()) >= len(self.words):
            raise UndecodableRecord("a record is cut off")
        return self.words[at]

    def longs(self, at: Ints) -> tuple[Ints, Ints]:
        """Zigzag varints at each address, and the addresses behind them."""
        word = self.word(at)
        stops = ~word & _STOPS
        low = stops & (~stops + _u(1))
        within = low | (low - _u(1))  # All ones where eight bytes do not end it.
        bits = word & within & _SEVENS
        bits = (bits & _u(0x007F007F007F007F)) | ((bits & _u(0x7F007F007F007F00)) >> _u(1))
        bits = (bits & _u(0x00003FFF00003FFF)) | ((bits & _u(0x3FFF00003FFF0000)) >> _u(2))
        bits = (bits & _u(0x000000000FFFFFFF)) | ((bits & _u(0x0FFFFFFF00000000)) >> _u(4))
        size = ((within & _ONES) * _ONES) >> _u(56)
        if (long := np.flatnonzero(stops == 0)).size:
            more = self.word(at[long] + 8)
            ninth, tenth = more & _u(0xFF), (more >> _u(8)) & _u(0xFF)
            longer = ninth > _u(0x7F)
            if np.any(longer & (tenth > _u(1))):
                raise UndecodableRecord("a number is longer than 64 bits")
            bits[long] |= ((ninth & _u(0x7F)) << _u(56)) | np.where(longer, tenth << _u(63), _u(0))
            size[long] += _u(1) + longer.astype(np.uint64)
        return ((bits >> _u(1)) ^ (~(bits & _u(1)) + _u(1))).view(np.int64), at + size.view(np.int64)


class Text(NamedTuple):
    """A column of strings: where each begins, and its length in bytes."""

    starts: Ints
    lengths: Ints

    def at(self, place: int, rows: Ints) -> "Text":
        """Of a field of an array's items: these records' strings at one place."""
        return Text(self.starts[place][rows], self.lengths[place][rows])

    def of(self, rows: Ints) -> "Text":
        """These records' strings."""
        return Text(self.starts[rows], self.lengths[rows])

    def read(self, wire: Wire, row: int) -> str:
        """One of them."""
        start, length = int(self.starts[row]), int(self.lengths[row])
        return bytes(wire.data[start : start + length]).decode() if length >= 0 else ""


_PAIR: Final = {"type": "record", "name": "Pair", "namespace": "columns"}
_KEY: Final = {"name": "key", "type": "string"}
"""A map is written as an array of pairs is."""


class Columns:
    """Decoded fields by path, such as `meta.cause.offset` or `lines.asset`.

    A field of an array's items has one row of values for each place in the array: column[place, record].
    """

    def __init__(self, records: int) -> None:
        self.records = records
        self.ints: dict[str, Ints] = {}
        self.texts: dict[str, Text] = {}
        self.counts: dict[str, Ints] = {}
        """Items of each array by its path."""

    def text(self, path: str) -> Text:
        """A column of strings; all null where no record has one."""
        found = self.texts.get(path)
        return found if found is not None else Text(*(np.full(self._shape(path), NULL, np.int64) for _ in range(2)))

    def number(self, path: str) -> Ints:
        """A column of integers; all zero where no record has one."""
        found = self.ints.get(path)
        return found if found is not None else np.zeros(self._shape(path), np.int64)

    def _shape(self, path: str) -> tuple[int, ...]:
        return (0, self.records) if any(path.startswith(f"{array}.") for array in self.counts) else (self.records,)


def decode(wire: Wire, at: Ints, schema: Any, wanted: frozenset[str], *, whole: bool = False) -> tuple[Columns, Ints]:
    """Fields of records whose Avro begins at each address, and the addresses behind what was read.

    What stands behind the last wanted field is not read, unless the `whole` record is wanted: its end is then known.
    Raises UndecodableRecord for what is not Avro of this schema, or holds an array in several blocks.
    """
    walk = _Walk(wire, Columns(len(at)), wanted, whole)
    return walk.found, walk.record(schema, at, None, "", None)


class _Walk:
    """One walk through a schema. `rows` are the records concerned (None: all), `place` the place in an array."""

    def __init__(self, wire: Wire, found: Columns, wanted: frozenset[str], whole: bool) -> None:
        self.wire, self.found, self.wanted, self.whole = wire, found, wanted, whole
        self.named: dict[str, Any] = {}

    def record(self, schema: Any, at: Ints, rows: Ints | None, prefix: str, place: tuple[int, int] | None) -> Ints:
        """Fields in order."""
        self.named[f"{schema['namespace']}.{schema['name']}"] = schema
        last = max((n for n, field in enumerate(schema["fields"]) if self._wants(prefix + field["name"])), default=-1)
        fields = schema["fields"] if prefix or self.whole else schema["fields"][: last + 1]
        for field in fields:
            at = self.value(field["type"], at, rows, prefix + field["name"], place)
        return at

    def _wants(self, path: str) -> bool:
        return any(one == path or one.startswith(f"{path}.") for one in self.wanted)

    def value(self, node: Any, at: Ints, rows: Ints | None, path: str, place: tuple[int, int] | None) -> Ints:
        """One field of these records; returns the addresses behind it."""
        node = self.named.get(node, node) if isinstance(node, str) else node
        kind = node["type"] if isinstance(node, dict) else node
        match kind:
            case ["null", branch]:
                return self._nullable(branch, at, rows, path, place)
            case "record":
                return self.record(node, at, rows, f"{path}.", place)
            case "array":
                return self._array(node["items"], at, rows, path)
            case "map":
                return self._array(
                    _PAIR | {"fields": [_KEY, {"name": "value", "type": node["values"]}]}, at, rows, path
                )
            case "enum":
                self.named[f"{node['namespace']}.{node['name']}"] = node
                return self._number(at, rows, path, place, len(node["symbols"]))
            case "string" | "bytes":
                return self._string(at, rows, path, place)
            case "int" | "long":
                return self._number(at, rows, path, place, 0)
            case "boolean":
                self._keep_ints(self.wire.word(at).astype(np.int64) & 1, rows, path, place)
                return at + 1
            case _:
                raise UndecodableRecord(f"no columns for {kind!r}: teach truetape/columns.py")

    def _number(self, at: Ints, rows: Ints | None, path: str, place: tuple[int, int] | None, below: int) -> Ints:
        values, at = self.wire.longs(at)
        if below and np.any((values < 0) | (values >= below)):
            raise UndecodableRecord(f"{path}: a number that stands for nothing")
        self._keep_ints(values, rows, path, place)
        return at

    def _string(self, at: Ints, rows: Ints | None, path: str, place: tuple[int, int] | None) -> Ints:
        lengths, at = self.wire.longs(at)
        if len(lengths) and (int(lengths.min()) < 0 or int(lengths.max()) > STRING_MAX):
            raise UndecodableRecord(f"{path}: a string of impossible length")
        if path in self.wanted:
            starts = self._column(self.found.texts, rows, path, place)
            _put(starts.starts, at, rows, place)
            _put(starts.lengths, lengths, rows, place)
        return at + lengths

    def _nullable(self, branch: Any, at: Ints, rows: Ints | None, path: str, place: tuple[int, int] | None) -> Ints:
        which, at = self.wire.longs(at)
        if np.any((which != 0) & (which != 1)):
            raise UndecodableRecord(f"{path}: a union of two has no third branch")
        some = np.flatnonzero(which)
        if some.size:
            inner = some if rows is None else rows[some]
            at = at.copy()
            at[some] = self.value(branch, at[some], inner, path, place)
        elif isinstance(branch, dict) and branch.get("type") == "record":
            self.named[f"{branch['namespace']}.{branch['name']}"] = branch
        return at

    def _array(self, items: Any, at: Ints, rows: Ints | None, path: str) -> Ints:
        counts, at = self.wire.longs(at)
        if np.any(counts < 0):
            raise UndecodableRecord(f"{path}: an array in blocks with sizes")
        most = int(counts.max()) if len(counts) else 0
        if any(one.startswith(f"{path}.") for one in self.wanted):
            _put(self.found.counts.setdefault(path, np.zeros(self.found.records, np.int64)), counts, rows, None)
        at = at.copy()
        for index in range(most):
            some = np.flatnonzero(counts > index)
            inner = some if rows is None else rows[some]
            at[some] = self.value(items, at[some], inner, path, (index, most))
        if (full := np.flatnonzero(counts)).size:
            ends, behind = self.wire.longs(at[full])
            if np.any(ends != 0):
                raise UndecodableRecord(f"{path}: an array in several blocks")
            at[full] = behind
        return at

    def _keep_ints(self, values: Ints, rows: Ints | None, path: str, place: tuple[int, int] | None) -> None:
        if path in self.wanted:
            column = self.found.ints.get(path)
            if column is None:
                column = self.found.ints[path] = np.full(self._shape(place), NULL if place else 0, np.int64)
            _put(column, values, rows, place)

    def _column(self, texts: dict[str, Text], rows: Ints | None, path: str, place: tuple[int, int] | None) -> Text:
        found = texts.get(path)
        if found is None:
            shape = self._shape(place)
            found = texts[path] = Text(np.zeros(shape, np.int64), np.full(shape, NULL, np.int64))
        return found

    def _shape(self, place: tuple[int, int] | None) -> tuple[int, ...]:
        return (self.found.records,) if place is None else (place[1], self.found.records)


def _put(column: Ints, values: Ints, rows: Ints | None, place: tuple[int, int] | None) -> None:
    row = column if place is None else column[place[0]]
    if rows is None:
        row[:] = values
    else:
        row[rows] = values


# -- strings -----------------------------------------------------------------------------------------------------------

_KEYS: Final = np.array([secrets.randbits(64) | 1 for _ in range(2 * STRING_MAX // 8 + 4)], np.uint64)
"""Multipliers of this run: nobody can choose strings that collide."""


def fingerprints(wire: Wire, text: Text, which: int = 0) -> Words:
    """A 64-bit hash of each string, null and empty differ; `which` 0 and 1 are independent: together 128 bits."""
    found: Words = (text.lengths.astype(np.uint64) + _u(2)) * _KEYS[which]
    longest = int(text.lengths.max()) if text.lengths.size else 0
    for at in range(0, max(longest, 0), 8):
        left = text.lengths - at
        some = np.flatnonzero(left > 0)
        all_of_them = some.size == left.size
        starts, left = (text.starts, left) if all_of_them else (text.starts[some], left[some])
        word = wire.word(starts + at) & _ENDS[np.minimum(left, 8)]
        word ^= word >> _u(29)
        word *= _KEYS[4 + at // 4 + which]
        word ^= word >> _u(32)
        if all_of_them:
            found += word
        else:
            found[some] += word
    found ^= found >> _u(31)
    found *= _KEYS[2 + which]
    found ^= found >> _u(29)
    return found


class Names:
    """Numbers for strings that come again and again: 0, 1, 2 … in the order in which they were first seen."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._hashes: Words = np.zeros(0, np.uint64)
        """Known ones, ascending, and their numbers."""
        self._order: Ints = np.zeros(0, np.int64)

    def number(self, text: str) -> int:
        """The number of one string."""
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return found

    def numbers(self, wire: Wire, text: Text) -> Ints:
        """The number of each string; NULL for null."""
        hashes = fingerprints(wire, text)
        places = self._find(hashes)
        if (strange := np.flatnonzero(places < 0)).size:
            self._learn(wire, text, hashes, strange)
            places = self._find(hashes)
        found = self._order[places]
        found[text.lengths < 0] = NULL
        return found

    def _find(self, hashes: Words) -> Ints:
        if not len(self._hashes):
            return np.full(len(hashes), -1, np.int64)
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.where(self._hashes[places] == hashes, places, -1)

    def _learn(self, wire: Wire, text: Text, hashes: Words, strange: Ints) -> None:
        _, first = np.unique(hashes[strange], return_index=True)
        rows = strange[first]
        new = np.fromiter((self.number(text.read(wire, int(row))) for row in rows), np.int64, len(rows))
        self._hashes = np.concatenate([self._hashes, hashes[rows]])
        self._order = np.concatenate([self._order, new])
        ascending = np.argsort(self._hashes)
        self._hashes, self._order = self._hashes[ascending], self._order[ascending]
