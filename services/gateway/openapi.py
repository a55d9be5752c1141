"""The API's description: OpenAPI 3.1, generated from the routes and the types of their bodies and answers."""

import ast
import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from services.gateway.examples import EXAMPLES, PENDING
from services.gateway.problems import CODES, MEDIA_TYPE, TYPE_PREFIX
from services.gateway.requests import END, NoQuery
from services.gateway.routing import JSON_TYPE, POSITION_HEADER, REQUEST_ID_HEADER, Route
from truetape import api as a
from truetape import api_default, api_margin, api_members, api_reports, api_trades

REF: Final = "#/components/schemas/{name}"
_EVERY: Final = ("internal_error",)
_GUARDED: Final = (
    "unauthenticated", "key_expired", "key_revoked", "timestamp_outside_window", "scope_missing", "account_missing",
    "rate_limited", "starting",
)  # fmt: skip
_BODY: Final = (
    "malformed_json", "duplicate_key", "invalid_field", "missing_field", "unknown_field", "unsupported_media_type",
    "body_too_large", "body_too_slow",
)  # fmt: skip
_QUERY: Final = ("invalid_field", "unknown_field")

_ABOUT: Final = """Trade execution and clearing on one replayable log.

Send `Authorization: Bearer <key id>.<secret>`. Prices, quantities and amounts are decimal strings, never JSON numbers.
Errors are RFC 9457 problem documents: `code` is stable, `detail` is for people. Every answer to a command carries
`Truetape-Position`, its place on the tape; a read on any worker waits until it sees what was answered, and a client may
send the header itself. `Truetape-Timestamp` (milliseconds) on a request refuses it outside of five seconds.
"""
"""The front page of the description."""


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    used: list[type[Struct]] = [a.ProblemDocument]
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
        used += [kind for kind in (route.body, *route.answers.values()) if kind is not None]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Truetape", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": _schemas(used),
            "examples": {code: _problem_example(code) for code in CODES},
            "headers": {name: {"description": about, "schema": {"type": "string"}} for name, about in _HEADERS.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "key_id.secret"}},
        },
    }


def problems_of(route: Route) -> list[str]:
    """Codes of all problems that a route can answer, each once."""
    codes = [*(_GUARDED if route.scope != "public" else ()), *(_BODY if route.body else ()), *route.problems, *_EVERY]
    return list(dict.fromkeys(codes + list(_QUERY if route.query is not NoQuery else ())))


def responses_of(route: Route) -> dict[int | str, dict[str, Any]]:
    """Descriptions of all answers of a route, problems included."""
    found: dict[int | str, dict[str, Any]] = {
        status: _answer(kind, PENDING if status == 202 else EXAMPLES) for status, kind in route.answers.items()
    }
    by_status: dict[int, list[str]] = {}
    for code in problems_of(route):
        by_status.setdefault(CODES[code][0], []).append(code)
    for status, codes in sorted(by_status.items()):
        found.setdefault(status, _problem(codes))
    return found


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route.query), *_header_parameters(route)],
        "responses": {str(status): answer for status, answer in responses_of(route).items()},
        "security": [{"key": [route.scope]}] if route.scope != "public" else [],
        "x-truetape-scope": route.scope,
    }
    if route.description:
        operation["description"] = route.description
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON_TYPE: _content(route.body)}}
    return operation


def _content(kind: type[Struct], examples: Mapping[str, Any] = EXAMPLES) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": REF.format(name=kind.__name__)}}
    if kind.__name__ in examples:
        content["example"] = examples[kind.__name__]
    return content


def _answer(kind: type[Struct] | None, examples: Mapping[str, Any]) -> dict[str, Any]:
    if kind is None:
        return {"description": "As described", "headers": _headers()}
    about = (kind.__doc__ or "").partition("\n")[0]
    return {"description": about, "headers": _headers(), "content": {JSON_TYPE: _content(kind, examples)}}


def _problem(codes: list[str]) -> dict[str, Any]:
    schema = {"$ref": REF.format(name=a.ProblemDocument.__name__)}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    return {
        "description": ", ".join(codes),
        "headers": _headers(),
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def _problem_example(code: str) -> dict[str, Any]:
    status, title = CODES[code]
    value = {"type": TYPE_PREFIX + code, "title": title, "status": status, "detail": "...", "code": code}
    return {"value": value}


def _headers() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}


_HEADERS: Final = {
    REQUEST_ID_HEADER: "Names the request in the logs; sent back when given",
    POSITION_HEADER: "topic/partition@offset of the answer on the tape",
}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(query: type[Struct]) -> list[dict[str, Any]]:
    schema = _schemas([query])[query.__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": inner}
        for name, inner in schema["properties"].items()
    ]


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    names = ["Truetape-Timestamp"] if route.scope != "public" else []
    names += [POSITION_HEADER] if route.waits else []
    names += ["Idempotency-Key"] if route.method == "POST" and route.operation_id != "create_key" else []
    names += ["Last-Event-ID"] if route.operation_id == "stream_events" else []
    return [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in names]


# -- schemas ---------------------------------------------------------------------------------------------------------


def _schemas(kinds: list[type[Struct]]) -> dict[str, Any]:
    """JSON schemas of the types and of all types within them, with the words of their docstrings."""
    _, components = msgspec.json.schema_components(kinds, ref_template=REF)
    for name, schema in components.items():
        words = _field_words(name)
        for field, inner in schema.get("properties", {}).items():
            if field in words and "$ref" not in inner:
                inner["description"] = words[field]
    described: dict[str, Any] = json.loads(json.dumps(components).replace(json.dumps(END)[1:-1], "$"))
    return dict(sorted(described.items()))


@cache
def _field_words(name: str) -> dict[str, str]:
    """The string below each field of a type in truetape/api*.py or the requests."""
    from services.gateway import bids, default_requests, margin_requests, member_requests, requests, trade_requests

    modules = (
        a, api_default, api_margin, api_members, api_reports, api_trades, requests, default_requests, margin_requests,
        member_requests,
        trade_requests, bids,
    )  # fmt: skip
    kind = next((found for module in modules if (found := getattr(module, name, None))), None)
    if kind is None:
        return {}
    [definition] = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            found[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return found


if __name__ == "__main__":
    from services.gateway.app import ROUTES

    sys.stdout.write(json.dumps(document(ROUTES), indent=1) + "\n")
