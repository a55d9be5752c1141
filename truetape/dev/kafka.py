"""Kafka as a local process: one KRaft node from Maven Central's jars."""

import os
import shutil
import socket
import struct
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path

from truetape.dev.errors import ProgramMissing, StartFailed
from truetape.dev.home import Home, inherited
from truetape.dev.process import Command, log_end
from truetape.dev.unit import Unit

VERSION = "4.1.1"
_ARTIFACTS = (("org.apache.kafka", "kafka_2.13", VERSION), ("org.slf4j", "slf4j-simple", "1.7.36"))
_JAVA_ADVICE = (
    "install Java 17 or newer: `make setup`, or `apt-get install openjdk-17-jre-headless` (Debian), "
    "`brew install openjdk@17` (macOS)"
)
_MAVEN_ADVICE = "install Maven: `make setup`, or `apt-get install maven` (Debian), `brew install maven` (macOS)"
_API_VERSIONS = 18


def unit(home: Home, downloads: Path, port: int, controller_port: int) -> Unit:
    """Kafka in `home`, its jars in `downloads`."""

    def prepare() -> None:
        java = find_java()
        jars = fetch(downloads)
        _configure(home, port, controller_port)
        _format(home, java, jars)
        _adopt_archive(home, downloads)

    return Unit(
        name="kafka",
        ports=(port, controller_port),
        prepare=prepare,
        command=lambda: _command(home, downloads),
        missing=lambda: None if answers(port) else "Kafka to answer",
        stop_seconds=30,
        advice="data of another Kafka version or a torn disk: `truetape dev reset` starts anew",
    )


def find_java() -> str:
    """The java program of JAVA_HOME, else of PATH. Raises ProgramMissing."""
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").exists():
        return str(Path(home) / "bin" / "java")
    java = shutil.which("java")
    if java is None:
        raise ProgramMissing(f"Kafka needs Java, and there is no `java` on PATH: {_JAVA_ADVICE}")
    return java


def fetch(downloads: Path) -> Path:
    """The folder with Kafka's jars, fetched by Maven the first time. Raises ProgramMissing or StartFailed."""
    jars = downloads / f"kafka-{VERSION}"
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise ProgramMissing(f"Kafka's jars are not in {jars}, and there is no `mvn` on PATH: {_MAVEN_ADVICE}")
    downloads.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=downloads, prefix="kafka-") as folder:
        pom = Path(folder) / "pom.xml"
        pom.write_text(_pom())
        arguments = ["-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        done = subprocess.run(
            [maven, *arguments, "-DincludeScope=runtime", f"-DoutputDirectory={folder}/jars"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StartFailed(
                f"Maven could not fetch Kafka's jars: is Maven Central reachable? It said:\n{done.stdout[-2_000:]}"
            )
        (Path(folder) / "jars").replace(jars)
    return jars


def _pom() -> str:
    items = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in _ARTIFACTS
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>truetape</groupId><artifactId>kafka</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{items}</dependencies></project>"
    )


def _configure(home: Home, port: int, controller_port: int) -> None:
    folder = home.data("kafka")
    folder.mkdir(exist_ok=True)
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": folder / "data",
        "log.retention.ms": -1,
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        # After kill -9 the same broker may register again only when its former session has expired.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        # One node cannot hold the three replicas that these default to, and few partitions start sooner.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    }
    lines = "".join(f"{name}={value}\n" for name, value in properties.items())
    (folder / "server.properties").write_text(lines)


def _format(home: Home, java: str, jars: Path) -> None:
    folder = home.data("kafka")
    if (folder / "data" / "meta.properties").exists():
        return
    cluster = urlsafe_b64encode(b"\x01" + os.urandom(15)).decode().rstrip("=")  # Must not begin with "-".
    options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    with home.log("kafka").open("ab") as log:
        done = subprocess.run(
            [
                java,
                *options,
                "kafka.tools.StorageTool",
                "format",
                "-t",
                cluster,
                "-c",
                str(folder / "server.properties"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=inherited(),
            check=False,
        )
    if done.returncode:
        end = log_end(home.log("kafka"))
        if "UnsupportedClassVersionError" in end or "Unable to locate a Java Runtime" in end:
            raise ProgramMissing(f"{java} is too old for Kafka {VERSION}: {_JAVA_ADVICE}")
        raise StartFailed(f"Kafka's storage could not be formatted; end of {home.log('kafka')}:\n{end}")


def _archive(downloads: Path) -> Path:
    return downloads / f"kafka-{VERSION}.jsa"


def _draft_archive(home: Home) -> Path:
    return home.data("kafka") / "classes.jsa"


def _adopt_archive(home: Home, downloads: Path) -> None:
    """Keep the class archive that the last orderly end of Kafka wrote (see `_command`)."""
    if _draft_archive(home).exists():
        shutil.move(_draft_archive(home), _archive(downloads))


def _command(home: Home, downloads: Path) -> Command:
    # A JVM that ends in order the first time dumps its loaded classes; later starts map them, which takes
    # the start from 1.9 s to 1.1 s (3.0 s to 1.7 s of CPU). A missing or foreign archive is ignored by the JVM.
    archive = _archive(downloads)
    sharing = (
        f"-XX:SharedArchiveFile={archive}" if archive.exists() else f"-XX:ArchiveClassesAtExit={_draft_archive(home)}"
    )
    options = ["-Xmx768m", "-XX:+UseSerialGC", sharing, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    jars = downloads / f"kafka-{VERSION}"
    properties = home.data("kafka") / "server.properties"
    return Command(
        argv=[find_java(), *options, *logging, "-cp", f"{jars}/*", "kafka.Kafka", str(properties)],
        environment=inherited(),
        directory=home.data("kafka"),
    )


def answers(port: int) -> bool:
    """Whether a broker at 127.0.0.1:port answers an ApiVersions request; before that it only queues connections."""
    client = b"truetape"
    body = struct.pack(">hhih", _API_VERSIONS, 0, 1, len(client)) + client
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            head = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(head) == 10 and struct.unpack(">iih", head)[2] == 0
