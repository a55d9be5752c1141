"""The registry: whoever speaks the Confluent API decodes the tape with it."""

import io
import json
import struct

import fastavro
import httpx
import pytest

from tests.integration.gateway.desk import Desk
from truetape.log import Part
from truetape.schema import released
from truetape.topics import ALL, REFERENCE_EVENTS


@pytest.fixture(scope="module")
def registry(desk: Desk) -> httpx.Client:
    return desk.raw("", f"{desk.url}/registry")


def test_subjects_are_named_by_topic_and_record(registry: httpx.Client) -> None:
    subjects = registry.get("/subjects").json()
    assert "orders.decisions-truetape.OrderAccepted" in subjects
    assert len(subjects) == sum(len(topic.types) for topic in ALL)
    assert registry.get("/schemas/types").json() == ["AVRO"]
    assert registry.get("/config").json() == {"compatibilityLevel": "FULL_TRANSITIVE"}


def test_versions_and_ids_agree(registry: httpx.Client) -> None:
    for version in released():
        by_id = registry.get(f"/schemas/ids/{version.id}")
        assert by_id.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        assert json.loads(by_id.json()["schema"]) == version.schema
    subject = "orders.decisions-truetape.OrderAccepted"
    numbers = registry.get(f"/subjects/{subject}/versions").json()
    latest = registry.get(f"/subjects/{subject}/versions/latest").json()
    assert latest == registry.get(f"/subjects/{subject}/versions/{numbers[-1]}").json()
    assert {latest["subject"], latest["version"]} == {subject, numbers[-1]}
    users = registry.get(f"/schemas/ids/{latest['id']}/versions").json()
    assert users == [{"subject": subject, "version": numbers[-1]}]


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/schemas/ids/99999", 404, 40403),
        ("/schemas/ids/x", 404, 40403),
        ("/subjects/nothing/versions", 404, 40401),
        ("/subjects/nothing/versions/1", 404, 40401),
        ("/subjects/orders.decisions-truetape.OrderAccepted/versions/99", 404, 40402),
        ("/subjects/orders.decisions-truetape.OrderAccepted/versions/x", 422, 42202),
    ],
)
def test_what_is_not_there_is_said_in_the_registrys_words(
    registry: httpx.Client, path: str, status: int, error: int
) -> None:
    found = registry.get(path)
    assert (found.status_code, found.json()["error_code"]) == (status, error)


def test_it_is_read_only(registry: httpx.Client) -> None:
    subject = "/subjects/orders.decisions-truetape.OrderAccepted"
    assert registry.post(f"{subject}/versions", json={"schema": "{}"}).status_code == 405
    assert registry.delete(f"{subject}/versions/1").status_code == 405
    assert registry.put("/config", json={"compatibility": "NONE"}).status_code == 405


def test_a_stranger_decodes_the_tape_with_nothing_else(desk: Desk, registry: httpx.Client) -> None:
    """As any Confluent-compatible consumer does: the id from the bytes, the schema from the registry."""
    part = Part(REFERENCE_EVENTS.name, 0)
    kinds = set()
    for record in desk.log.read({part: (0, desk.log.ends([part])[part][1])}, 30.0):
        magic, schema_id = struct.unpack(">bI", (record.value or b"")[:5])
        assert magic == 0
        schema = json.loads(registry.get(f"/schemas/ids/{schema_id}").json()["schema"])
        decoded = fastavro.schemaless_reader(io.BytesIO((record.value or b"")[5:]), fastavro.parse_schema(schema))
        assert isinstance(decoded, dict)
        kinds.add(schema["name"])
    assert {"Began", "InstrumentSet", "LimitsSet"} <= kinds


def test_confluents_own_client_reads_it(desk: Desk) -> None:
    registry = pytest.importorskip("confluent_kafka.schema_registry", reason="its extra packages are not installed")
    client = registry.SchemaRegistryClient({"url": f"{desk.url}/registry"})
    latest = client.get_latest_version("orders.decisions-truetape.OrderAccepted")
    assert json.loads(client.get_schema(latest.schema_id).schema_str)["name"] == "OrderAccepted"
