"""Processes: found again by their pid files, stopped with a deadline, never mistaken for another."""

import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from truetape.dev import process
from truetape.dev.process import Command, Running
from truetape.logfile import BYTES_MAX


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Running]]:
    found: list[Running] = []
    yield found
    for running in found:
        process.stop(running, signal.SIGKILL, 5)


def _spawn(folder: Path, program: str, **environment: str) -> Running:
    command = Command([sys.executable, "-c", program], environment, folder)
    return process.spawn(command, folder / "log", folder / "pid")


def _wait_for(log: Path, text: str) -> None:
    while text not in log.read_text():
        pass  # pytest-timeout is the deadline.


def test_a_process_is_found_until_it_ends(tmp_path: Path, started: list[Running]) -> None:
    running = _spawn(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    started.append(running)
    _wait_for(tmp_path / "log", "up")
    assert process.find(tmp_path / "pid") == running
    assert stat.S_IMODE((tmp_path / "pid").stat().st_mode) == 0o600
    age, memory = process.age_and_memory(running.pid)
    assert age is None or 0 <= age < 300
    assert memory is not None and 10**6 < memory < 10**9
    assert process.stop(running, signal.SIGTERM, 10)
    assert process.find(tmp_path / "pid") is None


def test_it_gets_exactly_the_given_environment_and_a_session_of_its_own(tmp_path: Path, started: list[Running]) -> None:
    program = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}), os.getsid(0) == os.getpid())"
    started.append(_spawn(tmp_path, program, SECRET="x"))
    assert process.wait_end(started[0], 10)
    assert (tmp_path / "log").read_text() == "['SECRET'] True\n"


def test_what_gives_way_runs_behind_the_others(tmp_path: Path, started: list[Running]) -> None:
    def niceness(gives_way: bool) -> int:
        sleep = Command([sys.executable, "-c", "import time; time.sleep(60)"], {}, tmp_path, gives_way=gives_way)
        started.append(process.spawn(sleep, tmp_path / "log", tmp_path / f"pid {gives_way}"))
        return os.getpriority(os.PRIO_PROCESS, started[-1].pid)

    usual = niceness(gives_way=False)
    assert niceness(gives_way=True) == min(usual + 5, 19)


def test_who_ignores_the_signal_is_killed_after_the_deadline(tmp_path: Path, started: list[Running]) -> None:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    running = _spawn(tmp_path, f"import signal, time; {ignore}")
    started.append(running)
    _wait_for(tmp_path / "log", "up")
    assert not process.stop(running, signal.SIGTERM, 0.2)
    assert not running.alive()


def test_a_recycled_pid_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text(json.dumps({"pid": os.getpid(), "started": "of an earlier process"}))
    assert process.find(path) is None
    process.send(Running(os.getpid(), "of an earlier process"), signal.SIGKILL)  # We live on.


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x", "started": 1}', "17\n"])
def test_a_damaged_pid_file_names_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "pid").write_text(content)
    assert process.find(tmp_path / "pid") is None


def test_a_huge_log_is_put_aside(tmp_path: Path, started: list[Running]) -> None:
    with (tmp_path / "log").open("wb") as huge:
        huge.truncate(BYTES_MAX + 1)
    started.append(_spawn(tmp_path, "print('new')"))
    assert process.wait_end(started[0], 10)
    assert (tmp_path / "log").read_text() == "new\n"
    assert (tmp_path / "log.log.1").stat().st_size == BYTES_MAX + 1


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(9)))
    assert process.log_end(tmp_path / "log", lines=2) == "    line 7\n    line 8"
    assert process.log_end(tmp_path / "none") == "    (nothing)"
