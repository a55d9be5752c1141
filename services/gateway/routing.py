"""Routes: what each one is called, asks for and answers. Authentication, limits, bodies and errors are handled here,
once for all; a handler gets a `Call` and returns a response or raises a Problem.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import structlog
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.gateway.auth import Scope, authenticate, authorize, check_timestamp
from services.gateway.parsing import format_positions, parse_body, parse_positions, parse_query
from services.gateway.problems import Problem, field_problem
from services.gateway.reads import REACH_SECONDS
from services.gateway.requests import NoQuery
from truetape import clock, ids, sheets
from truetape.log import Part
from truetape.messages import ApiKey
from truetape.reference import Reference
from truetape.topics import REFERENCE_EVENTS

if TYPE_CHECKING:
    from services.gateway.gateway import Gateway

BODY_MAX: Final = 64 * 1024
BODY_SECONDS: Final = 5.0
JSON_TYPE: Final = "application/json"
CSV_TYPE: Final = "text/csv; charset=utf-8"
POSITION_HEADER: Final = "Truetape-Position"
REQUEST_ID_HEADER: Final = "Truetape-Request-Id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_PATH_ID: Final = re.compile(r"[A-Za-z0-9._:*-]{1,200}", re.ASCII)
T = TypeVar("T", bound=Struct)
_REQUEST_ID_HEADER: Final = REQUEST_ID_HEADER.lower().encode()
_log = structlog.get_logger()


@dataclass(slots=True)
class Call:
    """One request that passed authentication and limits."""

    gateway: "Gateway"
    request: Request
    route: "Route"
    request_id: str
    key: ApiKey
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body_bytes: bytes = b""
    answered: dict[Part, int] = field(default_factory=dict)
    """How far this account was answered; a read must see at least that."""
    saw_views: bool = False
    """Whether the answer is made of what the views say."""

    @property
    def account_id(self) -> str:
        """The account that the key acts for."""
        return self.key.account_id

    def header(self, name: bytes) -> str:
        """The value of a header, named in lower case; empty when it was not sent."""
        return self.headers.get(name, b"").decode("latin-1")

    def path(self, name: str) -> str:
        """An id from the path. Raises Problem when it cannot be one."""
        value: str = self.request.path_params[name]
        if not _PATH_ID.fullmatch(value):
            raise field_problem(name, "this cannot be an id")
        return value

    def body(self, kind: type[T]) -> T:
        """The parsed body. Raises Problem."""
        return parse_body(self.body_bytes, kind, self.gateway.bus.reference.instruments)

    def query(self, kind: type[T]) -> T:
        """The parsed query. Raises Problem."""
        return parse_query(self.request.query_params.multi_items(), kind, self.gateway.bus.reference.instruments)

    async def see_answers(self) -> None:
        """Wait until the views hold all that this account was answered. Raises Problem view_behind."""
        await self.gateway.reads.reach(self.answered)
        self.saw_views = True

    async def see_reference(self) -> None:
        """Wait until this process has read the reference events that the header names. Raises Problem view_behind."""
        await self.reach_reference(
            parse_positions(self.header(b"truetape-position")).get(Part(REFERENCE_EVENTS.name, 0), -1)
        )

    async def listed(self, read: Callable[[Reference], Mapping[str, T]]) -> list[T]:
        """What reference data has of a kind, by name. Raises Problem view_behind."""
        await self.see_reference()
        known = read(self.gateway.bus.reference)
        return [known[name] for name in sorted(known)]

    async def reach_reference(self, wanted: int) -> None:
        """Wait until this process has read the reference events up to an offset. Raises Problem view_behind."""
        deadline = clock.monotonic() + REACH_SECONDS
        while self.gateway.bus.tables.reference_offset < wanted:
            if clock.monotonic() > deadline:
                raise Problem("view_behind", f"{REFERENCE_EVENTS.name} was not yet read to offset {wanted}")
            await asyncio.sleep(0.005)


Handler = Callable[[Call], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One operation of the API."""

    method: str
    path: str
    scope: Scope
    handler: Handler
    operation_id: str
    summary: str
    tag: str
    body: type[Struct] | None = None
    query: type[Struct] = NoQuery
    answers: Mapping[int, Any] = field(default_factory=dict)
    """Type of the answer by status; None for an answer that is not of ours."""
    problems: tuple[str, ...] = ()
    description: str = ""
    waits: bool = False
    """Whether it reads the views, and thus waits for what was answered before."""


class Routes:
    """Collects the operations of one module."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Route] = []

    def add(self, method: str, path: str, scope: Scope, **about: Any) -> Callable[[Handler], Handler]:
        """Register a handler; its docstring's first line is the summary, the rest the description."""

        def register(handler: Handler) -> Handler:
            summary, _, description = (handler.__doc__ or "").partition("\n")
            words = " ".join(description.split())
            named = {"operation_id": handler.__name__, "summary": summary.rstrip("."), "description": words}
            self.all.append(Route(method, path, scope, handler, tag=self.tag, **(named | about)))
            return handler

        return register


def endpoint(gateway: "Gateway", route: Route) -> Endpoint:
    """The route as the web framework calls it: never raises, never answers bad input with a 5xx."""

    async def answer(request: Request) -> Response:
        headers = dict(request.scope["headers"])
        request_id = request_id_of(headers, gateway.new_id)
        try:
            response = await _answer(Call(gateway, request, route, request_id, ANYBODY, headers))
        except Problem as problem:
            response = problem.response(request_id)
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception:
            _log.exception("request failed", path=route.path, request_id=request_id)
            response = Problem("internal_error", "the error is logged under the request id").response(request_id)
        response.raw_headers.append((_REQUEST_ID_HEADER, request_id.encode()))
        gateway.counts[f"responses_{response.status_code // 100}xx"] += 1
        return response

    return answer


async def _answer(call: Call) -> Response:
    route = call.route
    if route.scope != "public":
        await _admit(call)
    if route.body is not None:
        call.body_bytes = await _read_body(call)
    else:
        _refuse_large(call)
    if route.query is NoQuery and call.request.scope["query_string"]:
        call.query(NoQuery)
    return await _confirmed(call)


async def _confirmed(call: Call) -> Response:
    """The handler's answer, or its problem, when the views have not gone back behind what was answered before."""
    try:
        response = await call.route.handler(call)
    except Problem:
        await _confirm(call)
        raise
    await _confirm(call)
    return response


async def _confirm(call: Call) -> None:
    if call.saw_views:
        await call.gateway.reads.confirm(call.answered)


async def _admit(call: Call) -> None:
    """Authenticate, authorize, refuse replays, take a token, learn what was answered."""
    gateway, waits = call.gateway, call.route.waits
    if not gateway.admits:
        raise Problem("starting", f"still waiting for: {'; '.join(gateway.missing()) or 'the tape'}")
    call.key = key = authenticate(call.header(b"authorization"), gateway.bus.reference)
    authorize(key, call.route.scope)
    if timestamp := call.header(b"truetape-timestamp"):
        check_timestamp(timestamp)
    call.answered = await gateway.limits.take(key.key_id, key.requests_per_second, key.account_id if waits else "")
    if waits and (told := call.header(b"truetape-position")):
        for part, offset in parse_positions(told).items():
            call.answered[part] = max(offset, call.answered.get(part, -1))


async def _read_body(call: Call) -> bytes:
    """The whole body. Raises Problem unsupported_media_type, body_too_large (before reading it) or body_too_slow."""
    content_type = call.header(b"content-type")
    if content_type != JSON_TYPE and content_type.partition(";")[0].strip().lower() != JSON_TYPE:
        raise Problem("unsupported_media_type", f"send Content-Type: {JSON_TYPE}, not {content_type[:80]!r}")
    _refuse_large(call)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            chunks, size = [], 0
            async for chunk in call.request.stream():
                size += len(chunk)
                if size > BODY_MAX:
                    raise _too_large()
                chunks.append(chunk)
    except TimeoutError as error:
        raise Problem("body_too_slow", f"the body did not come within {BODY_SECONDS:g} s") from error
    return b"".join(chunks)


def _refuse_large(call: Call) -> None:
    length = call.header(b"content-length")
    if length.isdecimal() and (len(length) > 12 or int(length) > BODY_MAX):
        raise _too_large()


def _too_large() -> Problem:
    return Problem("body_too_large", f"a body may have {BODY_MAX} bytes", {"Connection": "close"}, limit=BODY_MAX)


def request_id_of(headers: Mapping[bytes, bytes], new_id: Callable[[], str] = ids.random_id) -> str:
    """The request's id: the client's own when it can be one, else a new one."""
    given = headers.get(b"truetape-request-id", b"").decode("latin-1")
    return given if given and _REQUEST_ID.fullmatch(given) else new_id()


def reply(answer: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(answer), status, dict(headers or {}), JSON_TYPE)


def sheet_reply(text: str) -> Response:
    """A CSV answer."""
    return Response(text, 200, media_type=CSV_TYPE)


def rows_reply(form: str, kind: type[Struct], rows: Iterable[Struct], answer: Any) -> Response:
    """Rows as CSV when the form says so, else the answer that holds them."""
    return sheet_reply(sheets.table(kind, rows)) if form == "csv" else reply(answer)


def position(*places: tuple[Part, int]) -> dict[str, str]:
    """The header that tells where an answer stands on the tape."""
    return {POSITION_HEADER: format_positions(places)}


ANYBODY: Final = ApiKey(
    key_id="", secret_sha256="", account_id="", scopes=(), requests_per_second=0, revoked=False, expires_at_us=None
)
"""Who asks a public route."""
