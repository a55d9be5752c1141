"""A deposit by command: of an asset that is known, at a venue that somebody reconciles."""

import pytest
from typer.testing import CliRunner

from tests.unit.otc_desk import PERP
from truetape import demo
from truetape.cli import build
from truetape.errors import AssetUnknown, SetupError
from truetape.reference import Reference
from truetape.settings import settings

SPOT = {one.instrument_id: one for one in demo.instruments()}


@pytest.mark.parametrize("asset", ["BTC", "USDT"])
def test_assets_of_instruments_are_taken(asset: str) -> None:
    Reference(instruments=SPOT).require_asset(asset)


@pytest.mark.parametrize("asset", ["FOO", "usdt", ""])
def test_other_assets_are_named_with_those_that_are_known(asset: str) -> None:
    with pytest.raises(AssetUnknown, match="BTC, ETH, USDT"):
        Reference(instruments=SPOT).require_asset(asset)


def test_a_contract_is_deposited_in_what_it_settles_in_alone() -> None:
    assert PERP.contract is not None
    assert Reference(instruments={"P": PERP}).assets() == [PERP.contract.settlement_asset]


def test_a_venue_that_nobody_reconciles_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REST_URL", "STREAM_URL"):
        monkeypatch.setenv(f"TRUETAPE_VENUES__ALPHA__{name}", "http://127.0.0.1:1")
    settings.cache_clear()
    try:
        words = ["deposit", "ann", "USDT", "5", "--reference", "r", "--location", "venue:gamma"]
        found = CliRunner().invoke(build(), words)
    finally:
        settings.cache_clear()
    assert isinstance(found.exception, SetupError)
    assert "venue:gamma" in str(found.exception) and "alpha" in str(found.exception)
