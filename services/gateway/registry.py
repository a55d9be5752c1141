"""The read-only schema registry: the Confluent API over the released schemas, so that others can decode the tape.

Subjects are named by topic and record (TopicRecordNameStrategy), since a topic carries several types in one order.
"""

import json
from functools import cache
from typing import Any, Final

from starlette.responses import Response

from services.gateway.problems import Problem
from services.gateway.routing import Call, Routes
from truetape.schema import Version, released
from truetape.topics import ALL

routes = Routes("registry")
MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
COMPATIBILITY: Final = "FULL_TRANSITIVE"


@cache
def subjects() -> dict[str, list[Version]]:
    """Versions of every subject, oldest first."""
    found: dict[str, list[Version]] = {}
    for topic in ALL:
        for kind in topic.types:
            record = f"truetape.{kind.__name__}"
            found[f"{topic.name}-{record}"] = [version for version in released() if version.record == record]
    return found


def _answer(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, media_type=MEDIA_TYPE)


def _error(code: int, message: str) -> Response:
    return _answer({"error_code": code, "message": message}, int(str(code)[:3]))


def _described(subject: str, version: Version) -> dict[str, Any]:
    return {
        "subject": subject, "version": version.version, "id": version.id, "schemaType": "AVRO",
        "schema": json.dumps(version.schema, separators=(",", ":")),
    }  # fmt: skip


def _by_id(text: str) -> Version | None:
    return next((version for version in released() if str(version.id) == text), None)


@routes.add("GET", "/registry/schemas/ids/{id}", "public", answers={200: None})
async def get_schema_by_id(call: Call) -> Response:
    """A schema by its id, as the wire format names it."""
    version = _by_id(_path(call, "id"))
    if version is None:
        return _error(40403, "Schema not found")
    return _answer({"schema": json.dumps(version.schema, separators=(",", ":"))})


@routes.add("GET", "/registry/schemas/ids/{id}/versions", "public", answers={200: None})
async def get_versions_of_schema(call: Call) -> Response:
    """Subjects and versions that use a schema id."""
    version = _by_id(_path(call, "id"))
    if version is None:
        return _error(40403, "Schema not found")
    return _answer(
        [{"subject": name, "version": version.version} for name, known in subjects().items() if version in known]
    )


@routes.add("GET", "/registry/schemas/types", "public", answers={200: None})
async def get_schema_types(call: Call) -> Response:
    """The one schema type."""
    return _answer(["AVRO"])


@routes.add("GET", "/registry/subjects", "public", answers={200: None})
async def list_subjects(call: Call) -> Response:
    """All subjects: topic-record."""
    return _answer(sorted(subjects()))


@routes.add("GET", "/registry/subjects/{subject}/versions", "public", answers={200: None})
async def list_subject_versions(call: Call) -> Response:
    """Version numbers of a subject."""
    known = subjects().get(_path(call, "subject"))
    if known is None:
        return _error(40401, "Subject not found")
    return _answer([version.version for version in known])


@routes.add("GET", "/registry/subjects/{subject}/versions/{version}", "public", answers={200: None})
async def get_subject_version(call: Call) -> Response:
    """A version of a subject, by its number or `latest`."""
    subject, wanted = _path(call, "subject"), _path(call, "version")
    known = subjects().get(subject)
    if known is None:
        return _error(40401, "Subject not found")
    if wanted in ("latest", "-1"):
        return _answer(_described(subject, known[-1]))
    if not wanted.isdecimal():
        return _error(42202, "The specified version is not a valid version id")
    found = next((version for version in known if str(version.version) == wanted), None)
    return _answer(_described(subject, found)) if found else _error(40402, "Version not found")


@routes.add("GET", "/registry/config", "public", answers={200: None})
async def get_registry_config(call: Call) -> Response:
    """The compatibility that every change must have."""
    return _answer({"compatibilityLevel": COMPATIBILITY})


def _path(call: Call, name: str) -> str:
    try:
        return call.path(name)
    except Problem:
        return ""
