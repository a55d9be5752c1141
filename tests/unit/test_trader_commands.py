"""Commands that send an API key: what they say without a key, without a gateway, and to words that are none."""

import socket
from collections.abc import Iterator
from functools import partial

import pytest
from typer.testing import CliRunner

from truetape import trader
from truetape.cli import build
from truetape.client import Client, Unreachable
from truetape.errors import SetupError


def error(words: str) -> BaseException | None:
    return CliRunner().invoke(build(), words.split()).exception


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A gateway's address where nobody listens, and a key."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: connections are refused, and nobody else gets it.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("TRUETAPE_GATEWAY", url)
        monkeypatch.setenv("TRUETAPE_KEY", "tk-1.secret")
        monkeypatch.setattr(trader, "Client", partial(Client, retry_seconds=0.0))
        yield url


@pytest.mark.parametrize("words", ["orders list", "orders submit BUY 1 BTC-USDT", "balances", "positions", "fills"])
def test_without_a_key_it_says_how_to_make_one(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUETAPE_KEY", "")
    found = error(words)
    assert isinstance(found, SetupError)
    assert "TRUETAPE_KEY" in str(found) and "truetape keys create" in str(found)


def test_without_a_gateway_it_says_where_it_looked(nobody: str) -> None:
    found = error("balances")
    assert isinstance(found, Unreachable)
    assert nobody in str(found) and "truetape dev status" in str(found)


def test_an_order_that_nobody_answered_says_how_to_ask_again(nobody: str) -> None:
    found = error("orders submit BUY 0.01 BTC-USDT 60000 --id mine-1")
    assert isinstance(found, Unreachable)
    assert "the same command with --id mine-1 tells" in str(found) and nobody in str(found)


@pytest.mark.parametrize("words", ["orders cancel", "orders cancel x --all", "orders cancel x --instrument BTC-USDT"])
def test_a_cancel_says_which(words: str, nobody: str) -> None:
    found = error(words)
    assert isinstance(found, SetupError) and "--all" in str(found)


def test_an_unknown_form_is_refused_before_anything_is_asked(nobody: str) -> None:
    found = error("fills --format xml")
    assert isinstance(found, SetupError) and "table, json, csv" in str(found)
