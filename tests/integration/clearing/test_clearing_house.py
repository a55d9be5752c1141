"""Defaults, the clearing fund, auctions, hedging accounts, legs, margin and all reports on real servers, each by the
Python client and by the command line: what is booked, what the views say, that all sums are zero and audits equal."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.clearing.house import (
    DATED,
    FUTURE,
    LONG_US,
    PERP,
    RISKY,
    SECONDS,
    House,
    Trader,
    refused,
    table,
    today,
)
from tests.integration.gateway.desk import await_true
from tests.unit.contract_desk import instrument, terms
from truetape.client import Refused

pytestmark = pytest.mark.timeout(300)
CLASS = {
    "name": "pm", "model": "portfolio_v2", "version": 1,
    "parameters": {"vol": {"up": 0.6, "down": 0.3, "floor_up": 0.45}},
}  # fmt: skip
COLLATERAL = {
    "asset": "BTC", "counts_for": "USDT", "version": 1, "index": "BTC-USDT", "haircut": "0.1", "cancels_risk": True,
}  # fmt: skip


# -- default -----------------------------------------------------------------------------------------------------------


def test_a_default_is_borne_layer_by_layer_and_comes_back(house: House) -> None:
    broke, winner, bob, cat = house.trader("1000"), house.trader("9000"), house.trader("10"), house.trader("10")
    pay_the_fund(house, broke, bob, cat)
    house.trade(broke, winner, FUTURE, "10")
    house.define(instrument(FUTURE, DATED, tradable=False))
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    await_true(lambda: delisted(house, at))
    await_true(lambda: broke.cash() == "-1000" and winner.cash() == "11000")

    declared = house.admin.declare_default(broke.name, "USDT", "it cannot pay")
    assert (declared.state, declared.asset, declared.loss) == ("DECLARED", "USDT", "0")
    again = refused(lambda: house.admin.declare_default(broke.name, "USDT", "again"))
    assert again == ("default_refused", "STATE_WRONG")

    def stands() -> Any:
        return next(one for one in house.admin.defaults() if one.default_id == declared.default_id)

    await_true(lambda: stands().state == "COVERED")
    borne = [
        ("DEFAULTER_FUND", broke.name, "200"), ("HOUSE_CAPITAL", "house", "100"), ("OTHERS_FUND", bob.name, "300"),
        ("OTHERS_FUND", cat.name, "100"), ("ASSESSMENTS", bob.name, "225"), ("ASSESSMENTS", cat.name, "75"),
    ]  # fmt: skip
    assert [(one.layer, one.payer_id, one.amount) for one in stands().steps] == borne
    assert (stands().loss, stands().uncovered, broke.cash()) == ("1000", "0", "0")
    assert house.admin.fund().unborne == []
    assessments_are_paid(house, bob, cat)
    money_comes_back(house, broke, stands)
    is_shown(house, declared.default_id, broke.name, bob)
    assert "is declared" in house.say("default", "declare", cat.name, "--reason", "by mistake", "--yes")
    await_true(
        lambda: [one.state for one in house.admin.defaults() if one.account_id == cat.name] == ["ENDED"], SECONDS
    )


def delisted(house: House, at: str, name: str = FUTURE, price: str = "40000") -> bool:
    """Whether every partition has taken it; one that has not read yet that trading is over refuses it until then."""
    try:
        return house.admin.publish_fact("DELISTING", name, price, effective_at=at).taken >= 0
    except Refused as refused:
        assert refused.problem["reason"] == "STATE_WRONG", refused
        return False


def pay_the_fund(house: House, broke: Trader, bob: Trader, cat: Trader) -> None:
    """By both ways in; more goes out than is there by none."""
    paid = house.admin.pay_fund("200", "bank:main", "it joins", account_id=broke.name)
    assert (paid.amount, paid.purpose, paid.account_id) == ("200", "FUND", broke.name)
    capital = house.admin.pay_fund("100", "bank:main", "own capital", purpose="CAPITAL")
    assert capital.account_id == "house:capital"
    for name, amount in ((bob.name, "300"), (cat.name, "200")):
        assert "is booked" in house.say(
            "fund", "pay", name, amount, "--from", "bank:main", "--reason", "it joins", "--reference", "j"
        )
    out = house.admin.withdraw_fund("50", "bank:main", "too much", account_id=cat.name)
    assert (out.amount, out.state, bool(out.round_id)) == ("-50", "ASKED", True)
    await_true(lambda: (cat.name, "150") in {(one.account_id, one.share) for one in house.admin.fund().shares})
    house.say("fund", "withdraw", cat.name, "50", "--to", "bank:main", "--reason", "too much", "--reference", "o")
    too_much = refused(lambda: house.admin.withdraw_fund("101", "bank:main", "more", account_id=cat.name))
    assert too_much == ("fund_refused", "INSUFFICIENT_FUNDS")
    nobody = refused(lambda: house.admin.pay_fund("1", "bank:main", "who"))
    assert nobody[0] == "invalid_field"
    insurance_is_paid(house)
    shares = {(one.account_id, one.share) for one in house.admin.fund().shares}
    assert shares >= {(broke.name, "200"), (bob.name, "300"), (cat.name, "100"), ("house:capital", "100")}
    listed = {(row["account"], row["amount"]) for row in house.told("fund", "list", "--format", "json")}
    assert listed >= {(f"fund:{bob.name}", "300"), ("house:capital", "100")}


def insurance_is_paid(house: House) -> None:
    """In by both ways, and out by a round that asks every partition."""
    paid = house.admin.pay_insurance("USDT", "30", "bank:main", "the house adds to it")
    assert (paid.state, paid.purpose, paid.account_id) == ("BOOKED", "INSURANCE", "house:insurance")
    assert "is booked" in house.say(
        "insurance", "pay", "20", "--from", "bank:main", "--reason", "again", "--reference", "a"
    )
    before = float(house.admin.insurance().totals["USDT"])
    assert house.admin.withdraw_insurance("USDT", "50", "bank:main", "too much").state == "ASKED"
    await_true(lambda: float(house.admin.insurance().totals.get("USDT", "0")) == before - 50)


def assessments_are_paid(house: House, bob: Trader, cat: Trader) -> None:
    mine = bob.client.own_fund()
    assert bob.client.own_deleveragings() == []
    assert bob.client.deleveraging_parts() == []
    assert [(one.share, one.owed) for one in mine.shares] == [("0", "225")]
    moved = {(one.purpose, one.amount) for one in mine.movements}
    assert moved == {("fund_contribution", "300"), ("mutual_fund", "-300"), ("assessment", "-225")}
    house.say(
        "fund",
        "pay",
        bob.name,
        "225",
        "--from",
        "bank:main",
        "--reason",
        "assessed",
        "--reference",
        "s",
        "--assessment",
    )
    house.admin.pay_fund("75", "bank:main", "assessed", account_id=cat.name, purpose="ASSESSMENT")
    more = refused(lambda: house.admin.pay_fund("1", "bank:main", "?", account_id=cat.name, purpose="ASSESSMENT"))
    assert more == ("fund_refused", "NUMBERS_WRONG")
    assert bob.client.own_fund(limit=1).next_cursor is not None, "one page of several"
    await_true(lambda: bob.client.own_fund().shares == [])


def money_comes_back(house: House, broke: Trader, stands: Callable[[], Any]) -> None:
    """A late payment of the defaulter repays the last layer first."""
    house.admin.deposit(broke.name, "USDT", "100", "venue:alpha", "late")
    await_true(lambda: stands().recovered == "100" and stands().state == "COVERED")
    assert [one.amount for one in stands().steps if one.layer == "ASSESSMENTS"] == ["150", "50"]
    assert house.admin.fund().unborne == []


def is_shown(house: House, default_id: str, account: str, bob: Trader) -> None:
    found = house.admin.default(default_id)
    states = [one.state for one in found.records]
    assert (states[0], states[-1], "LOSS_FIXED" in states, "RECOVERING" in states) == (
        "DECLARED",
        "COVERED",
        True,
        True,
    )
    assert refused(lambda: house.admin.default("nothing"))[0] == "default_not_found"
    steps = [(one.layer, one.payer_id, one.amount) for one in found.default.steps]
    by_api = table(house.admin.sheet(f"/v1/admin/defaults/{default_id}"))
    by_command = table(house.say("default", "show", account, "--format", "csv"))
    assert [tuple(row.values()) for row in by_api] == [*steps, ("UNCOVERED", "", "0")]
    assert by_command == by_api
    assert table(house.admin.sheet("/v1/admin/defaults"))[0]["recovered"] == "100"
    [listed] = [row for row in table(house.say("default", "list", "--format", "csv")) if row["account_id"] == account]
    assert (listed["account_id"], listed["state"], listed["recovered"]) == (account, "COVERED", "100")
    assert house.admin.rounds() == [] and house.told("rounds", "--format", "json") == []
    over = house.admin.rounds(open=False)
    assert {(one.kind, one.phase) for one in over} >= {("WATERFALL", "BOOKED"), ("RECOVERY", "BOOKED")}
    assert len(table(house.admin.sheet("/v1/admin/rounds", open="false"))) == len(over)
    assert {row["purpose"] for row in table(bob.client.sheet("/v1/fund"))} >= {"assessment", "fund_replenishment"}


# -- auctions ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("lost")  # From here on: while a default goes on, nothing leaves the clearing fund.
def test_an_account_is_auctioned_to_bidders_of_other_partitions(house: House) -> None:
    ann, other = house.trader("2000"), house.trader("9000")
    bea = house.trader("9000", apart=ann.name)
    house.trade(ann, other, PERP, "10")
    begun = house.admin.start_auction(ann.name, "USDT", "by its own wish", forced=True)
    assert (begun.state, begun.change, begun.kind, begun.left) == ("RUNNING", "BEGUN", "solvent", "1")
    assert refused(lambda: ann.client.bid(begun, "1")) == ("auction_refused", "STATE_WRONG")
    dear = refused(lambda: bea.client.bid(begun, "1", price_max="1"))
    assert dear == ("auction_refused", "PRICE_OUT_OF_RANGE")
    taken = bea.client.bid(begun, "0.5")
    assert (taken.change, taken.bidder_id, taken.contracts) == ("TAKEN", bea.name, {PERP: "5"}), taken.detail
    await_true(lambda: (ann.held(PERP), bea.held(PERP)) == ("5", "5"))
    poor = house.trader("1", apart=ann.name)
    short = poor.client.bid(begun, "1")
    assert short.change == "REFUSED" and short.detail.startswith("INSUFFICIENT_MARGIN"), short
    [row] = [row for row in house.told("auctions", "list", "--format", "json") if row["account_id"] == ann.name]
    assert row["auction_id"] == begun.auction_id
    said = house.say("auctions", "bid", ann.name, begun.auction_id, bea.name, "--wanted", "0.4")
    assert "TAKEN" in said, said
    await_true(lambda: bea.held(PERP) == "7")
    ended = house.admin.end_auction(begun, "enough")
    assert (ended.state, ended.change) == ("ENDED", "STOPPED")
    assert refused(lambda: bea.client.bid(begun, "1"))[0] == "auction_refused"
    stands = {(one.auction_id, one.state, one.change) for one in house.admin.all_auctions()}
    assert (begun.auction_id, "ENDED", "STOPPED") in stands, "the house sees what it was answered"
    await_true(lambda: "STOPPED" in {row["change"] for row in table(bea.client.sheet("/v1/auctions"))})
    assert "RUNNING" in house.say("auctions", "start", ann.name, "USDT", "--forced", "--reason", "once more")
    [again] = house.told("auctions", "list", "--format", "json")
    assert "ENDED" in house.say("auctions", "end", ann.name, again["auction_id"], "--reason", "no more")
    over = table(house.say("auctions", "list", "--account", ann.name, "--all", "--format", "csv"))
    assert [(row["auction_id"], row["change"]) for row in over] == [
        (again["auction_id"], "STOPPED"), (begun.auction_id, "STOPPED"),
    ]  # fmt: skip
    sold, bought = (one.client.statement(today()) for one in (ann, bea))
    assert {line.purpose for line in sold.lines} & {line.purpose for line in bought.lines} >= {"auction"}


# -- hedging accounts --------------------------------------------------------------------------------------------------


def test_a_hedging_account_sees_its_sides_on_its_statement(house: House) -> None:
    hedger, other = house.trader("9000"), house.trader("9000")
    body = {"account_id": hedger.name, "positions": "HEDGING", "costs": "FIFO"}
    house.admin.administer("POST", "/v1/admin/account-terms", body)
    house.say("accounts", "terms", other.name, "--positions", "HEDGING")
    house.trade(hedger, other, PERP, "5")
    house.trade(other, hedger, PERP, "3", "60100")
    assert hedger.held(PERP) == "2"

    def sides() -> list[tuple[str, str, str, str]]:
        found = hedger.client.statement(today()).sides
        return [(one.instrument_id, one.positions, one.long, one.short) for one in found]

    assert sides() == [(PERP, "HEDGING", "5", "-3")]
    done = hedger.client.close_out(PERP, "2")
    assert (done.long, done.short, done.realised) == ("3", "-1", "2"), "100 a bitcoin, 0.02 bitcoin"
    assert refused(lambda: hedger.client.close_out(PERP, "2")) == ("close_out_refused", "NUMBERS_WRONG")
    await_true(lambda: sides() == [(PERP, "HEDGING", "3", "-1")])
    shown = house.told("statement", hedger.name, "--day", today(), "--format", "json")
    assert shown | {"instructions": []} == hedger.client._ask("GET", f"/v1/statements/{today()}", dict[str, Any])
    assert house.say("statement", hedger.name, "--day", today(), "--format", "csv") == hedger.client.sheet(
        f"/v1/statements/{today()}"
    )
    assert "3" in house.say("statement", hedger.name, "--day", today())
    assert hedger.client.sides() == hedger.client.statement(today()).sides
    assert table(hedger.client.sheet("/v1/sides"))[0]["long"] == "3"
    assert house.admin.statement_of(hedger.name, today()) == hedger.client.statement(today())
    [shown] = [one for one in house.accounts_shown() if one["account_id"] == hedger.name]
    assert shown["terms"] == {"positions": "HEDGING", "costs": "FIFO"}
    house.say("contracts", "close-out", hedger.name, PERP, "1")
    await_true(lambda: sides() == [(PERP, "HEDGING", "2", "0")])
    [row] = house.told("ledger", "sides", hedger.name, "--format", "json")
    assert (row["long"], row["short"], row["realised"]) == ("2", "0", "3")


# -- legs --------------------------------------------------------------------------------------------------------------


def test_legs_are_allocated_compressed_netted_and_corrected(house: House) -> None:
    giver, other = house.trader("9000"), house.trader("9000")
    willing, asked = house.trader("9000"), house.trader("9000", apart=giver.name)
    house.trade(giver, other, PERP, "6")
    [leg] = giver.client.legs("OPEN")
    first = giver.client.allocate(leg.leg_id, {willing.name: "2", asked.name: "4"}, "BLOCK-0")
    assert giver.client.end_move(first.move_id, "a mistake").state == "WITHDRAWN"
    await_true(lambda: refused_or_none(giver, first.move_id) == "move_refused")
    assert willing.client.agree_moves(giver.name).agreed
    house.say("trades", "agree", willing.name, other.name)
    await_true(lambda: is_free(giver, leg.leg_id))
    moved = giver.client.allocate(leg.leg_id, {willing.name: "2", asked.name: "4"}, "BLOCK-1")
    await_true(lambda: len(asked.client.legs("OFFERED")) == 1)
    [offered] = asked.client.legs("OFFERED")
    assert offered.trade_id == moved.move_id
    house.say("trades", "accept", asked.name, offered.leg_id)
    await_true(lambda: (willing.held(PERP), asked.held(PERP), giver.held(PERP)) == ("2", "4", "0"))

    house.trade(other, asked, PERP, "1", "60050")
    await_true(lambda: len(asked.client.legs("OPEN")) == 2)
    done = house.admin.compress(asked.name, PERP)
    assert (len(done.ended), done.gross_before, done.gross_after, done.net_quantity) == (2, "5", "3", "3")
    house.trade(willing, other, PERP, "1")
    assert "2 legs became 1" in house.say("trades", "compress", willing.name, PERP)
    yesterday = str(datetime.now(UTC).date() - timedelta(1))
    assert house.admin.net_payments(asked.name, yesterday).instructions == []
    assert "nothing was owed" in house.say("trades", "net", yesterday, "--account", other.name)
    early = refused(lambda: house.admin.net_payments(asked.name, today()))
    assert early[0] == "netting_refused"
    corrected(house)


def refused_or_none(giver: Trader, move_id: str) -> str:
    try:
        giver.client.end_move(move_id, "again")
    except Refused as error:
        return error.code
    return ""


def is_free(giver: Trader, leg_id: str) -> bool:
    return any(leg.leg_id == leg_id and leg.state == "OPEN" for leg in giver.client.legs("OPEN"))


def corrected(house: House) -> None:
    """Both legs of a trade are taken back, one by the API and one by the command line."""
    left, right = house.trader("9000"), house.trader("9000")
    house.trade(left, right, PERP, "2", "60200")
    [one], [two] = left.client.legs("OPEN"), right.client.legs("OPEN")
    await_true(lambda: taken_back(house, left.name, one.leg_id))
    again = refused(lambda: house.admin.correct(left.name, one.leg_id, "once more"))
    assert again == ("correction_refused", "ENTRY_CORRECTED")
    house.say("contracts", "bust", right.name, two.leg_id, "--reason", "never happened")
    await_true(lambda: (left.held(PERP), right.held(PERP)) == ("0", "0"))
    assert left.client.legs("OPEN") == []


def taken_back(house: House, account: str, entry_id: str) -> bool:
    try:
        return house.admin.correct(account, entry_id, "never happened").entry_id == f"correction:{entry_id}"
    except Refused as error:
        assert error.code == "entry_not_found", "the views may be behind"
        return False


# -- margin and calls --------------------------------------------------------------------------------------------------


def test_margin_says_the_same_by_api_and_command(house: House, tmp_path: Path) -> None:
    for what, content in (("set-class", CLASS), ("set-collateral", COLLATERAL)):
        file = tmp_path / f"{what}.json"
        file.write_text(json.dumps(content))
        house.say("margin", what, str(file))
    house.define(instrument(RISKY, terms(mark_max_age_us=LONG_US, margin_class="pm")))
    ann, bob = house.trader("9000"), house.trader("9000")
    house.trade(ann, bob, RISKY, "10")
    found = ann.client.margin()
    assert house.admin.margin_of(ann.name).assets == found.assets
    assert refused(lambda: house.admin.margin_of("nobody"))[0] == "account_unknown"
    [asset] = found.assets
    assert (asset.settlement_asset, asset.balance, asset.models) == ("USDT", "9000", ["pm (portfolio_v2, version 1)"])
    assert asset.worst and asset.scenarios, "the worst scenario is named"
    assert sum(Decimal(one.contribution) for one in asset.positions) == Decimal(asset.initial_need) > 0
    told = house.told("margin", "show", ann.name, "--format", "json")
    assert told["assets"] == json.loads(ann.client._with_retries("GET", "/v1/margin", {}).content)["assets"]
    by_command, by_api = house.say("margin", "show", ann.name, "--format", "csv"), ann.client.sheet("/v1/margin")
    assert table(by_command) == table(by_api) and {"contribution", "scenario"} <= {row["row"] for row in table(by_api)}
    priced, marked = (house.say("margin", "show", ann.name, "--order", f"BUY 1 {RISKY}{at}") for at in (" 60000", ""))
    assert "portfolio_v2" in priced and priced == marked, "the mark is the price that is not said"
    assert [one["name"] for one in house.admin.administer("GET", "/v1/admin/margin-classes")["margin_classes"]] == [
        "pm"
    ]
    assert "pm" in house.say("margin", "classes") and "BTC" in house.say("margin", "collateral")


def test_a_call_is_listed_as_json_and_csv(house: House) -> None:
    slim, other = house.trader("700"), house.trader("90000")
    house.trade(slim, other, PERP, "10")
    house.mark(PERP, 57_000)
    await_true(lambda: bool(slim.client.calls()))
    [call] = slim.client.calls()
    assert (call.state, call.amount) == ("CALLED", "170"), "570 are needed, and 400 are there"
    assert call.call_id in {one.call_id for one in house.admin.all_calls()}
    for sheet in (slim.client.sheet("/v1/calls"), house.admin.sheet("/v1/admin/calls")):
        assert call.call_id in {row["call_id"] for row in table(sheet)}
    rows = table(house.say("calls", "list", "--account", slim.name, "--format", "csv"))
    assert [(row["kind"], row["state"], row["amount"]) for row in rows] == [("calls", "CALLED", "170")]
    assert slim.client.liquidations() == []
    assert slim.name not in {one.account_id for one in house.admin.all_liquidations()}
    assert slim.client.sheet("/v1/liquidations").startswith("liquidation_id,account_id,asset,state,outcome")
    judged = refused(lambda: house.admin.judge_call(slim.name, call.call_id, "uphold_dispute", "it was wrong"))
    assert judged[0] == "call_refused"
    assert slim.client.act_on_call(call.call_id, "dispute", "no").state == "DISPUTED"
    upheld = house.admin.judge_call(slim.name, call.call_id, "uphold_dispute", "it was wrong")
    assert upheld.state == "WITHDRAWN"
    [row] = table(house.say("calls", "list", "--account", slim.name, "--all", "--format", "csv"))
    assert (row["id"], row["state"]) == (call.call_id, "WITHDRAWN")
    house.mark(PERP, 60_000)


# -- reports -----------------------------------------------------------------------------------------------------------


def test_reports_say_the_same_by_api_and_command(house: House) -> None:
    assert house.admin.administer("GET", "/v1/admin/interest")["instruments"] == house.told(
        "interest", "--format", "json"
    )
    pairs = {
        ("/v1/admin/interest", ()): ("interest",),
        ("/v1/admin/fund/size", (("shock", "-0.4"),)): ("fund", "size", "--shock=-0.4"),
        ("/v1/admin/drills/default", (("shock", "-0.4"),)): ("drill", "default", "--shock=-0.4"),
    }
    for (path, wanted), command in pairs.items():
        by_api, by_command = house.admin.sheet(path, **dict(wanted)), house.say(*command, "--format", "csv")
        assert table(by_api) == table(by_command) != [], path
    client = house.admin
    assert list(client.deleveragings()) == []
    assert refused(lambda: client.deleveraging("nothing"))[0] == "deleveraging_not_found"
    for name in ("auctions", "defaults"):
        await_true(partial(pages_are_the_whole, house, name))
    drilled = drilled_alike(house)
    house.admin.publish_fact("FUNDING", PERP, "60000", rate="0.0001", elapsed_seconds=60)
    await_true(lambda: drilled_alike(house)["defaults"] != drilled["defaults"])  # No entry has booked it.
    sized = house.admin.fund_size(shock="-0.4")
    assert house.told("fund", "size", "--shock=-0.4", "--format", "json")["size"] == sized.size
    assert Decimal(sized.size) > 0
    assert sum(Decimal(one.share) for one in sized.members) == Decimal(sized.size)
    assert refused(lambda: house.admin.drill_default(asset="EUR"))[0] == "drill_refused"
    assert refused(lambda: house.admin.drill_default(shock="much"))[0] == "invalid_field"


def drilled_alike(house: House) -> Any:
    """The drill, once API and command say the same: the one reads the views, the other one the tape."""
    found: list[Any] = []

    def alike() -> bool:
        found.append(json.loads(house.admin._with_retries("GET", "/v1/admin/drills/default?shock=-0.4", {}).content))
        return bool(found[-1] == house.told("drill", "default", "--shock=-0.4", "--format", "json"))

    await_true(alike)
    return found[-1]


def pages_are_the_whole(house: House, name: str) -> bool:
    """Unless one has changed in between."""
    pages = (house.admin._pages(f"/v1/admin/{name}", name, dict[str, Any], {}, limit) for limit in (1, 500))
    one_by_one, whole = map(list, pages)
    return one_by_one == whole and len(whole) >= 2
