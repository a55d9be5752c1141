"""Routes for those who operate the gateway: health, metrics, digest."""

import asyncio

from starlette.responses import Response

from services.gateway import requests as r
from services.gateway.auth import authenticate
from services.gateway.problems import Problem
from services.gateway.routing import Call, Routes, reply
from truetape import api as a
from truetape.telemetry import CountsCollector, exposition

routes = Routes("operations")


@routes.add("GET", "/health/live", "public", answers={200: None, 503: None})
async def get_liveness(call: Call) -> Response:
    """Whether the process works; a broker outage alone is no reason to restart it."""
    alive = call.gateway.alive()
    return reply({"live": alive}, 200 if alive else 503)


@routes.add("GET", "/health/ready", "public", answers={200: a.Health, 503: a.Health})
async def get_readiness(call: Call) -> Response:
    """Whether requests can be served, and what is missing."""
    missing = call.gateway.missing()
    return reply(a.Health(not missing, missing), 503 if missing else 200)


@routes.add("GET", "/metrics", "public", answers={200: None})
async def get_metrics(call: Call) -> Response:
    """Counters and gauges for Prometheus."""
    gateway = call.gateway
    text = exposition([CountsCollector("gateway", gateway.metrics, gateway.gauges)])
    return Response(text, media_type="text/plain; version=0.0.4")


@routes.add("GET", "/digest", "public", query=r.DigestQuery, answers={200: None})
async def get_digest(call: Call) -> Response:
    """Digest of the reference state, for the audit; `accounts=1` adds what is set, for administrators alone."""
    full = call.query(r.DigestQuery).accounts == 1
    if full:
        key = authenticate(call.header(b"authorization"), call.gateway.bus.reference)
        if "admin" not in key.scopes:
            raise Problem("scope_missing", "accounts=1 needs scope admin", scope="admin")
    found = await asyncio.to_thread(call.gateway.runner.digests, full)
    return reply({"service": "gateway", "partitions": found})
