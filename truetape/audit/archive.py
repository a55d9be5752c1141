"""Records by key of which only the open ones stay in memory; closed ones lie in a temporary file."""

import sqlite3
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")
BATCH = 5_000


class Archive(Generic[T]):
    """A map from key to struct. `close` moves an entry to disk; `get` brings it back."""

    def __init__(self, kind: type[T]) -> None:
        self._open: dict[str, T] = {}
        self._closing: dict[str, bytes] = {}
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._disk = sqlite3.connect("", isolation_level=None)  # A private file that ends with the connection.
        self._disk.execute("PRAGMA journal_mode=OFF")
        self._disk.execute("PRAGMA synchronous=OFF")
        self._disk.execute("CREATE TABLE closed (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def get(self, key: str) -> T | None:
        """The entry, open again; None when there is none."""
        found = self._open.get(key)
        if found is None and (packed := self._taken(key)) is not None:
            found = self._open[key] = self._decoder.decode(packed)
        return found

    def put(self, key: str, value: T) -> None:
        """A new open entry."""
        self._open[key] = value

    def close(self, key: str) -> None:
        """The entry is not expected to change any more."""
        self._closing[key] = msgspec.msgpack.encode(self._open.pop(key))
        if len(self._closing) >= BATCH:
            self._flush()

    def pop(self, key: str) -> T | None:
        """Take the entry out; None when there is none."""
        found = self.get(key)
        self._open.pop(key, None)
        self._disk.execute("DELETE FROM closed WHERE key = ?", (key,))
        return found

    def items(self) -> Iterator[tuple[str, T]]:
        """Every entry by key, in order of the keys."""
        for key in list(self._open):
            self.close(key)
        self._flush()
        for key, packed in self._disk.execute("SELECT key, value FROM closed ORDER BY key"):
            yield key, self._decoder.decode(packed)

    def open(self) -> Iterator[tuple[str, T]]:
        """The open entries."""
        yield from self._open.items()

    def end(self) -> None:
        """Give the file back."""
        self._disk.close()

    def _taken(self, key: str) -> bytes | None:
        if (waiting := self._closing.pop(key, None)) is not None:
            return waiting
        row = self._disk.execute("SELECT value FROM closed WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row is not None else None  # What is written later replaces it.

    def _flush(self) -> None:
        self._disk.execute("BEGIN")
        self._disk.executemany("INSERT OR REPLACE INTO closed VALUES (?, ?)", self._closing.items())
        self._disk.execute("COMMIT")
        self._closing.clear()


class Seen:
    """Keys that must be unique, on disk; duplicates are named."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str]] = []
        self._disk = sqlite3.connect("", isolation_level=None)
        self._disk.execute("PRAGMA journal_mode=OFF")
        self._disk.execute("PRAGMA synchronous=OFF")
        self._disk.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, times INTEGER) WITHOUT ROWID")

    def add(self, key: str) -> None:
        """One more sight of a key."""
        self._waiting.append((key,))
        if len(self._waiting) >= BATCH:
            self._flush()

    def repeated(self) -> Iterator[tuple[str, int]]:
        """Keys seen more than once, and how often."""
        self._flush()
        yield from self._disk.execute("SELECT key, times FROM seen WHERE times > 1 ORDER BY key")

    def end(self) -> None:
        """Give the file back."""
        self._disk.close()

    def _flush(self) -> None:
        self._disk.execute("BEGIN")
        again = "INSERT INTO seen VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1"
        self._disk.executemany(again, self._waiting)
        self._disk.execute("COMMIT")
        self._waiting.clear()
