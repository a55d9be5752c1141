"""The Python processes of the stack: simulated venues, the topics step, and Truetape's services."""

import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from truetape.dev.home import VENUES, checkout, inherited, venue_keys
from truetape.dev.process import Command
from truetape.dev.unit import Unit
from truetape.settings import PORT_OFFSETS

_VENUE_ADDRESSES = ("REST_URL", "STREAM_URL")
_TRADING = (*_VENUE_ADDRESSES, "API_KEY", "API_SECRET")
_READING = (*_VENUE_ADDRESSES, "READ_KEY", "READ_SECRET")


@dataclass(frozen=True)
class Service:
    """One service process, and the secrets that it alone may see."""

    name: str
    module: str
    stores: tuple[str, ...] = ()
    """Databases it uses, of postgres and redis."""
    venue_fields: tuple[str, ...] = ()
    """What it learns of each venue."""
    gives_way: bool = False
    """Whether no order waits for it."""


SERVICES = (
    Service("gateway", "services.gateway", stores=("postgres", "redis")),
    Service("projection", "services.gateway.projection", stores=("postgres", "redis"), gives_way=True),
    Service("risk", "services.risk"),
    Service("router", "services.router", venue_fields=_TRADING),
    Service("clearing", "services.clearing"),
    Service("pricing", "services.pricing", venue_fields=_VENUE_ADDRESSES),
    Service("reconciler", "services.reconciler", venue_fields=_READING, gives_way=True),
    Service("notary", "services.notary", gives_way=True),
)


def topics_unit(everything: Mapping[str, str], brokers: Sequence[str] = ("kafka",)) -> Unit:
    """The step that creates the topics of the registry, or checks those that exist, once these brokers are ready."""

    def apply() -> None:
        from truetape import topics  # Imports the Kafka client, which few commands need.

        topics.apply(everything["TRUETAPE_KAFKA"], replication=min(3, len(brokers)))

    return Unit(name="topics", needs=brokers, prepare=apply)


def service_unit(service: Service, everything: Mapping[str, str]) -> Unit:
    """A service, ready when its health port says so."""
    port = int(everything["TRUETAPE_PORT_BASE"]) + PORT_OFFSETS[service.name]
    venues = VENUES if service.venue_fields else ()
    return Unit(
        name=service.name,
        ports=(port,),
        needs=("topics", *service.stores, *venues),
        command=lambda: _python([service.module], service_environment(service, everything), service.gives_way),
        missing=lambda: _unready(port, "/health/ready"),
        stop_seconds=20,
    )


def venue_unit(venue: str, everything: Mapping[str, str], state: Path, replay: Sequence[Path] = ()) -> Unit:
    """A simulated venue, which keeps its accounts in the file `state` from stop to start; its order flow is the
    recordings `replay`, over and over, when given, else generated."""
    port = int(everything["TRUETAPE_PORT_BASE"]) + PORT_OFFSETS[venue]
    secret = {
        "TRUETAPE_VENUE_KEYS": venue_keys(venue, everything),
        "TRUETAPE_VENUE_ADMIN_TOKEN": everything["TRUETAPE_VENUE_ADMIN_TOKEN"],
    }
    arguments = ["venues", "--name", venue, "--port", str(port), "--state", str(state), "--contracts"]
    for recording in replay:
        arguments += ["--recording", str(recording.resolve())]
    if replay:
        arguments.append("--loop")
    return Unit(
        name=venue,
        ports=(port,),
        command=lambda: _python(arguments, _common(everything) | secret),
        missing=lambda: _unready(port, "/api/v3/ping"),
    )


def service_environment(service: Service, everything: Mapping[str, str]) -> dict[str, str]:
    """The environment of one service: no secret that it has no use for."""
    granted = {f"TRUETAPE_{store.upper()}" for store in service.stores}
    granted |= {f"TRUETAPE_VENUES__{venue.upper()}__{field}" for venue in VENUES for field in service.venue_fields}
    return _common(everything) | {name: everything[name] for name in granted}


def _common(everything: Mapping[str, str]) -> dict[str, str]:
    """What every process may know: addresses and tuning, nothing secret."""
    secret = ("TRUETAPE_POSTGRES", "TRUETAPE_REDIS", "TRUETAPE_VENUE", "TRUETAPE_VENUES__")
    return inherited() | {
        name: value
        for name, value in everything.items()
        if name.startswith("TRUETAPE_") and not name.startswith(secret)
    }


def _python(arguments: list[str], environment: dict[str, str], gives_way: bool = False) -> Command:
    return Command([sys.executable, "-m", *arguments], environment, _working_directory(), gives_way=gives_way)


def _working_directory() -> Path:
    # `python -m` puts the working directory first on its path: the checkout, as an installed package has none.
    return checkout() if (checkout() / "services").is_dir() else Path(os.sep)


def _unready(port: int, path: str) -> str | None:
    """None when GET answers 200, else what the answer says is missing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(4_096)
    except (OSError, http.client.HTTPException) as error:
        return f"an answer on port {port} ({type(error).__name__})"
    finally:
        connection.close()
    return None if answer.status == 200 else _reason(answer.status, body)


def _reason(status: int, body: bytes) -> str:
    try:
        content = json.loads(body)
    except ValueError:
        return f"HTTP {status}"
    if isinstance(content, dict) and "missing" in content:
        content = content["missing"]
    return ", ".join(map(str, content)) if isinstance(content, list) else str(content)
