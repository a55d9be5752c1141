"""Reads a directory of vectors: every JSON file in it, whatever its name, recognised by what it says.

A case is known by its own keys, a family of the compact kind by its name. What nobody understands is not passed over:
`Library.strange` has it with the reason, and `fully_read` fails a case of which a key was not read.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

ABOUT: Final = "_"
"""Keys of a file that begin so are words about it."""


class NotUnderstood(Exception):
    """A file or a case says something that no adapter knows: write it otherwise, or teach the adapter."""


class Record(dict[str, Any]):
    """A JSON object that remembers which of its keys were read, and has none twice."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        self.read: set[str] = set()
        for key, value in pairs:
            if key in self:
                raise NotUnderstood(f"{key!r} stands twice in one object")
            self[key] = value

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        self.read.add(key)
        return super().get(key, default)

    def needed(self, key: str) -> Any:
        """A value without which nothing can be said; absent or null is an error."""
        found = self.get(key)
        if found is None:
            raise NotUnderstood(f"{key!r} is missing")
        return found


class Source(NamedTuple):
    """One document of a family: a case, or a compact family's list of cases."""

    name: str
    content: Record


class Library(NamedTuple):
    """What a directory holds."""

    sources: dict[str, list[Source]]
    """By family, files in the order of their paths."""
    strange: tuple[tuple[str, str], ...]
    """(where, why) of what is no vector of any family."""


LARGE: Final[tuple[tuple[str, Callable[[Record], bool]], ...]] = (
    ("liquidation_auction", lambda said: "Actions" in said),
    ("portfolio_margin_v2", lambda said: "Scenario" in said and "Parameters" in said),
    ("standard_margin", lambda said: _has_input(said, "OptionUnderlying")),
    ("portfolio_margin_v1", lambda said: _has_input(said, "ForwardsVariable")),
)
"""The families whose cases fill a page, and how each is known."""


@lru_cache(maxsize=8)
def library(directory: Path, compact: frozenset[str]) -> Library:
    """All vectors under a directory; `compact` names the families of small cases. Unreadable files are strange."""
    sources: dict[str, list[Source]] = {}
    strange: list[tuple[str, str]] = []
    for file in sorted(directory.rglob("*.json")):
        where = file.relative_to(directory).with_suffix("").as_posix()
        try:
            said = json.loads(file.read_text(), object_pairs_hook=Record, parse_float=Decimal)
        except (ValueError, NotUnderstood) as error:
            strange.append((where, f"{type(error).__name__}: {error}"))
            continue
        if file.stem in compact:  # a family's own file
            said = Record([(file.stem, said)])
        for family, source in _parts(where, file.stem, said, compact):
            if family:
                sources.setdefault(family, []).append(source)
            else:
                strange.append((source.name, "no family has such a document"))
    return Library(sources, tuple(strange))


def _parts(where: str, name: str, said: Any, compact: frozenset[str]) -> Iterator[tuple[str, Source]]:
    """Each document inside a file with its family; without one where it is none."""
    if isinstance(said, list):
        said = Record((str(place + 1), each) for place, each in enumerate(said))
    family = _family(said) if isinstance(said, Record) else ""
    if family or not isinstance(said, Record) or not said or "Scenario" in said:
        yield family, Source(name, said)
        return
    for key, each in said.items():
        if key in compact and isinstance(each, Record):
            yield key, Source("" if where == "derivatives_compact" else where, each)
        elif not key.startswith(ABOUT):
            inside = key if where in {family for family, _ in LARGE} else f"{where}/{key}"
            yield from _parts(f"{where}/{key}", inside, each, compact)


def _has_input(said: Record, key: str) -> bool:
    scenario = said.get("Scenario")
    return isinstance(scenario, Record) and key in scenario


def _family(said: Record) -> str:
    return next((family for family, is_so in LARGE if is_so(said)), "")


def keys(text: str) -> frozenset[str]:
    """Names of keys, as words of a text."""
    return frozenset(text.split())


def unread(said: Any, within: str = "") -> Iterator[str]:
    """Paths of the keys that nobody has read; of a list of objects, the keys of each."""
    if isinstance(said, Record):
        for key, value in said.items():
            if key in said.read:
                yield from unread(value, f"{within}{key}.")
            else:
                yield f"{within}{key}"
    elif isinstance(said, list):
        for place, value in enumerate(said):
            yield from unread(value, f"{within}{place}.")


def fully_read(said: Record, known: frozenset[str]) -> None:
    """Raise NotUnderstood when a key was not read that is not among those known to say nothing new."""
    missed = [path for path in unread(said) if path.rsplit(".", 1)[-1] not in known]
    if missed:
        raise NotUnderstood(f"{len(missed)} keys that the adapter does not know: {', '.join(missed[:5])}")
