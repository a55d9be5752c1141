"""Docker Compose's files: secrets are generated, nothing has a default one, images and ports agree with the code."""

import re
import shutil
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from truetape.dev.compose import ensure_env_file, host_environment
from truetape.dev.home import read_environment
from truetape.dev.servers import IMAGES
from truetape.dev.services import SERVICES
from truetape.errors import SetupError
from truetape.settings import PORT_OFFSETS

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
TEXT = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = read_environment(ROOT / ".env.example")
SECRETS = [name for name, value in EXAMPLE.items() if not value]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / ".env.example", tmp_path)
    return tmp_path


def test_an_absent_env_file_is_written_with_random_secrets(folder: Path) -> None:
    assert ensure_env_file(folder)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    written = read_environment(folder / ".env")
    assert len(SECRETS) == 11
    assert len({written[name] for name in SECRETS}) == len(SECRETS)
    assert all(len(written[name]) == 48 for name in SECRETS)
    assert {name: written[name] for name in EXAMPLE if EXAMPLE[name]} == {k: v for k, v in EXAMPLE.items() if v}


def test_a_present_env_file_is_left_alone_or_found_lacking(folder: Path) -> None:
    ensure_env_file(folder)
    before = (folder / ".env").read_text()
    assert not ensure_env_file(folder)
    assert (folder / ".env").read_text() == before
    (folder / ".env").write_text(re.sub("REDIS_PASSWORD=.*\n", "", before))
    with pytest.raises(SetupError, match="says nothing for REDIS_PASSWORD"):
        ensure_env_file(folder)


def test_a_client_on_the_host_finds_everything(folder: Path) -> None:
    with pytest.raises(SetupError, match="make up"):
        host_environment(folder)
    ensure_env_file(folder)
    found = host_environment(folder)
    secret = read_environment(folder / ".env")
    assert found["TRUETAPE_KAFKA"] == "127.0.0.1:18092"
    assert found["TRUETAPE_REDIS"] == f"redis://:{secret['REDIS_PASSWORD']}@127.0.0.1:18079/0"
    assert found["TRUETAPE_VENUES__BETA__REST_URL"] == "http://127.0.0.1:18102"
    assert found["TRUETAPE_VENUES__BETA__READ_KEY"] == secret["TRUETAPE_VENUES__BETA__READ_KEY"]


def test_the_environment_goes_before_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_env_file(folder)
    monkeypatch.setenv("KAFKA_PORT", "4711")
    assert host_environment(folder)["TRUETAPE_KAFKA"] == "127.0.0.1:4711"


def test_ports_are_those_of_the_native_stack() -> None:
    for name in ("kafka", "postgres", "redis", "gateway", "alpha", "beta"):
        assert EXAMPLE[f"{name.upper()}_PORT"] == str(18_000 + PORT_OFFSETS[name])


def test_images_are_pinned_and_those_of_the_tests() -> None:
    assert {name: EXAMPLE[f"{name.upper()}_IMAGE"] for name in IMAGES} == IMAGES
    for name, value in EXAMPLE.items():
        if name.endswith("_IMAGE"):
            assert not value.endswith("latest") and ":" in value
            assert f"${{{name}:-{value}}}" in TEXT


def test_every_secret_is_demanded_and_none_has_a_default() -> None:
    for name in SECRETS:
        assert f"${{{name}:?" in TEXT
        assert not re.search(rf"\$\{{{name}:?-", TEXT)


def test_every_published_port_is_on_loopback() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert len(published) == 13
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_container_is_bounded_checked_and_comes_back() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert service["read_only"] is True, name
        assert {"mem_limit", "healthcheck", "stop_grace_period", "logging"} <= service.keys(), name
        assert "container_name" not in service, name


def test_each_process_of_the_native_stack_is_a_container_with_the_same_command() -> None:
    native = {service.name: ["python", "-m", service.module] for service in SERVICES}
    assert {name: COMPOSE["services"][name]["command"] for name in native} == native
    expected = {"kafka", "postgres", "redis", "topics", "alpha", "beta", *native}
    assert set(COMPOSE["services"]) == expected
    for service in SERVICES:
        check = COMPOSE["services"][service.name]["healthcheck"]["test"]
        assert check == ["CMD", "scripts/healthy", str(18_000 + PORT_OFFSETS[service.name]), "/health/ready"]


def test_no_service_is_given_secrets_it_has_no_use_for() -> None:
    for service in SERVICES:
        given = COMPOSE["services"][service.name]["environment"]
        stores = {name for name in given if name in ("TRUETAPE_POSTGRES", "TRUETAPE_REDIS")}
        assert stores == {f"TRUETAPE_{store.upper()}" for store in service.stores}
        fields = {name.rpartition("__")[2] for name in given if name.startswith("TRUETAPE_VENUES__")}
        assert fields == set(service.venue_fields)


def test_the_lock_holds_what_the_project_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()
    pins = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for pin in (re.sub(r"\[.*?\]", "", pin).lower() for pin in pins if "==" in pin):
        assert f"\n{pin}\n" in locked, f"{pin}: run `make lock`"
