"""A tape that was cut or changed on the broker's disk, and a changed row of the journal in PostgreSQL: catalogue 28.

A small system of its own, whose tape is destroyed on purpose. Whatever is broken is named at its first place by
`truetape audit`, no service runs on it, and with the tape put back everything goes on.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from tests.chaos.books import SERVICES, Books, account_of, damage
from tests.chaos.catalogue import Trial
from tests.integration.segments import flip_byte, locate
from truetape import topics
from truetape.log import KafkaLog, Part

pytestmark = [pytest.mark.timeout(600), pytest.mark.only_make_chaos]
PART = Part(topics.CLEARING_ENTRIES.name, 3)
ACCOUNT = account_of(PART.partition)


def last(books: Books) -> int:
    """Offset of the newest entry's record."""
    [(offset,)] = books.rows('SELECT max("offset") FROM view.entries WHERE account_id = %s', ACCOUNT)
    return int(offset)


def test_a_flipped_byte_is_named_and_its_owner_does_not_start(books: Books, trial: Trial) -> None:
    """In what it must read: behind the snapshot that it left when it was last stopped in order."""
    for number in (1, 2):
        books.deposit(f"flipped.{trial.load}.{number}")
    query = 'SELECT "offset" FROM view.entries WHERE external_reference LIKE %s ORDER BY 1'
    (first,), (second,) = books.rows(query, f"{ACCOUNT}.flipped.{trial.load}.%")
    with damage(books, trial) as course, course.fault("kill -9 clearing, a bit flipped"):
        books.stack.kill("clearing", signal.SIGKILL)
        for offset in (second, first):
            flip_byte(books.data, PART, offset, checksum=False)
        try:
            books.refuses("clearing", f"CorruptRecord.*{PART} at offset {first}")
            status, report = books.audit("--no-views")
            assert status == 1
            assert any(f"{PART} at offset {first}" in gap for gap in report["gaps"]), report["gaps"]
        finally:
            for offset in (second, first):
                flip_byte(books.data, PART, offset, checksum=False)
        books.stack.start("clearing")


def test_a_truncated_tape_is_named_and_nobody_starts_on_it(books: Books, trial: Trial) -> None:
    """Cut before the last entry: the owner misses what its snapshot holds, the projection what it has read."""
    with damage(books, trial) as course, course.fault("all ended, the tape cut"):
        books.stack.stop("clearing")  # In order: it leaves a snapshot at the partition's end.
        books.kill(*SERVICES)
        with truncated(books, last(books)) as end:
            for service, words in (("clearing", "its snapshot stands at offset"), ("projection", "TapeGap")):
                books.refuses(service, words)
            status, report = books.audit("--no-views")
            named = {(one["check"], one["where"]): one["tape"] for one in report["differences"]}
            assert status == 1
            missing = named["snapshot", f"clearing/{PART.partition}"]
            assert f"offset {end} is the first that is missing" in missing, named
        books.start(*SERVICES)


@contextmanager
def truncated(books: Books, offset: int) -> Iterator[int]:
    """The partition ends before the batch with this offset, as after a disk that lost its end: the offset where it ends
    now. Afterwards it is as it was."""
    folder = books.data / str(PART).replace("/", "-")
    kept = books.stack.home.path / "kept"
    books.stack.stop("kafka")
    shutil.copytree(folder, kept)
    found = locate(books.data, PART, offset)
    os.truncate(found.segment, found.batch)
    for derived in ("*.index", "*.timeindex", "*.snapshot"):  # Kafka makes them again from the log itself.
        for path in folder.glob(derived):
            path.unlink()
    try:
        books.stack.start("kafka")
        with closing(KafkaLog(books.kafka)) as log:
            assert log.ends([PART])[PART] == (0, found.base), "the broker itself notices nothing"
        yield found.base
    finally:
        if books.stack.pid("kafka") is not None:
            books.stack.stop("kafka")
        shutil.rmtree(folder)
        shutil.move(kept, folder)
        books.stack.start("kafka")


def test_a_changed_row_of_the_journal_is_refused_and_a_forged_one_is_named(books: Books, trial: Trial) -> None:
    with damage(books, trial) as course, course.fault("a row forged, and put back"):
        status, differences = forge(books)
    named = [(one["check"], one["where"], one["account_id"], one["what"]) for one in differences]
    assert (status, named) == (1, [("view", "postgres lines", ACCOUNT, f"row client:{ACCOUNT} USDT: amount_e8")])


def forge(books: Books) -> tuple[int, list[dict[str, Any]]]:
    """A row is changed as nobody may, and put back: what the audit said meanwhile."""
    change = f"UPDATE view.lines SET amount_e8 = amount_e8 + %s WHERE account = 'client:{ACCOUNT}' AND entry_id = %s"
    [(entry,)] = books.rows("SELECT min(entry_id) FROM view.entries WHERE account_id = %s", ACCOUNT)
    with psycopg.connect(books.environment["TRUETAPE_POSTGRES"], autocommit=True) as connection:
        with pytest.raises(psycopg.IntegrityError, match="a correction is a new entry"):
            connection.execute(change, (1, entry))
        connection.execute("SET session_replication_role = replica")  # As only a superuser can: no trigger runs.
        assert connection.execute(change, (1, entry)).rowcount == 1
        try:
            status, report = books.audit()
        finally:
            connection.execute(change, (-1, entry))
    return status, report["differences"]
