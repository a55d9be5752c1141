"""The home folder's environment file, and who gets which secret."""

import json
import stat
from pathlib import Path

import pytest

from truetape.dev.home import environment, read_environment, secrets_of, venue_keys, write_environment
from truetape.dev.services import SERVICES, service_environment, service_unit, venue_unit
from truetape.errors import SetupError
from truetape.settings import Settings

KNOWN = environment(20_000, secrets_of({}))
SECRETS = set(secrets_of(KNOWN).values())


def test_secrets_are_random_long_and_all_different() -> None:
    assert len(SECRETS) == len(secrets_of(KNOWN)) == 11
    assert all(len(secret) == 48 for secret in SECRETS)
    assert SECRETS.isdisjoint(secrets_of({}).values())


def test_secrets_survive_a_change_of_ports() -> None:
    moved = environment(30_000, secrets_of(KNOWN))
    assert secrets_of(moved) == secrets_of(KNOWN)
    assert moved["TRUETAPE_KAFKA"] == "127.0.0.1:30092"


def test_the_file_is_private_and_read_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("old")
    path.chmod(0o644)
    write_environment(path, KNOWN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_environment(path) == KNOWN
    assert [file.name for file in tmp_path.iterdir()] == ["env"], "no draft stays"


def test_a_damaged_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# fine\nTRUETAPE_KAFKA=x\nnonsense\n")
    with pytest.raises(SetupError, match="env line 3"):
        read_environment(tmp_path / "env")


def test_the_environment_is_what_settings_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KNOWN.items():
        monkeypatch.setenv(name, value)
    found = Settings()
    assert found.kafka == "127.0.0.1:20092"
    assert sorted(found.venues) == ["alpha", "beta"]
    assert found.venues["beta"].rest_url == f"http://127.0.0.1:{found.port('beta')}"


def test_venue_keys_tell_trading_from_reading() -> None:
    trading, reading = json.loads(venue_keys("alpha", KNOWN))
    assert trading["api_key"] == KNOWN["TRUETAPE_VENUES__ALPHA__API_KEY"]
    assert trading["permissions"] == ["TRADE", "USER_DATA"]
    assert reading["secret"] == KNOWN["TRUETAPE_VENUES__ALPHA__READ_SECRET"]
    assert reading["permissions"] == ["USER_DATA"]
    assert trading["account"] == reading["account"]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_each_service_gets_its_own_secrets_only(service: object) -> None:
    expected = {
        "gateway": {"POSTGRES", "REDIS"},
        "projection": {"POSTGRES", "REDIS"},
        "router": {"ALPHA_API_KEY", "ALPHA_API_SECRET", "BETA_API_KEY", "BETA_API_SECRET"},
        "reconciler": {"ALPHA_READ_KEY", "ALPHA_READ_SECRET", "BETA_READ_KEY", "BETA_READ_SECRET"},
    }
    found = next(one for one in SERVICES if one is service)
    text = json.dumps(service_environment(found, KNOWN))
    got = {name for name, secret in secrets_of(KNOWN).items() if secret in text}
    assert got == expected.get(found.name, set())


def test_no_argument_list_holds_a_secret() -> None:
    units = [service_unit(service, KNOWN) for service in SERVICES] + [venue_unit("alpha", KNOWN, Path("alpha.state"))]
    for unit in units:
        assert unit.command is not None
        words = " ".join(unit.command().argv)
        assert not [secret for secret in SECRETS if secret in words]
        assert unit.name == "alpha" or unit.name in words
