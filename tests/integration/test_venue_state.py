"""A venue that is ended and started again on its state file goes on as if nothing had been."""

from pathlib import Path
from typing import Any

import pytest

from truetape.errors import SetupError
from venues.process import VenueProcess, free_port

LIMIT = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}


def place(venue: VenueProcess, side: str, price: str, name: str, **more: Any) -> Any:
    wanted: dict[str, Any] = {**LIMIT, "side": side, "price": price, "newClientOrderId": name, **more}
    status, _, body = venue.signed("POST", "/api/v3/order", **wanted)
    assert status == 200, body
    return body


def everything(venue: VenueProcess) -> dict[str, Any]:
    asked = {
        path: venue.signed("GET", "/api/v3/" + path, symbol="BTCUSDT")[2]
        for path in ("openOrders", "allOrders", "myTrades")
    }
    accounts = venue.admin("GET", "accounts")
    return {**asked, "accounts": sorted(accounts["accounts"], key=str), "conserved": accounts["conserved"]}


def test_accounts_orders_and_fills_survive_a_restart(tmp_path: Path) -> None:
    venue = VenueProcess(free_port(), "omnibus")
    options = ("--rate", "0", "--state", str(tmp_path / "alpha.state"))
    venue.start(*options)
    try:
        for account in (venue.account, venue.account + "-other"):
            venue.deposit("USDT", "10000", f"usdt-{account}", account=account)
            venue.deposit("BTC", "1", f"btc-{account}", account=account)
        place(venue, "SELL", "1000", "filled", key=venue.other_key)
        taken = place(venue, "BUY", "1000", "taken", quantity="0.015")
        place(venue, "BUY", "900", "first")
        place(venue, "BUY", "900", "second", key=venue.other_key)
        before = everything(venue)
        assert venue.stop() == (0, "")
        venue.start(*options)
        assert everything(venue) == before
        assert before["conserved"] is True
        assert venue.deposit("USDT", "10000", f"usdt-{venue.account}")["applied"] is False
        sold = place(venue, "SELL", "900", "after", key=venue.other_key, quantity="0.012")
        assert sold["orderId"] > taken["orderId"]
        assert sold["fills"][0]["tradeId"] > taken["fills"][0]["tradeId"]
        # "taken" rests with 0.005 at 1000; "first" was at 900 before "second" and still is.
        assert [fill["qty"] for fill in sold["fills"]] == ["0.00500000", "0.00700000"]
        (first,) = [order for order in everything(venue)["openOrders"] if order["clientOrderId"] == "first"]
        assert first["executedQty"] == "0.00700000"
        assert everything(venue)["conserved"] is True
    finally:
        venue.stop()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80"])
def test_a_state_file_that_is_not_one_has_a_named_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alpha.state"
    path.write_bytes(content)
    with pytest.raises(SetupError, match=r"is not understood .* move it away to begin anew"):
        VenueProcess(free_port(), "omnibus").start("--state", str(path))


def test_a_state_file_that_can_never_be_written_is_refused_at_once(tmp_path: Path) -> None:
    venue = VenueProcess(free_port(), "omnibus")
    with pytest.raises(SetupError, match="the state cannot be kept in"):
        venue.start("--rate", "0", "--state", str(tmp_path / "missing" / "alpha.state"))


def test_a_state_file_that_cannot_be_written_in_the_end_has_a_named_error(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    venue = VenueProcess(free_port(), "omnibus")
    venue.start("--rate", "0", "--state", str(folder / "alpha.state"))
    folder.rmdir()
    status, errors = venue.stop()
    assert status == 1
    assert "the state could not be written to" in errors
    assert "Traceback" not in errors
