"""The web application: every route of the API, errors of the framework as problem documents, a bound on everything."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway import (
    administration,
    auctions,
    bilateral,
    calendars,
    calls,
    compressions,
    defaults,
    deleveragings,
    desk,
    exposures,
    facts,
    funds,
    insurance,
    margins,
    members,
    moves,
    operations,
    parked,
    reading,
    registry,
    rounds,
    statements,
    streaming,
    traded,
    trading,
    transfers,
)
from services.gateway.gateway import Gateway
from services.gateway.openapi import document, responses_of
from services.gateway.page import page
from services.gateway.problems import Problem
from services.gateway.routing import REQUEST_ID_HEADER, Endpoint, Route, endpoint, request_id_of

REQUESTS_MAX: Final = 4_096
"""Requests that one process works on at once; more get 503."""

ROUTES: Final[tuple[Route, ...]] = (
    *trading.routes.all,
    *reading.routes.all,
    *statements.routes.all,
    *streaming.routes.all,
    *transfers.routes.all,
    *bilateral.routes.all,
    *moves.routes.all,
    *traded.routes.all,
    *calendars.routes.all,
    *exposures.routes.all,
    *compressions.routes.all,
    *facts.routes.all,
    *calls.routes.all,
    *margins.routes.all,
    *auctions.routes.all,
    *defaults.routes.all,
    *deleveragings.routes.all,
    *funds.routes.all,
    *insurance.routes.all,
    *members.routes.all,
    *rounds.routes.all,
    *administration.routes.all,
    *parked.routes.all,
    *registry.routes.all,
    *operations.routes.all,
)
"""Every operation. Routes with fixed paths stand before those with a parameter in the same place."""


def build(gateway: Gateway) -> ASGIApp:
    """The application of one gateway."""
    app = FastAPI(title="Truetape", docs_url=None, redoc_url=None, openapi_url="/openapi.json", redirect_slashes=False)
    direct: dict[tuple[str, str], Endpoint] = {}
    for route in ROUTES:
        answer = endpoint(gateway, route)
        if "{" not in route.path:
            direct[route.method, route.path] = answer
        app.add_api_route(
            route.path, answer, methods=[route.method], operation_id=route.operation_id,
            response_model=None, responses=responses_of(route), tags=[route.tag], summary=route.summary,
        )  # fmt: skip
    app.openapi = cache(lambda: document(ROUTES))  # type: ignore[method-assign]
    shown = cache(lambda: page(document(ROUTES)))
    app.add_api_route("/", desk.response, include_in_schema=False)
    app.add_api_route("/docs", lambda: HTMLResponse(shown()), include_in_schema=False)
    app.add_exception_handler(HTTPException, _of_framework)
    return Front(app, direct)


async def _of_framework(request: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        headers: dict[str, Any] = dict(error.headers or {})
        problem = Problem("method_not_allowed", f"{request.method} is not possible here", headers)
    else:
        problem = Problem("not_found", "there is nothing here; the API is described at /docs")
    return _refused(problem, request.scope)


def _refused(problem: Problem, scope: Scope) -> Response:
    """A refusal before any route was reached, under the request's id as every other."""
    request_id = request_id_of(dict(scope["headers"]))
    response = problem.response(request_id)
    response.headers[REQUEST_ID_HEADER] = request_id
    return response


class Front:
    """Bounds what is worked on at once, and answers fixed paths without the framework: that is 70 µs of an order."""

    def __init__(self, app: ASGIApp, direct: Mapping[tuple[str, str], Endpoint]) -> None:
        self._app, self._direct, self._count = app, direct, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, pass on, or refuse."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        if self._count >= REQUESTS_MAX:
            problem = Problem("overloaded", f"{REQUESTS_MAX} requests are being worked on")
            await _refused(problem, scope)(scope, receive, send)
            return
        self._count += 1
        try:
            answer = self._direct.get((scope["method"], scope["path"]))
            if answer is None:
                await self._app(scope, receive, send)
            else:
                response = await answer(Request(scope, receive))
                await response(scope, receive, send)
        finally:
            self._count -= 1
