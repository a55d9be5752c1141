"""The REST server: reads requests, writes answers with Binance's headers, turns every failure into its error."""

import traceback
from typing import Final

import msgspec
from aiohttp import web

from venues.dispatch import Answer, ReplyDropped, execute, execute_with_faults, prepare
from venues.parameters import Parameters, parse_form
from venues.rejects import Reject
from venues.routes import PATHS, ROUTES
from venues.signing import without_signature
from venues.venue import Venue

encode = msgspec.json.Encoder().encode
BODY_BYTES_MAX: Final = 65_536
CONTENT_TYPE: Final = "application/json;charset=UTF-8"


class RestServer:
    """Answers requests of the api, sapi and empty futures families."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue

    async def answer(self, request: web.BaseRequest, path: str, query: str, received_us: int) -> web.Response:
        """One request. Never raises; what is not understood gets a named error."""
        headers = {"Content-Type": CONTENT_TYPE}
        try:
            answer = await self._run(request, path, query, received_us, headers)
        except Reject as reject:
            return refuse(reject, headers)
        except ReplyDropped:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        except Exception:
            # The last resort: a defect of the venue is told as Binance would tell it, and printed for us.
            traceback.print_exc()
            return refuse(Reject(-1000, "An unknown error occurred while processing the request."), headers)
        if answer.order_counts is not None:
            headers["X-MBX-ORDER-COUNT-10S"] = str(answer.order_counts[0])
            headers["X-MBX-ORDER-COUNT-1D"] = str(answer.order_counts[1])
        return web.Response(body=encode(answer.result), headers=headers)

    async def _run(
        self, request: web.BaseRequest, path: str, query: str, received_us: int, headers: dict[str, str]
    ) -> Answer:
        venue, method = self.venue, request.method
        route = ROUTES.get((method, path))
        weight = route.weight if route is not None else 1
        used = venue.limiter.request(request.remote or "", weight, received_us // 1_000)
        headers["X-MBX-USED-WEIGHT"] = headers["X-MBX-USED-WEIGHT-1M"] = str(used)
        if route is None:
            status = 405 if path in PATHS else 404
            raise Reject(-1020, "This operation is not supported.", status=status)
        body = "" if method == "GET" else await read_body(request)
        signed_query, signature = without_signature(query)
        signed_body, body_signature = without_signature(body)
        values = parse_form(signed_query)
        if signed_body:
            # A parameter that comes in both counts as the query has it.
            values = {**parse_form(signed_body), **values}
        if path == "/api/v3/order" and method == "POST":
            venue.note_received(values.get("newClientOrderId", ""), received_us)
        prepared = prepare(
            venue,
            method,
            path,
            route,
            Parameters(values),
            request.headers.get("X-MBX-APIKEY"),
            signed_query + signed_body,
            signature or body_signature,
        )
        if venue.faults.rules:
            return await execute_with_faults(venue, prepared)
        return execute(venue, prepared)


def refuse(reject: Reject, headers: dict[str, str] | None = None) -> web.Response:
    """The answer that carries a Reject."""
    headers = dict(headers or {"Content-Type": CONTENT_TYPE})
    if reject.retry_after_s is not None:
        headers["Retry-After"] = str(reject.retry_after_s)
    return web.Response(status=reject.status, body=encode(reject.body()), headers=headers)


async def read_body(request: web.BaseRequest) -> str:
    """The body as text. Raises Reject when it is too large or no UTF-8."""
    too_large = Reject(-1013, f"The request body is larger than {BODY_BYTES_MAX} bytes.", status=413)
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise too_large
    if not request.can_read_body:
        return ""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise too_large
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Reject(-1100, "Illegal characters found in a parameter.") from None
