"""What the `truetape` command says of its groups, and what it makes of negative numbers."""

import pytest
from typer.testing import CliRunner

from truetape import cli
from truetape.commands.drill import shocked
from truetape.errors import MoneyError, SetupError


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


def test_an_unknown_option_is_still_refused() -> None:
    done = CliRunner().invoke(cli.build(), ["deposit", "acme", "USDT", "5", "--bogus", "x"])
    assert done.exit_code == 2


def test_no_mark_falls_by_more_than_all() -> None:
    assert shocked("-1") == -100_000_000
    with pytest.raises(SetupError, match="falls by more"):
        shocked("-1.5")
