"""What must hold for rounds, from the records alone: nothing is decided before every partition has answered, a loss is
borne once and to the unit, and each partition books the legs it was told next, in order, as they say. Of compression:
nothing falls or is compressed without its participants' word, and nothing but gross notional changes."""

from collections.abc import Callable
from typing import Any, Final

from truetape import messages as m
from truetape.audit import assignment_rules, claim_rules, haircut_rules, porting_rules, remainder_rules
from truetape.audit.membership import Membership
from truetape.remainder import carried, number_of
from truetape.topics import PARTITIONS

Expect = Callable[..., None]
DUE: Final = "due"
ROUND: Final = "round/"
"""How the ids of decisions begin that a round makes due."""
HOUSE: Final = "house:default"
COMPRESSION: Final = "COMPRESSION"
"""The kind of round that waits for its participants."""
JUDGED: Final = (
    assignment_rules.KIND, *remainder_rules.KINDS, porting_rules.DECIDING, claim_rules.KIND, haircut_rules.KIND,
)  # fmt: skip
"""Kinds of rounds whose decision is made again from what was stated."""
BEARS: Final = ("WATERFALL", "HAIRCUT", "TEAR_UP")
"""Kinds of rounds that bear a loss; the outcome holds who bears what, and what nobody does."""


class RoundRules:
    """Rounds of one partition: those that it is the home of, and those that it settles."""

    def __init__(self, expect: Expect, members: Membership) -> None:
        self._expect, self._members = expect, members
        self._stated: dict[str, list[m.RoundHolding]] = {}
        """By round whose decision is judged, what home was told."""
        self._heard: dict[str, set[int]] = {}
        """By round, partitions whose answer home has."""
        self._terms: dict[str, m.RoundTerms] = {}
        self._handed_on: dict[str, dict[str, int]] = {}
        """By root round, what the newest of it hands on to the one that follows."""
        self._answered: set[str] = set()
        """Rounds that this partition has answered and not settled."""
        self._waiting: list[str] = []
        """Names of what must be decided next."""
        self._legs: dict[str, m.RoundLeg] = {}
        self._compressing: dict[str, m.CompressionChanged] = {}
        """Runs that all participants have accepted, until their round is decided."""
        self._rules: dict[type, Callable[[str, Any], None]] = {
            m.RoundOpened: self._opened,
            m.RoundGathered: self._gathered,
            m.RoundDecided: self._decided,
            m.RoundAnswered: self._answers,
            m.RoundSettling: self._settling,
            m.EntryBooked: self._booked,
            m.CompressionChanged: self._compressed,
        }

    def take(self, where: str, event: Any) -> None:
        """One accepted record of the journal."""
        cause = event.meta.cause
        says = cause.id if cause.source == DUE and cause.id.startswith(ROUND) else ""
        wanted = self._waiting.pop(0) if self._waiting else ""
        account = getattr(event, "account_id", "")
        self._expect(says == wanted, "a round is settled before anything else", where, account, wanted, says)
        if (rule := self._rules.get(type(event))) is not None:
            rule(where, event)

    def _opened(self, where: str, event: m.RoundOpened) -> None:
        name = event.round.round_id
        self._expect(name not in self._terms, "a round opens once", where, event.account_id, "a new round", name)
        root, number = number_of(name)
        if number:
            handed_on = self._handed_on.pop(root, {})
            remainder_rules.opened(self._expect, where, event.round, self._terms.get(root), handed_on)
        self._terms[name], self._heard[name] = event.round, set()
        if event.round.kind in JUDGED:
            self._stated[name] = []

    def _gathered(self, where: str, event: m.RoundGathered) -> None:
        heard = self._heard.setdefault(event.round_id, set())
        new = event.partition not in heard
        self._expect(new, "a partition answers once", where, event.account_id, event.round_id, event.partition)
        heard.add(event.partition)
        if event.round_id in self._stated:
            self._stated[event.round_id] += event.holdings
        if len(heard) == PARTITIONS:
            terms = self._terms.get(event.round_id)
            step = "propose" if terms is not None and terms.kind == COMPRESSION else "decide"
            self._waiting = [f"{ROUND}{event.round_id}/{step}"]

    def _decided(self, where: str, event: m.RoundDecided) -> None:
        terms, home = event.round, event.account_id
        heard = self._heard.pop(terms.round_id, set())
        everybody = len(heard) == PARTITIONS
        self._expect(everybody, "a round is decided on all answers", where, home, PARTITIONS, sorted(heard))
        self._expect(terms == self._terms.get(terms.round_id), "a round keeps its terms", where, home, "", terms)
        if terms.kind in BEARS and not event.detail:
            loss_e8, borne_e8 = terms.numbers.get("loss_e8"), _borne_e8(event.outcome)
            self._expect(loss_e8 == borne_e8, "a loss is borne once", where, home, loss_e8, borne_e8)
        if handed_on := carried(event.outcome):
            self._handed_on[number_of(terms.round_id)[0]] = handed_on
        stated = self._stated.pop(terms.round_id, [])
        if terms.kind == assignment_rules.KIND:
            assignment_rules.judge(self._expect, where, event, stated)
        elif terms.kind in remainder_rules.KINDS and not event.detail:
            remainder_rules.judge(self._expect, where, event, stated)
        elif terms.kind == COMPRESSION:
            claim_rules.claimed(self._expect, where, event, self._compressing.pop(terms.round_id, None))
        elif terms.kind == claim_rules.KIND and not event.detail:
            claim_rules.judge(self._expect, where, event, stated)
        elif terms.kind == haircut_rules.KIND and not event.detail:
            haircut_rules.judge(self._expect, where, event, stated)
        elif terms.kind == porting_rules.DECIDING and not event.detail:
            porting_rules.judge(self._expect, where, event, stated, self._members)

    def _answers(self, where: str, event: m.RoundAnswered) -> None:
        name = event.round.round_id
        self._expect(name not in self._answered, "a partition answers once", where, "", "a new round", name)
        self._answered.add(name)

    def _settling(self, where: str, event: m.RoundSettling) -> None:
        name = event.round.round_id
        asked = name in self._answered
        self._expect(asked, "a round is settled where it was answered, once", where, "", "a RoundAnswered", name)
        self._answered.discard(name)
        self._legs = {leg.leg_id: leg for leg in event.legs}
        silent = claim_rules.SILENT if event.round.kind == COMPRESSION else ()
        booked = [leg for leg in event.legs if leg.event not in silent]
        self._waiting = [*(f"{ROUND}{name}/{leg.leg_id}" for leg in booked), f"{ROUND}{name}/close"]

    def _booked(self, where: str, entry: m.EntryBooked) -> None:
        """What a leg moves stands against the house, in full."""
        assignment_rules.booked(self._expect, where, entry)
        leg = self._legs.pop(entry.entry_id, None)
        if leg is None or entry.contract is None:
            return
        told = (leg.account_id, leg.event)
        says = (entry.account_id, entry.contract.event)
        self._expect(told == says, "an entry books its leg", where, entry.account_id, told, says)
        if leg.event in (claim_rules.CLAIMED, claim_rules.PAID):
            claim_rules.booked(self._expect, where, leg, entry)
            return
        moved_e8 = sum(line.amount_e8 for line in entry.lines if line.account == HOUSE)
        wanted_e8 = -leg.amount_e8 if leg.event == "DEFAULTER_MARGIN" else leg.amount_e8
        self._expect(moved_e8 == wanted_e8, "a leg moves its amount", where, entry.account_id, wanted_e8, moved_e8)

    def _compressed(self, where: str, event: m.CompressionChanged) -> None:
        """What a run makes due; and of what is compressed that each participant's net is as before."""
        name, home = event.run_id, event.account_id
        if event.state == "GATHERING":
            self._waiting = [f"{ROUND}{name}/open"]
        elif event.state != "PROPOSED":
            self._waiting = [f"{ROUND}{name}/decide"]
        if event.state != "COMPRESSED":
            return
        self._compressing[name] = event
        self._expect(
            event.accepted == event.participants, "all participants have accepted", where, home, event.participants,
            event.accepted,
        )  # fmt: skip
        before, after = nets(event.ended), nets(event.left)
        for paid in event.payments:
            quantity_e8, cost_e8 = after.get(paid.account_id, (0, 0))
            after[paid.account_id] = quantity_e8, cost_e8 - paid.amount_e8
        same = without_flat(before) == without_flat(after)
        self._expect(same, "compression keeps every net position", where, home, before, after)
        total_e8 = sum(paid.amount_e8 for paid in event.payments)
        self._expect(total_e8 == 0, "what compression pays is received", where, home, 0, total_e8)


def _borne_e8(outcome: dict[str, int]) -> int:
    """What an outcome says is borne and left; what it hands on to the round that follows is no money."""
    return sum(outcome.values()) - sum(carried(outcome).values())


def nets(trades: tuple[m.BilateralTrade, ...]) -> dict[str, tuple[int, int]]:
    """Net quantity and cost by account."""
    found: dict[str, tuple[int, int]] = {}
    for one in trades:
        for who, sign in ((one.buyer_id, 1), (one.seller_id, -1)):
            quantity_e8, cost_e8 = found.get(who, (0, 0))
            found[who] = quantity_e8 + sign * one.quantity_e8, cost_e8 + sign * one.cost_e8
    return found


def without_flat(found: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Those that hold or owe something."""
    return {name: net for name, net in found.items() if net != (0, 0)}
