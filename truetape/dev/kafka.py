"""Kafka as local processes: one KRaft node, or several, from Maven Central's jars."""

import contextlib
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Broker:
    """One node, and where it is reached. Node 1 is the controller too."""

    number: int
    port: int
    controller_port: int
    """Node 1's, the same for all."""
    behind: tuple[int, int] | None = None
    """Port of a second listener, and the port that its clients are told: a proxy's that leads to the first."""

    @property
    def name(self) -> str:
        """Of its unit and its folder."""
        return "kafka" if self.number == 1 else f"kafka-{self.number}"


def unit(home: Home, downloads: Path, broker: Broker, brokers: int = 1) -> Unit:
    """One of `brokers` nodes, its data in `home`, its jars in `downloads`."""

    def prepare() -> None:
        java = find_java()
        jars = fetch(downloads)
        _configure(home, broker, brokers)
        _format(home, broker, java, jars)

    return Unit(
        name=broker.name,
        ports=_ports(broker),
        prepare=prepare,
        command=lambda: _command(home, broker, downloads),
        missing=lambda: None if answers(broker.port) else "Kafka to answer",
        ended=lambda: _adopt_archive(home, broker, downloads),
        stop_seconds=30,
        advice="data of another Kafka version or a torn disk: `truetape dev reset` starts anew",
    )


def _ports(broker: Broker) -> Sequence[int]:
    controller = (broker.controller_port,) if broker.number == 1 else ()
    return (broker.port, *controller, *(broker.behind or ())[:1])


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


def _configure(home: Home, broker: Broker, brokers: int) -> None:
    folder, replicas = home.data(broker.name), min(3, brokers)
    folder.mkdir(exist_ok=True)
    properties = {
        "process.roles": "broker,controller" if broker.number == 1 else "broker",
        "node.id": broker.number,
        "controller.quorum.voters": f"1@127.0.0.1:{broker.controller_port}",
        **_listeners(broker),
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": folder / "data",
        "log.retention.ms": -1,
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        # An idle controller would else write, and force to the disk, an empty record twice a second.
        "metadata.max.idle.interval.ms": 5_000,
        # Each thread more is one more to wake for the next request.
        "num.network.threads": 1,
        "num.io.threads": 2,
        # After kill -9 the same broker may register again only when its former session has expired.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        # One node cannot hold the three replicas that these default to, and few partitions start sooner.
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    }
    lines = "".join(f"{name}={value}\n" for name, value in properties.items())
    (folder / "server.properties").write_text(lines)


def _listeners(broker: Broker) -> dict[str, str]:
    listening, told = {"CLIENT": broker.port}, {"CLIENT": broker.port}
    if broker.behind:
        listening["BEHIND"], told["BEHIND"] = broker.behind
    if broker.number == 1:
        listening["CONTROLLER"] = broker.controller_port
    return {
        "listeners": _addresses(listening),
        "advertised.listeners": _addresses(told),
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }


def _addresses(ports: dict[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _format(home: Home, broker: Broker, java: str, jars: Path) -> None:
    folder = home.data(broker.name)
    if (folder / "data" / "meta.properties").exists():
        return
    # The same for all nodes of a home; must not begin with "-".
    name = b"\x01" + hashlib.sha256(str(home.path).encode()).digest()[:15]
    cluster = urlsafe_b64encode(name).decode().rstrip("=")
    options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    with home.log(broker.name).open("ab") as log:
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
        end = log_end(home.log(broker.name))
        if "UnsupportedClassVersionError" in end or "Unable to locate a Java Runtime" in end:
            raise ProgramMissing(f"{java} is too old for Kafka {VERSION}: {_JAVA_ADVICE}")
        raise StartFailed(f"Kafka's storage could not be formatted; end of {home.log('kafka')}:\n{end}")


def _archive(downloads: Path) -> Path:
    return downloads / f"kafka-{VERSION}.jsa"


def _draft_archive(home: Home, broker: Broker) -> Path:
    return home.data(broker.name) / "classes.jsa"


def _adopt_archive(home: Home, broker: Broker, downloads: Path) -> None:
    """Keep the class archive that an orderly end of Kafka wrote (see `_command`), whole: others may start."""
    draft, taken = _draft_archive(home, broker), downloads / f".{os.getpid()}.jsa"
    with contextlib.suppress(OSError):  # It only saves time, and the disk may be full.
        if draft.exists():
            shutil.move(draft, taken)
            taken.replace(_archive(downloads))


def _command(home: Home, broker: Broker, downloads: Path) -> Command:
    # A JVM that ends in order the first time dumps its loaded classes; later starts map them, which takes
    # the start from 1.9 s to 1.1 s (3.0 s to 1.7 s of CPU). A missing or foreign archive is ignored by the JVM.
    archive, draft = _archive(downloads), _draft_archive(home, broker)
    sharing = f"-XX:SharedArchiveFile={archive}" if archive.exists() else f"-XX:ArchiveClassesAtExit={draft}"
    options = ["-Xmx768m", "-XX:+UseSerialGC", sharing, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    jars = downloads / f"kafka-{VERSION}"
    properties = home.data(broker.name) / "server.properties"
    return Command(
        argv=[find_java(), *options, *logging, "-cp", f"{jars}/*", "kafka.Kafka", str(properties)],
        environment=inherited(),
        directory=home.data(broker.name),
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
