"""Logs in files are bounded while their process runs, and lose no line until they are aside twice."""

import subprocess
import sys
from pathlib import Path

import pytest

from truetape import logfile

SCRIPT = """
import os, sys
from truetape.logfile import Bounded
log = Bounded(sys.stderr, 10_000)
for number in range(int(sys.argv[1])):
    print(f"line {number}", file=log, flush=True)
os.write(1, b"a library\\n")
os.write(2, b"a crash\\n")
"""


def ran(output: Path, lines: int) -> None:
    """A process that logs so many lines into the file, and says something on both outputs at the end."""
    with output.open("ab") as log:
        subprocess.run([sys.executable, "-c", SCRIPT, str(lines)], stdout=log, stderr=log, check=True)


def test_a_long_log_goes_on_in_a_new_file_and_no_line_is_lost(tmp_path: Path) -> None:
    log, former = tmp_path / "risk.log", tmp_path / "risk.log.1"
    ran(log, 1_400)
    assert 10_000 < former.stat().st_size < 10_300
    assert log.stat().st_size < 10_300
    lines = (former.read_text() + log.read_text()).split("\n")
    assert [line for line in lines if line] == [*(f"line {n}" for n in range(1_400)), "a library", "a crash"]


def test_however_much_is_written_two_files_hold_the_end_of_it(tmp_path: Path) -> None:
    log, former = tmp_path / "risk.log", tmp_path / "risk.log.1"
    ran(log, 20_000)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["risk.log", "risk.log.1"]
    assert max(log.stat().st_size, former.stat().st_size) < 10_300
    assert log.read_text().endswith("line 19999\na library\na crash\n")


@pytest.mark.parametrize("name", ["output.txt", "risk.log.1"])
def test_a_file_that_is_not_named_as_a_log_is_left_alone(tmp_path: Path, name: str) -> None:
    ran(tmp_path / name, 3_000)
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_what_is_too_long_is_set_aside_before_a_process_starts(tmp_path: Path) -> None:
    log = tmp_path / "risk.log"
    assert not logfile.set_aside(log, 10)
    log.write_text("x" * 10)
    assert not logfile.set_aside(log, 10)
    log.write_text("x" * 11)
    assert logfile.set_aside(log, 10)
    assert [one.name for one in tmp_path.iterdir()] == ["risk.log.1"]


def test_a_stream_without_a_file_is_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    print("said", file=logfile.Bounded(sys.stderr, 1))
    assert capsys.readouterr().err == "said\n"
