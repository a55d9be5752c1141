"""Redis as a local process: a cache that may be lost, so nothing is saved."""

import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit

from truetape.dev.errors import ProgramMissing
from truetape.dev.home import Home, inherited
from truetape.dev.process import Command, write_private
from truetape.dev.unit import Unit


def unit(home: Home, url: str) -> Unit:
    """Redis at `url` (redis://:password@127.0.0.1:port/0)."""
    where = urlsplit(url)
    port, password = where.port or 0, where.password or ""
    configuration = home.data("redis") / "redis.conf"

    def prepare() -> None:
        _find_server()
        home.data("redis").mkdir(exist_ok=True)
        write_private(configuration, _configuration(home.data("redis"), port, password))

    return Unit(
        name="redis",
        ports=(port,),
        prepare=prepare,
        command=lambda: Command([_find_server(), str(configuration)], inherited(), home.data("redis")),
        missing=lambda: None if _answers(port, password) else "Redis to answer",
    )


def _find_server() -> str:
    server = shutil.which("redis-server")
    if server is None:
        raise ProgramMissing(
            "there is no `redis-server` on PATH: install it with `make setup`, "
            "or `apt-get install redis-server` (Debian), `brew install redis` (macOS)"
        )
    return server


def _configuration(folder: Path, port: int, password: str) -> str:
    return (
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{folder}"\n'
        'save ""\nappendonly no\nmaxmemory 256mb\nmaxmemory-policy noeviction\ndaemonize no\n'
    )


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            return connection.recv(12, socket.MSG_WAITALL) == b"+OK\r\n+PONG\r\n"
    except OSError:
        return False
