"""When an account is called and when a call is withdrawn: at the level, at the least amount, at the initial need."""

import pytest

from services.clearing.booking.netting import Payments
from services.clearing.booking.payments import unsaid
from services.clearing.booking.volume import DAY_US, fees_now
from services.clearing.margining.margincalls import wanted
from services.clearing.state import State
from truetape.default import calls
from truetape.margin.account import AssetMargin
from truetape.messages import CallTerms, Fees, FeeTier
from truetape.money import ONE_E8


def margin(equity_e8: int) -> AssetMargin:
    """An initial need of 100 and a maintenance need of 50: half-way is 75."""
    return AssetMargin("USDT", equity_e8, 0, 100, 50, "", (), {}, ())


@pytest.mark.parametrize(
    ("equity", "least", "action"),
    [
        (75, 1,  ("", 0)),        # at the level
        (74, 1,  ("CALL", 26)),
        (74, 26, ("CALL", 26)),   # just worth it
        (74, 27, ("", 0)),
    ],
)  # fmt: skip
def test_an_account_below_the_level_is_called_for_what_is_worth_it(
    equity: int, least: int, action: tuple[str, int]
) -> None:
    assert wanted(State(), "ann", margin(equity), CallTerms(1, 1, ONE_E8 // 2, least), 0) == action


@pytest.mark.parametrize(("equity", "action"), [(99, ""), (100, "RECOVER"), (101, "RECOVER")])
def test_a_call_is_withdrawn_at_the_initial_need(equity: int, action: str) -> None:
    state = State()
    call = calls.called("ann", "USDT", 26, 0, 1, 1, "short")
    state.watch.calls[call.call_id] = call
    assert wanted(state, "ann", margin(equity), CallTerms(1, 1, ONE_E8 // 2, 1), 0) == (action, 0)


@pytest.mark.parametrize(("traded", "taker"), [(99, 500), (100, 400), (101, 400)])
def test_a_tier_is_reached_at_its_volume(traded: int, taker: int) -> None:
    fees = Fees(100, 500, (FeeTier("USDT", 100, 50, 400),))
    assert fees_now(fees, {"USDT": [(9, traded)]}, 10 * DAY_US).taker_rate_e8 == taker


@pytest.mark.parametrize(
    ("netted", "day"), [("", "1970-01-11"), ("1970-01-10", "1970-01-11"), ("1970-01-11", "1970-01-12")]
)
def test_an_entry_that_says_nothing_on_a_day_that_is_netted_is_due_the_day_after(netted: str, day: str) -> None:
    assert unsaid(Payments({}, netted), "USDT", 10 * DAY_US + 1) == day
