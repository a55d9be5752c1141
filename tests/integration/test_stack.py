"""The native stack: it starts, it says what is wrong, and it leaves nothing behind."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from truetape import topics
from truetape.dev import DiskFull, PortInUse, ProgramMissing, Stack, free_base, kafka
from truetape.dev.servers import Servers

SERVERS = ("kafka", "postgres", "redis")


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="truetape-") as folder:
        yield Path(folder) / "home"


@pytest.fixture
def native(home: Path) -> Iterator[Stack]:
    stack = Stack(home, free_base(), only=SERVERS)
    try:
        yield stack
    finally:
        stack.erase()


@pytest.fixture
def databases(home: Path) -> Iterator[Stack]:
    stack = Stack(home, free_base(), only=("postgres", "redis"))
    try:
        stack.up()
        yield stack
    finally:
        stack.erase()


def test_servers_of_the_session_answer(stack: Servers) -> None:
    with psycopg.connect(stack.postgres) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with redis.Redis.from_url(stack.redis) as client:
        assert client.ping()
    assert kafka.answers(int(stack.kafka.rpartition(":")[2]))


def test_the_whole_system_is_ready_and_a_restarted_service_comes_back(system: Stack) -> None:
    assert {line.unit: line.missing for line in system.status() if line.state != "ready"} == {}
    before = system.pid("pricing")
    system.restart("pricing")
    assert system.pid("pricing") not in (None, before)
    assert {line.state for line in system.status()} == {"ready"}


def test_starts_shows_and_stops_leaving_nothing(native: Stack, home: Path) -> None:
    native.up()
    assert {line.unit: line.state for line in native.status()} == dict.fromkeys(SERVERS, "ready")
    pids = {name: native.pid(name) for name in SERVERS}
    native.up()
    assert {name: native.pid(name) for name in SERVERS} == pids, "what runs stays"

    native.down()
    assert {line.state for line in native.status()} == {"stopped"}
    for pid in pids.values():
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    cluster = (home / "postgres").resolve()
    native.erase()
    assert not home.exists()
    assert not cluster.exists()


def _argument_lists() -> str:
    if not Path("/proc/self/cmdline").exists():
        return subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    texts = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # Ended meanwhile.
            texts.append(file.read_bytes().decode(errors="replace"))
    return "\n".join(texts)


def test_no_secret_is_in_any_argument_list(databases: Stack) -> None:
    known = databases.environment()
    password = known["TRUETAPE_POSTGRES"].split(":")[2].split("@")[0]
    arguments = _argument_lists()
    assert password not in arguments
    assert known["TRUETAPE_REDIS"].split(":")[2].split("@")[0] not in arguments
    assert str(databases.port("postgres")) in arguments, "or the search above searched nothing"


def test_servers_refuse_clients_without_the_password(databases: Stack) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://truetape:wrong@127.0.0.1:{databases.port('postgres')}/truetape")
    with (
        redis.Redis(port=databases.port("redis"), retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_a_killed_database_comes_back_with_its_data(databases: Stack) -> None:
    dsn = databases.environment()["TRUETAPE_POSTGRES"]
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    before = {name: databases.pid(name) for name in ("postgres", "redis")}
    for name in before:
        databases.kill(name, signal.SIGKILL)
        assert databases.pid(name) is None
        databases.start(name)
        assert databases.pid(name) not in (None, before[name])
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_a_database_killed_in_the_middle_of_a_query_starts_again(databases: Stack) -> None:
    """Its session ends only after the query, and until then PostgreSQL refuses to start beside it."""
    with contextlib.closing(psycopg.connect(databases.environment()["TRUETAPE_POSTGRES"])) as connection:
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 5000000)")
        databases.kill("postgres", signal.SIGKILL)
        databases.start("postgres")


def test_a_killed_kafka_comes_back_with_its_topics(home: Path) -> None:
    stack = Stack(home, free_base(), only=("kafka",))
    bootstrap = stack.environment()["TRUETAPE_KAFKA"]
    try:
        stack.up()
        created = topics.apply(bootstrap, replication=1)
        stack.kill("kafka", signal.SIGKILL)
        stack.start("kafka")
        assert created
        assert topics.apply(bootstrap, replication=1) == [], "all of them are still there"
    finally:
        stack.erase()


def test_a_port_in_use_is_named_with_its_holder(home: Path) -> None:
    base = free_base()
    stack = Stack(home, base, only=("redis",))
    with socket.create_server(("127.0.0.1", stack.port("redis"))), pytest.raises(PortInUse) as caught:
        stack.up()
    message = str(caught.value)
    assert str(stack.port("redis")) in message
    assert f"pid {os.getpid()}" in message
    assert "--port-base" in message
    stack.erase()


def test_without_java_the_message_says_how_to_get_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    stack = Stack(home, free_base(), only=("kafka",))
    with pytest.raises(ProgramMissing, match=r"no `java` on PATH.*make setup"):
        stack.up()
    stack.erase()


def test_without_maven_the_message_says_how_to_get_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = kafka.find_java()
    folder = home.parent / "bin"
    folder.mkdir()
    (folder / "java").symlink_to(java)
    monkeypatch.setenv("PATH", str(folder))
    stack = Stack(home, free_base(), only=("kafka",), downloads=home.parent / "downloads")
    with pytest.raises(ProgramMissing, match=r"no `mvn` on PATH.*make setup"):
        stack.up()
    stack.erase()


def test_a_full_disk_is_refused_before_anything_is_written(home: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root, to mount a small file system")
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(home)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this machine does not let root mount a file system: {mounted.stderr.strip()}")
    try:
        stack = Stack(home, free_base(), only=SERVERS)
        with pytest.raises(DiskFull, match=r"16 MiB free.*needs 512 MiB.*--home"):
            stack.up()
        assert not list(home.iterdir())
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_the_command_ends_with_a_named_error_and_status_1(home: Path) -> None:
    base = free_base()
    with socket.create_server(("127.0.0.1", Stack(home, base).port("redis"))):
        options = ["--home", str(home), "--port-base", str(base), "--only", "redis"]
        done = subprocess.run(
            [sys.executable, "-m", "truetape.cli", "dev", "up", *options],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("PortInUse: port ")
    assert "Traceback" not in done.stderr
    Stack(home).erase()
