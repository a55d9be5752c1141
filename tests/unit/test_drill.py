"""The default drill on books that clearing itself made: sums kept, the right two members, every option."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import QuantLib
from msgspec.structs import replace
from typer.testing import CliRunner

from tests.unit.contract_desk import E8, HOUR_US, START_US, Desk, instrument, option, terms
from tests.unit.desk import some_meta
from truetape import messages as m
from truetape import reports
from truetape.cli import build
from truetape.codec import encode
from truetape.default import drill, fund
from truetape.default.drill import Books, Setting
from truetape.errors import SetupError
from truetape.happenings import Part
from truetape.money import to_e8
from truetape.simbroker import SimBroker
from truetape.topics import CLEARING_ENTRIES, MARKET_MARKS, REFERENCE_EVENTS

PERP = "BTC-USDT-PERP"


def desk() -> Desk:
    """Ann is long 10 contracts of 0.01 BTC, Bob short 6, Cat short 4, at 60 000; margins of 500, 300 and 1 000."""
    made = Desk(instrument(PERP, terms()), fees=m.Fees(0, 100_000))
    for account, amount in (("ann", 500), ("bob", 300), ("cat", 1_000)):
        moved = m.TransferTerms(f"in-{account}", account, "USDT", amount * E8, "bank:settlement", account)
        made.approve(m.TransferApproved(some_meta(), moved))
    made.trade("ann", "BUY", 10, 60_000, PERP)
    made.trade("bob", "SELL", 6, 60_000, PERP)
    made.trade("cat", "SELL", 4, 60_000, PERP)
    made.check()
    return made


def books(made: Desk) -> Books:
    found = Books()
    for event in made.events:
        found.take(event, 0)
    return found


def run(made: Desk | None = None, price: int = 60_000, **changes: Any) -> drill.Drill:
    made = made or desk()
    return drill.run(books(made), made.reference, {PERP: price * E8}, Setting("USDT", **changes))


def test_books_are_clearings_own() -> None:
    made, found = desk(), books(desk())
    for account in ("ann", "bob", "cat"):
        assert found.balances[account] == made.state.balances[f"client:{account}"]
        assert found.held[account][PERP].quantity_e8 == made.position(account, PERP).quantity_e8
    assert found.balances["house"]["USDT"] == made.cash("house:fees") == to_e8("12")


def test_the_fund_covers_the_two_that_a_scenario_hits_hardest() -> None:
    found = run()
    assert found.margins_e8 == {"ann": to_e8("600"), "bob": to_e8("360"), "cat": to_e8("240")}
    assert (found.sizing.scenario, found.sizing.size_e8) == ("+30 %", to_e8("1200"))
    assert found.sizing.covered == (("bob", to_e8("720")), ("cat", to_e8("480"))), "1080 less 360, 720 less 240"
    assert found.sizing.uncovered["-30 %"] == (("ann", to_e8("1200")),), "a fall hits the only long as hard"
    assert found.shares_e8 == {"ann": to_e8("600"), "bob": to_e8("360"), "cat": to_e8("240")}


def test_every_layer_bears_its_part_and_the_losses_are_kept() -> None:
    found = run(capital_e8=to_e8("12"), shocks_e8=(-3 * 10**7,), defaulters=("ann",))
    [one] = found.defaults
    assert one.loss_e8 == to_e8("1800")
    shown = {step.layer: one.outcome.borne_e8(step.layer) for step in one.outcome.steps}
    assert shown == {
        "DEFAULTER_MARGIN": to_e8("494"), "DEFAULTER_FUND": to_e8("600"), "HOUSE_CAPITAL": to_e8("12"),
        "OTHERS_FUND": to_e8("600"), "ASSESSMENTS": to_e8("94"),
    }  # fmt: skip
    assert sum(shown.values()) + one.outcome.uncovered_e8 == one.loss_e8


def test_two_default_one_after_the_other() -> None:
    found = run(shocks_e8=(3 * 10**7,))
    assert [one.member_id for one in found.defaults] == ["bob", "cat"] and found.shock_e8 == 3 * 10**7
    first, second = found.defaults
    assert first.loss_e8 == to_e8("1080") and second.loss_e8 == to_e8("720")
    assert second.resources.fund_e8 == found.shares_e8["cat"] - sum(
        step.amount_e8 for step in first.outcome.steps if (step.layer, step.payer_id) == ("OTHERS_FUND", "cat")
    )
    for one in found.defaults:
        assert sum(one.outcome.by_payer().values()) + one.outcome.uncovered_e8 == one.loss_e8
    assert sum(to_e8(row[-1]) for row in drill.rows(found)) == first.loss_e8 + second.loss_e8


@pytest.mark.parametrize(("who", "owed"), [("ann", -7.5), ("bob", 4.5), ("cat", 3)])
def test_funding_that_nobody_has_booked_is_in_the_losses(who: str, owed: float) -> None:
    """An hour of 1 % for eight on 0.1 BTC at 60 000 is 7.5; booking it moves no loss."""
    made = Desk(instrument(PERP, terms()), fees=m.Fees(0, 100_000))
    made.trade("ann", "BUY", 10, 60_000, PERP)
    made.trade("bob", "SELL", 6, 60_000, PERP)
    made.trade("cat", "SELL", 4, 60_000, PERP)
    against = Setting("USDT", (-3 * 10**7 if who == "ann" else 3 * 10**7,), defaulters=(who,))

    def loss_e8() -> int:
        return drill.run(books(made), made.reference, {PERP: 60_000 * E8}, against).defaults[0].loss_e8

    losses = [loss_e8()]
    made.fact("FUNDING", PERP, 60_000 * E8, numbers={"rate_e18": 10**16, "elapsed_us": HOUR_US})
    losses.append(loss_e8())
    assert losses[1] - losses[0] == round(-owed * E8)
    made.fact("SETTLEMENT_PRICE", PERP, 60_000 * E8)
    losses.append(loss_e8())
    assert losses[2] == losses[0] > 0 and books(made).balances[who]["USDT"] == made.cash(f"client:{who}")


def test_an_account_owes_the_funding_that_its_own_partition_has_taken() -> None:
    made, found = Desk(instrument(PERP, terms())), Books()
    made.trade("ann", "BUY", 10, 60_000, PERP)
    made.trade("bob", "SELL", 10, 60_000, PERP)
    made.fact("FUNDING", PERP, 60_000 * E8, numbers={"rate_e18": 10**16, "elapsed_us": HOUR_US})
    for event in made.events:
        found.take(event, 3)
        if not isinstance(event, m.ContractFactTaken):  # Partition 0 is behind by the step.
            found.take(event, 0)
    assert found.owing("ann")[PERP].unpaid_e8 == 0, "the newest entry came with partition 0"
    for event in made.events:
        found.take(event, 3)
    assert [found.owing(who)[PERP].unpaid_e8 for who in ("ann", "bob")] == [to_e8("-7.5"), to_e8("7.5")]


def test_who_wins_can_be_haircut_and_torn_up_but_his_margin_is_not_touched() -> None:
    found = run(shocks_e8=(-3 * 10**7,), assessment_rate_e8=0, defaulters=("ann",), floor_e8=0)
    members = {one.member_id: one for one in found.defaults[0].resources.members}
    assert members["bob"].gain_e8 == to_e8("1080") and members["bob"].assessment_max_e8 == 0
    assert found.defaults[0].outcome.by_payer().keys() <= {"ann", "bob", "cat", "house"}
    assert found.defaults[0].outcome.borne_e8("HAIRCUT") > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"asset": "EUR"}, "nothing can default"),
        ({"defaulters": ("zoe",)}, "zoe holds no contract"),
        ({"defaulters": ("ann", "bob", "ann")}, "member ann stands there twice"),
        ({"shocks_e8": (10**7, -(10**7), 10**7)}, "shock 0.1 stands there twice"),
        ({"shocks_e8": (-(10**8) - 1,)}, "falls by more than all"),
        ({"shocks_e8": (2**63 - 1,)}, "beyond 64 bits"),
        ({"capital_e8": -1}, "capital -0.00000001: it is zero or above"),
        ({"floor_e8": -1}, "floor -0.00000001: it is zero or above"),
        ({"assessment_rate_e8": -1}, "assessment -0.00000001: it is zero or above"),
        ({"assessment_rate_e8": 2**63 - 1}, "beyond 64 bits"),
    ],
)
def test_what_cannot_be_drilled_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    made = desk()
    with pytest.raises(SetupError, match=words):
        drill.run(books(made), made.reference, {PERP: 60_000 * E8}, Setting(**({"asset": "USDT"} | changes)))
    with pytest.raises(SetupError, match=f"--mark {PERP}=PRICE"):
        drill.run(books(made), made.reference, {}, Setting("USDT"))


@pytest.mark.parametrize(("price", "gain"), [(60_000, 1_080), (61_000, 1_098), (50_000, 900)])
def test_a_survivor_gains_what_the_shock_moves_from_the_mark(price: int, gain: int) -> None:
    """Bob is short 0.06 BTC: a fall by 30 % of the mark, whatever he has paid or gained before."""
    found = run(price=price, shocks_e8=(-3 * 10**7,), defaulters=("ann",))
    assert {one.member_id: one.gain_e8 for one in found.defaults[0].resources.members}["bob"] == gain * E8


def test_an_inverse_contract_cannot_fall_to_nothing() -> None:
    name = "BTC-USD-PERP"
    made = Desk(instrument(name, terms(style="INVERSE", settlement_asset="BTC")))
    made.pair("ann", "bob", 1, 60_000, name)
    for mark_e8, shock_e8 in ((60_000 * E8, -(10**8)), (0, 10**7)):
        with pytest.raises(SetupError, match="no drill with these marks and moves"):
            drill.run(books(made), made.reference, {name: mark_e8}, Setting("BTC", shocks_e8=(shock_e8,)))


def test_every_mark_may_fall_to_nothing_and_no_further() -> None:
    assert run(shocks_e8=(-(10**8),), defaulters=("ann",)).defaults[0].loss_e8 == to_e8("6000")


def test_a_profit_counts_before_it_is_paid() -> None:
    made = desk()
    made.fact("SETTLEMENT_PRICE", PERP, 61_000 * E8)
    made.check()
    after = books(made)
    assert after.balances["ann"]["USDT"] == to_e8("594"), "paid in cash"
    for member, loss in (("ann", "-1900"), ("bob", "1140")):
        found = drill.run(
            after, made.reference, {PERP: 80_000 * E8}, Setting("USDT", shocks_e8=(0,), defaulters=(member,))
        )
        assert found.defaults[0].loss_e8 == max(0, to_e8(loss))


# -- the command -------------------------------------------------------------------------------------------------------


def tape(made: Desk) -> SimBroker:
    """The desk's events, its reference data and a mark, on a simulated broker."""
    broker, cause = SimBroker(1), m.Cause("test", 0, -1, "1")
    marked = m.MarkPublished(some_meta(), PERP, 60_000 * E8, 1, 1, "alpha", 7, START_US, 0)
    known = m.InstrumentSet(some_meta(), "k", "x", made.known[PERP])
    for topic, events in ((REFERENCE_EVENTS, [known]), (MARKET_MARKS, [marked]), (CLEARING_ENTRIES, made.events)):
        part = Part(topic.name, 0)
        broker.produce(part, b"", encode(m.Began(m.Meta(1, 0, cause, START_US, "b", ""), "0")))
        for sequence, event in enumerate(events, 1):
            meta = m.Meta(1, sequence, cause, START_US + sequence, f"{topic.name}-{sequence}", "")
            broker.produce(part, b"", encode(replace(event, meta=meta)))
    return broker


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands read the simulated broker."""

    @contextmanager
    def reading(form: str, name: str) -> Iterator[Any]:
        reports.require(form)
        yield tape(desk()).log(name), 10.0

    monkeypatch.setattr(reports, "reading", reading)


def invoke(*words: str) -> str:
    shown = CliRunner().invoke(build(), ["drill", "default", *words], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.usefixtures("recorded")
def test_the_command_reads_the_tape_and_says_all_of_it() -> None:
    shown = json.loads(invoke("--format", "json"))
    assert shown["fund"]["size"] == "1200" and shown["scenario"] == "+30 %"
    assert [one["member"] for one in shown["defaults"]] == ["bob", "cat"]
    assert sum(to_e8(step["amount"]) for step in shown["steps"]) == sum(to_e8(x["loss"]) for x in shown["defaults"])
    table = invoke()
    assert "scenario +30 %; fund 1200 USDT, for bob (720 beyond its margin) and cat (480 beyond its margin)" in table
    assert "DEFAULTER_MARGIN" in table and "left: " in table
    rows = list(csv.DictReader(io.StringIO(invoke("--format", "csv", "--member", "cat", "--shock", "0.2"))))
    assert {row["member"] for row in rows} == {"cat"} and sum(to_e8(row["amount"]) for row in rows) == to_e8("480")


@pytest.mark.usefixtures("recorded")
def test_options_change_what_is_assumed() -> None:
    capital = json.loads(invoke("--format", "json", "--capital", "100", "--shock=-0.3", "--member", "ann"))
    assert capital["defaults"][0]["borne_by_layer"]["HOUSE_CAPITAL"] == "100"
    marked = json.loads(invoke("--format", "json", "--mark", f"{PERP}=30000", "--shock", "0", "--member", "ann"))
    assert marked["defaults"][0]["loss"] == "3000"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--mark", "x"), "INSTRUMENT=PRICE"),
        (("--shock", "ten"), "--shock"),
        (("--shock=-1.5",), "falls by more than all"),
        (("--floor=-1",), "floor -1"),
        (("--format", "xml"), "no format"),
        (("--asset", "EUR"), "nothing can default"),
    ],
)
@pytest.mark.usefixtures("recorded")
def test_bad_options_are_named(words: tuple[str, ...], told: str) -> None:
    shown = CliRunner().invoke(build(), ["drill", "default", *words])
    assert shown.exit_code != 0
    assert isinstance(shown.exception, SetupError) and told in str(shown.exception)


def test_a_fund_that_needs_nothing_still_lets_the_worst_default() -> None:
    found = run(shocks_e8=(10**5,))
    assert found.sizing.size_e8 == 0 and found.defaults[0].loss_e8 == to_e8("2.4")
    assert [one.member_id for one in found.defaults] == ["cat", "bob"], "the two that come nearest to their margins"
    assert fund.COVERED == 2


# -- options, and who is a member --------------------------------------------------------------------------------------

CALL = "BTC-USDT-60000C"


def optional() -> Desk:
    """Ann has bought two calls of Bob for 2 500 each, and Cat holds nothing; a day is left."""
    made = Desk(instrument(CALL, option("CALL", 60_000)))
    for account in ("ann", "bob"):
        moved = m.TransferTerms(f"in-{account}", account, "USDT", 10_000 * E8, "bank:settlement", account)
        made.approve(m.TransferApproved(some_meta(), moved))
    made.trade("ann", "BUY", 2, 2_500, CALL)
    made.trade("bob", "SELL", 2, 2_500, CALL)
    made.check()
    return made


MARKED = {CALL: 2_000 * E8, "BTC-USDT": 60_000 * E8}


def drilled(made: Desk, marks_e8: dict[str, int], **changes: Any) -> drill.Drill:
    known: dict[str, Any] = {"asset": "USDT", "at_us": START_US, "shocks_e8": (0,)}
    return drill.run(books(made), made.reference, marks_e8, Setting(**(known | changes)))


def test_who_has_sold_options_loses_what_black_76_says_at_the_moved_forward() -> None:
    made = optional()
    found = drilled(made, MARKED, shocks_e8=(10**7,), defaulters=("bob",))
    forward, moved, years = 60_000.0, 66_000.0, 1 / 365
    call = QuantLib.Option.Call
    deviation = QuantLib.blackFormulaImpliedStdDev(call, 60_000.0, forward, 2_000.0, 1.0, 0.0, 0.5, 1e-12, 1000)
    wanted = 2 * QuantLib.blackFormula(call, 60_000.0, moved, deviation)
    assert found.defaults[0].loss_e8 / E8 == pytest.approx(wanted, rel=1e-6) and deviation > years**0.5 * 0.5
    assert found.margins_e8 == {"ann": 0, "bob": to_e8("4000") + to_e8("12000")}, "its worth, and a tenth of 120 000"
    assert drilled(made, MARKED, defaulters=("bob",)).defaults[0].loss_e8 == to_e8("4000"), "the mark itself"
    assert drilled(made, MARKED, defaulters=("ann",)).defaults[0].loss_e8 == 0, "its premium is paid"


@pytest.mark.parametrize(
    ("marks_e8", "changes", "words"),
    [
        ({"BTC-USDT": 60_000 * E8}, {}, f"--mark {CALL}=PRICE"),
        ({CALL: 2_000 * E8}, {}, "BTC-USDT has no mark on the tape"),
        (MARKED | {CALL: 70_000 * E8}, {}, "no volatility gives"),
        (MARKED, {"at_us": 0}, "at which time"),
    ],
)
def test_an_input_of_an_option_that_is_missing_is_named(
    marks_e8: dict[str, int], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SetupError, match=words):
        drilled(optional(), marks_e8, **changes)
    made = optional()
    made.reference.instruments[CALL] = instrument(CALL, option("CALL", 60_000, margin_class="unheard"))
    with pytest.raises(SetupError, match="margin class unheard"):
        drilled(made, MARKED)


def test_clients_of_a_member_take_no_part() -> None:
    made = desk()
    assert "bob" in run(made).margins_e8, "who was never given a member is one"
    made.reference.members |= {"bob": "cat", "cat": "cat"}
    found = run(made)
    assert found.margins_e8.keys() == found.shares_e8.keys() == {"ann", "cat"}
    assert "bob" not in {one.member_id for one in found.defaults}
    with pytest.raises(SetupError, match="bob is a client of cat"):
        run(made, defaulters=("bob",))
