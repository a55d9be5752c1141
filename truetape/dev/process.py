"""Processes of the stack: start detached, find again by pid file, stop with a deadline."""

import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truetape.logfile import set_aside

_POLL_SECONDS = 0.02
_GIVES_WAY = 5
"""Steps of niceness: a third of the others' share of a busy processor."""


@dataclass(frozen=True)
class Command:
    """What to run. `environment` is the child's whole environment; secrets go there, never into `argv`."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    account: pwd.struct_passwd | None = None
    """User to run as; None is the caller."""
    gives_way: bool = False
    """Whether it runs behind the others when the processors are busy."""


@dataclass(frozen=True)
class Running:
    """A process, told from a later one with the same pid by its start time."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Whether that very process still runs; a zombie does not."""
        return start_time(self.pid) == self.started


def start_time(pid: int) -> str | None:
    """When a process began, in the system's own unit; None when there is none, or only a zombie."""
    _reap(pid)
    if not Path("/proc/self/stat").exists():
        answer = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, started = answer.stdout.strip().partition(" ")
        return None if not state or state.startswith("Z") else started.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # Killed, the first thread becomes a zombie before the last one has closed the sockets.
        ended = fields[0] in "ZX" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return None
    if ended:
        _reap(pid)
    return None if ended else fields[19]


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # Not our child: started by an earlier invocation.
        os.waitpid(pid, os.WNOHANG)


def spawn(command: Command, log: Path, pid_file: Path) -> Running:
    """Start detached from the terminal, output appended to `log`, and write the pid file (0600)."""
    set_aside(log)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command.argv,
            env=dict(command.environment),
            cwd=command.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **as_user(command.account),
        )
    if command.gives_way:
        with contextlib.suppress(OSError):  # It has ended, or its user is not ours.
            os.setpriority(os.PRIO_PROCESS, child.pid, os.getpriority(os.PRIO_PROCESS, child.pid) + _GIVES_WAY)
    child.returncode = 0  # Outlives us on purpose: Popen must neither wait for it nor warn.
    running = Running(child.pid, start_time(child.pid) or "ended at once")
    write_private(pid_file, json.dumps({"pid": running.pid, "started": running.started}))
    return running


def as_user(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments of subprocess for running as `account`, with none of our groups."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def find(pid_file: Path) -> Running | None:
    """The process that a pid file names, if it still runs."""
    try:
        content = json.loads(pid_file.read_text())
        running = Running(int(content["pid"]), str(content["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if running.alive() else None


def stop(running: Running, with_signal: signal.Signals, seconds: float) -> bool:
    """Signal, wait up to `seconds`, then SIGKILL. True when it ended by itself."""
    send(running, with_signal)
    if wait_end(running, seconds):
        return True
    send(running, signal.SIGKILL)
    wait_end(running, 10)
    return False


def send(running: Running, with_signal: signal.Signals) -> None:
    """Signal the process unless it has ended."""
    if running.alive():
        with contextlib.suppress(ProcessLookupError):  # Ended in between.
            os.kill(running.pid, with_signal)


def wait_end(running: Running, seconds: float) -> bool:
    """Wait until the process has ended; False when it has not after `seconds`."""
    deadline = time.monotonic() + seconds
    while running.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def age_and_memory(pid: int) -> tuple[float | None, int | None]:
    """Seconds since a process began and the bytes it holds in memory; None where the system does not tell."""
    if not Path("/proc/self/statm").exists():
        answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return None, int(answer.stdout) * 1_024 if answer.stdout.strip() else None
    started = start_time(pid)
    if started is None:
        return None, None
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(uptime - int(started) / os.sysconf("SC_CLK_TCK"), 2), pages * os.sysconf("SC_PAGE_SIZE")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on, replacing the old one at once."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def log_end(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented; a note when it is empty."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 32_768))
            text = file.read().decode(errors="replace").strip()
    except OSError:
        text = ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:]) or "    (nothing)"
