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


def test_a_deposit_to_nowhere_is_told_what_is_allowed_before_anything_is_sent() -> None:
    done = run("-m", "truetape.cli", "deposit", "ann", "USDT", "1", "--reference", "r", "--location", "mars")
    assert done.returncode == 1
    assert "'mars'" in done.stderr and "venue:, bank:, custody: and its name" in done.stderr


WIDE_COMMAND = """
import truetape.cli
from rich.console import Console
from truetape.audit import PartitionReport, Report
from truetape.commands.audit import show
numbers = 123456, 1, 1, 1, 12, 123456
names = "reconciler", "reconciliation.breaks"
parts = [PartitionReport(*names, p, *numbers, "0" * 64, "equal", "not running") for p in (6, 7)]
report = Report(True, parts, [], [], [], 0, None, {}, {}, {}, 1, 1.0)
truetape.cli.build = lambda: lambda prog_name: show(report, Console())
truetape.cli.main()
"""


def test_a_table_in_a_pipe_shows_what_tells_its_rows_apart() -> None:
    done = run("-c", WIDE_COMMAND)
    assert "reconciliation.breaks/6" in done.stdout and "reconciliation.breaks/7" in done.stdout, done.stderr
    assert "not running" in done.stdout.splitlines()[1]
