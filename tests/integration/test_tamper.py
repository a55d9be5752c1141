"""The notary beside a real Kafka, and a byte that is flipped on the broker's disk: with its checksum, and without."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.segments import crc32c, flip_byte
from truetape.dev import Stack, free_base
from truetape.errors import CorruptRecord, SetupError
from truetape.log import KafkaLog, Part
from truetape.topics import CLEARING_ENTRIES, ORDERS_COMMANDS

pytestmark = pytest.mark.timeout(300)
PART = Part(CLEARING_ENTRIES.name, 3)
COUNT = 30
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sealed() -> Iterator[Stack]:
    """Kafka and the notary alone; what is on the topics does not matter to it."""
    with tempfile.TemporaryDirectory(prefix="truetape-") as folder:
        here = Stack(
            Path(folder) / "home", free_base(), only=("kafka", "topics", "notary"),
            extra={"TRUETAPE_CHECKPOINT_SECONDS": "0.3", "TRUETAPE_CHECKPOINT_RECORDS": "10"},
        )  # fmt: skip
        try:
            here.up()
            write(here, COUNT)
            wait_until_covered(here, COUNT)
            yield here
        finally:
            here.erase()


def write(sealed: Stack, count: int) -> None:
    """Records one by one, so that each is a batch of its own, and some in one batch elsewhere."""
    with closing(KafkaLog(sealed.environment()["TRUETAPE_KAFKA"])) as log:
        for number in range(count):
            log.append(PART, b"account", b"entry %03d" % number, [("event_type", b"EntryBooked")], None)
            log.append(Part(ORDERS_COMMANDS.name, number % 8), b"account", b"command %d" % number, [], None)
            assert log.flush(20)


def wait_until_covered(sealed: Stack, count: int) -> None:
    deadline = time.monotonic() + 60
    while not any(f"{PART} {count} " in one["note"] for one in checkpoints(sealed)):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def checkpoints(sealed: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cli(sealed, "checkpoints", "--json", "--last", "1000").stdout)
    return found


def cli(sealed: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "truetape.cli", *arguments]
    environment = dict(os.environ) | sealed.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def audit(sealed: Stack) -> tuple[int, list[tuple[str, str]]]:
    done = cli(sealed, "audit", "--evidence-only", "--json", "--require-checkpoints")
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    return done.returncode, [(one["where"], one["what"]) for one in report["differences"]]


def data(sealed: Stack) -> Path:
    return sealed.home.data("kafka") / "data"


@pytest.fixture
def flipped(sealed: Stack, request: pytest.FixtureRequest) -> Iterator[int]:
    """The offset of a record with a flipped bit; it is flipped back after."""
    offset, checksum = 11, bool(request.param)
    flip_byte(data(sealed), PART, offset, checksum=checksum)
    try:
        yield offset
    finally:
        flip_byte(data(sealed), PART, offset, checksum=checksum)


def read(sealed: Stack) -> dict[int, bytes | None]:
    with closing(KafkaLog(sealed.environment()["TRUETAPE_KAFKA"])) as log:
        return {record.offset: record.value for record in log.read({PART: (0, COUNT)}, 30)}


def test_crc32c_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_a_true_tape_is_equal(sealed: Stack) -> None:
    assert audit(sealed) == (0, [])
    done = cli(sealed, "checkpoints")
    assert "public key" in done.stdout and done.returncode == 0


@pytest.mark.parametrize("flipped", [False], indirect=True)
def test_a_flipped_byte_without_its_checksum_is_a_named_error_at_its_place(sealed: Stack, flipped: int) -> None:
    with pytest.raises(CorruptRecord, match=f"{PART} at offset {flipped}: .*CRC32C"):
        read(sealed)
    status, found = audit(sealed)
    assert (status, found) == (1, [(f"{PART}@{flipped}", "a record's bytes")])
    whole = cli(sealed, "audit", "--no-views", "--json")
    assert whole.returncode == 1 and f"{PART} at offset {flipped}" in whole.stdout


@pytest.mark.parametrize("flipped", [True], indirect=True)
def test_a_flipped_byte_with_its_checksum_is_found_by_the_chain_alone(sealed: Stack, flipped: int) -> None:
    assert read(sealed)[flipped] == b"entry 010", "no Kafka client notices"
    assert audit(sealed) == (1, [(f"{PART}@{flipped}", "the record")])
    done = cli(sealed, "verify-inclusion", f"{PART}@{flipped}")
    assert done.returncode == 1 and "ProofInvalid" in done.stderr


@pytest.mark.parametrize(
    ("flipped", "error"), [(False, "CorruptRecord"), (True, "EvidenceError")], indirect=["flipped"]
)
def test_the_notary_refuses_to_go_on_with_it(sealed: Stack, flipped: int, error: str) -> None:
    sealed.stop("notary")
    trees = sealed.home.data("notary") / "trees"
    shutil.move(trees, trees.with_name("kept"))  # With its trees it needs not read what it signed.
    try:
        with pytest.raises(SetupError, match=error):
            sealed.start("notary")
    finally:
        sealed.stop("notary")
        shutil.rmtree(trees)
        shutil.move(trees.with_name("kept"), trees)
    flip_byte(data(sealed), PART, flipped, checksum=error == "EvidenceError")
    sealed.start("notary")
    flip_byte(data(sealed), PART, flipped, checksum=error == "EvidenceError")


def test_a_proof_is_checked_by_somebody_without_kafka(sealed: Stack, tmp_path: Path) -> None:
    path, key = tmp_path / "proof.json", (sealed.home.data("notary") / "key.pub").read_text().strip()
    made = cli(sealed, "verify-inclusion", f"{PART}@7", "--out", str(path))
    assert made.returncode == 0, made.stderr
    assert f"{PART}@7 is among the first" in made.stdout
    checked = cli(sealed, "verify-inclusion", "--check", str(path))
    assert checked.returncode == 0, checked.stderr
    script = [sys.executable, str(ROOT / "examples" / "check_proof.py"), str(path), "--key"]
    done = subprocess.run([*script, key], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith(f"{PART}@7 is in the tape of")) == (0, True)
    assert subprocess.run([*script, "00" * 32], capture_output=True, check=False).returncode == 1


def test_checkpoints_continue_each_other_and_the_errors_are_named(sealed: Stack) -> None:
    listing = [one["number"] for one in checkpoints(sealed) if f"{PART} " in one["note"]]
    done = cli(sealed, "verify-consistency", str(PART), str(listing[0]), str(listing[-1]))
    assert done.returncode == 0, done.stderr
    assert "begin with the" in done.stdout
    for arguments, words in (
        (("verify-inclusion", f"{PART}@{COUNT + 100}"), "there is no record"),
        (("verify-inclusion", "parked/0@0"), "not covered by checkpoints"),
        (("verify-inclusion", "no-such-entry"), "no record with id"),
        (("verify-inclusion",), "name a record"),
        (("verify-consistency", "nonsense", "1", "2"), "is no partition"),
        (("verify-consistency", f"{CLEARING_ENTRIES.name}/5", "1", "2"), "no checkpoint covers"),
    ):
        done = cli(sealed, *arguments)
        assert done.returncode == 1 and words in done.stderr, done.stderr


def test_it_goes_on_after_a_kill(sealed: Stack) -> None:
    sealed.kill("notary")
    write(sealed, 5)
    sealed.start("notary")
    wait_until_covered(sealed, COUNT + 5)
    assert audit(sealed) == (0, [])
