"""Settings: what an environment may say, and the page that describes it."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from truetape.cli import build
from truetape.commands.settings import page, rows
from truetape.settings import Settings

ROOT = Path(__file__).parents[2]
SECRET = "correct-horse-battery"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {
        "TRUETAPE_KAFKA": "127.0.0.1:9",
        "TRUETAPE_POSTGRES": f"postgresql://u:{SECRET}@127.0.0.1/d",
        "TRUETAPE_VENUES__ALPHA__REST_URL": "http://127.0.0.1:1",
        "TRUETAPE_VENUES__ALPHA__STREAM_URL": "ws://127.0.0.1:1",
        "TRUETAPE_VENUES__ALPHA__API_SECRET": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == page(), "stale: run `make docs`"


def test_every_setting_has_a_meaning() -> None:
    found = list(rows(None))
    assert len(found) > len(Settings.model_fields)
    assert not [row.name for row in found if not row.description]


def test_venues_are_read_from_nested_names(environment: pytest.MonkeyPatch) -> None:
    venue = Settings().venues["alpha"]
    assert venue.rest_url == "http://127.0.0.1:1"
    assert venue.api_secret.get_secret_value() == SECRET
    assert venue.read_secret.get_secret_value() == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRUETAPE_PORT_BASE", "80"),
        ("TRUETAPE_PORT_BASE", "many"),
        ("TRUETAPE_REPLICATION", "0"),
        ("TRUETAPE_INSTANCE", "with space"),
        ("TRUETAPE_LOG_FORMAT", "xml"),
        ("TRUETAPE_SESSION_TIMEOUT_MS", "5999"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("TRUETAPE_").lower()):
        Settings()


@pytest.mark.parametrize("arguments", [["settings"], ["settings", "--json"], ["settings", "--markdown"]])
def test_no_output_shows_a_secret(arguments: list[str], environment: pytest.MonkeyPatch) -> None:
    shown = CliRunner().invoke(build(), arguments, env={"COLUMNS": "250"})
    assert shown.exit_code == 0
    assert SECRET not in shown.output


def test_json_says_which_secrets_are_set(environment: pytest.MonkeyPatch) -> None:
    shown = json.loads(CliRunner().invoke(build(), ["settings", "--json"]).output)
    value = {row["name"]: row["value"] for row in shown}
    assert value["TRUETAPE_POSTGRES"] == "set"
    assert value["TRUETAPE_REDIS"] == "unset"
    assert value["TRUETAPE_VENUES__ALPHA__API_SECRET"] == "set"
    assert value["TRUETAPE_KAFKA"] == "127.0.0.1:9"
