"""The gateway's core: reference commands become events once, and bad ones are refused by name."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.gateway import rendering
from services.gateway.core import COMMANDS_KEPT, SERVICE, State, accounts, decide, evolve
from truetape import ids
from truetape import messages as m
from truetape.instruments import instrument_from
from truetape.marks import Marks
from truetape.messages import Cause
from truetape.money import ONE_E8
from truetape.reference import Reference
from truetape.service import Input, Tables
from truetape.topics import REFERENCE_COMMANDS, REFERENCE_EVENTS

NOW_US = 1_700_000_000_000_000
LISTING = m.Listing("alpha", "BTCUSDT", 10**6, 1_000, 1_000, 5 * ONE_E8, 100_000, 100_000)
INSTRUMENT = m.Instrument(
    "BTC-USDT", "BTC", "USDT", 10**6, 1_000, 1_000, 100 * ONE_E8, 5 * ONE_E8, 10**7 * ONE_E8, True, (LISTING,)
)
KEY = m.ApiKey(
    key_id="k-1", secret_sha256=hashlib.sha256(b"secret").hexdigest(), account_id="acme", scopes=("read", "trade"),
    requests_per_second=100, revoked=False,
)  # fmt: skip
LIMITS = m.Limits(ONE_E8, 10, 10, 10**7, 1_000_000)


class Tape:
    """A state and the offset of the next command."""

    def __init__(self) -> None:
        self.state, self.offset, self.sequence = State(), 0, 1

    def ask(self, command: Any) -> Any:
        cause = Cause(REFERENCE_COMMANDS.name, 0, self.offset, "")
        tables = Tables(Reference(), Marks())
        event = decide(self.state, Input(command, cause, NOW_US, REFERENCE_EVENTS.name, 1, self.sequence, tables))
        self.offset += 1
        if event is not None:
            self.sequence += 1
            self.state = evolve(self.state, event)
        return event


@pytest.fixture
def tape() -> Tape:
    tape = Tape()
    tape.ask(m.OpenAccount("open-acme", "op", "acme", "Acme"))
    return tape


def instrument(**changes: Any) -> Any:
    return m.SetInstrument("c", "op", replace(INSTRUMENT, **changes))


def listing(**changes: Any) -> Any:
    return instrument(listings=(replace(LISTING, **changes),))


def key(**changes: Any) -> Any:
    return m.CreateApiKey("c", "op", replace(KEY, **changes))


def limits(**changes: Any) -> Any:
    return m.SetLimits("c", "op", "acme", replace(LIMITS, **changes))


def tiered(*tiers: tuple[str, int, int, int]) -> m.Fees:
    """Maker 0, taker 0.00001, and tiers of asset, volume, maker and taker rate."""
    return m.Fees(0, 1_000, tuple(m.FeeTier(*tier) for tier in tiers))


ACCEPTED = [
    (instrument(), m.InstrumentSet),
    (instrument(tradable=False), m.InstrumentSet),
    (m.OpenAccount("c", "op", "beta-2_X", "Beta"), m.AccountOpened),
    (limits(), m.LimitsSet),
    (m.SetLimits("c", "op", "*", LIMITS), m.LimitsSet),
    (m.SetFees("c", "op", "acme", m.Fees(-1_000, 5_000)), m.FeesSet),
    (m.SetFees("c", "op", "acme", tiered(("USDT", 10**14, -100, 900), ("BTC", 10**9, -200, 800))), m.FeesSet),
    (m.SetTradingState("c", "op", "*", "HALTED", "drill"), m.TradingStateSet),
    (key(), m.ApiKeyCreated),
    (key(account_id="", scopes=("admin",)), m.ApiKeyCreated),
    (key(expires_at_us=NOW_US + 1), m.ApiKeyCreated),
]

REFUSED = [
    (instrument(base="USDT"), "two different assets"),
    (instrument(base="btc"), "two different assets"),
    (instrument(instrument_id="XBT-USDT"), "must be BTC-USDT"),
    (instrument(tick_e8=0), "above zero"),
    (instrument(lot_e8=-1), "above zero"),
    (instrument(min_quantity_e8=1_500), "multiples of lot"),
    (instrument(max_quantity_e8=999_500), "multiples of lot"),
    (instrument(min_quantity_e8=2_000, max_quantity_e8=1_000), "below min_quantity"),
    (instrument(min_notional_e8=-1), "min_notional"),
    (instrument(max_notional_e8=1), "min_notional"),
    (instrument(listings=()), "at least one listing"),
    (instrument(listings=(LISTING, LISTING)), "listed twice"),
    (listing(venue="Alpha!"), "1 to 32 of a-z"),
    (listing(symbol=""), "1 to 32 of a-z"),
    (listing(tick_e8=0), "above zero"),
    (listing(tick_e8=3 * 10**6), "multiples of the venue's"),
    (listing(lot_e8=3_000), "multiples of the venue's"),
    (listing(taker_rate_e8=ONE_E8), "beyond 10 %"),
    (m.OpenAccount("c", "op", "acme", "Again"), "open already"),
    (m.OpenAccount("c", "op", "no spaces", "X"), "letters, digits"),
    (m.OpenAccount("c", "op", "line\n", "X"), "letters, digits"),
    (m.OpenAccount("c", "op", "ok", ""), "characters"),
    (m.SetLimits("c", "op", "nobody", LIMITS), "is not open"),
    (limits(max_open_orders=-1), "negative"),
    (limits(collar_rate_e8=0), "collar_rate"),
    (limits(collar_rate_e8=ONE_E8), "collar_rate"),
    (limits(mark_max_age_us=0), "mark_max_age"),
    (m.SetFees("c", "op", "acme", m.Fees(0, 10**7 + 1)), "beyond 10 %"),
    (m.SetFees("c", "op", "nobody", m.Fees(0, 0)), "is not open"),
    (m.SetFees("c", "op", "acme", tiered(("USDT", 0, 0, 0))), "a volume above zero"),
    (m.SetFees("c", "op", "acme", tiered(("usdt", 1, 0, 0))), "an asset of"),
    (m.SetFees("c", "op", "acme", tiered(("USDT", 1, 0, 1_001))), "not be above the base rates"),
    (m.SetFees("c", "op", "acme", tiered(("USDT", 1, -(10**7) - 1, 0))), "rebate is beyond"),
    (m.SetFees("c", "op", "acme", tiered(("USDT", 1, 0, 0), ("USDT", 1, -1, 0))), "the same asset and volume"),
    (m.SetFees("c", "op", "acme", tiered(*(("USDT", n, 0, 0) for n in range(1, 22)))), "at most 20 tiers"),
    (m.SetTradingState("c", "op", "nobody", "ACTIVE", "x"), "is not open"),
    (m.SetTradingState("c", "op", "acme", "ACTIVE", ""), "reason"),
    (key(key_id="bad id"), "key_id"),
    (key(secret_sha256="secret"), "secret_sha256"),
    (key(scopes=()), "scopes"),
    (key(scopes=("root",)), "scopes"),
    (key(scopes=("read", "read")), "scopes"),
    (key(account_id="nobody"), "is not open"),
    (key(account_id="", scopes=("read",)), "needs an account"),
    (key(requests_per_second=0), "requests_per_second"),
    (key(revoked=True), "revoked already"),
    (key(expires_at_us=NOW_US), "in the past"),
    (m.RevokeApiKey("c", "op", "unknown"), "there is no key"),
]


@pytest.mark.parametrize(("command", "event"), ACCEPTED)
def test_good_commands_become_events(tape: Tape, command: Any, event: Any) -> None:
    found = tape.ask(command)
    assert isinstance(found, event)
    assert found.command_id == command.command_id
    assert found.requested_by == "op"
    assert found.meta.correlation_id == command.command_id
    assert found.meta.event_id == ids.event_id(REFERENCE_EVENTS.name, found.meta.cause)


@pytest.mark.parametrize(("command", "reason"), REFUSED)
def test_bad_commands_are_refused_and_change_nothing(tape: Tape, command: Any, reason: str) -> None:
    before = msgspec.msgpack.encode(tape.state.reference)
    found = tape.ask(command)
    assert isinstance(found, m.ReferenceRejected)
    assert reason in found.reason
    assert msgspec.msgpack.encode(tape.state.reference) == before


def test_a_repeated_command_id_gives_no_second_event(tape: Tape) -> None:
    assert tape.ask(m.SetTradingState("once", "op", "acme", "HALTED", "x")) is not None
    assert tape.ask(m.SetTradingState("once", "op", "acme", "ACTIVE", "x")) is None
    assert tape.state.reference.trading_state_of("acme") == "HALTED"
    assert isinstance(tape.ask(m.RevokeApiKey("refused", "op", "k-9")), m.ReferenceRejected)
    assert tape.ask(m.RevokeApiKey("refused", "op", "k-9")) is None, "a refusal is an answer too"


def test_only_the_newest_command_ids_are_remembered(tape: Tape) -> None:
    for number in range(COMMANDS_KEPT + 5):
        tape.ask(m.SetTradingState(f"s{number}", "op", "acme", "ACTIVE", "x"))
    assert len(tape.state.commands) == COMMANDS_KEPT
    assert tape.ask(m.SetTradingState("s4", "op", "acme", "ACTIVE", "x")) is not None
    assert tape.ask(m.SetTradingState(f"s{COMMANDS_KEPT}", "op", "acme", "ACTIVE", "x")) is None


def test_key_ids_are_never_used_again(tape: Tape) -> None:
    tape.ask(key())
    tape.ask(m.RevokeApiKey("revoke", "op", "k-1"))
    assert tape.state.reference.api_keys["k-1"].revoked
    again = tape.ask(m.CreateApiKey("again", "op", KEY))
    assert isinstance(again, m.ReferenceRejected)
    assert "never used again" in again.reason


def test_a_snapshot_restores_the_state_that_the_tape_folds_to(tape: Tape) -> None:
    commands = [instrument(), m.SetLimits("l", "op", "*", LIMITS), key(expires_at_us=NOW_US + 9)]
    for number, command in enumerate(commands):
        tape.ask(replace(command, command_id=f"{number}"))
    packed = msgspec.msgpack.encode(tape.state, order="deterministic")
    restored = msgspec.msgpack.decode(packed, type=SERVICE.state_type)
    assert msgspec.msgpack.encode(restored, order="deterministic") == packed
    assert restored.commands == tape.state.commands, "the order in which ids are forgotten survives"


def test_the_audit_sees_accounts_without_anything_secret(tape: Tape) -> None:
    tape.ask(key())
    shown = msgspec.json.encode(accounts(tape.state)).decode()
    assert "k-1" in shown
    assert KEY.secret_sha256 not in shown


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([command for command, _ in [*ACCEPTED, *REFUSED]]), max_size=12), st.data())
def test_folding_again_gives_the_same_state(commands: list[Any], data: st.DataObject) -> None:
    tape, events = Tape(), []
    for command in commands:
        event = tape.ask(replace(command, command_id=data.draw(st.sampled_from("abcdef"))))
        events += [event] if event is not None else []
    again = State()
    for event in events:
        again = evolve(again, event)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(tape.state)
    assert len(events) == len({event.command_id for event in events})


# -- derivatives -------------------------------------------------------------------------------------------------------

PERP = instrument_from(json.loads((Path(__file__).parents[2] / "examples" / "btc-perp.json").read_text()))
DATED = {
    "kind": "FUTURE", "expires_at_us": 10**15, "funding_cap_rate_e8": 0, "funding_interval_us": 0, "funding_step_us": 0
}  # fmt: skip
OPTION = DATED | {"kind": "OPTION", "strike_e8": 10**12, "option_type": "CALL", "settlement_interval_us": 0}
HOUR_US = 3_600_000_000


def contract_of(**changes: Any) -> m.Instrument:
    assert PERP.contract is not None
    return replace(PERP, contract=replace(PERP.contract, **changes))


def refusal(one: m.Instrument, state: State | None = None) -> str:
    tape = Tape()
    tape.state = state or tape.state
    event = tape.ask(m.SetInstrument(f"c-{id(one)}", "op", one))
    return event.reason if isinstance(event, m.ReferenceRejected) else ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        (DATED, ""),
        (OPTION, ""),
        ({"settlement_asset": "BTC"}, "LINEAR settles in USDT"),
        ({"style": "INVERSE"}, "INVERSE settles in BTC"),
        ({"style": "QUANTO"}, "third asset"),
        ({"multiplier_e8": 0}, "multiplier"),
        ({"maintenance_rate_e8": 10**8}, "maintenance_rate <= initial_rate"),
        ({"funding_cap_rate_e8": 0}, "funding_cap_rate"),
        ({"expires_at_us": 5}, "no expires_at"),
        (DATED | {"expires_at_us": None}, "needs expires_at"),
        (DATED | {"funding_cap_rate_e8": 1}, "perpetuals alone"),
        (OPTION | {"strike_e8": None}, "needs a strike"),
        ({"strike_e8": 1}, "options alone"),
        ({"delivery": "PHYSICAL"}, "that expires"),
        ({"style": "INVERSE", "settlement_asset": "BTC", "signed_price": True}, "above zero"),
        ({"liquidation_fee_rate_e8": 10**8}, "liquidation_fee_rate"),
        ({"fixing_window_us": HOUR_US, "fixing_rule": "SAMPLES", "settlement_interval_us": HOUR_US // 60}, ""),
        ({"fixing_window_us": HOUR_US + 1}, "fixing_window"),
        ({"fixing_window_us": 0}, "needs a fixing_window"),
        ({"fixing_rule": "MEDIAN"}, "fixing_rule"),
        ({"fixing_samples": 0}, "fixing_samples"),
        ({"fixing_coverage_e8": 0}, "fixing_coverage"),
        ({"settlement_interval_us": 7 * HOUR_US}, "divide a day"),
        ({"settlement_offset_us": 24 * HOUR_US}, "settlement_offset"),
        ({"funding_step_us": 9 * HOUR_US}, "funding_step"),
        ({"funding_step_us": HOUR_US, "funding_interval_us": HOUR_US // 2}, "at most the funding_interval"),
        ({"funding_rule": "MOOD"}, "funding_rule"),
        ({"funding_damper_rate_e8": -1}, "funding_damper_rate"),
        (OPTION | {"settlement_interval_us": 24 * HOUR_US}, "premium is paid"),
        (DATED | {"funding_step_us": HOUR_US}, "perpetuals alone"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_name(changes: dict[str, Any], says: str) -> None:
    reason = refusal(contract_of(**changes))
    assert (says in reason) and bool(says) == bool(reason)


def test_a_contracts_id_begins_with_its_pair() -> None:
    assert "BTC-USDT-PERP" in refusal(replace(PERP, instrument_id="BTC-USDT"))
    assert "BTC-USDT-PERP" in refusal(replace(PERP, instrument_id="ETH-USDT-PERP"))


def test_an_instrument_does_not_change_in_mid_life() -> None:
    state = State()
    state.reference.instruments[PERP.instrument_id] = PERP
    assert "multiplier of a contract is fixed" in refusal(contract_of(multiplier_e8=1), state)
    assert refusal(contract_of(initial_rate_e8=10**7), state) == "", "rates may change"
    state.reference.instruments[PERP.instrument_id] = replace(PERP, contract=None)
    assert "spot stays spot" in refusal(PERP, state)
    assert instrument_from(json.loads(json.dumps(shown(PERP)))) == PERP


def shown(one: m.Instrument) -> dict[str, Any]:
    said = msgspec.to_builtins(rendering.instrument(one))
    said["contract"] = {name: value for name, value in said["contract"].items() if value is not None}
    return dict(said)
