"""Every process's health port: /health/live, /health/ready, /metrics, /digest. Loopback unless told otherwise."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from truetape.errors import SetupError
from truetape.telemetry import CountsCollector, exposition


@dataclass(frozen=True)
class Health:
    """What a process can say of itself."""

    alive: Callable[[], bool]
    """Whether its loop progresses; a broker outage alone is no reason to restart it."""
    missing: Callable[[], list[str]]
    """What it waits for before it is ready; empty when it is."""
    digests: Callable[[bool], Any]
    """Digest of its state; True adds the accounts' contents."""
    metrics: CountsCollector


def answer(health: Health, url: str) -> tuple[int, str, bytes]:
    """(status, content type, body) of a GET."""
    parts = urlsplit(url)
    match parts.path:
        case "/health/live":
            alive = health.alive()
            return (200 if alive else 503), "application/json", msgspec.json.encode({"live": alive})
        case "/health/ready":
            missing = health.missing()
            body = msgspec.json.encode({"ready": not missing, "missing": missing})
            return (503 if missing else 200), "application/json", body
        case "/metrics":
            return 200, "text/plain; version=0.0.4", exposition([health.metrics])
        case "/digest":
            full = parse_qs(parts.query).get("accounts") == ["1"]
            return 200, "application/json", msgspec.json.encode(health.digests(full))
        case _:
            return 404, "application/json", b'{"error":"try /health/live, /health/ready, /metrics or /digest"}'


def serve(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Answer on host:port from a daemon thread. Raises SetupError when the port is in use."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content_type, body = answer(health, self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes are not worth a line."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise SetupError(
            f"port {port} on {host} is in use ({error.strerror}): stop what holds it, or set TRUETAPE_PORT_BASE"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
