"""The wire under the Python client: one API key, safe retries, positions that later reads carry, pages, errors."""

import random
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx
import msgspec

from truetape.errors import TruetapeError

T = TypeVar("T")
RETRY_SECONDS: Final = 15.0
BACKOFF_SECONDS: Final = 0.05
BACKOFF_SECONDS_MAX: Final = 2.0
AGAIN: Final = frozenset({429, 503, 504})
_POSITION: Final = re.compile(r"([a-z.]{1,40}/[0-9]{1,4})@([0-9]{1,18})")


class ClientError(TruetapeError):
    """The gateway refused, or could not be reached."""


class Refused(ClientError):
    """The gateway or risk refused the request: `code` is stable, `problem` is the whole document."""

    def __init__(self, problem: Mapping[str, Any], repeated: bool = False) -> None:
        self.status = int(problem.get("status", 0))
        self.code = str(problem.get("code", "unknown"))
        self.detail = str(problem.get("detail", ""))
        self.numbers: dict[str, Any] = problem.get("numbers") or {}
        """The numbers that risk's refusal saw."""
        self.problem = dict(problem)
        self.repeated = repeated
        """Whether it was refused before, under the same id."""
        super().__init__(f"{self.status} {self.code}: {self.detail}")


class Unreachable(ClientError):
    """No answer after all retries; repeat the call with the same id to learn what became of it."""


class Connection:
    """One API key's view of the gateway. Thread-safe as httpx.Client is; positions are shared by all threads."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        retry_seconds: float = RETRY_SECONDS,
        timeout_seconds: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
            transport=transport,
        )
        self._retry_seconds = retry_seconds
        self._positions: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def sheet(self, path: str, **wanted: str) -> str:
        """A list or report as CSV (RFC 4180), such as `sheet("/v1/statements/2026-11-26")`. Raises Refused."""
        request = {"params": wanted | {"form": "csv"}, "headers": self._position_header()}
        response = self._with_retries("GET", path, request)
        if response.status_code >= 400:
            raise Refused(_problem(response))
        return response.text

    def _command(self, path: str, kind: type[T], body: Mapping[str, Any], idempotency_key: str | None = None) -> T:
        """A command to the ledger: repeated, it is refused as COMMAND_REPEATED and never carried out twice."""
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return self._ask("POST", path, kind, json=dict(body), headers=headers)

    def _list(self, path: str, name: str, kind: type[T]) -> list[T]:
        found = self._ask("GET", path, dict[str, Any])
        return msgspec.convert(found[name], list[kind])  # type: ignore[valid-type]

    def _pages(self, path: str, name: str, kind: type[T], wanted: dict[str, str], limit: int) -> Iterator[T]:
        cursor: str | None = ""
        while cursor is not None:
            params = wanted | {"limit": str(limit)} | given(cursor=cursor or None)
            page = self._ask("GET", path, dict[str, Any], params=params)
            yield from msgspec.convert(page[name], list[kind])  # type: ignore[valid-type]
            cursor = page["next_cursor"]

    def _ask(self, method: str, path: str, kind: type[T], **request: Any) -> T:
        """One request with retries: every request here can be repeated without harm."""
        return self._asked(method, path, kind, **request)[0]

    def _asked(self, method: str, path: str, kind: type[T], **request: Any) -> tuple[T, bool]:
        """The same, and whether the gateway had answered it before (Idempotency-Hit)."""
        request["headers"] = self._position_header() | request.get("headers", {})
        response = self._with_retries(method, path, request)
        for part, offset in _POSITION.findall(response.headers.get("Truetape-Position", "")):
            self._positions[part] = max(int(offset), self._positions.get(part, -1))
        repeated = "Idempotency-Hit" in response.headers
        if response.status_code >= 400:
            raise Refused(_problem(response), repeated)
        return msgspec.json.decode(response.content, type=kind), repeated

    def _with_retries(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        deadline = time.monotonic() + self._retry_seconds
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._http.request(method, path, **request)
                pause = pause_seconds(attempt, response.headers.get("Retry-After"))
                if response.status_code not in AGAIN or time.monotonic() + pause > deadline:
                    return response
            except httpx.TransportError as error:
                pause = pause_seconds(attempt)
                if time.monotonic() + pause > deadline:
                    raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from error
            time.sleep(pause)

    def _position_header(self) -> dict[str, str]:
        known = sorted(self._positions.items())
        return {"Truetape-Position": ",".join(f"{part}@{offset}" for part, offset in known)} if known else {}

    def _stream(self, last: str | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(event, id, data) of one connection to the event stream, until it ends."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        timeout = httpx.Timeout(10.0, read=30.0)
        with self._http.stream("GET", "/v1/events", headers=headers, timeout=timeout) as response:
            if response.status_code in AGAIN:
                raise httpx.ConnectError(f"status {response.status_code}")
            if response.status_code >= 400:
                response.read()
                raise Refused(_problem(response))
            yield from frames(response.iter_lines())


def pause_seconds(attempt: int, retry_after: str | None = None) -> float:
    """Seconds until the next attempt: longer each time, never all clients at once, never before the server says."""
    backoff = min(BACKOFF_SECONDS * 2.0 ** min(attempt, 10), BACKOFF_SECONDS_MAX) * random.uniform(0.5, 1.0)
    told = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
    return max(backoff, told)


def frames(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Server-sent events: (event, id, data) of each; comments and frames without data are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield fields.get("event", ""), fields.get("id", ""), msgspec.json.decode(fields["data"])
            fields = {}


def given(**wanted: str | None) -> dict[str, str]:
    """Query parameters that are not None."""
    return {name: value for name, value in wanted.items() if value is not None}


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"status": response.status_code, "code": "unknown", "detail": response.text[:200]}
