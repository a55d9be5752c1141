"""PostgreSQL as a local process: a cluster of its own with a generated password, TCP on 127.0.0.1 only."""

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from truetape.dev.errors import ProgramMissing, StartFailed
from truetape.dev.home import Home, inherited
from truetape.dev.process import Command, as_user, log_end, write_private
from truetape.dev.unit import Unit
from truetape.errors import SetupError

_SHARED_TEMPORARY = Path("/var/tmp")
_ORPHAN_SECONDS = 10.0

# Views can be replayed from the tape, so a crash of the whole machine may lose them; kill -9 may not, and
# does not: what was written stays in the operating system's cache.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
}


def unit(home: Home, dsn: str) -> Unit:
    """PostgreSQL at `dsn` (postgresql://user:password@127.0.0.1:port/database)."""
    where = urlsplit(dsn)
    port = where.port or 0
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]

    def prepare() -> None:
        place = _place(home)
        _await_orphans(place / "data" / "postmaster.pid")
        if not (place / "data").exists():
            _initialise(home, place, where.username or "", where.password or "")

    def command() -> Command:
        place = _place(home)
        argv = [_program("postgres"), "-D", str(place / "data"), "-p", str(port), *options]
        return Command(argv, inherited() | {"PGDATA": str(place / "data")}, place, _account(), gives_way=True)

    return Unit(
        name="postgres",
        ports=(port,),
        prepare=prepare,
        command=command,
        missing=lambda: _missing(dsn),
        stop_signal=signal.SIGINT,  # "Fast": ends sessions instead of waiting for them.
        stop_seconds=30,
        advice="data of another PostgreSQL version: `truetape dev reset` starts anew, and the views are replayed",
    )


def _await_orphans(pid_file: Path) -> None:
    """After kill -9 of the server its sessions end by themselves, but only after their query, and PostgreSQL refuses
    to start while one of them holds the shared memory. Later than the deadline, its own log says so."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while _attached(pid_file) and time.monotonic() < deadline:
        time.sleep(0.05)


def _attached(pid_file: Path) -> bool:
    """Whether processes hold the shared memory that a former server's pid file names in its seventh line."""
    table = Path("/proc/sysvipc/shm")
    if not pid_file.exists() or not table.exists():
        return False
    lines = pid_file.read_text().splitlines()
    memory = lines[6].split()[-1] if len(lines) > 6 and lines[6].strip() else ""
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return any(row[1] == memory and int(row[6]) > 0 for row in rows)


def remove(home: Home) -> None:
    """Delete the cluster, also where it lies outside the home folder."""
    link = home.data("postgres")
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink()


def _program(name: str) -> str:
    """A server program: the newest of Debian's folders, else of PATH. Raises ProgramMissing."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / name).exists()]
    if versions:
        return str(max(versions, key=lambda path: float(path.parent.name)) / name)
    found = shutil.which(name)
    if found is None:
        raise ProgramMissing(
            f"there is no PostgreSQL server (`{name}`): install it with `make setup`, "
            "or `apt-get install postgresql` (Debian), `brew install postgresql@15` (macOS)"
        )
    return found


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: for root, the system's postgres user, else nobody."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SetupError("PostgreSQL must not run as root, and this system has no user `postgres` or `nobody`: add one")


def _place(home: Home) -> Path:
    """The folder for the cluster, owned by the user who runs it.

    That user may be kept out of the home folder (a root-only path such as /root or a private temporary
    folder); the cluster then lies in /var/tmp, and `postgres` in the home folder is a link to it.
    """
    place, account = home.data("postgres"), _account()
    if account is not None and not place.exists() and not _reachable(home.path.resolve(), account.pw_uid):
        digest = hashlib.sha256(str(home.path.resolve()).encode()).hexdigest()[:16]
        outside = _SHARED_TEMPORARY / f"truetape-postgres-{digest}"
        outside.mkdir(mode=0o700, exist_ok=True)
        place.unlink(missing_ok=True)  # A link whose target was cleared away.
        place.symlink_to(outside)
    place = place.resolve()
    place.mkdir(mode=0o700, exist_ok=True)
    if account is not None and place.stat().st_uid == 0:
        os.chown(place, account.pw_uid, account.pw_gid)
    if place.stat().st_uid != (os.geteuid() if account is None else account.pw_uid):
        raise SetupError(f"{place} belongs to somebody else: remove it, or use another --home")
    return place


def _reachable(path: Path, user: int) -> bool:
    """Whether `user` can enter every folder on the way; group rights are not relied upon."""
    for folder in (path, *path.parents):
        found = folder.stat()
        if not (found.st_mode & stat.S_IXOTH or (found.st_uid == user and found.st_mode & stat.S_IXUSR)):
            return False
    return True


def _initialise(home: Home, place: Path, user_name: str, password: str) -> None:
    secret, draft, account = place / "password", place / "draft", _account()
    shutil.rmtree(draft, ignore_errors=True)  # Of an initdb that was interrupted.
    write_private(secret, password + "\n")
    if account is not None:
        os.chown(secret, account.pw_uid, account.pw_gid)
    arguments = ["-U", user_name, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync"]
    try:
        with home.log("postgres").open("ab") as log:
            done = subprocess.run(
                [_program("initdb"), "-D", str(draft), *arguments],
                cwd=place,
                env=inherited(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                **as_user(account),
            )
    finally:
        secret.unlink()
    if done.returncode:
        raise StartFailed(f"initdb failed; end of {home.log('postgres')}:\n{log_end(home.log('postgres'))}")
    draft.replace(place / "data")


def _missing(dsn: str) -> str | None:
    """None when the database can be used; creates it in a new cluster."""
    import psycopg  # Here, because most commands of the CLI never talk to PostgreSQL.
    from psycopg import sql

    name = urlsplit(dsn).path.lstrip("/")
    try:
        with psycopg.connect(dsn, dbname="postgres", connect_timeout=2, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.OperationalError as error:
        return f"PostgreSQL: {str(error).strip().splitlines()[-1]}"
    return None
