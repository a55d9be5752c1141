"""What the live services say of their state now."""

import http.client
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec

_FORBIDDEN = (401, 403)
ANSWER_SECONDS = 30.0
"""A service with a large state needs some seconds to digest it between two decisions."""


class LivePartition(msgspec.Struct, frozen=True):
    """One partition as its owner has it: digest of its state at this place, and the state cut by account."""

    epoch: int
    sequence: int
    digest: str
    accounts: dict[str, Any] = {}


class Live(msgspec.Struct, frozen=True):
    """What a service answered on its health port."""

    service: str
    partitions: dict[int, LivePartition]


class Silent(msgspec.Struct, frozen=True):
    """A service that did not answer, and why."""

    service: str
    reason: str


_LIVE: Final = msgspec.json.Decoder(Live, strict=False)
"""Made once, before any thread: several that make one for the same type at once would see it half made."""


def ask(host: str, ports: Mapping[str, int]) -> dict[str, Live | Silent]:
    """Ask each service, by name and port, for its digests with all accounts; all at once."""
    with ThreadPoolExecutor(max_workers=max(1, len(ports))) as threads:
        return dict(zip(ports, threads.map(lambda name: _ask(name, host, ports[name]), ports), strict=True))


def _ask(service: str, host: str, port: int) -> Live | Silent:
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        status, body = _get(connection, "/digest?accounts=1")
        if status in _FORBIDDEN:  # The gateway shows its accounts to administrators alone; the digest is enough.
            status, body = _get(connection, "/digest")
        if status != 200:
            return Silent(service, f"port {port} answers {status}")
        live = _LIVE.decode(body)
    except (OSError, http.client.HTTPException) as error:
        return Silent(service, f"no answer on port {port}: {error}")
    except msgspec.MsgspecError as error:
        return Silent(service, f"port {port} answers something else: {error}")
    finally:
        connection.close()
    return live if live.service == service else Silent(service, f"on port {port} answers {live.service}")


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read()
