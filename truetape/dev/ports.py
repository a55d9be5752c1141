"""Ports: who holds one, and where a free range is."""

import os
import random
import shutil
import socket
import subprocess
from pathlib import Path

from truetape.dev.errors import PortInUse
from truetape.settings import PORT_OFFSETS

_LISTEN = "0A"  # State column of /proc/net/tcp.
_FREE_BASES = range(20_000, 32_000, 256)  # Below Linux's ephemeral ports, above the usual servers.


def is_free(port: int) -> bool:
    """Whether 127.0.0.1:port can be bound now. SO_REUSEADDR, as servers use: TIME_WAIT does not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_base() -> int:
    """A port base above which every port of the stack is free. Raises PortInUse when there is none."""
    for base in random.sample(_FREE_BASES, len(_FREE_BASES)):
        if all(is_free(base + offset) for offset in PORT_OFFSETS.values()):
            return base
    raise PortInUse("no free range of ports between 20000 and 32000: stop some servers and try again")


def require_free(port: int, purpose: str) -> None:
    """Raise PortInUse, naming the holder where the system tells, unless the port can be bound."""
    if is_free(port):
        return
    holder = _holder(port) or "a process that cannot be identified (another user's?)"
    raise PortInUse(
        f"port {port} ({purpose}) is held by {holder}: stop that process, "
        "or run on other ports with --port-base N (or TRUETAPE_PORT_BASE=N)"
    )


def _holder(port: int) -> str | None:
    pid = _holder_from_proc(port) if Path("/proc/net/tcp").exists() else _holder_from_lsof(port)
    return f"pid {pid} ({_command_line(pid)})" if pid else None


def _holder_from_proc(port: int) -> int | None:
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(link) in inodes for link in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:
            continue  # Ended meanwhile, or not ours to look at.
    return None


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                found.append(columns[9])
    return found


def _holder_from_lsof(port: int) -> int | None:
    if not shutil.which("lsof"):
        return None
    answer = subprocess.run(
        ["lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"], capture_output=True, text=True, check=False
    )
    return int(answer.stdout.split()[0]) if answer.stdout.strip() else None


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
        except OSError:
            return "which has just ended"
    else:
        found = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
        line = found.stdout.strip()
    return line if len(line) <= 120 else line[:60] + " ... " + line[-55:]
