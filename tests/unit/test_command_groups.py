"""What the `truetape` command says of its groups, and what it makes of negative numbers."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from truetape import cli
from truetape.errors import MoneyError


@pytest.mark.parametrize("group", ["parked", "trades", "liquidations", "calls", "accounts"])
def test_a_group_lists_by_name(group: str) -> None:
    done = CliRunner().invoke(cli.build(), [group, "list", "--help"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "words",
    ["deposit acme USDT -5 --reference x", "fund pay acme -100 --from bank:main --reason r --reference x",
     "insurance withdraw -0.5 --to bank:main --reason r --reference x"],
)  # fmt: skip
def test_a_negative_amount_is_refused_as_an_amount(words: str) -> None:
    done = CliRunner().invoke(cli.build(), words.split())
    assert isinstance(done.exception, MoneyError)
    assert "must be above zero" in str(done.exception)


def helps(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that lead to it."""
    if verbs := getattr(command, "commands", None):
        for name, verb in verbs.items():
            yield from helps(verb, (*path, name))
    else:
        yield path, command


def test_a_help_leaves_out_nothing_that_stands_in_brackets() -> None:
    app = cli.build()
    told = ""
    for path, command in helps(typer.main.get_command(app)):
        wanted = [re.findall(r"\[[a-z].*?\]", unescaped) for unescaped in map(plain, command.params)]
        if any(wanted):
            told = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "250"}).output
            for text in (text for texts in wanted for text in texts):
                assert text in told, f"{path}: {text}"
    assert told, "there are such helps"


def plain(parameter: Any) -> str:
    return (getattr(parameter, "help", "") or "").replace("\\[", "[")


def test_an_unknown_option_is_still_refused() -> None:
    done = CliRunner().invoke(cli.build(), ["deposit", "acme", "USDT", "5", "--bogus", "x"])
    assert done.exit_code == 2
