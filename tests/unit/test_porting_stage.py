"""Clients of a member in default, over eight partitions and the gateway's reference data: each moves whole to the
member that takes him, or is closed out with a reason; nobody's money or contracts move with him."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.clearing.across import rounds
from services.clearing.across.parcels import contract_leg
from services.clearing.defaults import porting, portingrounds, waterfalls
from services.clearing.defaults.porting import closed_out
from services.clearing.state import State
from services.gateway import core as gateway
from tests.unit.contract_desk import E8
from tests.unit.desk import LAW, some_meta
from tests.unit.rounds_stage import PERP, SECOND_US, Stage, disturb
from truetape import ids
from truetape import messages as m
from truetape.audit.ledger_rules import LedgerRules
from truetape.audit.membership import Membership
from truetape.codec import decode
from truetape.service import Input
from truetape.topics import ORDERS_DECISIONS, PARTITIONS, REFERENCE_COMMANDS, REFERENCE_EVENTS

CLIENTS = ("dan", "eve", "fay")


class PortingStage(Stage):
    """Ann is a clearing member with clients; bob and cat are members that may take them."""

    def __init__(self, room: int = 10_000) -> None:
        super().__init__()
        self.members = Membership()
        for at in self.partitions:
            at.rules = LedgerRules(at.findings, self.members)
        self.reference = gateway.State(self.tables.reference)
        self.reference_events: list[Any] = []
        self.sells = True
        self.tables.reference.accounts["fay"] = "fay"
        for name in CLIENTS:
            self.ask(m.SetMember(f"set-{name}", "desk", name, "ann"))
        for name in ("bob", "cat"):
            self.ask(m.SetMemberLimit(f"limit-{name}", "desk", name, "USDT", room * E8))
        self.remark()

    def ask(self, command: Any) -> Any:
        """A command about reference data, as the gateway decides it."""
        number = len(self.reference_events) + 1
        cause = m.Cause(REFERENCE_COMMANDS.name, 0, number, "")
        given_ = Input(command, cause, self.now_us, REFERENCE_EVENTS.name, 1, number, self.tables, 0)
        event: Any = gateway.decide(self.reference, given_)
        if event is not None:
            gateway.evolve(self.reference, event)
            self.reference_events.append(event)
            self.members.take(event)
        return event

    def deliver(self, index: int, act: bool = True) -> None:
        part, value = self.wire[index]
        if part.topic != REFERENCE_COMMANDS.name:
            return super().deliver(index, act)
        self.wire.pop(index)
        self.ask(decode(value))
        return None

    def tick(self, seconds: float = 1.0) -> None:
        self.now_us += int(seconds * SECOND_US)
        self.remark()
        super().tick(0.0)

    def remark(self, price: int = 60_000) -> None:
        """Marks stay fresh."""
        self.tables.marks.newest[PERP] = m.MarkPublished(
            some_meta(self.now_us), PERP, price * E8, price * E8, price * E8, "alpha", 7, self.now_us, 0
        )

    def quiet(self, number: int, event: Any) -> None:
        """A venue takes what is sold, and risk says so."""
        super().quiet(number, event)
        if self.sells and isinstance(event, m.LiquidationChanged) and event.state == "SELLING" and event.order:
            order = event.order
            self.trade(event.account_id, order.side, order.quantity_e8 // E8, 60_000)
            told = m.CancelRequested(some_meta(), "c", event.account_id, (), "", event.liquidation_id)
            self.give(number, told, ORDERS_DECISIONS.name)

    def client(self, name: str, contracts: int, cash: int, chosen: str = "") -> None:
        """A client with a position of 600 USDT each, and money."""
        self.deposit(name, cash)
        self.trade(name, "BUY" if contracts > 0 else "SELL", abs(contracts), 60_000)
        if chosen:
            assert self.act(name, "choose", name, chosen).state == "CHOSEN"

    def act(self, name: str, action: str, actor: str, receiver: str = "", reason: str = "as agreed") -> Any:
        command = m.ActOnPorting(f"a{self._number}", name, action, actor, receiver, reason, "desk")
        return self.command(command)

    def over(self) -> None:
        """The window of ann's clients is over."""
        self.tick(portingrounds.WINDOW_US / SECOND_US)
        self.run(30)

    def known(self, name: str) -> m.PortingChanged:
        """The newest record of a client."""
        found: m.PortingChanged = [one for one in self.events(m.PortingChanged) if one.account_id == name][-1]
        return found

    def member(self, name: str) -> str:
        return self.tables.reference.member_of(name)

    def held(self, name: str) -> int:
        position = self.of(name).state.accounts[name].positions.get(PERP)
        return position.quantity_e8 // E8 if position is not None else 0


def opened(**chosen: str) -> PortingStage:
    """Ann is in default, and her clients have a window; each has what he needs."""
    stage = PortingStage()
    for name in CLIENTS:
        stage.client(name, 2, 1_000, chosen.get(name, ""))
    stage.declare("ann")
    stage.run(10)
    return stage


def test_a_client_that_is_taken_moves_whole_and_keeps_everything() -> None:
    stage = opened(dan="bob")
    before = stage.books()
    assert (stage.known("dan").state, stage.known("dan").receiver_id) == ("REQUESTED", "bob")
    assert stage.act("dan", "accept", "bob").state == "ACCEPTED"
    stage.over()
    known = stage.known("dan")
    assert (known.state, known.receiver_id, known.member_id) == ("PORTED", "bob", "ann")
    assert (stage.member("dan"), stage.held("dan"), stage.cash("dan")) == ("bob", 2, 1_000)
    assert {name: amounts for name, amounts in stage.books().items() if "dan" in name} == {
        name: amounts for name, amounts in before.items() if "dan" in name
    }
    [moved] = [one for one in stage.reference_events if isinstance(one, m.MemberSet) and one.member_id == "bob"]
    assert (moved.from_member_id, moved.requested_by) == ("ann", "clearing")
    moving = next(one for one in stage.events(m.PortingChanged) if one.state == "MOVING")
    assert moving.numbers["margin_e8/USDT"] >= moving.numbers["maintenance_e8/USDT"] > 0
    assert moving.numbers[f"quantity_e8/{PERP}"] == 2 * E8
    stage.check()


def refuses(stage: PortingStage) -> None:
    stage.act("dan", "refuse", "bob")


def defaults(stage: PortingStage) -> None:
    stage.act("dan", "accept", "bob")
    stage.trade("bob", "BUY", 1, 60_000)
    stage.sells = False
    stage.declare("bob")


def full(stage: PortingStage) -> None:
    stage.act("dan", "accept", "bob")
    stage.ask(m.SetMemberLimit("less", "desk", "bob", "USDT", 1))


def without_a_word(_: PortingStage) -> None:
    return None


def takes_back(stage: PortingStage) -> None:
    stage.act("dan", "accept", "bob")
    assert stage.act("dan", "choose", "dan", "").state == "REQUESTED"


def chooses_another(stage: PortingStage) -> None:
    stage.act("dan", "accept", "bob")
    assert stage.act("dan", "choose", "dan", "cat").state == "REQUESTED"


REASONS: list[tuple[Callable[[PortingStage], None], str]] = [
    (refuses, "NOT_ACCEPTED"),
    (without_a_word, "NOT_ACCEPTED"),
    (chooses_another, "NOT_ACCEPTED"),
    (takes_back, "NO_RECEIVER_CHOSEN"),
    (defaults, "RECEIVER_DEFAULTED"),
    (full, "RECEIVER_FULL"),
]


@pytest.mark.parametrize(("what", "reason"), REASONS, ids=[what.__name__ for what, _ in REASONS])
def test_who_is_not_taken_is_closed_out_and_keeps_his_money(what: Callable[[PortingStage], None], reason: str) -> None:
    stage = opened(dan="bob")
    what(stage)
    sells, stage.sells = stage.sells, True
    stage.over()
    known = stage.known("dan")
    assert (known.state, known.reason) == ("EXPIRED", reason)
    assert sells is False or (stage.held("dan"), stage.member("dan")) == (0, "ann")
    assert stage.cash("dan") == 1_000, "what is left is his: no loss of his member is paid with it"
    assert closed_out(stage.of("dan").state, "dan")
    stage.check()


def test_one_below_maintenance_moves_nowhere() -> None:
    stage = PortingStage()
    stage.sells = False
    stage.client("dan", 10, 200, "bob")  # 6 000 of notional: the maintenance need is more than that.
    stage.declare("ann")
    stage.run(5)
    stage.act("dan", "accept", "bob")
    stage.over()
    assert (stage.known("dan").state, stage.known("dan").reason) == ("EXPIRED", "UNDER_MARGINED")
    stage.check()


def test_a_receiver_takes_no_more_than_its_limit_beside_its_own_clients() -> None:
    """Three want to go to bob, who has room for one beside the client that he has: the smallest goes."""
    stage = PortingStage()
    need = margin_of(2)
    stage.tables.reference.accounts["gus"] = "gus"
    stage.ask(m.SetMember("set-gus", "desk", "gus", "bob"))
    stage.ask(m.SetMemberLimit("more", "desk", "bob", "USDT", 3 * need))
    stage.client("gus", 2, 1_000)
    for name, contracts in (("dan", 2), ("eve", 3), ("fay", 4)):
        stage.client(name, contracts, 2_000, "bob")
    stage.declare("ann")
    stage.run(5)
    for name in CLIENTS:
        stage.act(name, "accept", "bob")
    stage.over()
    assert [stage.known(name).state for name in CLIENTS] == ["PORTED", "EXPIRED", "EXPIRED"]
    assert {stage.known(name).reason for name in ("eve", "fay")} == {"RECEIVER_FULL"}
    stage.check()


def margin_of(contracts: int) -> int:
    """Initial need of so many contracts."""
    stage = PortingStage()
    stage.client("dan", contracts, 10_000)
    given_ = Input(None, m.Cause("", 0, -1, ""), stage.now_us, "", 1, 1, stage.tables, 0)
    found = portingrounds.margins_of(stage.of("dan").state, given_, "dan")
    assert not isinstance(found, str)
    return found["USDT"].initial_e8


def test_who_cannot_be_margined_now_is_left_to_the_next_round() -> None:
    stage = opened(dan="bob", eve="bob")
    for name in ("dan", "eve"):
        stage.act(name, "accept", "bob")
    stage.now_us += portingrounds.WINDOW_US
    for _ in range(20):  # No mark is fresh.
        Stage.tick(stage)
        while stage.wire:
            stage.deliver(0)
    assert [stage.known(name).state for name in CLIENTS] == ["ACCEPTED", "ACCEPTED", "EXPIRED"]
    stage.run(90)
    assert [stage.known(name).state for name in CLIENTS] == ["PORTED", "PORTED", "EXPIRED"]
    assert all(window.closed for at in stage.partitions for window in at.state.portings.windows.values())
    stage.check()


def test_the_house_ends_a_window_and_says_why() -> None:
    stage = opened(dan="bob")
    stage.act("dan", "accept", "bob")
    assert stage.act("ann", "end", "house", reason=" ").reason == "REASON_MISSING"
    asked = stage.act("ann", "end", "house", reason="all have answered")
    assert isinstance(asked, m.RoundRequested) and asked.round.ids["reason"] == "all have answered"
    assert stage.act("ann", "end", "house").reason == "STATE_WRONG", "it is being decided"
    stage.run(30)
    assert (stage.known("dan").state, stage.known("eve").actor) == ("PORTED", "house")
    assert stage.act("ann", "end", "house").reason == "STATE_WRONG", "it is over"
    stage.check()


def test_a_membership_that_the_house_sets_ends_it() -> None:
    stage = opened()
    stage.ask(m.SetMember("by-hand", "desk", "dan", "cat"))
    stage.run(3)
    assert (stage.known("dan").state, stage.known("dan").receiver_id, stage.known("dan").actor) == (
        "PORTED", "cat", "ledger",
    )  # fmt: skip
    stage.over()
    assert stage.known("dan").state == "PORTED" and stage.held("dan") == 2
    stage.check()


WRONG = [
    (("zoe", "choose", "zoe", "bob"), "ACCOUNT_UNKNOWN"),
    (("dan", "dance", "dan", ""), "UNSUPPORTED"),
    (("dan", "choose", "bob", "bob"), "STATE_WRONG"),
    (("dan", "choose", "dan", "zoe"), "NUMBERS_WRONG"),
    (("dan", "choose", "dan", "eve"), "NUMBERS_WRONG"),
    (("dan", "choose", "dan", "ann"), "NUMBERS_WRONG"),
    (("bob", "choose", "bob", "cat"), "NUMBERS_WRONG"),
    (("dan", "accept", "cat", ""), "STATE_WRONG"),
    (("dan", "accept", "dan", ""), "STATE_WRONG"),
    (("bob", "accept", "cat", ""), "STATE_WRONG"),
    (("ann", "end", "ann", ""), "STATE_WRONG"),
    (("bob", "end", "house", ""), "STATE_WRONG"),
]


@pytest.mark.parametrize(("asked", "reason"), WRONG, ids=[" ".join(asked) for asked, _ in WRONG])
def test_who_may_not_is_told_why(asked: tuple[str, str, str, str], reason: str) -> None:
    stage = opened(dan="bob")
    refused = stage.act(*asked)
    assert isinstance(refused, m.ClearingRefused) and (refused.reason, bool(refused.detail)) == (reason, True)
    stage.check()


def test_a_command_counts_once_and_none_comes_too_late() -> None:
    stage = opened(dan="bob")
    command = m.ActOnPorting("twice", "dan", "accept", "bob", "", "", "desk")
    assert stage.command(command).state == "ACCEPTED"
    assert stage.command(command).reason == "COMMAND_REPEATED"
    stage.lose = {ids.partition_of(portingrounds.HOME, PARTITIONS)}
    stage.tick(portingrounds.WINDOW_US / SECOND_US)
    assert stage.act("dan", "refuse", "bob").reason == "DEADLINE_PASSED"
    stage.lose = set()
    stage.run(60)
    assert stage.known("dan").state == "PORTED"
    assert stage.act("dan", "refuse", "bob").reason == "STATE_WRONG", "he has moved"
    stage.check()


def test_a_late_copy_of_a_move_changes_nothing_any_more() -> None:
    stage = opened(dan="bob")
    stage.act("dan", "accept", "bob")
    stage.over()
    stage.ask(m.SetMember("by-hand", "desk", "dan", "cat"))
    late = m.SetMember("port:late", "clearing", "dan", "bob", "ann")
    assert isinstance(stage.ask(late), m.ReferenceRejected) and stage.member("dan") == "cat"


def test_a_move_that_reference_data_refuses_is_asked_for_again_until_it_is_true() -> None:
    stage = opened(dan="bob")
    stage.act("dan", "accept", "bob")
    stage.ask(m.SetMember("not-a-member", "desk", "bob", "cat"))
    stage.over()
    assert (stage.known("dan").state, stage.member("dan")) == ("MOVING", "ann")
    stage.ask(m.SetMember("again", "desk", "bob", "bob"))
    stage.run(120)
    assert (stage.known("dan").state, stage.member("dan")) == ("PORTED", "bob")
    stage.check()


def test_nobody_is_given_to_a_member_in_default() -> None:
    stage = opened(dan="bob")
    default_id = stage.default("ann").default_id
    refused = stage.ask(m.SetMember("late", "desk", "cat", "ann"))
    assert isinstance(refused, m.ReferenceRejected)
    assert refused.reason == f"ann is in default ({default_id}) and takes no clients: name another member"
    assert stage.member("cat") == "cat"
    stage.trade("bob", "BUY", 1, 60_000)
    stage.sells = False
    stage.declare("bob")
    stage.run(5)
    chosen, taken = stage.act("eve", "choose", "eve", "bob"), stage.act("dan", "accept", "bob")
    assert chosen.reason == "NUMBERS_WRONG" and "bob is in default" in chosen.detail
    assert taken.reason == "STATE_WRONG" and "bob is in default" in taken.detail
    named = [one for one in stage.reference_events if isinstance(one, m.MemberDefaulted)]
    assert sorted(one.account_id for one in named) == ["ann", "bob"], "each once"
    assert not isinstance(stage.ask(m.SetMember("own", "desk", "dan", "dan")), m.ReferenceRejected), "he may leave it"
    stage.check()


def test_who_takes_a_partition_over_bars_its_members_in_default_once_more() -> None:
    """The command may have been lost with its owner."""
    left = list(porting.commands_left(opened().of("ann").state))
    assert [one.account_id for one in left if isinstance(one, m.SetMemberDefaulted)] == ["ann"]


def test_a_command_of_somebody_unknown_bars_nobody() -> None:
    stage = PortingStage()
    assert isinstance(stage.ask(m.SetMemberDefaulted("x", "clearing", "zoe", "d")), m.ReferenceRejected)


def test_a_receiver_that_defaults_before_it_has_the_client_gets_him_no_more() -> None:
    stage = opened(dan="bob")
    stage.act("dan", "accept", "bob")
    stage.tick(portingrounds.WINDOW_US / SECOND_US)
    while stage.known("dan").state != "MOVING":
        asking = [index for index, (part, _) in enumerate(stage.wire) if part.topic != REFERENCE_COMMANDS.name]
        stage.deliver(asking[0]) if asking else stage.tick()
    stage.wire = [one for one in stage.wire if not isinstance(decode(one[1]), m.SetMember)]
    stage.trade("bob", "BUY", 1, 60_000)
    stage.declare("bob")
    stage.run(60)
    known = stage.known("dan")
    assert (known.state, known.reason, known.actor) == ("EXPIRED", "RECEIVER_DEFAULTED", "clock")
    assert (stage.member("dan"), stage.held("dan"), stage.cash("dan")) == ("ann", 0, 1_000)
    stage.check()


def test_who_becomes_a_client_in_the_moment_of_the_default_is_decided_with_the_others() -> None:
    stage = PortingStage()
    stage.tables.reference.accounts["gus"] = "gus"
    stage.client("gus", 2, 1_000)
    stage.declare("ann")
    stage.wire = [one for one in stage.wire if one[0].topic != REFERENCE_COMMANDS.name]
    while not (windows := stage.of("ann").state.portings.windows) or not stage.done():
        stage.deliver(0) if stage.wire else stage.tick()
    assert windows["ann"].deciding == 0
    assert isinstance(stage.ask(m.SetMember("in-time", "desk", "gus", "ann")), m.MemberSet)
    stage.over()
    assert (stage.known("gus").state, stage.known("gus").reason) == ("EXPIRED", "NO_RECEIVER_CHOSEN")
    assert stage.held("gus") == 0
    stage.check()


@pytest.mark.parametrize("state", ["COVERED", "UNCOVERED"])
def test_a_window_opens_whatever_the_default_has_come_to_when_there_is_a_client(state: str) -> None:
    """Reference data hears of the default late: dan became her client when her loss was borne already."""
    stage = PortingStage()
    for name in CLIENTS:
        stage.ask(m.SetMember(f"own-{name}", "desk", name, name))
    stage.client("dan", 2, 1_000)
    if state != "UNCOVERED":
        stage.fund("bob", 1_000)
    hears = stage.ask
    stage.ask = lambda command: None  # type: ignore[method-assign]
    stage.lose_money("ann", 300)
    stage.declare("ann")
    while stage.default("ann").state != state:
        stage.deliver(0) if stage.wire else stage.tick()
    assert stage.of("ann").state.portings.windows == {}
    stage.ask = hears  # type: ignore[method-assign]
    assert isinstance(stage.ask(m.SetMember("late", "desk", "dan", "ann")), m.MemberSet)
    stage.run(20)
    assert (stage.default("ann").state, stage.known("dan").state) == (state, "REQUESTED")
    stage.check()


def test_a_further_default_of_the_member_opens_another_window() -> None:
    """The first one cost nothing, and nobody took dan; he is still her client when she defaults again."""
    stage = opened()
    stage.over()
    assert (stage.known("dan").state, stage.default("ann").state) == ("EXPIRED", "ENDED")
    first = stage.default("ann").default_id
    stage.lose_money("ann", 300)
    stage.run(60)
    second = stage.default("ann")
    assert second.default_id != first
    known = stage.known("dan")
    assert (known.state, known.default_id) == ("REQUESTED", second.default_id)
    stage.check()


def test_a_client_in_a_window_takes_no_parcel() -> None:
    stage = opened(dan="bob")
    leg = contract_leg(PERP, "USDT", E8, 60_000 * E8, "AUCTION_TRANSFER")
    parcel = m.Parcel("p", "dan", "house:x", "AUCTION", False, stage.now_us + 10 * SECOND_US, (leg,))
    answer = stage.command(m.TakeParcel("p", "dan", parcel))
    assert (answer.state, answer.reason) == ("REFUSED", "ACCOUNT_HALTED") and "member" in answer.detail
    stage.check()


@LAW
@given(data=st.data())
def test_any_network_and_any_crash_give_each_client_one_end(data: st.DataObject) -> None:
    stage = PortingStage()
    accepted = data.draw(st.frozensets(st.sampled_from(CLIENTS)))
    for name in CLIENTS:
        stage.client(name, 2, 1_000, "bob")
    stage.declare("ann")
    for _ in range(data.draw(st.integers(0, 20))):
        disturb(stage, data)
    stage.run(60)
    for name in sorted(accepted):
        assert stage.act(name, "accept", "bob").state == "ACCEPTED"
    stage.tick(portingrounds.WINDOW_US / SECOND_US)
    for _ in range(data.draw(st.integers(0, 30))):
        disturb(stage, data)
    stage.run(150)
    for name in CLIENTS:
        ended = [one.state for one in stage.events(m.PortingChanged) if one.account_id == name][-1]
        taken = name in accepted
        assert (ended, stage.member(name)) == (("PORTED", "bob") if taken else ("EXPIRED", "ann"))
        assert (stage.held(name), stage.cash(name)) == (2 if taken else 0, 1_000)
    moved = [
        one.account_id for one in stage.reference_events if isinstance(one, m.MemberSet) and one.member_id == "bob"
    ]
    assert sorted(moved) == sorted(accepted), "each moves once"
    assert stage.done() and not any(at.state.requests for at in stage.partitions)
    stage.check()


# -- what a member answers for ----------------------------------------------------------------------------------------


def failed(loss: int, *in_default: str, own: int = 0) -> PortingStage:
    """Dan, a client of ann, cannot pay."""
    stage = PortingStage()
    for name, share in (("ann", 300), ("bob", 500)):
        stage.fund(name, share)
    if own:
        stage.fund("dan", own)
    for name in in_default:
        stage.trade(name, "BUY", 1, 60_000)
        stage.sells = False
        stage.declare(name)
    stage.lose_money("dan", loss)
    stage.declare("dan")
    stage.run(60)
    return stage


@pytest.mark.parametrize(
    ("loss", "own", "borne"),
    [
        (200, 0, [("DEFAULTER_FUND", "ann", 200)]),
        (300, 0, [("DEFAULTER_FUND", "ann", 300)]),
        (400, 0, [("DEFAULTER_FUND", "ann", 300), ("OTHERS_FUND", "bob", 100)]),
        (40, 50, [("DEFAULTER_FUND", "dan", 40)]),
        (200, 50, [("DEFAULTER_FUND", "ann", 150), ("DEFAULTER_FUND", "dan", 50)]),
    ],
)
def test_a_clients_member_answers_for_it_before_the_others(
    loss: int, own: int, borne: list[tuple[str, str, int]]
) -> None:
    stage = failed(loss, own=own)
    assert stage.default("dan").member_id == "ann" and sorted(stage.steps("dan")) == borne
    assert stage.share("ann") == 300 - sum(amount for _, who, amount in borne if who == "ann")
    stage.check()


def test_a_member_in_default_keeps_its_share_for_its_own_loss() -> None:
    stage = failed(200, "ann")
    assert stage.steps("dan") == [("OTHERS_FUND", "bob", 200)] and stage.share("ann") == 300
    stage.check()


def test_what_comes_in_later_pays_the_guarantor_after_the_others_and_before_the_client() -> None:
    stage = failed(400)
    for amount, ann, bob, cash in ((100, 0, 500, 0), (250, 250, 500, 0), (80, 300, 500, 30)):
        stage.deposit("dan", amount)
        stage.run(30)
        assert (stage.share("ann"), stage.share("bob"), stage.cash("dan")) == (ann, bob, cash)
    assert stage.default("dan").state == "ENDED" and stage.open_loss() == 0
    stage.check()


def test_after_porting_the_new_member_answers() -> None:
    stage = opened(dan="bob")
    for name, share in (("ann", 300), ("bob", 500)):
        stage.fund(name, share)
    stage.act("dan", "accept", "bob")
    stage.over()
    assert stage.member("dan") == "bob"
    stage.trade("dan", "SELL", 2, 60_000)
    stage.lose_money("dan", 1_200)
    stage.declare("dan")
    stage.run(60)
    assert ("DEFAULTER_FUND", "bob", 200) in stage.steps("dan") and stage.share("ann") == 300
    stage.check()


# -- planted faults, each with the test that sees it ------------------------------------------------------------------


def _room_for_all(patch: pytest.MonkeyPatch) -> None:
    """The clients that a receiver has already take no room."""
    right = portingrounds._stated

    def stated(*asked: Any) -> list[m.RoundHolding]:
        return [one for one in right(*asked) if "taken_e8" not in one.numbers]

    changed = rounds.KINDS[portingrounds.DECIDING]._replace(answer=stated)
    patch.setitem(rounds.KINDS, portingrounds.DECIDING, changed)


def _defaults_unsaid(patch: pytest.MonkeyPatch) -> None:
    """Nobody says that the receiver is in default."""
    patch.setattr(portingrounds, "_barred", lambda *_: False)
    patch.setitem(gateway.CHECKS, m.SetMemberDefaulted, lambda *_: iter(("not said",)))


def _doubt_is_nothing(patch: pytest.MonkeyPatch) -> None:
    """A margin that cannot be said is taken for none."""
    patch.setattr(portingrounds, "_left", lambda *_: False)


def _stays_open(patch: pytest.MonkeyPatch) -> None:
    """A client that is closed out keeps its contracts."""
    patch.setattr(porting, "closed_out", lambda state, account_id: False)


def _own_share_alone(patch: pytest.MonkeyPatch) -> None:
    """A member does not answer for its client."""
    right = waterfalls._waterfall

    def alone(given_: Input, terms: m.RoundTerms, stated: Any) -> Any:
        return right(given_, replace(terms, ids=terms.ids | {"member_id": ""}), stated)

    changed = rounds.KINDS["WATERFALL"]._replace(decide=alone)
    patch.setitem(rounds.KINDS, "WATERFALL", changed)


def _accepted_answers_for_all(patch: pytest.MonkeyPatch) -> None:
    """A client is taken by whom it has chosen, asked or not."""
    right = portingrounds._chosen
    patch.setattr(portingrounds, "_chosen", lambda one: (right(one)[0], True))


def _while_declared(patch: pytest.MonkeyPatch) -> None:
    """A window opens only while nothing is fixed yet."""
    right = portingrounds.tick

    def tick(state: State, given_: Input) -> m.RoundRequested | None:
        declared = {name: known for name, known in state.defaults.items() if known.state == "DECLARED"}
        return right(replace(state, defaults=declared), given_)

    patch.setattr(portingrounds, "tick", tick)


_closed_out = test_who_is_not_taken_is_closed_out_and_keeps_his_money
_whatever_it_has_come_to = test_a_window_opens_whatever_the_default_has_come_to_when_there_is_a_client
_answers_for_it = test_a_clients_member_answers_for_it_before_the_others
PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = [
    (_room_for_all, test_a_receiver_takes_no_more_than_its_limit_beside_its_own_clients),
    (_defaults_unsaid, lambda: _closed_out(defaults, "RECEIVER_DEFAULTED")),
    (_doubt_is_nothing, test_who_cannot_be_margined_now_is_left_to_the_next_round),
    (_stays_open, lambda: _closed_out(refuses, "NOT_ACCEPTED")),
    (_own_share_alone, lambda: _answers_for_it(200, 0, [("DEFAULTER_FUND", "ann", 200)])),
    (_accepted_answers_for_all, lambda: _closed_out(refuses, "NOT_ACCEPTED")),
    (_while_declared, lambda: _whatever_it_has_come_to("COVERED")),
]


@pytest.mark.parametrize(("plant", "seen_by"), PLANTED, ids=[plant.__name__[1:] for plant, _ in PLANTED])
def test_planted_faults_are_seen(
    plant: Callable[[pytest.MonkeyPatch], None], seen_by: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, LookupError)):
        seen_by()
