"""A venue in a child process, and a plain client of it: for tests, benchmarks and the demonstration.

with run_venue("--rate", "0") as venue:
    venue.deposit("USDT", "1000")
    status, headers, answer = venue.signed("POST", "/api/v3/order", symbol="BTCUSDT", ...)
"""

import contextlib
import hmac
import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec

from truetape.errors import SetupError
from venues.signing import ApiKey, Permission

START_SECONDS = 15.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class VenueProcess:
    """A running venue with a trading key and a read-only key of one account, and the admin token."""

    def __init__(self, port: int, account: str) -> None:
        self.port = port
        self.account = account
        both: tuple[Permission, ...] = ("TRADE", "USER_DATA")
        self.trade_key = ApiKey(secrets.token_hex(16), secrets.token_hex(16), account, both)
        self.read_key = ApiKey(secrets.token_hex(16), secrets.token_hex(16), account, ("USER_DATA",))
        self.other_key = ApiKey(secrets.token_hex(16), secrets.token_hex(16), account + "-other", both)
        self.admin_token = secrets.token_hex(16)
        self.process: subprocess.Popen[str] | None = None
        self.greeting = ""

    @property
    def rest_url(self) -> str:
        """Where REST is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        """Where the websockets are."""
        return f"ws://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        """Start and wait until it listens. Raises SetupError with what it said when it does not."""
        keys = [self.trade_key, self.read_key, self.other_key]
        environment = {
            **os.environ,
            "TRUETAPE_VENUE_KEYS": msgspec.json.encode(keys).decode(),
            "TRUETAPE_VENUE_ADMIN_TOKEN": self.admin_token,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "venues", "--port", str(self.port), *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.greeting = self.process.stdout.readline()
        deadline = time.monotonic() + START_SECONDS
        while not self.greeting or not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise SetupError(f"the venue did not start: {self.process.communicate()[1].strip()}")
            time.sleep(0.01)

    def stop(self) -> tuple[int, str]:
        """End it by SIGTERM; returns (exit status, what it wrote to stderr)."""
        assert self.process is not None
        self.process.terminate()
        try:
            _, errors = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, errors = self.process.communicate()
        return self.process.returncode, errors

    def request(
        self, method: str, path: str, body: str | bytes = "", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """(status, headers in lower case, answer) of a request; raises OSError when there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body or None, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, lower, msgspec.json.decode(content) if content else None
        except http.client.HTTPException as error:
            raise ConnectionError(f"the connection was closed without an answer: {error!r}") from error
        finally:
            connection.close()

    def signed(
        self, method: str, path: str, *, key: ApiKey | None = None, **parameters: Any
    ) -> tuple[int, dict[str, str], Any]:
        """As `request`, with parameters signed by the trading key or the one given."""
        chosen = key or self.trade_key
        query = sign(chosen, {"timestamp": time.time_ns() // 1_000_000, **parameters})
        headers = {"X-MBX-APIKEY": chosen.api_key}
        if method == "GET":
            return self.request(method, f"{path}?{query}", headers=headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.request(method, path, query, headers)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call an admin endpoint. Raises SetupError unless it answers 200."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        text = b"" if body is None else msgspec.json.encode(body)
        status, _, answer = self.request(method, "/admin/" + path, text, headers)
        if status != 200:
            raise SetupError(f"admin {method} {path} answered {status}: {answer}")
        return answer

    def deposit(self, asset: str, amount: str, reference: str = "", account: str = "") -> Any:
        """Fund an account, by default the one of the trading key."""
        body = {"asset": asset, "amount": amount, "reference": reference or secrets.token_hex(8)}
        return self.admin("POST", f"accounts/{account or self.account}/deposit", body)

    def plant(self, **rule: Any) -> None:
        """Add a fault rule."""
        self.admin("POST", "faults", rule)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.request("GET", "/api/v3/ping")[0] == 200
        return False


def sign(key: ApiKey, parameters: dict[str, Any]) -> str:
    """The parameters form-encoded, with their signature."""
    query = urlencode(parameters)
    return f"{query}&signature={hmac.digest(key.secret.encode(), query.encode(), 'sha256').hex()}"


@contextlib.contextmanager
def run_venue(*options: str, account: str = "omnibus") -> Iterator[VenueProcess]:
    """A venue on a free port for the length of a `with`."""
    venue = VenueProcess(free_port(), account)
    try:
        venue.start(*options)
        yield venue
    finally:
        if venue.process is not None and venue.process.poll() is None:
            venue.stop()
