"""The glance at all accounts: whoever it lets pass has the margin that the exact look says, whatever is held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.booking import ledger
from services.clearing.booking.contracts import Held as Kept
from services.clearing.margining import glance, margin
from services.clearing.state import Account, Listed, State
from tests.unit.contract_desk import E8, START_US, instrument, terms
from tests.unit.margin_desk import LAW
from tests.unit.margin_stage import ETH, OPTIONS, PERP, published
from truetape import messages as m
from truetape.errors import MarginError
from truetape.margin.account import assess
from truetape.margin.published import Published

FLAT = "BTC-USDT-FLAT"
NAMES = (FLAT, PERP, ETH, *OPTIONS)
FUNDED_E18 = 3 * 10**17
"""Funding of one contract so far."""
MODELS = ("portfolio_v1", "portfolio_v2", "standard")
Holding = tuple[float, float, float, bool]
"""Contracts, cost, profit not yet paid, and whether its funding is paid."""
HOLDINGS: st.SearchStrategy[Holding] = st.tuples(
    st.integers(-300, 300).map(lambda hundredths: hundredths / 100), st.integers(-9, 9).map(lambda one: one * 1000.0),
    st.sampled_from([0.0, 0.0, 12.5, -70.0]), st.booleans(),
)  # fmt: skip


def market(model: str, collateral: bool = False) -> Published:
    """One more perpetual, of the flat schedule; with BTC as collateral that a portfolio model shocks, or without."""
    seen = published(model)
    seen.reference.instruments[FLAT] = instrument(FLAT, terms())
    seen.marks.newest[FLAT] = replace(seen.marks.newest[PERP], instrument_id=FLAT)
    if collateral:
        seen.reference.collateral["BTC"] = m.CollateralAsset(
            "BTC", "USDT", 1, "BTC-USDT", E8 // 10, E8, 0, 1, 60_000_000, cancels_risk=True
        )
    return seen


def books(accounts: dict[str, dict[str, Holding]], cash: dict[str, float]) -> State:
    """Clearing's state with these holdings; funding of PERP has moved."""
    state = State(contracts={PERP: Listed(funding_index_e18=str(FUNDED_E18))})
    for account_id, holdings in accounts.items():
        account = state.accounts[account_id] = Account()
        state.balances[ledger.client(account_id)] = {"USDT": round(cash[account_id] * E8), "BTC": E8 // 2}
        for name, (contracts, cost, unpaid, paid) in holdings.items():
            scale = 1 if name in OPTIONS else 100
            account.positions[name] = m.Position(name, round(contracts * scale * E8), round(cost * E8), E8)
            index = str(FUNDED_E18) if paid and name == PERP else "0"
            account.contracts[name] = Kept(E8 - round(unpaid * E8), index)
    return state


def short(state: State, seen: Published, account_id: str) -> bool:
    """Whether the exact look finds less than the initial need, or cannot tell."""
    held = margin.held_by(state, state.accounts[account_id])
    try:
        found = assess(state.balances[ledger.client(account_id)], held, seen)
    except MarginError:
        return True
    return any(one.initial_excess_e8 < 0 for one in found.values())


@LAW
@given(st.sampled_from(MODELS), st.booleans(), st.data())
def test_nobody_who_is_short_passes(model: str, collateral: bool, data: st.DataObject) -> None:
    """At cash around the need of each, to the last unit."""
    seen = market(model, collateral)
    missing = data.draw(st.sets(st.sampled_from((*NAMES, "BTC-USDT")), max_size=1))
    aged = data.draw(st.sets(st.sampled_from((*NAMES, "BTC-USDT")), max_size=1)) - missing
    for name in aged:
        seen.marks.newest[name] = replace(seen.marks.newest[name], observed_at_us=START_US - 10**9)
    for name in missing:
        del seen.marks.newest[name]
    accounts = {
        f"account-{number}": data.draw(st.dictionaries(st.sampled_from(NAMES), HOLDINGS, max_size=5))
        for number in range(3)
    }
    state = books(accounts, dict.fromkeys(accounts, 0.0))
    for account_id in accounts:
        held = margin.held_by(state, state.accounts[account_id])
        try:
            needs = assess({}, held, seen).get("USDT")
        except MarginError:
            continue
        off_e8 = data.draw(st.sampled_from([-(10**9), -1, 0, 1, 10**9]))
        state.balances[ledger.client(account_id)]["USDT"] = off_e8 - (needs.initial_excess_e8 if needs else 0)
    count, found = glance.doubtful(state, seen)
    holders = [name for name in accounts if margin.held_by(state, state.accounts[name])]
    assert count == len(holders)
    assert found == sorted(set(found))
    assert {name for name in holders if short(state, seen, name)} <= set(found) <= set(holders)


@pytest.mark.parametrize("model", ["portfolio_v1", "portfolio_v2"])
def test_who_has_plenty_passes_with_funding_due_and_beside_who_has_not(model: str) -> None:
    call, put = list(OPTIONS)[:2]
    holdings: dict[str, Holding] = {
        PERP: (2.0, 1000.0, 3.0, False), FLAT: (-1.0, -600.0, 0.0, True), call: (-1.0, -900.0, 0.0, True),
        put: (2.0, 1800.0, 0.0, True),
    }  # fmt: skip
    state = books({"poor": holdings, "rich": holdings, "without": {}}, {"poor": -1e6, "rich": 1e6, "without": 0.0})
    seen = market(model)
    assert glance.doubtful(state, seen) == (2, ["poor"])
    assert glance.doubtful(state, market(model, collateral=True)) == (2, ["poor", "rich"])
    del seen.marks.newest[put]
    assert glance.doubtful(state, seen) == (2, ["poor", "rich"])


def test_a_glance_that_forgets_what_models_need_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    state, seen = books({"poor": {PERP: (3.0, 180_000.0, 0.0, True)}}, {"poor": 2.0}), market("portfolio_v2")
    assert glance.doubtful(state, seen) == (1, ["poor"])
    monkeypatch.setattr(glance.Sums, "scan", lambda *_: None)
    assert short(state, seen, "poor")
    assert glance.doubtful(state, seen) == (1, [])
