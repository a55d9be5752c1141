"""Reports of an account that nobody has opened say so, and do not show it as an empty one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.test_contract_stage import ContractStage
from truetape import reports
from truetape.cli import build
from truetape.errors import AccountUnknown


@pytest.mark.parametrize("words", [("margin", "show", "nobody"), ("statement", "nobody", "--day", "2026-11-26")])
def test_nobody_is_unknown(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    stage = ContractStage()

    @contextmanager
    def reading(form: str, name: str) -> Iterator[tuple[Any, float]]:
        yield stage.broker.log("reader"), 5.0

    monkeypatch.setattr(reports, "reading", reading)
    found = CliRunner().invoke(build(), list(words))
    assert isinstance(found.exception, AccountUnknown) and found.exit_code == 1
