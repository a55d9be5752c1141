"""Units: their order, and what a stack refuses."""

import fcntl
import sys
from pathlib import Path

import pytest

from truetape.dev import ProgramMissing, Stack, StartFailed, free_base
from truetape.dev.process import Command
from truetape.dev.unit import Unit, in_order
from truetape.errors import SetupError


def test_layers_put_needs_first() -> None:
    units = [Unit("c", needs=("b", "elsewhere")), Unit("b", needs=("a",)), Unit("a"), Unit("d")]
    assert [{unit.name for unit in layer} for layer in in_order(units)] == [{"a", "d"}, {"b"}, {"c"}]


def test_a_circle_is_refused() -> None:
    with pytest.raises(SetupError, match="circle: a, b"):
        in_order([Unit("a", needs=("b",)), Unit("b", needs=("a",))])


def test_every_need_of_the_stack_is_one_of_its_units(tmp_path: Path) -> None:
    units = Stack(tmp_path / "home").units
    assert {need for unit in units for need in unit.needs} <= {unit.name for unit in units}
    ports = [port for unit in units for port in unit.ports]
    assert len(ports) == len(set(ports)) == 14


def test_an_unknown_unit_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"kafak: choose from kafka, postgres, redis"):
        Stack(tmp_path / "home", only=["kafak"])
    with pytest.raises(SetupError, match="no unit is called nobody"):
        Stack(tmp_path / "home").pid("nobody")


def test_a_look_at_a_stack_writes_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home")
    assert {line.state for line in stack.status()} == {"stopped"}
    stack.down()
    assert not list(tmp_path.iterdir())


def test_two_looks_at_a_home_agree_on_its_secrets(tmp_path: Path) -> None:
    first = Stack(tmp_path / "home", 20_000, only=())
    first.up()
    again = Stack(tmp_path / "home")
    assert again.environment() == first.environment()
    assert again.port_base == 20_000


def test_secrets_written_meanwhile_are_not_overwritten(tmp_path: Path) -> None:
    late = Stack(tmp_path / "home", only=())
    Stack(tmp_path / "home", only=()).up()
    with pytest.raises(SetupError, match="run `up` again"):
        late.up()


def test_only_a_running_unit_can_be_killed(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="redis does not run"):
        Stack(tmp_path / "home").kill("redis")


def test_who_ends_at_once_is_named_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho no such thing; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    stack = Stack(tmp_path / "home", free_base(), only=["clearing"])
    with pytest.raises(StartFailed, match=r"clearing ended before .*clearing\.log:\n    no such thing\n.*What to do"):
        stack.up()
    assert stack.pid("clearing") is None


def test_what_needs_a_failed_unit_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    stack = Stack(tmp_path / "home", free_base(), only=["kafka", "topics", "clearing"])
    with pytest.raises(ProgramMissing):
        stack.up()
    assert not stack.home.log("clearing").exists()


def test_a_second_up_at_once_is_refused(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", only=())
    stack.up()
    with (tmp_path / "home" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SetupError, match="another `up` is at work"):
            stack.up()


@pytest.mark.parametrize("base", [-5, 0, 80, 60_001, 65_530])
def test_a_port_base_without_room_is_refused_by_name(tmp_path: Path, base: int) -> None:
    with pytest.raises(SetupError, match="choose one from 1024 to 60000"):
        Stack(tmp_path / "home", base)


def test_a_further_unit_starts_by_name_and_ends_with_all(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", 20_000, only=())
    stack.up()
    sleeper = Command([sys.executable, "-c", "import time; time.sleep(60)"], {}, tmp_path)
    stack.add(Unit("further", command=lambda: sleeper))
    with pytest.raises(SetupError, match="already: choose another name"):
        stack.add(Unit("further"))
    stack.up()
    assert stack.pid("further") is None, "up starts only what was chosen"
    stack.start("further")
    assert stack.pid("further")
    stack.down()
    assert stack.pid("further") is None


def test_settings_by_unit_reach_that_unit_alone(tmp_path: Path) -> None:
    proxied = {"TRUETAPE_POSTGRES": "postgresql://elsewhere"}
    stack = Stack(tmp_path / "home", 20_000, by_unit={"projection": proxied})
    asked = {
        unit.name: unit.command() for unit in stack.units if unit.name in ("projection", "gateway") and unit.command
    }
    assert asked["projection"].environment["TRUETAPE_POSTGRES"] == "postgresql://elsewhere"
    assert asked["gateway"].environment["TRUETAPE_POSTGRES"] == stack.environment()["TRUETAPE_POSTGRES"]
