"""Kafka, PostgreSQL and Redis for tests: native, or as containers where a Docker engine runs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from truetape.dev.ports import free_base
from truetape.dev.stack import Stack
from truetape.errors import SetupError

if TYPE_CHECKING:
    from testcontainers.community.kafka import KafkaContainer

IMAGES = {"kafka": "apache/kafka:4.1.1", "postgres": "postgres:15", "redis": "redis:7"}
"""The same images as in .env.example."""

Lane = Literal["docker", "native"]


@dataclass(frozen=True)
class Servers:
    """Where the three servers are: bootstrap servers, a connection string, a URL."""

    lane: Lane
    kafka: str
    postgres: str
    redis: str


def choose_lane(wanted: str) -> tuple[Lane, str]:
    """The lane for `wanted` (docker, native or auto), and why. Raises SetupError when it cannot be had."""
    if wanted == "native":
        return "native", "as TRUETAPE_TEST_STACK demands"
    if wanted not in ("auto", "docker"):
        raise SetupError(f"TRUETAPE_TEST_STACK is {wanted!r}: set it to auto, docker or native")
    obstacle = _docker_obstacle()
    if wanted == "docker" and obstacle:
        raise SetupError(f"TRUETAPE_TEST_STACK demands docker, but {obstacle}")
    return ("native", obstacle) if obstacle else ("docker", "a Docker engine runs and has the images")


def _docker_obstacle() -> str:
    if not shutil.which("docker") or not _docker("info"):
        return "no Docker engine runs"
    for image in IMAGES.values():
        if not _docker("image", "inspect", image) and not _docker("pull", "-q", image):
            return f"the Docker engine has no image {image}, and cannot pull it"
    return ""


def _docker(*arguments: str) -> bool:
    return subprocess.run(["docker", *arguments], capture_output=True, check=False, timeout=600).returncode == 0


@contextmanager
def servers(lane: Lane) -> Iterator[Servers]:
    """Fresh servers, gone with all their data at the end."""
    if lane == "docker":
        yield from _containers()
    else:
        yield from _processes()


def _processes() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="truetape-") as folder:
        stack = Stack(Path(folder) / "home", free_base(), only=("kafka", "postgres", "redis"))
        try:
            stack.up()
            known = stack.environment()
            yield Servers("native", known["TRUETAPE_KAFKA"], known["TRUETAPE_POSTGRES"], known["TRUETAPE_REDIS"])
        finally:
            stack.erase()


def _containers() -> Iterator[Servers]:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.community.redis import RedisContainer
    from testcontainers.core.config import ConnectionMode, testcontainers_config

    testcontainers_config.ryuk_disabled = True  # Its image is one more to pull; the contexts below clean up.
    if not {"TESTCONTAINERS_CONNECTION_MODE", "TESTCONTAINERS_HOST_OVERRIDE", "DOCKER_HOST"} & os.environ.keys():
        # Its guess goes by /.dockerenv, which also machines have that were made from an image.
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
        testcontainers_config.tc_host_override = "127.0.0.1"
    with (
        _kafka_container() as kafka,
        PostgresContainer(IMAGES["postgres"], driver=None) as postgres,
        RedisContainer(IMAGES["redis"]) as redis,
    ):
        address = f"{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}"
        yield Servers(
            "docker",
            kafka.get_bootstrap_server(),
            postgres.get_connection_url(),
            f"redis://{address}/0",
        )


def _kafka_container() -> "KafkaContainer":
    from testcontainers.community.kafka import KafkaContainer

    class ApacheKafkaContainer(KafkaContainer):
        """testcontainers knows Confluent's image alone; Apache's has other versions and another start script."""

        def _verify_min_kraft_version(self) -> None: ...

        def tc_start(self) -> None:
            host = f"{self.get_container_host_ip()}:{self.get_exposed_port(self.port)}"
            listeners = f"{self.listener_name}://{host},BROKER://$(hostname -i):9092"
            # The image's script writes over its configuration, which a build may have left write-protected.
            run = "chmod u+w /opt/kafka/config/*\nexec /etc/kafka/docker/run"
            script = f"export KAFKA_ADVERTISED_LISTENERS={listeners}\n{run}\n"
            self.create_file(script.encode(), self.TC_START_SCRIPT)

    container = ApacheKafkaContainer(IMAGES["kafka"]).with_kraft()
    for name, value in {
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE": "false",
    }.items():
        container.with_env(name, value)
    return container
