"""Rounds with content on real servers, one stage for several: a member in default with clients who are ported, an
exercise assigned by lot, a run of compression, and a crash whose loser is deleveraged and whose loss no layer is enough
for. After them the audit looks at all books (test_zero_sums.py)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.clearing.house import LONG_US, PERP, SECONDS, House, Trader, refused, table, today
from tests.integration.clearing.test_clearing_house import delisted
from tests.integration.gateway.desk import await_true
from tests.unit.contract_desk import instrument, option, terms
from truetape import ids, journal
from truetape import messages as m
from truetape.assignment import Short, assign
from truetape.client import Refused as Refusal
from truetape.operator import Refused
from truetape.topics import PARTITIONS

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("lost")]
CALL, CRASH = "BTC-USDT-20330518-60000-C", "BTC-USDT-CRASH"
TOLD_ON = "2026-11-26"


# -- porting -----------------------------------------------------------------------------------------------------------


def test_clients_of_a_member_in_default_are_ported_or_closed_out(house: House) -> None:
    member, taker, other = house.trader("10"), house.trader("10"), house.trader("90000")
    client, left = house.trader("9000", apart=member.name), house.trader("9000")
    for one in (client, left):
        assert house.admin.set_member(one.name, member.name).event_id
    assert "takes clients over up to" in house.say("members", "limit", taker.name, "100000")
    house.trade(client, other, PERP, "5")
    assert client.client.choose_member(taker.name, "beforehand").state == "CHOSEN"
    house.admin.declare_default(member.name, "USDT", "it cannot pay")
    await_true(lambda: states(house, client, left) == ["REQUESTED", "REQUESTED"])

    await_true(lambda: barred(house, other.name, member.name))
    with pytest.raises(Refused, match="is in default"):
        house.say("members", "set", other.name, member.name)
    [shown] = [one for one in house.admin.members() if one.member_id == member.name]
    assert shown.default_id and set(shown.clients) == {client.name, left.name}
    [row] = [row for row in house.told("members", "list", "--json") if row["member_id"] == member.name]
    assert row["default_id"] == shown.default_id
    only_reduces(house, client)

    assert taker.client.answer_porting(client.name, True, "welcome").state == "ACCEPTED"
    assert {one.account_id for one in taker.client.portings()} == {client.name}
    rows = {row["account_id"]: row["state"] for row in house.told("porting", "list", "--json")}
    assert (rows[client.name], rows[left.name]) == ("ACCEPTED", "REQUESTED")
    assert "are decided in round" in house.say("porting", "end", member.name, "--reason", "all have answered")
    await_true(lambda: states(house, client, left) == ["PORTED", "EXPIRED"])
    ported, expired = porting(house, client), porting(house, left)
    assert (ported.receiver_id, expired.reason) == (taker.name, "NO_RECEIVER_CHOSEN")
    assert (client.held(PERP), client.cash()) == ("5", "9000"), "whole, and nothing moves"
    assert {row["state"] for row in table(house.admin.sheet("/v1/admin/portings"))} >= {"PORTED", "EXPIRED"}
    await_true(lambda: opens(client, "after"))
    assert not opens(left, "never"), "closed out, it opens nothing until it has another member"
    house.say("members", "set", left.name, left.name)
    await_true(lambda: states(house, left) == ["PORTED"] and opens(left, "free"))


def porting(house: House, client: Trader) -> Any:
    """How a client stands."""
    return next((one for one in house.admin.all_portings() if one.account_id == client.name), None)


def states(house: House, *clients: Trader) -> list[str]:
    return [getattr(porting(house, one), "state", "") for one in clients]


def barred(house: House, account: str, member: str) -> bool:
    """Whether reference data has heard of the default; until then it gives the account, and takes it back."""
    try:
        house.admin.set_member(account, member)
    except Refusal as error:
        assert error.code == "reference_rejected" and "is in default" in str(error.problem), error
        return True
    house.admin.set_member(account, account)
    return False


def opens(trader: Trader, name: str) -> bool:
    """Whether risk takes an order that opens something; it rests far below the mark, and is cancelled."""
    return order(trader, f"{name}-{ids.random_id()[:8]}", "BUY", "1") == ""


def order(trader: Trader, name: str, side: str, quantity: str) -> str:
    """Why an order in the perpetual is refused; empty when it is accepted."""
    body = {
        "client_order_id": name, "instrument_id": PERP, "side": side, "order_type": "LIMIT", "quantity": quantity,
        "price": "60000", "time_in_force": "IOC",
    }  # fmt: skip
    answer = trader.client._http.post("/v1/orders", json=body)
    return "" if answer.status_code == 201 else str(answer.json()["reason"])


def only_reduces(house: House, client: Trader) -> None:
    """In its window."""
    await_true(lambda: order(client, f"more-{ids.random_id()[:8]}", "BUY", "1") == "TRADING_REDUCING")
    assert order(client, "turns", "SELL", "6") == "TRADING_REDUCING"
    assert order(client, "less", "SELL", "1") == "", "no venue lists it, but risk takes it"


# -- assignment by lot -------------------------------------------------------------------------------------------------


def test_an_exercise_is_assigned_by_lot_from_the_recorded_seed(house: House) -> None:
    of = option(
        "CALL", 60_000, exercise="AMERICAN", assignment="LOT", mark_max_age_us=LONG_US,
        expires_at_us=2_000_000_000_000_000,
    )  # fmt: skip
    house.define(instrument(CALL, of))
    house.mark(CALL, 1_000)
    holder = house.trader("90000")
    shorts = {one.name: (one, number) for number, one in ((3, seller(house)), (2, seller(house)))}
    for one, number in shorts.values():
        house.trade(holder, one, CALL, str(number), "1000")
    await_true(lambda: all(float(one.cash()) > 90_000 for one, _ in shorts.values()), SECONDS)  # Risk has the premiums.
    before = {name: float(one.cash()) for name, (one, _) in shorts.items()}
    said = house.say(
        "contracts", "assign", CALL, "2", "--price", "61500", "--exerciser", holder.name, "--seed", "drawn-before"
    )
    assert "seed drawn-before" in said
    drawn = assign("LOT", 2, [Short(name, number) for name, (_, number) in shorts.items()], b"drawn-before")
    wanted = {one.account_id: one.contracts for one in drawn}
    await_true(lambda: holder.held(CALL) == "3")
    left = {name: number - wanted.get(name, 0) for name, (_, number) in shorts.items()}
    await_true(lambda: {name: -int(one.held(CALL)) for name, (one, _) in shorts.items()} == left)
    owed = {name: 1_500.0 * wanted.get(name, 0) for name in shorts}  # 61 500 less the strike, for each.
    await_true(lambda: {name: before[name] - float(one.cash()) for name, (one, _) in shorts.items()} == owed)
    await_true(lambda: "exercise" in purposes(house, holder))
    await_true(lambda: phases(house, "ASSIGNMENT") == ["BOOKED"])


def purposes(house: House, trader: Trader) -> set[str]:
    return {line.purpose for line in house.admin.statement_of(trader.name, today()).lines}


def phases(house: House, kind: str) -> list[str]:
    return [one.phase for one in house.admin.rounds(open=False) if one.kind == kind]


def seller(house: House) -> Trader:
    return house.trader("90000")


# -- compression -------------------------------------------------------------------------------------------------------


def test_a_circle_of_bilateral_trades_is_compressed_once_all_have_accepted(house: House) -> None:
    ann = house.trader("10")
    bob, cat = house.trader("10", apart=ann.name), house.trader("10", apart=ann.name)
    for buyer, seller_, quantity in ((ann, bob, "5"), (bob, cat, "4"), (cat, ann, "3")):
        keep(buyer, seller_, quantity)
    names = [one.name for one in (ann, bob, cat)]
    begun = house.admin.start_compression(PERP, names)
    await_true(lambda: [one.state for one in ann.client.compressions()] == ["PROPOSED"])
    [seen] = ann.client.compressions()
    assert (seen.run_id, seen.waits_for, seen.net_quantity_before) == (begun.run_id, 3, seen.net_quantity_after)
    [row] = [row for row in house.told("compression", "list", "--format", "json") if row["run_id"] == begun.run_id]
    assert float(row["gross_after"]) < float(row["gross_before"])
    assert ann.client.answer_compression(begun.run_id, True).waits_for == 2
    for one in (bob, cat):
        house.say("compression", "accept", begun.run_id, one.name)
    await_true(lambda: {one.client.compressions()[0].state for one in (ann, bob, cat)} == {"COMPRESSED"})
    await_true(lambda: all(gross(one) < before for one, before in ((ann, 8), (bob, 9), (cat, 7))))
    again = refused(lambda: ann.client.answer_compression(begun.run_id, False))
    assert again[0] == "compression_refused"
    assert house.told("compression", "list", "--format", "json") == []


def keep(buyer: Trader, seller_: Trader, quantity: str, name: str = PERP, price: str = "60000") -> None:
    """Both tell a trade that stays between them."""
    reference, of = ids.random_id(), (name, quantity, price, TOLD_ON)
    buyer.client.tell_trade(reference, seller_.name, "BUY", *of, clearing="BILATERAL")
    seller_.client.tell_trade(reference, buyer.name, "SELL", *of, clearing="BILATERAL")
    await_true(lambda: any(reference in str(one) for one in seller_.client.trades("OPEN")))


def gross(trader: Trader) -> float:
    """Contracts of all its bilateral trades."""
    return sum(float(one.quantity) for one in trader.client.trades("OPEN") if one.instrument_id == PERP)


# -- payments ----------------------------------------------------------------------------------------------------------


def test_payments_in_two_currencies_are_netted_by_value_date_and_are_what_the_ledger_moved(house: House) -> None:
    """Cleared trades are settled to the market in EUR, due in a day, and in USD, due in two; a compression of uncleared
    ones is paid in USD. Each account gets one instruction per asset and date, and all of a date sum to zero."""
    for asset, lag_days in (("EUR", 1), ("USD", 2)):
        calendar(house, asset, 1, lag_days)
        name = FORWARD[asset]
        house.define(instrument(name, terms(settlement_asset=asset, mark_max_age_us=LONG_US)))
        house.mark(name, 60_000)
    ann = house.trader("10")
    bob, cat = house.trader("10", apart=ann.name), house.trader("10")
    everybody = (ann, bob, cat)
    for one in everybody:
        for asset in FORWARD:
            house.admin.deposit(one.name, asset, "9000", "venue:alpha", f"{one.name}-{asset}")
    house.trade(ann, bob, FORWARD["EUR"], "10")
    house.trade(cat, ann, FORWARD["USD"], "10")
    booked_on = date.fromisoformat(today())
    for asset, price in (("EUR", "61000"), ("USD", "60500")):
        settled = house.admin.publish_fact("SETTLEMENT_PRICE", FORWARD[asset], price)
        assert settled.taken == PARTITIONS
    claimed(house, everybody)

    moved = {(one.name, asset): Decimal(cash(one, asset)) - 9_000 for one in everybody for asset in FORWARD}
    assert moved == {
        (ann.name, "EUR"): 100, (bob.name, "EUR"): -100, (cat.name, "EUR"): 0,
        (ann.name, "USD"): -50 - 10, (bob.name, "USD"): 10 + 5, (cat.name, "USD"): 50 - 5,
    }  # fmt: skip
    due = {asset: str(booked_on + timedelta(lag_days)) for asset, lag_days in (("EUR", 1), ("USD", 2))}
    early = refused(lambda: house.admin.net_payments(ann.name, due["USD"]))
    assert early == ("netting_refused", "TOO_OLD"), "more may be booked for it today"
    for asset, lag_days in LATER:
        calendar(house, asset, 2, lag_days)
    for asset, day in due.items():
        wanted = {one.name: moved[one.name, asset] for one in everybody if moved[one.name, asset]}
        found = {one.name: Decimal(instruction(house, one, day).amount) for one in everybody if one.name in wanted}
        assert found == wanted and sum(found.values()) == 0, asset
    [shown] = ann.client.statement(due["USD"]).instructions
    assert (shown.parts, shown.run) == ({"compression": "-10", "variation_margin": "-50"}, 1)
    again = refused(lambda: house.admin.net_payments(ann.name, due["USD"]))
    assert again == ("netting_refused", "COMMAND_REPEATED")
    names = {one.name for one in everybody}
    told = [one for _, _, one in journal.records(house.log, SECONDS, range(PARTITIONS))]
    handed = [one for one in told if isinstance(one, m.PaymentsNetted) and one.account_id in names]
    assert sum(len(one.instructions) for one in handed) == 5, "settlement reads them on the tape"
    comes_late(house, everybody, due)


def comes_late(house: House, everybody: tuple[Trader, Trader, Trader], due: dict[str, str]) -> None:
    """With the first lags again, what is booked falls on dates that are netted: another run nets it, by the API and by
    command, and the first run's instructions stay as they are."""
    ann, bob, _ = everybody
    before = {asset: [instructions(one, day) for one in everybody] for asset, day in due.items()}
    for asset, lag_days in (("EUR", 1), ("USD", 2)):
        calendar(house, asset, 3, lag_days)
    prices = iter(range(62_000, 72_000, 1_000))
    await_true(lambda: settled_late(house, str(next(prices)), (ann, bob), due["EUR"]))
    for buyer, seller_, price in ((ann, bob, "60100"), (bob, ann, "60000")):
        keep(buyer, seller_, "10", FORWARD["USD"], price)
    begun = house.admin.start_compression(FORWARD["USD"], [ann.name, bob.name])
    await_true(lambda: begun.run_id in {one.run_id for one in ann.client.compressions() if one.state == "PROPOSED"})
    for one in (ann, bob):
        one.client.answer_compression(begun.run_id, True)
    await_true(lambda: all(late(house, one, "USD", due["USD"]) for one in (ann, bob)))
    for asset, lag_days in LATER:
        calendar(house, asset, 4, lag_days)
    for asset, day in due.items():
        net_again(house, ann, bob, day)
        wanted = {one.name: late(house, one, asset, day) for one in (ann, bob)}
        runs = {one.name: instructions(one, day) for one in (ann, bob)}
        assert {name: Decimal(two.amount) for name, (_, two) in runs.items()} == wanted, asset
        assert all(wanted.values())
        assert {two.run for _, two in runs.values()} == {2}
        assert len({one.instruction_id for pair in runs.values() for one in pair}) == 4
        firsts = [instructions(one, day)[:1] for one in everybody]
        assert firsts == before[asset], "what was handed to settlement stays"
    assert [late(house, one, "USD", due["USD"]) for one in (ann, bob)] == [-10, 10], "the compression's cost"


def settled_late(house: House, price: str, parties: tuple[Trader, Trader], day: str) -> bool:
    """Settle to one more price; whether clearing has heard of the calendar that puts it on a date that is netted."""
    assert house.admin.publish_fact("SETTLEMENT_PRICE", FORWARD["EUR"], price).taken == PARTITIONS
    return all(late(house, one, "EUR", day) for one in parties)


def late(house: House, trader: Trader, asset: str, day: str) -> Decimal:
    """What the tape says has fallen on a value date since its first run."""
    netted, found = False, 0
    for _, _, event in journal.records(house.log, SECONDS, [ids.partition_of(trader.name, PARTITIONS)]):
        if isinstance(event, m.PaymentsNetted) and (event.account_id, event.value_date) == (trader.name, day):
            netted = True
        if netted and isinstance(event, m.EntryBooked) and event.account_id == trader.name:
            due = event.contract.ids.get("value_date") if event.contract else None
            ours = [
                one for one in event.lines if (one.account, one.asset, due) == (f"client:{trader.name}", asset, day)
            ]
            found += sum(one.amount_e8 for one in ours)
    return Decimal(found) / 10**8


def net_again(house: House, by_api: Trader, by_command: Trader, day: str) -> None:
    """Once clearing has heard of the calendar by which nothing more falls on it, which may net it itself."""

    def netted(net: Any) -> bool:
        try:
            net()
        except (Refusal, Refused) as error:
            said = str(getattr(error, "problem", error))
            assert "TOO_OLD" in said or "COMMAND_REPEATED" in said, error
            return "COMMAND_REPEATED" in said
        return True

    await_true(lambda: netted(lambda: house.admin.net_payments(by_api.name, day)))
    await_true(lambda: netted(lambda: house.say("trades", "net", day, "--account", by_command.name)))
    await_true(lambda: all(len(instructions(one, day)) == 2 for one in (by_api, by_command)))


def instructions(trader: Trader, day: str) -> list[Any]:
    return sorted(trader.client.statement(day).instructions, key=lambda one: one.run)


FORWARD = {"EUR": "BTC-EUR-FWD", "USD": "BTC-USD-FWD"}
LATER = (("EUR", 5), ("USD", 6))
"""Lags by which neither falls on the other's date, whenever clearing hears of them."""


def calendar(house: House, asset: str, version: int, lag_days: int) -> None:
    body = {"asset": asset, "version": version, "lag_days": lag_days, "weekend": [], "holidays": []}
    house.admin.administer("POST", "/v1/admin/settlement-calendars", body)


def cash(trader: Trader, asset: str) -> str:
    return {one.asset: one.balance for one in trader.client.balances()}[asset]


def claimed(house: House, everybody: tuple[Trader, Trader, Trader]) -> None:
    """Two pairs of uncleared trades offset, at a cost of 10 and of 5: claims first, then cash."""
    ann, bob, cat = everybody
    for buyer, seller_, price in ((ann, bob, "60100"), (bob, ann, "60000"), (cat, bob, "60050"), (bob, cat, "60000")):
        keep(buyer, seller_, "10", FORWARD["USD"], price)
    begun = house.admin.start_compression(FORWARD["USD"], [one.name for one in everybody])
    await_true(lambda: [one.state for one in ann.client.compressions()] == ["PROPOSED"])
    for one in everybody:
        one.client.answer_compression(begun.run_id, True)
    await_true(lambda: Decimal(cash(bob, "USD")) == 9_015)
    assert "compression" in purposes(house, bob)
    assert house.told("compression", "claims", "--format", "json") == []


def instruction(house: House, trader: Trader, day: str) -> Any:
    """The only one of the day, once clearing has heard of the calendar by which nothing more falls on it: by command or
    by clearing itself, which then nets what was due for longer than an hour."""

    def netted() -> bool:
        try:
            return bool(house.admin.net_payments(trader.name, day).instructions)
        except Refusal as error:
            assert error.problem["reason"] in ("TOO_OLD", "COMMAND_REPEATED"), error.problem
            return str(error.problem["reason"]) == "COMMAND_REPEATED"

    await_true(netted)
    await_true(lambda: bool(trader.client.statement(day).instructions))
    [found] = trader.client.statement(day).instructions
    return found


# -- a crash -----------------------------------------------------------------------------------------------------------


def test_a_crash_is_deleveraged_and_what_no_layer_bears_is_said(house: House) -> None:
    """The loser's contracts are closed against the winner at the bankruptcy price; what it owes beside that cuts gains,
    and the rest is borne by nobody."""
    house.define(instrument(CRASH, terms(mark_max_age_us=LONG_US)))
    house.mark(CRASH, 60_000)
    loser = house.trader("3000")
    winner = house.trader("30000", apart=loser.name)
    house.trade(loser, winner, CRASH, "40")
    switch(house, "REDUCING")
    house.mark(CRASH, 50_000)
    await_true(lambda: [one.state for one in deleveraged(house, loser)] == ["ENDED"])
    switch(house, "ACTIVE")
    [one] = deleveraged(house, loser)
    assert (one.method, one.change, one.left) == ("DELEVERAGING", "CLOSED", "0"), one
    assert 50_000 < Decimal(one.price) <= 52_500, "3 000 are used up there, and what the insurance fund has"
    assert (loser.held(CRASH), winner.held(CRASH)) == ("0", "0")
    [part] = winner.client.deleveraging_parts()
    assert (part.rank, part.quantity) == (1, "40")
    history = house.admin.deleveraging(one.deleveraging_id)
    assert [(each.account_id, each.state) for each in history.parts] == [(winner.name, "TAKEN")]
    assert winner.name not in str(loser.client.own_deleveragings())
    assert {row["deleveraging_id"] for row in table(house.admin.sheet("/v1/admin/deleveragings"))} == {
        one.deleveraging_id
    }
    no_layer_is_enough(house, winner)


def no_layer_is_enough(house: House, winner: Trader) -> None:
    """Ten thousand beyond its money: what is left of all layers, then gains, then bought options; and the rest."""
    broke, gainer, other = house.trader("10000"), house.trader("9000"), house.trader("9000")
    house.trade(gainer, other, PERP, "10")
    house.trade(broke, winner, CRASH, "100", "50000")
    house.define(instrument(CRASH, terms(mark_max_age_us=LONG_US), tradable=False))
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    await_true(lambda: delisted(house, at, CRASH, "30000"))
    await_true(lambda: broke.cash() == "-10000")
    house.mark(PERP, 60_500)
    await_true(lambda: [one.state for one in defaults(house, broke)] == ["UNCOVERED"])
    [found] = defaults(house, broke)
    steps = [(one.layer, one.payer_id, Decimal(one.amount)) for one in found.steps]
    assert 9_000 < Decimal(found.loss) <= 10_000 and broke.cash() == "0", "the insurance fund has paid what it had"
    assert sum(amount for _, _, amount in steps) + Decimal(found.uncovered) == Decimal(found.loss)
    assert Decimal(found.uncovered) > 0 and [layer for layer, _, _ in steps][-1] == "TEAR_UP"
    assert ("HAIRCUT", gainer.name, Decimal(50)) in steps, "500 a bitcoin, of 0.1 bitcoin"
    assert any("haircut" in one.purpose for one in gainer.client.own_fund().movements)
    assert [one.amount for one in house.admin.fund().unborne] == [found.uncovered]
    rows = table(house.say("default", "show", broke.name, "--format", "csv"))
    assert list(rows[-1].values()) == ["UNCOVERED", "", found.uncovered]
    house.mark(PERP, 60_000)


def defaults(house: House, trader: Trader) -> list[Any]:
    """Declared by clearing itself: a debt without contracts is a loss that the insurance fund could not pay."""
    return [one for one in house.admin.defaults() if one.account_id == trader.name]


def deleveraged(house: House, trader: Trader) -> list[Any]:
    return [one for one in house.admin.deleveragings() if one.account_id == trader.name]


def switch(house: House, state: str) -> None:
    """For everybody."""
    body = {"account_id": "*", "state": state, "reason": "a crash"}
    house.admin.administer("POST", "/v1/admin/trading-state", body)
