"""The stack's home folder: its paths, and the environment with the generated secrets."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from truetape.dev.process import write_private
from truetape.errors import SetupError
from truetape.settings import PORT_OFFSETS

VENUES = ("alpha", "beta")
ACCOUNT = "truetape"
"""The firm's account at each simulated venue."""

_KEY_FIELDS = ("API_KEY", "API_SECRET", "READ_KEY", "READ_SECRET")


@dataclass(frozen=True)
class Home:
    """Paths below the home folder."""

    path: Path

    @property
    def env_file(self) -> Path:
        """The generated environment of the stack, with all secrets; 0600."""
        return self.path / "env"

    def data(self, name: str) -> Path:
        """Where a unit keeps its data."""
        return self.path / name

    def log(self, name: str) -> Path:
        """What a unit wrote on stdout and stderr."""
        return self.path / "logs" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        """Which process a unit is."""
        return self.path / "run" / f"{name}.json"

    def create(self) -> None:
        """Make the folders that every unit needs."""
        for folder in (self.path, self.path / "logs", self.path / "run"):
            folder.mkdir(parents=True, exist_ok=True)


def checkout() -> Path:
    """The folder that holds the packages `truetape`, `services` and `venues`."""
    return Path(__file__).resolve().parents[2]


def read_environment(path: Path) -> dict[str, str]:
    """NAME=VALUE lines of an environment file; empty when there is none. Raises SetupError naming a bad line."""
    if not path.exists():
        return {}
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            raise SetupError(f"{path} line {number} is not NAME=VALUE: correct it, or delete the file for new secrets")
        found[name] = value
    return found


def environment(port_base: int, secret: Mapping[str, str]) -> dict[str, str]:
    """Everything that a client of the stack needs: addresses by `port_base`, with the secrets of `secret`."""
    port = {name: port_base + offset for name, offset in PORT_OFFSETS.items()}
    here = {
        "TRUETAPE_PORT_BASE": str(port_base),
        "TRUETAPE_KAFKA": f"127.0.0.1:{port['kafka']}",
        "TRUETAPE_POSTGRES": f"postgresql://truetape:{secret['POSTGRES']}@127.0.0.1:{port['postgres']}/truetape",
        "TRUETAPE_REDIS": f"redis://:{secret['REDIS']}@127.0.0.1:{port['redis']}/0",
        "TRUETAPE_VENUE_ADMIN_TOKEN": secret["ADMIN_TOKEN"],
    }
    for venue in VENUES:
        prefix = f"TRUETAPE_VENUES__{venue.upper()}__"
        here[prefix + "REST_URL"] = f"http://127.0.0.1:{port[venue]}"
        here[prefix + "STREAM_URL"] = f"ws://127.0.0.1:{port[venue]}"
        for field in _KEY_FIELDS:
            here[prefix + field] = secret[f"{venue.upper()}_{field}"]
    return here


def secrets_of(known: Mapping[str, str]) -> dict[str, str]:
    """The secrets inside an environment that `environment` made; new random ones where it holds none."""
    found = {
        "POSTGRES": urlsplit(known.get("TRUETAPE_POSTGRES", "")).password,
        "REDIS": urlsplit(known.get("TRUETAPE_REDIS", "")).password,
        "ADMIN_TOKEN": known.get("TRUETAPE_VENUE_ADMIN_TOKEN"),
    }
    for venue in VENUES:
        for field in _KEY_FIELDS:
            found[f"{venue.upper()}_{field}"] = known.get(f"TRUETAPE_VENUES__{venue.upper()}__{field}")
    return {name: value or secrets.token_hex(24) for name, value in found.items()}


def write_environment(path: Path, values: Mapping[str, str]) -> None:
    """Write an environment file, 0600."""
    head = "# Generated: addresses and secrets of the native stack. Keep it private; never commit it.\n"
    write_private(path, head + "".join(f"{name}={value}\n" for name, value in values.items()))


def venue_keys(venue: str, values: Mapping[str, str]) -> str:
    """TRUETAPE_VENUE_KEYS of a simulated venue: the trading key and the read-only key, as JSON."""
    prefix = f"TRUETAPE_VENUES__{venue.upper()}__"
    rights = (("API_KEY", "API_SECRET", ["TRADE", "USER_DATA"]), ("READ_KEY", "READ_SECRET", ["USER_DATA"]))
    return json.dumps(
        [
            {
                "api_key": values[prefix + key],
                "secret": values[prefix + secret],
                "account": ACCOUNT,
                "permissions": what,
            }
            for key, secret, what in rights
        ]
    )


def inherited() -> dict[str, str]:
    """What a child needs from our own environment to find programs, its user's folders and the locale."""
    names = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME", "JDK_JAVA_OPTIONS", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in names if name in os.environ}
