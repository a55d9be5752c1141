"""What processes do with their command line: explain themselves, start nothing by mistake, keep stdout clean."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = ("gateway", "gateway.projection", "risk", "router", "clearing", "pricing", "reconciler")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", PROCESSES)
def test_a_service_explains_itself_and_does_not_start(name: str) -> None:
    done = run("-m", f"services.{name}", "--help")
    assert done.returncode == 0
    assert f"python -m services.{name}" in done.stdout
    assert "Owns" in done.stdout or "Reads" in done.stdout or len(done.stdout) > 300


def test_a_service_refuses_arguments_that_it_does_not_know() -> None:
    done = run("-m", "services.risk", "--partition", "3")
    assert done.returncode == 2
    assert "unrecognized arguments: --partition 3" in done.stderr


LOGGING_COMMAND = """
import sys, structlog, truetape.cli
sys.argv = ["truetape", "--help"]
try:
    truetape.cli.main()
except SystemExit:
    structlog.get_logger().error("a strange record")
"""


def test_what_a_command_logs_is_not_in_its_output() -> None:
    done = run("-c", LOGGING_COMMAND)
    assert "a strange record" in done.stderr
    assert "a strange record" not in done.stdout
